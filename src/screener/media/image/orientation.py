"""The EXIF orientation of a picture: reading, applying and undoing it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

ORIENTATION_TAG = 0x0112
"""The number of the orientation's tag in EXIF and TIFF."""

_INVERSES = {6: 8, 8: 6}  # each other orientation is its own inverse


def read_orientation(image: Image.Image) -> int:
    """Return the EXIF, TIFF or XMP orientation, 1 to 8; the default is 1."""
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
        return value if isinstance(value, int) and 1 <= value <= 8 else 1
    except MemoryError:
        raise
    except Exception:
        # Viewers show a picture with broken metadata as it is stored.
        return 1


def apply_orientation(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return a view of stored pixels that is upright by their EXIF orientation."""
    if orientation in (3, 4, 6, 7):
        pixels = pixels[::-1]
    if orientation in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    return pixels


def undo_orientation(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return a view of upright pixels as they are stored."""
    return apply_orientation(pixels, _INVERSES.get(orientation, orientation))


def defer_orientation(image: ImageFile.ImageFile) -> int:
    """Return the current frame's orientation, which is still to be applied after loading.

    Pillow would turn a TIFF while it loads, with a second copy of its pixels; this prevents that.
    """
    orientation = read_orientation(image)
    size = getattr(image, "_tile_size", None)
    if image.format == "TIFF" and orientation != 1 and size is not None:
        image.getexif()[ORIENTATION_TAG] = 1
        image._size = size
    return orientation
