"""Files of ours: private modes, atomic writes, and reading TOML.

Index files, logs and exports are written through `current`. Tests put a `Disk` in its place that
records the calls or fails one of them, and lay out the folder as a power cut would leave it.
"""

from __future__ import annotations

import os
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

_LONGEST = 1 << 22  # characters; a device may have no end


def read_toml(path: str | PathLike[str]) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises OSError if it cannot be read, ValueError if it is not TOML or too long, and of these
    UnicodeDecodeError if it is not UTF-8.
    """
    # open() would take a number for an open descriptor, and close it.
    with open(os.fspath(path), encoding="utf-8-sig") as stream:
        text = stream.read(_LONGEST + 1)
    if len(text) > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST:,} characters")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def open_private(path: str | os.PathLike[str], flags: int, mode: int = 0o600) -> int:
    """Open a file as `os.open` does; a new or empty file its owner can read and write.

    The umask removes bits from the mode; under umask 0777 a program could not reopen its own file.
    A file that holds something keeps its mode.
    """
    descriptor = os.open(path, flags, mode)
    facts = os.fstat(descriptor)
    empty = stat.S_ISREG(facts.st_mode) and not facts.st_size
    if empty and facts.st_mode & 0o600 != 0o600 and hasattr(os, "fchmod"):
        with suppress(OSError):  # another user's file, or a disk without modes
            os.fchmod(descriptor, mode)
    return descriptor


def make_folder(path: Path) -> None:
    """Make a folder for its owner only, whatever the umask; FileExistsError if it exists."""
    path.mkdir(mode=0o700)
    if path.stat().st_mode & 0o700 != 0o700:
        path.chmod(0o700)


class Disk:
    """The system calls that write files. OSError passes through; a handle is one of `os.open`."""

    def create(self, path: Path, mode: int = 0o600) -> int:
        """Return a handle to a new file; FileExistsError if it exists."""
        return open_private(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode)

    def write(self, handle: int, data: bytes | memoryview) -> None:
        """Append all of the data."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]

    def sync(self, handle: int) -> None:
        """Return when the content of a file survives a power cut."""
        os.fsync(handle)

    def close(self, handle: int) -> None:
        """Close a handle."""
        os.close(handle)

    def write_new(self, path: Path, data: bytes) -> None:
        """Write and sync a new file for its owner only; FileExistsError if it exists."""
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
        """Remove a file; FileNotFoundError if there is none."""
        os.unlink(path)

    def sync_folder(self, path: Path) -> None:
        """Return when the names added to and removed from a folder survive a power cut."""
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
    """Yield handles to new files, which appear at `paths`, in that order, when the body is done.

    If the body or a step fails, the new files are removed and the paths that follow stay as they
    were. An OSError names the path, not the temporary file. If `replace` is false, raises
    FileExistsError for a path that exists. With `sync` files and names survive a power cut, except
    for the names in a folder that this user may write to but not read.
    """
    disk = current
    fresh = [path.with_name(f".screener.{secrets.token_hex(8)}.tmp") for path in paths]
    with _removed_on_error(fresh, paths, disk.remove), ExitStack() as stack:
        handles = []
        for new in fresh:
            handles.append(disk.create(new, mode))
            stack.callback(disk.close, handles[-1])
        yield handles
        if sync:
            for handle in handles:
                disk.sync(handle)
        stack.close()
        for new, path in zip(fresh, paths, strict=True):
            if replace:
                disk.rename(new, path)
            else:
                _rename_new(new, path)
    if sync:
        for folder in {path.parent for path in paths}:
            _sync_readable(folder)


@contextmanager
def make_folder_atomically(path: Path) -> Iterator[Path]:
    """Yield a new folder for its owner only, which appears at `path` when the body is done.

    If the body fails, the folder is removed. Raises FileExistsError if the path exists; an OSError
    names the path. The body syncs the files; the names survive a power cut.
    """
    disk = current
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    if os.path.lexists(path):
        raise FileExistsError(f"{path} exists already")
    with _removed_on_error([fresh], [path], partial(shutil.rmtree, ignore_errors=True)):
        disk.make_folder(fresh)
        yield fresh
        _sync_readable(fresh)
        try:
            disk.rename(fresh, path)
        except OSError as error:
            if os.path.lexists(path):  # another process was faster
                raise FileExistsError(f"{path} exists already") from error
            raise
    _sync_readable(path.parent)


@contextmanager
def _removed_on_error(
    fresh: Sequence[Path], paths: Sequence[Path], remove: Callable[[Path], object]
) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        for new in fresh:
            with suppress(OSError):
                remove(new)
        if isinstance(error, OSError) and error.errno:
            # A call with a handle names no file.
            named = str(error.filename or fresh[-1])
            for new, path in zip(fresh, paths, strict=True):
                if named.startswith(str(new)):
                    error.filename = str(path)
                    del error.filename2
        raise


def _rename_new(fresh: Path, path: Path) -> None:
    try:
        os.link(fresh, path)
    except FileExistsError:
        raise
    except OSError:  # a disk without links; a process killed here leaves an empty file
        current.close(current.create(path))
        current.rename(fresh, path)
    else:
        current.remove(fresh)


def _sync_readable(folder: Path) -> None:
    with suppress(PermissionError):
        current.sync_folder(folder)
