"""Open the SQLite files of this library, explain their errors, and run transactions."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from screener.system.row_checks import Forms, report_damage
from screener.system.sqlite_errors import explain

# Condition of a schema row of a table whose rows are in the file. The comparisons are strict, since
# SQLite ignores the case of the type and accepts bytes as text.
STORED = "(type IS 'table' AND typeof(rootpage) IS 'integer' AND rootpage > 0)"

# A view may run forever, and delay both Ctrl-C and SIGTERM. A trigger may undo a change.
_FIND_FOREIGN = f"SELECT 1 FROM sqlite_master WHERE NOT ({STORED} OR type IS 'index') LIMIT 1"

Report = Callable[[str], Exception]  # returns the exception to raise for a reason in words


@contextlib.contextmanager
def open_database(
    path: Path, mode: str, forms: Forms, *, wait: float, failed: Report, damaged: Report
) -> Iterator[sqlite3.Connection]:
    """Yield a connection to a database, and close it.

    Parameters:
        path: the database
        mode: "ro" or "rw"
        forms: the conditions that sound rows satisfy
        wait: seconds to wait for other writers
        failed: makes the exception for an error of SQLite, from its message and likely cause
        damaged: makes the exception for a damaged row, from its description
    """
    with (
        report_errors(path, failed),
        contextlib.closing(connect(path, mode, wait=wait)) as connection,
        report_damage(connection, forms, damaged),
    ):
        yield connection


def connect(path: Path, mode: str, *, wait: float) -> sqlite3.Connection:
    """Return a connection in SQLite's `mode` ("ro", "rw") that begins no transaction itself.

    It waits `wait` seconds for other writers. Threads may share it if they take turns. Functions in
    the schema cannot have side effects. Raises sqlite3.Error if the database cannot be opened, or
    has views, triggers or virtual tables, which no version of this library makes.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True, isolation_level=None, timeout=wait, check_same_thread=False,
    )  # fmt: skip
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        if connection.execute(_FIND_FOREIGN).fetchone() is not None:
            raise sqlite3.DatabaseError("somebody added a view, a trigger or a virtual table to it")
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def report_errors(
    path: Path, failed: Report, *, errors: tuple[type[Exception], ...] = (sqlite3.Error,)
) -> Iterator[None]:
    """Raise errors of the body as `failed`, with the message, likely cause and remedy."""
    try:
        yield
    except errors as error:
        raise failed(explain(error, path)) from None


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the body in a transaction: commit at its end, or roll back on any error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        with contextlib.suppress(sqlite3.ProgrammingError):  # an interrupt closed it
            if connection.in_transaction:
                connection.execute("ROLLBACK")
