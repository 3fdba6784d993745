"""AVI files: the RIFF chunks that they are made of.

Nothing here raises on broken input.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from screener.media.files.chunks import MOST, read, riff_chunks
from screener.media.video.containers.file_reading import position_restored

_FORMS = (b"AVI ", b"AVIX")
_FRAME_LISTS = (b"movi", b"rec ")
_HEAD_DEPTH = 2  # nested lists: the file's head, and in it one for each track
_TO_PIPE = 0xFFFFFFFF  # the length of a file that was written to a pipe


def is_cut_short(stream: BinaryIO, size: int) -> bool:
    """Return whether the first RIFF declares more bytes than the file has."""
    length = int.from_bytes(read(stream, 4, 4), "little")
    return length != _TO_PIPE and length + 8 > size


def riff_ends(stream: BinaryIO, size: int) -> Iterator[int]:
    """Yield the end of each RIFF of the AVI, with padding.

    One without a length, written to a pipe or never finished, ends with the file.
    """
    for name, start, end in riff_chunks(stream, 0, size):
        if name != b"RIFF" or read(stream, start, 4) not in _FORMS or end == start:
            return
        yield end + (end - start) % 2


def codecs(stream: BinaryIO, at: int, end: int, depth: int = 0) -> Iterator[bytes]:
    """Yield the four letters of each track's codec, from its head and its format."""
    for name, start, after in riff_chunks(stream, at, end):
        form = read(stream, start, 4)
        if form == b"movi":
            return
        if name == b"LIST" and depth < _HEAD_DEPTH:
            yield from codecs(stream, start + 4, min(after, end), depth + 1)
        elif name in (b"strh", b"strf"):
            yield read(stream, start + (4 if name == b"strh" else 16), 4).upper()


def is_damaged(stream: BinaryIO, size: int) -> bool:
    """Return whether something other than chunks is found before the end of the last RIFF."""
    return None in _leaves(stream, size)


def count_frames(stream: BinaryIO, track: int) -> int:
    """Return how many non-empty frames of a track precede any damage."""
    names = [b"%02d%s" % (track, kind) for kind in (b"dc", b"db")]
    with position_restored(stream) as size:
        leaves = filter(None, _leaves(stream, size))
        return sum(name in names and length > 0 for name, length in leaves)


def _leaves(stream: BinaryIO, size: int) -> Iterator[tuple[bytes, int] | None]:
    """Yield the name and length of each chunk outside nested lists; None last if damaged.

    Lists of frames are read as if they were not there, whatever their lengths.
    """
    at = until = 0
    for _ in range(MOST):
        head = read(stream, at, 12)
        name, length = head[:4], int.from_bytes(head[4:8], "little")
        if at >= until and name != b"RIFF":
            return  # the end, or trailing data
        if len(head) < 8 or not all(0x20 <= letter < 0x7F for letter in name):
            yield None
            return
        if name == b"RIFF":
            until = min(at + 8 + length, size)
        if name == b"RIFF" or (name == b"LIST" and head[8:] in _FRAME_LISTS):
            at += 12
        elif at + 8 + length > size:
            yield None
            return
        else:
            yield name, length
            at += 8 + length + length % 2
