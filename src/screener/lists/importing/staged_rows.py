"""Rows of a file that wait until all its rows are read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from screener.lists.store.records import Row
from screener.lists.store.stored_rows import decode_row, encode_row


class StagedRows:
    """Rows in a table of the list's database; memory holds those of one entry."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._has_table = False

    def add(self, rows: Iterable[tuple[str, Row]]) -> None:
        """Stage rows of entries."""
        encoded = [(entry, encode_row(row)) for entry, row in rows]
        if encoded and not self._has_table:
            self._connection.execute(
                "CREATE TABLE staged(id INTEGER PRIMARY KEY, entry TEXT, row TEXT)"
            )
            # Create the index now: sorting later would write entries into a temporary file.
            self._connection.execute("CREATE INDEX staged_by_entry ON staged(entry, id)")
            self._has_table = True
        if encoded:
            self._connection.executemany("INSERT INTO staged(entry, row) VALUES (?, ?)", encoded)

    def take(self) -> Iterator[tuple[str, list[Row]]]:
        """Yield each entry with its rows in order, and drop the table."""
        if not self._has_table:
            return
        rows = self._connection.execute("SELECT entry, row FROM staged ORDER BY entry, id")
        for entry, group in groupby(rows, itemgetter(0)):
            yield entry, [decode_row(text) for _, text in group]
        self._connection.execute("DROP TABLE staged")
        self._has_table = False
