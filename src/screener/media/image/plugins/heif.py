"""Decode HEIC and HEIF with `pillow-heif`, if the extra `heif` is installed.

Its plugin is not registered, so that the program's Pillow does not change.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pillow_heif
from PIL import ImageFile

from screener.media.image import pixels
from screener.media.image.structure import file_end

_CHANNEL_COUNTS = {"L": 1, "RGB": 3, "RGBA": 4}


def open_image(data: bytes) -> ImageFile.ImageFile:
    """Open a file at its first picture, reading headers only. Raises the plugin's errors."""
    try:
        image: ImageFile.ImageFile = pillow_heif.HeifImageFile(  # type: ignore[no-untyped-call]
            _without_trailing_file(data), ""
        )
    except SyntaxError:
        if len(pillow_heif.open_heif(_without_trailing_file(data))):
            raise
        raise OSError("the coding of its pictures is not supported") from None
    image.seek(0)  # it opens at the primary picture, which need not be the first
    return image


def decode(data: bytes, number: int) -> pixels.Layers | None:
    """Return a picture's pixels, turned upright by libheif, or None for deep modes."""
    options = {"convert_hdr_to_8bit": True, "remove_stride": False}
    picture = pillow_heif.open_heif(_without_trailing_file(data), **options)[number]
    if picture.mode not in _CHANNEL_COUNTS:
        return None
    channels, memory = _CHANNEL_COUNTS[picture.mode], picture.data
    shape = (picture.size[1], picture.size[0], channels)
    stored = np.ndarray(shape, np.uint8, memory, strides=(picture.stride, channels, 1))
    if memory.obj is None:  # before pillow-heif 1.6 the memory is freed with the picture
        stored = stored.copy()
    return pixels.from_array(stored)


def read_size(data: bytes, number: int) -> tuple[int, int]:
    """Return the width and height of a picture without decoding it."""
    width, height = pillow_heif.open_heif(_without_trailing_file(data))[number].size
    return int(width), int(height)


def _without_trailing_file(data: bytes) -> BytesIO:
    """Return the file without one that follows it, whose boxes libheif would read too."""
    return BytesIO(data[: file_end.find_end(data, 0)])  # no copy if there is none
