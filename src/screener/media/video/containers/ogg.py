"""Ogg files: the pages that they are made of."""

from __future__ import annotations

import zlib
from typing import BinaryIO

from screener.media.files.chunks import MOST, read

_HEAD, _TABLE = 27, 255  # bytes of a page's head, and at most of the table behind it
_LAST = 4  # a flag: the last page of its track
_CHECKSUM = slice(22, 26)
# An Ogg checksum is zip's with the bits of each byte mirrored and a start value of 0.
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_START = 0xFFFFFFFF


def damage(stream: BinaryIO, size: int) -> str | None:
    """Return `undecodable` or `truncated` if the pages are damaged or incomplete; else None.

    Checked: each page's checksum and number, and that every track has its last page.
    """
    at, numbers = 0, dict[bytes, int]()  # the last number of each track that has not ended
    for _ in range(MOST):
        if at >= size:
            return "truncated" if numbers else None
        head = read(stream, at, _HEAD + _TABLE)
        if head[:4] != b"OggS" or len(head) < _HEAD:
            return "undecodable" if numbers else None  # else it is trailing data
        track, number = head[14:18], int.from_bytes(head[18:22], "little")
        if number != numbers.get(track, number - 1) + 1:
            return "undecodable"
        numbers[track] = number
        if head[5] & _LAST:
            del numbers[track]
        table = head[_HEAD : _HEAD + head[26]]
        length = _HEAD + len(table) + sum(table)
        page = bytearray(read(stream, at, length))
        at += length
        if at > size:
            return "truncated"
        page[_CHECKSUM] = bytes(4)
        checksum = zlib.crc32(page.translate(_MIRRORED), _START) ^ _START
        if checksum.to_bytes(4, "big").translate(_MIRRORED) != head[_CHECKSUM]:
            return "undecodable"
    return None
