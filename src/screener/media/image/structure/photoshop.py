"""Photoshop files, of which Pillow makes another picture than Photoshop shows, or shows a blank.

What is shown is the composite of the layers, in channels of its own. Behind those of its colours
there may be others: transparency, and selections that somebody saved, which nobody sees.
"""

from __future__ import annotations

from typing import IO

from PIL import Image, PsdImagePlugin

_CHANNELS = 12  # where the header tells how many channels there are
_HEADER = 26  # bytes; then there are three sections, each behind its length
_VERSION = 1057  # the resource that says, behind its own version, whether there is a composite


def mend(image: Image.Image) -> None:
    """Have the composite read as it is shown, before it is loaded.

    Of what has one bit a pixel Pillow makes a negative, any fourth channel it takes for
    transparency, and where it leaves out a channel of packed data it begins to read too early.
    """
    if not isinstance(image, PsdImagePlugin.PsdImageFile) or image.fp is None:
        return
    if not image.tile:
        if getattr(image, "_im", None) is None:
            raise OSError("zipped channels are not supported")
        return
    layers, composite = _sections(image.fp)
    if image.tile[0].offset < composite:
        return  # it is a layer that the image stands at
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
    """Whether a file says that it was saved without its composite, for which it has a blank."""
    resources = image.resources if isinstance(image, PsdImagePlugin.PsdImageFile) else ()
    return any(number == _VERSION and told[4:5] == b"\0" for number, _, told in resources)


def _sections(file: IO[bytes]) -> tuple[int, int]:
    """Where what is told of the layers begins, and where the composite does."""
    places = [_HEADER]
    for _ in range(3):
        places.append(places[-1] + 4 + _number(file, places[-1], 4))
    return places[2] + 4, places[3]


def _number(file: IO[bytes], at: int, size: int) -> int:
    file.seek(at)
    return int.from_bytes(file.read(size), "big")
