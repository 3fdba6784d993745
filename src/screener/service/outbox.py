"""What was reported of uploads, and events that wait for delivery, in one SQLite file.

Each transaction is on the disk when it returns, so neither `kill -9` nor a power cut loses an
event. The file is for its owner only: it names uploads and the entries that they match.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from screener.errors import ServiceError
from screener.screening.result import Match, Result
from screener.system.files import open_private
from screener.system.output_file import make_private
from screener.system.sqlite_errors import explain
from screener.system.sqlite_files import connect, transaction

MAX_MATCHES = 100
"""The most matches of one event; more are reported in several."""

MAX_WAIT_SECONDS = 3600.0
"""The longest time between two attempts to deliver an event."""

_APPLICATION_ID = 0x53435257
_FORMAT = 1
_LOCK_WAIT_SECONDS = 30.0
_MAX_REMOVED = 10_000  # rows that one transaction removes

_TABLES = """
CREATE TABLE searched (state TEXT NOT NULL);
CREATE TABLE restricted (
    input TEXT PRIMARY KEY, lists TEXT NOT NULL, time REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE known (
    input TEXT, list TEXT, source TEXT, entry TEXT, time REAL NOT NULL,
    PRIMARY KEY (input, list, source, entry)
) WITHOUT ROWID;
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, body TEXT NOT NULL,
    made REAL NOT NULL, to_write INTEGER NOT NULL, to_send INTEGER NOT NULL,
    attempts INTEGER NOT NULL, due REAL NOT NULL
);
CREATE INDEX restricted_by_time ON restricted (time);
CREATE INDEX known_by_time ON known (time);
CREATE INDEX events_to_write ON events (number) WHERE to_write;
CREATE INDEX events_to_send ON events (due, number) WHERE to_send;
"""


@dataclass(frozen=True)
class Event:
    """An event; `attempts` is the number of deliveries that its receiver refused."""

    number: int
    id: str
    body: str
    attempts: int


@dataclass(frozen=True)
class Answer:
    """What the answer to an upload said: its matches, and the lists that the caller chose."""

    input: str
    matches: tuple[Match, ...]
    lists: frozenset[str] | None = None


class Outbox:
    """The file; threads may share it.

    Every method raises ServiceError if the file cannot be used, for example on a full disk. Nothing
    is changed then, so the call can be repeated.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or create it. Raises ServiceError if it is another file."""
        self._path = path
        self._lock = threading.RLock()
        try:
            os.close(open_private(path, os.O_RDWR | os.O_CREAT))
            make_private(path)
        except OSError as error:
            raise ServiceError(f"{path}: {explain(error, path)}") from None
        with self._reported():
            self._connection = connect(path, "rw", wait=_LOCK_WAIT_SECONDS)
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def learn(self, answers: Iterable[Answer]) -> None:
        """Store what answers said, so that it is not reported."""
        now = time.time()
        with self._writing() as connection:
            for answer in answers:
                lists = None if answer.lists is None else json.dumps(sorted(answer.lists))
                connection.execute("DELETE FROM restricted WHERE input = ?", (answer.input,))
                if lists is not None:
                    row = (answer.input, lists, now)
                    connection.execute("INSERT INTO restricted VALUES (?, ?, ?)", row)
                for match in answer.matches:
                    _add_known(connection, answer.input, match, now)

    def report(
        self,
        results: Iterable[Result],
        describe: Callable[[Result, list[Match]], str],
        *,
        to_write: bool,
        to_send: bool,
    ) -> int:
        """Add events for what is new in Results; return the number of new matches.

        A match is new if neither the upload's answer nor an earlier event named its entry, and if
        the caller did not exclude its list. `describe` returns the body of an event.
        """
        now, count = time.time(), 0
        with self._writing() as connection:
            for result in results:
                new = _find_new(connection, result, now)
                count += len(new)
                for start in range(0, len(new), MAX_MATCHES):
                    body = describe(result, new[start : start + MAX_MATCHES])
                    connection.execute(
                        "INSERT INTO events (id, body, made, to_write, to_send, attempts, due)"
                        " VALUES (?, ?, ?, ?, ?, 0, 0)",
                        (f"msg_{secrets.token_hex(16)}", body, now, to_write, to_send),
                    )
        return count

    @property
    def searched(self) -> str | None:
        """The lists and the policy that all stored uploads were matched against last."""
        with self._reading() as connection:
            row = connection.execute("SELECT state FROM searched").fetchone()
        return None if row is None else str(row[0])

    @searched.setter
    def searched(self, state: str) -> None:
        with self._writing() as connection:
            connection.execute("DELETE FROM searched")
            connection.execute("INSERT INTO searched VALUES (?)", (state,))

    def find_unwritten(self, limit: int) -> list[Event]:
        """Return the first events that are not in the file of matches."""
        return self._select("to_write ORDER BY number LIMIT ?", limit)

    def note_written(self, events: Iterable[Event]) -> None:
        """Note that events are in the file of matches."""
        self._finish("to_write", events)

    def find_due(self, limit: int) -> list[Event]:
        """Return the first events that are to be sent now."""
        now = time.time()  # which may have been wrong when an event was postponed
        is_due = f"(due <= ? OR due > ? + {MAX_WAIT_SECONDS})"
        return self._select(f"to_send AND {is_due} ORDER BY due, number LIMIT ?", now, now, limit)

    def note_sent(self, event: Event) -> None:
        """Note that the receiver has an event."""
        self._finish("to_send", [event])

    def postpone(self, event: Event, seconds: float) -> None:
        """Note that the receiver refused an event, which is due again after so many seconds."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE events SET attempts = attempts + 1, due = ? WHERE number = ?",
                (time.time() + seconds, event.number),
            )

    def next_due(self) -> float | None:
        """Return the time from which an event is to be sent, or None if there is none."""
        with self._reading() as connection:
            return _single(connection.execute("SELECT min(due) FROM events WHERE to_send"))

    def count_waiting(self) -> tuple[float, float, float | None]:
        """Return the numbers of events to write and to send, and the time of the oldest."""
        with self._reading() as connection:
            row = connection.execute(
                "SELECT total(to_write), total(to_send), min(made) FROM events"
            ).fetchone()
        return row[0], row[1], row[2]

    def forget(self, days: float) -> None:
        """Erase what was learned or reported before so many days, except waiting events."""
        before = time.time() - days * 86_400
        for table, key in (("known", "input, list, source, entry"), ("restricted", "input")):
            removed = _MAX_REMOVED
            while removed == _MAX_REMOVED:
                with self._writing() as connection:
                    removed = connection.execute(
                        f"DELETE FROM {table} WHERE ({key}) IN"
                        f" (SELECT {key} FROM {table} WHERE time < ? LIMIT {_MAX_REMOVED})",
                        (before,),
                    ).rowcount
        with self._reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _finish(self, column: str, events: Iterable[Event]) -> None:
        numbers = [(event.number,) for event in events]
        with self._writing() as connection:
            connection.executemany(f"UPDATE events SET {column} = 0 WHERE number = ?", numbers)
            connection.executemany(
                "DELETE FROM events WHERE number = ? AND NOT to_write AND NOT to_send", numbers
            )

    def _select(self, condition: str, *values: float) -> list[Event]:
        query = f"SELECT number, id, body, attempts FROM events WHERE {condition}"
        with self._reading() as connection:
            return [Event(*row) for row in connection.execute(query, values)]

    def _prepare(self) -> None:
        with self._reading() as connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA synchronous = FULL")
        with self._writing() as connection:
            if not _single(connection.execute("SELECT count(*) FROM sqlite_master")):
                for statement in _TABLES.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
            found = [
                _single(connection.execute(f"PRAGMA {name}"))
                for name in ("application_id", "user_version")
            ]
            if found != [_APPLICATION_ID, _FORMAT]:
                raise ServiceError(
                    f"{self._path} is not a queue of events of this version of screener: name"
                    " another folder with --state"
                )
        with self._reading() as connection:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._reported():
            yield self._connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._reported(), transaction(self._connection):
            yield self._connection

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ServiceError(f"{self._path}: {explain(error, self._path)}") from None


def _single(rows: sqlite3.Cursor) -> float | None:
    value: float | None = rows.fetchone()[0]
    return value


def _add_known(connection: sqlite3.Connection, name: str, match: Match, now: float) -> bool:
    """Note that an upload is known to match an entry; return whether that is new."""
    key = (name, match.list, match.source, match.entry)
    update = "UPDATE known SET time = ? WHERE input = ? AND list = ? AND source = ? AND entry = ?"
    if connection.execute(update, (now, *key)).rowcount:
        return False
    connection.execute("INSERT INTO known VALUES (?, ?, ?, ?, ?)", (*key, now))
    return True


def _find_new(connection: sqlite3.Connection, result: Result, now: float) -> list[Match]:
    """Return the matches of a Result whose entries are new, and note them as known."""
    name = result.input or ""
    row = connection.execute("SELECT lists FROM restricted WHERE input = ?", (name,)).fetchone()
    lists = None if row is None else frozenset(json.loads(row[0]))
    new_keys: set[tuple[str, str, str]] = set()
    for match in result.matches:
        if (lists is None or match.list in lists) and _add_known(connection, name, match, now):
            new_keys.add((match.list, match.source, match.entry))
    return [
        match for match in result.matches if (match.list, match.source, match.entry) in new_keys
    ]
