"""Detect pictures that lack data although their files have an end.

Decoders silently fill in missing rows: in a JPEG with one colour, in a PNG with zeros. If the last
decoded row looks like that, the data are read a second time. Functions here do not raise on
broken input, since decoders report it.
"""

from __future__ import annotations

import re
from struct import Struct
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile

from screener.media.image.pixels import Pixels
from screener.media.image.structure import file_end, png

SEGMENT = Struct(">BBH")  # two bytes of a marker, length
FRAME = Struct(">BHHB")  # bits, height, width, components

# Markers, by their second byte.
_SEQUENTIAL_FRAMES, _PROGRESSIVE_FRAME = (0xC0, 0xC1), 0xC2
_TABLES_MARKER, _SCAN_MARKER, _END_MARKER = 0xC4, 0xDA, 0xD9
_END_MARKER_BYTES = bytes((0xFF, _END_MARKER))
_UNSUPPORTED_FRAMES = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}

# The marker after a scan's pixel data, which contain stuffing and restarts.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

# No code consists of ones only. A decoder may read this far ahead, and stops after it.
_ENTROPY_PADDING = b"\xff\x00" * 16

_BLOCK_COEFFICIENTS = 64
# By Pillow's codec: uncompressed, at a constant rate, or by runs of limited length. Other codecs
# have no limit.
_MAX_PIXELS_PER_BYTE = {"raw": 8, "bcn": 2, "BLP2": 2}
_MAX_PIXELS_PER_BYTE |= dict.fromkeys(("BLP1", "SGI16", "dds_rgb", "ppm", "ppm_plain", "xpm"), 1)
_MAX_PIXELS_PER_BYTE |= {"qoi": 64, "sgi_rle": 64, "packbits": 512}
_BLP_JPEG_ENCODING = 0  # the first argument of the codec if a BLP contains a JPEG

_ALWAYS_DECODED_PIXELS = 4_000_000  # decoding these takes little time
_MAX_PIXELS_TO_POSSIBLE = 16  # for pictures with more pixels

_REDUCTION = 8  # decoding a JPEG at an eighth of its size takes little more than unpacking


def lacks_most_data(image: ImageFile.ImageFile, data: bytes) -> bool:
    """Return whether a large frame, before loading, has data for only a small part.

    Otherwise a file of a hundred bytes could take seconds to decode and hash.
    """
    pixels = image.width * image.height
    if pixels <= _ALWAYS_DECODED_PIXELS or not image.tile:
        return False
    possible = 0
    for codec, extents, start, arguments in image.tile:
        pixels_per_byte = _MAX_PIXELS_PER_BYTE.get(codec)
        if pixels_per_byte is None or (
            codec == "BLP1" and arguments and arguments[0] == _BLP_JPEG_ENCODING
        ):
            return False
        left, top, right, bottom = extents or (0, 0, *image.size)
        extent = (right - left) * (bottom - top)
        possible += min(extent, pixels_per_byte * max(len(data) - start, 0))
    return possible * _MAX_PIXELS_TO_POSSIBLE < pixels


def has_missing_data(image: ImageFile.ImageFile, data: bytes, number: int) -> bool:
    """Return whether a loaded frame lacks data for its last row or its detail.

    This covers JPEGs without arithmetic coding, and the first frame of a PNG. The frame must still
    have its stored orientation.
    """
    if image.format in ("JPEG", "MPO"):
        start = getattr(image, "offset", 0)
        return lacks_jpeg_data(data, start, flat=_is_flat(image))
    if image.format == "PNG" and number == 0:
        # Missing rows are zeros, unless a frame was composed onto another.
        is_animated = getattr(image, "n_frames", 1) > 1
        dark = is_animated or not any(high for _, high in _read_last_row_range(image))
        return png.lacks_rows(data, dark=dark)
    return False


def _read_last_row_range(image: Image.Image) -> list[tuple[float, float]]:
    row = image.crop((0, image.height - 1, *image.size))
    extrema = row.getextrema()
    return [extrema] if isinstance(extrema[0], int | float) else list(extrema)


def _is_flat(image: Image.Image) -> bool:
    return all(low == high for low, high in _read_last_row_range(image))


class _Jpeg(NamedTuple):
    width: int
    height: int
    components: tuple[int, ...]
    progressive: bool


def lacks_jpeg_data(data: bytes, start: int = 0, *, flat: bool = True) -> bool:
    """Return whether the JPEG at `start` lacks scans, or its only scan's last row.

    The row is checked only if its decoded pixels are `flat`, of one colour.
    """
    offset, jpeg = start + 2, None
    while offset + SEGMENT.size < len(data):
        lead, marker, length = SEGMENT.unpack_from(data, offset)
        if lead != 0xFF or marker in _UNSUPPORTED_FRAMES:
            return False
        if marker == 0xFF:  # padding
            offset += 1
            continue
        if marker == _SCAN_MARKER and jpeg is not None:
            if not jpeg.progressive and data[offset + 4] == len(jpeg.components):
                return flat and _lacks_last_row(data, start, offset + 2 + length, jpeg)
            return _lacks_scans(data, offset, jpeg)
        if marker == _PROGRESSIVE_FRAME or marker in _SEQUENTIAL_FRAMES:
            jpeg = _read_frame_header(data, offset, marker)
        offset += 2 + length
    return False


def _read_frame_header(data: bytes, offset: int, marker: int) -> _Jpeg | None:
    if offset + 4 + FRAME.size > len(data):
        return None
    _, height, width, count = FRAME.unpack_from(data, offset + 4)
    components = tuple(data[offset + 4 + FRAME.size :][: 3 * count : 3])
    return _Jpeg(width, height, components, marker == _PROGRESSIVE_FRAME)


def _lacks_scans(data: bytes, offset: int, jpeg: _Jpeg) -> bool:
    """Return whether the scans from `offset` leave a component's coefficient incomplete."""
    complete = {component: set[int]() for component in jpeg.components}
    while offset + 5 < len(data) and data[offset + 1] != _END_MARKER:
        _, marker, length = SEGMENT.unpack_from(data, offset)
        end = offset + 2 + length
        if (
            marker in (_SCAN_MARKER, _TABLES_MARKER)
            and data.find(_END_MARKER_BYTES, offset + 2, end + 1) >= 0
        ):
            break  # a segment cannot contain it: this one was cut, and another picture follows
        if marker == _SCAN_MARKER:
            components, coefficients = _read_scan_header(data[offset + 4 : end], jpeg)
            for component in components & complete.keys():
                complete[component].update(coefficients)
        following = _NEXT_MARKER.search(data, end)
        offset = len(data) if following is None else following.start()
    return not all(
        len(coefficients_found) == _BLOCK_COEFFICIENTS for coefficients_found in complete.values()
    )


def _read_scan_header(header: bytes, jpeg: _Jpeg) -> tuple[set[int], range]:
    """Return the components of a scan and the coefficients that it completes."""
    size = 2 * header[0] if header else 0
    components = set(header[1 : 1 + size : 2])
    if not jpeg.progressive:
        return components, range(_BLOCK_COEFFICIENTS)
    if len(header) < size + 4 or header[size + 3] & 15:
        return components, range(0)
    return components, range(header[size + 1], header[size + 2] + 1)


def _lacks_last_row(data: bytes, start: int, offset: int, jpeg: _Jpeg) -> bool:
    """Return whether a JPEG's only scan, with pixel data at `offset`, lacks its last row.

    Without an end marker the decoder leaves the memory of a missing row unchanged.
    """
    end = file_end.find_after_end_marker(data, offset)
    if data[end - 2 : end] != _END_MARKER_BYTES:
        return False  # the decoder reports it
    mode, channels = ("CMYK", 4) if len(jpeg.components) == 4 else ("L", 1)
    size = -(-jpeg.width // _REDUCTION), -(-jpeg.height // _REDUCTION)
    without_end = data[start : end - 2] + _ENTROPY_PADDING
    pixels = np.zeros((size[1], size[0] * channels), np.uint8)
    # Hardly any picture ends with this row, and none also with its negative.
    filling = np.arange(pixels.shape[1]).astype(np.uint8) * 97
    for row in (filling, ~filling):
        pixels[-1] = row
        is_decoded = _decode_reduced(without_end, pixels, size, mode)
        if not is_decoded or not np.array_equal(pixels[-1], row):
            return False
    return True


def _decode_reduced(data: bytes, pixels: Pixels, size: tuple[int, int], mode: str) -> bool:
    """Decode a JPEG at an eighth of its size into `pixels`; return whether that succeeded."""
    decoder = Image._getdecoder(mode, "jpeg", (mode, ""), (_REDUCTION, 0))
    try:
        core = Image.core  # type: ignore[attr-defined]
        decoder.setimage(core.map_buffer(pixels, size, "raw", 0, (mode, 0, 1)), (0, 0, *size))
        return bool(decoder.decode(data)[1] == 0)
    except Exception:
        return False
    finally:
        decoder.cleanup()
