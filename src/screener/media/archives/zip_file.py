"""Read zip files, even with false names or bytes outside of the directory."""

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

_PIECE_SIZE = 1 << 20
_HEADER_SIZE = 30  # bytes of a member's header, before its name
_ENTRY_SIZE = 46  # bytes of a directory entry, before its name
_END_RECORD_SIZE = 22  # bytes of the end record, before its comment
_MAX_COMMENT_SIZE = (1 << 16) - 1
_MAX_DESCRIPTOR_SIZE = 24  # bytes after a member, with the sizes that its header lacks
# A gap between members, without the name, that is too small for a picture; its header is not read.
_MAX_IGNORED_GAP = 64 + _MAX_DESCRIPTOR_SIZE

# Bits in the upper byte of a member's flags: the name is UTF-8; and a reserved bit, which we set
# for a name that claims to be UTF-8 and is not.
_UTF8_FLAG, _RAW_NAME_FLAG = 0x08, 0x80
_SIZES_FOLLOW_FLAG = 0x08  # in the lower byte: the sizes follow the data

# Tag of the extra field that repeats the name in Unicode. Newer Pythons use that name, and refuse
# an archive with a damaged one, so the tag is replaced by an unused one.
_UNICODE_NAME_TAG, _UNUSED_TAG = b"up", b"\xff\xff"


class ZipFile:
    """An open zip file; `infos` are its members without folders. Raises what `zipfile` raises."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = _AmendedZip(stream)
        try:
            self._archive = self._open_archive()
        except UnicodeDecodeError:
            # One bad name would otherwise cost all members.
            self._stream.marks_false_utf8 = True
            self._archive = self._open_archive()
        self._stream.opening = False
        self._entries = self._archive.infolist()
        raw = (info for info in self._entries if info.flag_bits >> 8 & _RAW_NAME_FLAG)
        self._stream.raw_name_headers = frozenset(info.header_offset for info in raw)
        self._has_disguised_file = False
        self.infos = list(self._list_members())

    def _open_archive(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(cast("BinaryIO", self._stream))

    def read_name(self, info: zipfile.ZipInfo) -> bytes:
        """Return a member's name in UTF-8, or its raw bytes if it is not."""
        if info.flag_bits >> 8 & _RAW_NAME_FLAG:
            return info.filename.encode("cp437")
        return info.filename.encode("utf-8", "surrogateescape")

    def _list_members(self) -> Iterator[zipfile.ZipInfo]:
        for info in self._entries:
            if info.file_size or not info.filename.endswith("/"):
                yield info
            elif not self._is_folder(info):
                self._has_disguised_file = True
                yield self._from_own_header(info)

    def _is_folder(self, info: zipfile.ZipInfo) -> bool:
        """Return whether an entry named as a folder is one by data and header.

        Java compresses the empty content of a folder to two bytes.
        """
        try:
            with self.open(info) as stream:
                return not stream.read()
        except Exception:  # `zipfile` may raise anything for damage
            return False

    def _from_own_header(self, info: zipfile.ZipInfo) -> zipfile.ZipInfo:
        """Return a member as its own header describes it, for unpackers that read forwards.

        Return it unchanged if that header has no sizes.
        """
        fields, name = self._read_header(info)
        flags, method, crc, packed, size = fields
        if not name or flags & _SIZES_FOLLOW_FLAG or not packed:
            return info
        own_info = copy(info)
        own_info.filename = own_info.orig_filename = name
        own_info.compress_type, own_info.CRC = method, crc
        own_info.compress_size, own_info.file_size = packed, size
        return own_info

    def _read_header(self, info: zipfile.ZipInfo) -> tuple[tuple[int, ...], str]:
        """Return flags, method, checksum and sizes, and the name, of a member's own header."""
        self._stream.seek(info.header_offset)
        header = self._stream.read(_HEADER_SIZE).ljust(_HEADER_SIZE, b"\0")
        *numbers, length = struct.unpack("<6x2H4x3IH2x", header)
        name = self._stream.read(length)
        encoding = "utf-8" if info.flag_bits >> 8 & _UTF8_FLAG else "cp437"
        return tuple(numbers), name.decode(encoding, "replace")

    def open(self, info: zipfile.ZipInfo) -> BinaryIO:
        """Return a stream of a member's unpacked bytes.

        Reading its end raises BadZipFile if the checksum differs, if the data do not take up
        exactly the bytes that the directory counts, or if the member's header names another
        compression. Other unpackers would then see other content.
        """
        unchecked = copy(info)
        # Otherwise `zipfile` checks it and drops the bytes of the last read.
        del unchecked.CRC
        unchecked.file_size += 1  # to read on if there are more bytes
        stream = self._archive.open(unchecked)
        (_, method, *_), _ = self._read_header(info)
        return cast("BinaryIO", _CheckedMember(stream, info, method == info.compress_type))

    def has_more(self) -> bool:
        """Return whether the file holds bytes that the directory does not mention.

        They may be before the first member, between members, or after the end (unless all are 0).
        Members may overlap, or a "folder" may be a file. Unpackers that read forwards see more than
        the directory, which is all that we read.
        """
        first = min((info.header_offset for info in self._entries), default=self._archive.start_dir)
        record = self._read_end_record()
        comment_size = int.from_bytes(record[_END_RECORD_SIZE - 2 : _END_RECORD_SIZE], "little")
        trailing_data = record[_END_RECORD_SIZE + comment_size :]
        return (
            self._has_disguised_file
            or first > 0
            or any(trailing_data)
            or any(a > b or self._is_filled(a, b) for _, a, b in self._find_gaps())
        )

    def hides_file(self) -> bool:
        """Return whether a picture, video or archive is in comments or extra fields."""
        record = self._read_end_record()
        texts = chain(
            (record[_END_RECORD_SIZE:],),
            *((info.comment, info.extra) for info in self._entries),
            (extra for extra, _, _ in self._find_gaps()),
        )
        return any(map(embedded.hides_file, filter(None, texts)))

    def _find_gaps(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield each header's extra field, and start and end of the gap after the member.

        Gaps too small for a picture are left out. If members overlap, the gap's start is greater
        than its end.
        """
        infos = sorted(self._entries, key=attrgetter("header_offset"))
        ends = [*(info.header_offset for info in infos[1:]), self._archive.start_dir]
        for info, end in zip(infos, ends, strict=False):
            start = info.header_offset + _HEADER_SIZE + info.compress_size
            if 0 <= end - start <= len(info.orig_filename) + _MAX_IGNORED_GAP:
                continue
            self._stream.seek(info.header_offset)
            header = self._stream.read(_HEADER_SIZE).ljust(_HEADER_SIZE, b"\0")
            name_size, extra_size = struct.unpack("<26x2H", header)
            start += name_size + extra_size
            self._stream.seek(name_size, io.SEEK_CUR)
            extra_field = self._stream.read(extra_size)
            start = start if start > end else min(start + _MAX_DESCRIPTOR_SIZE, end)
            yield extra_field, start, end

    def _is_filled(self, start: int, end: int) -> bool:
        self._stream.seek(start)
        while start < end and (piece := self._stream.read(min(_PIECE_SIZE, end - start))):
            if any(piece):
                return True
            start += len(piece)
        return False

    def _read_end_record(self) -> bytes:
        """Return the end record with all bytes after it."""
        # Usually there is no comment.
        for size in (_END_RECORD_SIZE, _END_RECORD_SIZE + _MAX_COMMENT_SIZE):
            self._stream.seek(-min(self._stream.end, size), io.SEEK_END)
            tail = self._stream.read()
            if (offset := tail.rfind(b"PK\5\6")) == 0:
                break
        return tail[max(0, offset) :]


class _CheckedMember(io.RawIOBase):
    """A member's unpacked bytes, whose size and checksum are compared at the end."""

    def __init__(self, stream: IO[bytes], info: zipfile.ZipInfo, sound: bool) -> None:
        super().__init__()
        self._stream = stream
        self._crc, self._remaining = info.CRC, info.file_size
        self._is_sound = sound
        self._checksum = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        if len(data) > self._remaining:
            self._is_sound, data = False, data[: self._remaining]
        self._remaining -= len(data)
        self._checksum = zlib.crc32(data, self._checksum)
        if not data and size:
            if self._checksum != self._crc:
                raise zipfile.BadZipFile("the checksum differs")
            if not self._is_sound or self._remaining or self._has_more():
                raise zipfile.BadZipFile("the data differ from their declared size or compression")
        return data

    def _has_more(self) -> bool:
        stream = cast("Any", self._stream)
        unpacker = stream._decompressor
        unpacker = getattr(unpacker, "_decomp", unpacker)  # `zipfile` wraps LZMA's
        return stream._compress_left > 0 or bool(getattr(unpacker, "unused_data", b""))

    def close(self) -> None:
        self._stream.close()
        super().close()


class _AmendedZip(io.RawIOBase):
    """A zip file without the zeros after its end, and with a repaired directory.

    While it is `opening`, its directory has each name once. With `marks_false_utf8`, names that are
    not UTF-8 do not claim to be. `raw_name_headers` are the offsets of such members' headers.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self.end = _find_end(stream)
        self.opening = True
        self.marks_false_utf8 = False
        self.raw_name_headers: frozenset[int] = frozenset()

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        target = offset + (0, self._stream.tell(), self.end)[whence]
        if target < 0:
            raise OSError("before the start")
        return self._stream.seek(target)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        offset = self._stream.tell()
        remaining = max(self.end - offset, 0)
        data = self._stream.read(remaining if size < 0 else min(size, remaining))
        is_directory = self.opening and data.startswith(b"PK\1\2")
        if is_directory and (self.marks_false_utf8 or _UNICODE_NAME_TAG in data):
            return _amend_directory(data, self.marks_false_utf8)
        if offset in self.raw_name_headers and len(data) == _HEADER_SIZE:
            return data[:7] + bytes([data[7] & ~_UTF8_FLAG]) + data[8:]
        return data


def _find_end(stream: BinaryIO) -> int:
    """Return where a zip file ends, without the zeros after it."""
    size = end = stream.seek(0, io.SEEK_END)
    piece_size = _END_RECORD_SIZE  # usually there are none
    while end:
        start = max(0, end - piece_size)
        piece_size = _PIECE_SIZE
        stream.seek(start)
        if piece := stream.read(end - start).rstrip(b"\0"):
            # The end record itself may end in zeros.
            return min(size, start + len(piece) + _END_RECORD_SIZE)
        end = start
    return size


def _amend_directory(directory: bytes, marks_false_utf8: bool) -> bytes:
    """Return a directory with each name once, and with false UTF-8 names marked."""
    amended = bytearray(directory)
    offset = 0
    while directory.startswith(b"PK\1\2", offset) and offset + _ENTRY_SIZE <= len(directory):
        name_size, extra_size, comment_size = struct.unpack_from("<3H", directory, offset + 28)
        name_start = offset + _ENTRY_SIZE
        name_end = name_start + name_size
        flags = directory[offset + 9]
        is_false = flags & _UTF8_FLAG and not _is_utf8(directory[name_start:name_end])
        if marks_false_utf8 and is_false:
            amended[offset + 9] = flags & ~_UTF8_FLAG | _RAW_NAME_FLAG
        for field_offset in _find_fields(directory[name_end : name_end + extra_size]):
            if directory.startswith(_UNICODE_NAME_TAG, name_end + field_offset):
                amended[name_end + field_offset : name_end + field_offset + 2] = _UNUSED_TAG
        offset = name_end + extra_size + comment_size
    return bytes(amended)


def _find_fields(extra: bytes) -> Iterator[int]:
    offset = 0
    while offset + 4 <= len(extra):
        yield offset
        offset += 4 + int.from_bytes(extra[offset + 2 : offset + 4], "little")


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
