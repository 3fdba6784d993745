"""Bars at the edges of a video: lines that have one colour in every frame that was looked at.

A dark scene between black bars hides them in any one of its frames; that they never change tells
them. What lies between them is looked at beside the whole frame, never instead of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
_Plain = NDArray[np.bool_]

_LEAST = 40  # pixels that are left, and a fifth of the side
_KEPT = 5
_SAMPLES = 256  # along a line; more would only cost time
_NOISE = 3  # levels from the colour of the outermost line,
_FAR = 0.02  # which so much of a line may lie outside of


class Bars:
    """The bars of one video; learns from each frame."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()
        self._plain: list[_Plain] = []  # which rows and columns have always been plain
        self._colours: list[tuple[int, int]] = []  # at their first and last

    def see(self, pixels: Pixels) -> None:
        """Learn from a grey frame, (H, W)."""
        axes = (pixels, pixels.swapaxes(0, 1))
        if pixels.shape != self._shape:
            self._shape = pixels.shape
            self._colours = [_colours(axis) for axis in axes]
            self._plain = [np.ones(len(axis), np.bool_) for axis in axes]
        for plain, axis, colours in zip(self._plain, axes, self._colours, strict=True):
            plain &= _is_plain(axis, colours)

    def views(self, pixels: Pixels) -> tuple[Pixels, ...]:
        """A frame without its bars: above and below, at the sides, and both; as far as it has any.

        Views of `pixels`, none of them the whole.
        """
        if pixels.shape != self._shape:
            return ()
        rows, columns = (_between(plain) for plain in self._plain)
        whole = slice(0, pixels.shape[0]), slice(0, pixels.shape[1])
        cuts = [(rows, whole[1]), (whole[0], columns), (rows, columns)]
        views = [
            pixels[one, other]
            for one, other in cuts
            if one is not None and other is not None and (one, other) != whole
        ]
        return tuple(views if None not in (rows, columns) else views[:1])


def _colours(lines: Pixels) -> tuple[int, int]:
    return int(np.median(lines[0])), int(np.median(lines[-1]))


def _is_plain(lines: Pixels, colours: tuple[int, int]) -> _Plain:
    """Which lines have the colour of the outermost one at their side."""
    thin = lines[:, :: max(1, lines.shape[1] // _SAMPLES)].astype(np.int16)
    own = np.full((len(lines), 1), colours[0], np.int16)
    own[len(lines) // 2 :] = colours[1]
    plain: _Plain = (np.abs(thin - own) > _NOISE).mean(axis=1) <= _FAR
    return plain


def _between(plain: _Plain) -> slice | None:
    """The lines between the plain ones at both ends; None where there are none, or too few left."""
    length = len(plain)
    start = length if plain.all() else int(np.argmin(plain))
    end = length if plain.all() else length - int(np.argmin(plain[::-1]))
    left = end - start
    taken_off = length - left
    if left < max(_LEAST, length // _KEPT) or taken_off * 100 < length:
        return None
    return slice(start, end)
