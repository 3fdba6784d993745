"""Banks, and the numbers of contents, in a SQLite file.

A number is never used again, even if its content or bank was deleted or the process was killed:
the sequence in the file is ahead of all that were given. A thread writes new numbers, so no look-up
waits for the disk.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from screener.errors import ServiceError
from screener.system import sqlite_files
from screener.system.files import open_private
from screener.system.sqlite_errors import explain

_log = logging.getLogger(__name__)

_FORMAT = 1
_WAIT_SECONDS = 5.0
_PROBE_SECONDS = 5.0  # between two attempts to write
_RESERVED = 1 << 16  # numbers that can be given while the disk is full
_TABLES = f"""
CREATE TABLE IF NOT EXISTS banks(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  list TEXT NOT NULL UNIQUE,    -- the list's name
  own INTEGER NOT NULL,         -- 1: made by the API, and its list is in the same folder
  ratio REAL NOT NULL);
CREATE TABLE IF NOT EXISTS contents(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  bank INTEGER NOT NULL,
  source TEXT NOT NULL, entry TEXT NOT NULL,
  disable_until INTEGER NOT NULL DEFAULT 1,
  note TEXT, metadata TEXT,
  deleted INTEGER NOT NULL DEFAULT 0,
  UNIQUE(bank, source, entry));
INSERT INTO sqlite_sequence(name, seq) SELECT 'contents', 0
  WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'contents');
PRAGMA user_version = {_FORMAT};
"""
_SEQUENCE = "FROM sqlite_sequence WHERE name = 'contents'"
_SET_SEQUENCE = "UPDATE sqlite_sequence SET seq = ? WHERE name = 'contents'"
# The name of the table of a key is that of a record: the source, and its entry.
Record = tuple[str, str]


@dataclass(frozen=True)
class Bank:
    """A bank: a list under HMA's name for it. `own` ones were made by the API."""

    id: int
    name: str
    list: str
    own: bool
    ratio: float

    @property
    def config(self) -> dict[str, Any]:
        """Return HMA's `BankConfig`."""
        return {"name": self.name, "matching_enabled_ratio": self.ratio}


@dataclass(frozen=True)
class Content:
    """An entry of a bank, under its number.

    `disable_until` is a time in seconds since 1970; 0 stands for ever, 1 for not disabled.
    """

    id: int
    bank: int
    source: str
    entry: str
    disable_until: int
    note: str | None
    metadata: dict[str, Any] | None
    deleted: bool

    @property
    def enabled(self) -> bool:
        """Whether look-ups find it at present."""
        return not self.deleted and 0 < self.disable_until <= time.time()


_CONTENT = "id, bank, source, entry, disable_until, note, metadata, deleted"
_FIND = f"SELECT {_CONTENT} FROM contents WHERE bank = ? AND source = ? AND entry = ?"


class Store:
    """The file of banks and contents. Threads may share it.

    Attributes:
        is_writable: Whether the last attempt to write to the file succeeded.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. Raises ServiceError if that fails."""
        self._path = path
        self._reading, self._writing = threading.Lock(), threading.Lock()
        self._pending: dict[tuple[int, str, str], Content] = {}  # numbered, not yet in the file
        self._wake, self._closing = threading.Event(), False
        self.is_writable = True
        try:
            os.close(open_private(path, os.O_CREAT | os.O_RDWR))
            self._connection = sqlite_files.connect(path, "rw", wait=_WAIT_SECONDS)
            format_ = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if format_ > _FORMAT:
                raise ServiceError(f"{path} was made by a newer version of screener: use that")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")  # a number must outlive a crash
            self._connection.executescript(_TABLES)
            self._reader = sqlite_files.connect(path, "ro", wait=_WAIT_SECONDS)
            (self._last,) = self._reader.execute(f"SELECT seq {_SEQUENCE}").fetchone()
        except (sqlite3.Error, OSError) as error:
            raise ServiceError(f"cannot open {path}: {explain(error, path)}") from None
        self._end = self._last  # no greater number may be given
        with self._write():
            pass
        self._thread = threading.Thread(target=self._keep_writing, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is not in the file yet, and close it."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        with contextlib.suppress(ServiceError), self._write() as connection:
            connection.execute(_SET_SEQUENCE, (self._last,))
        self._reader.close()
        self._connection.close()

    def _keep_writing(self) -> None:
        while not self._closing:
            self._wake.wait(_PROBE_SECONDS)
            self._wake.clear()
            with contextlib.suppress(ServiceError), self._write():
                pass

    @contextlib.contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection that waits for no writer. Raises ServiceError."""
        with self._reading, sqlite_files.report_errors(self._path, self._failed):
            yield self._reader

    @contextlib.contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection in a transaction, which also writes pending contents.

        It reserves numbers too, and so is never empty. Raises ServiceError.
        """
        with self._writing:
            with self._reading:
                pending = self._pending.copy()
                end = max(self._end, self._last + _RESERVED) + 1
            try:
                with sqlite_files.transaction(self._connection):
                    self._connection.executemany(
                        "INSERT INTO contents(id, bank, source, entry) VALUES (?, ?, ?, ?)",
                        [(one.id, *key) for key, one in pending.items()],
                    )
                    self._connection.execute(_SET_SEQUENCE, (end,))
                    yield self._connection
            except sqlite3.Error as error:
                failure = self._failed(explain(error, self._path))
                if self.is_writable:
                    _log.error("%s", failure)
                self.is_writable = False
                raise failure from None
            with self._reading:
                self.is_writable, self._end = True, end
                for key in pending:
                    del self._pending[key]

    def _failed(self, reason: str) -> ServiceError:
        return ServiceError(f"cannot use {self._path}: {reason}")

    def _take_number(self) -> int:
        """Return a new number; the caller has the lock `_reading`."""
        if self._last >= self._end:
            raise self._failed("it takes no more numbers: see whether the disk is full")
        self._last += 1
        return int(self._last)

    def banks(self) -> list[Bank]:
        """Return all banks, also those whose list is not in use."""
        with self._read() as connection:
            rows = connection.execute("SELECT id, name, list, own, ratio FROM banks ORDER BY id")
            return [
                Bank(id_, name, list_, bool(own), ratio) for id_, name, list_, own, ratio in rows
            ]

    def add_bank(self, name: str, list_name: str | None, ratio: float) -> Bank:
        """Add the bank of a list, or without its name an own one, and return it."""
        with self._write() as connection:
            cursor = connection.execute(
                "INSERT INTO banks(name, list, own, ratio) VALUES (?, ?, ?, ?)",
                (name, list_name or "", list_name is None, ratio),
            )
            assert cursor.lastrowid is not None
            id_ = cursor.lastrowid
            if list_name is None:
                connection.execute(
                    "UPDATE banks SET list = ? WHERE id = ?", (own_list_name(id_), id_)
                )
        return Bank(id_, name, list_name or own_list_name(id_), list_name is None, ratio)

    def change_bank(self, bank: Bank) -> None:
        """Store a bank's name and ratio."""
        with self._write() as connection:
            connection.execute(
                "UPDATE banks SET name = ?, ratio = ? WHERE id = ?",
                (bank.name, bank.ratio, bank.id),
            )

    def remove_bank(self, bank: Bank) -> None:
        """Remove a bank and its contents."""
        with self._write() as connection:
            connection.execute("DELETE FROM contents WHERE bank = ?", (bank.id,))
            connection.execute("DELETE FROM banks WHERE id = ?", (bank.id,))

    def find_content(self, id_: int) -> Content | None:
        """Return the content of a number, unless it was deleted."""
        with self._read() as connection:
            for content in self._pending.values():
                if content.id == id_:
                    return content
            row = connection.execute(
                f"SELECT {_CONTENT} FROM contents WHERE id = ? AND NOT deleted", (id_,)
            ).fetchone()
        return None if row is None else _read_content(row)

    def number_records(self, bank: Bank, records: Iterable[Record]) -> dict[Record, Content]:
        """Return the contents of records; those without a number get one, which is written soon."""
        found = {}
        with self._read() as connection:
            for record in dict.fromkeys(records):
                key = (bank.id, *record)
                content = self._pending.get(key) or _find(connection, bank, record)
                if content is None:
                    content = Content(self._take_number(), *key, 1, None, None, False)
                    self._pending[key] = content
                    self._wake.set()
                found[record] = content
        return found

    def add_content(
        self, bank: Bank, source: str, *, note: str | None, metadata: dict[str, Any] | None
    ) -> Content:
        """Add the content of a new record of an own bank; its entry is the number."""
        with self._reading:
            id_ = self._take_number()
        text = None if metadata is None else json.dumps(metadata)
        with self._write() as connection:
            connection.execute(
                "INSERT INTO contents(id, bank, source, entry, note, metadata)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (id_, bank.id, source, str(id_), note, text),
            )
        return Content(id_, bank.id, source, str(id_), 1, note, metadata, False)

    def change_content(self, content: Content) -> None:
        """Store what may change of a content."""
        with self._write() as connection:
            connection.execute(
                "UPDATE contents SET disable_until = ?, note = ?, deleted = ? WHERE id = ?",
                (content.disable_until, content.note, content.deleted, content.id),
            )

    def remove_content(self, content: Content) -> None:
        """Remove a content whose record was not written."""
        with self._write() as connection:
            connection.execute("DELETE FROM contents WHERE id = ?", (content.id,))


def own_list_name(id_: int) -> str:
    """Return the name of the list of an own bank."""
    return f"hma-bank-{id_}"


def _find(connection: sqlite3.Connection, bank: Bank, record: Record) -> Content | None:
    row = connection.execute(_FIND, (bank.id, *record)).fetchone()
    return None if row is None else _read_content(row)


def _read_content(row: tuple[Any, ...]) -> Content:
    id_, bank, source, entry, disable_until, note, metadata, deleted = row
    return Content(
        id_, bank, source, entry, disable_until, note,
        None if metadata is None else json.loads(metadata), bool(deleted),
    )  # fmt: skip
