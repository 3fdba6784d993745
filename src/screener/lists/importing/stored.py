"""What a list holds of an entry, what the rows of a file say of it, and which is the older."""

from __future__ import annotations

import sqlite3
import time
from typing import NamedTuple

from screener.lists.states import State
from screener.lists.store.records import Row, united
from screener.lists.store.stored_rows import packed, unpacked
from screener.lists.times import moment


class Aside:
    """Rows of one import, entry by entry, in a table of that name."""

    def __init__(self, connection: sqlite3.Connection, table: str) -> None:
        """Begin with none; the table is made for the first."""
        self._connection = connection
        self._table = table
        self._made = False

    def put(self, entry: str, row: Row) -> None:
        """Put a row behind what is there of its entry."""
        if not self._made:
            self._connection.execute(
                f"CREATE TABLE {self._table}(entry TEXT NOT NULL, number INTEGER NOT NULL,"
                " row TEXT NOT NULL, PRIMARY KEY(entry, number)) WITHOUT ROWID"
            )
            self._made = True
        self._connection.execute(
            f"INSERT INTO {self._table} SELECT :entry, coalesce(max(number), 0) + 1, :row"
            f" FROM {self._table} WHERE entry = :entry",
            {"entry": entry, "row": packed(row)},
        )

    def beside(self, entry: str, row: Row) -> Row:
        """A row united with what is there of its entry."""
        if not self._made:
            return row
        found = self._connection.execute(
            f"SELECT row FROM {self._table} WHERE entry = ? ORDER BY number", (entry,)
        ).fetchall()
        return united(*(unpacked(text) for (text,) in found), row)

    def drop(self) -> None:
        """Forget all of it."""
        if self._made:
            self._connection.execute(f"DROP TABLE {self._table}")
            self._made = False


# What the rows of a file have said of a version so far.
_SAME = 1  # together what it says; the bits from `_BITS` on are the fields that they leave to it
_OLDER = 2  # only what is older than it
_BITS = 2


class Stored(NamedTuple):
    """The current version of an entry."""

    record: int
    state: str
    said: str
    updated: str | None
    fingerprint: bytes
    since: int
    import_id: int


COLUMNS = "entry, id, state, said, updated, fingerprint, since, import"  # the entry, then the above


class Met:
    """What the rows of one file have said of versions, by their numbers: of those that they found,
    and of those that they made. A byte for each.
    """

    def __init__(self, versions: int) -> None:
        """For versions whose numbers are below that one; `made` adds the others."""
        self._marks = bytearray(versions)

    def __getitem__(self, record: int) -> bool:
        """Whether a row met a version."""
        return self._marks[record] != 0

    def made(self, carried: int) -> None:
        """Note that rows made the next version, and what they leave to the one before it."""
        self._marks.append(_SAME | carried << _BITS)

    def same(self, record: int, carried: int) -> None:
        """Note that rows say what a version says, and what they leave to it: `Version.carried`."""
        self._marks[record] = _SAME | carried << _BITS

    def said_same(self, record: int) -> bool:
        """Whether the rows that met a version say what it says, but for older ones."""
        return self._marks[record] & _SAME != 0

    def older(self, record: int) -> None:
        """Note that a row is older than a version."""
        self._marks[record] = _OLDER

    def carried(self, record: int) -> int:
        """What rows that say what a version says leave to the list: `Version.carried`."""
        return self._marks[record] >> _BITS


class Ages:
    """Which of two statements of a source on an entry is the older, by its own times."""

    def __init__(self, connection: sqlite3.Connection, import_id: int, *, full: bool) -> None:
        """For the import of that number, whose file is all that its source has if it is `full`."""
        self._connection = connection
        self._import = import_id
        self._full = full
        self._imports: dict[int, tuple[float, int]] = {}  # read when first needed

    def outdated(self, have: Stored, row: Row) -> bool:
        """Whether the source itself says that a row is older than what the list holds of the entry.

        Without times that compare, the later import counts. But at one time a withdrawal stands,
        and one without a time counts as of its import: only what is of a later time, or of a
        list that is whole now, takes it back.
        """
        said = None if row.updated is None else moment(row.updated)
        if said is None:
            return False
        held = None if have.updated is None else moment(have.updated)
        stands = have.said == State.WITHDRAWN and row.state is not State.WITHDRAWN
        if held is None:
            if not stands or self._full:
                return False
            held, _ = self.imported(have.import_id)
        return said < held or (said == held and stands)

    def taken_up(self, have: Stored) -> bool:
        """Whether a version of a generation before was not made by the import that it came from,
        but taken up again later, as by a rollback.
        """
        _, generation = self.imported(have.import_id)
        return generation < have.since

    def imported(self, import_id: int) -> tuple[float, int]:
        """When an import was, and the generation after it."""
        if not self._imports:
            rows = self._connection.execute("SELECT id, time, generation FROM imports")
            self._imports = {number: (when, after) for number, when, after in rows}
            self._imports.setdefault(self._import, (time.time(), 0))
        return self._imports[import_id]
