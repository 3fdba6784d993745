"""Detect JPEG 2000 files that Pillow decodes wrongly (deep colours) or in part (several pictures).

Pillow reduces deeper samples to 8 bits by rounding, and 256 overflows to 0: white becomes black,
and opaque becomes transparent.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from PIL import Image

from screener.media.image.structure import headers

_CODESTREAM = b"\xff\x4f\xff\x51"
# Offset of the number of components. An entry of 3 bytes for each follows, its depth first.
_COMPONENT_COUNT_OFFSET = 40
_UNROUNDED_MODES = ("L", "I;16")  # modes in which Pillow does not round samples


def may_lack_white(image: Image.Image, data: bytes) -> bool:
    """Return whether a decoded picture contains a 0 that may have been white."""
    if image.mode in _UNROUNDED_MODES or _read_max_depth(data) <= 8:
        return False
    return any(image.getchannel(name).getextrema()[0] == 0 for name in image.getbands())


def has_several_pictures(data: bytes) -> bool:
    """Return whether a file contains more pictures than the one that Pillow returns."""
    return len(list(islice(_find_codestreams(data), 2))) > 1


def _find_codestreams(data: bytes) -> Iterator[int]:
    if data.startswith(_CODESTREAM):
        yield 0
    boxes = headers.read_boxes_between(data, 0, len(data))
    yield from (body for box_type, body, _ in boxes if box_type == b"jp2c")


def _read_max_depth(data: bytes) -> int:
    depths_start = next(_find_codestreams(data), len(data)) + _COMPONENT_COUNT_OFFSET + 2
    count = int.from_bytes(data[depths_start - 2 : depths_start], "big")
    depth_bytes = data[depths_start : depths_start + 3 * count : 3]
    return max(((depth_byte & 127) + 1 for depth_byte in depth_bytes), default=0)
