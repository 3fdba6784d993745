"""Canvas: memory of ours into which Pillow decodes a picture, so that its array needs no second.

Pillow would keep the picture in memory of its own, 4 bytes a pixel of colour, and an array made of
that takes 3 more. On a canvas the array is made in place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

# What Pillow's memory of a pixel takes, of the modes that are decoded into ours.
_BYTES = {"L": 1} | dict.fromkeys(("LA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"), 4)

# Those whose plugins decode into the memory that an image has.
_FORMATS = frozenset({"AVIF", "BMP", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP"})


class Canvas:
    """The memory of one picture. `lend` it before the picture is loaded; `of` says afterwards
    whether the picture is on it.
    """

    def __init__(self) -> None:
        self._memory: NDArray[np.uint8] | None = None
        self._lent: Any = None

    def lend(self, image: ImageFile.ImageFile) -> None:
        """Have the image decoded into this memory, if it is of a kind that can be.

        What a picture needs is taken anew, or that of the last picture again. Raises MemoryError.
        """
        if image.mode not in _BYTES or image.format not in _FORMATS:
            return
        # With nothing to decode, Pillow says so only where the image has no memory yet. (A WebP
        # has its tile when it is loaded.)
        if getattr(image, "_im", None) is not None or not (image.tile or image.format == "WEBP"):
            return
        width, height = getattr(image, "_tile_size", image.size)  # of a TIFF, as it is stored
        size = width * height * _BYTES[image.mode]
        self._lent = None
        if self._memory is not None and self._memory.size == size:
            self._memory[:] = 0
        else:
            self._memory = None  # before the next is taken
            self._memory = np.zeros(size, np.uint8)  # what is not decoded is black
        core: Any = Image.core  # type: ignore[attr-defined]
        layout = (image.mode, 0, 1)
        self._lent = core.map_buffer(self._memory, (width, height), "raw", 0, layout)
        image.im = self._lent

    def of(self, image: Image.Image) -> NDArray[np.uint8] | None:
        """The memory that holds the pixels of the image, flat; None if they are elsewhere."""
        return self._memory if self._lent is not None and image.im is self._lent else None
