"""The grey pixels of a frame that PyAV has decoded: its luma plane, without conversion.

A frame with an alpha channel is composited on white.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer

from screener.media.image import pixels
from screener.media.image.orientation import apply_orientation, undo_orientation
from screener.media.video.containers.matroska import Sides
from screener.media.video.decoders import stream
from screener.media.video.decoders.stream import Pixels

_FULL_RANGE = 2  # FFmpeg's number for luma from 0 to 255
_WHITE = 235  # of video's range

# 8-bit formats whose first plane is luma: black at 16 and white at 235 unless the frame states full
# range; and those of full range.
_LUMA = {"nv12", "nv21", "nv16", "nv24"} | {
    f"yuv{a}{s}p" for a in ("", "a") for s in ("420", "422", "444", "440", "411", "410")
}
_FULL_LUMA = {"gray"} | {f"yuvj{s}p" for s in ("420", "422", "444", "440", "411")}

# Maps 16..235 to 0..255; as bytes, since `translate` is the fastest look-up.
_STRETCHED = (
    np.clip(np.rint((np.arange(256.0) - 16) * 255 / 219), 0, 255).astype(np.uint8).tobytes()
)

# Signs of a display matrix, and the EXIF orientation that they mean.
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
_ROTATED = {-90: 6, 180: 3, -180: 3, 90: 8}  # EXIF orientations of degrees


def stored(frame: Any) -> Pixels:
    """Return the luma as stored, (H, W): a view of the frame if possible."""
    name = frame.format.name
    grey = frame if name in _LUMA or name in _FULL_LUMA else frame.reformat(format="gray")
    luma = _plane(grey)
    alpha = _alpha(frame) if has_alpha(name) else None
    if alpha is None:
        return luma
    return pixels.on_white(np.dstack((luma, alpha)), _WHITE if _is_narrow(frame) else 255)


def raw(frame: Any, crop: Sides | None) -> Pixels:
    """Return the stored luma that players show."""
    return stored(frame) if crop is None else stream.cropped(stored(frame), crop)


def cropped(frame: Any, crop: Sides, upright: Pixels) -> Pixels:
    """Return what players show of a frame's upright pixels; `crop` is of its stored sides."""
    turn = _orientation(frame)
    return apply_orientation(stream.cropped(undo_orientation(upright, turn), crop), turn)


@cache
def has_alpha(name: str) -> bool:
    """Return whether a pixel format has an alpha channel, or a palette with one."""
    return name == "pal8" or any(
        component.is_alpha for component in av.VideoFormat(name).components
    )


def _alpha(frame: Any) -> Pixels | None:
    """Return the alpha channel, (H, W); None if it hides nothing or is 0 throughout."""
    alpha = _plane(frame.reformat(format="rgba"), channels=4)[:, 3::4]
    return alpha if alpha.any() and alpha.min() < 255 else None


def _plane(frame: Any, channels: int = 1) -> Pixels:
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width * channels]


def _is_narrow(frame: Any) -> bool:
    """Return whether the luma plane has video's range of 16 to 235."""
    return frame.format.name in _LUMA and frame.color_range != _FULL_RANGE


def upright(frame: Any) -> Pixels:
    """Return the luma stretched to 0..255 and turned as the file says."""
    luma = stored(frame)
    if _is_narrow(frame):
        stretched = luma.tobytes().translate(_STRETCHED)
        luma = np.frombuffer(stretched, np.uint8).reshape(luma.shape)
    return apply_orientation(luma, _orientation(frame))


def _orientation(frame: Any) -> int:
    """Return the EXIF orientation that the frame declares."""
    try:
        # `frame.side_data` would make a reference cycle, and keep the pixels until it is collected.
        side_data: Any = SideDataContainer(frame)  # type: ignore[call-arg]
    except ValueError:  # side data that PyAV 18 does not know, such as EXIF
        return _ROTATED.get(frame.rotation, 1)
    data = side_data.get("DISPLAYMATRIX")
    if data is None or data.buffer_size < 36:
        return 1
    matrix = np.frombuffer(data, "<i4" if np.little_endian else ">i4", 9)
    a, b, c, d = (int(np.sign(matrix[at])) for at in (0, 1, 3, 4))
    return _TURNS.get((a, b, c, d), 1)
