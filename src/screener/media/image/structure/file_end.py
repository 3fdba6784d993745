"""Find the end of a file, after which another may be hidden."""

from __future__ import annotations

import screener._core as _core
from screener.media.files.sniff import MATROSKA
from screener.media.image.structure.headers import (
    PNG,
    read_be,
    read_file_boxes,
    read_jpeg_segments,
    read_le,
    walk_gif,
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
"""Signatures of files that may be appended, and the number of bytes before each."""

_BOX_HEADER_SIZE = 8  # bytes


def find_end(data: bytes, start: int) -> int | None:
    """Return the end of the file at `start`, or of `data` if it is cut.

    Return None for formats other than JPEG, PNG, GIF, WebP, BMP, HEIF, AVIF, MP4 and AVI, whose end
    is unknown.
    """
    head = data[start : start + 12]
    if head[:3] == b"\xff\xd8\xff":
        return _find_jpeg_end(data, start)
    if head[:8] == PNG:
        return _walk_png(data, start)[1] or len(data)
    if head[:4] == b"GIF8":
        return walk_gif(data, start, len(data)).end or len(data)
    if head[:4] == b"RIFF":
        return min(start + 8 + read_le(data, start + 4), len(data))
    if head[:2] == b"BM":
        return min(start + max(read_le(data, start + 2), 14), len(data))
    if head[4:8] == b"ftyp":
        return _find_boxes_end(data, start)
    return None


def _find_jpeg_end(data: bytes, start: int) -> int:
    offset = start + 2
    for marker, _, offset in read_jpeg_segments(data, start):
        if marker == 0xD9:
            return offset
    # Pixel data contain neither an end marker nor the start of a JPEG. If a start precedes the end
    # marker, this JPEG was cut, and the end marker belongs to the next one.
    stop = find_after_end_marker(data, offset)
    while 0 <= (offset := _core.find_pair(data, 0xFF, 0xD8, offset)) < stop:
        if data[offset + 2 : offset + 3] == b"\xff":
            return offset
        offset += 1
    return stop


def find_after_end_marker(data: bytes, offset: int) -> int:
    """Return the offset after a JPEG's next end marker, or the data's end.

    `bytes.find` would take many times as long, since pixel data contain many first halves of the
    marker.
    """
    marker = _core.find_pair(data, 0xFF, 0xD9, offset)
    return len(data) if marker < 0 else marker + 2


def find_trailing_start(data: bytes, start: int) -> int | None:
    """Return the first offset at which another file may follow the one at `start`.

    That is the file's end, with two exceptions. In a cut PNG it is the start of the last chunk,
    whose declared length may span the other file. In a GIF it is the first byte that belongs to no
    block, since the trailer may come far later. Return None if the format has no known end.
    """
    if data.startswith(PNG, start):
        last, after = _walk_png(data, start)
        return last if after is None else after
    if data.startswith(b"GIF8", start) and (stray := walk_gif(data, start, len(data)).stray):
        return stray
    return find_end(data, start)


def _walk_png(data: bytes, start: int) -> tuple[int, int | None]:
    """Return the start of a PNG's last chunk, and its end (None if cut)."""
    last_chunk = offset = start + len(PNG)
    while offset + 12 <= len(data) and (name := data[offset + 4 : offset + 8]).isalpha():
        last_chunk, offset = offset, offset + 12 + read_be(data, offset)
        if name == b"IEND":
            return last_chunk, min(offset, len(data))
    return min(last_chunk, len(data)), None


def _find_boxes_end(data: bytes, start: int) -> int:
    offset = start
    for _, _, after in read_file_boxes(data, start):
        if offset > start and is_file_start(data[offset : offset + 2 * _BOX_HEADER_SIZE]):
            return offset
        offset = after
    return min(offset, len(data))


def is_file_start(head: bytes) -> bool:
    """Return whether a supposed box's first 16 bytes start a file instead."""
    starts = (head.find(signature, before) - before for signature, before in SIGNATURES)
    return any(0 <= start < _BOX_HEADER_SIZE for start in starts)


def end_jpeg(data: bytes) -> bytes:
    """Return a cut JPEG with an end marker and without an incomplete last segment."""
    offset = len(data)
    while (offset := data.rfind(b"\xff", 0, offset)) > 0:
        marker = data[offset + 1] if offset + 1 < len(data) else 0
        if marker in (0x00, 0xFF) or 0xD0 <= marker <= 0xD7:
            continue  # stuffing, padding and restarts belong to pixel data
        if offset + 4 > len(data) or offset + 2 + read_be(data, offset + 2, 2) > len(data):
            data = data[:offset]
        break
    return data + b"\xff\xd9"
