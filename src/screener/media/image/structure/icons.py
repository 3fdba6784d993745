"""The pictures of an icon file (ICO, CUR, ICNS), each as a file of its own.

Pillow shows the largest, by what the file says of their sizes; systems show the one that fits, and
every one may be another picture. Nothing here raises on broken input.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from screener.media.files.sniff import sniff
from screener.media.image.structure.headers import big, little

_LEAST = 64  # pixels of a side: smaller ones show the same, and too little to be compared
_ICON, _ENTRY = b"\0\0\1\0\1\0", 16  # what an ICO of one picture begins with; bytes of an entry
_WHOLE = ("image/png", "image/jp2")  # what stands in an icon file as a file of its own
_OLD, _OLD_SIDES = b"it32", (128, 128)  # the largest picture of an ICNS that is none
_MOST = 1 << 12  # entries of a file that are looked at


class _Place(NamedTuple):
    """Where a picture is, its width and height, and whether it is no file without a head."""

    start: int
    end: int
    sides: tuple[int, int]
    headless: bool


def pictures(data: bytes, shown: tuple[int, int]) -> Iterator[bytes]:
    """The pictures of at least 64 pixels a side, as they stand in the file, but for the only one
    that has the width and height of what is shown; none of other files.
    """
    found: list[_Place] = []
    if data[:4] in (b"\0\0\1\0", b"\0\0\2\0"):
        found = list(_of_ico(data))
    elif data[:4] == b"icns":
        found = list(_of_icns(data))
    alone = [one.sides for one in found].count(shown) == 1
    for start, end, sides, headless in found:
        if min(sides) >= _LEAST and not (alone and sides == shown):
            yield _with_head(data[start:end]) if headless else data[start:end]


def as_icon(data: bytes) -> bytes:
    """An ICO or CUR as an ICO that tells of each bitmap the depth which it has: a CUR has the place
    it points at there, and some programs write what they please. Pillow reads what is told.
    """
    entries = bytearray(data[6 : 6 + _ENTRY * _many(data)])
    for entry in range(0, len(entries), _ENTRY):
        start = little(entries, entry + 12)
        whole = sniff(data[start : start + 12]) in _WHOLE
        entries[entry + 6 : entry + 8] = (
            b"\x20\0" if whole else data[start + 14 : start + 16].ljust(2, b"\0")
        )
    return _ICON[:4] + data[4:6] + entries + data[6 + len(entries) :]


def _of_ico(data: bytes) -> Iterator[_Place]:
    seen: set[tuple[int, int]] = set()  # a file may name one place over and over
    for number in range(_many(data)):
        entry = 6 + _ENTRY * number
        size, start = little(data, entry + 8), little(data, entry + 12)
        if (start, size) in seen or not size or start >= len(data):
            continue
        seen.add((start, size))
        mime = sniff(data[start : start + 12])
        sides = _sides_of_file(data, start, mime) if mime in _WHOLE else _sides_of(data, start)
        yield _Place(start, start + size, sides, mime not in _WHOLE)


def _many(data: bytes) -> int:
    """How many entries of an ICO or CUR are looked at."""
    return max(min(int.from_bytes(data[4:6], "little"), (len(data) - 6) // _ENTRY, _MOST), 0)


def _of_icns(data: bytes) -> Iterator[_Place]:
    at = 8
    for _ in range(_MOST):
        if at + 8 > len(data):
            break
        after = at + max(big(data, at + 4), 8)
        mime = sniff(data[at + 8 : at + 20])
        if mime in _WHOLE:
            yield _Place(at + 8, after, _sides_of_file(data, at + 8, mime), headless=False)
        elif data.startswith(_OLD, at):
            yield _Place(at, after, _OLD_SIDES, headless=True)
        at = after


def _sides_of_file(data: bytes, at: int, mime: str | None) -> tuple[int, int]:
    if mime == "image/png":
        return big(data, at + 16), big(data, at + 20)
    if data.startswith(b"\xff\x4f", at):
        return big(data, at + 8), big(data, at + 12)
    head = data.find(b"ihdr", at, at + 128)
    return (_LEAST, _LEAST) if head < 0 else (big(data, head + 8), big(data, head + 4))


def _sides_of(data: bytes, at: int) -> tuple[int, int]:
    """Width and height of a bitmap, which tells the height of the picture and of its mask."""
    return little(data, at + 4), little(data, at + 8) // 2


def _with_head(picture: bytes) -> bytes:
    """A bitmap as an ICO, which tells of it what the bitmap does; an old picture as an ICNS."""
    if picture.startswith(_OLD):
        return b"icns" + (8 + len(picture)).to_bytes(4, "big") + picture
    told = bytes(side if side < 256 else 0 for side in _sides_of(picture, 0))
    told += bytes(2) + picture[12:16] + len(picture).to_bytes(4, "little")
    return _ICON + told + (len(_ICON) + _ENTRY).to_bytes(4, "little") + picture
