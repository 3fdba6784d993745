"""Decode WebP and AVIF directly into an array.

Pillow decodes every WebP as an animation, on two canvases, and copies the pixels of both formats
twice: 16 bytes per pixel of WebP, 9 of AVIF. The pixels are the same, since both ways use libwebp
and libavif.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from screener.media.image import pixels
from screener.media.image.orientation import read_orientation
from screener.media.image.plugins.webp import is_animated

_CHANNEL_COUNTS = {"L": 1, "RGB": 3, "RGBA": 4}


def decode_webp(image: ImageFile.ImageFile, data: bytes) -> pixels.Layers | None:
    """Return the upright pixels of a still WebP, or None if OpenCV cannot decode it."""
    channels = _CHANNEL_COUNTS.get(image.mode)
    if channels is None or is_animated(data):
        return None
    try:
        import cv2  # slow to import, and needed for WebP only
    except (ImportError, OSError, MemoryError):  # a worker's memory is limited
        return None

    # Free the plugin's decoder, which holds a copy of the file and two canvases.
    image._decoder = None  # type: ignore[attr-defined]
    try:
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        stored = None
    if stored is None or stored.shape != (image.height, image.width, channels):
        reopened = type(image)(BytesIO(data), "")
        image._decoder = reopened._decoder  # type: ignore[attr-defined]
        return None
    return pixels.from_array(_reverse_colours(stored)).turn(read_orientation(image))


def _reverse_colours(stored: NDArray[Any]) -> NDArray[Any]:
    """Return RGB or RGBA from OpenCV's BGR or BGRA, the latter in place."""
    if stored.shape[2] == 3:
        return stored[..., ::-1]
    for _, band in pixels.split_array(stored):
        band[..., :3] = band[..., 2::-1].copy()
    return stored


def decode_avif(image: ImageFile.ImageFile, number: int) -> pixels.Layers | None:
    """Return the upright pixels of an AVIF's picture, or None for an unsupported mode.

    Sets the duration in the image's `info`, and frees a still's decoder. Raises the decoder's
    errors.
    """
    decoder, channels = getattr(image, "_decoder", None), _CHANNEL_COUNTS.get(image.mode)
    if decoder is None or channels is None:
        return None
    memory, timescale, _, duration = decoder.get_frame(number)
    if getattr(image, "n_frames", 1) == 1:
        image._decoder = decoder = None  # type: ignore[attr-defined]
    else:
        image.info["duration"] = round(1000 * duration / timescale)
    shape = (image.height, image.width, channels)
    stored = np.frombuffer(memory, np.uint8).reshape(shape)
    return pixels.from_array(stored).turn(read_orientation(image))
