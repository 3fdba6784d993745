"""Make images report missing or broken data, even if Pillow is set to ignore it.

`ImageFile.LOAD_TRUNCATED_IMAGES` belongs to the program that imports us. Many programs set it;
Pillow then silently fills in missing data, and a cut picture would be `no_match`.
"""

from __future__ import annotations

from functools import cache
from types import FunctionType
from typing import Any

from PIL import ImageFile


class _StrictImage(ImageFile.ImageFile):
    """Pillow's own code to load a picture, with that setting disabled."""

    _ended = True  # keeps Pillow from adding an end marker to a JPEG
    load: Any = FunctionType(
        ImageFile.ImageFile.load.__code__, vars(ImageFile) | {"LOAD_TRUNCATED_IMAGES": False}
    )


def make_strict(image: ImageFile.ImageFile) -> ImageFile.ImageFile:
    """Change the image's class so that it loads strictly, and return it."""
    image.__class__ = _create_strict_class(type(image))
    return image


@cache
def _create_strict_class(plugin: type[ImageFile.ImageFile]) -> type[ImageFile.ImageFile]:
    # A plugin's own `load` runs first and calls this one. JPEG 2000's calls another class, and does
    # more only for a reduced picture.
    attributes = {"load": _StrictImage.load} if plugin.format == "JPEG2000" else {}
    return type(plugin.__name__, (plugin, _StrictImage), attributes)
