"""Images that report missing or broken data, whatever Pillow is set to ignore.

`ImageFile.LOAD_TRUNCATED_IMAGES` belongs to the program that imports us. Many set it; Pillow then
silently fills in what a file lacks, and a cut picture would be `no_match`.
"""

from __future__ import annotations

from functools import cache
from types import FunctionType
from typing import Any

from PIL import ImageFile


class _Strict(ImageFile.ImageFile):
    """Pillow's own code to load a picture, with that setting off."""

    _ended = True  # so that Pillow adds no end marker to a JPEG
    load: Any = FunctionType(
        ImageFile.ImageFile.load.__code__, vars(ImageFile) | {"LOAD_TRUNCATED_IMAGES": False}
    )


def strict(image: ImageFile.ImageFile) -> ImageFile.ImageFile:
    """Return the image, which from now on loads strictly."""
    image.__class__ = _strict(type(image))
    return image


@cache
def _strict(plugin: type[ImageFile.ImageFile]) -> type[ImageFile.ImageFile]:
    # A plugin's own `load` runs first and continues here. That of JPEG 2000 would name another, and
    # does more only for a reduced picture.
    own = {"load": _Strict.load} if plugin.format == "JPEG2000" else {}
    return type(plugin.__name__, (plugin, _Strict), own)
