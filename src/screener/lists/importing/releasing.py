"""Releasing from quarantine: somebody decides that a row, or a value, is sound after all."""

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
from screener.lists.store.records import Row, derived_entry, united, united_labels
from screener.lists.store.repeated_values import release
from screener.lists.store.searchable_values import Changes
from screener.lists.store.stored_rows import Version, stored_labels, stored_row, version_of
from screener.lists.times import compare_times


class LateVersions(Versions):
    """The records of a source, as rows change them that an earlier import had set aside."""

    def take_late(self, row: Row, *, absent_from: int | None) -> None:
        """Take a row that this import had set aside, as it would have taken it.

        From version `absent_from` on, those of the import withdraw what it did not name, which
        says nothing against a row that would have named it. None: it withdrew nothing so.
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
        """Return the version before this import withdrew the entry by not naming it, if it did."""
        own = absent_from is not None and stored.import_id == self._import_id
        if not own or stored.said != State.WITHDRAWN or stored.record < (absent_from or 0):
            return stored
        # Not the version that ended when `have` came, if a rollback has brought that back since.
        _, withdrew = self._ages.find_import(self._import_id)
        before = self._connection.execute(
            f"SELECT {COLUMNS} FROM records"
            " WHERE source = ? AND entry = ? AND until = ? AND since < until",
            (self._source, stored.entry, withdrew),
        ).fetchone()
        return stored if before is None or stored.updated is not None else StoredVersion(*before)

    def _carry_terms(self, stored: StoredVersion, before: StoredVersion, row: Row) -> Row:
        """Return a row with the labels that bind its entry now, if a rollback narrowed them."""
        bound, was = (
            terms.select_labels(stored_labels(self._connection, one.record), terms.ALL_FIELDS)
            for one in (stored, before)
        )
        return row if bound == was else row._replace(labels=united_labels([row.labels, bound]))

    def _build_late_version(self, stored: StoredVersion, row: Row) -> Version:
        """Return what an entry becomes by a late row: the row, if it is of a later time or import;
        the row united with what is stored, if it is of the same.
        """
        before = stored_row(self._connection, stored.record)
        if self._ages.is_outdated(stored, row):
            return self._judge.judge(version_of(before))
        later = compare_times(row.updated, stored.updated)
        if later == 1 or (later is None and stored.import_id != self._import_id):
            return self._build_replacement(stored, row)
        return self._judge.judge(version_of(united(before, row)))


@dataclass(frozen=True)
class Release:
    """What was asked to be released, and by whom and why."""

    by: str
    reason: str

    def __post_init__(self) -> None:
        """Raise ListError without a name and a reason, since a release is somebody's decision."""
        if not (is_line(self.by) and is_line(self.reason)):
            raise ListError("a release needs who decided it and why, a line each")


def release_rows(folder: Path, ids: Sequence[int], asked: Release) -> int:
    """Take in what could be read of rows that were set aside; the generation that has them.
    ListError, and no generation, where one cannot be, or none is named.
    """
    try:
        ids = tuple(dict.fromkeys(map(integer, ids)))
    except TypeError:
        raise ListError("rows are named by a list of their numbers, [1] say") from None
    if not ids:
        raise ListError("no row to release is named")
    with transaction.writing(folder) as connection:
        before = generations.at(connection, folder)
        number = before.number + 1
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
            for readable in rows:
                versions.take_late(
                    readable.row, absent_from=counts.get(ABSENT_KEY, 0) if is_full else None
                )
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
            by=asked.by, note=f"{counted(len(ids), 'row')}: {asked.reason}",
        )  # fmt: skip
        return number


def _find_rows(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, ReadableRow]:
    """Return what can be read of rows that were set aside, by their numbers and in the order in
    which they came; ListError for a row that cannot be released.
    """
    rows = quarantine.find_releasable(connection, ids)
    for number in ids:
        if number not in rows:
            raise ListError(
                f"row {number} cannot be released: nothing of use in it, released before, or no"
                " such row"
            )
        _, source, row = rows[number]
        if row.entry is None and row.state is State.WITHDRAWN:  # kept by an older version
            raise ListError(
                f"row {number} cannot be released: it withdraws an entry that is known by all its"
                " hashes, and one of them cannot be read; ask the source for the id"
            )
        _check_newest(connection, number, source, _find_entry(row), row.updated)
    import_order = {number: (readable.import_id, number) for number, readable in rows.items()}
    return {number: rows[number] for number in sorted(rows, key=import_order.__getitem__)}


def _find_entry(row: Row) -> str:
    return row.entry or derived_entry(row.hashes)


def _check_not_withdrawn(
    connection: sqlite3.Connection, rows_by_number: Mapping[int, ReadableRow]
) -> None:
    """Raise ListError if a row was taken in and its entry is withdrawn all the same: a release
    that says so and has no match in the end would be believed.
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
    """Return what is kept of an import."""
    query = "SELECT counts FROM imports WHERE id = ?"
    (counts,) = connection.execute(query, (import_id,)).fetchone()
    parsed: dict[str, Any] = json.loads(counts)
    return parsed


def _check_newest(
    connection: sqlite3.Connection, row: int, source: str, entry: str, updated: str | None
) -> None:
    """Raise ListError if the source has said something of an entry after a row that was set
    aside, or of a later time, or has given all that it has: old words must not take the place
    of newer ones, nor of silence.
    """
    current = connection.execute(
        "SELECT r.import > q.import, r.updated FROM records r JOIN quarantine q ON q.id = ?"
        " WHERE r.source = ? AND r.entry = ? AND r.until IS NULL",
        (row, source, entry),
    ).fetchone()
    if current is not None and (current[0] or compare_times(updated, current[1]) == -1):
        raise ListError(
            f"row {row} cannot be released: its source has said something else of it since"
        )
    if _has_full_list_since(connection, row, source):
        raise ListError(
            f"row {row} cannot be released: a full list of its source came since; if its entry is"
            " still on it, that list brought it"
        )


def _has_full_list_since(connection: sqlite3.Connection, row: int, source: str) -> bool:
    """Return whether a full list of a source came after a row that was set aside, and still
    counts.
    """
    later_imports = connection.execute(
        "SELECT i.generation, i.counts FROM imports i JOIN quarantine q ON q.id = ?"
        " WHERE i.source = ? AND i.id > q.import",
        (row, source),
    )
    full_generations = [
        generation for generation, counts in later_imports if json.loads(counts).get(FULL_KEY)
    ]
    undone_generations = change_log.taken_back(connection)
    return any(
        not any(generation in generations_ for generations_ in undone_generations)
        for generation in full_generations
    )


def release_value(
    folder: Path, entry: str, kind: str, asked: Release, *, source: str | None = None
) -> int:
    """Have the hashes of one kind that an entry holds compared, in every record that holds them,
    now and later; the generation that does.
    """
    hash_kind = kind_named(kind)
    if not hash_kind.searched:
        raise ListError(f"{kind} values are carried and never compared here")
    with transaction.writing(folder) as connection:
        before = generations.at(connection, folder)
        number = before.number + 1
        values = connection.execute(
            "SELECT DISTINCT h.value FROM hashes h JOIN records r ON r.id = h.record"
            " WHERE r.entry = ? AND (? IS NULL OR r.source = ?) AND r.until IS NULL"
            " AND h.kind = ? AND h.why_not IS NOT NULL",
            (entry, source, source, kind),
        ).fetchall()
        if hash_kind.video:  # one without a usable frame has nothing to be compared by
            values = [(value,) for (value,) in values if Hash(hash_kind, value).codes]
        if not values:
            raise ListError(f"no {kind} value of the entry {entry!r} is in quarantine")
        changes = Changes()
        release(connection, number, changes, [(kind, value) for (value,) in values])
        segments.write_changed(connection, folder, before, changes, number)
        generations.publish(
            connection, number, what="release", states=before.states, confirmed=before.time,
            by=asked.by, note=f"{kind} of {entry}: {asked.reason}",
        )  # fmt: skip
        return number
