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
from screener.lists.importing.stored_versions import COLUMNS, Stored
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
        entry = _entry(row)
        have = self._lookup([entry]).get(entry)
        if have is None:
            self.take([row])
            return
        before = self._before_absence(have, absent_from)
        if before is not have:
            row = self._bound_as(have, before, row)
        version = self._late(before, row)
        if version.fingerprint != have.fingerprint:
            self.counts["changed"] += 1
            self._replace(have, version)
            self._writer.flush()

    def _before_absence(self, have: Stored, absent_from: int | None) -> Stored:
        """Return the version before this import withdrew the entry by not naming it, if it did."""
        own = absent_from is not None and have.import_id == self._import
        if not own or have.said != State.WITHDRAWN or have.record < (absent_from or 0):
            return have
        # Not the version that ended when `have` came, if a rollback has brought that back since.
        _, withdrew = self._ages.imported(self._import)
        before = self._connection.execute(
            f"SELECT {COLUMNS} FROM records"
            " WHERE source = ? AND entry = ? AND until = ? AND since < until",
            (self._source, have.entry, withdrew),
        ).fetchone()
        return have if before is None or have.updated is not None else Stored(*before)

    def _bound_as(self, have: Stored, before: Stored, row: Row) -> Row:
        """Return a row with the labels that bind its entry now, if a rollback narrowed them."""
        bound, was = (
            terms.select_labels(stored_labels(self._connection, one.record), terms.ALL_FIELDS)
            for one in (have, before)
        )
        return row if bound == was else row._replace(labels=united_labels([row.labels, bound]))

    def _late(self, have: Stored, row: Row) -> Version:
        """Return what an entry becomes by a late row: the row, if it is of a later time or import;
        the row united with what is stored, if it is of the same.
        """
        stored = stored_row(self._connection, have.record)
        if self._ages.outdated(have, row):
            return self._judging.judge(version_of(stored))
        later = compare_times(row.updated, have.updated)
        if later == 1 or (later is None and have.import_id != self._import):
            return self._over(have, row)
        return self._judging.judge(version_of(united(stored, row)))


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
        wanted = _wanted(connection, ids)
        changes = Changes()
        states = before.states
        for (import_id, source), rows in groupby(wanted.values(), key=itemgetter(0, 1)):
            said = _said_of_import(connection, import_id)
            full = bool(said.get(FULL_KEY))
            versions = LateVersions(
                connection,
                source,
                number=number,
                import_id=import_id,
                states=states,
                changes=changes,
                full=full,
            )
            for kept in rows:
                versions.take_late(kept.row, absent_from=said.get(ABSENT_KEY, 0) if full else None)
            versions.finish()
            states = versions.states
        _check_live(connection, wanted)
        connection.executemany(
            "UPDATE quarantine SET released = ? WHERE id = ?", [(number, one) for one in ids]
        )
        segments.write_changed(connection, folder, before, changes, number)
        generations.publish(
            connection, number, what="release", states=states, confirmed=before.time,
            by=asked.by, note=f"{counted(len(ids), 'row')}: {asked.reason}",
        )  # fmt: skip
        return number


def _wanted(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, ReadableRow]:
    """Return what can be read of rows that were set aside, by their numbers and in the order in
    which they came; ListError for a row that cannot be released.
    """
    found = quarantine.find_releasable(connection, ids)
    for number in ids:
        if number not in found:
            raise ListError(
                f"row {number} cannot be released: nothing of use in it, released before, or no"
                " such row"
            )
        _, source, row = found[number]
        if row.entry is None and row.state is State.WITHDRAWN:  # kept by an older version
            raise ListError(
                f"row {number} cannot be released: it withdraws an entry that is known by all its"
                " hashes, and one of them cannot be read; ask the source for the id"
            )
        _check_newest(connection, number, source, _entry(row), row.updated)
    order_of = {number: (kept.import_id, number) for number, kept in found.items()}
    return {number: found[number] for number in sorted(found, key=order_of.__getitem__)}


def _entry(row: Row) -> str:
    return row.entry or derived_entry(row.hashes)


def _check_live(connection: sqlite3.Connection, wanted: Mapping[int, ReadableRow]) -> None:
    """Raise ListError if a row was taken in and its entry is withdrawn all the same: a release
    that says so and has no match in the end would be believed.
    """
    for number, (_, source, row) in wanted.items():
        said = connection.execute(
            "SELECT said FROM records WHERE source = ? AND entry = ? AND until IS NULL",
            (source, _entry(row)),
        ).fetchone()
        if row.state is not State.WITHDRAWN and said[0] == State.WITHDRAWN:
            raise ListError(
                f"row {number} cannot be released: its source has withdrawn its entry, and the row"
                " is not known to be later"
            )


def _said_of_import(connection: sqlite3.Connection, import_id: int) -> dict[str, Any]:
    """Return what is kept of an import."""
    query = "SELECT counts FROM imports WHERE id = ?"
    (counts,) = connection.execute(query, (import_id,)).fetchone()
    found: dict[str, Any] = json.loads(counts)
    return found


def _check_newest(
    connection: sqlite3.Connection, row: int, source: str, entry: str, updated: str | None
) -> None:
    """Raise ListError if the source has said something of an entry after a row that was set
    aside, or of a later time, or has given all that it has: old words must not take the place
    of newer ones, nor of silence.
    """
    held = connection.execute(
        "SELECT r.import > q.import, r.updated FROM records r JOIN quarantine q ON q.id = ?"
        " WHERE r.source = ? AND r.entry = ? AND r.until IS NULL",
        (row, source, entry),
    ).fetchone()
    if held is not None and (held[0] or compare_times(updated, held[1]) == -1):
        raise ListError(
            f"row {row} cannot be released: its source has said something else of it since"
        )
    if _full_list_since(connection, row, source):
        raise ListError(
            f"row {row} cannot be released: a full list of its source came since; if its entry is"
            " still on it, that list brought it"
        )


def _full_list_since(connection: sqlite3.Connection, row: int, source: str) -> bool:
    """Return whether a full list of a source came after a row that was set aside, and still
    counts.
    """
    later = connection.execute(
        "SELECT i.generation, i.counts FROM imports i JOIN quarantine q ON q.id = ?"
        " WHERE i.source = ? AND i.id > q.import",
        (row, source),
    )
    full = [generation for generation, counts in later if json.loads(counts).get(FULL_KEY)]
    undone = change_log.taken_back(connection)
    return any(not any(generation in some for some in undone) for generation in full)


def release_value(
    folder: Path, entry: str, kind: str, asked: Release, *, source: str | None = None
) -> int:
    """Have the hashes of one kind that an entry holds compared, in every record that holds them,
    now and later; the generation that does.
    """
    found = kind_named(kind)
    if not found.searched:
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
        if found.video:  # one without a usable frame has nothing to be compared by
            values = [(value,) for (value,) in values if Hash(found, value).codes]
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
