"""The chunks of PNGs: those for which Pillow may refuse a file, and those of its pixels.

Pillow fails at a text whose name it reserves or that is too long, and at a profile that is too long
or has a wrong checksum, where every viewer shows the picture. In an animation such a text may
change a frame.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import takewhile
from struct import Struct

from PIL import Image, PngImagePlugin

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ANIMATION = b"acTL"
_FRAME = b"fcTL"
_FRAMES = (_ANIMATION, _FRAME, b"fdAT")
_PIXELS = (b"IDAT", b"fdAT")
_SHOWN = (b"tRNS", b"eXIf")  # transparency and orientation
_XMP = b"iTXtXML:com.adobe.xmp\0\0"  # not compressed; it may state the orientation too
_LONG = 1 << 16  # bytes of XMP that Pillow gets to read

_HEADER = Struct(">IIBBBBB")  # width, height, bits, colours, packing, filter, interlace
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the colours
# Left and top of the seven passes of an interlaced PNG, and the steps between their pixels.
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

_MOST = {"1": 1, "L;2": 3, "L;4": 15}  # the greatest grey sample of fewer than 8 bits


class _Mended(tuple[int, ...]):
    """A colour in 8 bits a channel, which must not be reduced again."""


def bare(data: bytes) -> bytes | None:
    """Return a PNG with only the chunks that make its pixels and turn them; None if it has no
    other.
    """
    if not data.startswith(_SIGNATURE):
        return None
    complete = len(_SIGNATURE)
    runs = [(0, complete)]  # runs of chunks to copy; single chunks may be very many
    for name, start, end in chunks(data):
        complete = end
        if not _counts(data, name, start, end):
            continue
        first, last = runs[-1]
        if last == start:
            runs[-1] = first, end
        else:
            runs.append((start, end))
    if runs == [(0, complete)]:
        return None
    view = memoryview(data)
    return b"".join([*(view[start:end] for start, end in runs), view[complete:]])


def is_animated(data: bytes) -> bool:
    """Return whether a PNG declares before its pixels that it is an animation."""
    if not data.startswith(_SIGNATURE):
        return False
    names = (name for name, _, _ in chunks(data))
    return _ANIMATION in takewhile(lambda name: name != b"IDAT", names)


def mend(image: Image.Image) -> None:
    """Correct the transparent colour of an image that is not loaded yet.

    Pillow reads samples of other depths in 8 bits a channel, but leaves this colour as stored.
    """
    if not isinstance(image, PngImagePlugin.PngImageFile) or not image.tile:
        return
    clear, raw = image.info.get("transparency"), image.tile[0].args
    if raw == "RGB;16B" and isinstance(clear, tuple) and not isinstance(clear, _Mended):
        image.info["transparency"] = _Mended(channel >> 8 for channel in clear)
    elif raw in _MOST and isinstance(clear, int) and clear <= _MOST[raw]:
        image.info["transparency"] = clear * 255 // _MOST[raw]


def has_more_frames(data: bytes) -> bool:
    """Return whether a PNG has more frames of an animation than it declares before its pixels."""
    declared, found, pixels = 0, 0, False
    for name, start, _ in chunks(data):
        pixels = pixels or name == b"IDAT"
        if name == _ANIMATION and not pixels:
            declared = int.from_bytes(data[start + 8 : start + 12], "big")
        found += name == _FRAME
    return found > declared


def ends_early(data: bytes, *, dark: bool) -> bool:
    """Return whether the compressed data of a PNG end before its last row.

    `dark`: the decoded last row is all zeros, as a missing one is. Rows of an interlaced PNG do not
    come in order, so it is always checked.
    """
    head, pieces = b"", []
    for name, start, end in chunks(data):
        if name == b"IHDR":
            head = data[start + 8 : end - 4]
        elif name == b"IDAT":
            pieces.append(memoryview(data)[start + 8 : end - 4])
    if len(head) != _HEADER.size:
        return False
    width, height, bits, colours, _, _, interlace = map(int, _HEADER.unpack(head))
    if not interlace and not dark:
        return False
    deep = bits * _CHANNELS.get(colours, 0)
    needed = sum(
        down * (1 + (across * deep + 7) // 8)
        for across, down in _sides(width, height, interlaced=bool(interlace))
        if across
    )
    return _unpacked_size(pieces, needed) < needed


def _sides(width: int, height: int, *, interlaced: bool) -> Iterator[tuple[int, int]]:
    if not interlaced:
        yield width, height
        return
    for left, top, right, down in _PASSES:
        yield -((left - width) // right), -((top - height) // down)


def _unpacked_size(pieces: list[memoryview], enough: int) -> int:
    """Return how many bytes data unpack to, counted up to `enough`; `enough` if they are broken."""
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


def is_damaged(data: bytes) -> bool:
    """Return whether the data of a PNG's pixels do not match their checksums."""
    return data.startswith(_SIGNATURE) and any(
        name in _PIXELS and not _is_sound(data, start, end) for name, start, end in chunks(data)
    )


def _is_sound(data: bytes, start: int, end: int) -> bool:
    summed = memoryview(data)[start + 4 : end - 4]
    return data[end - 4 : end] == zlib.crc32(summed).to_bytes(4, "big")


def _counts(data: bytes, name: bytes, start: int, end: int) -> bool:
    """Return whether a chunk concerns the picture, as all do that a decoder must not ignore."""
    if not name[0] & 0x20 or name in _FRAMES:
        return True
    shown = name in _SHOWN or (end - start < _LONG and data.startswith(_XMP, start + 4))
    return shown and _is_sound(data, start, end)


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each complete chunk, and where it begins and ends."""
    at = len(_SIGNATURE)
    while at + 12 <= len(data) and (name := data[at + 4 : at + 8]).isalpha():
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            return
        yield name, at, end
        if name == b"IEND":
            return
        at = end
