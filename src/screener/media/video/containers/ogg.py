"""Check the pages of Ogg files."""

from __future__ import annotations

import zlib
from typing import BinaryIO

from screener.media.files.chunks import MAX_CHUNKS, read_at

_HEADER_SIZE = 27  # bytes
_MAX_TABLE_SIZE = 255  # bytes of the segment table after the header
_LAST_PAGE_FLAG = 4  # of the last page of a track
_CHECKSUM_FIELD = slice(22, 26)
# An Ogg checksum is a CRC-32 of bytes with mirrored bits and with a start value of 0.
_MIRRORED_BYTES = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_CRC_START = 0xFFFFFFFF


def find_damage(stream: BinaryIO, size: int) -> str | None:
    """Return `undecodable` or `truncated` if the pages are damaged or incomplete, else None.

    Each page must have the right checksum and number, and each track its last page.
    """
    offset, numbers = 0, dict[bytes, int]()  # last page number of each unfinished track
    for _ in range(MAX_CHUNKS):
        if offset >= size:
            return "truncated" if numbers else None
        header = read_at(stream, offset, _HEADER_SIZE + _MAX_TABLE_SIZE)
        if header[:4] != b"OggS" or len(header) < _HEADER_SIZE:
            return "undecodable" if numbers else None  # after the last track: trailing data
        track, number = header[14:18], int.from_bytes(header[18:22], "little")
        if number != numbers.get(track, number - 1) + 1:
            return "undecodable"
        numbers[track] = number
        if header[5] & _LAST_PAGE_FLAG:
            del numbers[track]
        table = header[_HEADER_SIZE : _HEADER_SIZE + header[26]]
        length = _HEADER_SIZE + len(table) + sum(table)
        page = bytearray(read_at(stream, offset, length))
        offset += length
        if offset > size:
            return "truncated"
        page[_CHECKSUM_FIELD] = bytes(4)
        checksum = zlib.crc32(page.translate(_MIRRORED_BYTES), _CRC_START) ^ _CRC_START
        if checksum.to_bytes(4, "big").translate(_MIRRORED_BYTES) != header[_CHECKSUM_FIELD]:
            return "undecodable"
    return None
