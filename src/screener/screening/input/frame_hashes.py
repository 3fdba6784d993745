"""The perceptual hashes of one frame: each of its regions in all orientations."""

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
"""Pixels of a side, up to which a frame is hashed at twice its size too. PDQ samples so few pixels
of it that it may not match a video at half its size, or a picture by its thumbnail.
"""

_MOST = 1 << 20
"""Pixels, up to which a frame is enlarged: a long thin one would take much memory."""

_FRAMED = 0.3
"""The share of each side that a part must have for the whole to count as its frame."""


class Region(NamedTuple):
    """A part of a frame that is hashed; `name` stands in a match.

    `framed` are the parts that only bars surround in this one: it has at least their detail.
    `judged` is the picture whose detail counts: for an enlarged one the small picture, since
    enlarging adds tones.
    """

    name: str
    shown: NDArray[np.uint8]
    judged: NDArray[np.uint8]
    framed: tuple[NDArray[np.uint8], ...]


def find(frame: Frame) -> list[Region]:
    """Return the parts of a frame that are hashed."""
    regions = _parts(frame.pixels, frame.inner, "full", "trimmed")
    if frame.outer is not None:
        regions += _parts(frame.outer, (), "uncropped", "uncropped")
    return regions + [
        Region("enlarged", _enlarged(one.shown), one.shown, one.framed)
        for one in regions
        if min(one.shown.shape[:2]) <= _SMALL and math.prod(one.shown.shape[:2]) <= _MOST
    ]


def _parts(
    whole: NDArray[np.uint8], inner: tuple[NDArray[np.uint8], ...], name: str, trimmed: str
) -> list[Region]:
    """Return a picture and the parts of it inside bars or borders."""
    shown = [whole]
    for view in (*trim.find_unframed(whole), *inner):
        if not any(trim.is_same_view(view, other) for other in shown):
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
    """Return whether a part is a frame round a smaller one that fills much of it."""
    (height, width), (rows, columns) = one.shape[:2], other.shape[:2]
    smaller = rows <= height and columns <= width and (rows, columns) != (height, width)
    return smaller and rows >= _FRAMED * height and columns >= _FRAMED * width


def _enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture at twice its size.

    Interpolated, since merely doubled pixels would lie a quarter of a pixel from those that PDQ
    samples of the larger picture.
    """
    return _doubled(_doubled(pixels).swapaxes(0, 1)).swapaxes(0, 1)


def _doubled(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    threefold = pixels * np.uint16(3)
    doubled = np.empty((2 * len(pixels), *pixels.shape[1:]), np.uint8)
    doubled[::2] = (threefold + np.concatenate((pixels[:1], pixels[:-1])) + 2) >> 2
    doubled[1::2] = (threefold + np.concatenate((pixels[1:], pixels[-1:])) + 2) >> 2
    return doubled


_CLASSIC = frozenset(kind.name for kind in classic.CLASSIC)

_Columns = tuple[bytes, bytes, bytes, bytes, bytes]  # of OrientedHashes


def hashes_of_frame(
    frame: Frame, kinds: Sequence[HashKind], *, sketch: bool
) -> list[OrientedHashes]:
    """Return the perceptual hashes of all regions of a frame, the whole frame first.

    With `sketch`, the hashes of a region that no other surrounds may have bits in doubt.
    """
    regions = find(frame)
    within = {id(view) for region in regions for view in region.framed}
    details: dict[int, int] = {}  # of surrounded parts, which are hashed first, and exactly
    hashes: dict[int, list[OrientedHashes]] = {}
    for number, region in sorted(enumerate(regions), key=lambda one: one[1].shown.size):
        inner = max((details.get(id(view), 0) for view in region.framed), default=0)
        exact = id(region.shown) in within
        hashes[number] = list(_oriented(frame, region, kinds, inner, sketch=sketch and not exact))
        for one in hashes[number]:
            if one.kind == pdq.PDQ.name:
                details[id(region.shown)] = min(one.details[0], one.qualities[0])
    return [one for number in range(len(regions)) for one in hashes[number]]


def _oriented(
    frame: Frame,
    region: Region,
    kinds: Sequence[HashKind],
    inner: int,
    *,
    sketch: bool,
) -> Iterator[OrientedHashes]:
    """Yield the hashes of one region; `inner` is the detail, by PDQ, of the parts it surrounds."""
    shown = region.shown
    if region.name == "enlarged":  # only PDQ needs it; other kinds use every pixel
        kinds = [kind for kind in kinds if kind is pdq.PDQ]
    classics = [kind for kind in kinds if kind.name in _CLASSIC]
    hashes = classic.compute_orientations(shown, classics) if classics else {}
    scores = detail.Detail(region.judged)
    for kind in kinds:
        if kind is pdq.PDQ:
            columns = _pdqs(shown, scores.score(kind), inner, sketch)
        elif kind.name in hashes:
            columns = _classics(hashes[kind.name], scores.score(kind))
        else:
            continue
        yield OrientedHashes(
            kind.name, *columns, region.name, frame.part, frame.time, frame.part_kind, frame.again,
            frame.track,
        )  # fmt: skip


def _classics(hashes: Sequence[Hash], score: int) -> _Columns:
    values = b"".join(one.value for one in hashes)
    count = len(hashes)
    qualities = bytes(one.quality or 0 for one in hashes)
    details = bytes((score,)) * count
    return values, qualities, details, bytes(count), details


def _pdqs(shown: NDArray[np.uint8], score: int, inner: int, sketch: bool) -> _Columns:
    """Return the columns of a picture's PDQs.

    The detail of each is also bounded by the pattern of its bits, some of which may be in doubt.
    """
    each, qualities, doubts = pdq.sketches(shown, most=pdq.MOST_DOUBT if sketch else 0)
    values = b"".join(each)
    leasts, details = detail.pattern_bounds(values, doubts)
    within = _clamp(inner, score)
    return values, qualities, details.translate(within), doubts, leasts.translate(within)


@lru_cache
def _clamp(inner: int, score: int) -> bytes:
    """Return for each score of a hash's bits the detail: at most `score`, but at least `inner`."""
    return bytes(max(inner, min(score, pattern)) for pattern in range(256))
