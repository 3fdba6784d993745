"""OpenFile: a regular file that was opened once, for all that want to know something of it."""

from __future__ import annotations

import os
import stat
from functools import cached_property
from os import PathLike
from typing import BinaryIO

from screener.errors import MediaError
from screener.media.files.sniff import sniff

HEAD = 4096
"""Bytes that tell what a file is."""

_SMALL = 1 << 18  # bytes: a file of no more is read before it is known what it is


class OpenFile(PathLike[str]):
    """A file, by its path, and the bytes at its start: all of them where they are few.

    A context manager, for whatever makes nothing of it: `stream` hands it over, `whole` reads it,
    and `hold` reads it for whoever asks for the whole later.
    """

    _loaded: bytes | None = None

    def __init__(self, path: str | PathLike[str] | PathLike[bytes]) -> None:
        """Open it. Raises MediaError, `unreadable`: missing, forbidden, no regular file."""
        try:
            self._raw = os.fsencode(path)
            # Looked at before it is opened, since opening a device or a FIFO can have effects, and
            # again afterwards, since the name may by then stand for another file.
            self._check_regular(os.stat(self._raw).st_mode)
            flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            self._descriptor = os.open(self._raw, flags | getattr(os, "O_CLOEXEC", 0))
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
        """The path as the system has it."""
        return self._raw

    @property
    def head(self) -> bytes:
        """Its first bytes."""
        return self._start[:HEAD]

    @cached_property
    def mime(self) -> str | None:
        """The MIME type that its first bytes tell."""
        return sniff(self.head)

    def stream(self) -> BinaryIO:
        """It as a file object, at its start, to be closed."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.fdopen(self._taken(), "rb")

    def load(self) -> bytes:
        """All of its bytes, as `whole` will have them. Raises OSError where it cannot be read."""
        self._loaded = self.read_all()
        return self._loaded

    def read_all(self) -> bytes:
        """All of its bytes, also of a file that has grown meanwhile."""
        if self._loaded is not None:
            return self._loaded
        pieces, at = [self._start], len(self._start)
        if at < self.size:  # at once, and not behind what has been read, which would hold it twice
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
        """The descriptor, which is not this object's any more. Before it is somebody else's: an
        interrupt in between leaves it open, and never closed twice, when it may be another file.
        """
        descriptor, self._descriptor = self._descriptor, -1
        return descriptor

    def __enter__(self) -> OpenFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def unreadable(error: OSError | ValueError) -> MediaError:
    """Why a file cannot be read, as the system says it."""
    reason = error.strerror if isinstance(error, OSError) else None
    return MediaError("unreadable", reason or "not a name that a file can have")


def _of_folder(raw: bytes) -> str:
    """What is told of a folder. A scan names one only where it does not list what is in it, and
    then nobody has looked at any of that.
    """
    if os.path.islink(raw):
        return "a link to a folder, which is not followed"
    try:
        os.scandir(raw).close()
    except OSError as error:
        return f"a folder that cannot be listed: {error.strerror}"
    return "a folder"
