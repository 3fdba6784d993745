"""Versions: how one import changes the entries of one source, inside its transaction.

The first row of an entry in the file is stored at once, unless it is older than the stored version.
Further rows wait until the whole file is read; then the rows of each such entry are merged. A row
equal to the stored version changes nothing; any other makes a new version of the record.

Memory is bounded by the batch, the rows of one entry, 1 byte per version, 16 per replaced version,
40 per entry that a full list does not name, and the packed values that changed.
"""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from screener.lists.importing import conflicts
from screener.lists.importing.merge_rows import merge_rows
from screener.lists.importing.placeholders import PlaceholderJudge
from screener.lists.importing.repeated_rows import RepeatedRows
from screener.lists.importing.stored_versions import COLUMNS, Ages, StoredVersion, StoredVersions
from screener.lists.importing.writer import Writer
from screener.lists.states import MATCHING, State, resolve_state
from screener.lists.store.census import Census
from screener.lists.store.columns import Columns
from screener.lists.store.database import is_in_generation, split_values
from screener.lists.store.records import LOW_INFORMATION, Row, derive_entry, read_all_opinions
from screener.lists.store.searchable_values import Changes
from screener.lists.store.stored_rows import Version, read_row, to_version
from screener.lists.store.value_index import FirstIndex

_WITHDRAWAL_BATCH = 5_000  # versions

# The marks of a version: what the file's rows state about its entry so far (0: no row yet).
_SAME = 1  # the rows equal the version
_ASIDE = 2  # the first row equals it in part, and waits with the further rows
_OLDER = 3  # all rows are older than the version


class _EntryVersions(NamedTuple):
    """The versions of an entry while its rows are merged.

    `before` is the version from before the file, `first` the one made of the file's first row.
    """

    before: StoredVersion | None
    first: StoredVersion | None


class Versions:
    """The records of a source, as one import changes them towards generation `number`.

    `counts` has the counts of `ImportReport` that concern entries. `states` counts the records of
    the whole list by state. `changes` collects the changes of its searchable values.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        source: str,
        *,
        number: int,
        import_id: int,
        states: Mapping[str, int],
        changes: Changes | None = None,
        full: bool = False,
        all_count: bool = False,
        is_first: bool = False,
    ) -> None:
        """Prepare to take rows.

        `states`: the number of records in each state before the import.
        `changes`: other changes of the same generation, if any.
        `full`: the file contains all entries of the source.
        `all_count`: merge all rows of an entry, regardless of their times.
        `is_first`: the list has no record yet.
        """
        self.counts: Counter[str] = Counter()
        self.states = Counter(states)
        self.changes = Changes() if changes is None else changes
        self.absent_from: int | None = None  # first version that withdraws an unnamed entry
        self._connection = connection
        self._source = source
        self._number = number
        self._import_id = import_id
        self._all_count = all_count
        self._index = FirstIndex(connection, self.changes) if is_first else None
        self._ages = Ages(connection, import_id, full=full)
        self._writer = Writer(
            connection, source, number=number, import_id=import_id, states=self.states,
            changes=self.changes, index=self._index,
        )  # fmt: skip
        self._marks = bytearray(self._writer.first)  # the mark of each version, by number
        self._rows = RepeatedRows(connection)
        self._judge = PlaceholderJudge(connection, source)
        self._stored = StoredVersions(connection, source)
        self._new_records, self._replaced_records = array("q"), array("q")  # pairs of versions
        self._lost_count = 0  # entries that stopped matching or were withdrawn
        self._opinion_states = {
            entry: [opinion.state for opinion in opinions]
            for (owner, entry), opinions in read_all_opinions(connection, number).items()
            if owner == source
        }

    @property
    def census(self) -> Census | None:
        """The census of the versions that this import made, if it is known."""
        return None if self._judge.changed else self._writer.census

    def take(self, rows: Sequence[Row]) -> None:
        """Take the next rows of the file."""
        rows_by_entry: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            rows_by_entry[row.entry or derive_entry(row.hashes)].append(row)
        versions = self._stored.look_up(list(rows_by_entry))
        for entry, further_rows in rows_by_entry.items():
            stored = versions.get(entry)
            if stored is None or not self._marks[stored.record]:
                first, *further_rows = further_rows
                fingerprint, mark = self._take_first(entry, stored, first)
            else:
                fingerprint, mark = stored.fingerprint, self._marks[stored.record]
            self.counts["repeated"] += len(further_rows)
            if mark == _SAME:  # equal rows add nothing
                further_rows = [
                    row
                    for row in further_rows
                    if row.damaged or to_version(row).fingerprint != fingerprint
                ]
            if further_rows:
                self._rows.add(entry, further_rows)
        self._writer.flush()

    def take_columns(self, columns: Columns) -> None:
        """Take the next rows of the file as columns, most of them in bulk."""
        fingerprints = columns.fingerprints()
        is_simple = self._find_simple_rows(columns)
        is_stored, equal_records = self._stored.compare(columns.entries, fingerprints, is_simple)
        marks = np.frombuffer(self._marks, np.uint8)
        equal_rows = np.flatnonzero(equal_records)
        equal_marks = marks[equal_records[equal_rows]]
        del marks  # a view would keep the bytearray from growing
        repeated_rows = equal_rows[equal_marks == _SAME]
        unchanged_rows = equal_rows[equal_marks == 0]
        for record in equal_records[unchanged_rows].tolist():
            self._marks[record] = _SAME
        is_unchanged = np.zeros(len(columns), bool)
        is_unchanged[unchanged_rows] = True
        is_done = is_unchanged.copy()
        is_done[repeated_rows] = True
        is_new = is_simple & ~is_stored
        self.counts["unchanged"] += len(unchanged_rows)
        self.counts["repeated"] += len(repeated_rows)
        for column in columns.hashes:
            self.counts["low_information"] += int((column.low & (is_new | is_unchanged)).sum())
        new_rows = np.flatnonzero(is_new)
        if new_rows.size:
            new = columns.select(new_rows)
            self.counts["added"] += len(new)
            self.counts["missed"] += int(new.withdrawn.sum())
            self._judge.add_columns(new)
            self._writer.write_columns(new, [fingerprints[row] for row in new_rows.tolist()])
            self._marks += bytes([_SAME]) * len(new)
        other_rows = np.flatnonzero(~is_new & ~is_done).tolist()
        if other_rows:
            self.take([columns.get_row(row) for row in other_rows])

    def _find_simple_rows(self, columns: Columns) -> npt.NDArray[np.bool_]:
        """Return which rows have an entry of their own, no opinion and no judged value."""
        count = len(columns)
        is_simple = np.ones(count, bool)
        if len(set(columns.entries)) < count:
            times = Counter(columns.entries)
            is_simple &= np.fromiter((times[entry] == 1 for entry in columns.entries), bool, count)
        if self._opinion_states:
            assessed = self._opinion_states
            is_simple &= np.fromiter(
                (entry not in assessed for entry in columns.entries), bool, count
            )
        for column in columns.hashes:
            judged = self._judge.find_judged_values(column.kind.name)
            if judged:
                is_simple &= np.fromiter(
                    (value not in judged for value in column.values), bool, count
                )
        return is_simple

    def merge_repeated(self) -> None:
        """Merge the rows of each repeated entry, after all rows are read."""
        for entry, rows in self._rows.take():
            stored = self._stored.read_entry(entry)
            mark = self._marks[stored.record]
            versions = self._find_entry_versions(stored)
            if mark == _SAME:  # the first row is stored
                rows = [read_row(self._connection, stored.record), *rows]
            before = versions.before
            newer_rows = [
                row for row in rows if before is None or not self._ages.is_outdated(before, row)
            ]
            if newer_rows:
                merged_rows = rows if self._all_count else newer_rows
                self._merge(entry, versions, merged_rows, outdated=mark == _OLDER)
            self._store_withdrawals(entry, before, rows)
            self._writer.flush()

    def _find_entry_versions(self, stored: StoredVersion) -> _EntryVersions:
        if stored.since != self._number:
            return _EntryVersions(stored, None)
        index = bisect_left(self._new_records, stored.record)
        if index == len(self._new_records) or self._new_records[index] != stored.record:
            return _EntryVersions(None, stored)
        replaced = self._stored.read_record(self._replaced_records[index])
        return _EntryVersions(replaced, stored)

    def _merge(
        self, entry: str, versions: _EntryVersions, rows: list[Row], *, outdated: bool
    ) -> None:
        """Store the merged rows of an entry instead of its first row."""
        before, first = versions
        base = None if before is None else read_row(self._connection, before.record)
        version = self._judge.judge(to_version(merge_rows(base, rows, all_count=self._all_count)))
        current = first or before
        self.counts["low_information"] += _count_low(version)
        if not outdated:
            self.counts["low_information"] -= self._stored.count_low_information(current)
        if current is not None and current.fingerprint == version.fingerprint and not outdated:
            return
        counter = "outdated" if outdated else "unchanged" if first is None else "changed"
        self.counts[counter] -= before is not None
        if first is not None:
            self._count_change(before, first.state, first.stated, -1)
            self._judge.remove_hashes(self._writer.remove(first))
        if before is None:
            self._insert(entry, None, version)
        elif version.fingerprint != before.fingerprint:
            self.counts["changed"] += 1
            if first is None:
                self._judge.remove_hashes(self._writer.end(before))
            self._insert(entry, before, version)
        else:
            self.counts["unchanged"] += 1
            if first is not None:
                self._writer.reopen(before)
            self._marks[before.record] = _SAME

    def withdraw_absent(self) -> tuple[int, int]:
        """Withdraw every entry that no row of a full list names.

        Returns the number of entries that the source had, and the number of those that the file
        withdraws or that stop matching.
        """
        (entry_count,) = self._connection.execute(
            "SELECT count(*) FROM records r WHERE source = ? AND state <> ?"
            f" AND {is_in_generation(self._number - 1)}",
            (self._source, State.WITHDRAWN),
        ).fetchone()
        self.absent_from = self._writer.next
        current = self._connection.execute(
            "SELECT id FROM records WHERE source = ? AND until IS NULL", (self._source,)
        )
        unnamed = sorted(record for (record,) in current if not self._marks[record])
        for start in range(0, len(unnamed), _WITHDRAWAL_BATCH):
            self._withdraw(unnamed[start : start + _WITHDRAWAL_BATCH])
        return int(entry_count), self._lost_count

    def _withdraw(self, records: list[int]) -> None:
        """Withdraw the entries of versions that are not withdrawals themselves."""
        for group, marks in split_values(records):
            for fields in self._connection.execute(
                f"SELECT {COLUMNS} FROM records WHERE id IN ({marks}) AND state <> ?",
                (*group, State.WITHDRAWN),
            ).fetchall():
                stored = StoredVersion(*fields)
                self.counts["absent"] += 1
                row = Row(0, stored.entry, State.WITHDRAWN, ())
                self._replace(stored, self._build_replacement(stored, row))
        self._writer.flush()

    def finish(self) -> bool:
        """Judge the values that changed; return whether any entry changed."""
        shared = None
        self._stored.finish()
        if self._index is not None:
            shared = self._index.build(np.array(self._writer.removed, np.int64))
        if not (self.counts["added"] or self.counts["changed"] or self.counts["absent"]):
            return False
        self.counts["placeholders"] += self._judge.finish(
            self._number, self.changes, self.states, shared
        )
        self.counts["conflicting"] += conflicts.count_conflicts(
            self._connection, self._writer.first, self.states, shared
        )
        return True

    def _take_first(self, entry: str, stored: StoredVersion | None, row: Row) -> tuple[bytes, int]:
        """Take the first row of an entry; return its fingerprint and its mark."""
        version = self._judge.judge(to_version(row))
        fingerprint, mark = version.fingerprint, _SAME
        if stored is None:
            self.counts["added"] += 1
            self.counts["low_information"] += _count_low(version)
            self._insert(entry, None, version)
            return fingerprint, mark
        if fingerprint != stored.fingerprint:
            if self._ages.is_outdated(stored, row):
                self.counts["outdated"] += 1
                self._marks[stored.record] = _OLDER
                self._store_withdrawals(entry, stored, [row])
                if self._all_count:
                    self._rows.add_first(entry, row)
                return fingerprint, _OLDER
            version = self._build_replacement(stored, row)
            if row.damaged or version.fingerprint != fingerprint:
                self._rows.add_first(entry, row)
                mark = _ASIDE
        self.counts["low_information"] += _count_low(version)
        if version.fingerprint == stored.fingerprint:
            self.counts["unchanged"] += 1
            self._marks[stored.record] = mark
            self._store_withdrawals(entry, stored, [row])
        else:
            self.counts["changed"] += 1
            self._marks[self._replace(stored, version)] = mark
        return fingerprint, mark

    def _build_replacement(self, stored: StoredVersion, row: Row) -> Version:
        """Return the version by which a row replaces a stored version."""
        before = read_row(self._connection, stored.record)
        return self._judge.judge(to_version(merge_rows(before, [row])))

    def _store_withdrawals(
        self, entry: str, before: StoredVersion | None, rows: Sequence[Row]
    ) -> None:
        """Store the withdrawals among rows that would be lost by a rollback.

        They would if the entry is not withdrawn now, or if a rollback restored its withdrawal.
        """
        withdrawals = [row for row in rows if row.state is State.WITHDRAWN]
        if not withdrawals:
            return
        self._writer.flush()
        stored = self._stored.read_entry(entry)
        if stored.stated == State.WITHDRAWN and (
            stored.since == self._number or not self._ages.is_restored(stored)
        ):
            return
        base = None if before is None else read_row(self._connection, before.record)
        for row in withdrawals:
            version = self._judge.judge(to_version(merge_rows(base, [row])))
            self._writer.write_unapplied(entry, version)
            self._marks.append(_SAME)

    def _replace(self, stored: StoredVersion, version: Version) -> int:
        """Store a version instead of the current one; return its number."""
        if stored.since != self._number:
            hashes = self._writer.end(stored)
        else:
            hashes = self._writer.remove(stored)
        self._judge.remove_hashes(hashes)
        return self._insert(stored.entry, stored, version)

    def _insert(self, entry: str, before: StoredVersion | None, version: Version) -> int:
        opinions = self._opinion_states.get(entry)
        state = resolve_state(version.state, opinions) if opinions else version.state
        self._judge.add_hashes(version.hashes)
        record = self._writer.write(entry, version, state)
        self._marks.append(_SAME)
        if before is not None:
            self._new_records.append(record)
            self._replaced_records.append(before.record)
        self._count_change(before, state, version.state, 1)
        return record

    def _count_change(
        self, before: StoredVersion | None, state: str, stated: str, count: int
    ) -> None:
        """Count the effect of a new version (-1: of its removal) on its entry."""
        if before is None:
            self.counts["missed"] += count if stated == State.WITHDRAWN else 0
            return
        stops = before.state in MATCHING and state not in MATCHING
        is_withdrawn = before.state != State.WITHDRAWN and state == State.WITHDRAWN
        self.counts["stopped"] += count if stops else 0
        self._lost_count += count if stops or is_withdrawn else 0


def _count_low(version: Version) -> int:
    return version.why_not.count(LOW_INFORMATION)
