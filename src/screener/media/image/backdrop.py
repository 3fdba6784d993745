"""Find the picture on a backdrop, such as a blurred copy or a gradient.

A backdrop has no single colour, but the picture begins along straight lines, at the same distance
from both sides. docs/internals/pixels.md states the rules.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import screener._core as _core

Pixels = NDArray[np.uint8]


def find_without_backdrop(pixels: Pixels) -> list[Pixels]:
    """Return views of `pixels`, (H, W) grey or (H, W, 3) RGB, without the backdrop.

    Return an empty list if there is no backdrop, and two views if there is one on all four sides:
    a vertical edge of a picture with a backdrop above and below may look like its side.
    """
    grey = pixels if pixels.ndim == 2 else pixels[..., 1]
    rows = _slice_between(_core.seams(grey), len(grey))
    columns = _slice_between(_core.seams(grey[rows].swapaxes(0, 1)), grey.shape[1])
    if rows == slice(0, len(grey)) and columns != slice(0, grey.shape[1]):
        # The backdrop at the sides hid the seams above and below.
        rows = _slice_between(_core.seams(grey[:, columns]), len(grey))
        views = [pixels[:, columns], pixels[rows, columns]]
    else:
        views = [pixels[rows], pixels[rows, columns]]
    by_shape = {view.shape: view for view in views}
    by_shape.pop(pixels.shape, None)
    return list(by_shape.values())


def _slice_between(seams: tuple[int, int], length: int) -> slice:
    return slice(seams[0], length - seams[1])
