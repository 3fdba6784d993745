"""Versions: what an import makes of the entries of one source, inside its transaction.

The first row of a file on an entry is stored as it comes, unless it is older than what the list
has. Further rows wait until all are read; then the rows of each such entry are merged. What says
the same as before changes nothing; anything else makes a new version of the record.

Memory is bounded by the batch, the rows of one entry, one byte for each version, 16 for each that
is replaced, 40 for each that a full list does not name, and the packed values that changed.
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
from screener.lists.importing.merge_rows import merged
from screener.lists.importing.placeholders import Judging
from screener.lists.importing.repeated_rows import Newcomers, RepeatedRows
from screener.lists.importing.stored_versions import COLUMNS, Ages, Stored
from screener.lists.importing.writer import Writer, as_json
from screener.lists.states import MATCHING, State, resolve_state
from screener.lists.store.census import Census
from screener.lists.store.columns import Columns
from screener.lists.store.database import of_generation, some_at_once
from screener.lists.store.records import (
    LOW_INFORMATION,
    Row,
    derived_entry,
    has_records,
    opinions_at,
)
from screener.lists.store.searchable_values import Changes
from screener.lists.store.stored_rows import Version, stored_row, version_of
from screener.lists.store.value_index import FirstIndex

_WINDOW = 5_000  # versions that are withdrawn at once

# What the rows of a file said of a version so far.
_SAME = 1  # what it says
_ASIDE = 2  # the same, but the first row has more, and waits with the further ones
_OLDER = 3  # only what is older than it


class _Place(NamedTuple):
    """What stands for an entry while its rows are merged: what the list had before the file, and
    the version that its first row made, if any.
    """

    before: Stored | None
    made: Stored | None


class Versions:
    """The records of a source, as one import changes them towards generation `number`.

    `counts` are those of `ImportReport`, as far as they are of entries. `states` counts the records
    of the whole list by state, and `changes` its searchable values.
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
        """Begin with the states of the generation before, and what else changes in this one.

        `full`: the file is all that its source has. `all_count`: its rows on one entry are united
        whatever their times. `is_first`: the list has no record yet.
        """
        self.counts: Counter[str] = Counter()
        self.states = Counter(states)
        self.changes = Changes() if changes is None else changes
        self.absent_from: int | None = None  # the first version that a file's silence made
        self._connection = connection
        self._source = source
        self._number = number
        self._import = import_id
        self._all_count = all_count
        self._index = FirstIndex(connection, self.changes) if is_first else None
        self._ages = Ages(connection, import_id, full=full)
        self._writer = Writer(
            connection, source, number=number, import_id=import_id, states=self.states,
            changes=self.changes, index=self._index,
        )  # fmt: skip
        self._marks = bytearray(self._writer.first)  # by number of version, one of the above
        self._rows = RepeatedRows(connection)
        self._judging = Judging(connection, source)
        self._made, self._before = array("q"), array("q")  # new versions and what they replace
        self._gone = 0  # entries that stopped matching, or are withdrawn now and were not before
        self._own_states = {
            entry: [opinion.state for opinion in held]
            for (whose, entry), held in opinions_at(connection, number).items()
            if whose == source
        }
        self._newcomers = None if has_records(connection, source) else Newcomers()

    @property
    def came(self) -> Census | None:
        """The census of the versions that this import made, if it is known."""
        return None if self._judging.changed else self._writer.came

    def take(self, rows: Sequence[Row]) -> None:
        """Take the next rows of the file."""
        by_entry: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            by_entry[row.entry or derived_entry(row.hashes)].append(row)
        stored = self._lookup(list(by_entry))
        for entry, some in by_entry.items():
            have = stored.get(entry)
            if have is None or not self._marks[have.record]:
                first, *some = some
                said, mark = self._take_first(entry, have, first)
            else:
                said, mark = have.fingerprint, self._marks[have.record]
            self.counts["repeated"] += len(some)
            if mark == _SAME:  # what says the same again has nothing to add
                some = [row for row in some if row.damaged or version_of(row).fingerprint != said]
            if some:
                self._rows.put(entry, some)
        self._writer.flush()

    def take_columns(self, columns: Columns) -> None:
        """Take the next rows of the file, most of them at once."""
        fingerprints = columns.fingerprints()
        alone = self._may_go_alone(columns)
        there, same = self._compared(columns.entries, fingerprints, alone)
        marks = np.frombuffer(self._marks, np.uint8)
        same_rows = np.flatnonzero(same)
        before = marks[same[same_rows]]
        del marks  # which keeps the marks from growing
        again = same_rows[before == _SAME]
        same_rows = same_rows[before == 0]
        for record in same[same_rows].tolist():
            self._marks[record] = _SAME
        unchanged = np.zeros(len(columns), bool)
        unchanged[same_rows] = True
        said = unchanged.copy()
        said[again] = True
        fresh = alone & ~there
        self.counts["unchanged"] += len(same_rows)
        self.counts["repeated"] += len(again)
        for column in columns.hashes:
            self.counts["low_information"] += int((column.low & (fresh | unchanged)).sum())
        places = np.flatnonzero(fresh)
        if places.size:
            new = columns.at(places)
            self.counts["added"] += len(new)
            self.counts["missed"] += int(new.withdrawn.sum())
            self._judging.see_columns(new)
            self._writer.write_columns(new, [fingerprints[place] for place in places.tolist()])
            self._marks += bytes([_SAME]) * len(new)
        rest = np.flatnonzero(~fresh & ~said).tolist()
        if rest:
            self.take([columns.row(place) for place in rest])

    def _may_go_alone(self, columns: Columns) -> npt.NDArray[np.bool_]:
        """Return which rows are the only ones of their entry here, and not judged by anybody."""
        count = len(columns)
        alone = np.ones(count, bool)
        if len(set(columns.entries)) < count:
            times = Counter(columns.entries)
            alone &= np.fromiter((times[entry] == 1 for entry in columns.entries), bool, count)
        if self._own_states:
            own = self._own_states
            alone &= np.fromiter((entry not in own for entry in columns.entries), bool, count)
        for column in columns.hashes:
            judged = self._judging.values_of(column.kind.name)
            if judged:
                alone &= np.fromiter((one not in judged for one in column.values), bool, count)
        return alone

    def _compared(
        self, entries: Sequence[str], fingerprints: Sequence[bytes], alone: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Return which of the rows that go alone the list has an entry of, and the numbers of the
        versions that say the same; 0 for others.
        """
        there = np.zeros(len(entries), bool)
        same = np.zeros(len(entries), np.int64)
        asked = alone
        if self._newcomers is not None:
            asked = alone & self._newcomers.seen(list(entries))
        places = np.flatnonzero(asked)
        if not places.size:
            return there, same
        some = [entries[place] for place in places.tolist()]
        packed = b"".join([fingerprints[place] for place in places.tolist()])
        joined = (
            "FROM json_each(?) j CROSS JOIN records r"
            " ON r.source = ? AND r.entry = j.value AND r.until IS NULL"
        )
        found = self._connection.execute(
            f"SELECT j.key, r.id {joined} WHERE r.fingerprint = substr(?, j.key * 16 + 1, 16)",
            (as_json(some), self._source, packed),
        ).fetchall()
        if found:
            keys, records = np.array(found, np.int64).T
            same[places[keys]] = records
        if len(found) == len(some):
            there[places] = True
        else:
            keys = self._connection.execute(
                f"SELECT j.key {joined}", (as_json(some), self._source)
            ).fetchall()
            there[places[[key for (key,) in keys]]] = True
        return there, same

    def merge_repeated(self) -> None:
        """Merge the rows of each entry that the file names several times, once all are read."""
        for entry, rows in self._rows.take():
            have = self._lookup_one(entry)
            mark = self._marks[have.record]
            place = self._place_of(have)
            if mark == _SAME:  # the first row is what is stored
                rows = [stored_row(self._connection, have.record), *rows]
            before = place.before
            newer = [row for row in rows if before is None or not self._ages.outdated(before, row)]
            if newer:
                counted = rows if self._all_count else newer
                self._merge(entry, place, counted, outdated=mark == _OLDER)
            self._note_withdrawals(entry, place, rows)
            self._writer.flush()

    def _place_of(self, have: Stored) -> _Place:
        if have.since != self._number:
            return _Place(have, None)
        at = bisect_left(self._made, have.record)
        if at == len(self._made) or self._made[at] != have.record:
            return _Place(None, have)
        return _Place(self._version(self._before[at]), have)

    def _version(self, record: int) -> Stored:
        row = self._connection.execute(
            f"SELECT {COLUMNS} FROM records WHERE id = ?", (record,)
        ).fetchone()
        return Stored(*row)

    def _merge(self, entry: str, place: _Place, rows: list[Row], *, outdated: bool) -> None:
        """Store what the rows of an entry say together, instead of what the first said alone."""
        before, made = place
        base = None if before is None else stored_row(self._connection, before.record)
        version = self._judging.judge(version_of(merged(base, rows, all_count=self._all_count)))
        now = made or before
        if not outdated:
            self.counts["low_information"] += _low(version) - self._low_stored(now)
        else:
            self.counts["low_information"] += _low(version)
        if now is not None and now.fingerprint == version.fingerprint and not outdated:
            return
        self.counts["outdated" if outdated else "unchanged" if made is None else "changed"] -= (
            before is not None
        )
        if made is not None:
            self._count_change(before, made.state, made.said, -1)
            self._judging.leave(self._writer.remove(made))
        if before is None:
            self._insert(entry, None, version)
        elif version.fingerprint != before.fingerprint:
            self.counts["changed"] += 1
            if made is None:
                self._judging.leave(self._writer.end(before))
            self._insert(entry, before, version)
        else:
            self.counts["unchanged"] += 1
            if made is not None:
                self._writer.reopen(before)
            self._marks[before.record] = _SAME

    def withdraw_absent(self) -> tuple[int, int]:
        """Withdraw every entry that no row named: the file was all that the source has.

        Returns how many entries the source had, and how many of these are withdrawn now, by the
        file's silence or its word, or stopped matching; whatever it adds.
        """
        (before,) = self._connection.execute(
            "SELECT count(*) FROM records r WHERE source = ? AND state <> ?"
            f" AND {of_generation(self._number - 1)}",
            (self._source, State.WITHDRAWN),
        ).fetchone()
        self.absent_from = self._writer.next
        current = self._connection.execute(
            "SELECT id FROM records WHERE source = ? AND until IS NULL", (self._source,)
        )
        unnamed = sorted(record for (record,) in current if not self._marks[record])
        for start in range(0, len(unnamed), _WINDOW):
            self._withdraw(unnamed[start : start + _WINDOW])
        return int(before), self._gone

    def _withdraw(self, records: list[int]) -> None:
        """Withdraw versions that no row named, unless they withdraw their entries."""
        for some, marks in some_at_once(records):
            for have in self._connection.execute(
                f"SELECT {COLUMNS} FROM records WHERE id IN ({marks}) AND state <> ?",
                (*some, State.WITHDRAWN),
            ).fetchall():
                stored = Stored(*have)
                self.counts["absent"] += 1
                self._replace(stored, self._over(stored, Row(0, stored.entry, State.WITHDRAWN, ())))
        self._writer.flush()

    def finish(self) -> bool:
        """Judge what changed; return whether anything did."""
        shared = self._newcomers = None
        if self._index is not None:
            shared = self._index.build(np.array(self._writer.removed, np.int64))
        if not (self.counts["added"] or self.counts["changed"] or self.counts["absent"]):
            return False
        self.counts["placeholders"] += self._judging.finish(
            self._number, self.changes, self.states, shared
        )
        self.counts["conflicting"] += conflicts.count(
            self._connection, self._writer.first, self.states, shared
        )
        return True

    def _lookup(self, entries: list[str]) -> dict[str, Stored]:
        """Return the current versions of entries that the list has."""
        if self._newcomers is not None:
            seen = self._newcomers.seen(entries).tolist()
            entries = [entry for entry, was in zip(entries, seen, strict=True) if was]
        found: dict[str, Stored] = {}
        for some, marks in some_at_once(entries):
            for have in self._connection.execute(
                f"SELECT {COLUMNS} FROM records WHERE source = ? AND until IS NULL"
                f" AND entry IN ({marks})",
                (self._source, *some),
            ):
                found[have[0]] = Stored(*have)
        return found

    def _take_first(self, entry: str, have: Stored | None, row: Row) -> tuple[bytes, int]:
        """Take the first row of the file on an entry; return its fingerprint and its mark."""
        version = self._judging.judge(version_of(row))
        said, mark = version.fingerprint, _SAME
        if have is None:
            self.counts["added"] += 1
            self.counts["low_information"] += _low(version)
            self._insert(entry, None, version)
            return said, mark
        if said != have.fingerprint:
            if self._ages.outdated(have, row):
                self.counts["outdated"] += 1
                self._marks[have.record] = _OLDER
                self._note_withdrawals(entry, _Place(have, None), [row])
                if self._all_count:
                    self._rows.put_first(entry, row)
                return said, _OLDER
            version = self._over(have, row)
            if row.damaged or version.fingerprint != said:
                self._rows.put_first(entry, row)
                mark = _ASIDE
        self.counts["low_information"] += _low(version)
        if version.fingerprint == have.fingerprint:
            self.counts["unchanged"] += 1
            self._marks[have.record] = mark
            self._note_withdrawals(entry, _Place(have, None), [row])
        else:
            self.counts["changed"] += 1
            self._marks[self._replace(have, version)] = mark
        return said, mark

    def _over(self, have: Stored, row: Row) -> Version:
        """Return a row as a version that replaces a stored one."""
        return self._judging.judge(
            version_of(merged(stored_row(self._connection, have.record), [row]))
        )

    def _note_withdrawals(self, entry: str, place: _Place, rows: Sequence[Row]) -> None:
        """Store the withdrawals among rows that the list would not know of after a rollback: the
        entry is listed, or its withdrawal is one that a rollback brought back.
        """
        withdrawals = [row for row in rows if row.state is State.WITHDRAWN]
        if not withdrawals:
            return
        self._writer.flush()
        have = self._lookup_one(entry)
        if have.said == State.WITHDRAWN and (
            have.since == self._number or not self._ages.brought_back(have)
        ):
            return
        before = place.before
        base = None if before is None else stored_row(self._connection, before.record)
        for row in withdrawals:
            version = self._judging.judge(version_of(merged(base, [row])))
            self._writer.write_unapplied(entry, version)
            self._marks.append(_SAME)

    def _lookup_one(self, entry: str) -> Stored:
        row = self._connection.execute(
            f"SELECT {COLUMNS} FROM records WHERE source = ? AND until IS NULL AND entry = ?",
            (self._source, entry),
        ).fetchone()
        return Stored(*row)

    def _low_stored(self, have: Stored | None) -> int:
        if have is None:
            return 0
        (count,) = self._connection.execute(
            "SELECT count(*) FROM hashes WHERE record = ? AND why_not = ?",
            (have.record, LOW_INFORMATION),
        ).fetchone()
        return int(count)

    def _replace(self, have: Stored, version: Version) -> int:
        """Store a version instead of the current one; return its number."""
        old = self._writer.end(have) if have.since != self._number else self._writer.remove(have)
        self._judging.leave(old)
        return self._insert(have.entry, have, version)

    def _insert(self, entry: str, before: Stored | None, version: Version) -> int:
        own = self._own_states.get(entry) if self._own_states else None
        state = resolve_state(version.state, own) if own else version.state
        self._judging.see(version.hashes)
        record = self._writer.write(entry, version, state)
        self._marks.append(_SAME)
        if before is not None:
            self._made.append(record)
            self._before.append(before.record)
        self._count_change(before, state, version.state, 1)
        return record

    def _count_change(self, before: Stored | None, state: str, said: str, times: int) -> None:
        """Count what a new version does to an entry that the list had, or had not."""
        if before is None:
            self.counts["missed"] += times * (said == State.WITHDRAWN)
            return
        stops = before.state in MATCHING and state not in MATCHING
        goes = before.state != State.WITHDRAWN and state == State.WITHDRAWN
        self.counts["stopped"] += times * stops
        self._gone += times * (stops or goes)


def _low(version: Version) -> int:
    return version.why_not.count(LOW_INFORMATION)
