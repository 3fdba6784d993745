"""Change a list in transactions, lock it for one writer, and remove unused files."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from screener.errors import IndexFileError, ListError
from screener.lists.store import database, erase, sharing
from screener.lists.store.column_checks import SEGMENT_NAME
from screener.lists.store.database import DATABASE, SEGMENTS, check_folder, check_format, connect
from screener.lists.store.generations import KEPT_GENERATIONS
from screener.system import sqlite_files
from screener.system.files import remove_unlocked
from screener.system.locks import lock_file
from screener.system.sqlite_errors import explain, is_busy

LOCK_NAME = "lock"
_REMOVABLE_NAMES = re.compile(rf"{SEGMENT_NAME.pattern}|\..*\.[0-9a-f]{{16}}\.tmp", re.ASCII)


@contextlib.contextmanager
def write_exclusively(folder: Path) -> Iterator[sqlite3.Connection]:
    """Lock the list for writing index files, and run the body in a transaction."""
    with lock_writer(folder), begin(folder) as connection:
        yield connection


@contextlib.contextmanager
def lock_writer(folder: Path) -> Iterator[None]:
    """Lock the list for writing index files, complete a due purge, and sweep unused files.

    A change of records alone needs only `begin`, and does not wait for this lock. Waits some
    seconds for another writer, then raises ListError.
    """
    check_folder(folder)
    with contextlib.ExitStack() as stack, _list_errors(folder):
        try:
            lock = lock_file(folder / LOCK_NAME, seconds=database.WAIT_SECONDS)
            stack.enter_context(lock)
        except IndexFileError as error:
            raise _busy_error(folder) from error
        sharing.share_file(folder, folder / LOCK_NAME)
        if database.ask(folder, erase.is_due):
            with contextlib.closing(connect(folder, "rw")) as connection:
                erase.finish(connection, folder)
                _empty_log(connection)
        database.ask(folder, lambda connection: _sweep(connection, folder))
        yield


@contextlib.contextmanager
def begin(folder: Path) -> Iterator[sqlite3.Connection]:
    """Run the body in a transaction that is synced, or rolled back on any error.

    Waits some seconds for another transaction, then raises ListError.
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
            yield connection
        _empty_log(connection)


def _empty_log(connection: sqlite3.Connection) -> None:
    """Move the write-ahead log into the database and truncate it, unless a reader needs it.

    Closing the connection does so only if no other is open, and programs keep connections open. The
    change is committed already, so errors are left to the next writer.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    with contextlib.suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def remove_unused(folder: Path) -> None:
    """Remove a list without any import; do nothing if another writer is using it."""
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}.gone")
    try:
        with contextlib.suppress(ListError, OSError), lock_writer(folder):
            if not database.ask(folder, lambda c: c.execute("SELECT 1 FROM imports").fetchone()):
                # A writer that waits for the lock will find no list and report it.
                folder.rename(temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def _list_errors(folder: Path) -> Iterator[None]:
    """Raise errors of the system and of SQLite as ListError."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if is_busy(error):
            raise _busy_error(folder) from None
        why = explain(error, folder / DATABASE)
        raise ListError(f"cannot write to the list {folder}, nothing changed: {why}") from None


def _busy_error(folder: Path) -> ListError:
    return ListError(f"another import into {folder} is running; try again when it has finished")


def _sweep(connection: sqlite3.Connection, folder: Path) -> None:
    """Remove segment files that no kept generation names and no reader has locked.

    The caller must have the writer's lock: an unpublished file of another writer has no row. Files
    with foreign names stay. The rows stay too, so that a generation without its files is never
    mistaken for an empty one.
    """
    newest = connection.execute("SELECT max(number) FROM generations").fetchone()[0]
    kept_files = {
        file
        for (file,) in connection.execute(
            "SELECT file FROM segments WHERE until IS NULL OR until > ?",
            (newest - KEPT_GENERATIONS + 1,),
        )
    }
    for path in (folder / SEGMENTS).iterdir():
        if path.name not in kept_files and _REMOVABLE_NAMES.fullmatch(path.name):
            remove_unlocked(path)
