"""Connections: open connections to the database of a list that only read.

Opening one with all its checks takes far longer than most questions, so an idle one is kept. It
answers again only if the same file lies at the path and nothing was committed since the checks
passed. Otherwise, and after any error, a new connection is opened with all checks.
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

_MOST_IDLE: Final = 8  # of one list
_CACHE: Final = 8192  # KiB of pages of each: those that lead to the rows of a million records


class _Kept(NamedTuple):
    """A connection, and the file and its version for which the checks passed."""

    connection: sqlite3.Connection
    file: _File
    version: int


class Connections:
    """The connections to one list. Threads may share it.

    `check` sees each new connection before its first question, in the same transaction. It raises
    if the database is not that of the list any more.
    """

    def __init__(self, folder: Path, check: Callable[[sqlite3.Connection], None]) -> None:
        self._folder = folder
        self._path = os.fspath(folder / database.DATABASE)
        self._check = check
        self._idle: list[_Kept] = []
        _ALL[id(self)] = self

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close all idle connections. The next question opens another."""
        try:
            while True:  # another thread may take one meanwhile
                self._idle.pop().connection.close()
        except IndexError:
            return

    def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Return the answer to a question, which sees one state of the database.

        The question is put again if the first answer cannot be trusted. Raises what the question,
        `check` and `database.ask` raise.
        """
        try:
            kept = self._idle.pop()
        except IndexError:
            return self._ask_anew(question)
        holds = False
        try:
            # If SQLite fails, a new connection answers or says what is wrong.
            with contextlib.suppress(sqlite3.Error):
                try:
                    answer = question(kept.connection)
                except sqlite3.Error:
                    raise
                except Exception:
                    if self._as_checked(kept):
                        with database.report_damage(kept.connection, self._folder):
                            raise
                else:
                    holds = self._as_checked(kept)
        finally:
            if not (holds and self._keep(kept)):
                kept.connection.close()
        if holds:
            return answer
        # The others are as old. They would keep a file that was replaced on the disk, and share
        # SQLite's index of its log with the next connection, even if that was deleted.
        self.close()
        return self._ask_anew(question)

    def _ask_anew(self, question: Callable[[sqlite3.Connection], T]) -> T:
        file = _file_at(self._path)
        version = 0

        def asked(connection: sqlite3.Connection) -> T:
            nonlocal version
            connection.execute("BEGIN")
            version = _version_of(connection)
            self._check(connection)
            return question(connection)

        def keep(connection: sqlite3.Connection) -> bool:
            # The file may have been replaced while it was opened.
            same = file is not None and file == _file_at(self._path)
            connection.execute(f"PRAGMA cache_size = -{_CACHE}")
            connection.execute("ROLLBACK")  # an idle one keeps no writer waiting
            return same and self._keep(_Kept(connection, file or (), version))

        return database.ask(self._folder, asked, keep)

    def _as_checked(self, kept: _Kept) -> bool:
        """Return whether the file is the one that was checked, and nothing was committed since: all
        questions until now saw what was checked.
        """
        return kept.version == _version_of(kept.connection) and kept.file == _file_at(self._path)

    def _keep(self, kept: _Kept) -> bool:
        if len(self._idle) >= _MOST_IDLE:
            return False
        self._idle.append(kept)
        return True


def _file_at(path: str) -> _File | None:
    """Return what identifies the database file, or None if it cannot be found."""
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


def _version_of(connection: sqlite3.Connection) -> int:
    """Return a number that changes when another connection, of any process, has committed."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


_ALL: weakref.WeakValueDictionary[int, Connections] = weakref.WeakValueDictionary()


def _close_all() -> None:
    """Close what is idle before a fork: SQLite's locks would count for the child and not hold."""
    for reference in _ALL.valuerefs():
        if (one := reference()) is not None:
            one.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_close_all)
