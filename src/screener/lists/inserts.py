"""Inserting many rows into the database while the next ones are read.

SQLite lets other threads of Python run while it runs a statement, but each return to Python may
wait for some milliseconds until another thread lets go. So rows go in by statements of thousands,
from a thread that lives for one batch; the caller reads on meanwhile, and settles before it asks
the database for anything.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from threading import Thread, current_thread

Rows = Sequence[tuple[object, ...]]


class Inserts:
    """Rows on their way into the tables of a connection, inside its transaction.

    The connection must be one that threads may share. Whoever leaves the transaction settles
    first, whatever went wrong: nothing may be written behind a rollback.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Nothing is on its way."""
        self._connection = connection
        self._most = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        self._thread: Thread | None = None
        self._trouble: BaseException | None = None

    def begin(self, tables: Sequence[tuple[str, Rows]]) -> None:
        """Insert whole rows into tables, in that order; returns before it is done."""
        self.settle()
        if any(rows for _, rows in tables):
            self._thread = Thread(target=self._insert, args=(tables,), name="screener-inserts")
            self._thread.start()

    def settle(self) -> None:
        """Wait until all rows are in; raises what went wrong, as sqlite3.Error."""
        thread = self._thread
        if thread is not None:
            try:
                thread.join()
            except RuntimeError:  # an interrupt came before it was started: it must not begin now
                self._thread = None
                with suppress(RuntimeError):
                    thread.join()
            except BaseException:  # the user's interrupt
                self._connection.interrupt()
                thread.join()
                self._trouble = None  # it was broken off by us
                raise
            self._thread = None
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise trouble

    def _insert(self, tables: Sequence[tuple[str, Rows]]) -> None:
        if self._thread is not current_thread():
            return
        try:
            for table, rows in tables:
                width = len(rows[0]) if rows else 1
                at_once = self._most // width
                for start in range(0, len(rows), at_once):
                    some = rows[start : start + at_once]
                    marks = ",".join([f"({','.join('?' * width)})"] * len(some))
                    self._connection.execute(
                        f"INSERT INTO {table} VALUES {marks}", tuple(chain.from_iterable(some))
                    )
        except BaseException as error:  # told by the thread that settles
            self._trouble = error
