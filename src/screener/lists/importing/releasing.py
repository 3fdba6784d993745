"""Release rows and values from quarantine after somebody decided that they are sound."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from screener.arguments import integer, is_line
from screener.errors import ListError, counted
from screener.hashing.hash import Hash, kind_named
from screener.lists import terms
from screener.lists.importing import quarantine
from screener.lists.importing.quarantine import ReadableRow
from screener.lists.importing.report import ABSENT_KEY, FULL_KEY
from screener.lists.importing.stored_versions import COLUMNS, StoredVersion
from screener.lists.importing.versions import Versions
from screener.lists.states import State
from screener.lists.store import change_log, generations, segments, transaction
from screener.lists.store.records import Row, derive_entry, unite_labels, unite_rows
from screener.lists.store.repeated_values import release
from screener.lists.store.searchable_values import Changes
from screener.lists.store.stored_rows import Version, read_labels, read_row, to_version
from screener.lists.times import compare_times


class LateVersions(Versions):
    """The records of a source, as released rows of an earlier import change them."""

    def take_late(self, row: Row, *, absent_from: int | None) -> None:
        """Take a row that this import had quarantined, as the import would have taken it.

        `absent_from`: the first version by which the import withdrew entries that it did not name,
        or None. Such a withdrawal does not count against the row, which names the entry.
        """
        entry = _find_entry(row)
        stored = self._stored.look_up([entry]).get(entry)
        if stored is None:
            self.take([row])
            return
        before = self._find_before_absence(stored, absent_from)
        if before is not stored:
            row = self._carry_terms(stored, before, row)
        version = self._build_late_version(before, row)
        if version.fingerprint != stored.fingerprint:
            self.counts["changed"] += 1
            self._replace(stored, version)
            self._writer.flush()

    def _find_before_absence(self, stored: StoredVersion, absent_from: int | None) -> StoredVersion:
        """Return the version before this import withdrew the unnamed entry, or `stored`."""
        if absent_from is None or stored.import_id != self._import_id:
            return stored
        if stored.stated != State.WITHDRAWN or stored.record < absent_from:
            return stored
        # The import's own generation decides, since a rollback may have restored `stored` later.
        _, withdrew = self._ages.find_import(self._import_id)
        before = self._connection.execute(
            f"SELECT {COLUMNS} FROM records"
            " WHERE source = ? AND entry = ? AND until = ? AND since < until",
            (self._source, stored.entry, withdrew),
        ).fetchone()
        return stored if before is None or stored.updated is not None else StoredVersion(*before)

    def _carry_terms(self, stored: StoredVersion, before: StoredVersion, row: Row) -> Row:
        """Return a row with the labels that bind its entry since a rollback, if any."""
        labels, labels_before = (
            terms.select_labels(read_labels(self._connection, version.record), terms.ALL_FIELDS)
            for version in (stored, before)
        )
        if labels == labels_before:
            return row
        return row._replace(labels=unite_labels([row.labels, labels]))

    def _build_late_version(self, stored: StoredVersion, row: Row) -> Version:
        """Return the new version of an entry after a late row.

        A row of a later time or import replaces the stored row; one of the same is united with it.
        """
        before = read_row(self._connection, stored.record)
        if self._ages.is_outdated(stored, row):
            return self._judge.judge(to_version(before))
        later = compare_times(row.updated, stored.updated)
        if later == 1 or (later is None and stored.import_id != self._import_id):
            return self._build_replacement(stored, row)
        return self._judge.judge(to_version(unite_rows(before, row)))


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
        before = generations.load(connection, folder)
        number = before.next_number
        rows_by_number = _find_rows(connection, ids)
        changes = Changes()
        states = before.states
        for (import_id, source), rows in groupby(rows_by_number.values(), key=itemgetter(0, 1)):
            counts = _read_import_counts(connection, import_id)
            is_full = bool(counts.get(FULL_KEY))
            versions = LateVersions(
                connection,
                source,
                number=number,
                import_id=import_id,
                states=states,
                changes=changes,
                full=is_full,
            )
            absent_from = counts.get(ABSENT_KEY, 0) if is_full else None
            for readable in rows:
                versions.take_late(readable.row, absent_from=absent_from)
            versions.finish()
            states = versions.states
        _check_not_withdrawn(connection, rows_by_number)
        connection.executemany(
            "UPDATE quarantine SET released = ? WHERE id = ?",
            [(number, row_number) for row_number in ids],
        )
        segments.write_changed(connection, folder, before, changes, number)
        generations.publish(
            connection, number, what="release", states=states, confirmed=before.time,
            by=decision.by, note=f"{counted(len(ids), 'row')}: {decision.reason}",
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
        # Rows like this were stored by older versions of this library.
        if row.entry is None and row.state is State.WITHDRAWN:
            raise ListError(
                f"row {number} cannot be released: it withdraws an entry that is identified by all"
                " its hashes, and one of them is unreadable; ask the source for the id"
            )
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
        changes = Changes()
        release(connection, number, changes, [(kind, value) for (value,) in values])
        segments.write_changed(connection, folder, before, changes, number)
        generations.publish(
            connection, number, what="release", states=before.states, confirmed=before.time,
            by=decision.by, note=f"{kind} of {entry}: {decision.reason}",
        )  # fmt: skip
        return number
