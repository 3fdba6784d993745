"""Private: making files and folders that their owner may use, and nobody else, whatever the umask.

That takes from the mode that a call asks for: with 0777, say, a program could not open again what
it has made. SQLite gives the files that it makes beside its own the mode of that one.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path


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
