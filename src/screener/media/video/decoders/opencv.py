"""A video decoded by OpenCV, where PyAV is not installed.

It converts every frame that is looked at to BGR and says nothing of what it could not decode: it
stops. Its own FFmpeg writes to standard error what it pleases; a scan's workers silence that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, BinaryIO

import cv2
import numpy as np

from screener.errors import MediaError
from screener.media.video.containers import declared
from screener.media.video.containers.declared import Sides
from screener.media.video.decoders.stream import Length, Pixels, Still
from screener.system.installation import unsupported_without

_RATE = 25.0  # where a file tells none
# How FFmpeg calls layouts of pixels with an alpha channel: of planes (grey, YUV, RGB), packed.
_WITH_ALPHA = (
    b"Y2", b"Y4", b"G4", b"RGBA", b"BGRA", b"ARGB", b"ABGR", b"RBA@", b"BRA@", b"VUYA", b"AYUV",
)  # fmt: skip
_AV1 = int.from_bytes(b"av01", "little"), int.from_bytes(b"AV01", "little")


class CvStream:
    """An open video, of which edit lists leave out `trimmed` seconds: see
    `screener.media.video.decoders.stream.Stream`. Raises MediaError if it cannot be opened.
    """

    tracks = 1  # it knows of no more
    ids: frozenset[int] | None = None
    covers, cover = 0, False
    left = 0.0  # it does not tell
    subtitles: bool | None = None

    def __init__(self, file: BinaryIO, *, trimmed: float = 0.0) -> None:
        try:
            self._capture = cv2.VideoCapture(file, cv2.CAP_FFMPEG, [])  # type: ignore[call-overload]
        except cv2.error:
            raise MediaError("undecodable", "cannot be opened") from None
        if not self._capture.isOpened():
            raise MediaError("undecodable", "cannot be opened, or has no pictures")
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # not the default in every version
        self.width = int(self._get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(self._get(cv2.CAP_PROP_FRAME_HEIGHT))
        if int(self._get(cv2.CAP_PROP_ORIENTATION_META)) % 180 == 90:
            self.width, self.height = self.height, self.width
        rate = self._get(cv2.CAP_PROP_FPS)
        self.frames = int(max(self._get(cv2.CAP_PROP_FRAME_COUNT), 0))
        self.frame_seconds = 1 / (rate or _RATE)
        self.duration = self.frames / rate if rate and self.frames else None
        self.shown_until = self.duration
        # It counts the frames that are left out as well.
        self.ends = None if self.duration is None else self.duration - trimmed
        self.length = Length(self.duration)
        # It tells the size as shown.
        turns = int(self._get(cv2.CAP_PROP_ORIENTATION_META)) // 90
        size = (self.height, self.width) if turns % 2 else (self.width, self.height)
        alpha, crop = declared.hidden_by(file, 0, *size)
        layout = int(self._get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) & 0xFFFFFFFF
        self.alpha_lost = alpha or layout.to_bytes(4, "little").startswith(_WITH_ALPHA)
        self._shown = None if crop is None else partial(_cropped, crop, turns)

    def _get(self, property: int) -> float:
        value = float(self._capture.get(property))
        return value if math.isfinite(value) and abs(value) < 2**53 else 0.0

    def steps(self) -> Iterator[Still]:
        """Each frame in the order shown, as far as OpenCV goes."""
        number = 0
        try:
            while self._capture.grab():
                stamp = self._get(cv2.CAP_PROP_POS_MSEC)
                time = stamp / 1000 if stamp > 0 or number == 0 else None
                # It has the last frame alone, which may turn out to be looked at once it has the
                # next.
                grey = partial(_grey, *self._capture.retrieve())
                if self._shown is None:
                    yield Still(number, time, grey, grey)
                else:
                    raw = partial(_shown, self._shown, grey)
                    yield Still(number, time, grey, raw, shown=self._shown)
                number += 1
            # Its wheels have no decoder for AV1, and open such a file all the same.
            if not number and int(self._get(cv2.CAP_PROP_FOURCC)) in _AV1:
                raise unsupported_without("video", "AV1")
        finally:
            self._capture.release()


def _cropped(crop: Sides, turns: int, whole: Pixels) -> Pixels:
    """Less what is cut off at the sides, which are those before it was turned clockwise."""
    above, right, below, left = crop[-turns % 4 :] + crop[: -turns % 4]
    return declared.cut(whole, (above, right, below, left))


def _shown(shown: Callable[[Pixels], Pixels], grey: Callable[[], Pixels]) -> Pixels:
    return shown(grey())


def _grey(found: bool, picture: Any) -> Pixels:
    if not found:
        raise MediaError("undecodable", "a frame cannot be converted")
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return np.asarray(picture, np.uint8)
