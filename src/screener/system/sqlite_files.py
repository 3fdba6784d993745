"""SQLite files of ours: a connection, its errors in words for the user, and a transaction."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from screener.system.row_checks import Forms, report_damage
from screener.system.sqlite_errors import explain

# A row of a schema that stands for a table whose rows are in the file. The comparisons are strict,
# since SQLite ignores the case of the type and accepts bytes as text.
STORED = "(type IS 'table' AND typeof(rootpage) IS 'integer' AND rootpage > 0)"

# A view may never end and delay both Ctrl-C and SIGTERM; a trigger may undo a change.
_MORE = f"SELECT 1 FROM sqlite_master WHERE NOT ({STORED} OR type IS 'index') LIMIT 1"

Report = Callable[[str], Exception]  # makes the exception to raise of a reason in words


@contextlib.contextmanager
def open_database(
    path: Path, mode: str, forms: Forms, *, wait: float, failed: Report, damaged: Report
) -> Iterator[sqlite3.Connection]:
    """Yield a connection as `connect` returns it, and close it.

    What SQLite reports is raised as `failed`, with the likely cause. An error that comes of a row
    that no version of this library writes is raised as `damaged`, which gets the row.
    """
    with (
        report_errors(path, failed),
        contextlib.closing(connect(path, mode, wait=wait)) as connection,
        report_damage(connection, forms, damaged),
    ):
        yield connection


def connect(path: Path, mode: str, *, wait: float) -> sqlite3.Connection:
    """Return a connection in SQLite's `mode` ("ro", "rw") that begins no transaction by itself.

    It waits `wait` seconds for other writers. Threads may share it if they take turns. Raises
    sqlite3.Error, also for a database with views, triggers or virtual tables, which no version of
    this library makes. Functions that the schema names may only compute.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True, isolation_level=None, timeout=wait, check_same_thread=False,
    )  # fmt: skip
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        if connection.execute(_MORE).fetchone() is not None:
            raise sqlite3.DatabaseError("somebody added a view, a trigger or a virtual table to it")
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def report_errors(
    path: Path, failed: Report, *, errors: tuple[type[Exception], ...] = (sqlite3.Error,)
) -> Iterator[None]:
    """Raise errors of the body as `failed`, which gets the message, likely cause and remedy."""
    try:
        yield
    except errors as error:
        raise failed(explain(error, path)) from None


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the body writes when it is done, and roll it back on any error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        with contextlib.suppress(sqlite3.ProgrammingError):  # an interrupt closed it
            if connection.in_transaction:
                connection.execute("ROLLBACK")
