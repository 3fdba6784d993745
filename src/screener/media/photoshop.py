"""Photoshop files of one bit a pixel, of which Pillow makes a negative."""

from __future__ import annotations

from PIL import Image, PsdImagePlugin


def mend(image: Image.Image) -> None:
    """Have the pixels read so that 0 is white, as Photoshop writes them, before they are loaded."""
    if isinstance(image, PsdImagePlugin.PsdImageFile) and image.mode == "1":
        image.tile = [tile._replace(args="1;I") for tile in image.tile]
