"""Store rows of entries that a file names several times until all are read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from screener.lists.store.records import Row
from screener.lists.store.stored_rows import decode_row, encode_row


class RepeatedRows:
    """Rows in a temporary table of the list's database; memory holds those of one entry."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._has_table = False

    def add_first(self, entry: str, row: Row) -> None:
        """Store the first row of an entry, if the stored version differs from it."""
        self._insert([(entry, 0, encode_row(row))])

    def add(self, entry: str, rows: Iterable[Row]) -> None:
        """Store further rows of an entry."""
        self._insert((entry, 1, encode_row(row)) for row in rows)

    def _insert(self, rows: Iterable[tuple[str, int, str]]) -> None:
        if not self._has_table:
            self._connection.execute(
                "CREATE TABLE repeated_rows(entry TEXT NOT NULL, further INTEGER NOT NULL,"
                " number INTEGER PRIMARY KEY, row TEXT NOT NULL)"
            )
            # Create the index now: sorting later would write entries into a temporary file.
            self._connection.execute(
                "CREATE INDEX repeated_entries ON repeated_rows(entry, number)"
            )
            self._has_table = True
        self._connection.executemany(
            "INSERT INTO repeated_rows(entry, further, row) VALUES (?, ?, ?)", rows
        )

    def take(self) -> Iterator[tuple[str, list[Row]]]:
        """Yield each entry with further rows and all its rows in order; delete all rows."""
        if not self._has_table:
            return
        rows = self._connection.execute(
            "SELECT r.entry, r.row FROM repeated_rows r WHERE EXISTS (SELECT 1 FROM repeated_rows f"
            " WHERE f.entry = r.entry AND f.further) ORDER BY r.entry, r.number"
        )
        for entry, group in groupby(rows, itemgetter(0)):
            yield entry, [decode_row(text) for _, text in group]
        self._connection.execute("DROP TABLE repeated_rows")
        self._has_table = False
