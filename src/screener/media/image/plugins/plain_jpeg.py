"""Decode plain JPEGs, the most common kind, to luma without creating a Pillow image.

Creating the image takes half as long as decoding a small picture. A JPEG is plain if its headers
are sound, its colours may be skipped, and no metadata can turn it or hide another picture.
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
_HUFFMAN_TABLES, _SCAN_START, _QUANTISATION_TABLES = 0xC4, 0xDA, 0xDB
_JFIF, _COLOUR_PROFILE, _ADOBE = 0xE0, 0xE2, 0xEE
_FRAME_HEADERS = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive
_PROGRESSIVE = 0xC2
# Segments without effect on luma: Huffman tables, restarts, comments, and applications' segments
# except EXIF or XMP (1), colour profiles or further pictures (2), Photoshop's thumbnails (13) and
# Adobe's colour model (14).
_IGNORED_SEGMENTS = frozenset({_HUFFMAN_TABLES, 0xDD, 0xFE, *range(0xE3, 0xED), 0xEF})

_MIN_TRAILING_SIZE = 64  # bytes; this many after the end may hide another picture


class Shape(NamedTuple):
    """The size of a plain JPEG; `in_scans` is true if it has several scans."""

    width: int
    height: int
    in_scans: bool


class _Headers(NamedTuple):
    """The headers of a JPEG that may be plain.

    `adobe_transform` is Adobe's colour model. `scan` and `end` are the start and end of the first
    scan's header.
    """

    frame: bytes
    progressive: bool
    jfif: bool
    adobe_transform: int | None
    scan: int
    end: int


def read_shape(data: bytes) -> Shape | None:
    """Return the shape of a plain JPEG, or None for any other file."""
    headers = _read_headers(data)
    if headers is None or headers.scan == headers.end or not _is_luma_first(headers):
        return None
    if len(data) - file_end.find_after_end_marker(data, headers.end) >= _MIN_TRAILING_SIZE:
        return None
    _, height, width, count = FRAME.unpack_from(headers.frame)
    in_scans = headers.progressive or data[headers.scan] != count
    return Shape(width, height, in_scans) if width and height else None


def _read_headers(data: bytes) -> _Headers | None:
    if data[:2] != b"\xff\xd8":
        return None
    offset, jfif, adobe_transform, frame, progressive = 2, False, None, None, False
    while offset + SEGMENT.size <= len(data):
        lead, marker, length = SEGMENT.unpack_from(data, offset)
        start, offset = offset + 4, offset + 2 + length
        if lead != 0xFF or length < 2 or offset > len(data):
            return None
        if marker == _SCAN_START:
            return (
                None
                if frame is None
                else _Headers(frame, progressive, jfif, adobe_transform, start, offset)
            )
        if marker in _IGNORED_SEGMENTS:
            continue
        if not _is_plain(data, marker, start, offset):
            return None
        if marker in _FRAME_HEADERS:
            if frame is not None:
                return None
            frame, progressive = data[start:offset], marker == _PROGRESSIVE
        elif marker == _JFIF:
            jfif = jfif or data.startswith(b"JFIF", start)
        elif marker == _ADOBE and data.startswith(b"Adobe", start):
            adobe_transform = data[start + 11]
    return None


def _is_plain(data: bytes, marker: int, start: int, end: int) -> bool:
    size = end - start
    if marker in _FRAME_HEADERS:
        return size >= FRAME.size
    if marker == _QUANTISATION_TABLES:
        return _are_complete_tables(data, start, end)
    if marker == _JFIF:
        return size >= 7 or not data.startswith(b"JFIF", start)
    if marker == _COLOUR_PROFILE:
        return size >= 14 and data.startswith(b"ICC_PROFILE\0", start)
    return marker == _ADOBE and (size >= 12 or not data.startswith(b"Adobe", start))


def decode_luma(data: bytes, shape: Shape) -> Pixels | None:
    """Return the grey pixels of a plain JPEG, (H, W).

    Return None if not all of them can be decoded, or memory is too short. The general decoder then
    reports the error.
    """
    width, height, in_scans = shape
    decoder = None
    try:
        pixels = np.empty((height, width), np.uint8)
        layout = ("L", 0, 1)
        core = Image.core  # type: ignore[attr-defined]
        memory = core.map_buffer(pixels, (width, height), "raw", 0, layout)
        # Decode at full size, as `ImageFile.load` does after `draft`.
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
    if (flat or in_scans) and missing_data.lacks_jpeg_data(data, flat=flat):
        return None
    return pixels


def _is_flat(row: Pixels) -> bool:
    return bool((row == row[0]).all())


def _are_complete_tables(data: bytes, start: int, end: int) -> bool:
    offset = start
    while offset < end:
        offset += 65 if data[offset] < 16 else 129
    return offset == end


def _is_luma_first(headers: _Headers) -> bool:
    """Return whether the first component is luma at full size, or the only one."""
    frame = headers.frame
    bits, _, _, count = FRAME.unpack_from(frame)
    if bits != 8 or len(frame) != FRAME.size + 3 * count:
        return False
    if count == 1:
        return True
    if count != 3 or (not headers.jfif and (headers.adobe_transform == 0 or frame[6::3] == b"RGB")):
        return False
    horizontal, vertical = frame[7] >> 4, frame[7] & 15
    return all(
        horizontal >= sampling >> 4 and vertical >= sampling & 15
        for sampling in (frame[10], frame[13])
    )
