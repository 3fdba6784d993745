"""Release rows and values from quarantine after somebody decided that they are sound."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from screener.arguments import integer, is_line
from screener.errors import ListError, counted
from screener.hashing.hash import Hash, kind_named
from screener.lists.importing import quarantine
from screener.lists.importing.quarantine import ReadableRow
from screener.lists.importing.report import ABSENT_KEY, FULL_KEY
from screener.lists.importing.versions import Versions
from screener.lists.states import State
from screener.lists.store import change_log, generations, segments, transaction
from screener.lists.store.records import Row, derive_entry
from screener.lists.store.repeated_values import release
from screener.lists.times import compare_times


@dataclass(frozen=True)
class Release:
    """The author of a release and the reason."""

    by: str
    reason: str

    def __post_init__(self) -> None:
        """Raise ListError unless author and reason are filled lines."""
        if not (is_line(self.by) and is_line(self.reason)):
            raise ListError("a release needs its author and a reason, one line each")


def release_rows(folder: Path, ids: Sequence[int], decision: Release) -> int:
    """Import the readable part of quarantined rows; return the new generation's number.

    Raises ListError, and imports nothing, if a row cannot be released or `ids` is empty.
    """
    try:
        ids = tuple(dict.fromkeys(map(integer, ids)))
    except TypeError:
        raise ListError("ids must be a list of row numbers, such as [1]") from None
    if not ids:
        raise ListError("no row to release is named")
    with transaction.write_exclusively(folder) as connection:
        rows_by_number = _find_rows(connection, ids)
        # One generation for each import, so that the rows of a later one replace earlier ones.
        for (import_id, source), rows in groupby(rows_by_number.items(), key=_get_import):
            number = _release(connection, folder, import_id, source, dict(rows), decision)
        _check_not_withdrawn(connection, rows_by_number)
        return number


def _get_import(item: tuple[int, ReadableRow]) -> tuple[int, str]:
    return item[1].import_id, item[1].source


def _release(
    connection: sqlite3.Connection,
    folder: Path,
    import_id: int,
    source: str,
    rows: Mapping[int, ReadableRow],
    decision: Release,
) -> int:
    """Import rows that one import had quarantined; return the new generation's number."""
    before = generations.load(connection, folder)
    number = before.next_number
    counts = _read_import_counts(connection, import_id)
    versions = Versions(
        connection, source, number=number, import_id=import_id,
        full=bool(counts.get(FULL_KEY)),
    )  # fmt: skip
    absent_from = counts.get(ABSENT_KEY, versions.absent_from)
    for readable in rows.values():
        entry = _find_entry(readable.row)
        versions.take_released(entry, readable.row, absent_from=absent_from)
    versions.settle()
    versions.finish()
    connection.executemany(
        "UPDATE quarantine SET released = ? WHERE id = ?", [(number, row) for row in rows]
    )
    segments.write_changed(connection, folder, before, number)
    generations.publish(
        connection, number, what="release", confirmed=before.time,
        by=decision.by, note=f"{counted(len(rows), 'row')}: {decision.reason}",
    )  # fmt: skip
    return number


def _find_rows(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, ReadableRow]:
    """Return the readable part of rows by their numbers, in the order of their imports.

    Raises ListError if a row cannot be released.
    """
    rows = quarantine.find_releasable(connection, ids)
    for number in ids:
        if number not in rows:
            raise ListError(
                f"row {number} cannot be released: it has nothing readable, was released before, or"
                " does not exist"
            )
        _, source, row = rows[number]
        _check_newest(connection, number, source, _find_entry(row), row.updated)
    import_order = {number: (readable.import_id, number) for number, readable in rows.items()}
    return {number: rows[number] for number in sorted(rows, key=import_order.__getitem__)}


def _find_entry(row: Row) -> str:
    return row.entry or derive_entry(row.hashes)


def _check_not_withdrawn(
    connection: sqlite3.Connection, rows_by_number: Mapping[int, ReadableRow]
) -> None:
    """Raise ListError if the entry of a released row is withdrawn nonetheless.

    The user would otherwise expect matches that never come.
    """
    for number, (_, source, row) in rows_by_number.items():
        current = connection.execute(
            "SELECT said FROM records WHERE source = ? AND entry = ? AND until IS NULL",
            (source, _find_entry(row)),
        ).fetchone()
        if row.state is not State.WITHDRAWN and current[0] == State.WITHDRAWN:
            raise ListError(
                f"row {number} cannot be released: its source has withdrawn its entry, and the row"
                " is not known to be later"
            )


def _read_import_counts(connection: sqlite3.Connection, import_id: int) -> dict[str, Any]:
    query = "SELECT counts FROM imports WHERE id = ?"
    (counts,) = connection.execute(query, (import_id,)).fetchone()
    parsed: dict[str, Any] = json.loads(counts)
    return parsed


def _check_newest(
    connection: sqlite3.Connection, row: int, source: str, entry: str, updated: str | None
) -> None:
    """Raise ListError if the source superseded a quarantined row.

    It did if a later import or a row of a later time changed the entry, or if a later full list did
    not name it.
    """
    current = connection.execute(
        "SELECT r.import > q.import, r.updated FROM records r JOIN quarantine q ON q.id = ?"
        " WHERE r.source = ? AND r.entry = ? AND r.until IS NULL",
        (row, source, entry),
    ).fetchone()
    if current is not None and (current[0] or compare_times(updated, current[1]) == -1):
        raise ListError(f"row {row} cannot be released: its source has changed the entry since")
    if _has_full_list_since(connection, row, source):
        raise ListError(
            f"row {row} cannot be released: a full list of its source was imported since; if the"
            " entry is still listed, that list contains it"
        )


def _has_full_list_since(connection: sqlite3.Connection, row: int, source: str) -> bool:
    """Return whether a full list came after a quarantined row and was not rolled back."""
    later_imports = connection.execute(
        "SELECT i.generation, i.counts FROM imports i JOIN quarantine q ON q.id = ?"
        " WHERE i.source = ? AND i.id > q.import",
        (row, source),
    )
    full_generations = [
        generation for generation, counts in later_imports if json.loads(counts).get(FULL_KEY)
    ]
    undone_generations = change_log.find_undone(connection)
    return any(
        not any(generation in generations_ for generations_ in undone_generations)
        for generation in full_generations
    )


def release_value(
    folder: Path, entry: str, kind: str, decision: Release, *, source: str | None = None
) -> int:
    """Compare an entry's quarantined hashes of one kind from now on, in all records.

    Returns the new generation's number. Raises ListError if the kind is never compared, or if the
    entry has no such hash.
    """
    hash_kind = kind_named(kind)
    if not hash_kind.searched:
        raise ListError(f"{kind} values are stored but never compared")
    with transaction.write_exclusively(folder) as connection:
        before = generations.load(connection, folder)
        number = before.next_number
        values = connection.execute(
            "SELECT DISTINCT h.value FROM hashes h JOIN records r ON r.id = h.record"
            " WHERE r.entry = ? AND (? IS NULL OR r.source = ?) AND r.until IS NULL"
            " AND h.kind = ? AND h.why_not IS NOT NULL",
            (entry, source, source, kind),
        ).fetchall()
        if hash_kind.video:  # a video without a usable frame cannot be compared
            values = [(value,) for (value,) in values if Hash(hash_kind, value).codes]
        if not values:
            raise ListError(f"no {kind} value of the entry {entry!r} is in quarantine")
        release(connection, number, [(kind, value) for (value,) in values])
        segments.write_changed(connection, folder, before, number)
        generations.publish(
            connection, number, what="release", confirmed=before.time,
            by=decision.by, note=f"{kind}: {decision.reason}", entry=(source, entry),
        )  # fmt: skip
        return number
