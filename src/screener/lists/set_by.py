"""Set by: what rows of a file, which are opinions, say of an entry and is older than what is held.

A further row on the entry may be newer, and then all that the file says of it counts. It lies in
the database, since it may be much.
"""

from __future__ import annotations

import sqlite3

from screener.lists import quarantine
from screener.lists.records import Row


class SetBy:
    """The rows of one import that are set by, united entry by entry."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Begin with none; the table is made for the first."""
        self._connection = connection
        self._made = False

    def keep(self, entry: str, row: Row) -> None:
        """Keep a row, in the place of what is kept of its entry."""
        if not self._made:
            self._connection.execute(
                "CREATE TABLE set_by(entry TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID"
            )
            self._made = True
        self._connection.execute(
            "INSERT OR REPLACE INTO set_by VALUES (?, ?)", (entry, quarantine.pack(row))
        )

    def kept(self, entry: str) -> Row:
        """What is kept of an entry of which something was."""
        query = "SELECT row FROM set_by WHERE entry = ?"
        (text,) = self._connection.execute(query, (entry,)).fetchone()
        return quarantine.unpack(text, None)

    def drop(self) -> None:
        """Forget all of it."""
        if self._made:
            self._connection.execute("DROP TABLE set_by")
            self._made = False
