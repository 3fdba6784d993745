"""Pending: new versions of one import on their way into the database, and the ends of old ones.

Memory is bounded by the batch, and 8 bytes for each version that ended or was passed.
"""

from __future__ import annotations

import sqlite3
from array import array

from screener.lists.importing.background_inserts import Inserts
from screener.lists.importing.stored import Met
from screener.lists.states import MATCHING, State
from screener.lists.store import video_frames
from screener.lists.store.database import some_at_once
from screener.lists.store.stored_rows import Version

_WINDOW = 5_000  # versions that are removed at once
# Words that withdraw an entry and are no version of any generation: see `Pending.word`.
_BY_ENTRY = "CREATE INDEX IF NOT EXISTS records_words ON records(source, entry) WHERE until = since"
_EQUAL_WORD = (
    "SELECT id FROM records WHERE source = ? AND entry = ? AND fingerprint = ? AND until = since"
)
_MATCHES = f"state IN ({', '.join('?' * len(MATCHING))})"
_STOPS = f"(old.{_MATCHES} AND NOT new.{_MATCHES})"
_STOPPED = [*map(str, MATCHING), *map(str, MATCHING)]


class Pending:
    """What one import writes of the records of a source, towards generation `number`.

    `next` is the number that the next new version will have, `first` that of the first; `met` has
    all of them.
    """

    def __init__(
        self, connection: sqlite3.Connection, source: str, *, number: int, import_id: int
    ) -> None:
        """Begin with nothing to write."""
        self._connection = connection
        self._source = source
        self._number = number
        self._import = import_id
        newest = connection.execute("SELECT max(id) FROM records").fetchone()[0]
        self.first = self.next = (newest or 0) + 1
        self.met = Met(self.first)
        self._remade = False
        self._replaced = array("q")  # versions of generations before that this import ended
        self._passed = array("q")  # versions of this import in whose place a later one came
        self._inserts = Inserts(connection)
        self._words = 0  # in this batch
        self._withdraws = False
        self._clear()

    def _clear(self) -> None:
        self._ended: list[tuple[int, int]] = []
        self._removed: list[tuple[int]] = []
        self._records: list[tuple[object, ...]] = []
        self._hashes: list[tuple[object, ...]] = []
        self._frames: list[video_frames.FrameRow] = []

    def insert(self, entry: str, version: Version, state: State) -> None:
        """Write a new version, in effect in that state."""
        self._withdraws |= version.state is State.WITHDRAWN
        record = self._write(entry, version, state, until=None)
        videos = [
            item.value
            for item, why_not in zip(version.hashes, version.why_not, strict=True)
            if item.kind.video and why_not is None
        ]
        if videos:
            self._frames += video_frames.rows_of(record, videos)

    def word(self, entry: str, version: Version) -> None:
        """Keep a withdrawal that changes nothing now, as a version of no generation.

        It counts once a rollback takes back what stands in its place: what was withdrawn since is
        not listed by that. Of equal ones the last is kept.
        """
        if not self._words:
            self.settle()
            self._connection.execute(_BY_ENTRY)
        self._words += 1
        self._write(entry, version, State.WITHDRAWN, until=self._number)

    def _write(self, entry: str, version: Version, state: State, *, until: int | None) -> int:
        record = self.next
        self.next += 1
        self.met.made(version.carried)
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
                until,
                str(version.state),
            )
        )
        for item, why_not in zip(version.hashes, version.why_not, strict=True):
            self._hashes.append((record, item.kind.name, item.value, item.quality, why_not))
        return record

    def end(self, record: int) -> None:
        """End a version of a generation before."""
        self._ended.append((self._number, record))
        self._replaced.append(record)

    def pass_over(self, record: int) -> None:
        """End a version of this import in whose place a later one comes."""
        self._ended.append((self._number, record))
        self._passed.append(record)
        self._remade = True

    def remove(self, record: int) -> None:
        """Take away a version of this import that another, which is united with it, replaces."""
        self._removed.append((record,))
        self._remade = True

    def flush(self) -> None:
        """Write the batch; what it ends goes first, since an entry has one current version.

        It may be on its way into the database when this returns: see `settle`.
        """
        self.settle()
        if self._words:
            self._remove_equal_words()
        write = self._connection.executemany
        write("UPDATE records SET until = ? WHERE id = ?", self._ended)
        for table, column in (("hashes", "record"), ("frames", "record"), ("records", "id")):
            write(f"DELETE FROM {table} WHERE {column} = ?", self._removed)
        self._inserts.begin(
            [("records", self._records), ("hashes", self._hashes), ("frames", self._frames)]
        )
        self._clear()

    def _remove_equal_words(self) -> None:
        for _, source, entry, *_, fingerprint, _, since, until, _ in self._records:
            if until == since:
                self._removed += self._connection.execute(
                    _EQUAL_WORD, (source, entry, fingerprint)
                ).fetchall()
        self._words = 0

    def settle(self) -> None:
        """Wait until all that was written is in the database, as whoever asks it must, and whoever
        gives up; raises sqlite3.Error where that failed.
        """
        self._inserts.settle()

    def drop_passed(self) -> None:
        """Remove what the file itself said and then took back, for no generation has it; but for
        withdrawals, which are kept as words: see `word`.
        """
        for start in range(0, len(self._passed), _WINDOW):
            self.settle()
            self._removed = [
                found
                for some, marks in some_at_once(self._passed[start : start + _WINDOW])
                for found in self._connection.execute(
                    f"SELECT id FROM records WHERE id IN ({marks}) AND said <> ?",
                    (*some, State.WITHDRAWN),
                )
            ]
            self.flush()
        self._passed = array("q")
        self.settle()

    def undo_round_trips(self) -> int:
        """Drop new versions that, once all rows of the entry were united, equal the old one; how
        many.
        """
        if not self._remade:
            return 0
        pairs: list[tuple[int, int]] = []
        for some, marks in some_at_once(self._replaced):
            pairs += self._connection.execute(
                "SELECT new.id, old.id FROM records old CROSS JOIN records new"
                " ON new.source = old.source AND new.entry = old.entry AND new.until IS NULL"
                f" WHERE old.id IN ({marks}) AND old.fingerprint = new.fingerprint",
                some,
            )
        self._removed = [(new,) for new, _ in pairs]
        self.flush()
        self._connection.executemany(
            "UPDATE records SET until = NULL WHERE id = ?", [(old,) for _, old in pairs]
        )
        return len(pairs)

    def withdrawn_first(self) -> int:
        """How many entries are withdrawn by versions of this import that stand in the place of
        none before: the list had nothing of them.
        """
        if not self._withdraws:
            return 0
        (withdrawn,) = self._connection.execute(
            "SELECT count(*) FROM records WHERE id >= ? AND until IS NULL AND said = ?",
            (self.first, State.WITHDRAWN),
        ).fetchone()
        return int(withdrawn) - self._replaced_where("new.said = ?", State.WITHDRAWN)

    def stopped(self) -> int:
        """How many entries matched, and by the versions of this import match no more."""
        return self._replaced_where(_STOPS, *_STOPPED)

    def gone(self) -> int:
        """How many entries stopped so, or were not withdrawn and are withdrawn now."""
        return self._replaced_where(
            f"({_STOPS} OR (old.state <> ? AND new.state = ?))",
            *_STOPPED,
            *(2 * [str(State.WITHDRAWN)]),
        )

    def _replaced_where(self, condition: str, *values: str) -> int:
        """How many entries have a `new` version of this import in the place of an `old` one."""
        found = 0
        for some, marks in some_at_once(self._replaced):
            found += self._connection.execute(
                "SELECT count(*) FROM records old CROSS JOIN records new"
                " ON new.source = old.source AND new.entry = old.entry AND new.until IS NULL"
                f" WHERE old.id IN ({marks}) AND new.id >= ? AND {condition}",
                (*some, self.first, *values),
            ).fetchone()[0]
        return found
