"""Current versions as an import finds them, and whether a row is older than one."""

from __future__ import annotations

import sqlite3
import time
from typing import NamedTuple

from screener.lists.states import State
from screener.lists.store.records import Row
from screener.lists.times import parse_past_time

COLUMNS = "entry, id, state, said, updated, fingerprint, since, import"  # see `Stored`


class Stored(NamedTuple):
    """The current version of an entry."""

    entry: str
    record: int
    state: str
    said: str
    updated: str | None
    fingerprint: bytes
    since: int
    import_id: int


class Ages:
    """Which of two statements of a source about an entry is older, by the source's own times."""

    def __init__(self, connection: sqlite3.Connection, import_id: int, *, full: bool) -> None:
        """`full`: the file of this import is all that its source has."""
        self._connection = connection
        self._import = import_id
        self._full = full
        self._imports: dict[int, tuple[float, int]] = {}  # read when first needed

    def outdated(self, have: Stored, row: Row) -> bool:
        """Return whether the source itself says that a row is older than the stored version.

        Without times that compare, the later import counts. At one time a withdrawal stands. A
        withdrawal without a time counts from its import: only a row of a later time, or of a
        file that is `full`, takes it back.
        """
        when = None if row.updated is None else parse_past_time(row.updated)
        if when is None:
            return False
        before = None if have.updated is None else parse_past_time(have.updated)
        stands = have.said == State.WITHDRAWN and row.state is not State.WITHDRAWN
        if before is None:
            if not stands or self._full:
                return False
            before, _ = self.imported(have.import_id)
        return when < before or (when == before and stands)

    def brought_back(self, have: Stored) -> bool:
        """Return whether a version was brought back by a rollback after its import."""
        _, generation = self.imported(have.import_id)
        return generation < have.since

    def imported(self, import_id: int) -> tuple[float, int]:
        """Return when an import was, and the generation after it."""
        if not self._imports:
            rows = self._connection.execute("SELECT id, time, generation FROM imports")
            self._imports = {number: (when, after) for number, when, after in rows}
            self._imports.setdefault(self._import, (time.time(), 0))
        return self._imports[import_id]
