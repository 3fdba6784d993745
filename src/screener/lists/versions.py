"""Versions: what an import makes of the entries of one source, inside its transaction.

The same content changes nothing, another makes a new version of the record. A further row of the
same file on an entry is united with what the file said of it before, at the same time or at none;
a later one stands in its place, and an earlier one is left. Memory is bounded by the
batch, one byte for each version there was and each new one, 24 for each replaced, and the packed
values that changed.
"""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Container, Mapping

from screener.hashing.hash import KINDS, Hash
from screener.lists import frames, placeholders, quarantine, terms
from screener.lists.inserts import Inserts
from screener.lists.records import (
    LOW_INFORMATION,
    Row,
    Version,
    opinions_at,
    stored_labels,
    stored_row,
    united,
    version_of,
)
from screener.lists.segments import Changes
from screener.lists.states import State, effective
from screener.lists.stored import COLUMNS, Ages, Stored
from screener.lists.times import order

_AT_ONCE = 500  # entries asked of SQLite in one question
_WINDOW = 5_000  # versions asked of SQLite at once by their numbers
_MARKS = 1 << 27  # bits, 16 MiB
# What the rows of a file that met a version of a generation before were, so far.
_SAME = 1  # they say what it says, together; the bits above `_MET` are what they leave to it
_OLDER = 2  # older than it
_MET = 2  # bits


class Versions:
    """The records of a source, as one import changes them towards generation `number`.

    `counts` are added, changed, unchanged, repeated, outdated, absent, low_information and
    placeholders;
    `states` follows how many records of the whole list are in each state, and `changes` its
    searchable values.
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
        opinions: bool = False,
    ) -> None:
        """Begin with the states of the generation before, and what else changes in this one.

        `full`: the file is all that its source has, now. `opinions`: its rows on one entry stand
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
        self._beside = opinions
        self._sets_by = False  # whether the table is there: see `_set_by`
        self._ages = Ages(connection, import_id, full=full)
        newest = connection.execute("SELECT max(id) FROM records").fetchone()[0]
        self._next = (newest or 0) + 1
        self._met = bytearray(self._next)  # what rows of this file met each version
        self._first = self._next
        self._carried = bytearray()  # of each version of this import: see `Version.carried`
        self._remade = False
        self._replaced = array("q")  # versions of generations before that this import ended
        self._fresh, self._bases = array("q"), array("q")  # see `_base_of`
        self._passed = array("q")  # versions of this import in whose place a later one came
        self._judged = placeholders.judged(connection)
        self._repeats: dict[placeholders.Value, bool] = {}  # of `_judged`: what this source does
        self._left: set[placeholders.Value] = set()  # that versions which this import ended held
        self._seen = placeholders.Seen()
        self._opinions = {
            entry: [opinion.state for opinion in held]
            for (whose, entry), held in opinions_at(connection, number).items()
            if whose == source
        }
        self._inserts = Inserts(connection)
        self._news = None if self._holds_any() else _News()
        self._clear()

    def _holds_any(self) -> bool:
        held = "SELECT 1 FROM records WHERE source = ? AND until IS NULL LIMIT 1"
        return self._connection.execute(held, (self._source,)).fetchone() is not None

    def _clear(self) -> None:
        self._ended: list[tuple[int, int]] = []
        self._removed: list[tuple[int]] = []
        self._records: list[tuple[object, ...]] = []
        self._hashes: list[tuple[object, ...]] = []
        self._frames: list[frames.FrameRow] = []

    def take(self, entries: Mapping[str, Row]) -> None:
        """Store a batch: each entry once, with what the rows of the batch say of it.

        It may be on its way into the database when this returns: see `settle`.
        """
        versions = [self._judge(version_of(row)) for row in entries.values()]
        stored = self._lookup(list(entries))
        for version, (entry, row) in zip(versions, entries.items(), strict=True):
            have = stored.get(entry)
            if have is not None and (have.since == self._number or self._met[have.record]):
                self.counts["repeated"] += 1
                self._take_further(entry, have, row)
                continue
            if have is None:
                self.counts["added"] += 1
                self.counts["low_information"] += _low(version)
                self._insert(entry, version)
            else:
                self._take_first(entry, have, row, version)
        self._flush()

    def settle(self) -> None:
        """Wait until all that was taken is in the database, as whoever asks it must, and whoever
        gives up; raises sqlite3.Error where that failed.
        """
        self._inserts.settle()

    def take_late(self, entries: Mapping[str, Row], *, absent_from: int | None) -> None:
        """Take rows that this import had set aside, as it would have taken them.

        From version `absent_from` on, those of the import withdraw what it did not name: no word
        against a row that would have named it. None: it withdrew nothing by its silence.
        """
        stored = self._lookup(list(entries))
        for entry, have in stored.items():
            before = self._before_absence(entry, have, absent_from)
            version = self._late(before, entries[entry])
            if version.fingerprint != have.fingerprint:
                self.counts["changed"] += 1
                self._replace(entry, have, version)
        try:
            self._flush()
            self.take({entry: row for entry, row in entries.items() if entry not in stored})
        finally:
            self.settle()

    def _before_absence(self, entry: str, have: Stored, absent_from: int | None) -> Stored:
        """What was held of an entry before this import withdrew it by not naming it, if it did."""
        own = absent_from is not None and have.import_id == self._import
        if not own or have.said != State.WITHDRAWN or have.record < (absent_from or 0):
            return have
        before = self._connection.execute(
            f"SELECT {COLUMNS} FROM records WHERE source = ? AND entry = ? AND until = ?",
            (self._source, entry, have.since),
        ).fetchone()
        return have if before is None or have.updated is not None else Stored(*before[1:])

    def _late(self, have: Stored, row: Row) -> Version:
        """What becomes of an entry by a row that comes in late: that it is of a later time, or of a
        later import, or else of the same, and no more than the first of these that is known.
        """
        way = order(row.updated, have.updated)
        if way == -1 or self._ages.outdated(have, row):
            return self._judge(version_of(stored_row(self._connection, have.record)))
        if way == 1 or (way is None and have.import_id != self._import):
            return self._instead(have, row)
        return self._united(have, row)

    def withdraw_absent(self) -> tuple[int, int]:
        """Withdraw every entry that no row of the file named: the file was all that the source
        has. How many entries the source had, and how many of these are withdrawn now, by the file's
        silence or its word; whatever it adds.
        """
        self.settle()
        whose = (self._source, State.WITHDRAWN)
        before = self._connection.execute(
            "SELECT count(*) FROM records WHERE source = ? AND state <> ?"
            " AND since < ? AND (until IS NULL OR until >= ?)",
            (*whose, self._number, self._number),
        ).fetchone()[0]
        self.absent_from = self._next
        for start in range(0, self._first, _WINDOW):
            self._withdraw_unmet(start, min(start + _WINDOW, self._first))
        self._drop_passed()
        gone = self._connection.execute(
            "SELECT count(*) FROM records old CROSS JOIN records new ON new.source = old.source"
            " AND new.entry = old.entry AND new.until IS NULL AND new.state = ?2"
            " WHERE old.source = ?1 AND old.until = ?3 AND old.state <> ?2",
            (*whose, self._number),
        ).fetchone()[0]
        return before, gone

    def _withdraw_unmet(self, start: int, stop: int) -> None:
        """Withdraw the versions of these numbers that no row met: a window of them at a time, for
        a list may hold as many as a file names none of.
        """
        if 0 not in self._met[start:stop]:
            return
        self.settle()
        # The plus keeps SQLite from going through all of the source by its index.
        waiting = self._connection.execute(
            f"SELECT {COLUMNS} FROM records WHERE id >= ? AND id < ?"
            " AND +source = ? AND state <> ? AND until IS NULL AND since < ?",
            (start, stop, self._source, State.WITHDRAWN, self._number),
        ).fetchall()
        for entry, *have in waiting:
            stored = Stored(*have)
            if not self._met[stored.record]:
                self.counts["absent"] += 1
                self._replace(entry, stored, self._instead(stored, _withdrawal(entry)))
        self._flush()

    def finish(self) -> bool:
        """Whether anything changed after all."""
        self.settle()
        self._drop_passed()
        if self._sets_by:
            self._connection.execute("DROP TABLE set_by")
        if self._remade:
            self._undo_round_trips()
        if not (self.counts["added"] or self.counts["changed"] or self.counts["absent"]):
            return False
        held = {*self._seen.shared(self._connection, self._source), *self._repeats}
        found = placeholders.judge(
            self._connection, self._number, self.changes, self._source, sorted(held | self._left)
        )
        self.counts["placeholders"] += len(held.intersection(found))
        return True

    def _judge(self, version: Version) -> Version:
        """Whether its hashes are compared, also by what was found or decided of their values."""
        if not self._judged:
            return version
        why_not = list(version.why_not)
        for place, item in enumerate(version.hashes):
            value = item.kind.name, item.value
            if value not in self._judged:
                continue
            if self._judged[value] is None:
                why_not[place] = None
            elif self._repeated(value):
                why_not[place] = placeholders.REPEATED
        return version._replace(why_not=tuple(why_not))

    def _repeated(self, value: placeholders.Value) -> bool:
        """Whether the source repeated a value before this import came to it; `finish` tells anew,
        so this spares the work of marking many records one by one.
        """
        if value not in self._repeats:
            self.settle()
            self._repeats[value] = placeholders.is_placeholder(
                self._connection, self._source, value
            )
        return self._repeats[value]

    def _lookup(self, entries: list[str]) -> dict[str, Stored]:
        """Those of the entries that the list holds, with what it holds of them."""
        if self._news is not None:
            entries = self._news.met_before(entries)
        found: dict[str, Stored] = {}
        if entries:
            self.settle()
        for start in range(0, len(entries), _AT_ONCE):
            some = entries[start : start + _AT_ONCE]
            for entry, *have in self._connection.execute(
                f"SELECT {COLUMNS} FROM records WHERE source = ? AND until IS NULL"
                f" AND entry IN ({','.join('?' * len(some))})",
                (self._source, *some),
            ):
                found[entry] = Stored(*have)
        return found

    def _take_first(self, entry: str, have: Stored, row: Row, version: Version) -> None:
        """Take the first row of the file on an entry that the list holds."""
        if version.fingerprint != have.fingerprint:
            version = self._instead(have, row)
        if version.fingerprint == have.fingerprint:
            self.counts["unchanged"] += 1
            self._met[have.record] = _SAME | version.carried << _MET
        elif self._ages.outdated(have, row):
            self.counts["outdated"] += 1
            self._met[have.record] = _OLDER
            if self._beside:
                self._set_by(entry, row)
            return
        else:
            self.counts["changed"] += 1
            self._replace(entry, have, version)
        self.counts["low_information"] += _low(version)

    def _take_further(self, entry: str, have: Stored, row: Row) -> None:
        """Take a further row of the file on an entry: as a page of its own would be, but united
        with what the file said of the entry before, where no time tells which of the two came last.
        """
        fresh = have.since == self._number
        if not fresh and self._met[have.record] == _OLDER:
            was = "outdated"
            older = self._ages.outdated(have, row)
            if self._beside:  # with one that is not older, all that the file says counts
                row = united(self._set_by_before(entry), row)
            if older:
                if self._beside:
                    self._set_by(entry, row)
                return
            unite = False
        else:
            was = "unchanged"
            way = None if self._beside else order(row.updated, have.updated)
            if way == -1:
                return
            unite = way != 1
        version = self._beside_it(have, row) if unite else self._instead(have, row)
        counted = 0 if was == "outdated" else self._low_stored(have)
        self.counts["low_information"] += _low(version) - counted
        if not fresh:
            self.counts[was] -= 1
        if version.fingerprint == have.fingerprint:
            if not fresh:
                self.counts["unchanged"] += 1
                self._met[have.record] = _SAME | version.carried << _MET
            return
        if not fresh:
            self.counts["changed"] += 1
        self._replace(entry, have, version, united=unite)

    def _set_by(self, entry: str, row: Row) -> None:
        """Keep what the rows of the file, which are opinions, say of an entry and is older than
        what is held, for a further one may be newer: in the database, since they may be many.
        """
        if not self._sets_by:
            self._connection.execute(
                "CREATE TABLE set_by(entry TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID"
            )
            self._sets_by = True
        self._connection.execute(
            "INSERT OR REPLACE INTO set_by VALUES (?, ?)", (entry, quarantine.pack(row))
        )

    def _set_by_before(self, entry: str) -> Row:
        query = "SELECT row FROM set_by WHERE entry = ?"
        (text,) = self._connection.execute(query, (entry,)).fetchone()
        return quarantine.unpack(text, None)

    def _low_stored(self, have: Stored) -> int:
        (count,) = self._connection.execute(
            "SELECT count(*) FROM hashes WHERE record = ? AND why_not = ?",
            (have.record, LOW_INFORMATION),
        ).fetchone()
        return int(count)

    def _united(self, have: Stored, row: Row) -> Version:
        """What is held of an entry and a row on it, together. Labels that this import left to it
        make way for what the row says of the same.
        """
        held, carried = stored_row(self._connection, have.record), self._carried_by(have)
        if carried:
            said = terms.fields_said(row.labels)
            away = terms.of_fields(held.labels, carried & said)
            labels = {name: text for name, text in held.labels.items() if name not in away}
            held, carried = held._replace(labels=labels), carried & ~said
        return self._judge(version_of(united(held, row)))._replace(carried=carried)

    def _beside_it(self, have: Stored, row: Row) -> Version:
        """What the file said of an entry before, and a further row on it. Of a kind of which the
        row has a value that cannot be read, what was held before the file said it stays as well.
        """
        base = self._base_of(have.record) if row.damaged else None
        if base is not None:
            kept = self._held_of_kinds(base, row.damaged)
            row = row._replace(hashes=(*row.hashes, *kept))
        return self._united(have, row)

    def _held_of_kinds(self, record: int, kinds: Container[str]) -> list[Hash]:
        """The hashes of some kinds in a version that does not withdraw its entry."""
        held = stored_row(self._connection, record)
        if held.state is State.WITHDRAWN:
            return []
        return [item for item in held.hashes if item.kind.name in kinds]

    def _base_of(self, record: int) -> int | None:
        """The version in whose place a version of this import came; None where there was none.

        Rows that are united are of one base, so that it does not matter which of them came first.
        """
        place = bisect_left(self._fresh, record)
        found = place < len(self._fresh) and self._fresh[place] == record
        return self._bases[place] if found else None

    def _carried_by(self, have: Stored) -> int:
        if have.record >= self._first:
            return self._carried[have.record - self._first]
        return self._met[have.record] >> _MET

    def _instead(self, have: Stored, row: Row) -> Version:
        """A row in the place of what is held of its entry. Of a kind of which the row has a value
        that cannot be read, the held values stay: they are the best that is known of it. So do the
        labels that bind the entry, of which the row says nothing: what was said is not taken back
        by a file without such a column, nor by a withdrawal.
        """
        if row.damaged:
            kept = self._held_of_kinds(have.record, row.damaged)
            row = row._replace(hashes=(*row.hashes, *kept))
        labels = stored_labels(self._connection, have.record)
        carried = terms.fields_said(labels) & ~terms.fields_said(row.labels)
        if carried:
            row = row._replace(labels={**row.labels, **terms.of_fields(labels, carried)})
        return self._judge(version_of(row))._replace(carried=carried)

    def _replace(self, entry: str, have: Stored, version: Version, *, united: bool = False) -> None:
        self.states[have.state] -= 1
        base: int | None = have.record
        if have.since != self._number:
            self._ended.append((self._number, have.record))
            self._replaced.append(have.record)
        elif united:
            self._removed.append((have.record,))
            self._remade = True
            base = self._base_of(have.record)
        else:
            self._ended.append((self._number, have.record))
            self._passed.append(have.record)
            self._remade = True
        if base is not None:
            self._fresh.append(self._next)
            self._bases.append(base)
        old = set() if have.state == State.WITHDRAWN else self._searchable(have.record)
        self.changes.doubt(old.difference(version.hittable))
        self._insert(entry, version, had=old)

    def _searchable(self, record: int) -> set[Hash]:
        found = set()
        for kind, value, why_not in self._connection.execute(
            "SELECT kind, value, why_not FROM hashes WHERE record = ?", (record,)
        ):
            if why_not is None:
                found.add(Hash(KINDS[kind], value))
            elif why_not == placeholders.REPEATED:
                self._left.add((kind, value))
        return found

    def _insert(self, entry: str, version: Version, had: Container[Hash] = ()) -> None:
        record = self._next
        self._next += 1
        own = self._opinions.get(entry) if self._opinions else None
        state = effective(version.state, own) if own else version.state
        self.states[state] += 1
        self._carried.append(version.carried)
        self._seen.add(version.hashes)
        new = version.hittable
        if new:
            self.changes.gain([item for item in new if item not in had] if had else new)
        self._records.append(
            (
                record,
                self._source,
                entry,
                str(state),  # SQLite's module is slow with what is not a plain text
                version.categories,
                version.labels,
                version.updated,
                version.fingerprint,
                self._import,
                self._number,
                None,
                str(version.state),
            )
        )
        for item, why_not in zip(version.hashes, version.why_not, strict=True):
            self._hashes.append((record, item.kind.name, item.value, item.quality, why_not))
        videos = [
            item.value
            for item, why_not in zip(version.hashes, version.why_not, strict=True)
            if item.kind.video and why_not is None
        ]
        if videos:
            self._frames += frames.rows_of(record, videos)

    def _flush(self) -> None:
        """Write the batch; what it ends goes first, since an entry has one current version."""
        self.settle()
        write = self._connection.executemany
        write("UPDATE records SET until = ? WHERE id = ?", self._ended)
        write("DELETE FROM hashes WHERE record = ?", self._removed)
        write("DELETE FROM frames WHERE record = ?", self._removed)
        write("DELETE FROM records WHERE id = ?", self._removed)
        self._inserts.begin(
            [("records", self._records), ("hashes", self._hashes), ("frames", self._frames)]
        )
        self._clear()

    def _drop_passed(self) -> None:
        """Remove what the file itself said and then took back: no generation has it."""
        for start in range(0, len(self._passed), _WINDOW):
            self._removed = [(record,) for record in self._passed[start : start + _WINDOW]]
            self._flush()
        self._passed = array("q")
        self.settle()

    def _undo_round_trips(self) -> None:
        """Drop new versions that, once all rows of the entry were united, equal the old one."""
        pairs: list[tuple[int, int]] = []
        for start in range(0, len(self._replaced), _AT_ONCE):
            some = self._replaced[start : start + _AT_ONCE]
            pairs += self._connection.execute(
                "SELECT new.id, old.id FROM records old CROSS JOIN records new"
                " ON new.source = old.source AND new.entry = old.entry AND new.until IS NULL"
                f" WHERE old.id IN ({','.join('?' * len(some))})"
                " AND old.fingerprint = new.fingerprint",
                some,
            )
        self._removed = [(new,) for new, _ in pairs]
        self._flush()
        self._connection.executemany(
            "UPDATE records SET until = NULL WHERE id = ?", [(old,) for _, old in pairs]
        )
        self.counts["changed"] -= len(pairs)
        self.counts["unchanged"] += len(pairs)


def _withdrawal(entry: str) -> Row:
    """What a file says by its silence of an entry that it would have named."""
    return Row(0, entry, State.WITHDRAWN, ())


def _low(version: Version) -> int:
    return version.why_not.count(LOW_INFORMATION)


class _News:
    """Which entries of a source that had none were met before, but for a few taken for such.

    Bits in a fixed number, one for each entry met: asking the database for each would take as
    long as reading the file.
    """

    def __init__(self) -> None:
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
