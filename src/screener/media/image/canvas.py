"""Memory of ours into which Pillow decodes, so that the pixels' array needs no second copy.

Pillow's own memory would take 4 bytes a pixel of colour, and an array made from it 3 more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

# Bytes of a pixel in Pillow's memory, for the modes that a canvas supports.
_BYTES = {"L": 1} | dict.fromkeys(("LA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"), 4)

# Formats whose plugins decode into the memory that an image already has.
_FORMATS = frozenset({"AVIF", "BMP", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP"})


class Canvas:
    """The memory of one picture. `lend` it before loading; `of` returns it if it was used."""

    def __init__(self) -> None:
        self._memory: NDArray[np.uint8] | None = None
        self._lent: Any = None

    def lend(self, image: ImageFile.ImageFile) -> None:
        """Let the image decode into this memory if its format and mode allow it.

        The memory of the last picture is used again if the size is the same. Raises MemoryError.
        """
        if image.mode not in _BYTES or image.format not in _FORMATS:
            return
        # Pillow reports that there is nothing to decode only if the image has no memory yet. A WebP
        # gets its tile while loading.
        if getattr(image, "_im", None) is not None or not (image.tile or image.format == "WEBP"):
            return
        width, height = getattr(image, "_tile_size", image.size)  # of a TIFF, before it is turned
        size = width * height * _BYTES[image.mode]
        self._lent = None
        if self._memory is not None and self._memory.size == size:
            self._memory[:] = 0
        else:
            self._memory = None  # freed before the next is allocated
            self._memory = np.zeros(size, np.uint8)  # rows that are not decoded are black
        core: Any = Image.core  # type: ignore[attr-defined]
        layout = (image.mode, 0, 1)
        self._lent = core.map_buffer(self._memory, (width, height), "raw", 0, layout)
        image.im = self._lent

    def of(self, image: Image.Image) -> NDArray[np.uint8] | None:
        """Return the flat memory that holds the pixels of the image, None if they are elsewhere."""
        return self._memory if self._lent is not None and image.im is self._lent else None
