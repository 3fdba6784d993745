"""The pictures of an icon file (ICO, CUR, ICNS), each as a file of its own.

Pillow shows the largest by declared size. Systems show the one that fits, and each may be another
picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from screener.media.files.sniff import sniff
from screener.media.image.structure.headers import big, little

_LEAST = 64  # pixels of a side; smaller pictures have too little detail to be compared
_ICON, _ENTRY = b"\0\0\1\0\1\0", 16  # the first bytes of an ICO of one picture; bytes of an entry
_FILES = ("image/png", "image/jp2")  # types that stand in an icon file as files
_OLD, _OLD_SIDES = b"it32", (128, 128)  # the largest picture of an ICNS that is no file
_MOST = 1 << 12  # entries that are read


class _Place(NamedTuple):
    start: int
    end: int
    sides: tuple[int, int]
    headless: bool


def pictures(data: bytes, shown: tuple[int, int]) -> Iterator[bytes]:
    """Yield the pictures of an icon file that have at least 64 pixels a side; none of other files.

    The picture that is shown is left out, if it is the only one of its size.
    """
    places: list[_Place] = []
    if data[:4] in (b"\0\0\1\0", b"\0\0\2\0"):
        places = list(_of_ico(data))
    elif data[:4] == b"icns":
        places = list(_of_icns(data))
    alone = [place.sides for place in places].count(shown) == 1
    for start, end, sides, headless in places:
        if min(sides) >= _LEAST and not (alone and sides == shown):
            yield _with_head(data[start:end]) if headless else data[start:end]


def as_icon(data: bytes) -> bytes:
    """Return an ICO or CUR as an ICO with the true depth of each bitmap in its entry, for Pillow.

    A CUR has the hot spot in that place, and some programs write other values.
    """
    entries = bytearray(data[6 : 6 + _ENTRY * _entry_count(data)])
    for entry in range(0, len(entries), _ENTRY):
        start = little(entries, entry + 12)
        is_file = sniff(data[start : start + 12]) in _FILES
        entries[entry + 6 : entry + 8] = (
            b"\x20\0" if is_file else data[start + 14 : start + 16].ljust(2, b"\0")
        )
    return _ICON[:4] + data[4:6] + entries + data[6 + len(entries) :]


def _of_ico(data: bytes) -> Iterator[_Place]:
    seen: set[tuple[int, int]] = set()  # entries may repeat a place
    for number in range(_entry_count(data)):
        entry = 6 + _ENTRY * number
        size, start = little(data, entry + 8), little(data, entry + 12)
        if (start, size) in seen or not size or start >= len(data):
            continue
        seen.add((start, size))
        mime = sniff(data[start : start + 12])
        sides = _sides_of_file(data, start, mime) if mime in _FILES else _sides_of(data, start)
        yield _Place(start, start + size, sides, mime not in _FILES)


def _entry_count(data: bytes) -> int:
    return max(min(int.from_bytes(data[4:6], "little"), (len(data) - 6) // _ENTRY, _MOST), 0)


def _of_icns(data: bytes) -> Iterator[_Place]:
    at = 8
    for _ in range(_MOST):
        if at + 8 > len(data):
            break
        after = at + max(big(data, at + 4), 8)
        mime = sniff(data[at + 8 : at + 20])
        if mime in _FILES:
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
    """Return width and height of a bitmap, whose header counts the rows of picture and mask."""
    return little(data, at + 4), little(data, at + 8) // 2


def _with_head(picture: bytes) -> bytes:
    if picture.startswith(_OLD):
        return b"icns" + (8 + len(picture)).to_bytes(4, "big") + picture
    entry = bytes(side if side < 256 else 0 for side in _sides_of(picture, 0))
    entry += bytes(2) + picture[12:16] + len(picture).to_bytes(4, "little")
    return _ICON + entry + (len(_ICON) + _ENTRY).to_bytes(4, "little") + picture
