"""Measure how much video the edit lists of MP4 and QuickTime hide.

A clip that was trimmed without re-encoding often still contains the frames that were cut off.
Functions here do not raise on broken input.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import BinaryIO

from screener.media.files.chunks import read_at, read_boxes
from screener.media.video.containers.file_reading import find_bodies, restore_position

_MAX_EDITS = 10_000  # per track
_EMPTY_EDIT_TIME = -1  # the media time of an edit that shows nothing

_SAMPLE_TABLE = (b"mdia", b"minf", b"stbl")
_MIN_HIDDEN_SECONDS = 0.05  # less may result from rounding, since edits have their own clock

_Span = tuple[float, float]


def sum_hidden_seconds(stream: BinaryIO) -> float:
    """Return the maximum of the seconds that edit lists hide of a video track.

    The stream keeps its position.
    """
    longest = 0.0
    with restore_position(stream) as size:
        for movie in find_bodies(read_boxes, stream, 0, size, b"moov"):
            longest = max(longest, *_sum_hidden_by_track(stream, *movie), 0.0)
    return longest


def _sum_hidden_by_track(stream: BinaryIO, offset: int, end: int) -> Iterator[float]:
    movie, _ = _read_clock(_read_body(stream, offset, end, b"mvhd"))
    for start, body_end in find_bodies(read_boxes, stream, offset, end, b"trak"):
        if _read_body(stream, start, body_end, b"mdia", b"hdlr")[8:12] != b"vide":
            continue
        media, length = _read_clock(_read_body(stream, start, body_end, b"mdia", b"mdhd"))
        edits = _read_body(stream, start, body_end, b"edts", b"elst")
        if movie and media and len(edits) > 8:
            # If frames are reordered, the first is shown after its decoding time.
            delay = _read_body(stream, start, body_end, *_SAMPLE_TABLE, b"ctts")[12:16]
            first = int.from_bytes(delay, "big", signed=True) / media
            spans = _read_spans(edits, movie, media)
            durations = _read_body(stream, start, body_end, *_SAMPLE_TABLE, b"stts")
            length = _sum_ticks(durations, length)
            hidden = length / media - _sum_covered(spans, first, first + length / media)
            yield hidden if hidden > _MIN_HIDDEN_SECONDS else 0.0


def _read_body(stream: BinaryIO, offset: int, end: int, *path: bytes) -> bytes:
    """Return the body of the first box at `path`, or no bytes."""
    for body, body_end in find_bodies(read_boxes, stream, offset, end, *path):
        return read_at(stream, body, max(0, min(body_end, body + 8 + 20 * _MAX_EDITS) - body))
    return b""


def _read_clock(header: bytes) -> tuple[int, int]:
    """Return ticks per second and length in ticks, from a movie or media header."""
    offset, size = (20, 8) if header[:1] == b"\1" else (12, 4)
    ticks, length = header[offset : offset + 4], header[offset + 4 : offset + 4 + size]
    return int.from_bytes(ticks, "big"), int.from_bytes(length, "big")


def _sum_ticks(times: bytes, declared: int) -> int:
    """Return the sum of a track's frame durations, or `declared` if the table is incomplete.

    The `declared` length may be longer, or all ones if unknown.
    """
    count = int.from_bytes(times[4:8], "big")
    runs = [
        int.from_bytes(times[offset : offset + 4], "big") for offset in range(8, len(times) - 3, 4)
    ]
    if count * 2 != len(runs):
        return declared
    return min(declared, sum(a * b for a, b in zip(runs[::2], runs[1::2], strict=True)))


def _read_spans(edits: bytes, movie: int, media: int) -> Iterator[_Span]:
    """Yield start and end, in seconds of the media, of each edit."""
    size = 8 if edits[0] == 1 else 4
    for offset in range(8, len(edits) - 2 * size - 3, 2 * size + 4):
        duration = int.from_bytes(edits[offset : offset + size], "big") / movie
        start = int.from_bytes(edits[offset + size : offset + 2 * size], "big", signed=True)
        if start != _EMPTY_EDIT_TIME:
            yield start / media, start / media + duration if duration else math.inf


def _sum_covered(spans: Iterator[_Span], first: float, last: float) -> float:
    """Return the number of seconds from `first` to `last` that lie in any span."""
    seconds, covered_until = 0.0, first
    for start, end in sorted(spans):
        seconds += max(0.0, min(end, last) - max(start, covered_until))
        covered_until = max(covered_until, end)
    return seconds
