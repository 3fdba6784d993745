"""Luma: the grey pixels of a frame that PyAV has decoded.

The luma plane of the frame is the picture, so that nothing is converted. If the frame has an alpha
channel, it is composited on white.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer

from screener.media.image import pixels
from screener.media.video.containers import declared
from screener.media.video.containers.declared import Sides
from screener.media.video.decoders.stream import Pixels

_FULL_RANGE = 2  # FFmpeg's number for luma from 0 to 255
_WHITE = 235  # of video's range

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
_BACK = {6: 8, 8: 6}  # what undoes an orientation, if it is not the same
_ROTATED = {-90: 6, 180: 3, -180: 3, 90: 8}  # the same of whole degrees, which tell no mirror


def stored(frame: Any) -> Pixels:
    """As the file has it, (H, W): a view of the frame where that is possible."""
    name = frame.format.name
    grey = frame if name in _LUMA or name in _FULL_LUMA else frame.reformat(format="gray")
    luma = _plane(grey)
    alpha = _alpha(frame) if has_alpha(name) else None
    if alpha is None:
        return luma
    return pixels.on_white(np.dstack((luma, alpha)), _WHITE if _is_narrow(frame) else 255)


def raw(frame: Any, crop: Sides | None) -> Pixels:
    """What players show of it, as the file has it."""
    return stored(frame) if crop is None else declared.cut(stored(frame), crop)


def cropped(frame: Any, crop: Sides, whole: Pixels) -> Pixels:
    """What players show of the upright pixels of a frame: less what is cut off its stored sides."""
    turn = _orientation(frame)
    return pixels.turned(declared.cut(pixels.turned(whole, _BACK.get(turn, turn)), crop), turn)


@cache
def has_alpha(name: str) -> bool:
    """Return whether pixels of that format have an alpha channel, or colours that have one."""
    return name == "pal8" or any(one.is_alpha for one in av.VideoFormat(name).components)


def _alpha(frame: Any) -> Pixels | None:
    """The alpha channel of a frame, (H, W) from 0 to 255; None if it hides nothing, or is 0
    throughout, which is none as of a still.
    """
    alpha = _plane(frame.reformat(format="rgba"), channels=4)[:, 3::4]
    return alpha if alpha.any() and alpha.min() < 255 else None


def _plane(frame: Any, channels: int = 1) -> Pixels:
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width * channels]


def _is_narrow(frame: Any) -> bool:
    """Whether its luma is a plane with video's range of 16 to 235."""
    return frame.format.name in _LUMA and frame.color_range != _FULL_RANGE


def upright(frame: Any) -> Pixels:
    """From 0 to 255, and turned as the file says."""
    luma = stored(frame)
    if _is_narrow(frame):
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
