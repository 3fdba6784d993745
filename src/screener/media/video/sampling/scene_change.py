"""Compare frames by the means of 32 x 32 cells, to find new scenes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Means = NDArray[np.float32]

_CELLS_PER_SIDE = 32
_MIN_LINES = 128  # of rows and columns that are read; at most twice as many are

MAX_ALIKE_DIFFERENCE = 2.0
"""Grey levels; frames look alike if no mean differs by more."""

MIN_SCENE_DIFFERENCE = 16.0
"""Grey levels; frames show different scenes if the means differ by this on average."""


def compute_cell_means(pixels: NDArray[np.uint8]) -> Means:
    """Return the means of 32 x 32 cells of subsampled grey or RGB pixels."""
    grey = pixels if pixels.ndim == 2 else pixels[:, :, 1]
    row_step, column_step = (max(1, side // _MIN_LINES) for side in grey.shape)
    means = grey[::row_step, ::column_step].astype(np.float32)
    for axis in (0, 1):
        edges = np.arange(_CELLS_PER_SIDE + 1) * means.shape[axis] // _CELLS_PER_SIDE
        means = np.add.reduceat(means, edges[:-1], axis=axis)
        sizes = np.maximum(np.diff(edges), 1).astype(np.float32)
        means /= sizes[:, None] if axis == 0 else sizes
    return means


def is_alike(means: Means, other: Means) -> bool:
    """Return whether the hashes of two frames would hardly differ."""
    return bool(np.abs(means - other).max() <= MAX_ALIKE_DIFFERENCE)


def is_new_scene(means: Means, other: Means) -> bool:
    """Return whether two frames show different scenes, or one scene after large changes."""
    return bool(np.abs(means - other).mean() >= MIN_SCENE_DIFFERENCE)
