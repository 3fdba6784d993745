"""Luma: the grey pixels of a frame that PyAV has decoded.

The luma plane of the frame is the picture, so that nothing is converted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from av.sidedata.sidedata import SideDataContainer

from screener.media import pixels
from screener.media.video.stream import Pixels

_FULL_RANGE = 2  # FFmpeg's number for luma from 0 to 255

# 8-bit formats whose first plane is luma alone, black at 16 and white at 235 unless it says
# otherwise, or 0 and 255.
_LUMA = {"nv12", "nv21", "nv16", "nv24"} | {
    f"yuv{a}{s}p" for a in ("", "a") for s in ("420", "422", "444", "440", "411", "410")
}
_FULL_LUMA = {"gray"} | {f"yuvj{s}p" for s in ("420", "422", "444", "440", "411")}

# From the black and white of video to 0 and 255; as bytes, since `translate` is the fastest table.
_STRETCHED = (
    np.clip(np.rint((np.arange(256.0) - 16) * 255 / 219), 0, 255).astype(np.uint8).tobytes()
)

# Of a display matrix: which way the file's x and y run, and the EXIF orientation that it means.
_TURNS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
_ROTATED = {-90: 6, 180: 3, -180: 3, 90: 8}  # the same of whole degrees, which tell no mirror


def stored(frame: Any) -> Pixels:
    """As the file has it, (H, W): a view of the frame where that is possible."""
    name = frame.format.name
    if name not in _LUMA and name not in _FULL_LUMA:
        frame = frame.reformat(format="gray")
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]


def upright(frame: Any) -> Pixels:
    """From 0 to 255, and turned as the file says."""
    luma = stored(frame)
    if frame.format.name in _LUMA and frame.color_range != _FULL_RANGE:
        stretched = luma.tobytes().translate(_STRETCHED)
        luma = np.frombuffer(stretched, np.uint8).reshape(luma.shape)
    return pixels.turned(luma, _orientation(frame))


def _orientation(frame: Any) -> int:
    """How the file says that its frames are to be turned, as an EXIF orientation."""
    try:
        # Not `frame.side_data`: it and the frame would refer to each other, and the pixels be held
        # until Python looks for such circles.
        beside: Any = SideDataContainer(frame)  # type: ignore[call-arg]
    except ValueError:  # something else is beside it that PyAV 18 has no name for, such as EXIF
        return _ROTATED.get(frame.rotation, 1)
    data = beside.get("DISPLAYMATRIX")
    if data is None or data.buffer_size < 36:
        return 1
    matrix = np.frombuffer(data, "<i4" if np.little_endian else ">i4", 9)
    a, b, c, d = (int(np.sign(matrix[at])) for at in (0, 1, 3, 4))
    return _TURNS.get((a, b, c, d), 1)
