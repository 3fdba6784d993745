"""Erase the traces of purged records, as the second part of a purge.

It removes the old index files, even if they are open, rewrites the database without its free pages,
empties the write-ahead log, and deletes the counts of matches. The database records that this is
due, so that the next writer completes an interrupted purge.

A program that has the list open keeps the old index files in memory until it refreshes. A program
cannot erase what a disk or its snapshots keep of removed files: encrypt the disk.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

from screener.errors import ListError
from screener.lists.store import match_counts
from screener.lists.store.database import DATABASE, SEGMENTS, WAIT_SECONDS
from screener.system import files
from screener.system.sqlite_errors import explain

_DUE_NAME = "erase"  # in the table `meta`


def schedule(connection: sqlite3.Connection, source: str) -> None:
    """Record, within a transaction, that the traces of a source must be erased after it."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_DUE_NAME, source))


def is_due(connection: sqlite3.Connection) -> bool:
    """Return whether a purge is incomplete."""
    return (
        connection.execute("SELECT 1 FROM meta WHERE name = ?", (_DUE_NAME,)).fetchone() is not None
    )


def finish(connection: sqlite3.Connection, folder: Path) -> None:
    """Complete a due purge, with the writer's lock and outside a transaction.

    Raises ListError if a reader or the disk prevents it; it is still due then.
    """
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (_DUE_NAME,)).fetchone()
    if row is None:
        return
    try:
        _erase(connection, folder, row[0])
    except (OSError, sqlite3.Error) as error:
        raise _incomplete_error(folder, explain(error, folder / DATABASE)) from None


def _erase(connection: sqlite3.Connection, folder: Path, source: str) -> None:
    current_files = {
        file for (file,) in connection.execute("SELECT file FROM segments WHERE until IS NULL")
    }
    for path in (folder / SEGMENTS).iterdir():
        if path.name not in current_files:
            with contextlib.suppress(FileNotFoundError):
                files.current.remove(path)
    files.current.sync_folder(folder / SEGMENTS)
    match_counts.forget(folder, source)
    connection.execute("VACUUM")
    _empty_log(connection, folder)
    connection.execute("DELETE FROM meta WHERE name = ?", (_DUE_NAME,))


def _empty_log(connection: sqlite3.Connection, folder: Path) -> None:
    """Move the write-ahead log into the database and truncate it, once no reader needs it."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        log = folder / f"{DATABASE}-wal"
        if not busy and not (log.exists() and log.stat().st_size):
            return
        if time.monotonic() > deadline:
            raise _incomplete_error(folder, "a reader keeps its log from being erased")
        time.sleep(0.05)


def _incomplete_error(folder: Path, why: str) -> ListError:
    return ListError(
        f"the records are purged from {folder}, but not every trace is erased yet: {why}; the next"
        " import or `screener compact` completes it"
    )
