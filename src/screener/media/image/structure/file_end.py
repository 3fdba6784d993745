"""Where the file of a picture or a video ends, so that another may stand behind it."""

from __future__ import annotations

import screener._core as _core
from screener.media.files.sniff import MATROSKA
from screener.media.image.structure.headers import (
    PNG,
    big,
    boxes,
    gif_walked,
    jpeg_segments,
    little,
)

SIGNATURES = (
    (b"\xff\xd8\xff", 0),
    (PNG, 0),
    (b"GIF8", 0),
    (b"ftyp", 4),
    (MATROSKA, 0),
    (b"RIFF", 0),
    (b"FLV\x01", 0),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 0),  # ASF
    (b"OggS", 0),
)
"""The signatures of files that may be appended, and how many bytes stand before each."""

_BOX = 8  # bytes of a box's length and name


def end(data: bytes, start: int) -> int | None:
    """Return where the file at `start` ends, or the length of `data` if its end is missing.

    Return None if its format has no known end, as all but JPEG, PNG, GIF, WebP, BMP, HEIF, AVIF,
    MP4 and AVI.
    """
    head = data[start : start + 12]
    if head[:3] == b"\xff\xd8\xff":
        return _jpeg_end(data, start)
    if head[:8] == PNG:
        return _png_walked(data, start)[1] or len(data)
    if head[:4] == b"GIF8":
        return gif_walked(data, start, len(data)).end or len(data)
    if head[:4] == b"RIFF":
        return min(start + 8 + little(data, start + 4), len(data))
    if head[:2] == b"BM":
        return min(start + max(little(data, start + 2), 14), len(data))
    if head[4:8] == b"ftyp":
        return _boxes_end(data, start)
    return None


def _jpeg_end(data: bytes, start: int) -> int:
    at = start + 2
    for mark, _, at in jpeg_segments(data, start):
        if mark == 0xD9:
            return at
    # Pixel data contain neither an end marker nor the beginning of a JPEG. If the latter comes
    # first, this one was cut, and the end marker is the next one's.
    end = after_end_mark(data, at)
    while 0 <= (at := _core.find_pair(data, 0xFF, 0xD8, at)) < end:
        if data[at + 2 : at + 3] == b"\xff":
            return at
        at += 1
    return end


def after_end_mark(data: bytes, at: int) -> int:
    """Return the place behind the next end marker of a JPEG, or the end of the data.

    `bytes.find` would take many times as long, since half of the marker stands everywhere in pixel
    data.
    """
    place = _core.find_pair(data, 0xFF, 0xD9, at)
    return len(data) if place < 0 else place + 2


def behind(data: bytes, start: int) -> int | None:
    """Return from where on a file may stand behind the one that begins at `start`.

    That is its end. For a cut PNG it is the last chunk, whose length may reach over such a file;
    for a GIF the first byte that belongs to no block, since its trailer may come far later. None if
    the format has no known end.
    """
    if data.startswith(PNG, start):
        last, after = _png_walked(data, start)
        return last if after is None else after
    if data.startswith(b"GIF8", start) and (stray := gif_walked(data, start, len(data)).stray):
        return stray
    return end(data, start)


def _png_walked(data: bytes, start: int) -> tuple[int, int | None]:
    """Return where a PNG's last chunk begins and where the PNG ends, None if that is missing."""
    last = at = start + len(PNG)
    while at + 12 <= len(data) and (name := data[at + 4 : at + 8]).isalpha():
        last, at = at, at + 12 + big(data, at)
        if name == b"IEND":
            return last, min(at, len(data))
    return min(last, len(data)), None


def _boxes_end(data: bytes, start: int) -> int:
    at = start
    for _, _, after in boxes(data, start):
        if at > start and begins_in_box(data[at : at + 2 * _BOX]):
            return at
        at = after
    return min(at, len(data))


def begins_in_box(head: bytes) -> bool:
    """Return whether a supposed box, by its first 16 bytes, is rather the beginning of a file."""
    places = (head.find(sign, before) - before for sign, before in SIGNATURES)
    return any(0 <= place < _BOX for place in places)


def ended_jpeg(data: bytes) -> bytes:
    """Return a cut JPEG with an end marker, without the header segment that it was cut in."""
    at = len(data)
    while (at := data.rfind(b"\xff", 0, at)) > 0:
        marker = data[at + 1] if at + 1 < len(data) else 0
        if marker in (0x00, 0xFF) or 0xD0 <= marker <= 0xD7:
            continue  # stuffing, padding and restarts are part of pixel data
        if at + 4 > len(data) or at + 2 + big(data, at + 2, 2) > len(data):
            data = data[:at]
        break
    return data + b"\xff\xd9"
