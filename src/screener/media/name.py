"""Name an input, and identify it by the size and time of its file."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from os import PathLike
from typing import cast

from screener.media.files.open_file import OpenFile
from screener.media.source import Item


@dataclass(frozen=True)
class Name:
    """The name of an input and, if it is a file, its size and time.

    It identifies the input. A member of an archive is called `outer!inner!member`. `archives` are
    the lengths in bytes of its archives' names, outermost first (`outer`, `outer!inner`); they
    distinguish the member from a file whose name contains `!`. `same` gives for each level the
    number of earlier members with the same name, since a name may repeat.
    """

    text: str | None = None
    raw: bytes | None = None
    size: int | None = None
    mtime_ns: int | None = None
    archives: tuple[int, ...] = ()
    same: tuple[int, ...] = ()

    @property
    def has_no_state(self) -> bool:
        """Whether size and time are missing, as for a file that does not exist."""
        return self.size is None and self.mtime_ns is None

    @property
    def as_bytes(self) -> bytes:
        """The name as the system stores it."""
        return self.raw or (self.text or "").encode("utf-8", "replace")


def name_of(item: Item) -> Name:
    """Return the name of an input without reading it."""
    if isinstance(item, OpenFile):
        return name_of_bytes(item.raw, item.size, item.mtime_ns)
    if isinstance(item, str | PathLike):
        raw = _encode_name(os.fspath(item))
        size: int | None = None
        mtime_ns: int | None = None
        with contextlib.suppress(OSError, ValueError):
            status = os.stat(raw)
            mtime_ns = status.st_mtime_ns
            size = status.st_size if stat.S_ISREG(status.st_mode) else None
        return name_of_bytes(raw, size, mtime_ns)
    if isinstance(item, bytes | bytearray | memoryview):
        return Name(size=memoryview(item).nbytes)
    try:
        return name_of_label(getattr(item, "name", None))
    except Exception:  # the object may use the network, and a name is optional
        return Name()


def name_of_label(name: object) -> Name:
    """Return the Name of a label, or an empty Name if it is neither text nor a path."""
    if isinstance(name, PathLike):
        name = os.fspath(name)
    return name_of_bytes(_encode_name(name)) if isinstance(name, str | bytes) else Name()


def _encode_name(name: str | bytes) -> bytes:
    try:
        return os.fsencode(name)
    except UnicodeEncodeError:
        return cast("str", name).encode("utf-8", "surrogatepass")


def name_of_bytes(raw: bytes, size: int | None = None, mtime_ns: int | None = None) -> Name:
    """Return the Name of a file, with its raw bytes if they are not UTF-8."""
    try:
        return Name(raw.decode("utf-8"), None, size, mtime_ns)
    except UnicodeDecodeError:
        return Name(raw.decode("utf-8", "replace"), raw, size, mtime_ns)
