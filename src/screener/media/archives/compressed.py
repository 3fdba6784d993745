"""Streams that unpack files compressed by gzip, bzip2 or xz.

Reading to the end fails if bytes other than zeros follow the compressed data. Python's readers of
bzip2 and xz would silently ignore them.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from typing import Any, BinaryIO, cast

_PIECE_SIZE = 1 << 13


class _UnpackedStream(io.RawIOBase):
    """Concatenated compressed streams, as bzip2 and xz allow; seeking back starts again."""

    def __init__(self, stream: BinaryIO, decompressor: Callable[[], Any]) -> None:
        self._stream, self._new_decompressor = stream, decompressor
        self._rewind()

    def _rewind(self) -> None:
        self._stream.seek(0)
        self._decompressor = self._new_decompressor()
        self._unread = b""  # compressed bytes that were read but not unpacked
        self._position = 0
        self._is_at_end = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the size is not known")
        target = offset + (self._position if whence == io.SEEK_CUR else 0)
        if target < self._position:
            self._rewind()
        while self._position < target and self._unpack(min(target - self._position, _PIECE_SIZE)):
            pass
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = self._unpack(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _unpack(self, max_size: int) -> bytes:
        data = b""
        while max_size and not data and not self._is_at_end:
            if self._decompressor.eof:
                self._start_next_run()
                continue
            packed = b""
            if self._decompressor.needs_input:
                packed, self._unread = self._unread or self._stream.read(_PIECE_SIZE), b""
                if not packed:
                    raise EOFError("cut short")
            data = self._decompressor.decompress(packed, max_size)
        self._position += len(data)
        return data

    def _start_next_run(self) -> None:
        unread = self._decompressor.unused_data.lstrip(b"\0")
        while not unread and (piece := self._stream.read(_PIECE_SIZE)):
            unread = piece.lstrip(b"\0")
        self._unread, self._is_at_end = unread, not unread
        self._decompressor = self._new_decompressor()


def _open_bzip2(stream: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(_UnpackedStream(stream, bz2.BZ2Decompressor)))


def _open_xz(stream: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(_UnpackedStream(stream, lzma.LZMADecompressor)))


def _open_gzip(stream: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", gzip.GzipFile(fileobj=stream))  # raises for such bytes itself


PACKED: dict[str, Callable[[BinaryIO], BinaryIO]] = {
    "application/gzip": _open_gzip,
    "application/x-bzip2": _open_bzip2,
    "application/x-xz": _open_xz,
}
"""The function that opens each type of compressed file."""
