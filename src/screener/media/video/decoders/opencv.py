"""Decode a video with OpenCV, if PyAV is not installed.

OpenCV converts every frame to BGR, and stops at damage without reporting it. Its FFmpeg writes to
standard error, which a scan's workers silence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, BinaryIO

import cv2
import numpy as np

from screener.errors import MediaError
from screener.media.video.containers import matroska
from screener.media.video.containers.matroska import Sides
from screener.media.video.decoders.stream import DecodedFrame, Length, Pixels, crop_sides
from screener.system.installation import make_missing_error

_DEFAULT_FRAME_RATE = 25.0  # frames per second
# FFmpeg's codes for pixel formats with an alpha channel: planar (grey, YUV, RGB) and packed.
_ALPHA_FORMAT_CODES = (
    b"Y2", b"Y4", b"G4", b"RGBA", b"BGRA", b"ARGB", b"ABGR", b"RBA@", b"BRA@", b"VUYA", b"AYUV",
)  # fmt: skip
_AV1_CODES = int.from_bytes(b"av01", "little"), int.from_bytes(b"AV01", "little")


class CvStream:
    """An open video: see `Stream`.

    Edit lists hide `trimmed` seconds of it. Raises MediaError if it cannot be opened.
    """

    tracks = 1  # OpenCV finds no other tracks
    ids: frozenset[int] | None = None
    covers, cover = 0, False
    trimmed = 0.0  # not reported
    subtitles: bool | None = None

    def __init__(self, file: BinaryIO, *, trimmed: float = 0.0) -> None:
        try:
            self._capture = cv2.VideoCapture(file, cv2.CAP_FFMPEG, [])  # type: ignore[call-overload]
        except cv2.error:
            raise MediaError("undecodable", "cannot be opened") from None
        if not self._capture.isOpened():
            raise MediaError("undecodable", "cannot be opened, or has no video track")
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # not the default in every version
        turns = int(self._get(cv2.CAP_PROP_ORIENTATION_META)) // 90
        stored = int(self._get(cv2.CAP_PROP_FRAME_WIDTH)), int(self._get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.width, self.height = stored[::-1] if turns % 2 else stored
        rate = self._get(cv2.CAP_PROP_FPS)
        self.frames = int(max(self._get(cv2.CAP_PROP_FRAME_COUNT), 0))
        self.frame_seconds = 1 / (rate or _DEFAULT_FRAME_RATE)
        self.duration = self.frames / rate if rate and self.frames else None
        self.shown_until = self.duration
        # The duration includes hidden frames.
        self.ends = None if self.duration is None else self.duration - trimmed
        self.length = Length(self.duration)
        alpha, crop = matroska.read_alpha_and_crop(file, 0, *stored)
        layout = int(self._get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) & 0xFFFFFFFF
        self.alpha_lost = alpha or layout.to_bytes(4, "little").startswith(_ALPHA_FORMAT_CODES)
        self._crop = None if crop is None else partial(_crop_upright, crop, turns)

    def _get(self, property: int) -> float:
        value = float(self._capture.get(property))
        return value if math.isfinite(value) and abs(value) < 2**53 else 0.0

    def steps(self) -> Iterator[DecodedFrame]:
        """Yield each frame in display order, as far as OpenCV decodes."""
        number = 0
        try:
            while self._capture.grab():
                stamp = self._get(cv2.CAP_PROP_POS_MSEC)
                time = stamp / 1000 if stamp > 0 or number == 0 else None
                # Retrieve it now, since it may be needed after the next frame was grabbed.
                grey = partial(_convert_to_grey, *self._capture.retrieve())
                if self._crop is None:
                    yield DecodedFrame(number, time, grey, grey)
                else:
                    raw = partial(_crop_grey, self._crop, grey)
                    yield DecodedFrame(number, time, grey, raw, crop=self._crop)
                number += 1
            # OpenCV's wheels open AV1 but have no decoder for it.
            if not number and int(self._get(cv2.CAP_PROP_FOURCC)) in _AV1_CODES:
                raise make_missing_error("video", "AV1")
        finally:
            self._capture.release()


def _crop_upright(crop: Sides, turns: int, pixels: Pixels) -> Pixels:
    """Crop upright pixels; `crop` is of the sides before the frame was turned clockwise."""
    top, right, bottom, left = crop[-turns % 4 :] + crop[: -turns % 4]
    return crop_sides(pixels, (top, right, bottom, left))


def _crop_grey(crop: Callable[[Pixels], Pixels], grey: Callable[[], Pixels]) -> Pixels:
    return crop(grey())


def _convert_to_grey(retrieved: bool, picture: Any) -> Pixels:
    if not retrieved:
        raise MediaError("undecodable", "a frame cannot be converted")
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return np.asarray(picture, np.uint8)
