"""Means: of 32 x 32 cells of a frame, by which frames look alike, or show another scene."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Means = NDArray[np.float32]

_SIDE = 32
_FINE = 128  # so many rows and columns, or up to twice as many, are looked at

ALIKE = 2.0
"""Frames look alike where no mean differs by more than so many of 255 grey levels."""

ANOTHER = 16.0
"""A frame shows another scene where the means differ by so many grey levels on average."""


def of(pixels: NDArray[np.uint8]) -> Means:
    """The means of 32 x 32 cells of grey (H, W) or RGB (H, W, 3) pixels, of every n-th pixel."""
    grey = pixels if pixels.ndim == 2 else pixels[:, :, 1]
    thin = grey[:: max(1, grey.shape[0] // _FINE), :: max(1, grey.shape[1] // _FINE)]
    sums = thin.astype(np.float32)
    for axis in (0, 1):
        edges = np.arange(_SIDE + 1) * sums.shape[axis] // _SIDE
        sums = np.add.reduceat(sums, edges[:-1], axis=axis)
        sizes = np.maximum(np.diff(edges), 1).astype(np.float32)
        sums /= sizes[:, None] if axis == 0 else sizes
    return sums


def alike(one: Means, other: Means) -> bool:
    """Whether two frames look alike: their hashes would hardly differ."""
    return bool(np.abs(one - other).max() <= ALIKE)


def another_scene(one: Means, other: Means) -> bool:
    """Whether two frames show different scenes, or one scene much changed."""
    return bool(np.abs(one - other).mean() >= ANOTHER)
