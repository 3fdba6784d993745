"""The casebook's database: schema, creation and transactions.

It uses a rollback journal, since a write-ahead log would keep deleted data.
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

FILE_NAME = "cases.sqlite"
FORMAT_VERSION = 2
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
    """Mark a folder while a hotline is created in it. The mark survives a crash."""
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
    """Create the database, replacing one that an interrupted creation left.

    Raises HotlineError if it cannot be written.
    """
    for name in (FILE_NAME, f"{FILE_NAME}-journal"):
        (folder / name).unlink(missing_ok=True)
    os.close(open_private(folder / FILE_NAME, os.O_CREAT | os.O_EXCL | os.O_RDWR))
    with _connect(folder) as connection:
        connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        connection.execute("INSERT INTO meta VALUES ('format', ?)", (str(FORMAT_VERSION),))


@contextlib.contextmanager
def begin_write(folder: Path) -> Iterator[sqlite3.Connection]:
    """Begin a transaction that is committed and synced, or rolled back on any error."""
    with _connect(folder) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        with transaction(connection):
            yield connection


@contextlib.contextmanager
def begin_read(folder: Path) -> Iterator[sqlite3.Connection]:
    """Begin a transaction that sees one state of the database."""
    with _connect(folder) as connection:
        connection.execute("BEGIN")
        yield connection


def _connect(folder: Path) -> contextlib.AbstractContextManager[sqlite3.Connection]:
    # Readers need write access, to roll back an uncommitted transaction after a crash.
    return open_database(
        folder / FILE_NAME, "rw", FORMS, wait=_WAIT_SECONDS,
        failed=partial(_make_error, folder), damaged=partial(_make_damage_error, folder),
    )  # fmt: skip


def check_folder(folder: Path) -> None:
    """Raise HotlineError unless a folder is a complete hotline of this version."""
    if is_half_created(folder):
        message = mark(
            "the creation of the hotline {folder} was interrupted: `screener hotline create"
            " {folder}` completes it"
        )
        raise HotlineError(message, folder=folder)
    if not (folder / FILE_NAME).is_file():
        message = mark(
            "there is no hotline in {folder}; `screener hotline create {folder}` creates one"
        )
        raise HotlineError(message, folder=folder)
    with begin_read(folder) as connection:
        try:
            row = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
        except sqlite3.OperationalError:
            row = None
    if row is None or row[0] != str(FORMAT_VERSION):
        message = mark("{folder} was written by another version of screener")
        raise HotlineError(message, folder=folder)


def check_rows(folder: Path) -> None:
    """Raise HotlineError if any row of the casebook is damaged.

    Nobody would notice that a case with an invalid state is overdue.
    """
    with begin_read(folder) as connection:
        if (damaged_row := next(find_damaged_rows(connection, FORMS), None)) is not None:
            raise _make_damage_error(folder, damaged_row)


def _make_error(folder: Path, why: str) -> HotlineError:
    return HotlineError(mark("the hotline {folder} cannot be used: {why}"), folder=folder, why=why)


def _make_damage_error(folder: Path, row: str) -> HotlineError:
    return _make_error(
        folder, f"{FILE_NAME} is damaged: {row}; put a sound copy of the folder in its place"
    )
