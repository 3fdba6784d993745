"""Clean apertures of HEIF and AVIF: the box `clap`, by which a file shows a part of a picture."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

from screener.media.image.structure import headers
from screener.media.image.structure.headers import big

_MOST = 100_000  # items with properties
_SAMPLE = 78  # bytes of a sample entry before its boxes
_WAY = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")


class Aperture(NamedTuple):
    """A size, and the distance of its centre from the picture's, in pixels."""

    width: Fraction
    height: Fraction
    across: Fraction
    down: Fraction


def of_avif(data: bytes) -> Aperture | None:
    """Return what an AVIF shows of its primary picture, or its frames; None if all."""
    if b"clap" not in data:
        return None
    boxes = {name: (start, end) for name, start, end in headers.boxes(data, 0)}
    if data[8:12] == b"avis" and b"moov" in boxes:
        return next(_of_tracks(data, 0, len(data), 0), None)
    if b"meta" not in boxes:
        return None
    claps = dict(_properties(data, *boxes[b"meta"]))
    primary = _primary(data, *boxes[b"meta"])
    for item, _, named in _associations(data, *boxes[b"meta"]):
        for place in (claps.get(_number(name)) for name in named if item == primary):
            if place is not None:
                return _read(data, place)
    return None


def without(data: bytes) -> bytes | None:
    """Return a HEIF that shows all of its pictures, None if it does already."""
    if b"clap" not in data:
        return None
    bare = bytearray(data)
    for name, start, end in headers.boxes(data, 0):
        if name == b"meta":
            claps = dict(_properties(data, start, end))
            for _, at, named in _associations(data, start, end):
                others = b"".join(name for name in named if _number(name) not in claps)
                length = sum(map(len, named))
                # No property has the number 0, and libheif reads none behind it.
                bare[at : at + length] = others.ljust(length, b"\0")
    return None if bare == data else bytes(bare)


def box(clap: Aperture, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Return left, top, right and bottom of what is shown, in libheif's whole pixels.

    Return None if that is all of a picture of that size, or nothing.
    """
    left = int(_first(clap.width, clap.across, width))
    top = _rounded(_first(clap.height, clap.down, height))
    right = min(_rounded(clap.width - 1 + left) + 1, width)
    bottom = min(_rounded(clap.height - 1 + top) + 1, height)
    left, top = max(left, 0), max(top, 0)
    if left >= right or top >= bottom or (right - left, bottom - top) == (width, height):
        return None
    return left, top, right, bottom


def _first(size: Fraction, middle: Fraction, side: int) -> Fraction:
    return middle + Fraction(side - 1, 2) - (size - 1) / 2


def _rounded(number: Fraction) -> int:
    return int(number + Fraction(1, 2))


def _read(data: bytes, at: int) -> Aperture | None:
    if len(data) < at + 32:
        return None
    numbers = struct.unpack_from(">IIIIiIiI", data, at)
    if not all(numbers[1::2]):
        return None
    return Aperture(*map(Fraction, numbers[::2], numbers[1::2]))


def _properties(data: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the number and place of each clean aperture among the properties of a box `meta`."""
    for name, start, after in headers.boxes_within(data, at + 4, end):
        if name != b"iprp":
            continue
        for inner, first, last in headers.boxes_within(data, start, after):
            if inner == b"ipco":
                each = headers.boxes_within(data, first, last)
                for number, (kind, body, _) in enumerate(each, start=1):
                    if kind == b"clap":
                        yield number, body


def _associations(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, list[bytes]]]:
    """Yield the number of each item with properties, their place and their names."""
    for name, start, after in headers.boxes_within(data, at + 4, end):
        if name != b"iprp":
            continue
        for inner, first, last in headers.boxes_within(data, start, after):
            if inner == b"ipma":
                yield from islice(_of_items(data, first, min(last, len(data))), _MOST)


def _of_items(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, list[bytes]]]:
    wide = 4 if big(data, at, 1) else 2
    size = 2 if big(data, at + 3, 1) & 1 else 1
    at += 8
    while at + wide < end:
        item, count, at = big(data, at, wide), data[at + wide], at + wide + 1
        after = min(at + size * count, end)
        yield item, at, [data[place : place + size] for place in range(at, after, size)]
        at = after


def _number(name: bytes) -> int:
    """Return the number of a property, without the bit that marks it as essential."""
    return int.from_bytes(name, "big") & (0x7FFF if len(name) == 2 else 0x7F)


def _primary(data: bytes, at: int, end: int) -> int:
    for name, start, _ in headers.boxes_within(data, at + 4, end):
        if name == b"pitm":
            return big(data, start + 4, 4 if big(data, start, 1) else 2)
    return 0


def _of_tracks(data: bytes, at: int, end: int, depth: int) -> Iterator[Aperture]:
    for name, start, after in headers.boxes_within(data, at, end):
        if depth == len(_WAY):  # a sample entry
            for kind, body, _ in headers.boxes_within(data, start + _SAMPLE, after):
                if kind == b"clap" and (aperture := _read(data, body)) is not None:
                    yield aperture
        elif name == _WAY[depth]:
            first = start + 8 if name == b"stsd" else start
            yield from _of_tracks(data, first, after, depth + 1)
