"""Photoshop files, of which Pillow shows another picture than Photoshop, or a blank.

A file shows the composite of its layers, in channels of its own. Behind its colours there may be
other channels: transparency, and stored selections, which nobody sees.
"""

from __future__ import annotations

from typing import IO

from PIL import Image, PsdImagePlugin

_CHANNELS = 12  # the place of the number of channels in the header
_HEADER = 26  # bytes; three sections follow, each behind its length
_VERSION = 1057  # the resource that states, behind its own version, whether there is a composite


def mend(image: Image.Image) -> None:
    """Correct how Pillow reads the composite, in an image that is not loaded yet.

    It inverts pictures of one bit a pixel, takes any fourth channel for transparency, and begins
    too early in compressed data if it leaves out a channel.
    """
    if not isinstance(image, PsdImagePlugin.PsdImageFile) or image.fp is None:
        return
    if not image.tile:
        if getattr(image, "_im", None) is None:
            raise OSError("zipped channels are not supported")
        return
    layers, composite = _sections(image.fp)
    if image.tile[0].offset < composite:
        return  # the image stands at a layer
    if image.mode == "1":
        image.tile = [tile._replace(args="1;I") for tile in image.tile]
    if image.tile[0].codec_name == "packbits":
        # The lengths of the rows of all channels come first, in two bytes each.
        start = composite + 2 + 2 * image.height * _number(image.fp, _CHANNELS, 2)
        before = start - image.tile[0].offset
        image.tile = [tile._replace(offset=tile.offset + before) for tile in image.tile]
    # Behind the layers' length is their count, negative if the first channel is transparency.
    count = _number(image.fp, layers + 4, 2) if composite > layers + 4 else 0
    if image.mode == "RGBA" and count < 1 << 15:
        image._mode = "RGB"
        image.tile = image.tile[:3]


def lacks_composite(image: Image.Image) -> bool:
    """Return whether a file states that it was saved without its composite; it holds a blank."""
    resources = image.resources if isinstance(image, PsdImagePlugin.PsdImageFile) else ()
    return any(number == _VERSION and value[4:5] == b"\0" for number, _, value in resources)


def _sections(file: IO[bytes]) -> tuple[int, int]:
    places = [_HEADER]
    for _ in range(3):
        places.append(places[-1] + 4 + _number(file, places[-1], 4))
    return places[2] + 4, places[3]


def _number(file: IO[bytes], at: int, size: int) -> int:
    file.seek(at)
    return int.from_bytes(file.read(size), "big")
