"""The SQLite file of a HashCache: its layout, its opening, and short transactions.

It is in write-ahead mode: scans and rescans of one file wait for one another only while a batch is
written, and committed rows survive a killed process without waiting for the disk.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakSet

from screener.errors import OutputError, cause
from screener.system.database import connect, transaction
from screener.system.files import open_private
from screener.system.output_file import make_private
from screener.system.sqlite_errors import code_of, explain, is_busy

_APPLICATION = 0x53435248
_FORMAT = 7  # also raised when more of a file is hashed than before
_KEEP = 30.0  # days
_WAIT_S = 30.0

# Places in the header of SQLite's files.
_MAGIC = b"SQLite format 3\0"
_VERSION_AT, _APPLICATION_AT, _HEADER = 60, 68, 100

_TABLES = """
CREATE TABLE settings (keep REAL NOT NULL);
CREATE TABLE makings (id INTEGER PRIMARY KEY, made_by TEXT NOT NULL UNIQUE);
CREATE TABLE inputs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name BLOB NOT NULL, place TEXT NOT NULL,
    text TEXT, size INTEGER, mtime_ns INTEGER,
    hashed INTEGER NOT NULL, making INTEGER NOT NULL, archive INTEGER NOT NULL,
    clear INTEGER NOT NULL, extra TEXT, media TEXT, reason TEXT, detail TEXT, located TEXT NOT NULL,
    UNIQUE (name, place)
);
CREATE INDEX inputs_by_time ON inputs (hashed);
CREATE INDEX inputs_by_making ON inputs (making, extra);
CREATE INDEX inputs_by_clear ON inputs (clear);
CREATE TABLE codes (
    kind TEXT, input INTEGER, bytes BLOB, PRIMARY KEY (kind, input)
) WITHOUT ROWID;
"""

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


class CacheFile:
    """An open file, which threads share in turns. SQLite's errors become an OutputError that names
    the file and the cure; so do calls after a fork or after closing.
    """

    def __init__(self, path: Path) -> None:
        """Open a file, which `open` has checked."""
        self.path = path
        self._process = os.getpid()
        self.closed = False
        """Whether this process has closed it."""
        self._turn = threading.RLock()
        self._facts = path.stat()
        with self._access():
            self._connection = connect(path, "rw", wait=_WAIT_S)

    @classmethod
    def open(cls, path: Path, *, create: bool) -> CacheFile:
        """Open a cache. With `create`, make one if there is no file, or an empty one.

        Raises OutputError, and leaves the file as it is, if it is no cache, of another version,
        damaged or busy.
        """
        if path.exists() and not path.is_file():  # it could be a device that others use
            raise OutputError(f"{path} is not a regular file: name another for the cache of hashes")
        with _opening:
            # POSIX drops all locks of a process on a file when it closes any descriptor of it; so
            # a file that SQLite has open here is not opened a second time.
            if not _is_open_here(path):
                if create:
                    os.close(open_private(path, os.O_RDWR | os.O_CREAT))
                _check_header(path, create=create)
            make_private(path)  # before SQLite makes files beside it with the same rights
            opened = cls(path)
            _open_here.add(opened)
        try:
            with opened._access():
                opened._connection.execute("PRAGMA secure_delete = ON")
                opened._connection.execute("PRAGMA synchronous = NORMAL")
            opened._prepare()
        except BaseException:
            opened.close()
            raise
        return opened

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection for a query that is read to its end before this exits."""
        with self._access():
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield a transaction. Keep it short: other programs wait for it."""
        with self._access(), transaction(self._connection):
            yield self._connection

    def overwrite(self) -> None:
        """Overwrite deleted rows in the file and empty its log, unless others use them."""
        with self._access():
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the file. The last connection removes its log; a forked process leaves it."""
        if self._is_own:
            with self._turn:
                try:
                    self._connection.close()
                finally:
                    self.closed = True  # only now: until then it has locks (see `open`)

    @property
    def _is_own(self) -> bool:
        """Return whether this process opened the file; SQLite's locks belong to it alone."""
        return self._process == os.getpid()

    def damaged(self, why: object) -> OutputError:
        """Return the error for content that was never written."""
        return OutputError(
            f"{self.path} is a damaged cache of hashes ({why}): delete it, and scan again with"
            " --cache"
        )

    @contextmanager
    def _access(self) -> Iterator[None]:
        """Wait for a turn; turn SQLite's errors into an OutputError that says what to do."""
        if not self._is_own:  # before the lock, which another thread may have held at the fork
            raise OutputError(
                f"the cache {self.path} was opened before this process was forked: open it anew in"
                " each process"
            )
        try:
            with self._turn:
                if self.closed:
                    raise OutputError(f"the cache {self.path} is closed: open it anew")
                yield
        except sqlite3.ProgrammingError:
            raise  # the caller's mistake
        except sqlite3.Error as error:
            if code_of(error) in _DAMAGED:
                raise self.damaged(cause(error)) from None
            raise OutputError(
                f"{self.path}: cannot store hashes: {explain(error, self.path)}"
            ) from None

    def _prepare(self) -> None:
        with self.writing() as connection:
            # Another program may have made it meanwhile.
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in _TABLES.split(";"):
                    connection.execute(statement)
                connection.execute("INSERT INTO settings VALUES (?)", (_KEEP,))
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
        # Only now, so that the header identifies the file from the first moment on. If the file
        # system cannot do it, readers and writers wait for each other.
        try:
            self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError as error:
            if not is_busy(error):  # else the next to open it does it
                with self._access():
                    raise


_open_here: WeakSet[CacheFile] = WeakSet()
_opening = threading.Lock()


def _forked() -> None:
    """Replace the lock, which another thread may have held at the fork."""
    global _opening
    _opening = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _is_open_here(path: Path) -> bool:
    """Return whether this process has the file open, so that it is known to be a cache."""
    with suppress(FileNotFoundError):
        facts = path.stat()
        return any(
            not one.closed and os.path.samestat(facts, one._facts) for one in list(_open_here)
        )
    return False


def _check_header(path: Path, *, create: bool) -> None:
    """Raise OutputError if a file is not a cache, before SQLite may write to it."""
    try:
        with path.open("rb") as stream:
            header = stream.read(_HEADER)
    except FileNotFoundError:
        raise OutputError(f"no cache of hashes at {path}: make one with `scan --cache`") from None
    if not header:
        if create:
            return
        raise OutputError(f"{path} is empty: fill it with `scan --cache`")
    application = int.from_bytes(header[_APPLICATION_AT : _APPLICATION_AT + 4], "big")
    version = int.from_bytes(header[_VERSION_AT : _VERSION_AT + 4], "big")
    if not header.startswith(_MAGIC) or application != _APPLICATION:
        raise OutputError(f"{path} is not a cache of hashes; nothing was written to it")
    if version < _FORMAT:
        raise OutputError(
            f"{path} is a cache of an earlier version, which may lack inputs or frames: delete it,"
            " and scan again with --cache"
        )
    if version > _FORMAT:
        raise OutputError(f"{path} is a cache of a newer version of screener: use that")
