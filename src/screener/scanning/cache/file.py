"""CacheFile: the SQLite file of a HashCache: its layout, how it is opened, and short transactions.

It is in write-ahead mode: scans and rescans of one file wait for one another only while a batch is
written, and what was written outlives the process without waiting for the disk.
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
_FORMAT = 7  # one more, too, where more of a file is looked at than before
_KEEP = 30.0  # days
_WAIT_S = 30.0

# Where SQLite has them in the first bytes of its files.
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
    """An open file; threads may share it, and take turns. Whatever SQLite raises here is an
    OutputError that names the file and says what to do; so is a process that was forked since, and
    whatever is asked of it once it is closed.
    """

    def __init__(self, path: Path) -> None:
        """Not for callers: use `open`."""
        self.path = path
        self._process = os.getpid()
        self.closed = False
        """Whether it was closed by this process: then nothing can be asked of it any more."""
        self._turn = threading.RLock()
        self._facts = path.stat()
        with self._told():
            self._connection = connect(path, "rw", wait=_WAIT_S)

    @classmethod
    def open(cls, path: Path, *, create: bool) -> CacheFile:
        """Open a cache; with `create` one is made where there is no file, or an empty one.

        OutputError where the file is no cache, one of another version, damaged or busy: it is left
        as it is.
        """
        if path.exists() and not path.is_file():  # of a device, others would lose the use
            raise OutputError(f"{path} is no regular file, and a cache of hashes has to stay")
        with _opening:
            # To close it once more, beside SQLite, would take away the locks that this process has
            # on it: another would take the log beside it from under what is open.
            if not _is_open_here(path):
                if create:
                    os.close(open_private(path, os.O_RDWR | os.O_CREAT))
                _check_header(path, create=create)
            make_private(path)  # before SQLite makes files beside it, which get the same rights
            opened = cls(path)
            _open_here.add(opened)
        try:
            with opened._told():
                opened._connection.execute("PRAGMA secure_delete = ON")
                opened._connection.execute("PRAGMA synchronous = NORMAL")
            opened._prepare()
        except BaseException:
            opened.close()
            raise
        return opened

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for a question that is answered in whole before this ends."""
        with self._told():
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, which is to be short: another program can write only when it is over."""
        with self._told(), transaction(self._connection):
            yield self._connection

    def overwrite(self) -> None:
        """Have what was deleted overwritten in the file, and the log beside it emptied, as far as
        nobody else is at it.
        """
        with self._told():
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close it. The last one that does takes the log beside it away; a process that was forked
        since it was opened leaves it as it is.
        """
        if self._is_own:
            with self._turn:
                try:
                    self._connection.close()
                finally:
                    self.closed = True  # only now: until then it has locks, see `open`

    @property
    def _is_own(self) -> bool:
        """Whether this process opened it: SQLite's locks are held by that one alone."""
        return self._process == os.getpid()

    def damaged(self, why: object) -> OutputError:
        """What to raise where it holds what was never written."""
        return OutputError(
            f"{self.path} is a damaged cache of hashes ({why}): delete it, and scan again with"
            " --cache"
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Have a turn, and say of what SQLite refuses where it was, and what to do."""
        if not self._is_own:  # before its turn, which another thread may have had at the fork
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
            raise  # a mistake of the caller's
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
        # Only now, so that the header says what the file is from the first moment on. Where the
        # file system cannot do it, readers and writers do wait for each other, and all else holds.
        try:
            self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError as error:
            if not is_busy(error):  # else whoever opens it next does it
                with self._told():
                    raise


_open_here: WeakSet[CacheFile] = WeakSet()
_opening = threading.Lock()


def _forked() -> None:
    """Another thread may have had its turn at the fork, and has none in this process."""
    global _opening
    _opening = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _is_open_here(path: Path) -> bool:
    """Whether this process has the file open, which is then known to be a cache."""
    with suppress(FileNotFoundError):
        facts = path.stat()
        return any(
            not one.closed and os.path.samestat(facts, one._facts) for one in list(_open_here)
        )
    return False


def _check_header(path: Path, *, create: bool) -> None:
    """OutputError where a file is not ours; SQLite, which may write to it, has not seen it then."""
    try:
        with path.open("rb") as stream:
            header = stream.read(_HEADER)
    except FileNotFoundError:
        raise OutputError(f"there is no cache of hashes {path}: `scan --cache` makes one") from None
    if not header:
        if create:
            return
        raise OutputError(f"{path} is empty, and no cache of hashes: `scan --cache` fills it")
    application = int.from_bytes(header[_APPLICATION_AT : _APPLICATION_AT + 4], "big")
    version = int.from_bytes(header[_VERSION_AT : _VERSION_AT + 4], "big")
    if not header.startswith(_MAGIC) or application != _APPLICATION:
        raise OutputError(f"{path} is no cache of hashes; nothing was written to it")
    if version < _FORMAT:
        raise OutputError(
            f"{path} is a cache of an earlier version, which may lack inputs or frames: delete it,"
            " and scan again with --cache"
        )
    if version > _FORMAT:
        raise OutputError(f"{path} is a cache of a newer version of screener: use that")
