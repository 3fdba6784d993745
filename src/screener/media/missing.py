"""Missing rows: of pictures whose data are too few, and end all the same as those of a whole one.

A decoder fills what is missing without a word: a JPEG's rows with one colour, a PNG's with nothing.
So where the last row of what was decoded looks like that, the data are gone through once more.
Nothing here raises on broken input: what cannot be read is for the decoder to tell.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from struct import Struct

import numpy as np
from PIL import Image, ImageFile

from screener.media import headers
from screener.media.pixels import Pixels

_SEGMENT = Struct(">BBH")  # a JPEG's: the mark's two bytes, the length
_FRAME = Struct(">BHHB")  # bits, height, width, components
_HEADER = Struct(">IIBBBBB")  # a PNG's: width, height, bits, colours, packing, filter, interlace

# Marks, by their second byte.
_SEQUENTIAL, _SCAN, _END = (0xC0, 0xC1), 0xDA, 0xD9
_OTHER_FRAMES = frozenset(range(0xC2, 0xD0)) - {0xC4, 0xC8, 0xCC}

# Ones, which are no code: a decoder looks so far ahead of what it needs, and stops behind them.
_PADDING = b"\xff\x00" * 16

_SMALLEST = 8  # a JPEG can be decoded at this part of its size, with little to do but to unpack

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a PNG, by its colours
# Where the seven passes of an interlaced PNG begin, and how far apart their pixels are.
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_PIECE = 1 << 16


def has_missing_rows(image: ImageFile.ImageFile, data: bytes, part: int) -> bool:
    """Whether a frame that was loaded, and is not turned yet, has rows that its data do not have.

    Told of sequential JPEGs, and of PNGs without animation.
    """
    if image.format in ("JPEG", "MPO"):
        return _is_flat(image) and jpeg_ends_early(data, getattr(image, "offset", 0))
    if image.format == "PNG" and part == 0:
        return _png_ends_early(data, image)
    return False


def _last_row(image: Image.Image) -> list[tuple[float, float]]:
    """The least and the most of each channel in the last row."""
    row = image.crop((0, image.height - 1, *image.size))
    extrema = row.getextrema()
    return [extrema] if isinstance(extrema[0], int | float) else list(extrema)


def _is_flat(image: Image.Image) -> bool:
    return all(least == most for least, most in _last_row(image))


def jpeg_ends_early(data: bytes, start: int = 0) -> bool:
    """Whether the sequential JPEG that begins at a place lacks its last row; False of others.

    Pixels' data are decoded without the mark for their end, at which a decoder would make up what
    is missing; without, it leaves the row as it was.
    """
    found = _sequential(data, start)
    if found is None:
        return False
    (width, height), components, at = found
    end = headers.after_end_mark(data, at)
    if data[end - 2 : end] != bytes((0xFF, _END)):
        return False  # its decoder tells
    mode, channels = ("CMYK", 4) if components == 4 else ("L", 1)
    size = -(-width // _SMALLEST), -(-height // _SMALLEST)
    pixels = np.zeros((size[1], size[0] * channels), np.uint8)
    # Nothing that a row of a picture is likely to be; one of few pixels may be it, and not both.
    noise = np.random.default_rng(0).integers(0, 256, pixels.shape[1], np.uint8)
    shown = data[start : end - 2] + _PADDING
    return all(_leaves(shown, pixels, size, mode, untouched) for untouched in (noise, ~noise))


def _leaves(data: bytes, pixels: Pixels, size: tuple[int, int], mode: str, last: Pixels) -> bool:
    """Whether a JPEG's decoder leaves the last row of `pixels` as it was."""
    pixels[-1] = last
    return _decode(data, pixels, size, mode) and np.array_equal(pixels[-1], last)


def _decode(data: bytes, pixels: Pixels, size: tuple[int, int], mode: str) -> bool:
    """Have Pillow's decoder put what it makes of a JPEG, at its smallest, into `pixels`; whether it
    found nothing that it cannot decode.
    """
    decoder = Image._getdecoder(mode, "jpeg", (mode, ""), (_SMALLEST, 0))
    try:
        core = Image.core  # type: ignore[attr-defined]
        decoder.setimage(core.map_buffer(pixels, size, "raw", 0, (mode, 0, 1)), (0, 0, *size))
        return bool(decoder.decode(data)[1] == 0)
    except Exception:
        return False
    finally:
        decoder.cleanup()


def _sequential(data: bytes, start: int) -> tuple[tuple[int, int], int, int] | None:
    """Width and height, the number of components, and where the pixels' data begin, of a JPEG that
    has them all in one scan, row by row.
    """
    at, frame = start + 2, None
    while at + _SEGMENT.size <= len(data):
        lead, mark, length = _SEGMENT.unpack_from(data, at)
        if lead != 0xFF or mark in _OTHER_FRAMES:
            return None
        if mark == 0xFF:  # padding
            at += 1
            continue
        body, at = at + 4, at + 2 + length
        if mark in _SEQUENTIAL and body + _FRAME.size <= len(data):
            frame = _FRAME.unpack_from(data, body)
        elif mark == _SCAN:
            if frame is None or body >= len(data) or data[body] != frame[3]:
                return None
            return (frame[2], frame[1]), frame[3], at
    return None


def _png_ends_early(data: bytes, image: Image.Image) -> bool:
    chunks = list(_chunks(data))
    if not chunks or len(chunks[0]) < _HEADER.size:
        return False
    width, height, bits, colours, _, _, interlace = _HEADER.unpack_from(chunks[0])
    # What is not decoded is nothing but zeros. Rows of an interlaced one do not come in order.
    if not interlace and any(most for _, most in _last_row(image)):
        return False
    deep = bits * _CHANNELS.get(colours, 0)
    needed: int = sum(
        down * (1 + (across * deep + 7) // 8)
        for across, down in _sides(width, height, interlaced=bool(interlace))
        if across
    )
    return _unpacked_size(chunks[1:], needed) < needed


def _sides(width: int, height: int, *, interlaced: bool) -> Iterator[tuple[int, int]]:
    """Width and height of what a PNG is made of, which is one picture or seven."""
    if not interlaced:
        yield width, height
        return
    for left, top, right, down in _PASSES:
        yield -((left - width) // right), -((top - height) // down)


def _chunks(data: bytes) -> Iterator[memoryview]:
    """The header of a PNG, then its pixels' data."""
    view = memoryview(data)
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(view[at : at + 4], "big")
        name = data[at + 4 : at + 8]
        if name in (b"IHDR", b"IDAT"):
            yield view[at + 8 : at + 8 + length]
        elif name == b"IEND":
            return
        at += 12 + length


def _unpacked_size(pieces: list[memoryview], enough: int) -> int:
    """How many bytes packed data have, counted no further than `enough`; `enough` where they cannot
    be unpacked.
    """
    unpacking, count = zlib.decompressobj(), 0
    try:
        for piece in pieces:
            rest: bytes | memoryview = piece
            while count < enough and not unpacking.eof:
                count += len(unpacking.decompress(rest, _PIECE))
                rest = unpacking.unconsumed_tail
                if not rest:
                    break
    except zlib.error:
        return enough
    return count if unpacking.eof else enough
