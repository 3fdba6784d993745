"""Split an icon file (ICO, CUR, ICNS) into its pictures, each as a file.

Pillow shows the largest by declared size. Systems show the one that fits, and the pictures may
differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from screener.media.files.sniff import sniff
from screener.media.image.structure.headers import read_be, read_le

_MIN_SIDE = 64  # pixels; smaller pictures have too little detail to be compared
_ICO_HEADER = b"\0\0\1\0\1\0"  # of an ICO with one picture
_ENTRY_SIZE = 16
_FILE_TYPES = ("image/png", "image/jp2")  # pictures that an icon file contains as files
_IT32_NAME, _IT32_SIZE = b"it32", (128, 128)  # the largest picture of an ICNS that is not a file
_MAX_ENTRIES = 1 << 12


class _IconPicture(NamedTuple):
    start: int
    end: int
    size: tuple[int, int]
    headless: bool


def find_pictures(data: bytes, shown_size: tuple[int, int]) -> Iterator[bytes]:
    """Yield the pictures of an icon file whose sides have at least 64 pixels.

    The picture that Pillow shows is left out if it is the only one of its size. Yields nothing for
    other formats.
    """
    found_pictures: list[_IconPicture] = []
    if data[:4] in (b"\0\0\1\0", b"\0\0\2\0"):
        found_pictures = list(_read_ico(data))
    elif data[:4] == b"icns":
        found_pictures = list(_read_icns(data))
    is_only_one = [picture.size for picture in found_pictures].count(shown_size) == 1
    for start, end, size, headless in found_pictures:
        if min(size) >= _MIN_SIDE and not (is_only_one and size == shown_size):
            yield _as_file(data[start:end]) if headless else data[start:end]


def with_true_depths(data: bytes) -> bytes:
    """Return an ICO or CUR as an ICO with each bitmap's true depth, for Pillow.

    A CUR's entries have the hot spot instead, and some programs write other values.
    """
    entries = bytearray(data[6 : 6 + _ENTRY_SIZE * _count_entries(data)])
    for entry in range(0, len(entries), _ENTRY_SIZE):
        start = read_le(entries, entry + 12)
        is_file = sniff(data[start : start + 12]) in _FILE_TYPES
        entries[entry + 6 : entry + 8] = (
            b"\x20\0" if is_file else data[start + 14 : start + 16].ljust(2, b"\0")
        )
    return _ICO_HEADER[:4] + data[4:6] + entries + data[6 + len(entries) :]


def _read_ico(data: bytes) -> Iterator[_IconPicture]:
    seen: set[tuple[int, int]] = set()  # entries may refer to the same data
    for number in range(_count_entries(data)):
        entry = 6 + _ENTRY_SIZE * number
        byte_count, start = read_le(data, entry + 8), read_le(data, entry + 12)
        if (start, byte_count) in seen or not byte_count or start >= len(data):
            continue
        seen.add((start, byte_count))
        mime = sniff(data[start : start + 12])
        is_file = mime in _FILE_TYPES
        size = _read_file_size(data, start, mime) if is_file else _read_bitmap_size(data, start)
        yield _IconPicture(start, start + byte_count, size, headless=not is_file)


def _count_entries(data: bytes) -> int:
    possible = max((len(data) - 6) // _ENTRY_SIZE, 0)
    return min(int.from_bytes(data[4:6], "little"), possible, _MAX_ENTRIES)


def _read_icns(data: bytes) -> Iterator[_IconPicture]:
    offset = 8
    for _ in range(_MAX_ENTRIES):
        if offset + 8 > len(data):
            break
        after = offset + max(read_be(data, offset + 4), 8)
        mime = sniff(data[offset + 8 : offset + 20])
        if mime in _FILE_TYPES:
            size = _read_file_size(data, offset + 8, mime)
            yield _IconPicture(offset + 8, after, size, headless=False)
        elif data.startswith(_IT32_NAME, offset):
            yield _IconPicture(offset, after, _IT32_SIZE, headless=True)
        offset = after


def _read_file_size(data: bytes, offset: int, mime: str | None) -> tuple[int, int]:
    if mime == "image/png":
        return read_be(data, offset + 16), read_be(data, offset + 20)
    if data.startswith(b"\xff\x4f", offset):
        return read_be(data, offset + 8), read_be(data, offset + 12)
    header = data.find(b"ihdr", offset, offset + 128)
    return (
        (_MIN_SIDE, _MIN_SIDE)
        if header < 0
        else (read_be(data, header + 8), read_be(data, header + 4))
    )


def _read_bitmap_size(data: bytes, offset: int) -> tuple[int, int]:
    """Return a bitmap's size; its header counts the rows of picture and mask."""
    return read_le(data, offset + 4), read_le(data, offset + 8) // 2


def _as_file(picture: bytes) -> bytes:
    if picture.startswith(_IT32_NAME):
        return b"icns" + (8 + len(picture)).to_bytes(4, "big") + picture
    entry = bytes(side if side < 256 else 0 for side in _read_bitmap_size(picture, 0))
    entry += bytes(2) + picture[12:16] + len(picture).to_bytes(4, "little")
    return _ICO_HEADER + entry + (len(_ICO_HEADER) + _ENTRY_SIZE).to_bytes(4, "little") + picture
