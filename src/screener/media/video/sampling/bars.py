"""Bars at the edges of a video: lines that have one colour in every sampled frame.

If a picture's own edges look like bars, it is assumed to be centred and of a usual shape. What lies
between bars is compared beside the whole frame, never instead of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
_Place = tuple[slice, slice]  # rows and columns

_LEAST = 40  # lines that must be left,
_SHARE = 5  # and a fifth of the side
_SAMPLES = 256  # along a line
_NOISE = 3  # grey levels from the colour of the outermost line;
_FAR = 0.02  # this share of a line may be further from it
_NEAR = 100  # thinner parts of the side are no bars
_RINGING = 6  # lines at the end of a bar that an encoder may have changed

# Width to height of pictures and videos, the commonest first; and how many are tried.
_SHAPES = (16 / 9, 9 / 16, 4 / 3, 3 / 4, 1.0, 3 / 2, 2 / 3, 2.39)
_TRIED = 6


@dataclass
class _Side:
    """A side, and how many lines from it inwards have always had its colour."""

    count: int
    colour: int

    def see(self, lines: Pixels) -> None:
        near = lines[: self.count, :: max(1, lines.shape[1] // _SAMPLES)].astype(np.int16)
        other = (np.abs(near - self.colour) > _NOISE).mean(axis=1) > _FAR
        if other.any():
            self.count = int(np.argmax(other))


class Bars:
    """The bars of one video, updated by each frame."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()
        self._sides: list[_Side] = []  # above, below, left, right

    def see(self, pixels: Pixels) -> None:
        """Update from a grey frame, (H, W)."""
        across = pixels.swapaxes(0, 1)
        sides = (pixels, pixels[::-1], across, across[::-1])
        if pixels.shape != self._shape:
            self._shape = pixels.shape
            self._sides = [_Side(len(lines), int(np.median(lines[0]))) for lines in sides]
        for side, lines in zip(self._sides, sides, strict=True):
            if side.count:
                side.see(lines)

    def views(self, pixels: Pixels) -> tuple[Pixels, ...]:
        """Return a frame without its bars: above and below, at the sides, both.

        More follow, with as much of the bars as gives a usual shape. All are views of `pixels`.
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
        places = (*bare, *islice(self._usual(rows, columns), _TRIED))
        return tuple(pixels[place] for place in places)

    def _usual(self, rows: slice | None, columns: slice | None) -> Iterator[_Place]:
        """Yield centred places of a usual shape, the commonest first, that leave off only bars.

        `rows` and `columns` are what lies between the bars.
        """
        above, below, left, right = (side.count for side in self._sides)
        height, width = self._shape
        for shape in _SHAPES:
            if rows is not None:
                for across in filter(None, (slice(0, width), columns)):
                    inner = (across.stop - across.start) / shape
                    if (middle := _middle(height, inner, above, below)) is not None:
                        yield middle, across
            if columns is not None:
                for across in filter(None, (slice(0, height), rows)):
                    inner = (across.stop - across.start) * shape
                    if (middle := _middle(width, inner, left, right)) is not None:
                        yield across, middle


def _between(before: int, after: int, length: int) -> slice | None:
    """Return the lines between two bars; None if the bars are too thin or leave too little."""
    left = length - before - after
    if left < max(_LEAST, length // _SHARE) or (before + after) * _NEAR < length:
        return None
    return slice(before, length - after)


def _middle(length: int, inner: float, before: int, after: int) -> slice | None:
    """Return the `inner` middle lines; None if that leaves off more than bars, or exactly them."""
    edge = round((length - inner) / 2)
    if edge * _NEAR <= length or edge > min(before, after) + _RINGING:
        return None
    if max(abs(before - edge), abs(after - edge)) <= 1:
        return None
    return slice(edge, length - edge)
