"""The perceptual hashes of one frame: of each of its regions, in all orientations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from screener import regions
from screener.hashing import classic, detail, pdq
from screener.hashing.hash import Hash, HashKind
from screener.located import Turned
from screener.media.picture import Frame
from screener.regions import Region

_CLASSIC = frozenset(kind.name for kind in classic.CLASSIC)

_Columns = tuple[bytes, bytes, bytes, bytes, bytes]  # of Turned


def hashes_of_frame(frame: Frame, kinds: Sequence[HashKind], *, sketch: bool) -> list[Turned]:
    """The perceptual hashes of these kinds: of all regions, the whole frame first. With `sketch`,
    those of a region that is within no other may have bits in doubt.
    """
    found = regions.find(frame)
    within = {id(view) for region in found for view in region.framed}
    details: dict[int, int] = {}  # of those within a frame, which are hashed first, and surely
    made: dict[int, list[Turned]] = {}
    for number, region in sorted(enumerate(found), key=lambda one: one[1].shown.size):
        inner = max((details.get(id(view), 0) for view in region.framed), default=0)
        surely = id(region.shown) in within
        made[number] = list(_turned(frame, region, kinds, inner, sketch=sketch and not surely))
        for one in made[number]:
            if one.kind == pdq.PDQ.name:
                details[id(region.shown)] = min(one.details[0], one.qualities[0])
    return [one for number in range(len(found)) for one in made[number]]


def _turned(
    frame: Frame,
    region: Region,
    kinds: Sequence[HashKind],
    inner: int,
    *,
    sketch: bool,
) -> Iterator[Turned]:
    """The perceptual hashes that are wanted of one region of a frame, each in all orientations.
    `inner` is the detail, by PDQ, of what it is a frame round.
    """
    shown = region.shown
    if region.name == "enlarged":  # for PDQ; the others weigh every pixel of a small one too
        kinds = [kind for kind in kinds if kind is pdq.PDQ]
    classics = [kind for kind in kinds if kind.name in _CLASSIC]
    made = classic.compute_orientations(shown, classics) if classics else {}
    seen = detail.Detail(region.judged)
    for kind in kinds:
        if kind is pdq.PDQ:
            columns = _pdqs(shown, seen.score(kind), inner, sketch)
        elif kind.name in made:
            columns = _classics(made[kind.name], seen.score(kind))
        else:
            continue
        yield Turned(
            kind.name, *columns, region.name, frame.part, frame.time, frame.part_kind, frame.again,
            frame.track,
        )  # fmt: skip


def _classics(made: Sequence[Hash], score: int) -> _Columns:
    """Columns of hashes that are sure, of a picture of that score."""
    values = b"".join(one.value for one in made)
    count = len(made)
    qualities = bytes(one.quality or 0 for one in made)
    details = bytes((score,)) * count
    return values, qualities, details, bytes(count), details


def _pdqs(shown: NDArray[np.uint8], score: int, inner: int, sketch: bool) -> _Columns:
    """Columns of PDQs, or sketches, of a picture of that score: each hash has its own `patterns`
    besides, which its bits in doubt may change. None has less than `inner`.
    """
    each, qualities, doubts = pdq.sketches(shown, most=pdq.MOST_DOUBT if sketch else 0)
    values = b"".join(each)
    leasts, details = detail.pattern_bounds(values, doubts)
    within = _clamp(inner, score)
    return values, qualities, details.translate(within), doubts, leasts.translate(within)


@lru_cache
def _clamp(inner: int, score: int) -> bytes:
    """For each score by a hash's own bits, what it comes to: no more than that of the picture, and
    no less than that of what it is a frame round.
    """
    return bytes(max(inner, min(score, one)) for one in range(256))
