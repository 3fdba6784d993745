"""Foreign: an SQLite file of ours that may have been in other hands, and so holds data alone."""

from __future__ import annotations

import sqlite3

# Of a row of a schema: whether it is a table whose rows are in the file. Strictly: SQLite takes it
# by its text, whatever the case of the type, and text that is bytes as well.
STORED = "(type IS 'table' AND typeof(rootpage) IS 'integer' AND rootpage > 0)"

# What is computed may have no end, and keep both Ctrl-C and SIGTERM waiting; what is done at a
# change may undo it.
_MORE = f"SELECT 1 FROM sqlite_master WHERE NOT ({STORED} OR type IS 'index') LIMIT 1"


def check_data_alone(connection: sqlite3.Connection) -> None:
    """sqlite3.DatabaseError where a database has views, triggers or virtual tables, which no
    version of this library makes; what else its schema says may call no function that does more
    than compute. The connection is closed where this raises.
    """
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        if connection.execute(_MORE).fetchone() is not None:
            raise sqlite3.DatabaseError("somebody added a view, a trigger or a virtual table to it")
    except BaseException:
        connection.close()
        raise
