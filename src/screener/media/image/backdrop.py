"""Backdrops: a blurred copy of a picture, or a gradient, that fills a frame of another shape.

Such bars have no single colour, but the picture begins along a straight line, at the same distance
from both sides. docs/internals/pixels.md states the rules.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import screener._core as _core

Pixels = NDArray[np.uint8]


def taken_off(pixels: Pixels) -> list[Pixels]:
    """Return the picture without its backdrop: views of `pixels`, (H, W) grey or (H, W, 3) RGB.

    Returns none if no backdrop is found, and two views if one is found on all four sides: an
    upright edge in a picture with a backdrop above and below may be taken for the others.
    """
    grey = pixels if pixels.ndim == 2 else pixels[..., 1]
    rows = _between(_core.seams(grey), len(grey))
    columns = _between(_core.seams(grey[rows].swapaxes(0, 1)), grey.shape[1])
    if rows == slice(0, len(grey)) and columns != slice(0, grey.shape[1]):
        # The backdrop at the sides hid the seams above and below.
        rows = _between(_core.seams(grey[:, columns]), len(grey))
        views = [pixels[:, columns], pixels[rows, columns]]
    else:
        views = [pixels[rows], pixels[rows, columns]]
    left = {view.shape: view for view in views}
    left.pop(pixels.shape, None)
    return list(left.values())


def _between(seams: tuple[int, int], length: int) -> slice:
    return slice(seams[0], length - seams[1])
