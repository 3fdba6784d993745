"""Find where a file ends, since another file may be hidden after it."""

from __future__ import annotations

import re

import screener._core as _core
from screener.media.files.sniff import MATROSKA_SIGNATURE
from screener.media.image.structure.headers import (
    PNG_SIGNATURE,
    read_be,
    read_file_boxes,
    read_jpeg_segments,
    read_le,
    walk_gif,
)

SIGNATURES = tuple(
    (re.compile(signature, re.DOTALL), before)
    for signature, before in (
        (rb"\xff\xd8\xff", 0),
        (re.escape(PNG_SIGNATURE), 0),
        (rb"GIF8", 0),
        (rb"ftyp", 4),
        (re.escape(MATROSKA_SIGNATURE), 0),
        (rb"RIFF", 0),
        (rb"FLV\x01", 0),
        (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 0),  # ASF
        (rb"OggS", 0),
        (rb"\0\0\0\x0cjP  \r\n\x87\n", 0),
        (rb"II\*\0", 0),
        (rb"MM\0\*", 0),
        (rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", 0),  # and its second header's size
    )
)
"""Signatures of files that may be appended, and the number of bytes before each."""

_STARTS = (*SIGNATURES, (re.compile(rb"1AY&SY"), 4))  # bzip2, whose start is a box's header too
_BOX_HEADER_SIZE = 8  # bytes
_PNM_GAP = rb"(?:\s|#[^\n]*\n)+"
_PNM_HEADER = re.compile(
    rb"P([456])" + 2 * (_PNM_GAP + rb"(\d{1,9})") + rb"(?:" + _PNM_GAP + rb"(\d{1,5}))?\s"
)


def find_end(data: bytes, start: int) -> int | None:
    """Return the end of the file at `start`, or the end of `data` if the file is truncated.

    Return None for formats other than JPEG, PNG, GIF, WebP, BMP, binary PNM, HEIF, AVIF, MP4 and
    AVI, whose end is unknown.
    """
    head = data[start : start + 12]
    if head[:3] == b"\xff\xd8\xff":
        return _find_jpeg_end(data, start)
    if head[:8] == PNG_SIGNATURE:
        return _find_png_end(data, start)[1] or len(data)
    if head[:4] == b"GIF8":
        return walk_gif(data, start, len(data)).end or len(data)
    if head[:4] == b"RIFF":
        return min(start + 8 + read_le(data, start + 4), len(data))
    if head[:2] == b"BM":
        return min(start + max(read_le(data, start + 2), 14), len(data))
    if head[4:8] == b"ftyp":
        return _find_boxes_end(data, start)
    if pnm := _PNM_HEADER.match(data, start):
        return min(_find_pnm_end(pnm), len(data))
    return None


def _find_pnm_end(header: re.Match[bytes]) -> int:
    kind, width, height = map(int, header.groups()[:3])
    if kind == 4:  # one bit per pixel, and no largest value
        return header.end(3) + 1 + (width + 7) // 8 * height
    size = 2 if int(header[4] or 0) > 255 else 1
    return header.end() + width * height * size * (3 if kind == 6 else 1)


def has_several_pnm(data: bytes) -> bool:
    """Return whether another picture follows the first of a PNM file."""
    if (end := find_end(data, 0)) is None:
        return re.search(rb"\nP[1-6]\s", data) is not None  # plain text
    return re.match(rb"\s*P[1-7]\s", data[end : end + 64]) is not None


def _find_jpeg_end(data: bytes, start: int) -> int:
    offset = start + 2
    for marker, _, segment_end in read_jpeg_segments(data, start):
        if marker == 0xD9:
            return segment_end
        offset = segment_end
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

    `bytes.find` would take many times as long, since pixel data contain many 0xFF bytes, the first
    of the marker.
    """
    marker = _core.find_pair(data, 0xFF, 0xD9, offset)
    return len(data) if marker < 0 else marker + 2


def find_trailing_start(data: bytes, start: int) -> int | None:
    """Return the first offset at which another file may follow the one at `start`.

    That is the file's end, with two exceptions. In a truncated PNG it is the start of the last
    chunk, because that chunk's length may include the other file. In a GIF it is the first byte
    outside any block, if there is one, since a trailer byte may only be found far behind it. Return
    None if the format has no known end.
    """
    if data.startswith(PNG_SIGNATURE, start):
        last, after = _find_png_end(data, start)
        return last if after is None else after
    if data.startswith(b"GIF8", start) and (stray := walk_gif(data, start, len(data)).stray):
        return stray
    return find_end(data, start)


def _find_png_end(data: bytes, start: int) -> tuple[int, int | None]:
    """Return the start of a PNG's last chunk, and its end (None if truncated)."""
    last_chunk = offset = start + len(PNG_SIGNATURE)
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
    """Return whether the first 16 bytes of what looks like a box are the start of another file."""
    found = ((signature.search(head, before), before) for signature, before in _STARTS)
    return any(one and one.start() - before < _BOX_HEADER_SIZE for one, before in found)
