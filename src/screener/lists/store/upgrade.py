"""Upgrading: bringing a list of an older format to this one, in one transaction.

Videos, which older versions carried and did not compare, are compared from a new generation on; an
earlier one, as long as its files are kept, finds none.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from screener.errors import IndexFileError, ListError
from screener.hashing.hash import KINDS, Hash
from screener.lists.store import census, database, generations, segments, transaction, video_frames
from screener.lists.store.records import find_exclusion
from screener.system.locks import lock_file
from screener.system.sqlite_errors import explain


def upgrade(folder: Path) -> bool:
    """Bring a list of an older format to this one, in place; whether there was anything to do.

    The new generation, if there is one, is as old as the one before. ListError, and nothing has
    changed.
    """
    try:
        if not database.is_old(folder):
            return False
        with (
            lock_file(folder / transaction.LOCK_NAME, seconds=database.WAIT_SECONDS),
            contextlib.closing(database.connect(folder, "rw")) as connection,
        ):
            _upgrade(connection, folder)
    except IndexFileError as error:
        raise ListError(f"cannot upgrade the list {folder} now: {error}") from error
    except (sqlite3.Error, OSError) as error:
        why = explain(error, folder / database.DATABASE)
        raise ListError(f"cannot upgrade the list {folder}, nothing changed: {why}") from None
    return True


def _upgrade(connection: sqlite3.Connection, folder: Path) -> None:
    try:
        database.begin_upgrade(connection, folder)
        # While the tables are those of this format.
        with database.report_damage(connection, folder):
            _renew(connection, folder)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _renew(connection: sqlite3.Connection, folder: Path) -> None:
    """Make the generation from which on videos are compared, if there are any."""
    before = generations.load(connection, folder)
    number = before.number
    if _compare_videos(connection):
        if any(database.find_damaged_rows(connection)):  # any of which may have been a video
            raise ValueError("damaged rows")
        number = before.next_number
        segments.rewrite(connection, folder, KINDS["vpdq"], number)
        generations.publish(
            connection, number, what="upgrade", states=before.states, confirmed=before.time
        )
    census.recount(connection, number)


def _compare_videos(connection: sqlite3.Connection) -> bool:
    """Have videos compared, in all versions of records that hold them; whether there are any.

    In all, lest a rollback should bring back one that is not compared.
    """
    rows = connection.execute(
        "SELECT record, value FROM hashes WHERE kind = 'vpdq' AND why_not = 'opaque'"
    ).fetchall()
    for record, value in rows:
        connection.execute(
            "UPDATE hashes SET why_not = ? WHERE record = ? AND kind = 'vpdq' AND value = ?",
            (find_exclusion(Hash(KINDS["vpdq"], value)), record, value),
        )
    for record in {record for record, _ in rows}:
        video_frames.renew(connection, record)
    return bool(rows)
