"""Estimate what decoding a file costs, by numbers at known places of its first bytes.

This runs in the process that must survive hostile files, so it follows no offset beyond those.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from itertools import islice

from screener.media.files.sniff import CONTAINERS, is_decodable, sniff
from screener.media.image.structure.headers import find_largest_size, read_jpeg_segments

_HEAD_BYTES = 1 << 18  # cameras put up to 200 kB before a JPEG's size
_COSTLY_PIXELS = 1 << 25  # take a second or so
_PIXELS_PER_VIDEO_BYTE = 4
_MAX_SEGMENTS = 1000  # of a JPEG before its size
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}

# Where two numbers stand whose product is the size.
_SIZES = {
    "image/png": ">16xII",
    "image/gif": "<6xHH",
    "image/bmp": "<18xii",
    "image/vnd.adobe.photoshop": ">14xII",
    "image/qoi": ">4xII",
    "image/vnd-ms.dds": "<12xII",
}
_BOX = re.compile(rb"(?:ispe\0{4}|ihdr|\xff\x4f\xff\x51.{4})(.{8})", re.DOTALL)
_FRAMES = {"image/png": b"fcTL", "image/gif": b"\x21\xf9\x04", "image/webp": b"ANMF"}


def is_costly(path: str) -> bool:
    """Return whether a file may occupy a worker for long, by its size and first bytes.

    A picture that does not declare its size there may be of any size, so it is costly. Types that
    are not decoded are not, nor is what cannot be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # to open a device may have effects
            return False
        with open(path, "rb", buffering=0) as file:
            head, size = file.read(_HEAD_BYTES), os.fstat(file.fileno()).st_size
    except (OSError, ValueError):
        return False
    mime = sniff(head)
    if mime in CONTAINERS:
        return size * _PIXELS_PER_VIDEO_BYTE > _COSTLY_PIXELS
    if mime is None or not is_decodable(mime):
        return False
    # As if the rest of the file had as many frames as its beginning.
    frames = head.count(_FRAMES[mime]) * size // len(head) if mime in _FRAMES else 1
    return not 0 < _find_pixels(mime, head) * max(1, frames) <= _COSTLY_PIXELS


def _find_pixels(mime: str, head: bytes) -> int:
    """Return the number of pixels that a picture declares, 0 if `head` does not have it."""
    try:
        if mime == "image/jpeg":
            for marker, start, _ in islice(read_jpeg_segments(head, 0), _MAX_SEGMENTS):
                if marker in _JPEG_FRAMES:
                    return _multiply(">5xHH", head[start : start + 9])
        if mime == "image/webp":
            return _multiply("ii", struct.pack("ii", *find_largest_size(head)))
        if mime in _SIZES:
            return _multiply(_SIZES[mime], head)
    except struct.error:  # it is cut short
        return 0
    return max((_multiply(">II", box) for box in _BOX.findall(head)), default=0)


def _multiply(places: str, head: bytes) -> int:
    width, height = map(int, struct.unpack_from(places, head))
    return abs(width * height)
