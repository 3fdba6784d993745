"""Zip files, also with false names, zeros behind the end, or bytes outside of the directory."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from copy import copy
from itertools import chain
from operator import attrgetter
from typing import IO, Any, BinaryIO, cast

from screener.media.image import embedded

_PIECE = 1 << 20
_HEADER = 30  # bytes of a member's header, before its name
_ENTRY = 46  # of its entry in the directory
_END = 22  # of the record at the end, before the comment
_COMMENT = (1 << 16) - 1  # the longest
_DESCRIPTOR = 24  # most bytes behind a member with sizes that its header lacks
# A gap between members, beside a name, that is too small for a picture; its header is not read.
_SPARE = 64 + _DESCRIPTOR

# Upper byte of a member's flags: the name is UTF-8; and a reserved bit that marks here a name that
# claims to be UTF-8 and is not.
_UTF8, _RAW = 0x08, 0x80
_SIZES_BEHIND = 0x08  # lower byte: the sizes stand behind the data

# Tag of the extra field that repeats the name in Unicode. Newer Pythons use that name, and open no
# archive with a damaged one; so the tag is replaced by an unused one.
_SECOND_NAME, _NOTHING = b"up", b"\xff\xff"


class ZipFile:
    """An open zip file; `infos` are its members without folders. Raises what `zipfile` raises."""

    def __init__(self, stream: BinaryIO) -> None:
        self._amended = _Amended(stream)
        try:
            self._archive = self._opened()
        except UnicodeDecodeError:
            # One bad name would otherwise cost all members.
            self._amended.names = True
            self._archive = self._opened()
        self._amended.opening = False
        self._entries = self._archive.infolist()
        raw = (info for info in self._entries if info.flag_bits >> 8 & _RAW)
        self._amended.headers = frozenset(info.header_offset for info in raw)
        self._disguised = False
        self.infos = list(self._members())

    def _opened(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(cast("BinaryIO", self._amended))

    def name(self, info: zipfile.ZipInfo) -> bytes:
        """Return a member's name as UTF-8, or its raw bytes if it falsely claims to be UTF-8."""
        if info.flag_bits >> 8 & _RAW:
            return info.filename.encode("cp437")
        return info.filename.encode("utf-8", "surrogateescape")

    def _members(self) -> Iterator[zipfile.ZipInfo]:
        for info in self._entries:
            if info.file_size or not info.filename.endswith("/"):
                yield info
            elif not self._is_folder(info):
                self._disguised = True
                yield self._as_headed(info)

    def _is_folder(self, info: zipfile.ZipInfo) -> bool:
        """Return whether an entry named as a folder has no data, and a header that agrees.

        Java compresses the empty content of a folder to two bytes.
        """
        try:
            with self.open(info) as stream:
                return not stream.read()
        except Exception:  # whatever `zipfile` raises over damage
            return False

    def _as_headed(self, info: zipfile.ZipInfo) -> zipfile.ZipInfo:
        """Return a member as its own header describes it, for unpackers that start at the front.

        Return it unchanged if that header has no sizes.
        """
        header, name = self._header(info)
        flags, method, crc, packed, size = header
        if not name or flags & _SIZES_BEHIND or not packed:
            return info
        own = copy(info)
        own.filename = own.orig_filename = name
        own.compress_type, own.CRC, own.compress_size, own.file_size = method, crc, packed, size
        return own

    def _header(self, info: zipfile.ZipInfo) -> tuple[tuple[int, ...], str]:
        """Return flags, method, checksum, sizes and name of the header before a member."""
        self._amended.seek(info.header_offset)
        header = self._amended.read(_HEADER).ljust(_HEADER, b"\0")
        *numbers, length = struct.unpack("<6x2H4x3IH2x", header)
        name = self._amended.read(length)
        encoding = "utf-8" if info.flag_bits >> 8 & _UTF8 else "cp437"
        return tuple(numbers), name.decode(encoding, "replace")

    def open(self, info: zipfile.ZipInfo) -> BinaryIO:
        """Return a member's bytes, unpacked.

        At the end it raises BadZipFile if the checksum differs, if the data do not take up exactly
        the bytes that the directory counts, or if the header before them names another compression.
        Other unpackers would then see other content.
        """
        unchecked = copy(info)
        # Otherwise `zipfile` checks it and drops the bytes that it read with the last one.
        del unchecked.CRC
        unchecked.file_size += 1  # so that it reads on if there is more
        stream = self._archive.open(unchecked)
        (_, method, *_), _ = self._header(info)
        return cast("BinaryIO", _Checked(stream, info, method == info.compress_type))

    def has_more(self) -> bool:
        """Return whether the file holds bytes that the directory does not mention.

        They may stand before the first member, between members, or behind the end (zeros excepted).
        Members may overlap, or a "folder" may be a file. Unpackers that start at the front see more
        than the directory, which alone is read here.
        """
        first = min((info.header_offset for info in self._entries), default=self._archive.start_dir)
        record = self._record()
        behind = record[_END + int.from_bytes(record[_END - 2 : _END], "little") :]
        return (
            self._disguised
            or first > 0
            or any(behind)
            or any(begin > end or self._is_filled(begin, end) for _, begin, end in self._gaps())
        )

    def hides_file(self) -> bool:
        """Return whether a picture, a video or an archive stands in comments or extra fields."""
        record = self._record()
        texts = chain(
            (record[_END:],),
            *((info.comment, info.extra) for info in self._entries),
            (extra for extra, _, _ in self._gaps()),
        )
        return any(map(embedded.hides_file, filter(None, texts)))

    def _gaps(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield the extra field of each member's header, and the gap behind the member.

        Gaps without room for a picture are left out. If members overlap, the gap begins behind its
        end.
        """
        infos = sorted(self._entries, key=attrgetter("header_offset"))
        ends = [*(info.header_offset for info in infos[1:]), self._archive.start_dir]
        for info, end in zip(infos, ends, strict=False):
            begin = info.header_offset + _HEADER + info.compress_size
            if 0 <= end - begin <= len(info.orig_filename) + _SPARE:
                continue
            self._amended.seek(info.header_offset)
            name, extra = struct.unpack("<26x2H", self._amended.read(_HEADER).ljust(_HEADER, b"\0"))
            begin += name + extra
            self._amended.seek(name, io.SEEK_CUR)
            field = self._amended.read(extra)
            yield field, begin if begin > end else min(begin + _DESCRIPTOR, end), end

    def _is_filled(self, begin: int, end: int) -> bool:
        self._amended.seek(begin)
        while begin < end and (piece := self._amended.read(min(_PIECE, end - begin))):
            if any(piece):
                return True
            begin += len(piece)
        return False

    def _record(self) -> bytes:
        """Return the record at the end with all bytes behind it."""
        for size in (_END, _END + _COMMENT):  # mostly there is no comment
            self._amended.seek(-min(self._amended.end, size), io.SEEK_END)
            tail = self._amended.read()
            if (at := tail.rfind(b"PK\5\6")) == 0:
                break
        return tail[max(0, at) :]


class _Checked(io.RawIOBase):
    """A member's bytes, compared at the end with what was declared."""

    def __init__(self, stream: IO[bytes], info: zipfile.ZipInfo, sound: bool) -> None:
        super().__init__()
        self._stream = stream
        self._crc, self._left = info.CRC, info.file_size
        self._sound = sound
        self._sum = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        if len(data) > self._left:
            self._sound, data = False, data[: self._left]
        self._left -= len(data)
        self._sum = zlib.crc32(data, self._sum)
        if not data and size:
            if self._sum != self._crc:
                raise zipfile.BadZipFile("another checksum")
            if not self._sound or self._left or self._has_more():
                raise zipfile.BadZipFile("not the data that are declared")
        return data

    def _has_more(self) -> bool:
        stream = cast("Any", self._stream)
        unpacker = stream._decompressor
        unpacker = getattr(unpacker, "_decomp", unpacker)  # `zipfile` wraps LZMA's
        return stream._compress_left > 0 or bool(getattr(unpacker, "unused_data", b""))

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Amended(io.RawIOBase):
    """A zip file without the zeros behind its end.

    While it is `opening`, its directory has each name once and, if `names` is set, no false claim
    of UTF-8. `headers` are the places of members' headers with such a claim.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self.end = _end(stream)
        self.opening = True
        self.names = False
        self.headers: frozenset[int] = frozenset()

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at = offset + (0, self._stream.tell(), self.end)[whence]
        if at < 0:
            raise OSError("before the start")
        return self._stream.seek(at)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        at = self._stream.tell()
        left = max(self.end - at, 0)
        data = self._stream.read(left if size < 0 else min(size, left))
        if self.opening and data.startswith(b"PK\1\2") and (self.names or _SECOND_NAME in data):
            return _directory(data, self.names)
        if at in self.headers and len(data) == _HEADER:
            return data[:7] + bytes([data[7] & ~_UTF8]) + data[8:]
        return data


def _end(stream: BinaryIO) -> int:
    """Return where a zip file ends, without the zeros behind it."""
    size = at = stream.seek(0, io.SEEK_END)
    piece_size = _END  # mostly there are none
    while at:
        start = max(0, at - piece_size)
        piece_size = _PIECE
        stream.seek(start)
        if piece := stream.read(at - start).rstrip(b"\0"):
            return min(size, start + len(piece) + _END)  # the end record may end in zeros
        at = start
    return size


def _directory(directory: bytes, names: bool) -> bytes:
    """Return a directory with each name once; if `names`, mark false claims of UTF-8 as raw."""
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
