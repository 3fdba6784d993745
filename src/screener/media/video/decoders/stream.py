"""Stream: a video as a decoder gives it, frame by frame; what PyAV and OpenCV have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def _all(pixels: Pixels) -> Pixels:
    return pixels


@dataclass(frozen=True, slots=True)
class Still:
    """A frame that was decoded, and not yet converted.

    `number` counts the frames of the file from 0; `time` is in seconds from the first one, None
    where the file does not say. `grey()` makes the upright grey pixels, (H, W) uint8; `raw()` the
    same of what is shown, to be looked at only: perhaps not upright, perhaps with another black and
    white. `sound` is false where it was decoded from damaged data, so that much of it may be made
    up. `behind` is how many seconds it comes behind the first frame that was passed over to reach
    it, undecoded. `shown` takes the upright pixels and returns what players show of them.
    """

    number: int
    time: float | None
    grey: Callable[[], Pixels]
    raw: Callable[[], Pixels]
    sound: bool = True
    behind: float = 0.0
    shown: Callable[[Pixels], Pixels] = _all


@dataclass(frozen=True, slots=True)
class Lost:
    """Something that could not be decoded, at that time where the file says."""

    time: float | None


class Length(NamedTuple):
    """How long a track is in seconds, None where that is not known, and how many frames it has, as
    they were counted, and not as its file declares; 0 where they were not.
    """

    seconds: float | None
    frames: int = 0


class Stream(Protocol):
    """A track of pictures of a video that is open.

    `tracks` says how many the file has, `covers` how many of them are no more than a picture that
    stands for the file, and `cover`, that this one is. `width` and `height` are as shown; `frames`
    as declared, 0 where the file does not say; `duration` and `ends` (when its pictures end, if
    they are declared apart) are seconds, and `length` is by what it is sampled; `frame_seconds` is
    how long a frame lasts as a rule, and `left` how long those that are left out by edit lists last
    by it. `shown_until` is when the last frame goes, by the longest duration that the file
    declares; None if it declares none. `ids` are the file's numbers of all tracks that were known
    when it was opened, None where the decoder does not tell. `alpha_lost`: whether the track has an
    alpha channel that the decoder passes over. `subtitles`: whether the file has subtitles that are
    pictures, None if the decoder does not tell.
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
    left: float
    shown_until: float | None
    ids: frozenset[int] | None
    alpha_lost: bool
    subtitles: bool | None

    @property
    def ends(self) -> float | None:
        """When its pictures end, as far as is known by now."""
        ...

    def steps(self) -> Iterator[Still | Lost | None]:
        """Each frame in the order shown; None now and then, so that the clock can be looked at."""
        ...
