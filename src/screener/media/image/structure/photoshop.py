"""Correct how Pillow reads Photoshop files; it shows other pictures than Photoshop, or a blank.

A file contains the composite of its layers. After the composite's colour channels there may be
other channels: transparency, and stored selections, which are not visible.
"""

from __future__ import annotations

from io import BytesIO
from typing import IO

from PIL import Image, PsdImagePlugin

_CHANNEL_COUNT_OFFSET = 12  # in the header
_HEADER_SIZE = 26  # bytes; three sections follow, each preceded by its length
_VERSION_RESOURCE = 1057  # after its own version it states whether there is a composite


def mend(image: Image.Image) -> None:
    """Correct how Pillow reads the composite of an image, before it is loaded.

    Pillow inverts pictures of one bit per pixel, mistakes any fourth channel for transparency, and
    begins too early in compressed data if it leaves out a channel.
    """
    if not isinstance(image, PsdImagePlugin.PsdImageFile) or image.fp is None:
        return
    if not image.tile:
        if getattr(image, "_im", None) is None:
            raise OSError("zipped channels are not supported")
        return
    layers, composite = _find_sections(image.fp)
    if image.tile[0].offset < composite:
        return  # the current frame is a layer
    if image.mode == "1":
        image.tile = [tile._replace(args="1;I") for tile in image.tile]
    if image.tile[0].codec_name == "packbits":
        # The lengths of the rows of all channels come first, two bytes each.
        start = composite + 2 + 2 * image.height * _read_number(image.fp, _CHANNEL_COUNT_OFFSET, 2)
        shift = start - image.tile[0].offset
        image.tile = [tile._replace(offset=tile.offset + shift) for tile in image.tile]
    # The layers' count follows their length; it is negative if the first channel is transparency.
    count = _read_number(image.fp, layers + 4, 2) if composite > layers + 4 else 0
    if image.mode == "RGBA" and count < 1 << 15:
        image._mode = "RGB"
        image.tile = image.tile[:3]


def shows_part(image: Image.Image, data: bytes) -> bool:
    """Return whether a file has layers, which its composite may hide, or a blank as composite."""
    layers, composite = _find_sections(BytesIO(data))
    if composite > layers + 4 and any(data[layers + 4 : layers + 6]):
        return True
    resources = image.resources if isinstance(image, PsdImagePlugin.PsdImageFile) else ()
    return any(
        number == _VERSION_RESOURCE and value[4:5] == b"\0" for number, _, value in resources
    )


def _find_sections(file: IO[bytes]) -> tuple[int, int]:
    """Return the start of the layers' data and of the composite."""
    starts = [_HEADER_SIZE]
    for _ in range(3):
        starts.append(starts[-1] + 4 + _read_number(file, starts[-1], 4))
    return starts[2] + 4, starts[3]


def _read_number(file: IO[bytes], offset: int, size: int) -> int:
    file.seek(offset)
    return int.from_bytes(file.read(size), "big")
