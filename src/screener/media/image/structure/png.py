"""Read the chunks of PNGs, and leave out those that Pillow may refuse.

Pillow fails if a text has a reserved name or is too long, or if a colour profile is too long or has
a wrong checksum, although every viewer shows the picture. In an animation such a text may change a
frame.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import takewhile
from struct import Struct

from PIL import Image, PngImagePlugin

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ANIMATION_CHUNK = b"acTL"
_FRAME_CHUNK = b"fcTL"
_ANIMATION_CHUNKS = (_ANIMATION_CHUNK, _FRAME_CHUNK, b"fdAT")
_PIXEL_CHUNKS = (b"IDAT", b"fdAT")
_VISIBLE_CHUNKS = (b"tRNS", b"eXIf")  # transparency and orientation
_XMP_PREFIX = b"iTXtXML:com.adobe.xmp\0\0"  # not compressed; it may state the orientation too
_MAX_XMP_SIZE = 1 << 16  # bytes; longer XMP is left out

_HEADER = Struct(">IIBBBBB")  # width, height, bits, colours, packing, filter, interlace
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the header's field `colours`
# The seven passes of an interlaced PNG: left, top, and the distances between pixels.
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_PIECE_SIZE = 1 << 16

_MAX_SAMPLES = {"1": 1, "L;2": 3, "L;4": 15}  # of grey with fewer than 8 bits


class _Rescaled(tuple[int, ...]):
    """A colour already reduced to 8 bits per channel, which must not be reduced again."""


def strip(data: bytes) -> bytes | None:
    """Return a PNG with only the chunks that affect the picture, or None."""
    if not data.startswith(_SIGNATURE):
        return None
    chunks_end = len(_SIGNATURE)
    runs = [(0, chunks_end)]  # adjacent chunks to copy; there may be very many chunks
    for chunk_type, start, end in read_chunks(data):
        chunks_end = end
        if not _affects_picture(data, chunk_type, start, end):
            continue
        first, last = runs[-1]
        if last == start:
            runs[-1] = first, end
        else:
            runs.append((start, end))
    if runs == [(0, chunks_end)]:
        return None
    view = memoryview(data)
    return b"".join([*(view[start:end] for start, end in runs), view[chunks_end:]])


def is_animated(data: bytes) -> bool:
    """Return whether a PNG declares before its pixels that it is an animation."""
    if not data.startswith(_SIGNATURE):
        return False
    names = (name for name, _, _ in read_chunks(data))
    return _ANIMATION_CHUNK in takewhile(lambda name: name != b"IDAT", names)


def mend(image: Image.Image) -> None:
    """Correct the transparent colour of an image before it is loaded.

    Pillow converts samples of other depths to 8 bits per channel, but not this colour.
    """
    if not isinstance(image, PngImagePlugin.PngImageFile) or not image.tile:
        return
    transparent, raw_mode = image.info.get("transparency"), image.tile[0].args
    if (
        raw_mode == "RGB;16B"
        and isinstance(transparent, tuple)
        and not isinstance(transparent, _Rescaled)
    ):
        image.info["transparency"] = _Rescaled(channel >> 8 for channel in transparent)
    elif (
        raw_mode in _MAX_SAMPLES
        and isinstance(transparent, int)
        and transparent <= _MAX_SAMPLES[raw_mode]
    ):
        image.info["transparency"] = transparent * 255 // _MAX_SAMPLES[raw_mode]


def has_more_frames(data: bytes) -> bool:
    """Return whether a PNG has more animation frames than it declares before its pixels."""
    declared, count, pixels_begun = 0, 0, False
    for chunk_type, start, _ in read_chunks(data):
        pixels_begun = pixels_begun or chunk_type == b"IDAT"
        if chunk_type == _ANIMATION_CHUNK and not pixels_begun:
            declared = int.from_bytes(data[start + 8 : start + 12], "big")
        count += chunk_type == _FRAME_CHUNK
    return count > declared


def lacks_rows(data: bytes, *, dark: bool) -> bool:
    """Return whether the compressed data of a PNG end before its last row.

    `dark`: the decoded last row is all zeros, as a missing row would be. An interlaced PNG is
    always checked, since its rows are not stored in order.
    """
    header, pieces = b"", []
    for chunk_type, start, end in read_chunks(data):
        if chunk_type == b"IHDR":
            header = data[start + 8 : end - 4]
        elif chunk_type == b"IDAT":
            pieces.append(memoryview(data)[start + 8 : end - 4])
    if len(header) != _HEADER.size:
        return False
    width, height, bits, colours, _, _, interlace = map(int, _HEADER.unpack(header))
    if not interlace and not dark:
        return False
    bits_per_pixel = bits * _CHANNELS.get(colours, 0)
    needed = sum(
        rows * (1 + (columns * bits_per_pixel + 7) // 8)
        for columns, rows in _list_passes(width, height, interlaced=bool(interlace))
        if columns
    )
    # The checksum of so many zeros, as of a black picture, saves unpacking them once more.
    if pieces and pieces[-1][-4:] == (needed % 65521 << 16 | 1).to_bytes(4, "big"):
        return False
    return _measure_unpacked(pieces, needed) < needed


def _list_passes(width: int, height: int, *, interlaced: bool) -> Iterator[tuple[int, int]]:
    if not interlaced:
        yield width, height
        return
    for left, top, x_step, y_step in _PASSES:
        yield -((left - width) // x_step), -((top - height) // y_step)


def _measure_unpacked(pieces: list[memoryview], limit: int) -> int:
    """Return the unpacked size of data, at most `limit`; `limit` if the data are broken."""
    decompressor, count = zlib.decompressobj(), 0
    try:
        for piece in pieces:
            unread: bytes | memoryview = piece
            while count < limit and not decompressor.eof:
                count += len(decompressor.decompress(unread, _PIECE_SIZE))
                unread = decompressor.unconsumed_tail
                if not unread:
                    break
    except zlib.error:
        return limit
    return count if decompressor.eof else limit


def is_damaged(data: bytes) -> bool:
    """Return whether a PNG's pixel chunks do not match their checksums."""
    return data.startswith(_SIGNATURE) and any(
        chunk_type in _PIXEL_CHUNKS and not _is_sound(data, start, end)
        for chunk_type, start, end in read_chunks(data)
    )


def _is_sound(data: bytes, start: int, end: int) -> bool:
    checked = memoryview(data)[start + 4 : end - 4]
    return data[end - 4 : end] == zlib.crc32(checked).to_bytes(4, "big")


def _affects_picture(data: bytes, name: bytes, start: int, end: int) -> bool:
    """Return whether a chunk affects the picture, as all critical chunks do."""
    if not name[0] & 0x20 or name in _ANIMATION_CHUNKS:
        return True
    is_xmp = end - start < _MAX_XMP_SIZE and data.startswith(_XMP_PREFIX, start + 4)
    return (name in _VISIBLE_CHUNKS or is_xmp) and _is_sound(data, start, end)


def read_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of each complete chunk."""
    offset = len(_SIGNATURE)
    while offset + 12 <= len(data) and (name := data[offset + 4 : offset + 8]).isalpha():
        end = offset + 12 + int.from_bytes(data[offset : offset + 4], "big")
        if end > len(data):
            return
        yield name, offset, end
        if name == b"IEND":
            return
        offset = end
