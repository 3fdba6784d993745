"""Read the grey pixels of a frame that PyAV decoded: its luma plane, without conversion.

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

_FULL_RANGE_NUMBER = 2  # FFmpeg's number for luma from 0 to 255
_NARROW_WHITE = 235

# 8-bit formats whose first plane is luma. Black is 16 and white 235 unless the frame states full
# range; the second set always has full range.
_NARROW_FORMATS = {"nv12", "nv21", "nv16", "nv24"} | {
    f"yuv{a}{s}p" for a in ("", "a") for s in ("420", "422", "444", "440", "411", "410")
}
_FULL_RANGE_FORMATS = {"gray"} | {f"yuvj{s}p" for s in ("420", "422", "444", "440", "411")}

# Maps 16..235 to 0..255, for `bytes.translate`, the fastest look-up.
_STRETCH_TABLE = (
    np.clip(np.rint((np.arange(256.0) - 16) * 255 / 219), 0, 255).astype(np.uint8).tobytes()
)

# EXIF orientations by the signs of a display matrix.
_MATRIX_ORIENTATIONS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
_ROTATION_ORIENTATIONS = {-90: 6, 180: 3, -180: 3, 90: 8}  # by degrees


def read_stored(frame: Any) -> Pixels:
    """Return the luma with its stored orientation, (H, W)."""
    name = frame.format.name
    has_luma = name in _NARROW_FORMATS or name in _FULL_RANGE_FORMATS
    luma = _read_plane(frame if has_luma else frame.reformat(format="gray"))
    alpha = _read_alpha(frame) if has_alpha(name) else None
    if alpha is None:
        return luma
    return pixels.composite(np.dstack((luma, alpha)), _NARROW_WHITE if _is_narrow(frame) else 255)


def read_visible(frame: Any, crop: Sides | None) -> Pixels:
    """Return the luma, with its stored orientation, that players show."""
    return read_stored(frame) if crop is None else stream.crop_sides(read_stored(frame), crop)


def crop_upright(frame: Any, crop: Sides, read_upright: Pixels) -> Pixels:
    """Return upright pixels without the sides that players crop; `crop` is of the stored sides."""
    orientation = _read_orientation(frame)
    return apply_orientation(
        stream.crop_sides(undo_orientation(read_upright, orientation), crop), orientation
    )


@cache
def has_alpha(name: str) -> bool:
    """Return whether a pixel format has an alpha channel, or a palette with one."""
    return name == "pal8" or any(
        component.is_alpha for component in av.VideoFormat(name).components
    )


def _read_alpha(frame: Any) -> Pixels | None:
    """Return the alpha channel, (H, W), or None if it hides nothing or everything."""
    alpha = _read_plane(frame.reformat(format="rgba"), channels=4)[:, 3::4]
    return alpha if alpha.any() and alpha.min() < 255 else None


def _read_plane(frame: Any, channels: int = 1) -> Pixels:
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width * channels]


def _is_narrow(frame: Any) -> bool:
    """Return whether the luma plane has video's range of 16 to 235."""
    return frame.format.name in _NARROW_FORMATS and frame.color_range != _FULL_RANGE_NUMBER


def read_upright(frame: Any) -> Pixels:
    """Return the luma stretched to 0..255 and turned upright."""
    luma = read_stored(frame)
    if _is_narrow(frame):
        stretched = luma.tobytes().translate(_STRETCH_TABLE)
        luma = np.frombuffer(stretched, np.uint8).reshape(luma.shape)
    return apply_orientation(luma, _read_orientation(frame))


def _read_orientation(frame: Any) -> int:
    """Return the EXIF orientation that the frame declares."""
    try:
        # `frame.side_data` would create a reference cycle that keeps the pixels alive.
        side_data: Any = SideDataContainer(frame)  # type: ignore[call-arg]
    except ValueError:  # PyAV 18 does not know some side data, such as EXIF
        return _ROTATION_ORIENTATIONS.get(frame.rotation, 1)
    data = side_data.get("DISPLAYMATRIX")
    if data is None or data.buffer_size < 36:
        return 1
    matrix = np.frombuffer(data, "<i4" if np.little_endian else ">i4", 9)
    a, b, c, d = (int(np.sign(matrix[index])) for index in (0, 1, 3, 4))
    return _MATRIX_ORIENTATIONS.get((a, b, c, d), 1)
