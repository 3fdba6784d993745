"""Find placeholders: constants that a tool writes if it cannot compute a hash.

A source repeats such a value over many different files. In its entries the value is then stored but
not compared, as long as the source repeats it and nobody releases it. Entries of other sources
still match by the value, since no source may disable the hashes of another. Digests, and entries
with equal files, never count: a widely shared file is listed often, and must be found.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable

from screener.hashing.hash import KINDS, Hash
from screener.lists.states import State
from screener.lists.store import video_frames
from screener.lists.store.database import is_in_generation, is_new
from screener.lists.store.records import find_exclusion

MIN_FILES = 100  # different files, in as many entries of a source, that make a value a placeholder
_MAX_VALUE_BYTES = 512  # longer values are never compared

REPEATED = "placeholder"  # why a placeholder is not compared

Value = tuple[str, bytes]  # the kind's name, and the value


def read_judgements(connection: sqlite3.Connection) -> dict[Value, str | None]:
    """Return None for each released value, and the reason for each that some source repeated.

    Whether a source repeats it now is decided by `is_placeholder`.
    """
    rows = connection.execute("SELECT kind, value, why_not FROM judged")
    return {(kind, value): why for kind, value, why in rows}


def note_shared(connection: sqlite3.Connection, number: int) -> None:
    """Fill the temporary table `shared` with hashes of generation `number` that others have too.

    It has the version, the kind and the value of each, and is in memory.
    """
    connection.execute("PRAGMA temp_store = MEMORY")  # no value may get into a file
    connection.execute("DROP TABLE IF EXISTS temp.shared")
    connection.execute("CREATE TEMP TABLE shared(record, kind, value)")
    if number == 1:  # all hashes are new, and their index is read in order
        connection.execute(
            "INSERT INTO shared SELECT h.record, h.kind, h.value FROM (SELECT kind, value"
            " FROM hashes GROUP BY kind, value HAVING count(*) > 1) s CROSS JOIN hashes h"
            " ON h.kind = s.kind AND h.value = s.value"
        )
        return
    connection.execute(
        "INSERT INTO shared SELECT h.record, h.kind, h.value"
        " FROM records r CROSS JOIN hashes h ON h.record = r.id"
        f" WHERE {is_new(connection, number)} AND EXISTS (SELECT 1 FROM hashes o"
        " WHERE o.kind = h.kind AND o.value = h.value AND o.record <> h.record)"
    )


def find_new_placeholders(connection: sqlite3.Connection, source: str) -> list[Value]:
    """Return the placeholders of a source among the values in `shared`."""
    frequent = connection.execute(
        f"SELECT DISTINCT kind, value FROM shared s WHERE length(value) <= {_MAX_VALUE_BYTES}"
        " AND EXISTS (SELECT 1 FROM hashes o"
        " WHERE o.kind = s.kind AND o.value = s.value LIMIT 1 OFFSET ?)",
        (MIN_FILES - 1,),
    ).fetchall()
    return [value for value in frequent if is_placeholder(connection, source, value)]


def is_placeholder(connection: sqlite3.Connection, source: str, value: Value) -> bool:
    """Return whether a source lists a value for at least `MIN_FILES` different files.

    Files are distinguished by their digests, and must be in as many entries.
    """
    return any(
        _count_files(connection, source, value, kind.name) >= MIN_FILES
        for kind in KINDS.values()
        if kind.digest and kind.name != value[0]
    )


def _count_files(connection: sqlite3.Connection, source: str, value: Value, digest: str) -> int:
    """Return the number of digests of a kind that a source lists with a value.

    It counts up to `MIN_FILES`, and no more files than entries: in an entry with many files, each
    value goes with all digests.
    """
    digests: set[bytes] = set()
    entries: set[int] = set()
    # Newest first, since ended versions are mostly old.
    for entry, other in connection.execute(
        "SELECT r.id, d.value FROM hashes h CROSS JOIN records r ON r.id = h.record"
        " CROSS JOIN hashes d ON d.record = h.record AND d.kind = ?"
        " WHERE h.kind = ? AND h.value = ? AND r.source = ? AND r.until IS NULL AND r.state <> ?"
        " ORDER BY h.record DESC",
        (digest, *value, source, State.WITHDRAWN),
    ):
        entries.add(entry)
        digests.add(other)
        if min(len(entries), len(digests)) == MIN_FILES:
            break
    return min(len(entries), len(digests))


def judge(
    connection: sqlite3.Connection,
    number: int,
    source: str,
    values: Iterable[Value],
) -> list[Value]:
    """Mark values in the entries of a source, and return its placeholders.

    Released values are skipped. Entries of other sources do not change.
    """
    released = {value for value, why in read_judgements(connection).items() if why is None}
    placeholders = []
    for value in values:
        if value in released:
            continue
        if is_placeholder(connection, source, value):
            placeholders.append(value)
            connection.execute("INSERT OR IGNORE INTO judged VALUES (?, ?, ?)", (*value, REPEATED))
            _mark(connection, number, value, REPEATED, source=source)
        else:
            why_not = find_exclusion(Hash(KINDS[value[0]], value[1]))
            _mark(connection, number, value, why_not, source=source)
    return placeholders


def judge_all(connection: sqlite3.Connection, number: int) -> None:
    """Judge again all sources with a value that some source repeated."""
    repeated: dict[str, list[Value]] = defaultdict(list)  # by source
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
        judge(connection, number, source, values)


def release(connection: sqlite3.Connection, number: int, values: Iterable[Value]) -> None:
    """Mark values as compared in all current and later records."""
    for value in values:
        connection.execute("INSERT OR REPLACE INTO judged VALUES (?, ?, NULL)", value)
        _mark(connection, number, value, None)


def unrelease(connection: sqlite3.Connection, to: int) -> None:
    """Revoke the releases after a generation.

    A release makes new versions of all records with the value. So a later release left versions
    that are not compared: in that generation or, if no record had the value in it, since.
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
    value: Value,
    why_not: str | None,
    *,
    source: str | None = None,
) -> None:
    """Store why a value is not compared (or None) in current records.

    It applies from generation `number` on, so records of earlier generations get a new version.
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


def renew_versions(
    connection: sqlite3.Connection, number: int, current: Iterable[int]
) -> list[int]:
    """Return ids of versions in generation `number` for current records; make missing ones."""
    versions = []
    for record in list(current):
        (since,) = connection.execute(
            "SELECT since FROM records WHERE id = ?", (record,)
        ).fetchone()
        versions.append(record if since == number else copy_version(connection, number, record))
    return versions


def copy_version(connection: sqlite3.Connection, number: int, record: int) -> int:
    """Copy a version to generation `number`, end the entry's current one, and return the id."""
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
