"""Foreign: an SQLite file of ours that may have been in other hands, and so holds data alone."""

from __future__ import annotations

import sqlite3

# What is computed may have no end, and keep both Ctrl-C and SIGTERM waiting; what is done at a
# change may undo it.
_MORE = (
    "SELECT 1 FROM sqlite_master WHERE type IN ('view', 'trigger')"
    " OR (type = 'table' AND rootpage = 0) LIMIT 1"
)


def check_data_alone(connection: sqlite3.Connection) -> None:
    """sqlite3.DatabaseError where a database has views, triggers or virtual tables, which no
    version of this library makes; what else its schema says may call no function that does more
    than compute.
    """
    connection.execute("PRAGMA trusted_schema = OFF")
    if connection.execute(_MORE).fetchone() is not None:
        raise sqlite3.DatabaseError("somebody added a view, a trigger or a virtual table to it")
