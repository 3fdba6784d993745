"""Read a video's file without moving its position, and follow paths through nested parts."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar

_Name = TypeVar("_Name", bytes, int)


@contextlib.contextmanager
def restore_position(stream: BinaryIO) -> Iterator[int]:
    """Yield the size of a stream, and restore the stream's position afterwards."""
    before = stream.tell()
    try:
        yield stream.seek(0, io.SEEK_END)
    finally:
        stream.seek(before)


def find_bodies(
    parts: Callable[[BinaryIO, int, int], Iterator[tuple[_Name, int, int]]],
    stream: BinaryIO,
    offset: int,
    end: int,
    *path: _Name,
) -> Iterator[tuple[int, int]]:
    """Yield start and end of every body at `path`, cut at its parent's end.

    `parts` reads one level: `read_boxes`, `read_elements` or `read_riff_chunks`.
    """
    for name, start, body_end in parts(stream, offset, end):
        if name != path[0]:
            continue
        body_end = min(body_end, end)
        if len(path) == 1:
            yield start, body_end
        else:
            yield from find_bodies(parts, stream, start, body_end, *path[1:])
