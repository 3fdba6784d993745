"""Walk: one walk over a track of a video: which frames are taken, and what was lost on the way."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from time import monotonic
from typing import BinaryIO, NamedTuple

import numpy as np

from screener.errors import MediaError, ShortOfMemory
from screener.media.limits import Limits
from screener.media.picture import Frame
from screener.media.sampling import Sampling
from screener.media.timing import Clock, Grid, Losses
from screener.media.video import containers, means
from screener.media.video.bars import Bars
from screener.media.video.stream import Lost, Still, Stream

# Frames, and pixels of them, that are held to learn from before the first of them is given.
_AHEAD = 256
_HELD = 32_000_000

_MOST_FRAMES = 1 << 53  # more than any video has


class _Taken(NamedTuple):
    """A frame taken, its time, and whether it is one in between, to be hashed if it differs."""

    time: float
    still: Still
    between: bool


class Walk:
    """One walk over a track: which frames are taken, what was lost, and what ended it early.

    It ends at `ends`, by the monotonic clock. `count` frames of other tracks were taken before.
    """

    def __init__(
        self, opened: Stream, limits: Limits, sampling: Sampling, ends: float, count: int
    ) -> None:
        step = opened.frame_seconds
        length = opened.length
        self._every = sampling.step(*length) if sampling.mode == "seconds" else sampling.every
        # What is damaged, and looked at, stands for nothing sound behind it.
        self._grids = {sound: sampling.grid(*length) for sound in (True, False)}
        allowed = {"seconds": self._grids[True].part, "frames": self._every}.get(sampling.mode, 0.0)
        self.stopped: MediaError | None = None
        self.losses = Losses(allowed, step)
        self.decoded = self.passed = 0  # frames, and those passed without decoding as well
        self.count = count
        self._opened = opened
        self._limits = limits
        self._sampling = sampling
        self._ends = ends
        self._clock = Clock(step)
        # Cut short, as vPDQ does.
        self._stride = max(1, int(min(self._every / step, _MOST_FRAMES) + 1e-9))
        by_time = sampling.mode == "seconds"
        self._second = max(1, int(1 / step + 1e-9))
        self._as_vpdq = by_time and sampling.as_vpdq(*length)
        finer = sampling.between(*length) if by_time else None
        self._between = None if finer is None else Grid(finer)
        self._last: means.Means | None = None  # of the last frame taken, to see a change

    def frames(self) -> Iterator[Frame]:
        """The frames to be hashed, each with what lies between the track's bars."""
        try:
            yield from _without_bars(_distinct(self.taken(), self._sampling))
        except MemoryError:
            raise ShortOfMemory("not enough memory to decode it") from None

    def check(self, stream: BinaryIO) -> None:
        """MediaError where a part of the track, which has been walked over, was not looked at."""
        if self.stopped is not None:
            raise self.stopped
        if containers.ended_early(stream):
            raise MediaError("truncated", "the data ends too early")
        if not self.decoded:
            raise MediaError("undecodable", "no frame can be decoded")
        if self.losses.worst is not None:
            start, end = self.losses.worst
            until = "its end" if math.isinf(end) else f"{end:.1f} s"
            raise MediaError("undecodable", f"not decodable from {start:.1f} s to {until}")

    def taken(self) -> Iterator[_Taken]:
        """Each frame taken and its time, up to the end or a limit."""
        for step in self._opened.steps():
            if monotonic() > self._ends:
                self.stopped = MediaError("timeout", "not finished within its time")
                return
            if isinstance(step, Lost):
                self.losses.lose(self._clock.lost(step.time))
            elif step is not None:
                time = self._tell(step)
                if time > self._limits.duration:
                    self.stopped = MediaError("too_large", f"over {self._limits.duration} s long")
                    return
                between = self._between is not None and self._between.takes(time)
                due = self._is_due(time, step)
                if not due and not between:
                    continue
                self.count += due
                if self.count > self._limits.samples:
                    over = f"more than {self._limits.samples} frames to look at"
                    self.stopped = MediaError("too_large", over)
                    return
                yield _Taken(time, step, between=not due)
        self.losses.end(self._opened.ends if self.decoded else None)

    def _tell(self, still: Still) -> float:
        """The time of a frame that was decoded."""
        self.decoded += 1
        self.passed = max(self.passed, still.number + 1)
        time = self._clock.tell(still.time)
        if still.sound:
            self.losses.see(time)
        else:
            self.losses.lose(time)
        return time

    def _is_due(self, time: float, still: Still) -> bool:
        """Whether a frame is one to take: by the mode, or because the scene has changed."""
        if self._sampling.mode == "frames":
            due = still.number % self._stride == 0
        else:
            due = self._sampling.mode != "seconds" or self._grids[still.sound].takes(time)
            due = due or (self._as_vpdq and still.number % self._second == 0)
        if not self._sampling.scenes:
            return due
        shown = means.of(still.raw())
        due = due or self._last is None or means.another_scene(shown, self._last)
        if due:
            self._last = shown
        return due


def _without_bars(frames: Iterator[Frame]) -> Iterator[Frame]:
    """The frames, each with what it shows between the video's bars, as far as those are known from
    the frames before it and, since many a video begins in the dark, from some after it.
    """
    bars, held, size = Bars(), deque[Frame](), 0
    trouble: Exception | None = None
    try:
        for frame in frames:
            bars.see(frame.pixels)
            held.append(frame)
            size += frame.pixels.size
            while len(held) > _AHEAD or size > _HELD:
                first = held.popleft()
                size -= first.pixels.size
                yield replace(first, inner=bars.views(first.pixels))
    except (MediaError, MemoryError) as error:
        trouble = error
    for frame in held:
        yield replace(frame, inner=bars.views(frame.pixels))
    if trouble is not None:
        raise trouble


def _distinct(taken: Iterator[_Taken], sampling: Sampling) -> Iterator[Frame]:
    """The frames taken, with their pixels; neighbours that are equal as one, given when one follows
    that is not, and also before an error. Of those in between, the ones that look unlike the last.
    """
    held: Frame | None = None
    shown: means.Means | None = None  # of the frame held, once it is asked for
    again: list[float] = []
    trouble: Exception | None = None
    try:
        for time, still, between in taken:
            pixels = still.grey()
            if held is not None:
                if between:
                    shown = means.of(held.pixels) if shown is None else shown
                    if means.alike(means.of(pixels), shown):
                        continue
                if sampling.distinct and np.array_equal(pixels, held.pixels):
                    held = replace(held, between=False)
                    again.append(time)
                    continue
                yield replace(held, again=tuple(again))
            held, shown = Frame(pixels, time, still.number, between=between), None
            again = []
    except (MediaError, MemoryError) as error:
        trouble = error
    if held is not None:
        yield replace(held, again=tuple(again))
    if trouble is not None:
        raise trouble
