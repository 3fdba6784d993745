"""What a list holds of an entry, and whether what its source says now is older than that."""

from __future__ import annotations

import sqlite3
import time
from typing import NamedTuple

from screener.lists.records import Row
from screener.lists.states import State
from screener.lists.times import moment


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


class Ages:
    """Which of two statements of a source on an entry is the older, by its own times."""

    def __init__(self, connection: sqlite3.Connection, import_id: int, *, full: bool) -> None:
        """For the import of that number, whose file is all that its source has if it is `full`."""
        self._connection = connection
        self._import = import_id
        self._full = full
        self._imported: dict[int, float] = {}  # when each import was; read when first needed

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
            held = self._imported_at(have.import_id)
        return said < held or (said == held and stands)

    def _imported_at(self, import_id: int) -> float:
        if not self._imported:
            rows = self._connection.execute("SELECT id, time FROM imports")
            self._imported = {self._import: time.time(), **dict(rows.fetchall())}
        return self._imported[import_id]
