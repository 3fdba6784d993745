"""What Pillow shows wrongly of a JPEG 2000: white in deep colours, and further pictures.

It rounds samples of more than 8 bits to 8, and those that round to 256 become 0: white becomes
black, and opaque clear.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from PIL import Image

from screener.media.image.structure import headers

_CODESTREAM = b"\xff\x4f\xff\x51"
_COUNT = 40  # bytes before the number of components, each of which has 3 bytes
_GREY = ("L", "I;16")  # modes whose samples are not rounded


def may_lack_white(image: Image.Image, data: bytes) -> bool:
    """Return whether a loaded JPEG 2000 has deep colours, and a 0 that may have been white."""
    if image.mode in _GREY or _bits(data) <= 8:
        return False
    return any(image.getchannel(name).getextrema()[0] == 0 for name in image.getbands())


def has_more(data: bytes) -> bool:
    """Return whether there are more pictures than the one that Pillow returns."""
    return len(list(islice(_codestreams(data), 2))) > 1


def _codestreams(data: bytes) -> Iterator[int]:
    if data.startswith(_CODESTREAM):
        yield 0
    boxes = headers.boxes_within(data, 0, len(data))
    yield from (body for name, body, _ in boxes if name == b"jp2c")


def _bits(data: bytes) -> int:
    first = next(_codestreams(data), len(data)) + _COUNT + 2
    count = int.from_bytes(data[first - 2 : first], "big")
    return max(((depth & 127) + 1 for depth in data[first : first + 3 * count : 3]), default=0)
