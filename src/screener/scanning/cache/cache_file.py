"""The SQLite file of a HashCache: its schema, its opening, and short transactions.

It is in write-ahead mode. Scans and rescans of one file wait for one another only while a batch is
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
from screener.system.files import open_private
from screener.system.output_file import make_private
from screener.system.sqlite_errors import explain, get_code, is_busy
from screener.system.sqlite_files import connect, transaction

_APPLICATION_ID = 0x53435248
# To be raised by two, also when files are hashed more completely than before.
_FORMAT = 9
# Earlier programs refuse a cache of weights: they would not erase these with their inputs.
_WEIGHTS_FORMAT = _FORMAT + 1
_KEEP_DAYS = 30.0
_LOCK_WAIT_SECONDS = 30.0

# The header of SQLite's files, in bytes.
_MAGIC = b"SQLite format 3\0"
_VERSION_OFFSET, _APPLICATION_OFFSET, _HEADER_SIZE = 60, 68, 100

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

_DAMAGE_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


class CacheFile:
    """An open cache file, safe to share between threads.

    SQLite's errors become an OutputError that names the file and the cure. Calls after a fork or
    after closing raise OutputError too.
    """

    def __init__(self, path: Path) -> None:
        """Connect to a checked file; callers use `open`."""
        self.path = path
        self._process = os.getpid()
        self.closed = False
        """Whether this process has closed the file."""
        self._lock = threading.RLock()
        self._stat = path.stat()
        with self._access():
            self._connection = connect(path, "rw", wait=_LOCK_WAIT_SECONDS)

    @classmethod
    def open(cls, path: Path, *, create: bool) -> CacheFile:
        """Open a cache. With `create`, create it if the file is missing or empty.

        Raises OutputError and leaves the file unchanged if it is not a cache, is of another
        version, is damaged or is busy.
        """
        if path.exists() and not path.is_file():  # for instance a device that others use
            raise OutputError(f"{path} is not a regular file: name another for the cache of hashes")
        with _opening_lock:
            # POSIX drops all of a process's locks on a file when any descriptor of it is closed, so
            # a file that SQLite has open in this process is not opened a second time.
            if not _is_open_in_process(path):
                if create:
                    os.close(open_private(path, os.O_RDWR | os.O_CREAT))
                _check_header(path, create=create)
            make_private(path)  # first, since SQLite's other files get the same mode
            opened = cls(path)
            _open_files.add(opened)
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
        """Yield the connection for queries, whose rows must all be read before this exits."""
        with self._access():
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection in a transaction. Keep it short: other programs wait for it."""
        with self._access(), transaction(self._connection):
            yield self._connection

    def has_weights(self) -> bool:
        """Return whether the cache stores weights."""
        with self._access():
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        return bool(version == _WEIGHTS_FORMAT)

    def set_weights(self, stored: bool) -> None:
        """Set whether the cache stores weights, in the transaction of `writing`."""
        with self._access():
            version = _WEIGHTS_FORMAT if stored else _FORMAT
            self._connection.execute(f"PRAGMA user_version = {version}")

    def overwrite(self) -> None:
        """Overwrite deleted rows in the file and empty its log, unless others use them."""
        with self._access():
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the file; do nothing in a forked process. The last connection removes its log."""
        if self._is_own:
            with self._lock:
                try:
                    self._connection.close()
                finally:
                    self.closed = True  # last, since SQLite has locks until then (see `open`)

    @property
    def _is_own(self) -> bool:
        """Whether this process opened the file; SQLite's locks belong only to that one."""
        return self._process == os.getpid()

    def is_same(self, stat: os.stat_result) -> bool:
        """Return whether a file status is that of this file."""
        return os.path.samestat(stat, self._stat)

    def damaged_error(self, detail: object) -> OutputError:
        """Return the error for content that this program never writes."""
        return OutputError(
            f"{self.path} is a damaged cache of hashes ({detail}): delete it, and scan again with"
            " --cache"
        )

    @contextmanager
    def _access(self) -> Iterator[None]:
        """Lock the connection, and convert SQLite's errors into an OutputError."""
        if not self._is_own:  # before the lock, which another thread may have had at the fork
            raise OutputError(
                f"the cache {self.path} was opened before this process was forked: open it again in"
                " each process"
            )
        try:
            with self._lock:
                if self.closed:
                    raise OutputError(f"the cache {self.path} is closed: open it again")
                yield
        except sqlite3.ProgrammingError:
            raise  # the caller's mistake
        except sqlite3.Error as error:
            if get_code(error) in _DAMAGE_CODES:
                raise self.damaged_error(cause(error)) from None
            raise OutputError(
                f"{self.path}: cannot store hashes: {explain(error, self.path)}"
            ) from None

    def _prepare(self) -> None:
        with self.writing() as connection:
            # Another program may have created the tables in the meantime.
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in _TABLES.split(";"):
                    connection.execute(statement)
                connection.execute("INSERT INTO settings VALUES (?)", (_KEEP_DAYS,))
                connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
        # After the header is written, so that it identifies the file from the start. If the file
        # system does not support it, readers and writers wait for each other.
        try:
            self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError as error:
            if not is_busy(error):  # If it is, the next program that opens the file sets the mode.
                with self._access():
                    raise


_open_files: WeakSet[CacheFile] = WeakSet()
_opening_lock = threading.Lock()


def _replace_lock() -> None:
    """Replace the lock in a forked process, since another thread may have held it."""
    global _opening_lock
    _opening_lock = threading.Lock()


os.register_at_fork(after_in_child=_replace_lock)


def _is_open_in_process(path: Path) -> bool:
    """Return whether this process has the file open, so it is known to be a cache."""
    with suppress(FileNotFoundError):
        stat = path.stat()
        return any(not file.closed and file.is_same(stat) for file in list(_open_files))
    return False


def _check_header(path: Path, *, create: bool) -> None:
    """Raise OutputError if a file is not a cache, before SQLite may write to it."""
    try:
        with path.open("rb") as stream:
            header = stream.read(_HEADER_SIZE)
    except FileNotFoundError:
        raise OutputError(f"no cache of hashes at {path}: make one with `scan --cache`") from None
    if not header:
        if create:
            return
        raise OutputError(f"{path} is empty: fill it with `scan --cache`")
    application = int.from_bytes(header[_APPLICATION_OFFSET : _APPLICATION_OFFSET + 4], "big")
    version = int.from_bytes(header[_VERSION_OFFSET : _VERSION_OFFSET + 4], "big")
    if not header.startswith(_MAGIC) or application != _APPLICATION_ID:
        raise OutputError(f"{path} is not a cache of hashes; nothing was written to it")
    if version < _FORMAT:
        raise OutputError(
            f"{path} is a cache of an earlier version, which may lack inputs or frames: delete it,"
            " and scan again with --cache"
        )
    if version > _WEIGHTS_FORMAT:
        raise OutputError(f"{path} is a cache of a newer version of screener: use that")
