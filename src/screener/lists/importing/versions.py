"""Versions: how one import changes the entries of one source, inside its transaction.

A row of a new entry is written at once, and a row that equals the stored version changes nothing.
Every other row is staged until the whole file is read; then each entry with staged rows is decided
once, from its stored version and all its rows.

Memory is bounded by the batch, the rows of one entry, and 1 byte per version.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence, Set

from screener.lists.importing import conflicts, placeholders
from screener.lists.importing.merge_rows import merge_rows
from screener.lists.importing.staged_rows import StagedRows
from screener.lists.importing.stored_versions import Ages, StoredVersion, StoredVersions
from screener.lists.importing.writer import Writer
from screener.lists.states import MATCHING, State, resolve_state
from screener.lists.store import database, repeated_values
from screener.lists.store.columns import Batch
from screener.lists.store.database import is_in_generation
from screener.lists.store.records import LOW_INFORMATION, Row, read_all_opinions
from screener.lists.store.stored_rows import Version, read_row, to_version

# The marks of a version: what the file's rows state about its entry so far (0: no row yet).
_EQUAL = 1  # the first row equals the version
_STAGED = 2  # the first row is staged
_NO_VERSION = 2**63  # above all numbers of versions


class Versions:
    """The records of a source, as one import changes them towards generation `number`.

    `counts` has the counts of `ImportReport` that concern entries.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        source: str,
        *,
        number: int,
        import_id: int,
        full: bool = False,
        all_count: bool = False,
        is_own: bool = False,
    ) -> None:
        """Prepare to take rows.

        `full`: the file contains all entries of the source.
        `all_count`: merge all rows of an entry, regardless of their times.
        `is_own`: a program added the rows, whose repeated values are no placeholders.
        """
        self.counts: Counter[str] = Counter()
        self.absent_from = _NO_VERSION  # the first version that withdraws an unnamed entry
        self._connection = connection
        self._source = source
        self._number = number
        self._import_id = import_id
        self._all_count = all_count
        self._ages = Ages(connection, import_id, full=full)
        self._writer = Writer(connection, source, number=number, import_id=import_id)
        self._marks = bytearray(self._writer.next)  # the mark of each version, by number
        # SQLite sorts the values of a first import faster than it inserts them one by one.
        self._is_first = self._writer.next == 1
        if self._is_first:
            connection.execute("DROP INDEX hashes_by_value")
        self._staged = StagedRows(connection)
        self._judge = placeholders.Judge(connection, source, is_own=is_own)
        self._stored = StoredVersions(connection, source)
        self._rows = 0
        self._lost_count = 0  # entries that stopped matching or were withdrawn
        self._opinion_states = {
            entry: [opinion.state for opinion in opinions]
            for (owner, entry), opinions in read_all_opinions(connection, number).items()
            if owner == source
        }

    def take(self, batch: Batch) -> None:
        """Take the next rows of the file."""
        count = len(batch.entries)
        self._rows += count
        staged = set(batch.damaged)
        equal_rows, unmarked = [], []
        for row, record in self._stored.find_equal(batch.entries, batch.digests):
            equal_rows.append(row)
            # A withdrawal that a rollback may lose is decided with the staged rows.
            if batch.states[row] is State.WITHDRAWN or self._marks[record] == _STAGED:
                staged.add(row)
            elif row not in staged and not self._marks[record]:
                self._marks[record] = _EQUAL
                unmarked.append(row)
        self.counts["low_information"] += batch.count_low(unmarked)
        if len(equal_rows) < count or staged:
            self._take_unequal(batch, set(equal_rows), staged)

    def _take_unequal(self, batch: Batch, equal: Set[int], staged: set[int]) -> None:
        """Write the rows of new entries, and stage the others that are not `equal`."""
        rows = [row for row in range(len(batch.entries)) if row not in equal or row in staged]
        records = self._stored.look_up([batch.entries[row] for row in rows])
        new: dict[str, int] = {}  # the first row of each new entry
        for row in rows:
            entry = batch.entries[row]
            if entry in records:
                record = records[entry]
                self._marks[record] = self._marks[record] or _STAGED
                staged.add(row)
                continue
            first = new.setdefault(entry, row)
            if first == row:
                staged.discard(row)
            elif batch.digests[first] != batch.digests[row]:
                staged.add(row)
        new_rows = list(new.values())
        self._writer.write_batch(batch, new_rows, self._judge.judge, self._opinion_states)
        self._marks += bytes([_EQUAL]) * len(new)
        self.counts["added"] += len(new)
        self.counts["low_information"] += batch.count_low(new_rows)
        self.counts["missed"] += sum(batch.states[row] is State.WITHDRAWN for row in new_rows)
        self._staged.add((batch.entries[row], batch.get_row(row)) for row in sorted(staged))

    def take_released(self, entry: str, row: Row, *, absent_from: int) -> None:
        """Take a row that this import had quarantined, beside its other rows.

        `absent_from`: the first version by which the import withdrew entries that it did not name.
        Such a withdrawal does not count as a row, since the released row names the entry.
        """
        for record in self._stored.look_up([entry]).values():
            stored = self._stored.read_record(record)
            is_absence = stored.stated == State.WITHDRAWN and record >= absent_from
            if stored.import_id == self._import_id and not is_absence:
                self._marks[record] = _EQUAL
        self.take(Batch.of_rows([row._replace(entry=entry)]))

    def settle(self) -> None:
        """Decide each entry with staged rows, after all rows are read."""
        self.counts["unchanged"] += self._marks.count(_EQUAL) - self.counts["added"]
        for entry, rows in self._staged.take():
            current = self._stored.read_entry(entry)
            if current.since == self._number:
                self._settle_new(entry, current, rows)
            else:
                self._settle_stored(entry, current, rows)
        self._writer.flush()
        if self._is_first:
            database.index_hashes(self._connection)
        entries = sum(self.counts[name] for name in ("added", "unchanged", "changed", "outdated"))
        self.counts["repeated"] += self._rows - entries

    def _settle_new(self, entry: str, first: StoredVersion, rows: list[Row]) -> None:
        """Decide an entry that is new in this file, and whose first row is written."""
        all_rows = [read_row(self._connection, first.record), *rows]
        version = to_version(merge_rows(None, all_rows, all_count=self._all_count))
        if version.digest != first.digest:
            self.counts["low_information"] += _count_low(version)
            self.counts["low_information"] -= self._stored.count_low_information(first)
            self.counts["missed"] += version.state is State.WITHDRAWN
            self.counts["missed"] -= first.stated == State.WITHDRAWN
            self._writer.remove(first)
            self._insert(entry, version)
        self._write_withdrawals(entry, None, all_rows)

    def _settle_stored(self, entry: str, before: StoredVersion, rows: list[Row]) -> None:
        """Decide an entry that the list had before."""
        stored_row = read_row(self._connection, before.record)
        if self._marks[before.record] == _EQUAL:
            self.counts["unchanged"] -= 1
            self.counts["low_information"] -= self._stored.count_low_information(before)
            rows = [stored_row, *rows]
        newer_rows = [row for row in rows if not self._ages.is_outdated(before, row)]
        if not newer_rows:
            self.counts["outdated"] += 1
        else:
            self._replace(before, stored_row, rows if self._all_count else newer_rows)
        self._write_withdrawals(entry, stored_row, rows)

    def _replace(self, before: StoredVersion, stored_row: Row, rows: Sequence[Row]) -> None:
        """Store the version that rows make of a stored one, unless it is the same."""
        version = to_version(merge_rows(stored_row, rows, all_count=self._all_count))
        self.counts["low_information"] += _count_low(version)
        if version.digest == before.digest:
            self.counts["unchanged"] += 1
            return
        self.counts["changed"] += 1
        self._end(before, version)

    def _end(self, before: StoredVersion, version: Version) -> None:
        """Store a version in place of a stored one."""
        self._judge.end(self._writer.end(before))
        state = self._insert(before.entry, version)
        stops = before.state in MATCHING and state not in MATCHING
        is_withdrawn = before.state != State.WITHDRAWN and state == State.WITHDRAWN
        self.counts["stopped"] += stops
        self._lost_count += stops or is_withdrawn

    def _insert(self, entry: str, version: Version) -> State:
        """Queue a version for the next flush; return the state in effect."""
        state = resolve_state(version.state, self._opinion_states.get(entry, ()))
        hashes = tuple(
            [hash_._replace(why_not=self._judge.judge(*hash_)) for hash_ in version.hashes]
        )
        self._writer.write(entry, version._replace(hashes=hashes), state)
        self._marks.append(_EQUAL)
        return state

    def _write_withdrawals(self, entry: str, stored_row: Row | None, rows: Sequence[Row]) -> None:
        """Store the withdrawals among rows that would be lost by a rollback.

        They would if the entry is not withdrawn now, or if a rollback restored its withdrawal.
        """
        withdrawals = [row for row in rows if row.state is State.WITHDRAWN]
        if not withdrawals:
            return
        self._writer.flush()
        current = self._stored.read_entry(entry)
        if current.stated == State.WITHDRAWN and (
            current.since == self._number or not self._ages.is_restored(current)
        ):
            return
        for row in withdrawals:
            self._writer.write_unapplied(entry, to_version(merge_rows(stored_row, [row])))
            self._marks.append(_EQUAL)

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
            "SELECT id FROM records WHERE source = ? AND until IS NULL AND state <> ?",
            (self._source, State.WITHDRAWN),
        )
        for record in [record for (record,) in current if not self._marks[record]]:
            before = self._stored.read_record(record)
            row = Row(0, before.entry, State.WITHDRAWN, ())
            self.counts["absent"] += 1
            stored_row = read_row(self._connection, record)
            self._end(before, to_version(merge_rows(stored_row, [row])))
        self._writer.flush()
        return int(entry_count), self._lost_count

    def finish(self) -> bool:
        """Judge the values that changed; return whether any entry changed."""
        if not (self.counts["added"] or self.counts["changed"] or self.counts["absent"]):
            return False
        repeated_values.note_shared(self._connection, self._number)
        self.counts["placeholders"] += self._judge.finish(self._number)
        self.counts["conflicting"] += conflicts.count_conflicts(self._connection)
        return True


def _count_low(version: Version) -> int:
    return len([1 for *_, why_not in version.hashes if why_not == LOW_INFORMATION])
