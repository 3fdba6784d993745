"""The interface of the decoders: a video track, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from screener.media.video.containers.matroska import Sides

Pixels = NDArray[np.uint8]


def _keep_all(pixels: Pixels) -> Pixels:
    return pixels


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A frame that was decoded and not yet converted.

    - `number`: from 0.
    - `time`: seconds from the first frame, or None if the file does not state it.
    - `grey()`: upright grey pixels, (H, W) uint8.
    - `crop(pixels)`: the part of these pixels that players show.
    - `raw()`: the same part, perhaps not upright, perhaps with another black and white.
    - `sound`: False if the frame was decoded from damaged data.
    - `skipped_seconds`: seconds since the first undecoded frame before it.
    """

    number: int
    time: float | None
    grey: Callable[[], Pixels]
    raw: Callable[[], Pixels]
    sound: bool = True
    skipped_seconds: float = 0.0
    crop: Callable[[Pixels], Pixels] = _keep_all


@dataclass(frozen=True, slots=True)
class Lost:
    """Data that could not be decoded, and their time, or None if it is unknown."""

    time: float | None


class Length(NamedTuple):
    """The seconds of a track, or None, and its frames, 0 if not counted."""

    seconds: float | None
    frames: int = 0


class Stream(Protocol):
    """An open video track.

    - `tracks`: number of the file's video tracks.
    - `covers`: number of these tracks that are cover images; `cover`: this track is one.
    - `ids`: the numbers of all tracks, or None if the decoder does not report them.
    - `width`, `height`: as shown.
    - `frames`: as declared, or 0.
    - `length`: determines the sampling times.
    - `frame_seconds`: the usual duration of a frame.
    - `trimmed`: seconds that edit lists hide.
    - `shown_until`: when the last frame disappears, by the longest declared duration.
    - `alpha_lost`: an alpha channel is not decoded.
    - `subtitles`: the file has subtitles that are images; None if the decoder does not report it.
    """

    tracks: int
    covers: int
    cover: bool
    width: int
    height: int
    frames: int
    duration: float | None
    length: Length
    frame_seconds: float
    trimmed: float
    shown_until: float | None
    ids: frozenset[int] | None
    alpha_lost: bool
    subtitles: bool | None

    @property
    def ends(self) -> float | None:
        """The declared end of the video in seconds, or None if unknown."""
        ...

    def steps(self) -> Iterator[DecodedFrame | Lost | None]:
        """Yield each frame in display order, and None between, so that limits are checked."""
        ...


def crop_sides(pixels: Pixels, crop: Sides) -> Pixels:
    """Return pixels, (H, W), without the cropped sides, or all if none would remain.

    A frame may be smaller than the track's first.
    """
    top, right, bottom, left = crop
    height, width = pixels.shape
    if top + bottom >= height or left + right >= width:
        return pixels
    return pixels[top : height - bottom, left : width - right]
