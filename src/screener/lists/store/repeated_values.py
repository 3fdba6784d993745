"""Values that stand for nothing: constants that a tool writes where it could not compute.

One source repeats such a value over many files that differ. It is kept and not compared in the
entries of that source, as long as it does so, unless somebody releases it. What another source
says of the value matches as ever: nobody may switch off what others say. Identical files, and
their digests, never count: something widely shared is listed often, and must be found.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from screener.hashing.hash import KINDS, Hash
from screener.lists.states import State
from screener.lists.store import video_frames
from screener.lists.store.database import is_in_generation
from screener.lists.store.records import find_exclusion
from screener.lists.store.searchable_values import Changes
from screener.lists.store.version_counts import count_versions, group_current_values

MIN_FILES = 100  # different files of one source, in as many entries, that one value may be of
_LONGEST = 512  # bytes of a value that is asked for; longer ones are never compared anyway
_LISTED = 20_000  # values of a kind that are asked for one by one; beyond, all are counted

REPEATED = "placeholder"  # why such a value is not compared

Value = tuple[str, bytes]  # the kind's name, and the value


def read_judgements(connection: sqlite3.Connection) -> dict[Value, str | None]:
    """Values that were released (None), and those that some source was seen to repeat: which of
    the sources do, `is_placeholder` tells, from what they say now.
    """
    rows = connection.execute("SELECT kind, value, why_not FROM judged")
    return {(kind, value): why for kind, value, why in rows}


class SharedValues:
    """The values of an import that stand beside others, kind by kind, as far as they are few."""

    def __init__(self) -> None:
        """Begin with none."""
        self._values: dict[str, set[bytes] | None] = defaultdict(set)

    def add(self, hashes: tuple[Hash, ...]) -> None:
        """Note the hashes of one entry."""
        if len(hashes) < 2:
            return
        for item in hashes:
            self.add_values(item.kind.name, (item.value,))

    def add_values(self, kind: str, some: Iterable[bytes]) -> None:
        """Note values of one kind that stand beside others."""
        values = self._values[kind]
        if values is not None:
            values.update(value for value in some if len(value) <= _LONGEST)
            if len(values) > _LISTED:
                self._values[kind] = None

    def shared(
        self,
        connection: sqlite3.Connection,
        source: str,
        states: Mapping[str, int],
        several: Iterable[Value] | None = None,
    ) -> list[Value]:
        """Return those that the source gives for `FILES` different files or more, in a list that
        has so many records in each state. `several` are the values that several records have, if
        they are known.
        """
        if several is not None:
            found = _frequent_among(connection, several)
        else:
            known = count_versions(connection, states)
            asked = sum(_LISTED if some is None else len(some) for some in self._values.values())
            often = _often if known.short or known.few(asked) else _often_now
            found = often(connection, source, self._values)
        return [value for value in found if is_placeholder(connection, source, value)]


def _often_now(
    connection: sqlite3.Connection, source: str, values: Mapping[str, set[bytes] | None]
) -> Iterator[Value]:
    """Yield those of the values that stand often in what a source says now, and some beside
    them.
    """
    for kind, record in connection.execute(
        "SELECT h.kind, max(r.id)"
        f" {group_current_values(connection, 'r.source = ? AND r.state <> ?')}"
        " HAVING count(*) >= ?",
        (source, State.WITHDRAWN, MIN_FILES),
    ).fetchall():
        for (value,) in connection.execute(
            "SELECT value FROM hashes WHERE record = ? AND kind = ?", (record, kind)
        ):
            some = values.get(kind, ())
            if some is None or value in some:
                yield kind, value


def _often(
    connection: sqlite3.Connection, source: str, values: Mapping[str, set[bytes] | None]
) -> Iterator[Value]:
    """Yield those of the values that stand often in what any source ever said."""
    for kind, some in values.items():
        for value in _frequent(connection, kind, some):
            yield kind, value


def _frequent(connection: sqlite3.Connection, kind: str, values: set[bytes] | None) -> list[bytes]:
    """Return those of the values, or of all values where there are too many, that stand often."""
    if values is None:
        rows = connection.execute(
            "SELECT value FROM hashes WHERE kind = ? GROUP BY value HAVING count(*) >= ?",
            (kind, MIN_FILES),
        )
        return [value for (value,) in rows]
    named = ((kind, value) for value in sorted(values))
    return [value for _, value in _frequent_among(connection, named)]


def _frequent_among(connection: sqlite3.Connection, values: Iterable[Value]) -> Iterator[Value]:
    often = "SELECT 1 FROM hashes WHERE kind = ? AND value = ? LIMIT 1 OFFSET ?"
    for value in values:
        if connection.execute(often, (*value, MIN_FILES - 1)).fetchone():
            yield value


def is_placeholder(connection: sqlite3.Connection, source: str, value: Value) -> bool:
    """Return whether a source gives a value for `FILES` different files or more now, by their
    digests, in as many entries.
    """
    return any(
        _files(connection, source, value, kind.name) >= MIN_FILES
        for kind in KINDS.values()
        if kind.digest and kind.name != value[0]
    )


def _files(connection: sqlite3.Connection, source: str, value: Value, digest: str) -> int:
    """Return how many different digests of a kind a source gives beside a value, in as many
    entries; at most `FILES`. An entry that has many files has as many values, and each stands
    beside all.
    """
    found: set[bytes] = set()
    entries: set[int] = set()
    # Newest first: many versions that held it may be over, and those are mostly old.
    for entry, other in connection.execute(
        "SELECT r.id, d.value FROM hashes h CROSS JOIN records r ON r.id = h.record"
        " CROSS JOIN hashes d ON d.record = h.record AND d.kind = ?"
        " WHERE h.kind = ? AND h.value = ? AND r.source = ? AND r.until IS NULL AND r.state <> ?"
        " ORDER BY h.record DESC",
        (digest, *value, source, State.WITHDRAWN),
    ):
        entries.add(entry)
        found.add(other)
        if min(len(entries), len(found)) == MIN_FILES:
            break
    return min(len(entries), len(found))


def judge(
    connection: sqlite3.Connection,
    number: int,
    changes: Changes,
    source: str,
    values: Iterable[Value],
) -> list[Value]:
    """Have the entries of a source not compared by those of the values that it repeats now, and
    compared by those that it does not; the former, but for what was released.

    A judgement of one source says nothing of what another gives.
    """
    released = {value for value, why in read_judgements(connection).items() if why is None}
    found = []
    for value in values:
        if value in released:
            continue
        if is_placeholder(connection, source, value):
            found.append(value)
            connection.execute("INSERT OR IGNORE INTO judged VALUES (?, ?, ?)", (*value, REPEATED))
            _mark(connection, number, changes, value, REPEATED, source=source)
        else:
            alone = find_exclusion(Hash(KINDS[value[0]], value[1]))
            _mark(connection, number, changes, value, alone, source=source)
    return found


def judge_all(connection: sqlite3.Connection, number: int, changes: Changes) -> None:
    """Judge anew every source that holds a value which one was seen to repeat."""
    repeated: dict[str, list[Value]] = defaultdict(list)  # by the sources that give them now
    for value, why in read_judgements(connection).items():
        if why is None:
            continue
        for (source,) in connection.execute(
            "SELECT DISTINCT r.source FROM hashes h JOIN records r ON r.id = h.record"
            " WHERE h.kind = ? AND h.value = ? AND r.until IS NULL",
            value,
        ):
            repeated[source].append(value)
    for source, values in repeated.items():
        judge(connection, number, changes, source, values)


def release(
    connection: sqlite3.Connection, number: int, changes: Changes, values: Iterable[Value]
) -> None:
    """Have values compared in every record that holds them, now and later."""
    for value in values:
        connection.execute("INSERT OR REPLACE INTO judged VALUES (?, ?, NULL)", value)
        _mark(connection, number, changes, value, None)


def unrelease(connection: sqlite3.Connection, to: int) -> None:
    """Take back the releases that came after a generation.

    A release renews all that hold the value, so one that came later left versions behind that
    are not compared: in that generation, or since where nobody held the value in it.
    """
    holders = (
        "FROM hashes h JOIN records r ON r.id = h.record WHERE h.kind = judged.kind"
        " AND h.value = judged.value AND r.state <> 'withdrawn'"
    )
    then = is_in_generation(to)
    connection.execute(
        "UPDATE judged SET why_not = ? WHERE why_not IS NULL AND (EXISTS (SELECT 1"
        f" {holders} AND h.why_not IS NOT NULL AND {then}) OR (NOT EXISTS (SELECT 1"
        f" {holders} AND {then}) AND EXISTS (SELECT 1 {holders} AND h.why_not IS NOT NULL"
        " AND r.since > ?)))",
        (REPEATED, to),
    )


def _mark(
    connection: sqlite3.Connection,
    number: int,
    changes: Changes,
    value: Value,
    why_not: str | None,
    *,
    source: str | None = None,
) -> None:
    """Say of current records, of one source or of all, why a value is not compared (None: it is);
    from generation `number` on, so that records of generations before get a new version.
    """
    kind = KINDS[value[0]]
    holders = connection.execute(
        "SELECT r.id FROM hashes h JOIN records r ON r.id = h.record WHERE h.kind = ?"
        " AND h.value = ? AND r.until IS NULL AND r.state <> ? AND h.why_not IS NOT ?"
        " AND r.source = coalesce(?, r.source)",
        (*value, State.WITHDRAWN, why_not, source),
    ).fetchall()
    for record in renew_versions(connection, number, (record for (record,) in holders)):
        connection.execute(
            "UPDATE hashes SET why_not = ? WHERE record = ? AND kind = ? AND value = ?",
            (why_not, record, *value),
        )
        if kind.video:
            video_frames.renew(connection, record)
    if kind.searched:
        if why_not is not None:
            changes.doubt([Hash(kind, value[1])])
        elif holders:
            changes.gain([Hash(kind, value[1])])


def renew_versions(
    connection: sqlite3.Connection, number: int, current: Iterable[int]
) -> list[int]:
    """Return the versions of generation `number` of current records, made if there are none yet."""
    found = []
    for record in list(current):
        (since,) = connection.execute(
            "SELECT since FROM records WHERE id = ?", (record,)
        ).fetchone()
        found.append(record if since == number else copy_version(connection, number, record))
    return found


def copy_version(connection: sqlite3.Connection, number: int, record: int) -> int:
    """Return a version of generation `number` that says what an earlier one of the entry said;
    the current one ends.
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
    video_frames.copy(connection, record, fresh)
    return int(fresh)
