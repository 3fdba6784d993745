"""Find the pictures (items) of a HEIF or AVIF that its decoder does not return.

libheif leaves out unknown and hidden pictures, libavif all but one. The numbers of boxes and
references that are read are limited, so that any file takes at most a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple

from screener.media.image.structure import headers
from screener.media.image.structure.headers import read_be

# Types of items: coded pictures, and pictures derived from others. All others are metadata.
_CODED_TYPES = {
    b"hvc1", b"hev1", b"lhv1", b"vvc1", b"evc1", b"avc1", b"av01", b"jpeg", b"j2k1", b"jxl1",
}  # fmt: skip
_PICTURE_TYPES = _CODED_TYPES | {b"unci", b"grid", b"iovl", b"iden", b"tili"}
_TONE_MAPPED_TYPE = b"tmap"  # its first picture, with the tones changed by its second
_DERIVED_FROM = b"dimg"
_AUXILIARY_REFERENCES = (b"thmb", b"auxl")  # from thumbnails, depth maps, alpha and the like
_ANIMATED_BRAND = b"avis"
_CHUNK_TABLE_PATH = (b"trak", b"mdia", b"minf", b"stbl")
_MAX_ENTRIES = 100_000  # items, references or chunks


class Item(NamedTuple):
    """A picture that is neither a thumbnail nor auxiliary.

    `hidden`: the file marks it as hidden. `part`: another picture is derived from it.
    """

    number: int
    hidden: bool
    part: bool


def find_pictures(meta: bytes) -> list[Item]:
    """Return the pictures in the body of a box `meta`."""
    boxes = list(headers.read_boxes_between(meta, 4, len(meta)))
    info_lists = (
        _read_infos(meta, start, end) for box_type, start, end in boxes if box_type == b"iinf"
    )
    reference_lists = (
        _read_references(meta, start, end) for box_type, start, end in boxes if box_type == b"iref"
    )
    infos = list(islice(chain.from_iterable(info_lists), _MAX_ENTRIES))
    references = list(islice(chain.from_iterable(reference_lists), _MAX_ENTRIES))
    tone_mapped = {number for number, kind, _ in infos if kind == _TONE_MAPPED_TYPE}
    auxiliary = {source for kind, source, _, _ in references if kind in _AUXILIARY_REFERENCES}
    parts = {
        target
        for kind, source, index, target in references
        if kind == _DERIVED_FROM and not (source in tone_mapped and index == 0)
    }
    return [
        Item(number, hidden, number in parts)
        for number, kind, hidden in infos
        if kind in _PICTURE_TYPES and number not in auxiliary
    ]


def has_more(data: bytes, format: str | None, frames: int) -> bool:
    """Return whether a HEIF or AVIF declares a picture that its decoder does not return."""
    boxes = {box_type: (start, end) for box_type, start, end in headers.read_file_boxes(data, 0)}
    if b"meta" not in boxes:
        return False
    start, end = boxes[b"meta"]
    meta = data[start:end]
    items = find_pictures(meta)
    if any(item.hidden and not item.part for item in items):
        return True
    if format == "HEIF":
        return sum(not item.hidden for item in items) > frames
    independent = {item.number for item in items if not item.part}
    if b"moov" in boxes and data[8:12] == _ANIMATED_BRAND:  # its frames are the track's
        first = _find_data(meta, _read_primary_item(meta))
        chunks = set(islice(_read_chunk_offsets(data, *boxes[b"moov"], 0), _MAX_ENTRIES))
        return len(independent) > 1 or (bool(independent) and first not in chunks)
    return bool(independent - {_read_primary_item(meta)})


def _read_infos(meta: bytes, offset: int, end: int) -> Iterator[tuple[int, bytes, bool]]:
    first = offset + (6 if not meta[offset : offset + 1].strip(b"\0") else 8)
    for box_type, start, _ in headers.read_boxes_between(meta, first, end):
        if box_type != b"infe":
            continue
        number_size = {2: 2, 3: 4}.get(read_be(meta, start, 1))
        if number_size is not None:  # older versions have no types of pictures
            type_offset = start + 4 + number_size + 2
            yield (
                read_be(meta, start + 4, number_size),
                meta[type_offset : type_offset + 4],
                bool(read_be(meta, start + 3, 1) & 1),
            )


def _read_references(meta: bytes, offset: int, end: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield type, source, index and target of each reference."""
    size = 4 if read_be(meta, offset, 1) else 2
    for box_type, start, after in headers.read_boxes_between(meta, offset + 4, end):
        first = start + size + 2
        count = min(read_be(meta, start + size, 2), max(after - first, 0) // size)
        for index in range(count):
            target = read_be(meta, first + size * index, size)
            yield box_type, read_be(meta, start, size), index, target


def _read_primary_item(meta: bytes) -> int:
    for box_type, start, _ in headers.read_boxes_between(meta, 4, len(meta)):
        if box_type == b"pitm":
            return read_be(meta, start + 4, 4 if read_be(meta, start, 1) else 2)
    return 0


def _find_data(meta: bytes, item: int) -> int:
    """Return the offset of an item's data, or 0 if not declared directly."""
    for box_type, offset, _ in headers.read_boxes_between(meta, 4, len(meta)):
        if box_type != b"iloc":
            continue
        version, sizes = read_be(meta, offset, 1), read_be(meta, offset + 4, 2)
        offset_size, length_size, base_size, index_size = (
            sizes >> shift & 15 for shift in (12, 8, 4, 0)
        )
        index_size = index_size if version else 0
        item_size = 4 if version == 2 else 2
        count, offset = read_be(meta, offset + 6, item_size), offset + 6 + item_size
        for _ in range(min(count, _MAX_ENTRIES)):
            number = read_be(meta, offset, item_size)
            offset += item_size + (4 if version else 2)
            base, offset = read_be(meta, offset, base_size), offset + base_size
            extents, offset = read_be(meta, offset, 2), offset + 2
            if number == item:
                return base + read_be(meta, offset + index_size, offset_size)
            offset += extents * (index_size + offset_size + length_size)
    return 0


def _read_chunk_offsets(data: bytes, offset: int, end: int, depth: int) -> Iterator[int]:
    for box_type, start, after in headers.read_boxes_between(data, offset, end):
        if depth < len(_CHUNK_TABLE_PATH):
            if box_type == _CHUNK_TABLE_PATH[depth]:
                yield from _read_chunk_offsets(data, start, after, depth + 1)
        elif box_type in (b"stco", b"co64"):
            size = 4 if box_type == b"stco" else 8
            for number in range(min(read_be(data, start + 4, 4), (after - start) // size)):
                yield read_be(data, start + 8 + size * number, size)
