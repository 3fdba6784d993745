"""Show a transparent picture on other grounds than white.

Viewers and other tools show it on black as well, and cut-off corners of a photo disturb its hash
least in the mean grey of what is visible. docs/internals/pixels.md states the rules.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image

from screener.media.image.pixels import Pixels, split_array

# Of a picture of more pixels, only every second, third ... row and column is shown, so that other
# grounds take no memory to speak of.
_MAX_PIXELS = 1 << 22


def show_on_grounds(white: Pixels, alpha: Pixels) -> Iterator[tuple[str, Pixels]]:
    """Yield the picture in grey on black and on its mean, after the name of the region.

    `white` is the picture on white, (H, W) grey or (H, W, 3) RGB; `alpha` is (H, W).
    """
    step = math.isqrt(max(alpha.size - 1, 0) // _MAX_PIXELS) + 1
    white, alpha = white[::step, ::step], alpha[::step, ::step]
    black = np.empty(alpha.shape, np.uint8)
    for rows, band in split_array(white):
        # On white, what is clear adds as much to each colour, and so to their luma.
        black[rows] = _to_luma(band) - ~alpha[rows]
    yield "on_black", black
    opaque = int(alpha.sum(dtype=np.int64))
    if opaque:
        yield "on_mean", _add_ground(black, alpha, int(black.sum(dtype=np.int64)) * 255 / opaque)


def _to_luma(band: Pixels) -> Pixels:
    if band.ndim == 2:
        return band
    return np.asarray(Image.fromarray(np.ascontiguousarray(band)).convert("L"))


def _add_ground(black: Pixels, alpha: Pixels, ground: float) -> Pixels:
    """Return a picture on black on a ground of this grey."""
    added = np.rint((255 - np.arange(256)) / 255 * ground).astype(np.uint8)
    return black + added[alpha]
