"""PDQ of pixels, identical to the published reference for identical pixels, from the core.

`compute` is the hash of a picture as it stands; `compute_orientations` gives eight, which find a
turned or mirrored copy of a picture: search all of them, and keep one in a list.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from screener import _core
from screener.errors import HashError
from screener.hashing.hash import KINDS, Hash

PDQ = KINDS["pdq"]

ORIENTATIONS = (
    "upright",
    "rotate90",
    "rotate180",
    "rotate270",
    "flip_vertical",
    "flip_horizontal",
    "transpose",
    "anti_transpose",
)
"""The names of the eight: rotations are counter-clockwise, `flip_vertical` swaps top and bottom."""


def compute(pixels: NDArray[np.uint8]) -> Hash:
    """The PDQ hash of a picture, with its quality.

    `pixels` is uint8, grey (height, width) or RGB (height, width, 3), of any size and strides; a
    view is read in place. A picture with a side under 5 pixels has the zero hash and quality 0.
    Releases the GIL. Raises HashError for any other type or shape.
    """
    value, quality = _core.pdq(_checked(pixels))
    return Hash(PDQ, value, quality=quality)


def compute_orientations(pixels: NDArray[np.uint8]) -> tuple[Hash, ...]:
    """Eight PDQ hashes in the order of ORIENTATIONS, each with the quality of the picture.

    They follow from one pass over the pixels, and those of a turned large picture are close to
    the hash of that turned picture, not equal to it. The first equals `compute` save for a picture
    of exactly 64×64, which the reference filters here and takes as it is there. Takes the same
    pixels and raises the same as `compute`.
    """
    values, quality = _core.pdq_orientations(_checked(pixels))
    size = PDQ.size
    return tuple(
        Hash(PDQ, values[start : start + size], quality=quality)
        for start in range(0, len(ORIENTATIONS) * size, size)
    )


def _checked(pixels: Any) -> NDArray[np.uint8]:
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
        found = getattr(pixels, "dtype", type(pixels).__name__)
        raise HashError(f"pixels must be a NumPy array of uint8, not {found}")
    if pixels.ndim != 2 and not (pixels.ndim == 3 and pixels.shape[2] == 3):
        raise HashError(
            f"pixels must have the shape (height, width) or (height, width, 3), not {pixels.shape}"
        )
    return pixels
