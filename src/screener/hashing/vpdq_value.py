"""Hashes of videos: vPDQ, which is compared frame by frame, and TMK+PDQF, which is carried only.

A vPDQ value is its frames one after the other, 45 bytes each, little-endian: the frame's number
(int32, -1 where unknown), its time in seconds (float64), its quality (uint8), its PDQ (32 bytes).
A TMK value is the whole of a `.tmk` file.
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
# Rate, periods, coefficients, features: those of PDQF, which fix the length; then how many
# frames, and how long each period is.
_TMK_HEAD = struct.Struct("<12s5i4i")
_TMK_COUNTS = (15, 4, 32, 256)


class VideoFrame(NamedTuple):
    """One frame of a vPDQ value: `number` is -1 where the source did not give it."""

    number: int
    time: float
    quality: int
    pdq: bytes


def pack_vpdq(frames: Iterable[VideoFrame]) -> bytes:
    """The value made of frames; HashError where there is none or one cannot be."""
    value = b"".join(map(_packed, frames))
    check_vpdq(value)
    return value


def _packed(frame: VideoFrame) -> bytes:
    try:
        value = _FRAME.pack(*frame)
    except struct.error:
        raise HashError("not a vpdq value: bad frame") from None
    if len(frame[-1]) != PDQ_BYTES:  # which was cut, or filled up
        raise HashError("not a vpdq value: wrong length")
    return value


def vpdq_frames(value: bytes) -> Iterator[VideoFrame]:
    """The frames of a value."""
    return map(VideoFrame._make, _FRAME.iter_unpack(value))


def check_vpdq(value: bytes) -> None:
    """HashError where bytes are not a vPDQ value."""
    count, rest = divmod(len(value), _FRAME.size)
    if rest or not 0 < count <= MOST_FRAMES:
        raise HashError("not a vpdq value: wrong length")
    frames = np.frombuffer(value, PACKED)
    times = frames["time"]
    good = (frames["quality"] <= 100) & (frames["number"] >= -1) & (times >= 0) & np.isfinite(times)
    if not good.all():
        raise HashError("not a vpdq value: bad frame")


def vpdq_text(value: bytes) -> str:
    """The JSON array of `hex,quality,time` that ThreatExchange's tools write, times in full."""
    said = [f"{frame.pdq.hex()},{frame.quality},{frame.time:.3f}" for frame in vpdq_frames(value)]
    return json.dumps(said, separators=(",", ":"))


def vpdq_lines(value: bytes) -> Iterator[str]:
    """The lines of `frame,quality,hex,time` that vPDQ's own tool writes; a frame whose number is
    not known has that of its place.
    """
    for place, frame in enumerate(vpdq_frames(value)):
        number = place if frame.number < 0 else frame.number
        yield f"{number},{frame.quality},{frame.pdq.hex()},{frame.time:.3f}"


def read_vpdq(text: str) -> bytes:
    """The value in a JSON array of `hex,quality,time`, or in an object of frames by number."""
    try:
        said = json.loads(text)
        if isinstance(said, list):
            frames = [vpdq_frame(-1, *one.split(",")) for one in said]
        else:
            frames = [
                vpdq_frame(number, one["hash"], one["quality"], one["timestamp"])
                for number, one in said.items()
            ]
    except (ValueError, OverflowError, TypeError, KeyError, AttributeError, RecursionError):
        raise HashError("not a vpdq value: bad characters") from None
    return pack_vpdq(frames)


def vpdq_frame(number: int | str, pdq: str, quality: int | str, time: float | str) -> VideoFrame:
    """A frame from its texts, whatever way a time is written (`1.23e+03` too).

    Raises ValueError, OverflowError, or HashError where a number is out of range.
    """
    if isinstance(quality, bool) or isinstance(time, bool):
        raise ValueError
    frame = VideoFrame(int(number), float(time), int(quality), bytes.fromhex(pdq.strip()))
    if not 0 <= frame.quality <= 100 or frame.number < -1 or not 0 <= frame.time < math.inf:
        raise HashError("not a vpdq value: bad frame")
    _packed(frame)  # which a number that no video has cannot be
    return frame


def check_tmk(value: bytes) -> None:
    """HashError where bytes are not a `.tmk` file: magic, counts, length, finite numbers."""
    if len(value) < _TMK_HEAD.size or value[:12] != TMK_MAGIC:
        raise HashError("not a tmk_pdqf value: bad characters")
    _, rate, periods, coefficients, features, frames, *lengths = _TMK_HEAD.unpack_from(value)
    # What the head claims is never allocated: it must be what every such file claims.
    counts = (rate, periods, coefficients, features)
    if counts != _TMK_COUNTS or min(frames, *lengths) < 1:
        raise HashError("not a tmk_pdqf value: impossible counts")
    if len(value) != TMK_BYTES:
        raise HashError("not a tmk_pdqf value: wrong length")
    if not np.isfinite(np.frombuffer(value, "<f4", offset=_TMK_HEAD.size)).all():
        raise HashError("not a tmk_pdqf value: numbers that are none")


def read_tmk(text: str) -> bytes:
    """The value in base64, whole or after `TMK1FVECPDQF|`."""
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
