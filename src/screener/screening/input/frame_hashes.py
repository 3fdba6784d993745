"""The perceptual hashes of one frame: each of its regions in all orientations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import screener._core as _core
from screener.hashing import classic, detail, evidence, pdq, views
from screener.hashing.hash import Hash, HashKind
from screener.media.files.picture import Frame
from screener.media.image import trim
from screener.media.image.grounds import show_on_grounds
from screener.media.image.insets import find_insets
from screener.screening.input.located_hash import INSET, EvidenceColumns, OrientedHashes
from screener.screening.policy import Effort
from screener.screening.result import Box

# A frame with a side of at most this many pixels is also hashed at twice its size. PDQ samples so
# few pixels of it that it may not match a larger copy.
_MAX_SMALL_SIDE = 192

# A frame of more pixels is not enlarged: a long thin one would take much memory.
_MAX_ENLARGED_PIXELS = 1 << 20

# Nor is an inset of more: a strip as wide as a screen is hardly a photo.
_MAX_ENLARGED_INSET_PIXELS = 100_000

# Rows of an inset that are hashed at least, and fewer than twice as many.
_MIN_INSET_ROWS = 512

# An inset equals another region if no side differs by more than a hundredth, nor by more pixels.
_MAX_SAME_LINES = 8

# The share of each side that a part must fill for its surroundings to count as its bars.
_MIN_FRAMED_SHARE = 0.3


class Region(NamedTuple):
    """A part of a frame that is hashed; a match has its `name`.

    `framed` are the parts that this one surrounds with bars only, so its detail is at least theirs.
    `judged` is the detail that counts. Enlarging adds tones, so that of an enlarged region is the
    small picture's. An inset has a `box`, and an `aspect`, height over width, as `pixels` may lack
    some of its rows.
    """

    name: str
    pixels: NDArray[np.uint8]
    judged: detail.Detail
    framed: tuple[NDArray[np.uint8], ...] = ()
    box: Box | None = None
    aspect: float | None = None


def find_regions(frame: Frame) -> list[Region]:
    """Return the parts of a frame that are hashed."""
    regions = _find_parts(frame.pixels, frame.inner, "full", "trimmed")
    if frame.uncropped is not None:
        regions += _find_parts(frame.uncropped, (), "uncropped", "uncropped")
    if frame.luma_alpha is not None:
        for name, picture in show_on_grounds(frame.luma_alpha):
            regions += _find_parts(picture, (), name, name)
    return regions + [
        Region("enlarged", _core.enlarge(region.pixels), region.judged, region.framed)
        for region in regions
        if _is_small(region.pixels)
    ]


def find_inset_regions(
    frame: Frame, regions: Sequence[Region], *, limit: int, min_side: int
) -> Iterator[Region]:
    """Yield the insets of a frame that equal none of its other regions, at most `limit`.

    Those that show too little to be compared are left out. The floor is that of PDQ and not a
    policy's, on which hashes do not depend.
    """
    for inset in find_insets(frame.pixels, limit=limit, min_side=min_side):
        lines = max(1, min(min(inset.pixels.shape[:2]) // 100, _MAX_SAME_LINES))
        if any(trim.is_same_view(inset.pixels, region.pixels, lines=lines) for region in regions):
            continue
        judged = detail.Detail(inset.pixels)
        if judged.score(pdq.PDQ) >= pdq.PDQ.floor:
            height, width = inset.pixels.shape[:2]
            resized = _resize_inset(inset.pixels)
            yield Region(INSET, resized, judged, box=inset.box, aspect=height / width)


def _resize_inset(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the pixels of an inset that are hashed.

    A small one is enlarged: its PDQ is then nearer to the picture's. Of a high one every second,
    third ... row is enough, which changes fewer bits than another size of the picture does.
    """
    if _is_small(pixels, _MAX_ENLARGED_INSET_PIXELS):
        return _core.enlarge(pixels)
    step = max(1, len(pixels) // _MIN_INSET_ROWS)
    return pixels[step // 2 :: step]


def _is_small(pixels: NDArray[np.uint8], most: int = _MAX_ENLARGED_PIXELS) -> bool:
    sides = pixels.shape[:2]
    return min(sides) <= _MAX_SMALL_SIDE and math.prod(sides) <= most


def _find_parts(
    picture: NDArray[np.uint8], inner: tuple[NDArray[np.uint8], ...], name: str, trimmed_name: str
) -> list[Region]:
    parts = [picture]
    for view in (*trim.find_unframed(picture), *inner):
        if not any(trim.is_same_view(view, part) for part in parts):
            parts.append(view)
    return [
        Region(
            trimmed_name if number else name,
            part,
            detail.Detail(part),
            tuple([inside for inside in parts[1:] if _is_framed(inside, part)]),
        )
        for number, part in enumerate(parts)
    ]


def _is_framed(part: NDArray[np.uint8], outer: NDArray[np.uint8]) -> bool:
    (rows, columns), (height, width) = part.shape[:2], outer.shape[:2]
    is_smaller = rows <= height and columns <= width and (rows, columns) != (height, width)
    return (
        is_smaller and rows >= _MIN_FRAMED_SHARE * height and columns >= _MIN_FRAMED_SHARE * width
    )


_CLASSIC_NAMES = frozenset(kind.name for kind in classic.CLASSIC)

# Values, qualities, details, doubts and leasts of OrientedHashes.
_Columns = tuple[bytes, bytes, bytes, bytes, bytes]


def hash_frame(
    frame: Frame,
    kinds: Sequence[HashKind],
    *,
    sketch: bool,
    effort: Effort = Effort.DISTANCE,
    max_insets: int = 0,
    min_inset_side: int = 1,
) -> Iterator[OrientedHashes]:
    """Yield the perceptual hashes of all regions of a frame, the whole frame first.

    With `sketch`, the hashes of a region may have bits in doubt if no other region frames it. Every
    PDQ has the evidence for the effort. A region that is there enlarged too has no views, nor has
    one that frames another, but for the whole: its plain margin may be the listed picture's own.
    Insets have PDQ alone, and those that show too little to be compared are left out.
    """
    regions = find_regions(frame)
    framed_ids = {id(view) for region in regions for view in region.framed}
    enlarged = [region.judged for region in regions if region.name == "enlarged"]
    details: dict[int, int] = {}  # framed parts are smaller, so they are hashed first
    hashes: dict[int, list[OrientedHashes]] = {}
    for number, region in sorted(enumerate(regions), key=lambda pair: pair[1].pixels.size):
        inner_detail = max((details.get(id(view), 0) for view in region.framed), default=0)
        allow_doubt = sketch and id(region.pixels) not in framed_ids
        may_be_listed = not region.framed or region.judged is regions[0].judged
        has_views = may_be_listed and (region.name == "enlarged" or region.judged not in enlarged)
        own_effort = effort if has_views else effort.without_views
        hashes[number] = list(
            _hash_region(frame, region, kinds, inner_detail, allow_doubt, own_effort)
        )
        for group in hashes[number]:
            if group.kind == pdq.PDQ.name:
                details[id(region.pixels)] = min(group.details[0], group.qualities[0])
    for number in range(len(regions)):
        yield from hashes[number]
    if max_insets and pdq.PDQ in kinds:
        for inset in find_inset_regions(frame, regions, limit=max_insets, min_side=min_inset_side):
            yield from _hash_inset(frame, inset, sketch, effort)


def _hash_inset(
    frame: Frame, inset: Region, sketch: bool, effort: Effort
) -> Iterator[OrientedHashes]:
    """Yield the PDQs of an inset unless no list is compared with them.

    Evidence is weighed whatever the quality, but not of one that is rather a text.
    """
    for group in _hash_region(frame, inset, [pdq.PDQ], 0, sketch, effort):
        if max(group.details) >= pdq.PDQ.floor:
            yield group


def _hash_region(
    frame: Frame,
    region: Region,
    kinds: Sequence[HashKind],
    inner_detail: int,
    allow_doubt: bool,
    effort: Effort,
) -> Iterator[OrientedHashes]:
    if region.name == "enlarged":  # PDQ alone needs it; other kinds use every pixel
        kinds = [kind for kind in kinds if kind is pdq.PDQ]
    classic_kinds = [kind for kind in kinds if kind.name in _CLASSIC_NAMES]
    classic_hashes = (
        classic.compute_orientations(region.pixels, classic_kinds) if classic_kinds else {}
    )
    for kind in kinds:
        evidence_columns = None
        if kind is pdq.PDQ:
            most = pdq.MOST_DOUBT if allow_doubt else 0
            if effort is Effort.DISTANCE:
                sketches = pdq.sketches(region.pixels, most=most)
            else:
                look = evidence.look(region.pixels, most=most, aspect=region.aspect)
                sketches = look.values, look.qualities, look.doubts
                if region.name != INSET or look.samples.plain <= evidence.PLAIN:
                    evidence_columns = _weigh(look, effort.view_orientations)
            columns = _bound_details(*sketches, region.judged.score(kind), inner_detail)
        elif kind.name in classic_hashes:
            columns = _join_columns(classic_hashes[kind.name], region.judged.score(kind))
        else:
            continue
        yield OrientedHashes(
            kind.name, *columns, region.name, frame.part, frame.time, frame.part_kind, frame.again,
            frame.track, evidence_columns, region.box,
        )  # fmt: skip


def _join_columns(hashes: Sequence[Hash], score: int) -> _Columns:
    values = b"".join(hash_.value for hash_ in hashes)
    qualities = bytes(hash_.quality or 0 for hash_ in hashes)
    details = bytes((score,)) * len(hashes)
    return values, qualities, details, bytes(len(hashes)), details


def _weigh(look: evidence.Look, orientations: int) -> EvidenceColumns | None:
    """Return the evidence of a picture, or None if too few of its samples differ."""
    if look.samples.busy < evidence.BUSY:
        return None
    of_views = views.weigh(look.samples, orientations=orientations) if orientations else None
    shape = views.find_shape(look.samples.aspect) if orientations else ""
    return EvidenceColumns.from_queries(look.coefficients.weigh(), of_views, orientations, shape)


def _bound_details(
    hashes: Sequence[bytes], qualities: bytes, doubts: bytes, score: int, inner_detail: int
) -> _Columns:
    """Return the columns of a picture's PDQs.

    The pattern of a PDQ's bits, some of which may be in doubt, also bounds its detail.
    """
    values = b"".join(hashes)
    leasts, details = detail.pattern_bounds(values, doubts)
    table = _clamp_table(inner_detail, score)
    return values, qualities, details.translate(table), doubts, leasts.translate(table)


@lru_cache
def _clamp_table(low: int, high: int) -> bytes:
    """Return a translation table from scores to at most `high`, but at least `low`."""
    return bytes(max(low, min(high, score)) for score in range(256))
