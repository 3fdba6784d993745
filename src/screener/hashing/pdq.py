"""PDQ of pixels, identical to the published reference for identical pixels, from the core.

`compute` is the hash of a picture as it stands; `compute_orientations` gives eight, which find a
turned or mirrored copy of a picture: search all of them, and keep one in a list.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import screener._core as _core
from screener import arguments
from screener.arguments import check_threads
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


MOST_DOUBT = 8
"""Bits of a sketch that may be in doubt: the further round it has to be looked, the longer a search
takes.
"""


def compute(pixels: NDArray[np.uint8]) -> Hash:
    """The PDQ hash of a picture, with its quality.

    `pixels` is uint8, grey (height, width) or RGB (height, width, 3), of any size and strides; a
    view is read in place. A picture with a side under 5 pixels has the zero hash and quality 0.
    Releases the GIL. Raises HashError for any other type or shape.
    """
    value, quality = _core.pdq(arguments.check_pixels(pixels))
    return Hash.of_checked(PDQ, value, quality)


def compute_orientations(pixels: NDArray[np.uint8]) -> tuple[Hash, ...]:
    """The PDQ hashes of a picture turned in eight ways, in the order of ORIENTATIONS.

    Each equals `compute` of the turned picture, bit for bit and in quality: the first is that of
    the picture as it stands. Takes the same pixels and raises the same as `compute`.
    """
    return tuple(
        Hash.of_checked(PDQ, value, quality)
        for value, quality in _core.pdq_orientations(arguments.check_pixels(pixels))
    )


def sketches(
    pixels: NDArray[np.uint8], *, most: int = MOST_DOUBT
) -> tuple[tuple[bytes, ...], bytes, bytes]:
    """As `compute_orientations`, in a small part of the time: the values, their qualities, and how
    many of their bits are in doubt, at most so many. Those may be others in the hash; its quality
    is sure. A byte stands for each number.
    """
    values, qualities, doubts = zip(
        *_core.pdq_sketches(arguments.check_pixels(pixels), most), strict=True
    )
    return values, bytes(qualities), bytes(doubts)


def compute_batch(
    pictures: NDArray[np.uint8] | Sequence[NDArray[np.uint8]], *, threads: int = 1
) -> tuple[Hash, ...]:
    """The PDQ hash of each of many pictures, as `compute` gives it, in their order.

    `pictures` is a list of arrays as `compute` takes them, of any shapes, or one array of frames:
    uint8, grey (n, height, width) or RGB (n, height, width, 3). All are read in place, and must
    hold their pixels until it returns. Releases the GIL once for all; the answer is the same for
    any number of `threads`, 1 to 1024, that share the pictures. Raises HashError for any other
    type, shape or number.
    """
    count = check_threads(threads)
    if isinstance(pictures, np.ndarray):
        each = list(arguments.check_pixels(pictures, "frames", before=("n",)))
    elif not isinstance(pictures, Sequence):
        # What yields them one by one may yield one buffer, filled again and again.
        raise HashError(f"pictures are a list of arrays, not {type(pictures).__name__}")
    else:
        each = [
            arguments.check_pixels(one, f"picture {number}") for number, one in enumerate(pictures)
        ]
    return tuple(
        Hash.of_checked(PDQ, value, quality) for value, quality in _core.pdq_batch(each, count)
    )
