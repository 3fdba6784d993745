"""Zip files as they are met: with names that are not what they say, zeros behind the end, and bytes
that the directory tells nothing of.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from copy import copy
from itertools import starmap
from operator import attrgetter
from typing import IO, BinaryIO, cast

_PIECE = 1 << 20
_HEADER = 30  # bytes of a member's header, before its name
_ENTRY = 46  # of its entry in the directory
_END = 22  # of the record at the end, before the comment
_COMMENT = (1 << 16) - 1  # the longest
_DESCRIPTOR = 24  # bytes behind a member that say what its header did not, at most
# Bytes between two members, of a name and what else belongs to them, of which the header has not to
# be asked: no picture has so few.
_SPARE = 512

# In the upper byte of a member's flags: its name is UTF-8; and one that is reserved, and marks here
# a name that is not, though it says so.
_UTF8, _RAW = 0x08, 0x80

# What marks, in a member's extra bytes, its name again, in Unicode. Newer Pythons take that name,
# and open no archive where one of them is damaged: it is given a mark that nothing has.
_SECOND_NAME, _NOTHING = b"up", b"\xff\xff"


class ZipFile:
    """An open zip file; raises what `zipfile` raises. `infos` are its members, folders too."""

    def __init__(self, stream: BinaryIO) -> None:
        self._amended = _Amended(stream)
        try:
            self._archive = self._opened()
        except UnicodeDecodeError:
            # One such name would cost all members.
            self._amended.names = True
            self._archive = self._opened()
        self._amended.opening = False
        self.infos = self._archive.infolist()
        raw = (info for info in self.infos if info.flag_bits >> 8 & _RAW)
        self._amended.headers = frozenset(info.header_offset for info in raw)

    def _opened(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(cast("BinaryIO", self._amended))

    def name(self, info: zipfile.ZipInfo) -> bytes:
        """A member's name: as UTF-8, or as it is where it says that it is that and is not."""
        if info.flag_bits >> 8 & _RAW:
            return info.filename.encode("cp437")
        return info.filename.encode("utf-8", "surrogateescape")

    def open(self, info: zipfile.ZipInfo) -> BinaryIO:
        """A member's bytes, unpacked; behind the last, BadZipFile where the checksum is another."""
        info = copy(info)
        crc = info.CRC
        # Else `zipfile` checks it, and gives none of the bytes that it reads with the last one.
        del info.CRC
        return cast("BinaryIO", _Summed(self._archive.open(info), crc))

    def has_more(self) -> bool:
        """Whether there are bytes before its first member, or bytes other than zeros between its
        members or behind its end: only what the last directory names is read, and who unpacks a
        file from its front sees more.
        """
        first = min((info.header_offset for info in self.infos), default=self._archive.start_dir)
        record = self._record()
        behind = record[_END + int.from_bytes(record[_END - 2 : _END], "little") :]
        return first > 0 or any(behind) or any(starmap(self._is_filled, self._gaps()))

    def _gaps(self) -> Iterator[tuple[int, int]]:
        """Where something may be between its members: from which byte on, and up to which."""
        infos = sorted(self.infos, key=attrgetter("header_offset"))
        ends = [*(info.header_offset for info in infos[1:]), self._archive.start_dir]
        for info, end in zip(infos, ends, strict=False):
            begin = info.header_offset + _HEADER + info.compress_size
            if end - begin <= _SPARE:
                continue
            self._amended.seek(info.header_offset)
            begin += sum(struct.unpack("<26x2H", self._amended.read(_HEADER)))
            if end - begin > _DESCRIPTOR:
                yield begin + _DESCRIPTOR, end

    def _is_filled(self, begin: int, end: int) -> bool:
        """Whether there is anything but zeros in a part of the file."""
        self._amended.seek(begin)
        while begin < end and (piece := self._amended.read(min(_PIECE, end - begin))):
            if any(piece):
                return True
            begin += len(piece)
        return False

    def _record(self) -> bytes:
        """The record at the end, where `zipfile` has found it, and what is behind it."""
        for size in (_END, _END + _COMMENT):  # mostly there is no comment
            self._amended.seek(-min(self._amended.end, size), io.SEEK_END)
            tail = self._amended.read()
            if (at := tail.rfind(b"PK\5\6")) == 0:
                break
        return tail[max(0, at) :]


class _Summed(io.RawIOBase):
    """A member's bytes, of which the checksum is checked when all have been given."""

    def __init__(self, stream: IO[bytes], crc: int) -> None:
        super().__init__()
        self._stream = stream
        self._crc = crc
        self._sum = 0

    def read(self, size: int = -1) -> bytes:
        """So many bytes, or all; none at the end."""
        data = self._stream.read(size)
        self._sum = zlib.crc32(data, self._sum)
        if not data and size and self._sum != self._crc:
            raise zipfile.BadZipFile("another checksum")
        return data

    def close(self) -> None:
        """Close it."""
        self._stream.close()
        super().close()


class _Amended(io.RawIOBase):
    """A zip file without the zeros behind its end. While it is `opening`, its directory has each
    name once and, where `names` is set, names as UTF-8 that are; `headers` is where the headers of
    members with others begin.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self.end = _end(stream)
        self.opening = True
        self.names = False
        self.headers: frozenset[int] = frozenset()

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As in any file; OSError for a place before its start."""
        at = offset + (0, self._stream.tell(), self.end)[whence]
        if at < 0:
            raise OSError("before the start")
        return self._stream.seek(at)

    def tell(self) -> int:
        """Where it stands."""
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        """So many bytes, or all that are left."""
        at = self._stream.tell()
        left = max(self.end - at, 0)
        data = self._stream.read(left if size < 0 else min(size, left))
        if self.opening and data.startswith(b"PK\1\2") and (self.names or _SECOND_NAME in data):
            return _directory(data, self.names)
        if at in self.headers and len(data) == _HEADER:
            return data[:7] + bytes([data[7] & ~_UTF8]) + data[8:]
        return data


def _end(stream: BinaryIO) -> int:
    """Where a zip file ends: zeros behind it are none of it, but those that its end may be of."""
    size = at = stream.seek(0, io.SEEK_END)
    piece_size = _END  # mostly there are none
    while at:
        start = max(0, at - piece_size)
        piece_size = _PIECE
        stream.seek(start)
        if piece := stream.read(at - start).rstrip(b"\0"):
            return min(size, start + len(piece) + _END)
        at = start
    return size


def _directory(directory: bytes, names: bool) -> bytes:
    """A directory with each name once; in which, if `names`, those that are not UTF-8 do not say so
    any more, and are marked.
    """
    amended = bytearray(directory)
    at = 0
    while directory.startswith(b"PK\1\2", at) and at + _ENTRY <= len(directory):
        name, extra, comment = struct.unpack_from("<3H", directory, at + 28)
        begin = at + _ENTRY
        end = begin + name
        if names and directory[at + 9] & _UTF8 and not _is_utf8(directory[begin:end]):
            amended[at + 9] = directory[at + 9] & ~_UTF8 | _RAW
        for field in _fields(directory[end : end + extra]):
            if directory.startswith(_SECOND_NAME, end + field):
                amended[end + field : end + field + 2] = _NOTHING
        at = end + extra + comment
    return bytes(amended)


def _fields(extra: bytes) -> Iterator[int]:
    """Where the fields of a member's extra bytes begin."""
    at = 0
    while at + 4 <= len(extra):
        yield at
        at += 4 + int.from_bytes(extra[at + 2 : at + 4], "little")


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
