"""Bars at the edges of a video: lines that have one colour in every frame that was looked at.

A dark scene between black bars hides them in any one of its frames; that they never change tells
them. A picture whose own edges are as dark, or that has bars of its own, ends nowhere that could be
seen: there it may be of any usual shape, in the middle. What lies between bars is looked at beside
the whole frame, never instead of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
_Place = tuple[slice, slice]  # rows and columns

_LEAST = 40  # pixels that are left, and a fifth of the side
_KEPT = 5
_SAMPLES = 256  # along a line; more would only cost time
_NOISE = 3  # levels from the colour of the outermost line,
_FAR = 0.02  # which so much of a line may lie outside of
_NEAR = 100  # bars of less than such a part of the side are none
_RINGING = 6  # lines of a bar, at its end, that an encoder may have spoilt

# Of pictures and videos, width to height, the commonest first; and how many are tried.
_SHAPES = (16 / 9, 9 / 16, 4 / 3, 3 / 4, 1.0, 3 / 2, 2 / 3, 2.39)
_TRIED = 6


@dataclass
class _Side:
    """How many lines from a side inwards have always had the side's colour."""

    count: int
    colour: int

    def see(self, lines: Pixels) -> None:
        """Learn from a frame, its lines counted from this side."""
        near = lines[: self.count, :: max(1, lines.shape[1] // _SAMPLES)].astype(np.int16)
        other = (np.abs(near - self.colour) > _NOISE).mean(axis=1) > _FAR
        if other.any():
            self.count = int(np.argmax(other))


class Bars:
    """The bars of one video; learns from each frame."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()
        self._sides: list[_Side] = []  # above, below, left, right

    def see(self, pixels: Pixels) -> None:
        """Learn from a grey frame, (H, W)."""
        across = pixels.swapaxes(0, 1)
        sides = (pixels, pixels[::-1], across, across[::-1])
        if pixels.shape != self._shape:
            self._shape = pixels.shape
            self._sides = [_Side(len(lines), int(np.median(lines[0]))) for lines in sides]
        for side, lines in zip(self._sides, sides, strict=True):
            if side.count:
                side.see(lines)

    def views(self, pixels: Pixels) -> tuple[Pixels, ...]:
        """A frame without its bars: above and below, at the sides, and both; as far as it has any.
        Then without as much of them as leaves it a usual shape.

        Views of `pixels`, none of them the whole.
        """
        if pixels.shape != self._shape:
            return ()
        above, below, left, right = (side.count for side in self._sides)
        height, width = pixels.shape
        rows, columns = _between(above, below, height), _between(left, right, width)
        bare: list[_Place] = []
        if rows is not None:
            bare.append((rows, slice(0, width)))
        if columns is not None:
            bare.append((slice(0, height), columns))
        if rows is not None and columns is not None:
            bare.append((rows, columns))
        taken = (*bare, *islice(self._usual(rows, columns), _TRIED))
        return tuple(pixels[place] for place in taken)

    def _usual(self, rows: slice | None, columns: slice | None) -> Iterator[_Place]:
        """Places of a usual shape in the middle, the commonest first, that leave out bars, or some
        of them, and nothing else; `rows` and `columns` lie between all that are known.
        """
        above, below, left, right = (side.count for side in self._sides)
        height, width = self._shape
        for shape in _SHAPES:
            if rows is not None:
                for across in filter(None, (slice(0, width), columns)):
                    kept = (across.stop - across.start) / shape
                    if (middle := _middle(height, kept, above, below)) is not None:
                        yield middle, across
            if columns is not None:
                for across in filter(None, (slice(0, height), rows)):
                    kept = (across.stop - across.start) * shape
                    if (middle := _middle(width, kept, left, right)) is not None:
                        yield across, middle


def _between(before: int, after: int, length: int) -> slice | None:
    """The lines between two bars; None where there is nothing to take off, or too little left."""
    left = length - before - after
    if left < max(_LEAST, length // _KEPT) or (before + after) * _NEAR < length:
        return None
    return slice(before, length - after)


def _middle(length: int, kept: float, before: int, after: int) -> slice | None:
    """So many lines in the middle of all; None where those are not bars, or some of them, that are
    left out, or are all of the bars to a line.
    """
    edge = round((length - kept) / 2)
    if edge * _NEAR <= length or edge > min(before, after) + _RINGING:
        return None
    if max(abs(before - edge), abs(after - edge)) <= 1:
        return None
    return slice(edge, length - edge)
