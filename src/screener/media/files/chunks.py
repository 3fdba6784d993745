"""Read ISO boxes and RIFF chunks from a file's bytes or from a stream.

They never raise on broken input; unreadable boxes are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

MAX_CHUNKS = 1_000_000
"""Maximum number of boxes or chunks read from one file."""

Chunk = tuple[bytes, int, int]
"""Name, start of the body and its declared end, which may lie past the end of the file."""


def read_at(file: bytes | BinaryIO, offset: int, size: int) -> bytes:
    """Return `size` bytes from `offset`, fewer if the file ends first."""
    if isinstance(file, bytes):
        return file[offset : offset + size]
    file.seek(offset)
    return file.read(size)


def read_boxes(
    file: bytes | BinaryIO, offset: int, end: int, max_boxes: int = MAX_CHUNKS
) -> Iterator[Chunk]:
    """Yield the ISO boxes that begin between `offset` and `end`."""
    for _ in range(max_boxes):
        if offset + 8 > end:
            return
        header = read_at(file, offset, 16)
        length, name, body = int.from_bytes(header[:4], "big"), header[4:8], offset + 8
        if length == 1:
            length, body = int.from_bytes(header[8:16], "big"), offset + 16
        elif length == 0:  # the box extends to the end of its container
            length = end - offset
        if length < body - offset:
            return
        yield name, body, offset + length
        offset += length


def read_riff_chunks(file: bytes | BinaryIO, offset: int, end: int) -> Iterator[Chunk]:
    """Yield the RIFF chunks that begin between `offset` and `end`, without padding."""
    for _ in range(MAX_CHUNKS):
        if offset + 8 > end:
            return
        header = read_at(file, offset, 8)
        if len(header) < 8:
            return
        body = offset + 8
        body_end = body + int.from_bytes(header[4:], "little")
        yield header[:4], body, body_end
        offset = body_end + (body_end - body) % 2
