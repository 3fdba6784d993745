"""Casebook: the database of a hotline, in which all that is known of its cases stands.

It is the truth. What follows from it outside (lines of the log, records of the hotline's list,
notices in the folders of partners) is written after its commit, from what it says, and again on the
next opening where that was interrupted: see `completing`.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
from base64 import b32encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from screener.errors import HotlineError
from screener.hashing.hash import KINDS, Hash
from screener.hotline.case import Case, Event, KnownMatch, Sent, State
from screener.hotline.language import marked

DATABASE = "cases.sqlite"
FORMAT = 1
_WAIT_SECONDS = 10.0

_SCHEMA = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE cases(
  reference TEXT PRIMARY KEY,
  number INTEGER NOT NULL UNIQUE,  -- in the order in which they came
  state TEXT NOT NULL, received TEXT NOT NULL,
  outcome TEXT, basis TEXT) WITHOUT ROWID;
CREATE TABLE reports(
  reference TEXT PRIMARY KEY,
  number INTEGER NOT NULL,         -- in its case, from 1
  in_case TEXT NOT NULL, received TEXT NOT NULL,
  content BLOB NOT NULL,           -- SHA-256 of what it said
  language TEXT NOT NULL, country TEXT, note TEXT NOT NULL,
  status_key BLOB NOT NULL, proof BLOB NOT NULL UNIQUE,
  withdrawn TEXT) WITHOUT ROWID;   -- when; its note, addresses and hashes are gone then
CREATE INDEX reports_by_case ON reports(in_case, number);
CREATE TABLE withdrawals(proof BLOB PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE addresses(
  report TEXT NOT NULL, address TEXT NOT NULL,
  page TEXT NOT NULL,              -- what all addresses of that page have in common
  PRIMARY KEY(report, address)) WITHOUT ROWID;
CREATE INDEX addresses_by_page ON addresses(page);
CREATE TABLE reported(             -- hashes as reporters' computers made them, upright
  report TEXT NOT NULL, kind TEXT NOT NULL, value BLOB NOT NULL, quality INTEGER,
  PRIMARY KEY(report, kind, value)) WITHOUT ROWID;
CREATE TABLE known(
  in_case TEXT NOT NULL, list TEXT NOT NULL, source TEXT NOT NULL, entry TEXT NOT NULL,
  state TEXT NOT NULL, kind TEXT NOT NULL, distance INTEGER NOT NULL,
  PRIMARY KEY(in_case, list, source, entry, kind)) WITHOUT ROWID;
CREATE TABLE related(in_case TEXT NOT NULL, other TEXT NOT NULL, PRIMARY KEY(in_case, other))
  WITHOUT ROWID;
CREATE TABLE proposals(            -- what one person holds to be illegal, until a second does too
  in_case TEXT PRIMARY KEY, by TEXT NOT NULL, basis TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE held(                 -- hashes that the hotline made itself, or held in a trusted list
  in_case TEXT NOT NULL, origin TEXT NOT NULL, kind TEXT NOT NULL, value BLOB NOT NULL,
  quality INTEGER, terms TEXT,     -- of a trusted list's source; NULL for the hotline's own
  PRIMARY KEY(in_case, kind, value)) WITHOUT ROWID;
CREATE TABLE entries(              -- records in the hotline's list
  entry TEXT PRIMARY KEY, in_case TEXT NOT NULL,
  report TEXT,                     -- whose hashes they are; NULL for those that are held
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
  written INTEGER NOT NULL,
  UNIQUE(in_case, partner)) WITHOUT ROWID;
CREATE TABLE log(seq INTEGER PRIMARY KEY, facts TEXT NOT NULL);
"""


def create(folder: Path) -> None:
    """Make the database in a folder that has none."""
    os.close(os.open(folder / DATABASE, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with contextlib.closing(_connect(folder)) as connection:
        connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        connection.execute("INSERT INTO meta VALUES ('format', ?)", (str(FORMAT),))


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[sqlite3.Connection]:
    """A transaction that writes: committed and synced at the end, rolled back on any error."""
    with _errors(folder), contextlib.closing(_connect(folder)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


@contextlib.contextmanager
def reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """A transaction that sees one state of the database."""
    with _errors(folder), contextlib.closing(_connect(folder)) as connection:
        connection.execute("BEGIN")
        yield connection


@contextlib.contextmanager
def _errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise HotlineError(f"cannot use the hotline {folder}: {error}") from error


def _connect(folder: Path) -> sqlite3.Connection:
    # Also for reading: whoever comes first after a crash takes back what was not committed.
    address = f"{(folder / DATABASE).absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=_WAIT_SECONDS)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def check(folder: Path) -> None:
    """HotlineError, saying what to do, where a folder is no hotline, or one of a newer version."""
    if not (folder / DATABASE).is_file():
        raise HotlineError(
            f"there is no hotline in {folder}; `screener hotline create {folder}` makes one"
        )
    with reading(folder) as connection:
        try:
            row = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
        except sqlite3.OperationalError:
            row = None
    if row is None:
        raise HotlineError(f"the making of the hotline {folder} was interrupted; make it again")
    if row[0] != str(FORMAT):
        raise HotlineError(f"{folder} was written by another version of screener")


def begin_case(connection: sqlite3.Connection, *, at: datetime) -> str:
    """A new case that was received; its reference, which says nothing."""
    reference = "C-" + b32encode(secrets.token_bytes(5)).decode()
    connection.execute(
        "INSERT INTO cases SELECT ?, coalesce(max(number), 0) + 1, 'received', ?, NULL, NULL"
        " FROM cases",
        (reference, stamp(at)),
    )
    return reference


def note(
    connection: sqlite3.Connection, reference: str, step: str, *, at: datetime, by: str,
    reason: str, state: State | None = None, **facts: Any,
) -> None:  # fmt: skip
    """Record a step of a case, in its events and for the log; `state` where it takes another."""
    if state is not None:
        connection.execute("UPDATE cases SET state = ? WHERE reference = ?", (state, reference))
    (now,) = connection.execute(
        "SELECT state FROM cases WHERE reference = ?", (reference,)
    ).fetchone()
    connection.execute(
        "INSERT INTO events(in_case, state, at, by, reason) VALUES (?, ?, ?, ?, ?)",
        (reference, now, stamp(at), by, reason),
    )
    log(connection, step, case=reference, state=now, at=stamp(at), by=by, reason=reason, **facts)


def log(connection: sqlite3.Connection, step: str, **facts: Any) -> None:
    """Have a line written to the log after the commit; no hash, no address, no note in it."""
    connection.execute("INSERT INTO log(facts) VALUES (?)", (json.dumps({"step": step, **facts}),))


def list_entry(
    connection: sqlite3.Connection, entry: str, case: str, state: str, by: str,
    report: str | None = None,
) -> None:  # fmt: skip
    """Have a record of the hotline's list say something from the commit on."""
    connection.execute(
        "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, 0)", (entry, case, report, state, by)
    )


def end_entries(connection: sqlite3.Connection, case: str, by: str) -> None:
    """Withdraw all records of a case."""
    connection.execute(
        "UPDATE entries SET state = 'withdrawn', by = ?, written = 0"
        " WHERE in_case = ? AND state <> 'withdrawn'",
        (by, case),
    )


def find(connection: sqlite3.Connection, reference: str) -> Case:
    """A case as it stands; HotlineError where there is none of that reference."""
    row = connection.execute(
        "SELECT state, received, outcome, basis FROM cases WHERE reference = ?", (reference,)
    ).fetchone()
    if row is None:
        raise HotlineError(marked("there is no case {case}"), case=reference)
    state, received, outcome, basis = row

    def column(question: str) -> tuple[Any, ...]:
        return tuple(one for (one,) in connection.execute(question, (reference,)))

    from_reports = " FROM reports WHERE in_case = ? AND withdrawn IS NULL"
    countries = column(f"SELECT country{from_reports} AND country IS NOT NULL ORDER BY number")
    ours = "SELECT r.reference FROM reports r WHERE r.in_case = ?"
    return Case(
        reference=reference,
        state=state,
        received=moment(received),
        reports=column("SELECT reference FROM reports WHERE in_case = ? ORDER BY number"),
        languages=tuple(dict.fromkeys(column(f"SELECT language{from_reports} ORDER BY number"))),
        country=next(iter(countries), None),
        addresses=tuple(
            dict.fromkeys(
                column(
                    "SELECT a.address FROM addresses a JOIN reports r ON r.reference = a.report"
                    " WHERE r.in_case = ? ORDER BY r.number, a.address"
                )
            )
        ),
        hashes=tuple(hashes_of(connection, f"reported WHERE report IN ({ours})", reference)),
        notes=column(f"SELECT note{from_reports} AND note <> '' ORDER BY number"),
        related=column("SELECT other FROM related WHERE in_case = ? ORDER BY other"),
        entries=column("SELECT entry FROM entries WHERE in_case = ? ORDER BY entry"),
        known=tuple(
            KnownMatch(*one)
            for one in connection.execute(
                "SELECT list, source, entry, state, kind, distance FROM known WHERE in_case = ?"
                " ORDER BY distance, list, source, entry, kind",
                (reference,),
            )
        ),
        outcome=outcome,
        basis=basis,
        events=tuple(
            Event(state, moment(at), by, reason)
            for state, at, by, reason in connection.execute(
                "SELECT state, at, by, reason FROM events WHERE in_case = ? ORDER BY id",
                (reference,),
            )
        ),
        sent=tuple(
            Sent(notice, partner, moment(at), moment_or_none(back), moment_or_none(removed))
            for notice, partner, at, back, removed in connection.execute(
                "SELECT notice, partner, at, acknowledged, removed FROM sent WHERE in_case = ?"
                " ORDER BY at, partner",
                (reference,),
            )
        ),
    )


def references(connection: sqlite3.Connection) -> list[str]:
    """All cases, in the order in which they came."""
    return [one for (one,) in connection.execute("SELECT reference FROM cases ORDER BY number")]


def hashes_of(connection: sqlite3.Connection, rows: str, *values: str) -> Iterator[Hash]:
    """The hashes of the rows of a table; `rows` is SQL of ours."""
    for kind, value, quality in connection.execute(
        f"SELECT kind, value, quality FROM {rows} ORDER BY kind, value", values
    ):
        yield Hash(KINDS[kind], value, quality)


def set_values(
    connection: sqlite3.Connection, reference: str, values: Mapping[str, str | None]
) -> None:
    """Set columns of a case; their names are ours."""
    columns = ", ".join(f"{name} = ?" for name in values)
    connection.execute(
        f"UPDATE cases SET {columns} WHERE reference = ?", (*values.values(), reference)
    )


def stamp(at: datetime) -> str:
    """A time as it is kept: UTC; HotlineError for one that says no zone."""
    if at.tzinfo is None:
        raise HotlineError("a time of a case says its zone")
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def moment(text: str) -> datetime:
    """A time that is kept."""
    return datetime.fromisoformat(text)


def moment_or_none(text: str | None) -> datetime | None:
    """A time that is kept, if there is one."""
    return None if text is None else moment(text)


@dataclass(frozen=True)
class HeldHash:
    """A hash that the hotline made or held of an item: where it is from, and the terms that bind it
    as JSON (None: it is the hotline's own).
    """

    hash: Hash = field(repr=False)
    origin: str
    terms: str | None


def held(connection: sqlite3.Connection, case: str) -> list[HeldHash]:
    """What the hotline holds of a case's item."""
    return [
        HeldHash(Hash(KINDS[kind], value, quality), origin, terms)
        for kind, value, quality, origin, terms in connection.execute(
            "SELECT kind, value, quality, origin, terms FROM held WHERE in_case = ?"
            " ORDER BY kind, value",
            (case,),
        )
    ]
