"""Readers of ISO boxes and RIFF chunks, in a file's bytes or in a stream.

They never raise on broken input: what cannot be read is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

MOST = 1_000_000
"""Boxes or chunks that are read of one file, however many it has."""

Chunk = tuple[bytes, int, int]
"""A name, where the body begins, and where it ends as declared, perhaps behind the file's end."""


def read(file: bytes | BinaryIO, at: int, size: int) -> bytes:
    """Return `size` bytes from a place on, fewer if the file ends before."""
    if isinstance(file, bytes):
        return file[at : at + size]
    file.seek(at)
    return file.read(size)


def boxes(file: bytes | BinaryIO, at: int, end: int, most: int = MOST) -> Iterator[Chunk]:
    """Yield the ISO boxes that begin between two places."""
    for _ in range(most):
        if at + 8 > end:
            return
        head = read(file, at, 16)
        length, name, body = int.from_bytes(head[:4], "big"), head[4:8], at + 8
        if length == 1:
            length, body = int.from_bytes(head[8:16], "big"), at + 16
        elif length == 0:  # this box ends with what holds it
            length = end - at
        if length < body - at:
            return
        yield name, body, at + length
        at += length


def riff_chunks(file: bytes | BinaryIO, at: int, end: int) -> Iterator[Chunk]:
    """Yield the RIFF chunks that begin between two places, each without its padding."""
    for _ in range(MOST):
        if at + 8 > end:
            return
        head = read(file, at, 8)
        if len(head) < 8:
            return
        body = at + 8
        after = body + int.from_bytes(head[4:], "little")
        yield head[:4], body, after
        at = after + (after - body) % 2
