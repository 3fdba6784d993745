"""Provide memory into which Pillow decodes, so that no second copy becomes the pixels' array.

Pillow's own memory would take 4 bytes per colour pixel, and an array made from it 3 more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

# In Pillow's memory, for the modes that a canvas supports.
_BYTES_PER_PIXEL = {"L": 1} | dict.fromkeys(("LA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"), 4)

# Their plugins decode into the memory that an image already has.
_SUPPORTED_FORMATS = frozenset(
    {"AVIF", "BMP", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP"}
)


class Canvas:
    """The memory of one picture. Call `lend` before loading, and `memory_of` afterwards."""

    def __init__(self) -> None:
        self._memory: NDArray[np.uint8] | None = None
        self._lent: Any = None

    def lend(self, image: ImageFile.ImageFile) -> None:
        """Make the image decode into this memory if its format and mode allow it.

        The previous picture's memory is reused if the size is the same. Raises MemoryError if
        memory is too short.
        """
        if image.mode not in _BYTES_PER_PIXEL or image.format not in _SUPPORTED_FORMATS:
            return
        # An image that has memory already could not report that there is nothing to decode. A WebP
        # gets its tile while loading.
        if getattr(image, "_im", None) is not None or not (image.tile or image.format == "WEBP"):
            return
        # `_tile_size` is a TIFF's size before it is turned.
        width, height = getattr(image, "_tile_size", image.size)
        size = width * height * _BYTES_PER_PIXEL[image.mode]
        self._lent = None
        if self._memory is not None and self._memory.size == size:
            self._memory[:] = 0
        else:
            self._memory = None  # freed before the next is allocated
            self._memory = np.zeros(size, np.uint8)  # zeros, so that missing rows are black
        core: Any = Image.core  # type: ignore[attr-defined]
        layout = (image.mode, 0, 1)
        self._lent = core.map_buffer(self._memory, (width, height), "raw", 0, layout)
        image.im = self._lent

    def memory_of(self, image: Image.Image) -> NDArray[np.uint8] | None:
        """Return the flat memory if it contains the image's pixels, else None."""
        return self._memory if self._lent is not None and image.im is self._lent else None
