"""An opened input, what it is, and its frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Media:
    """What an input is.

    `type` is the MIME type by content (None for an array, and for a Pillow image that came from no
    file). `width` and `height` are as shown, with EXIF orientation applied. `frames` counts pages
    or animation frames as declared; if a format declares none (GIF, TIFF) they are counted up to
    one past the limit. `duration` is in seconds, for a video if it is known.
    """

    type: str | None
    width: int
    height: int
    frames: int
    duration: float | None = None


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of an input: upright uint8 pixels, (H, W) grey or (H, W, 3) RGB.

    `time` is in seconds from the start of an animation or video, 0.0 for stills and pages; for
    frames of a hidden clip or animation it is the time in that. `part` is the number of the frame
    or page, from 0; it continues through hidden pictures. `part_kind` is `frame`, or for hidden
    ones `thumbnail` or `appended`. `pixels` may have any strides. `again` are the times of the next
    frames that show the same and are not yielded. `inner` are views of `pixels` without the bars of
    a video. `outer` are all coded pixels, if the container shows only a part of them. `track`
    counts the picture tracks of a video from 0, and hidden clips and animations from 1. A frame
    that is `between` sampling times is worth hashing only if it differs from the last one.
    """

    pixels: NDArray[np.uint8]
    time: float
    part: int
    part_kind: str = "frame"
    again: tuple[float, ...] = ()
    inner: tuple[NDArray[np.uint8], ...] = ()
    outer: NDArray[np.uint8] | None = None
    track: int = 0
    between: bool = False

    @property
    def stored(self) -> NDArray[np.uint8]:
        """Return all coded pixels, shown or not."""
        return self.pixels if self.outer is None else self.outer


class Picture:
    """An opened input: `media` says what it is, `frames()` decodes it.

    A PNG may state its orientation after its pixels: the first frame then corrects `media`.
    """

    def __init__(self, media: Media, decode: Callable[[], Iterator[Frame]]) -> None:
        self.media = media
        self._decode = decode

    def frames(self) -> Iterator[Frame]:
        """Yield each frame once, decoded on demand, without frames equal to the one before.

        Raises MediaError after the last frame that could be decoded. A cut or broken frame is
        yielded as far as it was decoded (the rest is black or grey) before the error. Hidden
        pictures come last, but before the error: docs/internals/pixels.md.
        """
        for frame in self._decode():
            if frame.part == 0 and frame.part_kind == "frame":
                height, width = frame.pixels.shape[:2]
                if (width, height) != (self.media.width, self.media.height):
                    self.media = replace(self.media, width=width, height=height)
            yield frame
            del frame  # frees its pixels before the next frame is decoded
