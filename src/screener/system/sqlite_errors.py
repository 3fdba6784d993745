"""Explain why SQLite or the system refused to use a file, and what the user can do.

SQLite reports "disk I/O error" or "unable to open database file" for a full disk and for missing
permissions alike; `explain` looks at the file and its folder to find out which it was.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from screener.errors import cause

_MIN_FREE_BYTES = 1 << 20  # SQLite may fail with less

_DISK_FULL_ERRORS = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_REFUSAL_ERRORS = {errno.EACCES, errno.EPERM, errno.EROFS}
_TOO_MANY_ERRORS = {errno.EMFILE, errno.ENFILE}
_TOO_MANY_FILES = "this process has as many files open as it may: raise its limit (`ulimit -n`)"


def explain(error: BaseException, path: Path) -> str:
    """Return the message of SQLite or the system about a file, with the likely cause and remedy."""
    why = (
        _explain_system(error, path) if isinstance(error, OSError) else _explain_sqlite(error, path)
    )
    return cause(error) if why is None else f"{cause(error)}: {why}"


def get_code(error: BaseException) -> int:
    """Return SQLite's primary result code, or SQLITE_ERROR if the error has none."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF


def is_busy(error: BaseException) -> bool:
    """Return whether another connection had a lock for too long."""
    return get_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _explain_system(error: OSError, path: Path) -> str | None:
    if error.errno in _DISK_FULL_ERRORS:
        return _explain_full_disk(path)
    if error.errno in _TOO_MANY_ERRORS:
        return _TOO_MANY_FILES
    return _explain_refusal(path) if error.errno in _REFUSAL_ERRORS else None


def _explain_sqlite(error: BaseException, path: Path) -> str | None:
    code = get_code(error)
    if is_busy(error):
        return f"another program is using {path}; try again when it has ended"
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        return _explain_full_disk(path)
    if code == sqlite3.SQLITE_IOERR:
        return _explain_refusal(path) or (
            f"the disk of {path.parent} fails, or is a network share that lacks what SQLite needs:"
            " see the system's log, or move the file to a local disk"
        )
    if code == sqlite3.SQLITE_CANTOPEN and _is_out_of_descriptors():
        return _TOO_MANY_FILES
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return _explain_refusal(path)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return f"{path} is damaged; put a sound copy in its place"
    return None


def _explain_full_disk(path: Path) -> str:
    # SQLite sorts large results in a file in the folder for temporary files.
    where = path.parent if _is_full(path) else f"{path.parent} or of temporary files (TMPDIR)"
    return f"the disk of {where} is full, or your quota is used up; make room, and try again"


def _is_full(path: Path) -> bool:
    with suppress(OSError, AttributeError):
        status = os.statvfs(path.parent)
        return status.f_bavail * status.f_frsize < _MIN_FREE_BYTES
    return False


def _explain_refusal(path: Path) -> str | None:
    """Return which permission the user lacks on the file or a folder above it, or None."""
    with suppress(OSError, AttributeError):
        if os.statvfs(path.parent).f_flag & os.ST_RDONLY:
            return f"{path.parent} lies on a disk that is mounted read-only"
    for target, rights, action in (
        *((folder, os.X_OK, "enter") for folder in reversed(path.parents)),
        (path, os.R_OK, "read"),
        (path.parent, os.W_OK, "write in"),
        (path, os.W_OK, "write to"),
    ):
        # Path.exists() would raise PermissionError in a folder that may not be entered.
        if os.path.exists(target) and not os.access(target, rights):
            return (
                f"you may not {action} {target}; ask its owner for access, or run this as its owner"
            )
    return None if os.path.isdir(path.parent) else f"there is no folder {path.parent}"


def _is_out_of_descriptors() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in _TOO_MANY_ERRORS
    return False
