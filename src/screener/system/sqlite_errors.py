"""Hindrance: why SQLite or the system does not do with a file as it was asked, and what to do.

SQLite says "disk I/O error" or "unable to open database file" of a full disk, a folder that may not
be written to and a path that is too long. Which it was is looked for here.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from screener.errors import cause

# Of a row of a schema: whether it is a table whose rows are in the file. Strictly: SQLite takes it
# by its text, whatever the case of the type, and text that is bytes as well.
STORED = "(type IS 'table' AND typeof(rootpage) IS 'integer' AND rootpage > 0)"

# What is computed may have no end, and keep both Ctrl-C and SIGTERM waiting; what is done at a
# change may undo it.
_MORE = f"SELECT 1 FROM sqlite_master WHERE NOT ({STORED} OR type IS 'index') LIMIT 1"


def check_data_alone(connection: sqlite3.Connection) -> None:
    """sqlite3.DatabaseError where a database has views, triggers or virtual tables, which no
    version of this library makes; what else its schema says may call no function that does more
    than compute. The connection is closed where this raises.
    """
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        if connection.execute(_MORE).fetchone() is not None:
            raise sqlite3.DatabaseError("somebody added a view, a trigger or a virtual table to it")
    except BaseException:
        connection.close()
        raise


_LONGEST = 504  # bytes of a path; the longest name that SQLite makes beside it has 8 more
_ROOM = 1 << 20  # bytes; with less, a disk is as good as full

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_TOO_MANY = {errno.EMFILE, errno.ENFILE}
_TOO_MANY_SAID = "this process has as many files open as it may: raise its limit (`ulimit -n`)"


def told(error: BaseException, path: Path) -> str:
    """What SQLite or the system says of a file, with the likely cause and what to do about it, as
    far as that is known.
    """
    why = _of_system(error, path) if isinstance(error, OSError) else _of_sqlite(error, path)
    return cause(error) if why is None else f"{cause(error)}: {why}"


def _of_system(error: OSError, path: Path) -> str | None:
    if error.errno in _FULL:
        return _full(path)
    if error.errno in _TOO_MANY:
        return _TOO_MANY_SAID
    return _refused(path) if error.errno in _REFUSED else None


def _of_sqlite(error: BaseException, path: Path) -> str | None:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"another program is at {path}; try again when it has ended"
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        return _full(path)
    if code == sqlite3.SQLITE_IOERR:
        return _refused(path) or (
            f"the disk of {path.parent} fails, or is a share that cannot do what SQLite needs: see"
            " the system's log, or move it to a local disk"
        )
    if code == sqlite3.SQLITE_CANTOPEN and len(os.fsencode(path.absolute())) > _LONGEST:
        return f"{path} is longer than the {_LONGEST} bytes that SQLite takes: use a shorter path"
    if code == sqlite3.SQLITE_CANTOPEN and _none_left():
        return _TOO_MANY_SAID
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return _refused(path)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return f"{path} is damaged; put a sound copy in its place"
    return None


def _full(path: Path) -> str:
    # SQLite sorts what is large in a file in a folder of its own choice.
    where = path.parent if _is_full(path) else f"{path.parent} or of temporary files (TMPDIR)"
    return f"the disk of {where} is full, or what you may use of it; make room, and try again"


def _is_full(path: Path) -> bool:
    with suppress(OSError, AttributeError):
        facts = os.statvfs(path.parent)
        return facts.f_bavail * facts.f_frsize < _ROOM
    return False


def _refused(path: Path) -> str | None:
    """Which of a file and its folder cannot be used, and why; None where nothing tells."""
    with suppress(OSError, AttributeError):
        if os.statvfs(path.parent).f_flag & os.ST_RDONLY:
            return f"{path.parent} lies on a disk that is mounted to be read only"
    for place, rights, what in (
        *((folder, os.X_OK, "enter") for folder in reversed(path.parents)),
        (path, os.R_OK, "read"),
        (path.parent, os.W_OK, "write in"),
        (path, os.W_OK, "write to"),
    ):
        # Not by the path's own questions, which raise an error of a folder that may not be entered.
        if os.path.exists(place) and not os.access(place, rights):
            return f"you may not {what} {place}; have its owner let you, or run this as that user"
    return None if os.path.isdir(path.parent) else f"there is no folder {path.parent}"


def _none_left() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in _TOO_MANY
    return False
