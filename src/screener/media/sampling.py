"""Sampling: which frames of a video are looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

MODES: Final = ("seconds", "keyframes", "all", "frames")


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which frames of a video are looked at; `docs/video.md` says what each finds and costs.

    `mode`: `seconds` takes the first frame and then one every `every` seconds; `keyframes` decodes
    and takes only the frames that stand by themselves; `all` takes every frame; `frames` takes each
    so many frames as make `every` seconds at the file's average rate, as vPDQ does. `videos`:
    instead of `every` where that is more and a list holds videos, since their frames may lie
    anywhere between ours, and what moves fast agrees with nothing half a second later. `scenes`:
    also take each frame that looks unlike the last one taken, so that a short flash is seen; every
    frame is decoded for it, which `keyframes` does not do. `distinct`: hash neighbours that look
    alike once. `usable`: the least share of the frames taken that must show enough detail to be
    compared; below it, a video without a match is `too_little_detail`.
    """

    mode: str = "seconds"
    every: float = 1.0
    videos: float = 0.25
    scenes: bool = False
    distinct: bool = True
    usable: float = 0.1

    def against_videos(self) -> Sampling:
        """The same where a list holds videos."""
        return replace(self, every=min(self.every, self.videos))

    def wrong(self) -> str | None:
        """What is wrong with the settings, in a sentence; None where nothing is."""
        if self.mode not in MODES:
            return f"mode is one of {', '.join(MODES)}, not {self.mode!r}"
        for name in ("every", "videos"):
            seconds = getattr(self, name)
            if _not_a_number(seconds) or not 0 < seconds < math.inf:
                return f"{name} is a number of seconds above 0, not {seconds!r}"
        if _not_a_number(self.usable) or not 0 <= self.usable <= 1:
            return f"usable is a share from 0 to 1, not {self.usable!r}"
        for name in ("scenes", "distinct"):
            if not isinstance(getattr(self, name), bool):
                return f"{name} is true or false"
        if self.scenes and self.mode == "keyframes":
            return "scenes needs every frame decoded, which the mode keyframes does not do"
        return None


def _not_a_number(value: object) -> bool:
    return isinstance(value, bool) or not isinstance(value, int | float)
