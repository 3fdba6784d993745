"""Erasing: the second part of a purge, after which no file of the list holds a trace.

The old index files go, whoever has them open; the database is written anew, without the free pages
in which traces may lie; the write-ahead log is emptied; the counts of matches go too. A note in
the database says that this is due until it is done: a purge that was interrupted is completed by
the next writer.

A program that has the list open keeps the old index files in memory until it refreshes. What a
disk or its snapshots keep of removed files is beyond a program: encrypt the disk.
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

_DUE = "erase"


def schedule(connection: sqlite3.Connection, source: str) -> None:
    """Note in a transaction that the traces of a source are to be erased once it is committed."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_DUE, source))


def is_due(connection: sqlite3.Connection) -> bool:
    """Return whether a purge has not been completed."""
    return connection.execute("SELECT 1 FROM meta WHERE name = ?", (_DUE,)).fetchone() is not None


def finish(connection: sqlite3.Connection, folder: Path) -> None:
    """Erase what is due, if anything is; for the one writer, outside of a transaction. ListError
    where a reader or the disk stands in the way: it is still due then.
    """
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (_DUE,)).fetchone()
    if row is None:
        return
    try:
        _erase(connection, folder, row[0])
    except (OSError, sqlite3.Error) as error:
        raise _still_due(folder, explain(error, folder / DATABASE)) from None


def _erase(connection: sqlite3.Connection, folder: Path, source: str) -> None:
    named = {
        file for (file,) in connection.execute("SELECT file FROM segments WHERE until IS NULL")
    }
    for path in (folder / SEGMENTS).iterdir():
        if path.name not in named:
            with contextlib.suppress(FileNotFoundError):
                files.current.remove(path)
    files.current.sync_folder(folder / SEGMENTS)
    match_counts.forget(folder, source)
    connection.execute("VACUUM")
    _empty_the_log(connection, folder)
    connection.execute("DELETE FROM meta WHERE name = ?", (_DUE,))


def _empty_the_log(connection: sqlite3.Connection, folder: Path) -> None:
    """Bring all of the log into the database and cut it to nothing, once no reader needs it."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        log = folder / f"{DATABASE}-wal"
        if not busy and not (log.exists() and log.stat().st_size):
            return
        if time.monotonic() > deadline:
            raise _still_due(folder, "a reader keeps its log from being erased")
        time.sleep(0.05)


def _still_due(folder: Path, why: str) -> ListError:
    return ListError(
        f"the records are purged from {folder}, but not every trace is erased yet: {why}; the next"
        " import or `screener compact` completes it"
    )
