"""Files compressed by gzip, bzip2 or xz, as streams of what they unpack to.

Reading to the end fails if other bytes than zeros stand behind the compressed data. Python's
readers of bzip2 and xz would silently ignore them.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from typing import Any, BinaryIO, cast

_PIECE = 1 << 13


class _Unpacked(io.RawIOBase):
    """One compressed run after another, as bzip2 and xz allow; seeking back starts anew."""

    def __init__(self, stream: BinaryIO, decompressor: Callable[[], Any]) -> None:
        self._stream, self._new = stream, decompressor
        self._begin()

    def _begin(self) -> None:
        self._stream.seek(0)
        self._run = self._new()
        self._rest = b""  # read from the stream, but not unpacked yet
        self._place = 0
        self._over = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("its end is not known")
        place = offset + (self._place if whence == io.SEEK_CUR else 0)
        if place < self._place:
            self._begin()
        while self._place < place and self._read(min(place - self._place, _PIECE)):
            pass
        return self._place

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _read(self, most: int) -> bytes:
        data = b""
        while most and not data and not self._over:
            if self._run.eof:
                self._next_run()
                continue
            packed = b""
            if self._run.needs_input:
                packed, self._rest = self._rest or self._stream.read(_PIECE), b""
                if not packed:
                    raise EOFError("cut short")
            data = self._run.decompress(packed, most)
        self._place += len(data)
        return data

    def _next_run(self) -> None:
        rest = self._run.unused_data.lstrip(b"\0")
        while not rest and (piece := self._stream.read(_PIECE)):
            rest = piece.lstrip(b"\0")
        self._rest, self._over = rest, not rest
        self._run = self._new()


def _bzip2(stream: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(_Unpacked(stream, bz2.BZ2Decompressor)))


def _xz(stream: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(_Unpacked(stream, lzma.LZMADecompressor)))


def _gzip(stream: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", gzip.GzipFile(fileobj=stream))  # raises over such bytes itself


PACKED: dict[str, Callable[[BinaryIO], BinaryIO]] = {
    "application/gzip": _gzip,
    "application/x-bzip2": _bzip2,
    "application/x-xz": _xz,
}
"""What opens each type of compressed file."""
