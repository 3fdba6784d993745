"""Backdrops: what fills the rest of a frame into which a picture of another shape was set.

Apps that show a wide picture on a tall screen, or a tall one on a wide, put a blurred copy of it
behind it, or a run of colours. Such bars have no one colour, but where they end the picture begins
along a straight line, and as far from one side as from the other. docs/internals/pixels.md
states the rules.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import screener._core as _core

Pixels = NDArray[np.uint8]


def taken_off(pixels: Pixels) -> list[Pixels]:
    """The picture without its backdrop: views of `pixels`, (H, W) grey or (H, W, 3) RGB, of any
    strides; none where it has none to be told. Two where it has one on all four sides: of a picture
    that has one above and below only, an upright pair of edges may be taken for the others.
    """
    grey = pixels if pixels.ndim == 2 else pixels[..., 1]
    rows = _between(_core.seams(grey), len(grey))
    columns = _between(_core.seams(grey[rows].swapaxes(0, 1)), grey.shape[1])
    if rows == slice(0, len(grey)) and columns != slice(0, grey.shape[1]):
        # What stands beside the picture hid the seams above and below.
        rows = _between(_core.seams(grey[:, columns]), len(grey))
        views = [pixels[:, columns], pixels[rows, columns]]
    else:
        views = [pixels[rows], pixels[rows, columns]]
    left = {view.shape: view for view in views}
    left.pop(pixels.shape, None)
    return list(left.values())


def _between(seams: tuple[int, int], length: int) -> slice:
    """What lies between the lines that a backdrop has on either side."""
    return slice(seams[0], length - seams[1])
