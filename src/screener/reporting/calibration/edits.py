"""Everyday edits of a picture, as ordinary programs make them; none looks at a hash."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

from PIL import Image, ImageDraw, ImageEnhance, ImageOps

Edit = Callable[[Image.Image], Image.Image]

_LARGEST = {"JPEG": 65_500, "WEBP": 16_383}  # the longest side that the format allows


def _saved(picture: Image.Image, format: str, quality: int) -> Image.Image:
    file = io.BytesIO()
    if max(picture.size) > _LARGEST[format]:
        picture = picture.copy()
        picture.thumbnail((_LARGEST[format], _LARGEST[format]))
    picture.save(file, format, quality=quality)
    with Image.open(file) as again:
        again.load()
        return again.convert("RGB")


def _scaled(picture: Image.Image, factor: float) -> Image.Image:
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _thumbnail(picture: Image.Image) -> Image.Image:
    small = picture.copy()
    small.thumbnail((160, 160))
    return _saved(small, "JPEG", 80)


def _cropped(picture: Image.Image) -> Image.Image:
    across, down = round(picture.width * 0.01), round(picture.height * 0.01)
    return picture.crop((across, down, picture.width - across, picture.height - down))


def _captioned(picture: Image.Image) -> Image.Image:
    made = picture.copy()
    draw = ImageDraw.Draw(made)
    size = max(8, picture.height // 16)
    draw.text((size, picture.height - 2 * size), "look at this", fill="white", font_size=size)
    return made


EDITS: Mapping[str, Edit] = MappingProxyType(
    {
        "JPEG of quality 75": lambda picture: _saved(picture, "JPEG", 75),
        "JPEG of quality 30": lambda picture: _saved(picture, "JPEG", 30),
        "WebP of quality 50": lambda picture: _saved(picture, "WEBP", 50),
        "half the size": lambda picture: _scaled(picture, 0.5),
        "twice the size": lambda picture: (
            _scaled(picture, 2) if max(picture.size) < 2000 else picture
        ),
        "thumbnail": _thumbnail,
        "grey": lambda picture: ImageOps.grayscale(picture).convert("RGB"),
        "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.2),
        "more contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(1.3),
        "sharper": lambda picture: ImageEnhance.Sharpness(picture).enhance(2),
        "1 % off each side": _cropped,
        "a caption": _captioned,
        "mirrored": ImageOps.mirror,
        "a quarter turn": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    }
)
"""The edits by name; each takes and returns an RGB picture."""
