"""Bars at the edges of a video: lines that have one colour in every frame that was looked at.

A dark scene between black bars hides them in any one of its frames; that they never change tells
them. What lies between them is looked at beside the whole frame, never instead of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

_LEAST = 40  # pixels that are left, and a fifth of the side
_KEPT = 5
_SAMPLES = 256  # along a line; more would only cost time
_NOISE = 3  # levels from the colour of the outermost line,
_FAR = 0.02  # which so much of a line may lie outside of


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

        Views of `pixels`, none of them the whole.
        """
        if pixels.shape != self._shape:
            return ()
        above, below, left, right = (side.count for side in self._sides)
        rows = _between(above, below, pixels.shape[0])
        columns = _between(left, right, pixels.shape[1])
        views = []
        if rows is not None:
            views.append(pixels[rows])
        if columns is not None:
            views.append(pixels[:, columns])
        if rows is not None and columns is not None:
            views.append(pixels[rows, columns])
        return tuple(views)


def _between(before: int, after: int, length: int) -> slice | None:
    """The lines between two bars; None where there is nothing to take off, or too little left."""
    left = length - before - after
    if left < max(_LEAST, length // _KEPT) or (before + after) * 100 < length:
        return None
    return slice(before, length - after)
