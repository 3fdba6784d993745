"""A file object of the caller: read it in pieces, and leave it open.

An object of another library may raise any exception.
"""

from __future__ import annotations

import errno
import io
import os
from typing import Any, BinaryIO

from screener.errors import MediaError

_OPENED_AS_TEXT = "the file object is opened as text; open it as binary"


class BorrowedFile(io.RawIOBase):
    """The caller's file object, which stays open when this object is closed."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position and return it. Raises OSError for any error of the object."""
        try:
            self._stream.seek(offset, whence)
            return self._stream.tell()
        except MemoryError:
            raise
        except Exception as error:
            error_number = error.errno if isinstance(error, OSError) else None
            message = os.strerror(error_number) if error_number else type(error).__name__
            # The object's own message may contain a URL with a key.
            raise OSError(error_number or errno.EIO, message) from None

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer and return the number of bytes. Raises OSError."""
        try:
            data = read_piece(self._stream, len(buffer))
        except MediaError as error:
            raise OSError(errno.EIO, error.detail) from None
        buffer[: len(data)] = data
        return len(data)


def rewind(stream: BinaryIO, start: int | None, limit: int) -> BinaryIO:
    """Return a file object over the limit as a closable file that begins at `start`.

    Raises MediaError `too_large` if it cannot seek, or if its reported end is within the limit (the
    stream may be endless).
    """
    file = BorrowedFile(stream)
    try:
        if start is not None and file.seek(0, io.SEEK_END) - start > limit:
            file.seek(start)
            return io.BufferedReader(file)
    except Exception:
        pass  # it cannot be read again
    raise MediaError("too_large", f"more than {limit} bytes")


def read_position(stream: BinaryIO) -> int | None:
    """Return the position of a file object, or None if it does not report one."""
    try:
        return stream.tell()
    except Exception:  # an object of another library may raise anything
        return None


def read_piece(stream: BinaryIO, size: int) -> bytes:
    """Return up to `size` bytes of a file object, none at its end.

    Raises MediaError `unreadable` for any error of the object.
    """
    try:
        piece: Any = stream.read(size)
    except MemoryError:
        raise
    except Exception as error:
        message = type(error).__name__
        if getattr(stream, "closed", None) is True:
            message = "the file object is closed; pass it open, or pass its bytes"
        elif isinstance(error, UnicodeDecodeError):
            message = _OPENED_AS_TEXT
        raise MediaError("unreadable", message) from None
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, bytearray | memoryview):
        return bytes(piece)
    if piece is None:
        raise MediaError("unreadable", "the file object is non-blocking; pass a blocking one")
    if isinstance(piece, str):
        raise MediaError("unreadable", _OPENED_AS_TEXT)
    if hasattr(piece, "__await__"):
        raise MediaError("unreadable", "the file object is asynchronous; await it and pass bytes")
    raise MediaError("unreadable", f"the file object returned {type(piece).__name__}, not bytes")
