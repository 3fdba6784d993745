"""Regions: the parts of a frame that are hashed, each by itself: all of it, what is inside bars or
borders, and either at twice its size where it is small.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from screener.media import trim
from screener.media.picture import Frame

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
