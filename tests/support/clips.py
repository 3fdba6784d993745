"""Hashed frames that tests make up: scenes, what a re-encoding makes of them, and clips of both.

A scene is a random PDQ of 128 set bits, as real ones have; two are some 128 bits apart.
"""

import numpy as np

from screener.hashing.video_frames import Frames
from screener.hashing.vpdq_value import VideoFrame, pack_vpdq


def scenes(count, *, seed):
    """So many unrelated PDQs, uint8 (count, 32)."""
    rng = np.random.default_rng(seed)
    order = np.argsort(rng.random((count, 256)), axis=1)
    return np.packbits((order < 128).astype(np.uint8), axis=1)


def near(codes, bits, *, seed):
    """Each of the codes with so many of its bits flipped."""
    rng = np.random.default_rng(seed)
    flips = np.argsort(rng.random((len(codes), 256)), axis=1) < bits
    return codes ^ np.packbits(flips.astype(np.uint8), axis=1)


def moved(*bits):
    """Codes that differ from one code in these bits, each by its list of them."""
    table = np.tile(np.unpackbits(scenes(1, seed=7), axis=1), (len(bits), 1))
    for row, places in enumerate(bits):
        table[row, list(places)] ^= 1
    return np.packbits(table, axis=1)


def clip(codes, *, step=1.0, start=0.0, quality=100):
    """Frames with these codes, a step apart."""
    count = len(codes)
    times = start + step * np.arange(count)
    return Frames.ordered(times, np.broadcast_to(np.uint8(quality), count), codes)


def value_of(frames):
    """The vPDQ value of frames."""
    return pack_vpdq(
        VideoFrame(number, float(time), int(quality), code.tobytes())
        for number, (time, quality, code) in enumerate(
            zip(frames.times, frames.qualities, frames.codes, strict=True)
        )
    )
