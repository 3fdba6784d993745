"""Aside: rows of a file that a further row on their entry may need again.

They lie in the database, since they may be many, and are gone when the import ends.
"""

from __future__ import annotations

import sqlite3

from screener.lists.records import Row, united
from screener.lists.stored_rows import packed, unpacked


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
