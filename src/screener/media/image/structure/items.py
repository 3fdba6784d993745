"""Items: the pictures of a HEIF or AVIF, some of which its decoder may not return.

libheif leaves out unknown and hidden ones, libavif all but one picture. Only the first of very many
boxes and references are read, so that any file takes at most a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple

from screener.media.image.structure import headers
from screener.media.image.structure.headers import big

# Items that are coded pictures, and pictures derived from others; the rest is metadata.
_CODED = {b"hvc1", b"hev1", b"lhv1", b"vvc1", b"evc1", b"avc1", b"av01", b"jpeg", b"j2k1", b"jxl1"}
_PICTURES = _CODED | {b"unci", b"grid", b"iovl", b"iden", b"tili"}
_TONED = b"tmap"  # its first picture in other tones, according to its second
_MADE_OF = b"dimg"
_BESIDE = (b"thmb", b"auxl")  # references from thumbnails, depth maps, alpha and the like
_ANIMATED = b"avis"
_WAY = (b"trak", b"mdia", b"minf", b"stbl")  # from a movie to its chunk table
_MOST = 100_000  # items, references and chunks that are read


class Item(NamedTuple):
    """A picture that is no thumbnail and not auxiliary.

    `hidden`: marked so. `part`: another picture is derived from it.
    """

    number: int
    hidden: bool
    part: bool


def pictures(meta: bytes) -> list[Item]:
    """Return the pictures in the body of a box `meta`."""
    boxes = list(headers.boxes_within(meta, 4, len(meta)))
    each_info = (_infos(meta, start, end) for name, start, end in boxes if name == b"iinf")
    each_link = (_links(meta, start, end) for name, start, end in boxes if name == b"iref")
    infos = list(islice(chain.from_iterable(each_info), _MOST))
    links = list(islice(chain.from_iterable(each_link), _MOST))
    toned = {number for number, kind, _ in infos if kind == _TONED}
    beside = {of for kind, of, _, _ in links if kind in _BESIDE}
    parts = {
        to for kind, of, place, to in links if kind == _MADE_OF and not (of in toned and place == 0)
    }
    return [
        Item(number, hidden, number in parts)
        for number, kind, hidden in infos
        if kind in _PICTURES and number not in beside
    ]


def has_more(data: bytes, format: str | None, frames: int) -> bool:
    """Return whether a HEIF or AVIF declares a picture that its decoder does not return."""
    boxes = {name: (start, end) for name, start, end in headers.boxes(data, 0)}
    if b"meta" not in boxes:
        return False
    start, end = boxes[b"meta"]
    meta = data[start:end]
    items = pictures(meta)
    if any(item.hidden and not item.part for item in items):
        return True
    if format == "HEIF":
        return sum(not item.hidden for item in items) > frames
    alone = {item.number for item in items if not item.part}
    if b"moov" in boxes and data[8:12] == _ANIMATED:  # its frames are those of the track
        first = _place(meta, _primary(meta))
        chunks = set(islice(_chunks(data, *boxes[b"moov"], 0), _MOST))
        return len(alone) > 1 or (bool(alone) and first not in chunks)
    return bool(alone - {_primary(meta)})


def _infos(meta: bytes, at: int, end: int) -> Iterator[tuple[int, bytes, bool]]:
    first = at + (6 if not meta[at : at + 1].strip(b"\0") else 8)
    for name, start, _ in headers.boxes_within(meta, first, end):
        if name != b"infe":
            continue
        size = {2: 2, 3: 4}.get(big(meta, start, 1))
        if size is not None:  # older versions have no type of a picture's
            kind = start + 4 + size + 2
            yield (
                big(meta, start + 4, size),
                meta[kind : kind + 4],
                bool(big(meta, start + 3, 1) & 1),
            )


def _links(meta: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield the type, source, place and target of each reference."""
    size = 4 if big(meta, at, 1) else 2
    for name, start, after in headers.boxes_within(meta, at + 4, end):
        first = start + size + 2
        for place in range(min(big(meta, start + size, 2), max(after - first, 0) // size)):
            to = big(meta, first + size * place, size)
            yield name, big(meta, start, size), place, to


def _primary(meta: bytes) -> int:
    for name, start, _ in headers.boxes_within(meta, 4, len(meta)):
        if name == b"pitm":
            return big(meta, start + 4, 4 if big(meta, start, 1) else 2)
    return 0


def _place(meta: bytes, item: int) -> int:
    """Return where the data of an item begin in the file, 0 if that is not declared directly."""
    for name, at, _ in headers.boxes_within(meta, 4, len(meta)):
        if name != b"iloc":
            continue
        version, sizes = big(meta, at, 1), big(meta, at + 4, 2)
        places, lengths, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
        index = index if version else 0
        wide = 4 if version == 2 else 2
        many, at = big(meta, at + 6, wide), at + 6 + wide
        for _ in range(min(many, _MOST)):
            number, at = big(meta, at, wide), at + wide + (4 if version else 2)
            begin, at = big(meta, at, base), at + base
            extents, at = big(meta, at, 2), at + 2
            if number == item:
                return begin + big(meta, at + index, places)
            at += extents * (index + places + lengths)
    return 0


def _chunks(data: bytes, at: int, end: int, depth: int) -> Iterator[int]:
    for name, start, after in headers.boxes_within(data, at, end):
        if depth < len(_WAY):
            if name == _WAY[depth]:
                yield from _chunks(data, start, after, depth + 1)
        elif name in (b"stco", b"co64"):
            size = 4 if name == b"stco" else 8
            for number in range(min(big(data, start + 4, 4), (after - start) // size)):
                yield big(data, start + 8 + size * number, size)
