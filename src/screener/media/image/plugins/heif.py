"""HEIC and HEIF by `pillow-heif`, if the extra `heif` is installed.

Its plugin is not registered, so that the program's Pillow does not change.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pillow_heif
from PIL import ImageFile

from screener.media.image import pixels
from screener.media.image.structure import file_end

_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}


def opened(data: bytes) -> ImageFile.ImageFile:
    """Open a file at its first picture, reading headers only. Raises what the plugin raises."""
    try:
        image: ImageFile.ImageFile = pillow_heif.HeifImageFile(  # type: ignore[no-untyped-call]
            _alone(data), ""
        )
    except SyntaxError:
        if len(pillow_heif.open_heif(_alone(data))):
            raise
        raise OSError("how its pictures are coded is not supported") from None
    image.seek(0)  # it begins at the primary picture, which need not be the first
    return image


def decoded(data: bytes, number: int) -> pixels.Pixels | None:
    """Return the pixels of a picture, upright as libheif has turned them; None for a deep mode."""
    options = {"convert_hdr_to_8bit": True, "remove_stride": False}
    picture = pillow_heif.open_heif(_alone(data), **options)[number]
    if picture.mode not in _CHANNELS:
        return None
    channels, memory = _CHANNELS[picture.mode], picture.data
    shape = (picture.size[1], picture.size[0], channels)
    stored = np.ndarray(shape, np.uint8, memory, strides=(picture.stride, channels, 1))
    if memory.obj is None:  # before pillow-heif 1.6 the memory is freed with the picture
        stored = stored.copy()
    return pixels.from_array(stored)


def size(data: bytes, number: int) -> tuple[int, int]:
    """Return the width and height of a picture without decoding it."""
    width, height = pillow_heif.open_heif(_alone(data))[number].size
    return int(width), int(height)


def _alone(data: bytes) -> BytesIO:
    """Return the file without another one behind it, whose boxes libheif would take for its own."""
    return BytesIO(data[: file_end.end(data, 0)])  # no copy if there is none
