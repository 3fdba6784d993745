"""Clean apertures of HEIF and AVIF: the box `clap`, which crops a picture."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

from screener.media.image.structure import headers
from screener.media.image.structure.headers import read_be

_MAX_ITEMS = 100_000
_SAMPLE_ENTRY_SIZE = 78  # bytes before a sample entry's boxes
_SAMPLE_ENTRY_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")


class Aperture(NamedTuple):
    """A size, and the offset of its centre from the picture's, in pixels."""

    width: Fraction
    height: Fraction
    x_offset: Fraction
    y_offset: Fraction


def read_avif(data: bytes) -> Aperture | None:
    """Return the aperture of an AVIF's primary picture or frames, or None."""
    if b"clap" not in data:
        return None
    boxes = {box_type: (start, end) for box_type, start, end in headers.read_file_boxes(data, 0)}
    if data[8:12] == b"avis" and b"moov" in boxes:
        return next(_find_in_tracks(data, 0, len(data), 0), None)
    if b"meta" not in boxes:
        return None
    claps = dict(_find_apertures(data, *boxes[b"meta"]))
    primary = _read_primary_item(data, *boxes[b"meta"])
    for item, _, references in _find_associations(data, *boxes[b"meta"]):
        numbers = map(_read_property_number, references if item == primary else ())
        for clap in map(claps.get, numbers):
            if clap is not None:
                return _read_aperture(data, clap)
    return None


def strip_apertures(data: bytes) -> bytes | None:
    """Return a HEIF without its apertures, or None if it has none."""
    if b"clap" not in data:
        return None
    stripped = bytearray(data)
    for box_type, start, end in headers.read_file_boxes(data, 0):
        if box_type == b"meta":
            claps = dict(_find_apertures(data, start, end))
            for _, offset, references in _find_associations(data, start, end):
                others = [n for n in references if _read_property_number(n) not in claps]
                length = sum(map(len, references))
                # No property has the number 0, and libheif stops reading there.
                stripped[offset : offset + length] = b"".join(others).ljust(length, b"\0")
    return None if stripped == data else bytes(stripped)


def crop_box(clap: Aperture, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Return left, top, right and bottom of an aperture, rounded to pixels as libheif does.

    Return None if it contains all pixels of a picture of this size, or none.
    """
    left = int(_find_first_line(clap.width, clap.x_offset, width))
    top = _round(_find_first_line(clap.height, clap.y_offset, height))
    right = min(_round(clap.width - 1 + left) + 1, width)
    bottom = min(_round(clap.height - 1 + top) + 1, height)
    left, top = max(left, 0), max(top, 0)
    if left >= right or top >= bottom or (right - left, bottom - top) == (width, height):
        return None
    return left, top, right, bottom


def _find_first_line(size: Fraction, middle: Fraction, side: int) -> Fraction:
    return middle + Fraction(side - 1, 2) - (size - 1) / 2


def _round(number: Fraction) -> int:
    return int(number + Fraction(1, 2))


def _read_aperture(data: bytes, offset: int) -> Aperture | None:
    if len(data) < offset + 32:
        return None
    numbers = struct.unpack_from(">IIIIiIiI", data, offset)
    if not all(numbers[1::2]):
        return None
    return Aperture(*map(Fraction, numbers[::2], numbers[1::2]))


def _find_apertures(data: bytes, offset: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield property number and offset of each clean aperture in a box `meta`."""
    for box_type, start, after in headers.read_boxes_between(data, offset + 4, end):
        if box_type != b"iprp":
            continue
        for inner, first, last in headers.read_boxes_between(data, start, after):
            if inner == b"ipco":
                each = headers.read_boxes_between(data, first, last)
                for number, (kind, body, _) in enumerate(each, start=1):
                    if kind == b"clap":
                        yield number, body


def _find_associations(
    data: bytes, offset: int, end: int
) -> Iterator[tuple[int, int, list[bytes]]]:
    """Yield each item that has properties: item number, offset of the references, references."""
    for box_type, start, after in headers.read_boxes_between(data, offset + 4, end):
        if box_type != b"iprp":
            continue
        for inner, first, last in headers.read_boxes_between(data, start, after):
            if inner == b"ipma":
                yield from islice(_read_associations(data, first, min(last, len(data))), _MAX_ITEMS)


def _read_associations(
    data: bytes, offset: int, end: int
) -> Iterator[tuple[int, int, list[bytes]]]:
    item_size = 4 if read_be(data, offset, 1) else 2
    reference_size = 2 if read_be(data, offset + 3, 1) & 1 else 1
    offset += 8
    while offset + item_size < end:
        item, count = read_be(data, offset, item_size), data[offset + item_size]
        offset += item_size + 1
        item_end = min(offset + reference_size * count, end)
        starts = range(offset, item_end, reference_size)
        yield item, offset, [data[start : start + reference_size] for start in starts]
        offset = item_end


def _read_property_number(reference: bytes) -> int:
    """Return a reference's property number, without the bit that marks it as essential."""
    return int.from_bytes(reference, "big") & (0x7FFF if len(reference) == 2 else 0x7F)


def _read_primary_item(data: bytes, offset: int, end: int) -> int:
    for box_type, start, _ in headers.read_boxes_between(data, offset + 4, end):
        if box_type == b"pitm":
            return read_be(data, start + 4, 4 if read_be(data, start, 1) else 2)
    return 0


def _find_in_tracks(data: bytes, offset: int, end: int, depth: int) -> Iterator[Aperture]:
    for box_type, start, after in headers.read_boxes_between(data, offset, end):
        if depth == len(_SAMPLE_ENTRY_PATH):  # a sample entry
            entry_boxes = headers.read_boxes_between(data, start + _SAMPLE_ENTRY_SIZE, after)
            for inner_type, body, _ in entry_boxes:
                if inner_type == b"clap" and (aperture := _read_aperture(data, body)) is not None:
                    yield aperture
        elif box_type == _SAMPLE_ENTRY_PATH[depth]:
            first = start + 8 if box_type == b"stsd" else start
            yield from _find_in_tracks(data, first, after, depth + 1)
