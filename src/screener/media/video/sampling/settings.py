"""The settings of sampling: which frames of a video are hashed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from screener.arguments import as_float
from screener.media.video.timing import MAX_EARLY_SECONDS, MIN_SAMPLES, Grid

MODES: Final = ("seconds", "keyframes", "all", "frames")
_MAX_SAMPLES_FOR_VIDEOS: Final = 10_000  # more would take memory and find little
_MAX_FRAMES_BETWEEN: Final = 3_000  # every frame of a video with at most this many is compared
_MAX_PARTS_PER_STEP: Final = 1 << 30  # more than a step has frames
_MAX_VPDQ_STEP_SECONDS: Final = 0.5  # with longer steps, the frames that vPDQ samples are not added


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """The settings that choose the frames of a video; `docs/video.md` compares the modes.

    Parameters:
        mode: How frames are sampled:

            - `seconds`: the first frame, then one every `every` seconds and the frame on screen at
              that time. A video of less than four steps has shorter ones, for four samples or more.
            - `keyframes`: key frames; only these are decoded.
            - `all`: every frame.
            - `frames`: as vPDQ does, every n-th frame, where n is the number of frames in `every`
              seconds at the file's average rate. If no such frame comes within `every` seconds,
              the next one is sampled.
        every: Seconds between samples.
        videos: Replaces `every` if a list contains videos. A long video has longer steps, for at
            most 10,000 samples. Frames between samples are added if they differ, and if the video
            has at most 3,000 frames; frames that vPDQ samples are added too.
        against_videos: A list contains videos; a Screener sets this.
        scenes: Also sample each frame that differs much from the last sample, to find short
            flashes. Every frame is decoded.
        distinct: Hash consecutive samples with equal pixels only once.
        usable: If a smaller share of the samples has enough detail, a video without a match is
            `too_little_detail`.
    """

    mode: str = "seconds"
    every: float = 1.0
    videos: float = 0.125
    against_videos: bool = False
    scenes: bool = False
    distinct: bool = True
    usable: float = 0.1

    def compute_step(self, duration: float | None, frames: int = 0) -> float:
        """Return the seconds between samples; `frames` is 0 if they were not counted.

        A video of few frames has short steps whatever its length.
        """
        if not self.against_videos:
            return self.every
        if 0 < frames <= _MAX_SAMPLES_FOR_VIDEOS:
            return min(self.every, self.videos)
        return min(self.every, max(self.videos, (duration or 0) / _MAX_SAMPLES_FOR_VIDEOS))

    def create_grid(self, duration: float | None, frames: int = 0) -> Grid:
        """Return the due times: one per step, or more if the video has few steps."""
        step = self.compute_step(duration, frames)
        if duration is None:
            return Grid(step)
        parts = MIN_SAMPLES * step / (duration + MAX_EARLY_SECONDS)
        return Grid(step, math.ceil(min(parts, _MAX_PARTS_PER_STEP)))

    def compute_step_between(self, duration: float | None, frames: int = 0) -> float | None:
        """Return the seconds between frames that are sampled only if they differ, or None."""
        if not self.against_videos or duration is None:
            return None
        takes_all = 0 < frames <= _MAX_FRAMES_BETWEEN
        seconds = MAX_EARLY_SECONDS if takes_all else duration / _MAX_FRAMES_BETWEEN
        return seconds if seconds < self.compute_step(duration, frames) else None

    def includes_vpdq(self, duration: float | None, frames: int = 0) -> bool:
        """Return whether the frames that vPDQ samples, one per second, are sampled too."""
        return self.against_videos and self.compute_step(duration, frames) <= _MAX_VPDQ_STEP_SECONDS

    def problem(self) -> str | None:
        """Return an error message for invalid settings, or None."""
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
        """Return the same settings with Python floats, if `problem` returns None."""
        return replace(
            self, every=float(self.every), videos=float(self.videos), usable=float(self.usable)
        )
