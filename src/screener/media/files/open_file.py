"""A regular file that is opened and read once, for everything that needs its bytes."""

from __future__ import annotations

import os
import stat
from functools import cached_property
from os import PathLike
from typing import BinaryIO

from screener.errors import MediaError
from screener.media.files.sniff import sniff

HEAD = 4096
"""Bytes from which the type of a file is recognised."""

_SMALL = 1 << 18  # a file of at most this many bytes is read before its type is known


class OpenFile(PathLike[str]):
    """An open file: its path, and its first bytes, which are all of a small file.

    `stream` hands the file over, `read_all` reads it, and `load` reads it ahead of a later
    `read_all`.
    """

    _loaded: bytes | None = None

    def __init__(self, path: str | PathLike[str] | PathLike[bytes]) -> None:
        """Open a file. Raises MediaError `unreadable` for anything but a regular file."""
        try:
            self._raw = os.fsencode(path)
            # Checked before, since opening a device or a FIFO can have effects, and afterwards,
            # since the name may stand for another file by then.
            self._check_regular(os.stat(self._raw).st_mode)
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
            self._descriptor = os.open(self._raw, flags)
            try:
                facts = os.fstat(self._descriptor)
                self._check_regular(facts.st_mode)
                self.size, self.mtime_ns = facts.st_size, facts.st_mtime_ns
                first = self.size + 1 if self.size <= _SMALL else HEAD
                self._start = os.read(self._descriptor, first)
            except BaseException:
                self.close()
                raise
        except (OSError, ValueError) as error:
            raise unreadable(error) from None

    def __fspath__(self) -> str:
        return os.fsdecode(self._raw)

    def __str__(self) -> str:
        return os.fsdecode(self._raw)

    @property
    def raw(self) -> bytes:
        """Return the path as the system has it."""
        return self._raw

    @property
    def head(self) -> bytes:
        """Return the first bytes."""
        return self._start[:HEAD]

    @cached_property
    def mime(self) -> str | None:
        """Return the MIME type by the first bytes."""
        return sniff(self.head)

    def stream(self) -> BinaryIO:
        """Return a file object at its start, which the caller closes."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.fdopen(self._taken(), "rb")

    def load(self) -> bytes:
        """Read and return all bytes, and keep them for `read_all`. Raises OSError."""
        self._loaded = self.read_all()
        return self._loaded

    def read_all(self) -> bytes:
        """Return all bytes, even of a file that has grown meanwhile."""
        if self._loaded is not None:
            return self._loaded
        pieces, at = [self._start], len(self._start)
        if at < self.size:  # in one piece from the start, so that it is in memory only once
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            pieces, at = [], 0
        while piece := os.read(self._descriptor, max(self.size - at, 0) + HEAD):
            pieces.append(piece)
            at += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _check_regular(self, mode: int) -> None:
        if not stat.S_ISREG(mode):
            what = _of_folder(self._raw) if stat.S_ISDIR(mode) else "not a regular file"
            raise MediaError("unreadable", what)

    def close(self) -> None:
        """Close it, unless it was handed over."""
        if self._descriptor >= 0:
            os.close(self._taken())

    def _taken(self) -> int:
        """Return the descriptor, given up before it is used.

        So an interrupt may leave it open, but never closes it twice, when its number may be another
        file's.
        """
        descriptor, self._descriptor = self._descriptor, -1
        return descriptor

    def __enter__(self) -> OpenFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def unreadable(error: OSError | ValueError) -> MediaError:
    """Return a MediaError with the system's message."""
    reason = error.strerror if isinstance(error, OSError) else None
    return MediaError("unreadable", reason or "not a valid file name")


def _of_folder(raw: bytes) -> str:
    """Return why a folder is not read.

    A scan names a folder only if it does not list it; its files are then unscreened.
    """
    if os.path.islink(raw):
        return "a link to a folder, which is not followed"
    try:
        os.scandir(raw).close()
    except OSError as error:
        return f"a folder that cannot be listed: {error.strerror}"
    return "a folder"
