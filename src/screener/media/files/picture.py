"""Picture: an opened input, what it is, and the frames that come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Media:
    """What an input is.

    `type` is the MIME type told by the content (None for an array, and for a Pillow image that
    came from no file). `width` and `height` are as shown, EXIF orientation applied. `frames`
    counts pages or animation frames as the file declares them; where it declares none (GIF,
    TIFF) they are counted, but no further than one past the limit. `duration` is in seconds, of a
    video that declares it, or of which it could be read.
    """

    type: str | None
    width: int
    height: int
    frames: int
    duration: float | None = None


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of an input: upright uint8 pixels, (H, W) grey or (H, W, 3) RGB.

    `time` is in seconds from the start of an animation or video, 0.0 for stills and pages; `part`
    is the number of the frame or page, from 0, and goes on counting for what is hidden in the file;
    `part_kind` is `frame`, or `thumbnail` or `appended` for that; frames of a hidden clip or
    animation have their `time` in it. `pixels` may have any strides. `again` are the times of the
    frames looked at next that show the same, and are not given themselves. `inner` are views of
    `pixels` without the bars that a video has throughout. `outer` is all that is coded, if the
    container shows `pixels` as a part of it. `track` counts a video's tracks of
    pictures from 0, and those of clips and animations hidden in a picture's file from 1. `between`
    is said of a frame that is worth hashing only if it differs from the last one: its time is not
    one at which to look.
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
        """All that is coded of it, shown or not."""
        return self.pixels if self.outer is None else self.outer


class Picture:
    """An opened input: `media` says what it is, `frames()` decodes it.

    A PNG may tell its orientation after its pixels: `media` is corrected by the first frame.
    """

    def __init__(self, media: Media, decode: Callable[[], Iterator[Frame]]) -> None:
        """For `open`: what it is, and what starts a walk over its frames."""
        self.media = media
        self._decode = decode

    def frames(self) -> Iterator[Frame]:
        """Each frame once, decoded when asked for; one equal to the frame before is left out.

        Raises MediaError after the last frame that could be decoded. A frame that is cut short
        or broken is given as far as it was decoded (the rest is black or grey), then the error.
        Pictures hidden in the file come last, before the error if there is one:
        docs/internals/pixels.md.
        """
        for frame in self._decode():
            if frame.part == 0 and frame.part_kind == "frame":
                height, width = frame.pixels.shape[:2]
                if (width, height) != (self.media.width, self.media.height):
                    self.media = replace(self.media, width=width, height=height)
            yield frame
            del frame  # whose pixels would be held while the next are decoded
