"""What a file's headers declare: sizes, lengths, numbers of frames.

Pillow decodes or allocates a few formats as soon as it opens them, so their sizes have to be known
before.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from screener.media.files import chunks
from screener.media.files.chunks import Chunk
from screener.media.image.structure import png, tiff

PNG = b"\x89PNG\r\n\x1a\n"
"""The first bytes of a PNG."""

_WEBP_FRAME = 16  # bytes before the picture of a frame of an animation
_WEBP_PICTURES = (b"VP8 ", b"VP8L", b"ALPH")
_MOST_BOXES = 100_000  # in one box, or in one file


def largest(data: bytes) -> tuple[int, int]:
    """Return width and height of the largest picture that opening `data` would create at once.

    Covers WebP (the canvas), ICO and CUR (decoded when opened) and ICNS (whose pictures may be
    larger than the icon declares); (0, 0) for every other format.
    """
    sizes: Iterator[tuple[int, int]]
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        sizes = iter([_webp(data)])
    elif data[4:8] == b"ftyp":
        return (0, 0)  # an ISO file, whose first length may equal an icon's signature
    elif data[:4] in (b"\0\0\1\0", b"\0\0\2\0"):
        sizes = _icons(data)
    elif data[:4] == b"icns":
        sizes = _icns(data)
    else:
        return (0, 0)
    return max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))


def big(data: bytes, at: int, size: int = 4) -> int:
    """Return the big-endian number at a place, of fewer bytes if the data end."""
    return int.from_bytes(data[at : at + size], "big")


def little(data: bytes | bytearray, at: int, size: int = 4) -> int:
    """Return the little-endian number at a place, of fewer bytes if the data end."""
    return int.from_bytes(data[at : at + size], "little")


def _webp(data: bytes) -> tuple[int, int]:
    chunk = data[12:16]
    if chunk == b"VP8X":
        return little(data, 24, 3) + 1, little(data, 27, 3) + 1
    if chunk == b"VP8L":
        bits = little(data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return little(data, 26, 2) & 0x3FFF, little(data, 28, 2) & 0x3FFF


def _icons(data: bytes) -> Iterator[tuple[int, int]]:
    for entry in range(min(little(data, 4, 2), (len(data) - 6) // 16)):
        start = little(data, 6 + 16 * entry + 12)
        if data.startswith(PNG, start):
            yield big(data, start + 16), big(data, start + 20)
        else:
            height = little(data, start + 8)
            yield little(data, start + 4), min(height, 2**32 - height) // 2


def _icns(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the sizes of an ICNS's PNGs and JPEG 2000s; older kinds have at most 128 pixels."""
    at = 8
    while at + 8 <= len(data):
        start, length = at + 8, big(data, at + 4)
        if data.startswith(PNG, start):
            yield big(data, start + 16), big(data, start + 20)
        elif data.startswith(b"\xff\x4f\xff\x51", start):
            yield big(data, start + 8), big(data, start + 12)
        elif (head := data.find(b"ihdr", start, start + 128)) >= 0:
            yield big(data, head + 8), big(data, head + 4)
        at += max(length, 8)


def cut_short(data: bytes) -> bool:
    """Return whether the headers point past the end of the file (RIFF, TIFF, ISO boxes)."""
    if data[:4] == b"RIFF":
        return little(data, 4) + 8 > len(data)
    if data[:2] in (b"II", b"MM"):
        return tiff.cut_short(data)
    if data[4:8] not in (b"ftyp", b"jP  "):
        return False
    return any(end > len(data) for _, _, end in chunks.boxes(data, 0, len(data)))


def webp_frames(data: bytes) -> int:
    """Return how many chunks of a WebP are frames of an animation, by name or by a picture in them.

    libwebp counts those that have both.
    """
    count = 0
    for name, at, end in _riff_chunks(data):
        holds = end - at > _WEBP_FRAME and data[at + 16 : at + 20] in _WEBP_PICTURES
        count += holds or name == b"ANMF"
    return count


def exif_blocks(data: bytes) -> Iterator[bytes]:
    """Yield every EXIF block of a JPEG, PNG or WebP, perhaps behind the letters `Exif`."""
    if data[:4] == b"RIFF":
        yield from (data[at:end] for name, at, end in _riff_chunks(data) if name == b"EXIF")
    elif data[:8] == PNG:
        for name, at, end in png.chunks(data):
            if name == b"eXIf":
                yield data[at + 8 : end - 4]
    elif data[:2] == b"\xff\xd8":
        for mark, at, end in jpeg_segments(data, 0):
            if mark == 0xE1 and data.startswith(b"Exif\0\0", at + 4):
                yield data[at + 4 : end]


def _riff_chunks(data: bytes) -> Iterator[Chunk]:
    return chunks.riff_chunks(data, 12, min(len(data), 8 + little(data, 4)))


def jpeg_segments(data: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Yield the marker of each segment of a JPEG up to the pixels, and where it begins and ends."""
    at = start + 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        bare = marker == 0x01 or 0xD0 <= marker <= 0xD9
        end = at + 2 if bare else at + 2 + max(big(data, at + 2, 2), 2)
        yield marker, at, end
        if marker in (0xD9, 0xDA):
            return
        at = end


def gif_frames(data: bytes, *, stop: int) -> int:
    """Return how many frames a GIF has, counted no further than `stop`; at least 1."""
    return max(gif_walked(data, 0, stop).frames, 1)


def ended_gif(data: bytes) -> bool:
    """Return whether a GIF has its trailer, without which further frames may be missing."""
    return gif_walked(data, 0, len(data)).end is not None


class GifWalk(NamedTuple):
    """The structure of a GIF: its frames, where it ends, and the first place where no block begins.

    `end` is None without a trailer, `stray` if every block is followed by a block or by zeros.
    """

    frames: int
    end: int | None
    stray: int | None


def gif_walked(data: bytes, start: int, stop: int) -> GifWalk:
    """Walk the GIF that begins at `start`, up to its frame number `stop`."""
    at, frames, stray = start + 13, 0, None
    if len(data) > start + 10 and data[start + 10] & 128:
        at += 3 << (data[start + 10] & 7) + 1
    while at < len(data) and frames < stop:
        block = data[at]
        if block == 0x2C:  # a picture: its header, perhaps a palette, then data blocks
            frames += 1
            if at + 9 >= len(data):
                break
            flags = data[at + 9]
            at += 11 + (3 << (flags & 7) + 1 if flags & 128 else 0)
            at = _after_blocks(data, at)
        elif block == 0x21:
            at = _after_blocks(data, at + 2)
        elif block == 0x3B:
            return GifWalk(frames, at + 1, stray)
        else:
            if block and stray is None:
                stray = at
            at += 1
    return GifWalk(frames, None, stray)


def _after_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


def boxes(data: bytes, at: int) -> Iterator[Chunk]:
    """Yield all boxes of the ISO file that begins at a place; none if none does."""
    if data[at + 4 : at + 8] == b"ftyp":
        yield from takewhile(_is_named, chunks.boxes(data, at, len(data), len(data)))


def boxes_within(data: bytes, at: int, end: int) -> Iterator[Chunk]:
    """Yield the first 100,000 boxes that begin between two places.

    Walking a file of nothing but boxes takes a second.
    """
    return takewhile(_is_named, chunks.boxes(data, at, end, _MOST_BOXES))


def _is_named(box: Chunk) -> bool:
    return box[0].isascii() and box[0].decode("ascii").isprintable()
