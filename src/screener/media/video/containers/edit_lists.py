"""Edit lists: what the tracks of an MP4 or QuickTime file hold, and players are told not to show.

Where a clip is trimmed without being encoded anew, what was cut off is often still in the file.
Nothing here raises on broken input.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import BinaryIO

from screener.media.files.chunks import boxes, read
from screener.media.video.containers.boxes import kept

_MOST = 10_000  # edits of a track that are read
_NOTHING = -1  # the place in the media of an edit that shows none of it

_STBL = (b"mdia", b"minf", b"stbl")  # where a track tells of its frames
_ROUNDED = 0.05  # seconds: edits are told in ticks of their own

_Span = tuple[float, float]


def left_out(stream: BinaryIO) -> float:
    """Seconds of its media that edits leave out of a track of pictures, of the one that most is
    left out of; 0.0 where nothing is, or nothing is told. The stream is left where it was.
    """
    most = 0.0
    with kept(stream) as size:
        for name, body, after in boxes(stream, 0, size):
            if name == b"moov":
                most = max(most, *_left_out(stream, body, min(after, size)), 0.0)
    return most


def _left_out(stream: BinaryIO, at: int, end: int) -> Iterator[float]:
    """The same of each track of pictures of a movie."""
    movie, _ = _clock(_within(stream, at, end, b"mvhd"))
    for name, body, after in boxes(stream, at, end):
        after = min(after, end)
        if name != b"trak" or _within(stream, body, after, b"mdia", b"hdlr")[8:12] != b"vide":
            continue
        media, length = _clock(_within(stream, body, after, b"mdia", b"mdhd"))
        edits = _within(stream, body, after, b"edts", b"elst")
        if movie and media and len(edits) > 8:
            # Frames that are decoded in another order are shown later than they are decoded.
            later = _within(stream, body, after, *_STBL, b"ctts")[12:16]
            first = int.from_bytes(later, "big", signed=True) / media
            spans = _spans(edits, movie, media)
            length = _lasting(_within(stream, body, after, *_STBL, b"stts"), length)
            left = length / media - _shown(spans, first, first + length / media)
            yield left if left > _ROUNDED else 0.0


def _within(stream: BinaryIO, at: int, end: int, *names: bytes) -> bytes:
    """What the first box holds that is reached by these names; nothing where there is none."""
    for name, body, after in boxes(stream, at, end):
        if name == names[0] and len(names) > 1:
            return _within(stream, body, min(after, end), *names[1:])
        if name == names[0]:
            return read(stream, body, max(0, min(after, end, body + 8 + 20 * _MOST) - body))
    return b""


def _clock(head: bytes) -> tuple[int, int]:
    """The ticks of a second, and how many of them it lasts, as the head of a movie or of the media
    of a track says.
    """
    at, wide = (20, 8) if head[:1] == b"\1" else (12, 4)
    ticks, length = head[at : at + 4], head[at + 4 : at + 4 + wide]
    return int.from_bytes(ticks, "big"), int.from_bytes(length, "big")


def _lasting(times: bytes, declared: int) -> int:
    """How many ticks the frames of a track last, by how long each does, as far as all are told;
    what the head of the track declares may be longer, or all ones for what is not known.
    """
    count = int.from_bytes(times[4:8], "big")
    runs = [int.from_bytes(times[at : at + 4], "big") for at in range(8, len(times) - 3, 4)]
    if count * 2 != len(runs):
        return declared
    return min(declared, sum(a * b for a, b in zip(runs[::2], runs[1::2], strict=True)))


def _spans(edits: bytes, movie: int, media: int) -> Iterator[_Span]:
    """The seconds of the media that each edit shows."""
    wide = 8 if edits[0] == 1 else 4
    for at in range(8, len(edits) - 2 * wide - 3, 2 * wide + 4):
        lasts = int.from_bytes(edits[at : at + wide], "big") / movie
        start = int.from_bytes(edits[at + wide : at + 2 * wide], "big", signed=True)
        if start != _NOTHING:
            yield start / media, start / media + lasts if lasts else math.inf


def _shown(spans: Iterator[_Span], first: float, last: float) -> float:
    """How many of the seconds from the first to the last are in any of these spans."""
    seconds, until = 0.0, first
    for begins, ends in sorted(spans):
        seconds += max(0.0, min(ends, last) - max(begins, until))
        until = max(until, ends)
    return seconds
