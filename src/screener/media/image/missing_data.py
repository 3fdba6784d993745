"""Pictures with too few data that end as complete ones do.

A decoder silently fills what is missing: a JPEG's rows with one colour, a PNG's with zeros. So if
the last decoded row looks like that, the data are read once more. Nothing here raises on broken
input; decoders report that.
"""

from __future__ import annotations

import re
from struct import Struct
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile

from screener.media.image.pixels import Pixels
from screener.media.image.structure import file_end, png

SEGMENT = Struct(">BBH")  # the marker's two bytes, the length
FRAME = Struct(">BHHB")  # bits, height, width, components

# Markers, by their second byte.
_SEQUENTIAL, _PROGRESSIVE, _TABLES, _SCAN, _END = (0xC0, 0xC1), 0xC2, 0xC4, 0xDA, 0xD9
_END_MARK = bytes((0xFF, _END))
_OTHER_FRAMES = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}

# The marker behind a scan's pixel data, which contain stuffing and restarts.
_NEXT = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

# Ones are no code: a decoder may read so far ahead, and stops behind them.
_PADDING = b"\xff\x00" * 16

_COEFFICIENTS = 64  # of a block
# Most pixels in a byte, by Pillow's codec: not compressed, at one rate, or by runs of limited
# length. Other codecs have no such limit.
_IN_A_BYTE = {"raw": 8, "bcn": 2, "BLP2": 2}
_IN_A_BYTE |= dict.fromkeys(("BLP1", "SGI16", "dds_rgb", "ppm", "ppm_plain", "xpm"), 1)
_IN_A_BYTE |= {"qoi": 64, "sgi_rle": 64, "packbits": 512}
_BLP_JPEG = 0  # the first argument of a BLP that holds a JPEG

_CHEAP = 4_000_000  # pixels that are always decoded, since it takes a moment
_MOST_TIMES = 16  # a larger picture may have so many times the pixels that its data can hold

_SMALLEST = 8  # a JPEG can be decoded at an eighth of its size, for little more than unpacking


def lacks_most(image: ImageFile.ImageFile, data: bytes) -> bool:
    """Return whether a large frame, not loaded yet, has data for next to nothing of it.

    Decoding and hashing a picture of one colour would take seconds for a file of a hundred bytes.
    """
    pixels = image.width * image.height
    if pixels <= _CHEAP or not image.tile:
        return False
    possible = 0
    for codec, extents, offset, arguments in image.tile:
        most = _IN_A_BYTE.get(codec)
        if most is None or (codec == "BLP1" and arguments and arguments[0] == _BLP_JPEG):
            return False
        left, top, right, bottom = extents or (0, 0, *image.size)
        possible += min((right - left) * (bottom - top), most * max(len(data) - offset, 0))
    return possible * _MOST_TIMES < pixels


def has_missing_data(image: ImageFile.ImageFile, data: bytes, part: int) -> bool:
    """Return whether a loaded frame lacks data for its last row or for its declared detail.

    Detected in JPEGs without arithmetic coding, and in the first frame of a PNG. The frame must not
    be turned yet.
    """
    if image.format in ("JPEG", "MPO"):
        start = getattr(image, "offset", 0)
        return jpeg_ends_early(data, start, flat=_is_flat(image))
    if image.format == "PNG" and part == 0:
        # Missing rows are zeros, unless a frame was composed onto another.
        several = getattr(image, "n_frames", 1) > 1
        dark = several or not any(most for _, most in _last_row(image))
        return png.ends_early(data, dark=dark)
    return False


def _last_row(image: Image.Image) -> list[tuple[float, float]]:
    row = image.crop((0, image.height - 1, *image.size))
    extrema = row.getextrema()
    return [extrema] if isinstance(extrema[0], int | float) else list(extrema)


def _is_flat(image: Image.Image) -> bool:
    return all(least == most for least, most in _last_row(image))


class _Jpeg(NamedTuple):
    width: int
    height: int
    components: tuple[int, ...]
    progressive: bool


def jpeg_ends_early(data: bytes, start: int = 0, *, flat: bool = True) -> bool:
    """Return whether the JPEG at a place lacks scans, or the last row of its only one.

    The latter is checked only if the decoded row is `flat`.
    """
    at, jpeg = start + 2, None
    while at + SEGMENT.size < len(data):
        lead, mark, length = SEGMENT.unpack_from(data, at)
        if lead != 0xFF or mark in _OTHER_FRAMES:
            return False
        if mark == 0xFF:  # padding
            at += 1
            continue
        if mark == _SCAN and jpeg is not None:
            if not jpeg.progressive and data[at + 4] == len(jpeg.components):
                return flat and _lacks_last_row(data, start, at + 2 + length, jpeg)
            return _lacks_scans(data, at, jpeg)
        if mark == _PROGRESSIVE or mark in _SEQUENTIAL:
            jpeg = _frame(data, at, mark)
        at += 2 + length
    return False


def _frame(data: bytes, at: int, mark: int) -> _Jpeg | None:
    if at + 4 + FRAME.size > len(data):
        return None
    _, height, width, count = FRAME.unpack_from(data, at + 4)
    components = tuple(data[at + 4 + FRAME.size :][: 3 * count : 3])
    return _Jpeg(width, height, components, mark == _PROGRESSIVE)


def _lacks_scans(data: bytes, at: int, jpeg: _Jpeg) -> bool:
    """Return whether the scans from a place on leave a coefficient of a component incomplete."""
    complete = {component: set[int]() for component in jpeg.components}
    while at + 5 < len(data) and data[at + 1] != _END:
        _, mark, length = SEGMENT.unpack_from(data, at)
        end = at + 2 + length
        if mark in (_SCAN, _TABLES) and data.find(_END_MARK, at + 2, end + 1) >= 0:
            break  # neither can hold that: it is cut, and another picture follows
        if mark == _SCAN:
            components, coefficients = _scan(data[at + 4 : end], jpeg)
            for component in components & complete.keys():
                complete[component].update(coefficients)
        following = _NEXT.search(data, end)
        at = len(data) if following is None else following.start()
    return not all(len(each) == _COEFFICIENTS for each in complete.values())


def _scan(head: bytes, jpeg: _Jpeg) -> tuple[set[int], range]:
    """Return the components of a scan and the coefficients that it completes."""
    parts = 2 * head[0] if head else 0
    components = set(head[1 : 1 + parts : 2])
    if not jpeg.progressive:
        return components, range(_COEFFICIENTS)
    if len(head) < parts + 4 or head[parts + 3] & 15:
        return components, range(0)
    return components, range(head[parts + 1], head[parts + 2] + 1)


def _lacks_last_row(data: bytes, start: int, at: int, jpeg: _Jpeg) -> bool:
    """Return whether a JPEG whose pixel data begin at a place, row by row, lacks the last of them.

    Without its end marker a decoder leaves a missing row as it was, instead of making it up.
    """
    end = file_end.after_end_mark(data, at)
    if data[end - 2 : end] != _END_MARK:
        return False  # its decoder reports it
    mode, channels = ("CMYK", 4) if len(jpeg.components) == 4 else ("L", 1)
    size = -(-jpeg.width // _SMALLEST), -(-jpeg.height // _SMALLEST)
    short = data[start : end - 2] + _PADDING
    pixels = np.zeros((size[1], size[0] * channels), np.uint8)
    # Few pictures end with this row, and none with its negative too.
    filling = np.arange(pixels.shape[1]).astype(np.uint8) * 97
    for row in (filling, ~filling):
        pixels[-1] = row
        if not _decode(short, pixels, size, mode) or not np.array_equal(pixels[-1], row):
            return False
    return True


def _decode(data: bytes, pixels: Pixels, size: tuple[int, int], mode: str) -> bool:
    """Decode a JPEG at its smallest into `pixels`; return whether it raised no error."""
    decoder = Image._getdecoder(mode, "jpeg", (mode, ""), (_SMALLEST, 0))
    try:
        core = Image.core  # type: ignore[attr-defined]
        decoder.setimage(core.map_buffer(pixels, size, "raw", 0, (mode, 0, 1)), (0, 0, *size))
        return bool(decoder.decode(data)[1] == 0)
    except Exception:
        return False
    finally:
        decoder.cleanup()
