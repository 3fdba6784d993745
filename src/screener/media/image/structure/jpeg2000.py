"""Detect JPEG 2000 files that Pillow shows wrongly: white in deep colours, several pictures.

Pillow rounds samples of more than 8 bits to 8, and 256 becomes 0: white becomes black, and opaque
becomes clear.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from PIL import Image

from screener.media.image.structure import headers

_CODESTREAM = b"\xff\x4f\xff\x51"
_COUNT_OFFSET = 40  # of the number of components, each of which has 3 bytes
_UNROUNDED_MODES = ("L", "I;16")


def may_lack_white(image: Image.Image, data: bytes) -> bool:
    """Return whether a loaded JPEG 2000 has a 0 that may be white."""
    if image.mode in _UNROUNDED_MODES or _read_depth(data) <= 8:
        return False
    return any(image.getchannel(name).getextrema()[0] == 0 for name in image.getbands())


def has_more(data: bytes) -> bool:
    """Return whether a file contains more pictures than the one that Pillow returns."""
    return len(list(islice(_find_codestreams(data), 2))) > 1


def _find_codestreams(data: bytes) -> Iterator[int]:
    if data.startswith(_CODESTREAM):
        yield 0
    boxes = headers.read_boxes_between(data, 0, len(data))
    yield from (body for name, body, _ in boxes if name == b"jp2c")


def _read_depth(data: bytes) -> int:
    first = next(_find_codestreams(data), len(data)) + _COUNT_OFFSET + 2
    count = int.from_bytes(data[first - 2 : first], "big")
    return max(((depth & 127) + 1 for depth in data[first : first + 3 * count : 3]), default=0)
