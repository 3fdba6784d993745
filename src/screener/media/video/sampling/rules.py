"""Sampling: which frames of a video are looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from screener.arguments import as_float
from screener.media.video.timing import EARLY, SHORT, Grid

MODES: Final = ("seconds", "keyframes", "all", "frames")
_FOR_VIDEOS: Final = 10_000  # frames: more cost more memory than they find
_BETWEEN: Final = 3_000  # frames in between of what moves, at most: they cost time
_MOST_PARTS: Final = 1 << 30  # of a step: more than any frames are in it
_AS_VPDQ: Final = 0.5  # seconds: where we look less often, frames that vPDQ takes are not added


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which frames of a video are looked at; `docs/video.md` says what each finds and costs.

    `mode`: `seconds` takes the first frame and then one every `every` seconds, with the one that is
    on screen then, and of a video of less than four times that so many in between that they are
    four at least; `keyframes` decodes
    and takes only the frames that stand by themselves; `all` takes every frame; `frames` counts
    them, as vPDQ does: it takes one of as many as make `every` seconds at the file's average rate,
    and goes by time if longer than that passes between two of them.

    `videos`: the seconds in place of `every` where a list holds videos (`against_videos`, which a
    Screener sets), since the frames of those lie anywhere between ours, and what moves agrees with
    nothing half a second later. A long video is sampled less often, for no more than 10,000 frames
    in all. Frames in between that differ are taken too, where the video is so short that there are
    no more than 3,000 of them; and so are those that vPDQ takes at its own setting.

    `scenes`: also take each frame that looks unlike the last one taken, so that a short flash is
    seen; every frame is decoded for it, which `keyframes` does not do. `distinct`: hash neighbours
    whose pixels are equal once. `usable`: the least share of the frames taken that must show enough
    detail to be compared; below it, a video without a match is `too_little_detail`.
    """

    mode: str = "seconds"
    every: float = 1.0
    videos: float = 0.125
    against_videos: bool = False
    scenes: bool = False
    distinct: bool = True
    usable: float = 0.1

    def step(self, duration: float | None, frames: int = 0) -> float:
        """Seconds from one frame to the next, of a video so long, as far as that is known, and of
        so many frames at most. Those of few are few however far apart a file says they are.
        """
        if not self.against_videos:
            return self.every
        if 0 < frames <= _FOR_VIDEOS:
            return min(self.every, self.videos)
        return min(self.every, max(self.videos, (duration or 0) / _FOR_VIDEOS))

    def grid(self, duration: float | None, frames: int = 0) -> Grid:
        """When frames are taken of a video so long: one a step, and of one that has fewer than
        `SHORT` steps, in as many parts of each as make so many frames.
        """
        step = self.step(duration, frames)
        if duration is None:
            return Grid(step)
        return Grid(step, math.ceil(min(SHORT * step / (duration + EARLY), _MOST_PARTS)))

    def between(self, duration: float | None, frames: int = 0) -> float | None:
        """Seconds from one frame to the next in between those, of a video so long: such a frame is
        taken if it differs from the last one. None where there are none in between.
        """
        if not self.against_videos or duration is None:
            return None
        finer = EARLY if 0 < frames <= _BETWEEN else duration / _BETWEEN
        return finer if finer < self.step(duration, frames) else None

    def as_vpdq(self, duration: float | None, frames: int = 0) -> bool:
        """Whether frames that vPDQ takes of a video so long are taken as well: each so many as make
        a second. A copy that has all frames agrees in these, however much it moves.
        """
        return self.against_videos and self.step(duration, frames) <= _AS_VPDQ

    def wrong(self) -> str | None:
        """What is wrong with the settings, in a sentence; None where nothing is."""
        if self.mode not in MODES:
            return f"mode is one of {', '.join(MODES)}, not {self.mode!r}"
        for name in ("every", "videos"):
            seconds = getattr(self, name)
            if not 0 < as_float(seconds) < math.inf:
                return f"{name} is a number of seconds above 0, not {seconds!r}"
        if not 0 <= as_float(self.usable) <= 1:
            return f"usable is a share from 0 to 1, not {self.usable!r}"
        for name in ("scenes", "distinct", "against_videos"):
            if not isinstance(getattr(self, name), bool):
                return f"{name} is true or false"
        if self.scenes and self.mode == "keyframes":
            return "scenes needs every frame decoded, which the mode keyframes does not do"
        return None

    def plain(self) -> Sampling:
        """The same in numbers of Python's own, where nothing is wrong with them."""
        return replace(
            self, every=float(self.every), videos=float(self.videos), usable=float(self.usable)
        )
