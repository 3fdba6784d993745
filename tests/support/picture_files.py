"""Drawn pictures and animations as files, and the frames that come of them."""

from __future__ import annotations

import numpy as np
from picture_bytes import saved, several
from PIL import Image

from screener.errors import MediaError
from screener.media.files.limits import Limits
from screener.media.files.picture import Frame
from screener.media.image.open_image import open as open_picture

REASONS = {"empty", "unsupported", "undecodable", "truncated", "too_large"}


def drawn(number: int = 0, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """A smooth picture; another one for each number."""
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    waves = [np.sin(rows / 9 + number) + np.cos(columns / 7 + k) for k in range(3)]
    return Image.fromarray((np.stack(waves, axis=-1) * 60 + 127).astype(np.uint8))


def animation(format: str, count: int, **options: object) -> bytes:
    """A file of that many different frames."""
    return several([drawn(number) for number in range(count)], format, **options)


def frames_and_error(data: bytes, **limits: int) -> tuple[list[Frame], MediaError | None]:
    """All frames that come, and the error that ends them, from `open` or later."""
    frames: list[Frame] = []
    ended: MediaError | None = None
    try:
        for frame in open_picture(data, limits=Limits(**limits)).frames():
            frames.append(frame)
    except MediaError as error:
        ended = error
    assert ended is None or ended.reason in REASONS
    return frames, ended


FILES = {
    "image/jpeg": lambda: saved(drawn(), "JPEG"),
    "image/png": lambda: saved(drawn(), "PNG"),
    "image/gif": lambda: saved(drawn(), "GIF"),
    "image/webp": lambda: saved(drawn(), "WEBP"),
    "image/avif": lambda: saved(drawn(), "AVIF"),
    "image/tiff": lambda: saved(drawn(), "TIFF"),
    "image/bmp": lambda: saved(drawn(), "BMP"),
    "image/x-icon": lambda: saved(drawn(), "ICO", sizes=[(120, 90)]),
    "image/icns": lambda: saved(drawn().convert("RGBA").resize((64, 64)), "ICNS"),
    "image/jp2": lambda: saved(drawn(), "JPEG2000"),
    "image/mpo": lambda: animation("MPO", 2),
    "image/apng": lambda: animation("PNG", 2),
    "image/x-portable-pixmap": lambda: saved(drawn(), "PPM"),
}


CUT = {
    "jpeg": lambda: saved(drawn(), "JPEG", quality=95),
    "jpeg progressive": lambda: saved(drawn(), "JPEG", quality=95, progressive=True),
    "jpeg cmyk": lambda: saved(drawn().convert("CMYK"), "JPEG", quality=95),
    "png": lambda: saved(drawn(), "PNG"),
    "png rgba": lambda: saved(drawn().convert("RGBA"), "PNG"),
    "gif": lambda: saved(drawn(), "GIF", interlace=0),
    "bmp grey": lambda: saved(drawn().convert("L"), "BMP"),
    "tiff": lambda: saved(drawn(), "TIFF"),
}
