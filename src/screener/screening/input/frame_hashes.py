"""The perceptual hashes of one frame: of each of its regions, in all orientations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from screener.hashing import classic, detail, pdq
from screener.hashing.hash import Hash, HashKind
from screener.media.files.picture import Frame
from screener.media.image import trim
from screener.screening.input.located_hash import OrientedHashes

_SMALL = 192
"""PDQ takes single pixels, or the means of few, of a side of so many or fewer, and may not know a
video again at half its size, nor a picture by its thumbnail: such frames are hashed at twice their
size too.
"""

_MOST = 1 << 20
"""So many pixels, at most, are enlarged: a thread of them would take the memory of a picture."""

_FRAMED = 0.3
"""So much of each side, at least, is what a frame is round, if the whole is to have its detail."""


class Region(NamedTuple):
    """A part of a frame that is hashed, by its name in a match; `framed` are the parts with nothing
    but bars round them in this one: it is as detailed as they are, whatever its bars are. `judged`
    is what its detail is told by: that of the small picture where it is enlarged, since between two
    tones there are others then.
    """

    name: str
    shown: NDArray[np.uint8]
    judged: NDArray[np.uint8]
    framed: tuple[NDArray[np.uint8], ...]


def find(frame: Frame) -> list[Region]:
    """The parts of a frame that are hashed."""
    found = _parts(frame.pixels, frame.inner, "full", "trimmed")
    if frame.outer is not None:
        found += _parts(frame.outer, (), "uncropped", "uncropped")
    return found + [
        Region("enlarged", _enlarged(one.shown), one.shown, one.framed)
        for one in found
        if min(one.shown.shape[:2]) <= _SMALL and math.prod(one.shown.shape[:2]) <= _MOST
    ]


def _parts(
    whole: NDArray[np.uint8], inner: tuple[NDArray[np.uint8], ...], name: str, trimmed: str
) -> list[Region]:
    """A picture, and what is inside bars or borders of it."""
    shown = [whole]
    for view in (*trim.trimmed(whole), *inner):
        if not any(trim.is_same(view, other) for other in shown):
            shown.append(view)
    return [
        Region(
            trimmed if number else name,
            one,
            one,
            tuple([view for view in shown[1:] if _frames(one, view)]),
        )
        for number, one in enumerate(shown)
    ]


def _frames(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether a part is a frame round a smaller one, and that is much of it."""
    (height, width), (rows, columns) = one.shape[:2], other.shape[:2]
    smaller = rows <= height and columns <= width and (rows, columns) != (height, width)
    return smaller and rows >= _FRAMED * height and columns >= _FRAMED * width


def _enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At twice the size. Interpolated, since pixels that are merely doubled stand a quarter of a
    pixel from where those of the larger picture stood, which is where PDQ takes its own.
    """
    return _doubled(_doubled(pixels).swapaxes(0, 1)).swapaxes(0, 1)


def _doubled(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Twice as many rows, each a mean of two weighed by their distance."""
    threefold = pixels * np.uint16(3)
    made = np.empty((2 * len(pixels), *pixels.shape[1:]), np.uint8)
    made[::2] = (threefold + np.concatenate((pixels[:1], pixels[:-1])) + 2) >> 2
    made[1::2] = (threefold + np.concatenate((pixels[1:], pixels[-1:])) + 2) >> 2
    return made


_CLASSIC = frozenset(kind.name for kind in classic.CLASSIC)

_Columns = tuple[bytes, bytes, bytes, bytes, bytes]  # of Turned


def hashes_of_frame(
    frame: Frame, kinds: Sequence[HashKind], *, sketch: bool
) -> list[OrientedHashes]:
    """The perceptual hashes of these kinds: of all regions, the whole frame first. With `sketch`,
    those of a region that is within no other may have bits in doubt.
    """
    found = find(frame)
    within = {id(view) for region in found for view in region.framed}
    details: dict[int, int] = {}  # of those within a frame, which are hashed first, and surely
    made: dict[int, list[OrientedHashes]] = {}
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
) -> Iterator[OrientedHashes]:
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
        yield OrientedHashes(
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
