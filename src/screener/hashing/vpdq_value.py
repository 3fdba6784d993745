"""Hashes of videos: vPDQ, compared frame by frame, and TMK+PDQF, stored but never compared.

A vPDQ value is a sequence of frames of 45 bytes, little-endian: number (int32, -1 if unknown), time
in seconds (float64), quality (uint8), PDQ (32 bytes). A TMK value is a complete `.tmk` file.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from screener.errors import HashError

PDQ_BYTES = 32
TMK_MAGIC = b"TMK1FVECPDQF"
TMK_BYTES = 263_344
MOST_FRAMES = 1_000_000
_FRAME = struct.Struct("<idB32s")
PACKED = np.dtype([("number", "<i4"), ("time", "<f8"), ("quality", "u1"), ("pdq", "u1", 32)])
# Rate, periods, coefficients and features, which are PDQF's and fix the length; then the number of
# frames and the length of each period.
_TMK_HEAD = struct.Struct("<12s5i4i")
_TMK_COUNTS = (15, 4, 32, 256)


class VideoFrame(NamedTuple):
    """One frame of a vPDQ value; `number` is -1 if the source has none."""

    number: int
    time: float
    quality: int
    pdq: bytes


def pack_vpdq(frames: Iterable[VideoFrame]) -> bytes:
    """Return the value of frames; HashError if there is none or one is impossible."""
    value = b"".join(map(_packed, frames))
    check_vpdq(value)
    return value


def _packed(frame: VideoFrame) -> bytes:
    try:
        value = _FRAME.pack(*frame)
    except struct.error:
        raise HashError("not a vpdq value: bad frame") from None
    if len(frame[-1]) != PDQ_BYTES:  # pack() cut it or filled it up
        raise HashError("not a vpdq value: wrong length")
    return value


def vpdq_frames(value: bytes) -> Iterator[VideoFrame]:
    """Return the frames of a value."""
    return map(VideoFrame._make, _FRAME.iter_unpack(value))


def check_vpdq(value: bytes) -> None:
    """Raise HashError if bytes are not a vPDQ value."""
    count, rest = divmod(len(value), _FRAME.size)
    if rest or not 0 < count <= MOST_FRAMES:
        raise HashError("not a vpdq value: wrong length")
    frames = np.frombuffer(value, PACKED)
    times = frames["time"]
    good = (frames["quality"] <= 100) & (frames["number"] >= -1) & (times >= 0) & np.isfinite(times)
    if not good.all():
        raise HashError("not a vpdq value: bad frame")


def vpdq_text(value: bytes) -> str:
    """Return the JSON array of `hex,quality,time` that ThreatExchange's tools write."""
    texts = [f"{frame.pdq.hex()},{frame.quality},{frame.time:.3f}" for frame in vpdq_frames(value)]
    return json.dumps(texts, separators=(",", ":"))


def vpdq_lines(value: bytes) -> Iterator[str]:
    """Yield the lines of `frame,quality,hex,time` that vPDQ's tool writes.

    A frame without a number gets its position.
    """
    for place, frame in enumerate(vpdq_frames(value)):
        number = place if frame.number < 0 else frame.number
        yield f"{number},{frame.quality},{frame.pdq.hex()},{frame.time:.3f}"


def read_vpdq(text: str) -> bytes:
    """Return the value of a JSON array of `hex,quality,time`, or of an object of frames."""
    try:
        content = json.loads(text)
        if isinstance(content, list):
            frames = [vpdq_frame(-1, *one.split(",")) for one in content]
        else:
            frames = [
                vpdq_frame(number, one["hash"], one["quality"], one["timestamp"])
                for number, one in content.items()
            ]
    except (ValueError, OverflowError, TypeError, KeyError, AttributeError, RecursionError):
        raise HashError("not a vpdq value: bad characters") from None
    return pack_vpdq(frames)


def vpdq_frame(number: int | str, pdq: str, quality: int | str, time: float | str) -> VideoFrame:
    """Return a frame from its texts; a time may be written as `1.23e+03`.

    Raises ValueError, OverflowError, or HashError if a number is out of range.
    """
    if isinstance(quality, bool) or isinstance(time, bool):
        raise ValueError
    frame = VideoFrame(int(number), float(time), int(quality), bytes.fromhex(pdq.strip()))
    if not 0 <= frame.quality <= 100 or frame.number < -1 or not 0 <= frame.time < math.inf:
        raise HashError("not a vpdq value: bad frame")
    _packed(frame)  # fails for a number that no video has
    return frame


def check_tmk(value: bytes) -> None:
    """Raise HashError if bytes are not a `.tmk` file: magic, counts, length, finite numbers."""
    if len(value) < _TMK_HEAD.size or value[:12] != TMK_MAGIC:
        raise HashError("not a tmk_pdqf value: bad characters")
    _, rate, periods, coefficients, features, frames, *lengths = _TMK_HEAD.unpack_from(value)
    # The counts must be those of every such file; nothing is allocated by them.
    counts = (rate, periods, coefficients, features)
    if counts != _TMK_COUNTS or min(frames, *lengths) < 1:
        raise HashError("not a tmk_pdqf value: impossible counts")
    if len(value) != TMK_BYTES:
        raise HashError("not a tmk_pdqf value: wrong length")
    if not np.isfinite(np.frombuffer(value, "<f4", offset=_TMK_HEAD.size)).all():
        raise HashError("not a tmk_pdqf value: numbers that are not finite")


def read_tmk(text: str) -> bytes:
    """Return the value of base64, complete or after `TMK1FVECPDQF|`."""
    magic, separator, rest = text.partition("|")
    try:
        if separator:
            value = magic.encode("ascii") + base64.b64decode(rest, validate=True)
        else:
            value = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise HashError("not a tmk_pdqf value: bad characters") from None
    check_tmk(value)
    return value
