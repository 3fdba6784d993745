"""Values that stand for nothing: constants that a tool writes where it could not compute.

One source repeats such a value over many files that differ. It is kept and never compared, in
any record, now or later, until somebody releases it. Identical files, and their digests, never
count: something widely shared is listed often, and must be found.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping

from screener.hashing.hash import KINDS, Hash
from screener.lists.segments import Changes
from screener.lists.states import State

FILES = 100  # different files of one source that one value may be of
_LONGEST = 512  # bytes of a value that is asked for; longer ones are never compared anyway
_LISTED = 20_000  # values of a kind that are asked for one by one; beyond, all are counted

Value = tuple[str, bytes]  # the kind's name, and the value


def judged(connection: sqlite3.Connection) -> dict[Value, str | None]:
    """The values that are not compared, and why, or that are (None), whatever else speaks."""
    rows = connection.execute("SELECT kind, value, why_not FROM judged")
    return {(kind, value): why for kind, value, why in rows}


class Seen:
    """The values of an import that stand beside a digest, kind by kind, as far as they are few."""

    def __init__(self) -> None:
        """Begin with none."""
        self._values: dict[str, set[bytes] | None] = defaultdict(set)

    def add(self, hashes: tuple[Hash, ...]) -> None:
        """Note the hashes of one entry."""
        if len(hashes) < 2:
            return
        for item in hashes:
            values = self._values[item.kind.name]
            if values is not None and len(item.value) <= _LONGEST:
                values.add(item.value)
                if len(values) > _LISTED:
                    self._values[item.kind.name] = None

    def shared(self, connection: sqlite3.Connection, source: str) -> list[Value]:
        """Those that the source gives for `FILES` different files or more, and that nobody has
        judged yet.
        """
        known = judged(connection)
        found: list[Value] = []
        for kind, values in self._values.items():
            frequent = _frequent(connection, kind, values)
            found += [
                (kind, value)
                for value in frequent
                if (kind, value) not in known and _files(connection, source, kind, value) >= FILES
            ]
        return found


def _frequent(connection: sqlite3.Connection, kind: str, values: set[bytes] | None) -> list[bytes]:
    """Those of the values, or of all values where there are too many, that stand often."""
    if values is None:
        rows = connection.execute(
            "SELECT value FROM hashes WHERE kind = ? GROUP BY value HAVING count(*) >= ?",
            (kind, FILES),
        )
        return [value for (value,) in rows]
    often = "SELECT 1 FROM hashes WHERE kind = ? AND value = ? LIMIT 1 OFFSET ?"
    return [
        value
        for value in sorted(values)
        if connection.execute(often, (kind, value, FILES - 1)).fetchone()
    ]


def _files(connection: sqlite3.Connection, source: str, kind: str, value: bytes) -> int:
    """How many different files, by their digests, a source gives a value for."""
    digests = [one.name for one in KINDS.values() if one.digest and one.name != kind]
    counts = connection.execute(
        "SELECT count(DISTINCT d.value) FROM hashes h JOIN records r ON r.id = h.record"
        " JOIN hashes d ON d.record = h.record"
        f" AND d.kind IN ({', '.join('?' * len(digests))})"
        " WHERE h.kind = ? AND h.value = ? AND r.source = ? AND r.until IS NULL GROUP BY d.kind",
        (*digests, kind, value, source),
    )
    return max((count for (count,) in counts), default=0)


def judge(
    connection: sqlite3.Connection,
    number: int,
    changes: Changes,
    verdicts: Mapping[Value, str | None],
) -> None:
    """Have values not compared any more, and why, or compared again (None), from generation
    `number` on; records of generations before get a new version, since those stay as they were.
    """
    for (kind, value), why_not in verdicts.items():
        connection.execute("INSERT OR REPLACE INTO judged VALUES (?, ?, ?)", (kind, value, why_not))
        holders = connection.execute(
            "SELECT r.id FROM hashes h JOIN records r ON r.id = h.record WHERE h.kind = ?"
            " AND h.value = ? AND r.until IS NULL AND r.state <> ?",
            (kind, value, State.WITHDRAWN),
        ).fetchall()
        for record in renewed(connection, number, (record for (record,) in holders)):
            connection.execute(
                "UPDATE hashes SET why_not = ? WHERE record = ? AND kind = ? AND value = ?",
                (why_not, record, kind, value),
            )
        if holders and (KINDS[kind].perceptual or KINDS[kind].digest):
            note = changes.doubt if why_not is not None else changes.gain
            note([Hash(KINDS[kind], value)])


def renewed(connection: sqlite3.Connection, number: int, current: Iterable[int]) -> list[int]:
    """The versions of generation `number` of current records, made where there are none yet."""
    found = []
    for record in list(current):
        (since,) = connection.execute(
            "SELECT since FROM records WHERE id = ?", (record,)
        ).fetchone()
        found.append(record if since == number else copied(connection, number, record))
    return found


def copied(connection: sqlite3.Connection, number: int, record: int) -> int:
    """A version of generation `number` that says what an earlier one of the entry said; the
    current one ends.
    """
    (fresh,) = connection.execute("SELECT max(id) + 1 FROM records").fetchone()
    connection.execute(
        "UPDATE records SET until = ? WHERE until IS NULL AND (source, entry) ="
        " (SELECT source, entry FROM records WHERE id = ?)",
        (number, record),
    )
    connection.execute(
        "INSERT INTO records SELECT ?, source, entry, state, categories, labels, updated,"
        " fingerprint, import, ?, NULL, said FROM records WHERE id = ?",
        (fresh, number, record),
    )
    connection.execute(
        "INSERT INTO hashes SELECT ?, kind, value, quality, why_not FROM hashes WHERE record = ?",
        (fresh, record),
    )
    return int(fresh)
