"""The pictures of an icon file (ICO, CUR, ICNS), each as a file of its own.

Pillow shows the largest, by what the file says of their sizes; systems show the one that fits, and
every one may be another picture. Nothing here raises on broken input.
"""

from __future__ import annotations

from collections.abc import Iterator

from screener.media.sniff import sniff

_LEAST = 64  # pixels of a side: smaller ones show the same, and too little to be compared
_ICON, _ENTRY = b"\0\0\1\0\1\0", 16  # what an ICO of one picture begins with; bytes of an entry
_WHOLE = ("image/png", "image/jp2")  # what stands in an icon file as a file of its own


def pictures(data: bytes) -> Iterator[bytes]:
    """The pictures of at least 64 pixels a side, as they stand in the file; none of other files."""
    if data[:4] in (b"\0\0\1\0", b"\0\0\2\0"):
        yield from _of_ico(data)
    elif data[:4] == b"icns":
        yield from _of_icns(data)


def _little(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _of_ico(data: bytes) -> Iterator[bytes]:
    seen: set[tuple[int, int]] = set()  # a file may name one place over and over
    for number in range(min(int.from_bytes(data[4:6], "little"), (len(data) - 6) // _ENTRY)):
        entry = 6 + _ENTRY * number
        size, start = _little(data, entry + 8), _little(data, entry + 12)
        if (start, size) in seen or not size or start >= len(data):
            continue
        seen.add((start, size))
        whole = sniff(data[start : start + 12]) in _WHOLE
        sides = _sides_of_png(data, start) if whole else _sides_of_bitmap(data, start)
        if min(sides) >= _LEAST:
            one = data[start : start + size]
            yield one if whole else _alone(one)


def _sides_of_png(data: bytes, at: int) -> tuple[int, int]:
    return _big(data, at + 16), _big(data, at + 20)


def _sides_of_bitmap(data: bytes, at: int) -> tuple[int, int]:
    """Width and height of a bitmap, which tells the height of the picture and of its mask."""
    return _little(data, at + 4), _little(data, at + 8) // 2


def _alone(one: bytes) -> bytes:
    """A bitmap as an ICO, which tells of it what the bitmap does."""
    told = bytes(side if side < 256 else 0 for side in _sides_of_bitmap(one, 0))
    told += bytes(2) + one[12:16] + len(one).to_bytes(4, "little")
    return _ICON + told + (len(_ICON) + _ENTRY).to_bytes(4, "little") + one


def _of_icns(data: bytes) -> Iterator[bytes]:
    at = 8
    while at + 8 <= len(data):
        after = at + max(_big(data, at + 4), 8)
        mime = sniff(data[at + 8 : at + 20])
        if mime == "image/jp2" or (
            mime == "image/png" and min(_sides_of_png(data, at + 8)) >= _LEAST
        ):
            yield data[at + 8 : after]
        at = after


def _big(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")
