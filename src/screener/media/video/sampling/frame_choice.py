"""Choose the frames of a video track that are sampled, and record losses."""

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
from screener.media.video.containers import integrity
from screener.media.video.decoders.stream import DecodedFrame, Lost, Stream
from screener.media.video.sampling import scene_change
from screener.media.video.sampling.bars import Bars
from screener.media.video.sampling.settings import Sampling
from screener.media.video.timing import MAX_EARLY_SECONDS, Clock, Grid, Losses

# Frames are delayed so that the bars are known before the first one is yielded.
_MAX_DELAYED_FRAMES = 256
_MAX_DELAYED_PIXELS = 32_000_000

_MAX_STRIDE = 1 << 53


class _Sample(NamedTuple):
    """A sampled frame, or a frame `between` samples, hashed only if it differs."""

    time: float
    frame: DecodedFrame
    between: bool


class FrameChoice:
    """One pass over a track, up to its end or a limit.

    `count` is the number of samples, including those of earlier tracks. `passed` is the number of
    this track's frames.
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
        by_seconds = sampling.mode == "seconds"
        self._every = sampling.compute_step(*length) if by_seconds else sampling.every
        # Sound and damaged frames have separate due times, since a damaged frame must not replace a
        # sound one after it.
        self._grids = {sound: sampling.create_grid(*length) for sound in (True, False)}
        if sampling.mode == "frames":
            self._grids = dict.fromkeys((True, False), Grid(self._every))
        allowed = {"seconds": self._grids[True].part, "frames": self._every}.get(sampling.mode, 0.0)
        self._stopped: MediaError | None = None
        self._losses = Losses(allowed, step)
        self._decoded = self.passed = 0
        self.count = count
        self._opened = opened
        self._limits = limits
        self._sampling = sampling
        self._allowance = allowance
        self._clock = Clock(step)
        # Rounded down, as vPDQ does.
        self._stride = max(1, int(min(self._every / step, _MAX_STRIDE) + 1e-9))
        self._samples_by_time = by_seconds or sampling.mode == "frames"
        self._frames_per_second = max(1, int(1 / step + 1e-9))
        self._as_vpdq = by_seconds and sampling.includes_vpdq(*length)
        finer = sampling.compute_step_between(*length) if by_seconds else None
        self._between = None if finer is None else Grid(finer)
        self._unsampled: DecodedFrame | None = None  # the last frame, if it was not sampled
        # Seconds from the last sample to the next frame.
        self._gap_after_sample: float | None = None
        # Of the last sample and of the current frame, to find a new scene.
        self._sampled_means: scene_change.Means | None = None
        self._means: scene_change.Means | None = None

    def choose_frames(self) -> Iterator[Frame]:
        """Yield the frames to be hashed, each with views between the track's bars."""
        try:
            yield from _add_views_without_bars(
                _skip_equal_frames(self.sample_frames(), self._sampling)
            )
        except MemoryError:
            raise ShortOfMemory("not enough memory to decode it") from None

    def check(self, stream: BinaryIO) -> None:
        """Raise MediaError, after all frames, if a part of the track was not seen."""
        if self._stopped is not None:
            raise self._stopped
        if integrity.ended_early(stream):
            raise MediaError("truncated", "the data ends too early")
        if not self._decoded:
            raise MediaError("undecodable", "no frame can be decoded")
        if self._losses.worst is not None:
            start, end = self._losses.worst
            until = "its end" if math.isinf(end) else f"{end:.1f} s"
            raise MediaError("undecodable", f"not decodable from {start:.1f} s to {until}")

    def sample_frames(self) -> Iterator[_Sample]:
        """Yield each sampled frame, up to the end or a limit."""
        for sample in self._sample_until_limit():
            self.count += not sample.between
            if self.count > self._limits.samples:
                detail = f"more than {self._limits.samples} frames to sample"
                self._stopped = MediaError("too_large", detail)
                return
            yield sample

    def _sample_until_limit(self) -> Iterator[_Sample]:
        """Yield each sampled frame, up to the end or a limit other than their number."""
        for step in self._opened.steps():
            if self._allowance.over:
                self._stopped = MediaError("timeout", "not finished within its time")
                return
            if isinstance(step, Lost):
                self._losses.add_loss(self._clock.estimate_lost_time(step.time))
            elif step is not None:
                before = self._clock.now
                time = self._advance(step)
                yield from self._sample_on_screen(before, time)
                if time > self._limits.duration:
                    self._stopped = MediaError("too_large", f"over {self._limits.duration} s long")
                    return
                between = self._between is not None and self._between.takes(time)
                due = self._is_due(time, step)
                if due or between:
                    yield _Sample(time, step, between=not due)
                if due:
                    self._gap_after_sample, self._unsampled = None, None
                else:
                    self._gap_after_sample = self._gap_after_sample or max(
                        time - step.skipped_seconds - before, 0.0
                    )
                    self._unsampled = step
        yield from self._sample_on_screen(self._clock.now, self._find_last_frame_end())
        self._losses.end(self._opened.ends if self._decoded else None)

    def _sample_on_screen(self, time: float, until: float) -> Iterator[_Sample]:
        """Yield the last frame if it was on screen at a due time.

        It is shown from `time` to `until`. Regular frames are sampled once per step: nothing is
        yielded if the next frame, which is sampled as well, comes as soon as the frame after the
        last sample did.
        """
        frame = self._unsampled
        if (
            frame is None
            or self._gap_after_sample is None
            or until - time <= self._gap_after_sample + MAX_EARLY_SECONDS
        ):
            return
        if not self._samples_by_time:
            return
        due = self._grids[frame.sound].find_missed_due_time(until)
        if due is not None:
            self._sampled_means = self._means
            yield _Sample(max(due, time), frame, between=False)

    def _find_last_frame_end(self) -> float:
        """Return when the last frame disappears; if unknown, a time after the next due time."""
        until = self._opened.shown_until or 0.0
        return until if until > self._clock.now else self._clock.now + 2 * self._every

    def _advance(self, frame: DecodedFrame) -> float:
        self._decoded += 1
        self.passed = max(self.passed, frame.number + 1)
        time = self._clock.advance(frame.time)
        if frame.sound:
            self._losses.add_sound_frame(time)
        else:
            self._losses.add_loss(time)
        return time

    def _is_due(self, time: float, frame: DecodedFrame) -> bool:
        """Return whether a frame is sampled by the mode or for a new scene."""
        if self._sampling.mode == "frames":
            due = frame.number % self._stride == 0
            if due:
                self._grids[True].restart(time)
            else:
                due = self._grids[True].takes(time)
        else:
            due = self._sampling.mode != "seconds" or self._grids[frame.sound].takes(time)
            due = due or (self._as_vpdq and frame.number % self._frames_per_second == 0)
        if not self._sampling.scenes:
            return due
        self._means = scene_change.compute_cell_means(frame.raw())
        last = self._sampled_means
        due = due or last is None or scene_change.is_new_scene(self._means, last)
        if due:
            self._sampled_means = self._means
        return due


def _add_views_without_bars(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Yield the frames with views of their part between the video's bars.

    The bars of later frames count too, since many videos begin in the dark.
    """
    bars, waiting, size = Bars(), deque[Frame](), 0
    first_error: Exception | None = None
    try:
        for frame in frames:
            bars.update(frame.pixels)
            waiting.append(frame)
            size += frame.stored.size
            while len(waiting) > _MAX_DELAYED_FRAMES or size > _MAX_DELAYED_PIXELS:
                first = waiting.popleft()
                size -= first.stored.size
                yield replace(first, inner=bars.find_views(first.pixels))
    except (MediaError, MemoryError) as error:
        first_error = error
    for frame in waiting:
        yield replace(frame, inner=bars.find_views(frame.pixels))
    if first_error is not None:
        raise first_error


def _skip_equal_frames(samples: Iterator[_Sample], sampling: Sampling) -> Iterator[Frame]:
    """Yield the sampled frames with their pixels; consecutive equal frames are yielded once.

    A frame between samples is yielded only if it does not look like the last one.
    """
    last: Frame | None = None
    means: scene_change.Means | None = None  # of the last frame, computed when needed
    equal_times: list[float] = []
    first_error: Exception | None = None
    try:
        for time, frame, between in samples:
            if last is not None and not between and last.part == frame.number:
                last = replace(last, between=False)  # the same frame came as one between samples
                continue
            stored = frame.grey()
            if last is not None:
                if between:
                    means = scene_change.compute_cell_means(last.stored) if means is None else means
                    if scene_change.is_alike(scene_change.compute_cell_means(stored), means):
                        continue
                if sampling.distinct and np.array_equal(stored, last.stored):
                    last = replace(last, between=False)
                    equal_times.append(time)
                    continue
                yield replace(last, again=tuple(equal_times))
            pixels = frame.crop(stored)
            uncropped = None if pixels.shape == stored.shape else stored
            last = Frame(pixels, time, frame.number, between=between, uncropped=uncropped)
            means, equal_times = None, []
    except (MediaError, MemoryError) as error:
        first_error = error
    if last is not None:
        yield replace(last, again=tuple(equal_times))
    if first_error is not None:
        raise first_error
