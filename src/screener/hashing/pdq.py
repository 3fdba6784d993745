"""PDQ of pixels, computed by the core and bit-for-bit identical to the published reference.

To find turned and mirrored copies, search all of `compute_orientations`, and list the first. If
you have a hash alone, search its `derive_orientations`.
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
"""Rotations are counter-clockwise; `flip_vertical` swaps top and bottom."""

# For each orientation, whether the bits are transposed, and which are then inverted. Bit 255 comes
# first, so an even row or column of coefficients is odd here.
_ROWS = np.tile(np.array([0x00, 0x00, 0xFF, 0xFF], np.uint8), 8)
_COLUMNS = np.full(32, 0x55, np.uint8)
_BOTH, _NONE = _ROWS ^ _COLUMNS, _ROWS ^ _ROWS
_TRANSPOSED = np.array([0, 1, 0, 1, 0, 0, 1, 1])
_INVERTED = np.stack([_NONE, _ROWS, _BOTH, _COLUMNS, _ROWS, _COLUMNS, _NONE, _BOTH])

MOST_DOUBT = 8
"""How many bits of a sketch may be in doubt: each widens the search around it, which takes time."""


def compute(pixels: NDArray[np.uint8]) -> Hash:
    """Return the PDQ hash of a picture, with its quality.

    `pixels` is uint8, grey (height, width) or RGB (height, width, 3), of any size and strides; a
    view is read in place. A picture with a side under 5 pixels has the zero hash and quality 0.
    Releases the GIL. Raises HashError for another type or shape.
    """
    value, quality = _core.pdq(arguments.check_pixels(pixels))
    return Hash.of_checked(PDQ, value, quality)


def compute_orientations(pixels: NDArray[np.uint8]) -> tuple[Hash, ...]:
    """Return the PDQ hashes of a picture in eight orientations, in the order of ORIENTATIONS.

    Each equals `compute` of the turned picture, in bits and quality. Pixels and errors are those of
    `compute`.
    """
    return tuple(
        Hash.of_checked(PDQ, value, quality)
        for value, quality in _core.pdq_orientations(arguments.check_pixels(pixels))
    )


def derive_orientations(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the codes of turned pictures, (n, 8, 32), from those of the upright ones, (n, 32).

    They are in the order of ORIENTATIONS. The transposed one is exact. Bits of the others may
    differ from the turned picture's hash, more of them the smaller the picture is: docs/hashing.md.
    """
    bits = np.unpackbits(codes, axis=1).reshape(-1, 16, 16)
    transposed = np.packbits(bits.swapaxes(1, 2).reshape(-1, PDQ.bits), axis=1)
    return np.stack((codes, transposed), axis=1)[:, _TRANSPOSED] ^ _INVERTED


def sketches(
    pixels: NDArray[np.uint8], *, most: int = MOST_DOUBT
) -> tuple[tuple[bytes, ...], bytes, bytes]:
    """Return approximations of `compute_orientations` in a fraction of the time.

    Returns the values, their qualities, and how many bits of each may differ from the hash, at most
    `most`; the last two have a byte for each value. The quality is exact.
    """
    values, qualities, doubts = zip(
        *_core.pdq_sketches(arguments.check_pixels(pixels), most), strict=True
    )
    return values, bytes(qualities), bytes(doubts)


def compute_batch(
    pictures: NDArray[np.uint8] | Sequence[NDArray[np.uint8]], *, threads: int = 1
) -> tuple[Hash, ...]:
    """Return the PDQ hash of each of many pictures, as `compute` returns it.

    `pictures` is a list of arrays of any shapes that `compute` takes, or one array of frames:
    uint8, grey (n, height, width) or RGB (n, height, width, 3). They are read in place and must not
    change meanwhile. Releases the GIL; 1 to 1024 `threads` share the pictures. Raises HashError for
    another type, shape or number.
    """
    count = check_threads(threads)
    if isinstance(pictures, np.ndarray):
        each = list(arguments.check_pixels(pictures, "frames", before=("n",)))
    elif not isinstance(pictures, Sequence):
        # An iterator may yield the same buffer again and again.
        raise HashError(f"pictures must be a list of arrays, not {type(pictures).__name__}")
    else:
        each = [
            arguments.check_pixels(one, f"picture {number}") for number, one in enumerate(pictures)
        ]
    return tuple(
        Hash.of_checked(PDQ, value, quality) for value, quality in _core.pdq_batch(each, count)
    )
