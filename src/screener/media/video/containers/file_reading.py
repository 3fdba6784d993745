"""Bounded reading of a video's file by place, and paths through its nested parts."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar

_Name = TypeVar("_Name", bytes, int)


@contextlib.contextmanager
def position_restored(stream: BinaryIO) -> Iterator[int]:
    """Yield the size of a stream, and seek back afterwards to where it was."""
    before = stream.tell()
    try:
        yield stream.seek(0, io.SEEK_END)
    finally:
        stream.seek(before)


def bodies(
    parts: Callable[[BinaryIO, int, int], Iterator[tuple[_Name, int, int]]],
    stream: BinaryIO,
    at: int,
    end: int,
    *path: _Name,
) -> Iterator[tuple[int, int]]:
    """Yield the start and end of every body at `path`, none beyond its parent's end.

    `parts` reads one level: `boxes`, `elements` or `riff_chunks`.
    """
    for name, start, after in parts(stream, at, end):
        if name != path[0]:
            continue
        after = min(after, end)
        if len(path) == 1:
            yield start, after
        else:
            yield from bodies(parts, stream, start, after, *path[1:])
