"""Walk: one walk over a track of a video: which frames are taken, and what was lost on the way."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO, NamedTuple

import numpy as np

from screener.errors import MediaError, ShortOfMemory
from screener.media.files.allowance import Allowance
from screener.media.files.limits import Limits
from screener.media.files.picture import Frame
from screener.media.video.containers import boxes
from screener.media.video.decoders.stream import Lost, Still, Stream
from screener.media.video.sampling import scene_change
from screener.media.video.sampling.bars import Bars
from screener.media.video.sampling.rules import Sampling
from screener.media.video.timing import EARLY, Clock, Grid, Losses

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

    It ends once the allowance is over. `count` frames of other tracks were taken before.
    """

    def __init__(
        self,
        opened: Stream,
        limits: Limits,
        sampling: Sampling,
        allowance: Allowance,
        count: int,
    ) -> None:
        step = opened.frame_seconds
        length = opened.length
        self._every = sampling.step(*length) if sampling.mode == "seconds" else sampling.every
        # What is damaged, and looked at, stands for nothing sound behind it.
        self._grids = {sound: sampling.grid(*length) for sound in (True, False)}
        if sampling.mode == "frames":
            self._grids = dict.fromkeys((True, False), Grid(self._every))
        allowed = {"seconds": self._grids[True].part, "frames": self._every}.get(sampling.mode, 0.0)
        self.stopped: MediaError | None = None
        self.losses = Losses(allowed, step)
        self.decoded = self.passed = 0  # frames, and those passed without decoding as well
        self.count = count
        self._opened = opened
        self._limits = limits
        self._sampling = sampling
        self._allowance = allowance
        self._clock = Clock(step)
        # Cut short, as vPDQ does.
        self._stride = max(1, int(min(self._every / step, _MOST_FRAMES) + 1e-9))
        by_seconds = sampling.mode == "seconds"
        self._by_time = by_seconds or sampling.mode == "frames"
        self._second = max(1, int(1 / step + 1e-9))
        self._as_vpdq = by_seconds and sampling.as_vpdq(*length)
        finer = sampling.between(*length) if by_seconds else None
        self._between = None if finer is None else Grid(finer)
        self._waiting: Still | None = None  # the last frame, if it was not looked at
        # Seconds from the last frame looked at to the one that followed.
        self._pause: float | None = None
        # To see a change: the means of the last frame looked at, and of the last one.
        self._last: scene_change.Means | None = None
        self._seen: scene_change.Means | None = None

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
        if boxes.ended_early(stream):
            raise MediaError("truncated", "the data ends too early")
        if not self.decoded:
            raise MediaError("undecodable", "no frame can be decoded")
        if self.losses.worst is not None:
            start, end = self.losses.worst
            until = "its end" if math.isinf(end) else f"{end:.1f} s"
            raise MediaError("undecodable", f"not decodable from {start:.1f} s to {until}")

    def taken(self) -> Iterator[_Taken]:
        """Each frame taken and its time, up to the end or a limit."""
        for one in self._chosen():
            self.count += not one.between
            if self.count > self._limits.samples:
                over = f"more than {self._limits.samples} frames to look at"
                self.stopped = MediaError("too_large", over)
                return
            yield one

    def _chosen(self) -> Iterator[_Taken]:
        """The same, up to the end or a limit other than that of their number."""
        for step in self._opened.steps():
            if self._allowance.over:
                self.stopped = MediaError("timeout", "not finished within its time")
                return
            if isinstance(step, Lost):
                self.losses.lose(self._clock.lost(step.time))
            elif step is not None:
                before = self._clock.now
                time = self._tell(step)
                yield from self._on_screen(before, time)
                if time > self._limits.duration:
                    self.stopped = MediaError("too_large", f"over {self._limits.duration} s long")
                    return
                between = self._between is not None and self._between.takes(time)
                due = self._is_due(time, step)
                if due or between:
                    yield _Taken(time, step, between=not due)
                if due:
                    self._pause, self._waiting = None, None
                else:
                    self._pause = self._pause or max(time - step.behind - before, 0.0)
                    self._waiting = step
        yield from self._on_screen(self._clock.now, self._shown_until())
        self.losses.end(self._opened.ends if self.decoded else None)

    def _on_screen(self, time: float, until: float) -> Iterator[_Taken]:
        """Yield the last frame, shown from one time to the other, if it was on screen at a due time
        and not looked at when it came.

        What follows a due time is looked at as well. If it comes no later than the frame that
        followed the last one looked at, nothing was shown for a step in between: so frames that
        come regularly are looked at once a step.
        """
        still = self._waiting
        if still is None or self._pause is None or until - time <= self._pause + EARLY:
            return
        due = self._grids[still.sound].passed(until) if self._by_time else None
        if due is not None:
            self._last = self._seen
            yield _Taken(max(due, time), still, between=False)

    def _shown_until(self) -> float:
        """Return when the last frame goes. If nobody knows, it is shown at the next due time."""
        until = self._opened.shown_until or 0.0
        return until if until > self._clock.now else self._clock.now + 2 * self._every

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
            if due:
                self._grids[True].restart(time)
            else:
                due = self._grids[True].takes(time)
        else:
            due = self._sampling.mode != "seconds" or self._grids[still.sound].takes(time)
            due = due or (self._as_vpdq and still.number % self._second == 0)
        if not self._sampling.scenes:
            return due
        self._seen = scene_change.of(still.raw())
        due = due or self._last is None or scene_change.another_scene(self._seen, self._last)
        if due:
            self._last = self._seen
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
            size += frame.stored.size
            while len(held) > _AHEAD or size > _HELD:
                first = held.popleft()
                size -= first.stored.size
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
    shown: scene_change.Means | None = None  # of the frame held, once it is asked for
    again: list[float] = []
    trouble: Exception | None = None
    try:
        for time, still, between in taken:
            if held is not None and not between and held.part == still.number:
                held = replace(held, between=False)  # given already, as one in between
                continue
            stored = still.grey()
            if held is not None:
                if between:
                    shown = scene_change.of(held.stored) if shown is None else shown
                    if scene_change.alike(scene_change.of(stored), shown):
                        continue
                if sampling.distinct and np.array_equal(stored, held.stored):
                    held = replace(held, between=False)
                    again.append(time)
                    continue
                yield replace(held, again=tuple(again))
            pixels = still.shown(stored)
            outer = None if pixels.shape == stored.shape else stored
            held = Frame(pixels, time, still.number, between=between, outer=outer)
            shown, again = None, []
    except (MediaError, MemoryError) as error:
        trouble = error
    if held is not None:
        yield replace(held, again=tuple(again))
    if trouble is not None:
        raise trouble
