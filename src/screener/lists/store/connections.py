"""Keep read-only connections to the database of a list open between queries.

Opening a connection with all checks takes far longer than most queries. An idle connection is used
again only if the same file is at the path and nothing was committed since its checks. Otherwise,
and after any error, a new connection is opened with all checks.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from screener.lists.store import database

T = TypeVar("T")
_File = tuple[int, ...]

_MAX_IDLE: Final = 8  # per list
_CACHE_KIB: Final = 8192  # per connection: the inner pages for a million records


class _Checked(NamedTuple):
    """A connection, and the file and version for which its checks passed."""

    connection: sqlite3.Connection
    file: _File
    version: int


class Connections:
    """The connections to one list; threads may share it.

    `check` is called with each new connection before its first query, in the same transaction. It
    raises if the database belongs to another list.
    """

    def __init__(self, folder: Path, check: Callable[[sqlite3.Connection], None]) -> None:
        self._folder = folder
        self._path = os.fspath(folder / database.DATABASE)
        self._check = check
        self._idle: list[_Checked] = []
        _ALL[id(self)] = self

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close all idle connections; the next query opens a new one."""
        try:
            while True:  # another thread may take one at the same time
                self._idle.pop().connection.close()
        except IndexError:
            return

    def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Return the result of a query on one state of the database.

        `question` runs the query; it is called again if the first result cannot be trusted. Raises
        the errors of `question`, `check` and `database.ask`.
        """
        try:
            checked = self._idle.pop()
        except IndexError:
            return self._ask_new(question)
        is_valid = False
        try:
            # If SQLite fails, a new connection answers or reports the error.
            with contextlib.suppress(sqlite3.Error):
                try:
                    answer = question(checked.connection)
                except sqlite3.Error:
                    raise
                except Exception:
                    if self._is_current(checked):
                        with database.report_damage(checked.connection, self._folder):
                            raise
                else:
                    is_valid = self._is_current(checked)
        finally:
            if not (is_valid and self._keep(checked)):
                checked.connection.close()
        if is_valid:
            return answer
        # The other idle connections are outdated too. They would keep a replaced file on the disk,
        # and share SQLite's index of its log with the next connection, even if it was deleted.
        self.close()
        return self._ask_new(question)

    def _ask_new(self, question: Callable[[sqlite3.Connection], T]) -> T:
        file = _identify_file(self._path)
        version = 0

        def check_and_ask(connection: sqlite3.Connection) -> T:
            nonlocal version
            connection.execute("BEGIN")
            version = _read_version(connection)
            self._check(connection)
            return question(connection)

        def keep(connection: sqlite3.Connection) -> bool:
            # The file may have been replaced while it was opened.
            is_same = file is not None and file == _identify_file(self._path)
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute("ROLLBACK")  # so that it does not block a writer while idle
            return is_same and self._keep(_Checked(connection, file or (), version))

        return database.ask(self._folder, check_and_ask, keep)

    def _is_current(self, checked: _Checked) -> bool:
        """Return whether the file is the checked one and nothing was committed since."""
        return checked.version == _read_version(
            checked.connection
        ) and checked.file == _identify_file(self._path)

    def _keep(self, checked: _Checked) -> bool:
        if len(self._idle) >= _MAX_IDLE:
            return False
        self._idle.append(checked)
        return True


def _identify_file(path: str) -> _File | None:
    """Return the identity and state of the database file, or None if it cannot be found."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _read_version(connection: sqlite3.Connection) -> int:
    """Return a number that changes when another connection of any process commits."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


_ALL: weakref.WeakValueDictionary[int, Connections] = weakref.WeakValueDictionary()


def _close_all() -> None:
    """Close idle connections before a fork, which SQLite's locks do not survive."""
    for reference in _ALL.valuerefs():
        if (connections := reference()) is not None:
            connections.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_close_all)
