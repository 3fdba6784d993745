"""Upgrade a list of an older format in one transaction.

Older versions stored videos without comparing them. They are compared from a new generation on;
earlier generations still find none.
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
    """Upgrade a list to the current format in place; return whether it had an older one.

    A new generation is as old as the previous one. If the upgrade fails, it raises ListError and
    changes nothing.
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
        # The conditions of rows apply to the tables of the current format.
        with database.report_damage(connection, folder):
            _upgrade_rows(connection, folder)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _upgrade_rows(connection: sqlite3.Connection, folder: Path) -> None:
    """Publish a generation that compares videos, if there are any, and count the census."""
    before = generations.load(connection, folder)
    number = before.number
    if _compare_videos(connection):
        if any(database.find_damaged_rows(connection)):  # a damaged row may be a video
            raise ValueError("damaged rows")
        number = before.next_number
        segments.rewrite(connection, folder, KINDS["vpdq"], number)
        generations.publish(
            connection, number, what="upgrade", states=before.states, confirmed=before.time
        )
    census.recount(connection, number)


def _compare_videos(connection: sqlite3.Connection) -> bool:
    """Mark the videos in all versions of records as compared; return whether there are any.

    It includes ended versions, since a rollback may restore them.
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
