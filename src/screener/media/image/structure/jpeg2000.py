"""What Pillow does not show of a JPEG 2000 as it is: white in deep colours, and further pictures.

It rounds samples of more than 8 bits to 8, and those that round to 256 come out as 0: what is white
is black then, and what is opaque is clear. Nothing here raises on broken input.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from PIL import Image

from screener.media.image.structure import headers

_CODESTREAM = b"\xff\x4f\xff\x51"  # what it begins with
_COUNT = 40  # bytes before it tells how many components it has; then 3 bytes tell of each
_GREY = ("L", "I;16")  # modes whose samples are not rounded
_MOST = 100_000  # boxes that are looked at


def may_lack_white(image: Image.Image, data: bytes) -> bool:
    """Whether a JPEG 2000 that was loaded has deep colours, and a 0 that may have been more."""
    if image.mode in _GREY or _bits(data) <= 8:
        return False
    return any(image.getchannel(name).getextrema()[0] == 0 for name in image.getbands())


def has_more(data: bytes) -> bool:
    """Whether there is more than the one picture that Pillow gives."""
    return len(list(islice(_codestreams(data), 2))) > 1


def _codestreams(data: bytes) -> Iterator[int]:
    """Where each picture's data begin."""
    if data.startswith(_CODESTREAM):
        yield 0
    boxes = headers.boxes_within(data, 0, len(data))
    yield from (body for name, body, _ in boxes if name == b"jp2c")


def _bits(data: bytes) -> int:
    """The most bits of a sample, 0 where that cannot be read."""
    first = next(_codestreams(data), len(data)) + _COUNT + 2
    count = int.from_bytes(data[first - 2 : first], "big")
    return max(((depth & 127) + 1 for depth in data[first : first + 3 * count : 3]), default=0)
