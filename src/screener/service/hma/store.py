"""Banks, and the numbers of contents, in a SQLite file.

A number is never used again, even if its content or bank was deleted or the process was killed.
"""

from __future__ import annotations

import contextlib
import json
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

_FORMAT = 1
_WAIT_SECONDS = 5.0
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
PRAGMA user_version = {_FORMAT};
"""
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
    """The file of banks and contents. Threads may share it."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. Raises ServiceError if that fails."""
        self._path = path
        self._lock = threading.RLock()
        try:
            os.close(open_private(path, os.O_CREAT | os.O_RDWR))
            self._connection = sqlite_files.connect(path, "rw", wait=_WAIT_SECONDS)
            format_ = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if format_ > _FORMAT:
                raise ServiceError(f"{path} was made by a newer version of screener: use that")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")  # a number must outlive a crash
            self._connection.executescript(_TABLES)
        except (sqlite3.Error, OSError) as error:
            raise ServiceError(f"cannot open {path}: {explain(error, path)}") from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def _use(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """Yield the connection, in a transaction if it is to `write`. Raises ServiceError."""
        with self._lock:
            try:
                if not write:
                    yield self._connection
                    return
                with sqlite_files.transaction(self._connection):
                    yield self._connection
            except sqlite3.Error as error:
                raise ServiceError(
                    f"cannot use {self._path}: {explain(error, self._path)}"
                ) from None

    def banks(self) -> list[Bank]:
        """Return all banks, also those whose list is not in use."""
        with self._use() as connection:
            rows = connection.execute("SELECT id, name, list, own, ratio FROM banks ORDER BY id")
            return [
                Bank(id_, name, list_, bool(own), ratio) for id_, name, list_, own, ratio in rows
            ]

    def add_bank(self, name: str, list_name: str | None, ratio: float) -> Bank:
        """Add the bank of a list, or without its name an own one, and return it."""
        with self._use(write=True) as connection:
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
        with self._use(write=True) as connection:
            connection.execute(
                "UPDATE banks SET name = ?, ratio = ? WHERE id = ?",
                (bank.name, bank.ratio, bank.id),
            )

    def remove_bank(self, bank: Bank) -> None:
        """Remove a bank and its contents."""
        with self._use(write=True) as connection:
            connection.execute("DELETE FROM contents WHERE bank = ?", (bank.id,))
            connection.execute("DELETE FROM banks WHERE id = ?", (bank.id,))

    def find_content(self, id_: int) -> Content | None:
        """Return the content of a number, unless it was deleted."""
        with self._use() as connection:
            row = connection.execute(
                f"SELECT {_CONTENT} FROM contents WHERE id = ? AND NOT deleted", (id_,)
            ).fetchone()
        return None if row is None else _read_content(row)

    def number_records(self, bank: Bank, records: Iterable[Record]) -> dict[Record, Content]:
        """Return the contents of records; those without a number get one."""
        wanted = list(dict.fromkeys(records))
        with self._use() as connection:
            found = {record: _find(connection, bank, record) for record in wanted}
        new = [record for record, content in found.items() if content is None]
        if new:
            with self._use(write=True) as connection:
                connection.executemany(
                    "INSERT INTO contents(bank, source, entry) VALUES (?, ?, ?)"
                    " ON CONFLICT DO NOTHING",
                    [(bank.id, *record) for record in new],
                )
                for record in new:
                    found[record] = _find(connection, bank, record)
        return {record: content for record, content in found.items() if content is not None}

    def add_content(
        self, bank: Bank, source: str, *, note: str | None, metadata: dict[str, Any] | None
    ) -> Content:
        """Add the content of a new record of an own bank; its entry is the number."""
        with self._use(write=True) as connection:
            cursor = connection.execute(
                "INSERT INTO contents(bank, source, entry, note, metadata) VALUES (?, ?, '', ?, ?)",
                (bank.id, source, note, None if metadata is None else json.dumps(metadata)),
            )
            assert cursor.lastrowid is not None
            id_ = cursor.lastrowid
            connection.execute("UPDATE contents SET entry = ? WHERE id = ?", (str(id_), id_))
        return Content(id_, bank.id, source, str(id_), 1, note, metadata, False)

    def change_content(self, content: Content) -> None:
        """Store what may change of a content."""
        with self._use(write=True) as connection:
            connection.execute(
                "UPDATE contents SET disable_until = ?, note = ?, deleted = ? WHERE id = ?",
                (content.disable_until, content.note, content.deleted, content.id),
            )

    def remove_content(self, content: Content) -> None:
        """Remove a content whose record was not written."""
        with self._use(write=True) as connection:
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
