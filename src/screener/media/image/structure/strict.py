"""Strict images: they tell that data are too few or broken, whatever Pillow is told to pass over.

`ImageFile.LOAD_TRUNCATED_IMAGES` belongs to the program that imports us. Many set it, and Pillow
then fills in what a file lacks without a word: a picture that is cut would be `no_match`.
"""

from __future__ import annotations

from functools import cache
from types import FunctionType
from typing import Any

from PIL import ImageFile


class _Strict(ImageFile.ImageFile):
    """Pillow's own code to load a picture, for which the switch is off."""

    _ended = True  # so that a JPEG gets no mark for its end
    load: Any = FunctionType(
        ImageFile.ImageFile.load.__code__, vars(ImageFile) | {"LOAD_TRUNCATED_IMAGES": False}
    )


def strict(image: ImageFile.ImageFile) -> ImageFile.ImageFile:
    """The image, which loads so from now on."""
    image.__class__ = _strict(type(image))
    return image


@cache
def _strict(plugin: type[ImageFile.ImageFile]) -> type[ImageFile.ImageFile]:
    # What a plugin does first stays, and then goes on here. That of JPEG 2000 names its successor,
    # and only does more where a smaller picture is wanted.
    own = {"load": _Strict.load} if plugin.format == "JPEG2000" else {}
    return type(plugin.__name__, (plugin, _Strict), own)
