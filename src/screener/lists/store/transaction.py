"""Changing a list: one writer at a time, all that it writes or nothing, and sweeping behind it."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from screener.errors import IndexFileError, ListError
from screener.lists.store import database, erase, schema, sharing
from screener.lists.store.column_checks import SEGMENT_NAME
from screener.lists.store.database import DATABASE, SEGMENTS, check_folder, check_format, connect
from screener.lists.store.generations import KEPT_GENERATIONS
from screener.system import sqlite_files
from screener.system.locks import lock_file, remove_unlocked
from screener.system.sqlite_errors import explain, is_busy

LOCK_NAME = "lock"
_OURS = re.compile(rf"{SEGMENT_NAME.pattern}|\..*\.[0-9a-f]{{16}}\.tmp", re.ASCII)


@contextlib.contextmanager
def write_exclusively(folder: Path) -> Iterator[sqlite3.Connection]:
    """Return the transaction of the one writer of index files: `one_writer` and `transaction`."""
    with lock_writer(folder), begin(folder) as connection:
        yield connection


@contextlib.contextmanager
def lock_writer(folder: Path) -> Iterator[None]:
    """Hold the lock of the one who may write and sweep index files; sweeps before anything else.

    Whoever changes records alone needs no more than a `transaction`, and does not wait for this.
    Waits some seconds for another writer, then raises ListError.
    """
    check_folder(folder)
    with contextlib.ExitStack() as stack, _list_errors(folder):
        try:
            lock = lock_file(folder / LOCK_NAME, seconds=database.WAIT_SECONDS)
            stack.enter_context(lock)
        except IndexFileError as error:
            raise _another(folder) from error
        sharing.share_file(folder, folder / LOCK_NAME)
        if database.ask(folder, erase.is_due):
            with contextlib.closing(connect(folder, "rw")) as connection:
                erase.finish(connection, folder)
                _empty_log(connection)
        database.ask(folder, lambda connection: _sweep(connection, folder))
        yield


@contextlib.contextmanager
def begin(folder: Path) -> Iterator[sqlite3.Connection]:
    """Return a transaction that writes: committed and synced at the end, rolled back on any error.

    Waits some seconds for another one, then raises ListError.
    """
    check_folder(folder)
    with (
        _list_errors(folder),
        contextlib.closing(connect(folder, "rw")) as connection,
        database.report_damage(connection, folder),
    ):
        check_format(connection, folder)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -131072")
        with sqlite_files.transaction(connection):
            database.ensure_id(connection)
            connection.execute(schema.END_INDEX)
            yield connection
        _empty_log(connection)


def _empty_log(connection: sqlite3.Connection) -> None:
    """Bring the log into the database and cut it to nothing, unless a reader is at work.

    Closing does so only if nobody has the database open, and a program that has the list open keeps
    a connection. The change is committed: whatever goes wrong here is left to the next writer.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    with contextlib.suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def remove_unused(folder: Path) -> None:
    """Remove a list into which nothing was ever imported; do nothing if somebody else is at it."""
    gone = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}.gone")
    try:
        with contextlib.suppress(ListError, OSError), lock_writer(folder):
            if not database.ask(folder, lambda c: c.execute("SELECT 1 FROM imports").fetchone()):
                # Whoever waits for the lock finds no list any more, and says so.
                folder.rename(gone)
    finally:
        shutil.rmtree(gone, ignore_errors=True)


def ensure_list_id(folder: Path) -> str:
    """Return the id of a list; one that an older version made is given one. ListError."""
    found = database.ask(folder, database.read_id)
    if found is None:
        with begin(folder) as connection:
            found = database.ensure_id(connection)
    return found


@contextlib.contextmanager
def _list_errors(folder: Path) -> Iterator[None]:
    """Return what the system or SQLite reports, as a ListError."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if is_busy(error):
            raise _another(folder) from None
        why = explain(error, folder / DATABASE)
        raise ListError(f"cannot write to the list {folder}, nothing changed: {why}") from None


def _another(folder: Path) -> ListError:
    return ListError(f"another import into {folder} is running; try again when it has finished")


def _sweep(connection: sqlite3.Connection, folder: Path) -> None:
    """Remove the segment files that no kept generation names and that no reader holds.

    Only files whose names are of our own making: what else somebody put there is left alone.
    Only the one writer may: a file that another has written but not yet published has no row.
    The rows stay, so that a generation whose files went can never be taken for an empty one.
    """
    newest = connection.execute("SELECT max(number) FROM generations").fetchone()[0]
    kept = {
        file
        for (file,) in connection.execute(
            "SELECT file FROM segments WHERE until IS NULL OR until > ?",
            (newest - KEPT_GENERATIONS + 1,),
        )
    }
    for path in (folder / SEGMENTS).iterdir():
        if path.name not in kept and _OURS.fullmatch(path.name):
            remove_unlocked(path)
