"""Write private files atomically, and read TOML files.

Index files, logs and exports are written through `current`. Tests replace it with a `Disk` that
records the calls or fails one of them, and recreate the folder as a power cut would leave it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # not POSIX: open files cannot be removed
    fcntl = None  # type: ignore[assignment]

_TEMPORARY = re.compile(r"\.screener\.[0-9a-f]{16}\.tmp")
_MAX_TOML_CHARACTERS = 1 << 22  # a device may have no end


def read_toml(path: str | PathLike[str]) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises OSError if it cannot be read, UnicodeDecodeError if it is not UTF-8, and ValueError if it
    is not TOML or is too long.
    """
    # open() would take an integer for a descriptor, and close it.
    with open(os.fspath(path), encoding="utf-8-sig") as stream:
        text = stream.read(_MAX_TOML_CHARACTERS + 1)
    if len(text) > _MAX_TOML_CHARACTERS:
        raise ValueError(f"it is longer than {_MAX_TOML_CHARACTERS:,} characters")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def open_private(path: str | os.PathLike[str], flags: int, mode: int = 0o600) -> int:
    """Open a file as `os.open` does, and let its owner read and write it if it is empty.

    The umask removes bits from the mode; under umask 0777 a program could not reopen its own file.
    A file with content keeps its mode.
    """
    descriptor = os.open(path, flags, mode)
    status = os.fstat(descriptor)
    is_empty = stat.S_ISREG(status.st_mode) and not status.st_size
    if is_empty and status.st_mode & 0o600 != 0o600 and hasattr(os, "fchmod"):
        with suppress(OSError):  # another user's file, or a disk without modes
            os.fchmod(descriptor, mode)
    return descriptor


def make_folder(path: Path) -> None:
    """Make a folder for its owner only, whatever the umask.

    Raises FileExistsError if the path exists.
    """
    path.mkdir(mode=0o700)
    if path.stat().st_mode & 0o700 != 0o700:
        path.chmod(0o700)


class Disk:
    """The system calls that write files.

    Handles are descriptors as of `os.open`. Errors of the system are raised unchanged.
    """

    def create(self, path: Path, mode: int = 0o600) -> int:
        """Return a handle to a new file; raise FileExistsError if the path exists."""
        return open_private(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode)

    def write(self, handle: int, data: bytes | memoryview) -> None:
        """Append all of the data."""
        remaining = memoryview(data)
        while remaining:
            remaining = remaining[os.write(handle, remaining) :]

    def sync(self, handle: int) -> None:
        """Return when the content of a file survives a power cut."""
        os.fsync(handle)

    def close(self, handle: int) -> None:
        """Close a handle."""
        os.close(handle)

    def write_new(self, path: Path, data: bytes) -> None:
        """Write and sync a new file for its owner only; raise FileExistsError if it exists."""
        handle = self.create(path)
        try:
            self.write(handle, data)
            self.sync(handle)
        finally:
            self.close(handle)

    def make_folder(self, path: Path) -> None:
        """Make a folder for its owner only."""
        make_folder(path)

    def rename(self, old: Path, new: Path) -> None:
        """Rename a file or folder; a file of the new name is replaced."""
        os.replace(old, new)

    def remove(self, path: Path) -> None:
        """Remove a file; raise FileNotFoundError if there is none."""
        os.unlink(path)

    def sync_folder(self, path: Path) -> None:
        """Return when changes of the names in a folder survive a power cut."""
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


current = Disk()


@contextmanager
def write_atomically(
    *paths: Path, mode: int = 0o600, replace: bool = True, sync: bool = True
) -> Iterator[list[int]]:
    """Yield handles to new files, which are renamed to `paths` when the body is done.

    They are renamed in the order of `paths`. If a step fails, the new files are removed, and the
    paths not yet reached stay as they were. After a kill, the next call in the folder removes them.

    Parameters:
        mode: the mode of the files
        replace: whether existing files are replaced
        sync: whether files and names must survive a power cut; names in a folder that this user may
            write to but not read are not synced

    Raises:
        FileExistsError: if a path exists and `replace` is false
        OSError: if a file cannot be written; it names the path, not the temporary file
    """
    disk = current
    temporary = [path.with_name(f".screener.{secrets.token_hex(8)}.tmp") for path in paths]
    with (
        ExitStack() as locks,
        _remove_on_error(temporary, paths, disk.remove),
        ExitStack() as stack,
    ):
        handles = []
        for new in temporary:
            handles.append(_create_locked(new, mode, locks))
            stack.callback(disk.close, handles[-1])
        for folder in {path.parent for path in paths}:
            with suppress(OSError):  # a folder may be unreadable
                for name in filter(_TEMPORARY.fullmatch, os.listdir(folder)):
                    remove_unlocked(folder / name)
        yield handles
        if sync:
            for handle in handles:
                disk.sync(handle)
        stack.close()
        for new, path in zip(temporary, paths, strict=True):
            if replace:
                disk.rename(new, path)
            else:
                _rename_new(new, path)
    if sync:
        for folder in {path.parent for path in paths}:
            _sync_readable(folder)


def _create_locked(path: Path, mode: int, locks: ExitStack) -> int:
    """Create a file, and lock it until `locks` is closed, if the disk has locks."""
    while True:
        handle = current.create(path, mode)
        lock = os.dup(handle)  # the handle is closed before the rename, which needs the lock
        locks.callback(os.close, lock)
        with suppress(OSError, AttributeError):
            fcntl.flock(lock, fcntl.LOCK_EX)
            locks.callback(fcntl.flock, lock, fcntl.LOCK_UN)  # also for a forked process's copy
        if os.path.lexists(path):
            return handle
        current.close(handle)  # another program removed the file before it was locked


def remove_unlocked(path: Path) -> None:
    """Remove a file unless it is locked or the system refuses; the next sweep tries again."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                current.remove(path)
        finally:
            os.close(descriptor)


@contextmanager
def make_folder_atomically(path: Path) -> Iterator[Path]:
    """Yield a new private folder, which is renamed to `path` when the body is done.

    The body must sync the files; their names survive a power cut. If the body fails, the folder is
    removed. Raises FileExistsError if the path exists, and OSError, which names the path, if the
    folder cannot be made.
    """
    disk = current
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    if os.path.lexists(path):
        raise FileExistsError(f"{path} exists already")
    with _remove_on_error([temporary], [path], partial(shutil.rmtree, ignore_errors=True)):
        disk.make_folder(temporary)
        yield temporary
        _sync_readable(temporary)
        try:
            disk.rename(temporary, path)
        except OSError as error:
            if os.path.lexists(path):  # another process was faster
                raise FileExistsError(f"{path} exists already") from error
            raise
    _sync_readable(path.parent)


@contextmanager
def _remove_on_error(
    temporary: Sequence[Path], paths: Sequence[Path], remove: Callable[[Path], object]
) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        for new in temporary:
            with suppress(OSError):
                remove(new)
        if isinstance(error, OSError) and error.errno:
            # A call with a handle names no file.
            named = str(error.filename or temporary[-1])
            for new, path in zip(temporary, paths, strict=True):
                if named.startswith(str(new)):
                    error.filename = str(path)
                    del error.filename2
        raise


def _rename_new(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a disk without links; a kill before the rename leaves an empty file
        current.close(current.create(path))
        current.rename(temporary, path)
    else:
        current.remove(temporary)


def _sync_readable(folder: Path) -> None:
    with suppress(PermissionError):
        current.sync_folder(folder)
