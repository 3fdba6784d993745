"""Edit lists of MP4 and QuickTime: media in the file that players do not show.

A clip that is trimmed without re-encoding often still contains what was cut off. Nothing here
raises on broken input.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import BinaryIO

from screener.media.files.chunks import boxes, read
from screener.media.video.containers.file_reading import bodies, position_restored

_MOST = 10_000  # edits of a track that are read
_EMPTY = -1  # the media time of an edit that shows nothing

_SAMPLE_TABLE = (b"mdia", b"minf", b"stbl")
_ROUNDING = 0.05  # seconds: edits have a clock of their own

_Span = tuple[float, float]


def trimmed_seconds(stream: BinaryIO) -> float:
    """Return the seconds that edit lists hide of a video track, of the one that loses most.

    The stream stays at its position.
    """
    most = 0.0
    with position_restored(stream) as size:
        for movie in bodies(boxes, stream, 0, size, b"moov"):
            most = max(most, *_trimmed_of_tracks(stream, *movie), 0.0)
    return most


def _trimmed_of_tracks(stream: BinaryIO, at: int, end: int) -> Iterator[float]:
    movie, _ = _clock(_body(stream, at, end, b"mvhd"))
    for start, after in bodies(boxes, stream, at, end, b"trak"):
        if _body(stream, start, after, b"mdia", b"hdlr")[8:12] != b"vide":
            continue
        media, length = _clock(_body(stream, start, after, b"mdia", b"mdhd"))
        edits = _body(stream, start, after, b"edts", b"elst")
        if movie and media and len(edits) > 8:
            # If frames are reordered, the first is shown later than it is decoded.
            delay = _body(stream, start, after, *_SAMPLE_TABLE, b"ctts")[12:16]
            first = int.from_bytes(delay, "big", signed=True) / media
            spans = _spans(edits, movie, media)
            length = _ticks(_body(stream, start, after, *_SAMPLE_TABLE, b"stts"), length)
            trimmed = length / media - _covered(spans, first, first + length / media)
            yield trimmed if trimmed > _ROUNDING else 0.0


def _body(stream: BinaryIO, at: int, end: int, *path: bytes) -> bytes:
    """Return the body of the first box at `path`; nothing if there is none."""
    for body, after in bodies(boxes, stream, at, end, *path):
        return read(stream, body, max(0, min(after, body + 8 + 20 * _MOST) - body))
    return b""


def _clock(head: bytes) -> tuple[int, int]:
    """Return ticks per second and length in ticks, from the header of a movie or of media."""
    at, wide = (20, 8) if head[:1] == b"\1" else (12, 4)
    ticks, length = head[at : at + 4], head[at + 4 : at + 4 + wide]
    return int.from_bytes(ticks, "big"), int.from_bytes(length, "big")


def _ticks(times: bytes, declared: int) -> int:
    """Return the length of a track by the durations of its frames, if the table is complete.

    The `declared` length may be longer, or all ones if unknown.
    """
    count = int.from_bytes(times[4:8], "big")
    runs = [int.from_bytes(times[at : at + 4], "big") for at in range(8, len(times) - 3, 4)]
    if count * 2 != len(runs):
        return declared
    return min(declared, sum(a * b for a, b in zip(runs[::2], runs[1::2], strict=True)))


def _spans(edits: bytes, movie: int, media: int) -> Iterator[_Span]:
    """Yield the seconds of the media that each edit shows."""
    wide = 8 if edits[0] == 1 else 4
    for at in range(8, len(edits) - 2 * wide - 3, 2 * wide + 4):
        lasts = int.from_bytes(edits[at : at + wide], "big") / movie
        start = int.from_bytes(edits[at + wide : at + 2 * wide], "big", signed=True)
        if start != _EMPTY:
            yield start / media, start / media + lasts if lasts else math.inf


def _covered(spans: Iterator[_Span], first: float, last: float) -> float:
    """Return how many of the seconds from `first` to `last` lie in any span."""
    seconds, until = 0.0, first
    for begins, ends in sorted(spans):
        seconds += max(0.0, min(ends, last) - max(begins, until))
        until = max(until, ends)
    return seconds
