"""PNGs without the chunks that tell nothing of what they show, for which Pillow may refuse a file.

A text of a name that Pillow keeps for itself, one that is too long, or a profile that is, or that
has another checksum, makes Pillow fail where every viewer shows the picture; and in an animation
such a name may change what Pillow makes of a frame. Nothing here raises on broken input.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from zlib import crc32

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ANIMATION = b"acTL"
_FRAMES = (_ANIMATION, b"fcTL", b"fdAT")
_PIXELS = (b"IDAT", b"fdAT")
_TOLD = (b"tRNS", b"eXIf")  # what is clear, and which way round the picture is
_XMP = b"iTXtXML:com.adobe.xmp\0\0"  # that says which way round as well, not compressed
_LONG = 1 << 16  # bytes of XMP: Pillow is made to read no more


def bare(data: bytes) -> bytes | None:
    """A PNG with the chunks that make its pixels and turn them; None where it has no others."""
    if not data.startswith(_SIGNATURE):
        return None
    whole = len(_SIGNATURE)
    runs = [(0, whole)]  # of chunks that are kept, which are many where each is short
    for start, end in _chunks(data):
        whole = end
        if not _counts(data, start, end):
            continue
        first, last = runs[-1]
        if last == start:
            runs[-1] = first, end
        else:
            runs.append((start, end))
    if runs == [(0, whole)]:
        return None
    view = memoryview(data)
    return b"".join([*(view[start:end] for start, end in runs), view[whole:]])


def is_animated(data: bytes) -> bool:
    """Whether a PNG says before its pixels that it is an animation."""
    if not data.startswith(_SIGNATURE):
        return False
    names = (data[start + 4 : start + 8] for start, _ in _chunks(data))
    return _ANIMATION in takewhile(lambda name: name != b"IDAT", names)


def is_damaged(data: bytes) -> bool:
    """Whether the data of a PNG's pixels are not those that its checksums are of."""
    view = memoryview(data)
    return data.startswith(_SIGNATURE) and any(
        data[start + 4 : start + 8] in _PIXELS
        and data[end - 4 : end] != crc32(view[start + 4 : end - 4]).to_bytes(4, "big")
        for start, end in _chunks(data)
    )


def _counts(data: bytes, start: int, end: int) -> bool:
    """Whether a chunk has to do with the picture: all do that a decoder may not pass over."""
    name = data[start + 4 : start + 8]
    if not name[0] & 0x20 or name in _FRAMES:
        return True
    told = name in _TOLD or (end - start < _LONG and data.startswith(_XMP, start + 4))
    return told and data[end - 4 : end] == crc32(data[start + 4 : end - 4]).to_bytes(4, "big")


def _chunks(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each chunk begins and ends that is there to its end."""
    at = len(_SIGNATURE)
    while at + 12 <= len(data) and data[at + 4 : at + 8].isalpha():
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            return
        yield at, end
        if data[at + 4 : at + 8] == b"IEND":
            return
        at = end
