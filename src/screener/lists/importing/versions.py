"""Versions: what an import makes of the entries of one source, inside its transaction.

The first row of a file on an entry stands in the place of what the list held, unless it is older.
Further rows of the file on it are united with the first, but for those of another time: a later
one stands in its place, an earlier one is left. What says the same as before changes nothing;
anything else makes a new version of the record.

Memory is bounded by the batch, one byte for each version there was and each new one, 24 for each
replaced, 40 for each that a full list does not name, and the packed values that changed.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence

from screener.hashing.hash import KINDS, Hash
from screener.lists.importing import conflicts
from screener.lists.importing.merge_rows import Joining, Judging
from screener.lists.importing.pending import Pending
from screener.lists.importing.stored import COLUMNS, Ages, Aside, Stored
from screener.lists.states import State, effective
from screener.lists.store.database import of_generation, some_at_once
from screener.lists.store.records import LOW_INFORMATION, Row, has_records, opinions_at, united
from screener.lists.store.searchable_values import Changes
from screener.lists.store.stored_rows import Version, version_of
from screener.lists.times import order, timeless

_MARKS = 1 << 27  # bits, 16 MiB


class Newcomers:
    """The entries of one file, of a source of which the list holds nothing."""

    def __init__(self) -> None:
        """Begin with none met."""
        self._marks = bytearray(_MARKS // 8)

    def met_before(self, entries: list[str]) -> list[str]:
        """Those that were met before, all of them and a few more; all of them are met now."""
        marks, found = self._marks, []
        for entry in entries:
            place = hash(entry) % _MARKS
            at, bit = place >> 3, 1 << (place & 7)
            if marks[at] & bit:
                found.append(entry)
            else:
                marks[at] |= bit
        return found


_WINDOW = 5_000  # versions that are withdrawn at once


class Versions:
    """The records of a source, as one import changes them towards generation `number`.

    `counts` are added, changed, unchanged, repeated, outdated, absent, missed, stopped,
    low_information, placeholders and conflicting; `states` follows how many records of the whole
    list are in each state, and `changes` its searchable values.
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
    ) -> None:
        """Begin with the states of the generation before, and what else changes in this one.

        `full`: the file is all that its source has, now. `all_count`: its rows on one entry stand
        beside each other, whatever their times.
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
        # Rows that are older than what is held, where all count: they do with one that is not.
        self._older = Aside(connection, "older_rows")
        # Rows without a time stay beside whichever turns out to be of the latest time.
        self._timeless = Aside(connection, "timeless_rows")
        self._ages = Ages(connection, import_id, full=full)
        self._pending = Pending(connection, source, number=number, import_id=import_id)
        self._met = self._pending.met
        self._judging = Judging(connection, source, self._pending.settle)
        self._joining = Joining(connection, self._met, self._judging)
        self._own_states = {
            entry: [opinion.state for opinion in held]
            for (whose, entry), held in opinions_at(connection, number).items()
            if whose == source
        }
        self._newcomers = None if has_records(connection, source) else Newcomers()

    def take(self, entries: Mapping[str, Row], following: Iterable[dict[str, Row]] = ()) -> None:
        """Store a round of rows, each of another entry. Out of the rounds that follow it takes what
        stands beside them, so that this is written once.

        It may be on its way into the database when this returns: see `settle`.
        """
        judge = self._judging.judge
        versions = [judge(version_of(row)) for row in entries.values()]
        stored = self._lookup(list(entries))
        for version, (entry, row) in zip(versions, entries.items(), strict=True):
            have = stored.get(entry)
            if have is None:
                self.counts["added"] += 1
                self.counts["low_information"] += _low(version)
                self._insert(entry, version)
                continue
            if self._met[have.record]:
                self.counts["repeated"] += 1
            if self._met.said_same(have.record):
                self._take_further(entry, have, row, following)
            else:
                self._take_first(entry, have, row, version)
        self._pending.flush()

    def settle(self) -> None:
        """Wait until all that was taken is in the database, as whoever asks it must, and whoever
        gives up; raises sqlite3.Error where that failed.
        """
        self._pending.settle()

    def withdraw_absent(self) -> tuple[int, int]:
        """Withdraw every entry that no row of the file named: the file was all that the source
        has. How many entries the source had, and how many of these are withdrawn now, by the file's
        silence or its word, or matched and match no more; whatever it adds.
        """
        self.settle()
        (before,) = self._connection.execute(
            "SELECT count(*) FROM records r WHERE source = ? AND state <> ?"
            f" AND {of_generation(self._number - 1)}",
            (self._source, State.WITHDRAWN),
        ).fetchone()
        self.absent_from = self._pending.next
        current = self._connection.execute(
            "SELECT id FROM records WHERE source = ? AND until IS NULL", (self._source,)
        )
        unmet = sorted(record for (record,) in current if not self._met[record])
        for start in range(0, len(unmet), _WINDOW):
            self._withdraw(unmet[start : start + _WINDOW])
        self._pending.drop_passed()
        return int(before), self._pending.gone()

    def _withdraw(self, records: list[int]) -> None:
        """Withdraw versions that no row met, but for those that withdraw their entries: a window of
        them at a time, for a list may hold as many as a file names none of.
        """
        for some, marks in some_at_once(records):
            for entry, *have in self._connection.execute(
                f"SELECT {COLUMNS} FROM records WHERE id IN ({marks}) AND state <> ?",
                (*some, State.WITHDRAWN),
            ).fetchall():
                stored = Stored(*have)
                self.counts["absent"] += 1
                version = self._joining.instead(stored, _withdrawal(entry))
                self._replace(entry, stored, version)
        self._pending.flush()
        self.settle()

    def finish(self) -> bool:
        """Whether anything changed after all."""
        self.settle()
        self._pending.drop_passed()
        self._older.drop()
        self._timeless.drop()
        same = self._pending.undo_round_trips()
        self.counts["changed"] -= same
        self.counts["unchanged"] += same
        if not (self.counts["added"] or self.counts["changed"] or self.counts["absent"]):
            return False
        self.counts["missed"] += self._pending.withdrawn_first()
        self.counts["stopped"] += self._pending.stopped()
        self.counts["placeholders"] += self._judging.finish(self._number, self.changes, self.states)
        self.counts["conflicting"] += conflicts.count(
            self._connection, self._pending.first, self.states
        )
        return True

    def _lookup(self, entries: list[str]) -> dict[str, Stored]:
        """Those of the entries that the list holds, with what it holds of them."""
        if self._newcomers is not None:
            entries = self._newcomers.met_before(entries)
        found: dict[str, Stored] = {}
        if entries:
            self.settle()
        for some, marks in some_at_once(entries):
            for entry, *have in self._connection.execute(
                f"SELECT {COLUMNS} FROM records WHERE source = ? AND until IS NULL"
                f" AND entry IN ({marks})",
                (self._source, *some),
            ):
                found[entry] = Stored(*have)
        return found

    def _take_first(self, entry: str, have: Stored, row: Row, version: Version) -> None:
        """Take a row on an entry that the list holds, of which the file has said nothing so far,
        or only what is older than what the list holds.
        """
        only_older = self._met[have.record]  # since no row has said the same
        if version.fingerprint != have.fingerprint and self._ages.outdated(have, row):
            if not only_older:
                self.counts["outdated"] += 1
                self._met.older(have.record)
            self._note_word(entry, have, row)
            if self._all_count:
                self._older.put(entry, row)
            return
        if only_older:
            self.counts["outdated"] -= 1
            if self._all_count:
                row = self._older.beside(entry, row)
        if only_older or version.fingerprint != have.fingerprint:
            version = self._joining.instead(have, row)
        self.counts["low_information"] += _low(version)
        if version.fingerprint == have.fingerprint:
            self.counts["unchanged"] += 1
            self._met.same(have.record, version.carried)
            self._note_word(entry, have, row)
        else:
            self.counts["changed"] += 1
            self._replace(entry, have, version)

    def _take_further(
        self, entry: str, have: Stored, row: Row, following: Iterable[dict[str, Row]]
    ) -> None:
        """Take a further row on an entry, of which `have` is what the file said so far.

        A later row takes its place, and an earlier one is left. They are united where they are of
        one time, where one of them has none, and where all rows of the format count.
        """
        way = self._order(row.updated, have.updated)
        if way == -1:
            self._note_word(entry, have, row)
            return
        rows = [row]
        if way == 1:
            if row.state is not State.WITHDRAWN:
                row = self._timeless.beside(entry, row)
            version = self._joining.instead(have, row)
        else:
            rows += self._beside(entry, have, row, following)
            if not self._all_count:
                self._keep_timeless(entry, have, rows)
            version = self._joining.beside(have, united(*rows))
        self.counts["low_information"] += _low(version) - self._low_stored(have)
        if version.fingerprint == have.fingerprint:
            self._met.same(have.record, version.carried)
            for said in rows:
                self._note_word(entry, have, said)
            return
        if have.since != self._number:
            self.counts["unchanged"] -= 1
            self.counts["changed"] += 1
        self._replace(entry, have, version, united=way != 1)

    def _order(self, first: str | None, second: str | None) -> int | None:
        """As `times.order`; None for all rows of a format of which all count."""
        return None if self._all_count else order(first, second)

    def _beside(
        self, entry: str, have: Stored, row: Row, following: Iterable[dict[str, Row]]
    ) -> list[Row]:
        """Take out of the rounds that follow a row the next ones of its entry that stand beside it
        and what the file said before, or are left since they are earlier.
        """
        found = []
        told = united(Row(0, entry, State(have.said), (), updated=have.updated), _bare(row))
        for entries in following:
            further = entries.get(entry)
            if further is None:
                break
            way = self._order(further.updated, told.updated)
            if way == 1 or (way == -1 and further.state is State.WITHDRAWN):
                break
            del entries[entry]
            self.counts["repeated"] += 1
            if way != -1:
                found.append(further)
                told = united(told, _bare(further))
        return found

    def _keep_timeless(self, entry: str, have: Stored, rows: Sequence[Row]) -> None:
        """Put aside what has no time, where what the file said of an entry so far has one and
        further rows have none, or the other way round: it counts as well beside a later row.
        """
        without = [row for row in rows if timeless(row.updated)]
        if timeless(have.updated):
            if len(without) == len(rows):
                return
            without.insert(0, self._joining.said(have))
        if without:
            self._timeless.put(entry, united(*without))

    def _note_word(self, entry: str, have: Stored, row: Row) -> None:
        """Keep what a row that changes nothing says, where it withdraws its entry and the list
        would not know of it after a rollback: the entry is listed, or its withdrawal is one that
        was taken up again.
        """
        if row.state is not State.WITHDRAWN:
            return
        if have.said != State.WITHDRAWN or (
            have.since != self._number and self._ages.taken_up(have)
        ):
            self._pending.word(entry, self._joining.instead(have, row))

    def _low_stored(self, have: Stored) -> int:
        (count,) = self._connection.execute(
            "SELECT count(*) FROM hashes WHERE record = ? AND why_not = ?",
            (have.record, LOW_INFORMATION),
        ).fetchone()
        return int(count)

    def _replace(self, entry: str, have: Stored, version: Version, *, united: bool = False) -> None:
        """Put a new version in the place of what is held. That ends, if it is of a generation
        before; what the file itself said is taken away where it is `united` with more, and else
        passed over.
        """
        self.states[have.state] -= 1
        base: int | None = have.record
        if have.since != self._number:
            self._pending.end(have.record)
        elif united:
            self._pending.remove(have.record)
            base = self._joining.base_of(have.record)
        else:
            self._pending.pass_over(have.record)
        if base is not None:
            self._joining.base(self._pending.next, base)
        old = set() if have.state == State.WITHDRAWN else self._searchable(have.record)
        self.changes.doubt(old.difference(version.hittable))
        self._insert(entry, version, had=old)

    def _searchable(self, record: int) -> set[Hash]:
        stored = self._connection.execute(
            "SELECT kind, value, why_not FROM hashes WHERE record = ?", (record,)
        ).fetchall()
        self._judging.leave(stored)
        return {Hash(KINDS[kind], value) for kind, value, why_not in stored if why_not is None}

    def _insert(self, entry: str, version: Version, had: Container[Hash] = ()) -> None:
        own = self._own_states.get(entry) if self._own_states else None
        state = effective(version.state, own) if own else version.state
        self.states[state] += 1
        self._judging.see(version.hashes)
        new = version.hittable
        if new:
            self.changes.gain([item for item in new if item not in had] if had else new)
        self._pending.insert(entry, version, state)


def _bare(row: Row) -> Row:
    """What tells how a row and another stand to each other: its state and its time."""
    return Row(row.line, row.entry, row.state, (), updated=row.updated)


def _withdrawal(entry: str) -> Row:
    """What a file says by its silence of an entry that it would have named."""
    return Row(0, entry, State.WITHDRAWN, ())


def _low(version: Version) -> int:
    return version.why_not.count(LOW_INFORMATION)
