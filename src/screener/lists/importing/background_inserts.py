"""Inserting many rows into the database while the next ones are read.

SQLite lets other threads of Python run while it runs a statement, but each return to Python may
wait for some milliseconds until another thread lets go. So rows go in by statements of thousands,
from a thread that lives for one batch; the caller reads on meanwhile, and settles before it asks
the database for anything.
"""

from __future__ import annotations

import _thread
import sqlite3
from collections.abc import Sequence
from itertools import chain

Rows = Sequence[tuple[object, ...]]


class Inserts:
    """Rows on their way into the tables of a connection, inside its transaction.

    The connection must be one that threads may share. Whoever leaves the transaction settles
    first, whatever went wrong: nothing may be written behind a rollback.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Nothing is on its way."""
        self._connection = connection
        self._batch: _Batch | None = None

    def begin(self, tables: Sequence[tuple[str, Rows]]) -> None:
        """Insert whole rows into tables, in that order; returns before it is done."""
        self.settle()
        if any(rows for _, rows in tables):
            self._batch = batch = _Batch(self._connection, tables)
            _thread.start_new_thread(batch.insert, ())
            batch.has_begun = True

    def settle(self) -> None:
        """Wait until all rows are in; raises what went wrong, as sqlite3.Error.

        An interrupt breaks them off, and is raised when nobody is at the connection any more. A
        second one is raised at once: whoever leaves the transaction settles again.
        """
        batch = self._batch
        if batch is None:
            return
        try:
            if not batch.has_begun:  # an interrupt came before it was started: it must not begin
                batch.break_off()
            batch.wait()
        except BaseException:  # the user's interrupt
            batch.break_off()
            batch.wait()
            self._batch = None
            raise
        self._batch = None
        if batch.trouble is not None:
            raise batch.trouble


class _Batch:
    """The rows that one thread inserts.

    An interrupt comes between any two steps of whoever waits for it, so each of those can be taken
    again. Those of `threading.Thread` cannot: `join`, once interrupted, takes the thread for ended
    (gh-90882), and `start` may leave it waiting for a lock that nobody will release.
    """

    def __init__(self, connection: sqlite3.Connection, tables: Sequence[tuple[str, Rows]]) -> None:
        self.has_begun = False  # where it is set; where it is not, it may have
        self.trouble: BaseException | None = None
        self._connection = connection
        self._tables = tables
        self._first: dict[str, str] = {}  # who came first, the thread or who breaks it off
        self._broken_off = False
        self._done = False
        self._at_work = _thread.allocate_lock()
        self._at_work.acquire()

    def break_off(self) -> None:
        """Have the thread stop at once, or do nothing where it has not come to life."""
        self._broken_off = True
        if self._first.setdefault("who", "breaker") == "thread":
            self._connection.interrupt()

    def wait(self) -> None:
        """Until no thread is, or will be, at the connection."""
        while not self._done and self._first.get("who") != "breaker":
            self._at_work.acquire()

    def insert(self) -> None:
        """Insert the rows; what the thread does."""
        if self._first.setdefault("who", "thread") == "breaker":
            return
        try:
            self._insert()
        except BaseException as error:  # told by whoever waits
            # Unless that is why.
            self.trouble = None if self._broken_off else error
        self._done = True
        self._at_work.release()

    def _insert(self) -> None:
        most = self._connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        for table, rows in self._tables:
            width = len(rows[0]) if rows else 1
            at_once = most // width
            for start in range(0, len(rows), at_once):
                some = rows[start : start + at_once]
                marks = ",".join([f"({','.join('?' * width)})"] * len(some))
                if self._broken_off:
                    return
                self._connection.execute(
                    f"INSERT INTO {table} VALUES {marks}", tuple(chain.from_iterable(some))
                )
