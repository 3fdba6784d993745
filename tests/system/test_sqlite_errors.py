"""Errors of SQLite and the system are reported with their likely cause and a remedy."""

import errno
import os
import re
import resource
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest

from screener import HashList
from screener.errors import ListError
from screener.system import sqlite_errors


def of_sqlite(code, path):
    """Return the explanation of an SQLite error with that extended code."""
    error = sqlite3.OperationalError("words of SQLite")
    error.sqlite_errorcode = code
    return sqlite_errors.explain(error, path)


def disk(monkeypatch, *, free=1 << 40, flag=0):
    """A disk with so many bytes free, mounted like that."""
    facts = SimpleNamespace(f_bavail=free, f_frsize=1, f_flag=flag)
    monkeypatch.setattr(os, "statvfs", lambda _: facts)


def test_what_sqlite_does_not_say_is_looked_for(tmp_path, monkeypatch):
    """A full disk, one that fails, one that is read only, rights, another program, damage: each
    with the path and what to do.
    """
    path = tmp_path / "x"
    path.touch()
    disk(monkeypatch, free=0)
    for code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
        assert re.fullmatch(f"words of SQLite: .*{tmp_path} is full.*room.*", of_sqlite(code, path))
    assert "make room" in sqlite_errors.explain(OSError(errno.ENOSPC, "full"), path)
    disk(monkeypatch)
    assert f"{tmp_path} or of temporary files" in of_sqlite(sqlite3.SQLITE_FULL, path)
    assert f"the disk of {tmp_path} fails" in of_sqlite(sqlite3.SQLITE_IOERR_FSYNC, path)
    assert "try again when it has ended" in of_sqlite(sqlite3.SQLITE_BUSY_RECOVERY, path)
    assert f"{path} is damaged; put" in of_sqlite(sqlite3.SQLITE_CORRUPT, path)
    assert of_sqlite(sqlite3.SQLITE_ERROR, path) == "words of SQLite"
    for refused, what in ((os.R_OK, "read"), (os.X_OK, "enter"), (os.W_OK, "write")):
        monkeypatch.setattr(os, "access", lambda _, rights, no=refused: not rights & no)
        assert f"you may not {what}" in of_sqlite(sqlite3.SQLITE_CANTOPEN, path)
        assert f"you may not {what}" in sqlite_errors.explain(OSError(errno.EACCES, "no"), path)
    disk(monkeypatch, flag=os.ST_RDONLY)
    assert "mounted read-only" in of_sqlite(sqlite3.SQLITE_READONLY_DBMOVED, path)
    assert "mounted read-only" in sqlite_errors.explain(OSError(errno.EROFS, "no"), path)


def test_a_folder_that_may_not_be_entered_is_told(tmp_path, monkeypatch):
    """Nothing in it can be asked for, and asking for the cause is no error of another kind."""
    closed = tmp_path / "closed"

    def refusing(called):
        def call(path, *args, **kwargs):
            if not isinstance(path, int) and closed in Path(path).parents:
                raise PermissionError(errno.EACCES, "Permission denied", path)
            return called(path, *args, **kwargs)

        return call

    for name in ("stat", "lstat", "mkdir"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, rights: path != closed and access(path, rights))
    closed.mkdir()
    for path in (closed / "x", closed / "known.list" / "x"):
        assert f"you may not enter {closed};" in of_sqlite(sqlite3.SQLITE_CANTOPEN, path)
    with pytest.raises(ListError, match=f"you may not enter {closed};"):
        HashList.create(closed / "known.list")


def test_too_many_open_files_are_told(tmp_path):
    """The process's limit is raised by whoever runs it."""
    known = HashList.create(tmp_path / "known.list")
    known.log()  # loads the modules that it needs
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = os.open(os.devnull, os.O_RDONLY)
    os.close(taken)
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken, limits[1]))
    try:
        with pytest.raises(ListError, match=r"as many files open as it may: raise .*ulimit -n"):
            known.log()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
