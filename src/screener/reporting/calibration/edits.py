"""Everyday edits of a picture, as ordinary programs make them, whatever its hash."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

from PIL import Image, ImageDraw, ImageEnhance, ImageOps

Edit = Callable[[Image.Image], Image.Image]

_MAX_SIDE_PIXELS = {"JPEG": 65_500, "WEBP": 16_383}


def _encode(picture: Image.Image, format: str, quality: int) -> Image.Image:
    file = io.BytesIO()
    if max(picture.size) > _MAX_SIDE_PIXELS[format]:
        picture = picture.copy()
        picture.thumbnail((_MAX_SIDE_PIXELS[format], _MAX_SIDE_PIXELS[format]))
    picture.save(file, format, quality=quality)
    with Image.open(file) as decoded:
        decoded.load()
        return decoded.convert("RGB")


def _scale(picture: Image.Image, factor: float) -> Image.Image:
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _make_thumbnail(picture: Image.Image) -> Image.Image:
    small = picture.copy()
    small.thumbnail((160, 160))
    return _encode(small, "JPEG", 80)


def _crop(picture: Image.Image) -> Image.Image:
    left, top = round(picture.width * 0.01), round(picture.height * 0.01)
    return picture.crop((left, top, picture.width - left, picture.height - top))


def _add_caption(picture: Image.Image) -> Image.Image:
    captioned = picture.copy()
    draw = ImageDraw.Draw(captioned)
    size = max(8, picture.height // 16)
    draw.text((size, picture.height - 2 * size), "look at this", fill="white", font_size=size)
    return captioned


# The edits by name. Each takes and returns an RGB picture.
EDITS: Mapping[str, Edit] = MappingProxyType(
    {
        "JPEG of quality 75": lambda picture: _encode(picture, "JPEG", 75),
        "JPEG of quality 30": lambda picture: _encode(picture, "JPEG", 30),
        "WebP of quality 50": lambda picture: _encode(picture, "WEBP", 50),
        "half the size": lambda picture: _scale(picture, 0.5),
        "twice the size": lambda picture: (
            _scale(picture, 2) if max(picture.size) < 2000 else picture
        ),
        "thumbnail": _make_thumbnail,
        "grey": lambda picture: ImageOps.grayscale(picture).convert("RGB"),
        "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.2),
        "more contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(1.3),
        "sharper": lambda picture: ImageEnhance.Sharpness(picture).enhance(2),
        "1 % off each side": _crop,
        "a caption": _add_caption,
        "mirrored": ImageOps.mirror,
        "a quarter turn": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    }
)
