"""Whether frames look alike or show different scenes, by the means of 32 x 32 cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Means = NDArray[np.float32]

_SIDE = 32
_FINE = 128  # rows and columns that are read, up to twice as many

ALIKE = 2.0
"""Grey levels: frames look alike if no mean differs by more."""

NEW_SCENE = 16.0
"""Grey levels: a frame shows a new scene if the means differ by this on average."""


def cell_means(pixels: NDArray[np.uint8]) -> Means:
    """Return the means of 32 x 32 cells of grey (H, W) or RGB (H, W, 3) pixels, subsampled."""
    grey = pixels if pixels.ndim == 2 else pixels[:, :, 1]
    thin = grey[:: max(1, grey.shape[0] // _FINE), :: max(1, grey.shape[1] // _FINE)]
    means = thin.astype(np.float32)
    for axis in (0, 1):
        edges = np.arange(_SIDE + 1) * means.shape[axis] // _SIDE
        means = np.add.reduceat(means, edges[:-1], axis=axis)
        sizes = np.maximum(np.diff(edges), 1).astype(np.float32)
        means /= sizes[:, None] if axis == 0 else sizes
    return means


def looks_alike(means: Means, other: Means) -> bool:
    """Return whether the hashes of two frames would hardly differ."""
    return bool(np.abs(means - other).max() <= ALIKE)


def is_new_scene(means: Means, other: Means) -> bool:
    """Return whether two frames show different scenes, or one scene much changed."""
    return bool(np.abs(means - other).mean() >= NEW_SCENE)
