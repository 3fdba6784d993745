"""The casebook's database: its schema, its creation, and transactions.

Its rollback journal keeps no deleted data, unlike a write-ahead log.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from screener.errors import HotlineError
from screener.hotline.casebook.case_columns import FORMS
from screener.hotline.language.sentence import mark
from screener.system import files
from screener.system.files import open_private
from screener.system.row_checks import find_damaged_rows
from screener.system.sqlite_files import open_database, transaction

DATABASE = "cases.sqlite"
FORMAT = 2
_CREATION_MARKER = ".making"
_WAIT_SECONDS = 10.0

_SCHEMA = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE cases(
  reference TEXT PRIMARY KEY,
  number INTEGER NOT NULL UNIQUE,  -- in the order of receipt
  state TEXT NOT NULL, received TEXT NOT NULL,
  outcome TEXT, basis TEXT,
  seen INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE reports(
  reference TEXT PRIMARY KEY,
  number INTEGER NOT NULL,         -- in its case, from 1
  in_case TEXT NOT NULL, received TEXT NOT NULL,
  content BLOB NOT NULL,           -- SHA-256 of the report
  language TEXT NOT NULL, country TEXT, note TEXT NOT NULL,
  status_key BLOB NOT NULL, proof BLOB NOT NULL UNIQUE,
  withdrawn TEXT) WITHOUT ROWID;   -- when; its note and hashes are erased
CREATE INDEX reports_by_case ON reports(in_case, number);
CREATE TABLE withdrawals(proof BLOB PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE addresses(
  report TEXT NOT NULL, address TEXT NOT NULL,
  page TEXT NOT NULL,              -- the normalised address
  PRIMARY KEY(report, address)) WITHOUT ROWID;
CREATE INDEX addresses_by_page ON addresses(page);
CREATE TABLE reported(             -- hashes from reporters' computers, upright
  report TEXT NOT NULL, kind TEXT NOT NULL, value BLOB NOT NULL, quality INTEGER,
  PRIMARY KEY(report, kind, value)) WITHOUT ROWID;
CREATE TABLE known(                -- listed records that hashes of a report match
  in_case TEXT NOT NULL, report TEXT NOT NULL, list TEXT NOT NULL, source TEXT NOT NULL,
  entry TEXT NOT NULL, state TEXT NOT NULL, kind TEXT NOT NULL, distance INTEGER NOT NULL,
  PRIMARY KEY(in_case, report, list, source, entry, kind)) WITHOUT ROWID;
CREATE TABLE related(in_case TEXT NOT NULL, other TEXT NOT NULL, PRIMARY KEY(in_case, other))
  WITHOUT ROWID;
CREATE TABLE proposals(            -- first opinions of `illegal`, until a second
  in_case TEXT PRIMARY KEY, by TEXT NOT NULL, basis TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE held(                 -- hashes of the hotline's own, or from a trusted list
  in_case TEXT NOT NULL,
  item INTEGER NOT NULL,           -- the number of the hashed file; 0 for those from lists
  origin TEXT NOT NULL, kind TEXT NOT NULL, value BLOB NOT NULL,
  quality INTEGER, terms TEXT,     -- of a trusted list's source; NULL for the hotline's own
  PRIMARY KEY(in_case, kind, value)) WITHOUT ROWID;
CREATE TABLE entries(              -- records in the hotline's list
  entry TEXT PRIMARY KEY, in_case TEXT NOT NULL,
  report TEXT,                     -- of a seed; NULL for a confirmed item
  state TEXT NOT NULL, by TEXT NOT NULL,
  written INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX entries_by_case ON entries(in_case);
CREATE TABLE events(
  id INTEGER PRIMARY KEY,
  in_case TEXT NOT NULL, state TEXT NOT NULL, at TEXT NOT NULL, by TEXT NOT NULL,
  reason TEXT NOT NULL);
CREATE INDEX events_by_case ON events(in_case);
CREATE TABLE sent(
  notice TEXT PRIMARY KEY, in_case TEXT NOT NULL, partner TEXT NOT NULL, at TEXT NOT NULL,
  acknowledged TEXT, removed TEXT, refused TEXT,
  staged INTEGER NOT NULL,         -- complete under a temporary name, or delivered
  written INTEGER NOT NULL,        -- delivered to the partner
  UNIQUE(in_case, partner)) WITHOUT ROWID;
CREATE TABLE log(seq INTEGER PRIMARY KEY, facts TEXT NOT NULL);
"""


@contextlib.contextmanager
def mark_creation(folder: Path) -> Iterator[None]:
    """Mark a folder as half made while a hotline is created in it. The mark survives a crash."""
    marker = folder / _CREATION_MARKER
    marker.touch(mode=0o600)
    files.current.sync_folder(folder)
    yield
    files.current.sync_folder(folder)
    marker.unlink()


def is_half_created(folder: Path) -> bool:
    """Return whether the creation of a hotline in a folder was interrupted."""
    return (folder / _CREATION_MARKER).exists()


def create(folder: Path) -> None:
    """Create the database, replacing one left by an interrupted creation. Raises HotlineError."""
    for name in (DATABASE, f"{DATABASE}-journal"):
        (folder / name).unlink(missing_ok=True)
    os.close(open_private(folder / DATABASE, os.O_CREAT | os.O_EXCL | os.O_RDWR))
    with _connected(folder) as connection:
        connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        connection.execute("INSERT INTO meta VALUES ('format', ?)", (str(FORMAT),))


@contextlib.contextmanager
def begin_write(folder: Path) -> Iterator[sqlite3.Connection]:
    """Yield a writing transaction: committed and synced at the end, rolled back on any error."""
    with _connected(folder) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        with transaction(connection):
            yield connection


@contextlib.contextmanager
def begin_read(folder: Path) -> Iterator[sqlite3.Connection]:
    """Yield a transaction that sees one state of the database."""
    with _connected(folder) as connection:
        connection.execute("BEGIN")
        yield connection


def _connected(folder: Path) -> contextlib.AbstractContextManager[sqlite3.Connection]:
    # Readers open it to write as well: the first after a crash rolls back what was not committed.
    return open_database(
        folder / DATABASE, "rw", FORMS, wait=_WAIT_SECONDS,
        failed=partial(_unusable, folder), damaged=partial(_damaged, folder),
    )  # fmt: skip


def check_folder(folder: Path) -> None:
    """Raise HotlineError, with the remedy, unless a folder is a hotline of this version."""
    if is_half_created(folder):
        message = mark(
            "the creation of the hotline {folder} was interrupted: `screener hotline create"
            " {folder}` completes it"
        )
        raise HotlineError(message, folder=folder)
    if not (folder / DATABASE).is_file():
        message = mark(
            "there is no hotline in {folder}; `screener hotline create {folder}` creates one"
        )
        raise HotlineError(message, folder=folder)
    with begin_read(folder) as connection:
        try:
            row = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
        except sqlite3.OperationalError:
            row = None
    if row is None or row[0] != str(FORMAT):
        message = mark("{folder} was written by another version of screener")
        raise HotlineError(message, folder=folder)


def check_rows(folder: Path) -> None:
    """Raise HotlineError if any row of the casebook is damaged.

    A case with an invalid state would be late without anybody noticing.
    """
    with begin_read(folder) as connection:
        if (found := next(find_damaged_rows(connection, FORMS), None)) is not None:
            raise _damaged(folder, found)


def _unusable(folder: Path, why: str) -> HotlineError:
    return HotlineError(mark("the hotline {folder} cannot be used: {why}"), folder=folder, why=why)


def _damaged(folder: Path, row: str) -> HotlineError:
    return _unusable(
        folder, f"{DATABASE} is damaged: {row}; put a sound copy of the folder in its place"
    )
