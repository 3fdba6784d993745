"""Read a file's headers: sizes, lengths, numbers of frames.

Pillow decodes or allocates a few formats as soon as it opens them, so their sizes must be known
before.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from screener.media.files import chunks
from screener.media.files.chunks import Chunk
from screener.media.image.structure import png, tiff

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""The first bytes of a PNG."""

_WEBP_FRAME_HEADER_SIZE = 16  # bytes of an animation's frame before its picture
_WEBP_PICTURE_CHUNKS = (b"VP8 ", b"VP8L", b"ALPH")
_MAX_BOXES = 100_000  # per parent box or file


def find_largest_size(data: bytes) -> tuple[int, int]:
    """Return width and height of the largest picture that opening `data` would create.

    WebP creates its canvas, ICO and CUR are decoded when opened, and an ICNS may contain pictures
    larger than it declares. Return (0, 0) for every other format.
    """
    sizes: Iterator[tuple[int, int]]
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        sizes = iter([_read_webp_size(data)])
    elif data[4:8] == b"ftyp":
        return (0, 0)  # an ISO file, whose first length may equal an icon's signature
    elif data[:4] in (b"\0\0\1\0", b"\0\0\2\0"):
        sizes = _read_icon_sizes(data)
    elif data[:4] == b"icns":
        sizes = _read_icns_sizes(data)
    else:
        return (0, 0)
    return max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))


def read_be(data: bytes, offset: int, size: int = 4) -> int:
    """Return the big-endian number at `offset`, from fewer bytes at the end of the data."""
    return int.from_bytes(data[offset : offset + size], "big")


def read_le(data: bytes | bytearray, offset: int, size: int = 4) -> int:
    """Return the little-endian number at `offset`, from fewer bytes at the end of the data."""
    return int.from_bytes(data[offset : offset + size], "little")


def _read_webp_size(data: bytes) -> tuple[int, int]:
    chunk = data[12:16]
    if chunk == b"VP8X":
        return read_le(data, 24, 3) + 1, read_le(data, 27, 3) + 1
    if chunk == b"VP8L":
        bits = read_le(data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return read_le(data, 26, 2) & 0x3FFF, read_le(data, 28, 2) & 0x3FFF


def _read_icon_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    for entry in range(min(read_le(data, 4, 2), (len(data) - 6) // 16)):
        start = read_le(data, 6 + 16 * entry + 12)
        if data.startswith(PNG_SIGNATURE, start):
            yield read_be(data, start + 16), read_be(data, start + 20)
        else:
            height = read_le(data, start + 8)
            yield read_le(data, start + 4), min(height, 2**32 - height) // 2


def _read_icns_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the sizes of an ICNS's PNGs and JPEG 2000s; others are small."""
    offset = 8
    while offset + 8 <= len(data):
        start, length = offset + 8, read_be(data, offset + 4)
        if data.startswith(PNG_SIGNATURE, start):
            yield read_be(data, start + 16), read_be(data, start + 20)
        elif data.startswith(b"\xff\x4f\xff\x51", start):
            yield read_be(data, start + 8), read_be(data, start + 12)
        elif (header := data.find(b"ihdr", start, start + 128)) >= 0:
            yield read_be(data, header + 8), read_be(data, header + 4)
        offset += max(length, 8)


def is_cut_short(data: bytes) -> bool:
    """Return whether the headers point past the end of the file (RIFF, TIFF, ISO boxes)."""
    if data[:4] == b"RIFF":
        return read_le(data, 4) + 8 > len(data)
    if data[:2] in (b"II", b"MM"):
        return tiff.is_cut_short(data)
    if data[4:8] not in (b"ftyp", b"jP  "):
        return False
    return any(end > len(data) for _, _, end in chunks.read_boxes(data, 0, len(data)))


def count_webp_frames(data: bytes) -> int:
    """Return the number of a WebP's chunks that may be frames.

    libwebp requires both of a frame.
    """
    count = 0
    for chunk_type, offset, end in _read_webp_chunks(data):
        is_long = end - offset > _WEBP_FRAME_HEADER_SIZE
        has_picture = is_long and data[offset + 16 : offset + 20] in _WEBP_PICTURE_CHUNKS
        count += has_picture or chunk_type == b"ANMF"
    return count


def find_exif_blocks(data: bytes) -> Iterator[bytes]:
    """Yield every EXIF block of a JPEG, PNG or WebP, with its prefix `Exif`."""
    if data[:4] == b"RIFF":
        for chunk_type, offset, end in _read_webp_chunks(data):
            if chunk_type == b"EXIF":
                yield data[offset:end]
    elif data[:8] == PNG_SIGNATURE:
        for chunk_type, offset, end in png.read_chunks(data):
            if chunk_type == b"eXIf":
                yield data[offset + 8 : end - 4]
    elif data[:2] == b"\xff\xd8":
        for marker, offset, end in read_jpeg_segments(data, 0):
            if marker == 0xE1 and data.startswith(b"Exif\0\0", offset + 4):
                yield data[offset + 4 : end]


def _read_webp_chunks(data: bytes) -> Iterator[Chunk]:
    return chunks.read_riff_chunks(data, 12, min(len(data), 8 + read_le(data, 4)))


def read_jpeg_segments(data: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment of a JPEG, up to the pixels."""
    offset = start + 2
    while offset + 4 <= len(data) and data[offset] == 0xFF:
        marker = data[offset + 1]
        if marker == 0xFF:  # padding
            offset += 1
            continue
        has_no_length = marker == 0x01 or 0xD0 <= marker <= 0xD9
        end = offset + 2 if has_no_length else offset + 2 + max(read_be(data, offset + 2, 2), 2)
        yield marker, offset, end
        if marker in (0xD9, 0xDA):
            return
        offset = end


def count_gif_frames(data: bytes, *, stop: int) -> int:
    """Return the number of a GIF's frames, from 1 to `stop`."""
    return max(walk_gif(data, 0, stop).frames, 1)


def is_gif_complete(data: bytes) -> bool:
    """Return whether a GIF has its trailer; without it, frames may be missing."""
    return walk_gif(data, 0, len(data)).end is not None


class GifStructure(NamedTuple):
    """The structure of a GIF.

    `end` is None if the trailer is missing. `stray` is the first offset at which no block begins,
    or None if every block is followed by a block or by zeros.
    """

    frames: int
    end: int | None
    stray: int | None


def walk_gif(data: bytes, start: int, stop: int) -> GifStructure:
    """Return the structure of the GIF at `start`, up to its frame number `stop`."""
    offset, frames, stray = start + 13, 0, None
    if len(data) > start + 10 and data[start + 10] & 128:
        offset += 3 << (data[start + 10] & 7) + 1
    while offset < len(data) and frames < stop:
        block = data[offset]
        if block == 0x2C:  # a picture: a header, an optional palette, data blocks
            frames += 1
            if offset + 9 >= len(data):
                break
            flags = data[offset + 9]
            offset += 11 + (3 << (flags & 7) + 1 if flags & 128 else 0)
            offset = _skip_blocks(data, offset)
        elif block == 0x21:
            offset = _skip_blocks(data, offset + 2)
        elif block == 0x3B:
            return GifStructure(frames, offset + 1, stray)
        else:
            if block and stray is None:
                stray = offset
            offset += 1
    return GifStructure(frames, None, stray)


def _skip_blocks(data: bytes, offset: int) -> int:
    while offset < len(data) and data[offset]:
        offset += data[offset] + 1
    return offset + 1


def read_file_boxes(data: bytes, offset: int) -> Iterator[Chunk]:
    """Yield all boxes of an ISO file that begins at `offset`; none for other formats."""
    if data[offset + 4 : offset + 8] == b"ftyp":
        yield from takewhile(_is_named, chunks.read_boxes(data, offset, len(data), len(data)))


def read_boxes_between(data: bytes, offset: int, end: int) -> Iterator[Chunk]:
    """Yield the first 100,000 boxes that begin between `offset` and `end`.

    A file may consist of tiny boxes; this many take a second.
    """
    return takewhile(_is_named, chunks.read_boxes(data, offset, end, _MAX_BOXES))


def _is_named(box: Chunk) -> bool:
    return box[0].isascii() and box[0].decode("ascii").isprintable()
