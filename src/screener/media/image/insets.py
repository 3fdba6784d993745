"""Find parts of a picture that may be pictures of their own.

The photo in a chat, a post, a collage or on a print has four straight edges.
docs/internals/insets.md states the rules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import screener._core as _core

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Inset:
    """A part of a picture that may be a picture of its own.

    Parameters
    ----------
    pixels
        (H, W) grey or (H, W, 3) RGB: a view of the picture, or what stands between four slanted
        edges, rectified.
    box
        Left, top, right and bottom in pixels of the upright picture, right and bottom exclusive.
        Of a rectified part, the bounding box.
    """

    pixels: Pixels
    box: tuple[int, int, int, int]


def find_insets(pixels: Pixels, *, limit: int, min_side: int) -> tuple[Inset, ...]:
    """Return at most `limit` parts, the likeliest first.

    `pixels` is (H, W) grey or (H, W, 3) RGB, with any strides. The shorter side of a part has at
    least `min_side` pixels, and at least 32.
    """
    corners = _core.insets(pixels, limit, min_side).reshape(-1, 4, 2)
    # A box beyond the picture would make its whole result invalid.
    corners = np.clip(corners, 0, pixels.shape[1::-1])
    return tuple(_cut_out(pixels, four) for four in corners)


def _cut_out(pixels: Pixels, corners: NDArray[np.float64]) -> Inset:
    left, top = (int(value) for value in np.floor(corners.min(axis=0)))
    right, bottom = (int(value) for value in np.ceil(corners.max(axis=0)))
    box = left, top, right, bottom
    is_upright = np.isin(corners, (box[::2], box[1::2])).all()
    inset = pixels[top:bottom, left:right]
    return Inset(inset if is_upright else _rectify(inset, corners - (left, top)), box)


def _rectify(pixels: Pixels, corners: NDArray[np.float64]) -> Pixels:
    sides = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
    width, height = (max(1, round((sides[n] + sides[n + 2]) / 2)) for n in range(2))
    return _core.rectify(pixels, corners, width, height)
