"""Plain JPEGs, the ordinary kind, decoded to luma by Pillow's decoder without Pillow's image.

Pillow's image would cost half as much as decoding a small picture. A JPEG is plain if nothing but
its size has to be known: its colours may be skipped, no metadata can turn it or hide another
picture, and its headers are sound.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from screener.media.image import missing_data
from screener.media.image.missing_data import FRAME, SEGMENT
from screener.media.image.pixels import Pixels
from screener.media.image.structure import file_end

# Markers, by their second byte.
_TABLES, _SCAN, _QUANTA = 0xC4, 0xDA, 0xDB
_JFIF, _PROFILE, _ADOBE = 0xE0, 0xE2, 0xEE
_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive
_PROGRESSIVE = 0xC2
# Segments without effect here: Huffman tables, restarts, comments, and those of applications except
# EXIF or XMP (1), colour profiles or further pictures (2), Photoshop's thumbnails (13) and Adobe's
# colour model (14).
_PASSED = frozenset({_TABLES, 0xDD, 0xFE, *range(0xE3, 0xED), 0xEF})

_TAIL = 64  # bytes behind the end that may hide another picture


class Shape(NamedTuple):
    """The size of a plain JPEG; `in_scans` if its data come in several scans, each finer."""

    width: int
    height: int
    in_scans: bool


class _Head(NamedTuple):
    """The headers of a JPEG that may be plain.

    These are its frame header, what determines its colours (`coded`: Adobe's colour model), and
    where the head of its first scan starts and ends.
    """

    frame: bytes
    progressive: bool
    jfif: bool
    coded: int | None
    scan: int
    end: int


def shape_of(data: bytes) -> Shape | None:
    """Return the shape of a plain JPEG, None for everything else."""
    head = _head_of(data)
    if head is None or head.scan == head.end or not _is_luma_first(head):
        return None
    if len(data) - file_end.after_end_mark(data, head.end) >= _TAIL:
        return None
    _, height, width, count = FRAME.unpack_from(head.frame)
    in_scans = head.progressive or data[head.scan] != count
    return Shape(width, height, in_scans) if width and height else None


def _head_of(data: bytes) -> _Head | None:
    if data[:2] != b"\xff\xd8":
        return None
    at, jfif, coded, frame, progressive = 2, False, None, None, False
    while at + SEGMENT.size <= len(data):
        lead, mark, length = SEGMENT.unpack_from(data, at)
        start, at = at + 4, at + 2 + length
        if lead != 0xFF or length < 2 or at > len(data):
            return None
        if mark == _SCAN:
            return None if frame is None else _Head(frame, progressive, jfif, coded, start, at)
        if mark in _PASSED:
            continue
        if not _is_plain(data, mark, start, at):
            return None
        if mark in _FRAMES:
            if frame is not None:
                return None
            frame, progressive = data[start:at], mark == _PROGRESSIVE
        elif mark == _JFIF:
            jfif = jfif or data.startswith(b"JFIF", start)
        elif mark == _ADOBE and data.startswith(b"Adobe", start):
            coded = data[start + 11]
    return None


def _is_plain(data: bytes, mark: int, start: int, end: int) -> bool:
    size = end - start
    if mark in _FRAMES:
        return size >= FRAME.size
    if mark == _QUANTA:
        return _are_quanta(data, start, end)
    if mark == _JFIF:
        return size >= 7 or not data.startswith(b"JFIF", start)
    if mark == _PROFILE:
        return size >= 14 and data.startswith(b"ICC_PROFILE\0", start)
    return mark == _ADOBE and (size >= 12 or not data.startswith(b"Adobe", start))


def luma(data: bytes, shape: Shape) -> Pixels | None:
    """Return the grey pixels of a plain JPEG, (H, W).

    Return None if they do not decode to the last, or do not fit into memory: the general decoder
    then reports what is wrong.
    """
    width, height, in_scans = shape
    decoder = None
    try:
        pixels = np.empty((height, width), np.uint8)
        layout = ("L", 0, 1)
        core = Image.core  # type: ignore[attr-defined]
        memory = core.map_buffer(pixels, (width, height), "raw", 0, layout)
        # At full size, as `ImageFile.load` does after `draft`.
        decoder = Image._getdecoder("L", "jpeg", ("L", ""), (1, 0))
        decoder.setimage(memory, (0, 0, width, height))
        used, error = decoder.decode(data)
    except Exception:
        return None
    finally:
        if decoder is not None:
            decoder.cleanup()
    if used >= 0 or error:
        return None
    flat = _is_flat(pixels[-1])
    if (flat or in_scans) and missing_data.jpeg_ends_early(data, flat=flat):
        return None
    return pixels


def _is_flat(row: Pixels) -> bool:
    return bool((row == row[0]).all())


def _are_quanta(data: bytes, start: int, end: int) -> bool:
    at = start
    while at < end:
        at += 65 if data[at] < 16 else 129
    return at == end


def _is_luma_first(head: _Head) -> bool:
    """Return whether the first component is luma at full size, or the only one."""
    frame = head.frame
    bits, _, _, count = FRAME.unpack_from(frame)
    if bits != 8 or len(frame) != FRAME.size + 3 * count:
        return False
    if count == 1:
        return True
    if count != 3 or (not head.jfif and (head.coded == 0 or frame[6::3] == b"RGB")):
        return False
    across, down = frame[7] >> 4, frame[7] & 15
    return all(across >= each >> 4 and down >= each & 15 for each in (frame[10], frame[13]))
