"""The sampling rules: which frames of a video are hashed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from screener.arguments import as_float
from screener.media.video.timing import EARLY, SHORT, Grid

MODES: Final = ("seconds", "keyframes", "all", "frames")
_FOR_VIDEOS: Final = 10_000  # frames sampled against listed videos; more cost memory, find little
_BETWEEN: Final = 3_000  # frames of a video whose every frame is compared
_MOST_PARTS: Final = 1 << 30  # of a step; more than it has frames
_VPDQ_STEP: Final = 0.5  # seconds: with longer steps, the frames that vPDQ takes are not added


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which frames of a video are hashed; `docs/video.md` says what each mode finds and costs.

    `mode`:

    - `seconds` takes the first frame, then one every `every` seconds and the one on screen then. A
      video shorter than four steps has shorter steps, for at least four frames.
    - `keyframes` decodes and takes only key frames.
    - `all` takes every frame.
    - `frames` counts frames, as vPDQ does: it takes one in every `every` seconds at the file's
      average rate, and goes by time if longer than that passes between two of them.

    `videos` replaces `every` when a list holds videos (`against_videos`, set by a Screener). A long
    video gets longer steps, for at most 10,000 frames. Frames in between that differ are taken too
    if the video has at most 3,000; so are those that vPDQ takes.

    `scenes` also takes each frame that looks unlike the last one taken, for short flashes; every
    frame is decoded. `distinct` hashes neighbours with equal pixels once. If less than the share
    `usable` of the frames taken has enough detail, a video without a match is `too_little_detail`.
    """

    mode: str = "seconds"
    every: float = 1.0
    videos: float = 0.125
    against_videos: bool = False
    scenes: bool = False
    distinct: bool = True
    usable: float = 0.1

    def step(self, duration: float | None, frames: int = 0) -> float:
        """Return the seconds between samples; `frames` are as counted, 0 if not counted.

        Few frames are sampled finely whatever the length.
        """
        if not self.against_videos:
            return self.every
        if 0 < frames <= _FOR_VIDEOS:
            return min(self.every, self.videos)
        return min(self.every, max(self.videos, (duration or 0) / _FOR_VIDEOS))

    def grid(self, duration: float | None, frames: int = 0) -> Grid:
        """Return the due times: one a step, and more if the video has fewer than `SHORT` steps."""
        step = self.step(duration, frames)
        if duration is None:
            return Grid(step)
        return Grid(step, math.ceil(min(SHORT * step / (duration + EARLY), _MOST_PARTS)))

    def between(self, duration: float | None, frames: int = 0) -> float | None:
        """Return the seconds between frames that are taken only if they differ, or None."""
        if not self.against_videos or duration is None:
            return None
        finer = EARLY if 0 < frames <= _BETWEEN else duration / _BETWEEN
        return finer if finer < self.step(duration, frames) else None

    def as_vpdq(self, duration: float | None, frames: int = 0) -> bool:
        """Return whether the frames that vPDQ takes, one a second by number, are taken too."""
        return self.against_videos and self.step(duration, frames) <= _VPDQ_STEP

    def problem(self) -> str | None:
        """Return what is wrong with the settings, as a sentence; None if nothing is."""
        if self.mode not in MODES:
            return f"mode must be one of {', '.join(MODES)}, got {self.mode!r}"
        for name in ("every", "videos"):
            seconds = getattr(self, name)
            if not 0 < as_float(seconds) < math.inf:
                return f"{name} must be a number of seconds above 0, got {seconds!r}"
        if not 0 <= as_float(self.usable) <= 1:
            return f"usable must be a share from 0 to 1, got {self.usable!r}"
        for name in ("scenes", "distinct", "against_videos"):
            if not isinstance(getattr(self, name), bool):
                return f"{name} must be true or false"
        if self.scenes and self.mode == "keyframes":
            return "scenes needs every frame decoded, which the mode keyframes does not do"
        return None

    def normalized(self) -> Sampling:
        """Return the same settings with Python's own floats; they must have no `problem`."""
        return replace(
            self, every=float(self.every), videos=float(self.videos), usable=float(self.usable)
        )
