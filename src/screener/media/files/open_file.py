"""Open a regular file once, for all readers of its bytes."""

from __future__ import annotations

import os
import stat
from functools import cached_property
from os import PathLike
from typing import BinaryIO

from screener.errors import MediaError
from screener.media.files.sniff import sniff

HEAD_SIZE = 4096
"""Bytes from which the type of a file is recognised."""

_MAX_SMALL_FILE_SIZE = 1 << 18  # a file of at most this many bytes is read before its type is known


class OpenFile(PathLike[str]):
    """An open file: its path and its first bytes, all of a small file.

    `stream` hands the file over, `read_all` reads it, and `load` reads it ahead of a later
    `read_all`. Raises MediaError `unreadable` for anything but a regular file.
    """

    _loaded: bytes | None = None

    def __init__(self, path: str | PathLike[str] | PathLike[bytes]) -> None:
        try:
            self._path = os.fsencode(path)
            # Checked before opening, since that can have effects on a device or a FIFO, and again
            # afterwards, since the name may refer to another file by then.
            self._check_regular(os.stat(self._path).st_mode)
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags)
            try:
                status = os.fstat(self._descriptor)
                self._check_regular(status.st_mode)
                self.size, self.mtime_ns = status.st_size, status.st_mtime_ns
                start_size = self.size + 1 if self.size <= _MAX_SMALL_FILE_SIZE else HEAD_SIZE
                self._start = os.read(self._descriptor, start_size)
            except BaseException:
                self.close()
                raise
        except (OSError, ValueError) as error:
            raise unreadable(error) from None

    def __fspath__(self) -> str:
        return os.fsdecode(self._path)

    def __str__(self) -> str:
        return os.fsdecode(self._path)

    @property
    def raw(self) -> bytes:
        """The path as the system stores it."""
        return self._path

    @property
    def head(self) -> bytes:
        """The first bytes."""
        return self._start[:HEAD_SIZE]

    @cached_property
    def mime(self) -> str | None:
        """The MIME type by the first bytes."""
        return sniff(self.head)

    def stream(self) -> BinaryIO:
        """Hand over the file, at its start; the caller closes it."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.fdopen(self._take_descriptor(), "rb")

    def load(self) -> bytes:
        """Read and return all bytes, and keep them for `read_all`. Raises OSError."""
        self._loaded = self.read_all()
        return self._loaded

    def read_all(self) -> bytes:
        """Return all bytes, even if the file has grown since it was opened."""
        if self._loaded is not None:
            return self._loaded
        pieces, total = [self._start], len(self._start)
        if total < self.size:  # read in one piece, so that it is in memory only once
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            pieces, total = [], 0
        while piece := os.read(self._descriptor, max(self.size - total, 0) + HEAD_SIZE):
            pieces.append(piece)
            total += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _check_regular(self, mode: int) -> None:
        if not stat.S_ISREG(mode):
            is_folder = stat.S_ISDIR(mode)
            detail = _describe_folder(self._path) if is_folder else "not a regular file"
            raise MediaError("unreadable", detail)

    def close(self) -> None:
        """Close the file, unless it was handed over."""
        if self._descriptor >= 0:
            os.close(self._take_descriptor())

    def _take_descriptor(self) -> int:
        """Return the descriptor and forget it before it is used.

        An interrupt may then leave it open, but never closes it twice; by the second time, its
        number may be another file's.
        """
        descriptor, self._descriptor = self._descriptor, -1
        return descriptor

    def __enter__(self) -> OpenFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def unreadable(error: OSError | ValueError) -> MediaError:
    """Return a MediaError `unreadable` with the system's message."""
    reason = error.strerror if isinstance(error, OSError) else None
    return MediaError("unreadable", reason or "not a valid file name")


def _describe_folder(raw: bytes) -> str:
    """Return the reason why a folder is not read.

    A scan opens a folder as an input only if it cannot list it; its files are then unscreened.
    """
    if os.path.islink(raw):
        return "a link to a folder, which is not followed"
    try:
        os.scandir(raw).close()
    except OSError as error:
        return f"a folder that cannot be listed: {error.strerror}"
    return "a folder"
