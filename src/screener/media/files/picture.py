"""The types of an opened input, its properties and its frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Media:
    """The properties of an input.

    Parameters:
        type: MIME type by content; None for an array, or a Pillow image that came from no file.
        width: Pixels as shown, with the EXIF orientation applied.
        height: As `width`.
        frames: Pages or animation frames as declared. GIF and TIFF declare none, so their frames
            are counted up to one past the limit.
        duration: Seconds of a video, if known.
    """

    type: str | None
    width: int
    height: int
    frames: int
    duration: float | None = None


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of an input: upright uint8 pixels, (H, W) or (H, W, 3).

    Parameters:
        pixels: The visible pixels, of any strides.
        time: Seconds from the start of the animation, video or hidden clip; 0.0 for stills.
        part: Number of the frame or page, from 0; it continues through hidden pictures.
        part_kind: `frame`, or for hidden pictures `thumbnail` or `appended`.
        again: Times of the following equal frames, which are not yielded.
        inner: Views of `pixels` without the bars of a video.
        uncropped: All stored pixels, if the container shows only a part of them.
        luma_alpha: Luma and alpha as stored, (h, w, 2), of a picture that `pixels` shows on white;
            of a large one only some rows and columns. None for video, and if too little is clear
            for its ground to matter.
        track: Number of a video's picture track, from 0, or of a hidden clip or animation, from 1.
        between: The frame lies between two sampling times; hash it only if it differs from the
            last hashed frame.
    """

    pixels: NDArray[np.uint8]
    time: float
    part: int
    part_kind: str = "frame"
    again: tuple[float, ...] = ()
    inner: tuple[NDArray[np.uint8], ...] = ()
    uncropped: NDArray[np.uint8] | None = None
    luma_alpha: NDArray[np.uint8] | None = None
    track: int = 0
    between: bool = False

    @property
    def stored(self) -> NDArray[np.uint8]:
        """All stored pixels, shown or not."""
        return self.pixels if self.uncropped is None else self.uncropped


class Picture:
    """An opened input: its properties (`media`), and its frames, decoded by `frames()`.

    A PNG may state its orientation after its pixels; the first frame then corrects `media`.
    """

    def __init__(self, media: Media, decode: Callable[[], Iterator[Frame]]) -> None:
        self.media = media
        self._decode = decode

    def frames(self) -> Iterator[Frame]:
        """Yield each frame, decoded on demand, unless it equals the one before.

        A broken frame is yielded as far as it was decoded; its other pixels are black or grey.
        Hidden pictures come last (docs/internals/pixels.md). Raises MediaError at the end if
        anything could not be decoded.
        """
        for frame in self._decode():
            if frame.part == 0 and frame.part_kind == "frame":
                height, width = frame.pixels.shape[:2]
                if (width, height) != (self.media.width, self.media.height):
                    self.media = replace(self.media, width=width, height=height)
            yield frame
            del frame  # to free its pixels before the next frame is decoded
