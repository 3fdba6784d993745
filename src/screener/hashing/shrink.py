"""Grey pictures shrunk for classic hashes, byte for byte like Pillow's `convert` and `resize`.

The core takes a third of Pillow's time, and stores neither the grey picture nor its transpose.
Pillow resamples along rows, rounds, and resamples along columns; Pillow 13 and later begin with the
columns if a picture loses more than twice as many rows as columns. `shrunk` follows the installed
Pillow, so that hashes equal imagehash's, and calls a Pillow that does neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import screener._core as _core

Pixels = NDArray[np.uint8]
Size = tuple[int, int]  # width and height

_BAND = 1 << 18  # pixels made grey at a time: few enough for a processor's cache
_ROWS, _TALL = "rows first", "columns first in tall pictures"


def shrunk(pixels: Pixels, sizes: Iterable[Size], *, transposed: bool) -> dict[Size, Pixels]:
    """Return the picture, or its transpose, in each size.

    `pixels` is uint8, grey (height, width) or RGB (height, width, 3), of any strides.
    """
    wanted = sorted(sizes)
    order = _order()
    if order is None:
        picture = grey(pixels)
        if transposed:
            picture = picture.transpose(Image.Transpose.TRANSPOSE)
        return {size: _by_pillow(picture, size) for size in wanted}
    height, width = pixels.shape[1::-1] if transposed else pixels.shape[:2]
    tall = [size for size in wanted if order == _TALL and _is_tall(width, height, size)]
    made = dict(zip(tall, _columns_first(pixels, tall, transposed), strict=True))
    rest = [size for size in wanted if size not in made]
    made |= zip(rest, _core.shrink(pixels, rest, transposed) if rest else (), strict=True)
    return made


def _is_tall(width: int, height: int, size: Size) -> bool:
    lost = height - size[1]
    return lost > 0 and lost > 2 * (width - size[0])


def _columns_first(pixels: Pixels, sizes: list[Size], transposed: bool) -> list[Pixels]:
    # The transpose shrunk along rows first is the picture shrunk along columns first.
    if not sizes:
        return []
    turned = [(height, width) for width, height in sizes]
    return [one.T for one in _core.shrink(pixels, turned, not transposed)]


@cache
def _order() -> str | None:
    """Return the order in which the installed Pillow shrinks; None if it is neither."""
    random = np.random.default_rng(1)
    wide, tall = (random.integers(0, 256, shape, np.uint8) for shape in ((24, 96), (96, 24)))
    size = (9, 8)
    (of_wide,), (of_tall,) = (_core.shrink(one, [size], False) for one in (wide, tall))
    (columns_first,) = _columns_first(tall, [size], False)
    by_pillow = _by_pillow(grey(tall), size)
    if not np.array_equal(of_wide, _by_pillow(grey(wide), size)):
        return None
    if np.array_equal(of_tall, by_pillow):
        return _ROWS
    return _TALL if np.array_equal(columns_first, by_pillow) else None


def grey(pixels: Pixels) -> Image.Image:
    """Return Pillow's `convert("L")` of the pixels, in bands, since Pillow makes a copy."""
    if pixels.ndim == 2:
        return Image.fromarray(np.ascontiguousarray(pixels))
    made = np.empty(pixels.shape[:2], np.uint8)
    step = max(1, _BAND // pixels.shape[1])
    for top in range(0, len(pixels), step):
        band = np.ascontiguousarray(pixels[top : top + step])
        made[top : top + step] = np.asarray(Image.fromarray(band).convert("L"))
    return Image.fromarray(made)


def _by_pillow(picture: Image.Image, size: Size) -> Pixels:
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS))
