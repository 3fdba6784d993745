"""Disk: the few calls by which index files come to be, become lasting, and go.

Everything that an index writes passes through `current`, so that a test can put an object in its
place that notes each call, or fails one, and can then show the folder as a power cut would leave
it. The calls are plain; what makes a file appear whole and last is their order, in `layout`.
"""

from __future__ import annotations

import os
import stat
import tomllib
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any

_LONGEST = 1 << 22  # characters; a device may have no end


def read(path: str | PathLike[str]) -> dict[str, Any]:
    """All that it says. OSError where it cannot be read; ValueError where it is no TOML, or more
    than anybody writes, which is UnicodeDecodeError where it is not written in UTF-8.
    """
    # A number would be taken for a descriptor of the program's own, and closed.
    with open(os.fspath(path), encoding="utf-8-sig") as stream:
        text = stream.read(_LONGEST + 1)
    if len(text) > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST:,} characters")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def open_private(path: str | os.PathLike[str], flags: int, mode: int = 0o600) -> int:
    """A descriptor, as of `os.open`, with `flags` that may make the file, which then is of a mode
    that lets its owner read and write it. One that was there keeps its own, unless it is empty.
    """
    descriptor = os.open(path, flags, mode)
    facts = os.fstat(descriptor)
    empty = stat.S_ISREG(facts.st_mode) and not facts.st_size
    if empty and facts.st_mode & 0o600 != 0o600 and hasattr(os, "fchmod"):
        with suppress(OSError):  # of another's file, or of a disk that keeps no modes
            os.fchmod(descriptor, mode)
    return descriptor


def make_folder(path: Path) -> None:
    """A new folder; FileExistsError where it exists."""
    path.mkdir(mode=0o700)
    if path.stat().st_mode & 0o700 != 0o700:
        path.chmod(0o700)


class Disk:
    """The calls themselves. OSError passes through; a handle is that of `os.open`."""

    def create(self, path: Path) -> int:
        """A handle to a new file, readable by its owner only; FileExistsError where it exists."""
        return open_private(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)

    def write(self, handle: int, data: bytes | memoryview) -> None:
        """Write all of the data behind what was written before."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]

    def sync(self, handle: int) -> None:
        """Return when what was written to the file lasts through a power cut."""
        os.fsync(handle)

    def close(self, handle: int) -> None:
        """Give the handle back."""
        os.close(handle)

    def write_new(self, path: Path, data: bytes) -> None:
        """A new file of that content that lasts, readable by its owner only; FileExistsError where
        it exists.
        """
        handle = self.create(path)
        try:
            self.write(handle, data)
            self.sync(handle)
        finally:
            self.close(handle)

    def make_folder(self, path: Path) -> None:
        """A new folder, open to its owner only."""
        make_folder(path)

    def rename(self, old: Path, new: Path) -> None:
        """Have the new name mean what the old one did; a file of the new name is replaced."""
        os.replace(old, new)

    def remove(self, path: Path) -> None:
        """Remove a name; FileNotFoundError where there is none."""
        os.unlink(path)

    def sync_folder(self, path: Path) -> None:
        """Return when the names in a folder, and those gone from it, last through a power cut."""
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


current = Disk()
