"""Videos: frames sampled by time, one at a time, as grey pixels with their times.

`open` takes an open file or bytes and reads its headers. PyAV decodes where it is installed, else
OpenCV; `docs/video.md` says how far their results agree. A listing of what is promised stands
there too: what is sampled, what is left out, and where a walk over the frames ends early.
"""

from __future__ import annotations

import importlib.util
import io
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from time import monotonic
from typing import BinaryIO, NamedTuple

import numpy as np

from screener.errors import MediaError, ShortOfMemory
from screener.extras import install
from screener.media import containers, editlist, following, likeness, tail, transport
from screener.media.bars import Bars
from screener.media.limits import Limits
from screener.media.picture import Frame, Media, Picture
from screener.media.sampling import Sampling
from screener.media.sniff import CONTAINERS, sniff
from screener.media.stream import Lost, Still, Stream
from screener.media.timing import Clock, Grid, Losses

# Frames, and pixels of them, that are held to learn from before the first of them is given.
_AHEAD = 256
_HELD = 32_000_000

_MOST_FRAMES = 1 << 53  # more than any video has


def open(
    source: bytes | BinaryIO,
    *,
    limits: Limits | None = None,
    sampling: Sampling | None = None,
    seconds: float | None = None,
) -> Picture:
    """Open a video, from bytes or a seekable file; no frame is decoded yet.

    Its frames are grey (H, W), upright, sampled as `sampling` says: `time` counts from the first
    frame, `part` is the frame's number in the file, and `again` are the times of the samples that
    followed and looked alike. After `seconds` of wall time the walk ends with `timeout`. Raises
    MediaError: `encrypted`, `no_video`, `undecodable`, `truncated`, `unsupported`, `too_large`.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    limits, sampling = limits or Limits(), sampling or Sampling()
    stream.seek(0)
    mime = sniff(stream.read(4096))
    stream.seek(0)
    if mime not in CONTAINERS:
        raise MediaError("unsupported", f"{mime or 'content of no known type'} is no video")
    if containers.encrypted(stream):
        raise MediaError("encrypted", f"{mime}: the pictures are encrypted")
    opened = _decoder(stream, mime, sampling)
    _check_size(opened, limits)
    media = Media(mime, opened.width, opened.height, opened.frames, opened.duration)
    return Picture(media, lambda: _walk(opened, stream, mime, limits, sampling, seconds))


def _decoder(
    stream: BinaryIO, mime: str, sampling: Sampling, track: int = 0, *, whole: bool = False
) -> Stream:
    """A track of the file opened by PyAV, or by OpenCV where that is not installed; `whole`, with
    what its edit lists leave out.
    """
    try:
        if _has_pyav():
            from screener.media.pyav import AvStream

            every_one = sampling.scenes or sampling.against_videos
            some = sampling.mode == "seconds" and not every_one
            return AvStream(
                stream,
                mime,
                track=track,
                keyframes=sampling.mode == "keyframes",
                every=sampling.step if some else None,
                trimmed=editlist.left_out(stream),
                whole=whole,
            )
        if sampling.mode == "keyframes":
            raise MediaError("unsupported", f"keyframes needs PyAV: {install('video')}")
        from screener.media.opencv import CvStream

        return CvStream(stream)
    except MediaError as error:
        if error.reason == "undecodable" and containers.ended_early(stream):
            raise MediaError("truncated", f"{mime}: the data ends too early") from None
        raise


def _has_pyav() -> bool:
    return importlib.util.find_spec("av") is not None


def _walk(
    opened: Stream,
    stream: BinaryIO,
    mime: str,
    limits: Limits,
    sampling: Sampling,
    seconds: float | None,
) -> Iterator[Frame]:
    """Sampled frames of one track after the other; then MediaError if a part of one was not looked
    at. Covers come last, and are thumbnails of what was shown before; but for all that there is of
    the tracks of a trimmed file, which is hidden in it.
    """
    ends = math.inf if seconds is None else monotonic() + seconds
    trouble: MediaError | None = None
    before = taken = 0  # frames of the tracks before, and those of them that were looked at
    shown = opened.tracks
    for track in range(2 * shown if _is_trimmed(opened, stream, sampling) else shown):
        try:
            whole = track >= shown
            if track:
                stream.seek(0)
                opened = _decoder(stream, mime, sampling, track % shown, whole=whole)
                _check_size(opened, limits)
            if whole and opened.cover:
                continue
            walk = _Walk(opened, limits, sampling, ends, taken)
            kind = "appended" if whole else "thumbnail" if track and opened.cover else "frame"
            for frame in walk.frames():
                yield replace(frame, part=before + frame.part, part_kind=kind, track=track)
            before, taken = before + walk.passed, walk.count
            walk.check(stream)
        except MediaError as error:
            trouble = trouble or error
    trouble = trouble or _unseen(opened, stream, mime)
    if trouble is not None:
        raise trouble


def _is_trimmed(opened: Stream, stream: BinaryIO, sampling: Sampling) -> bool:
    """Whether so much is in the file that players do not show that some of it is to be looked at;
    vPDQ knows of none.
    """
    left = editlist.left_out(stream) if _has_pyav() else 0.0
    if not left or sampling.mode == "frames":
        return False
    return sampling.mode != "seconds" or sampling.scenes or left >= sampling.step(opened.duration)


def _unseen(opened: Stream, stream: BinaryIO, mime: str) -> MediaError | None:
    """What the decoder has not seen of a file of which all tracks were walked over, and said
    nothing of.
    """
    if opened.tracks < containers.picture_tracks(stream):
        return MediaError("unsupported", _further_track())
    met = transport.picture_tracks(stream) if mime == "video/mp2t" else set()
    if opened.ids is None and len(met) > opened.tracks:
        return MediaError("unsupported", _further_track())
    if opened.ids is not None and not met <= opened.ids:
        return MediaError("unsupported", "a track of pictures begins within the file")
    reason = following.broken(stream)
    if reason is None:
        hidden = tail.hides_file(stream)
        return MediaError("unsupported", "another file stands behind it") if hidden else None
    return MediaError(reason, f"{mime}: its parts do not follow one another to its end")


def _further_track() -> str:
    """Why a track that the file declares was not looked at: OpenCV knows one, and FFmpeg the first
    of two indexes, of MP4 files that were joined.
    """
    if _has_pyav():
        return "a further track of pictures is declared and cannot be reached"
    return f"a further track of pictures needs PyAV: {install('video')}"


def _check_size(opened: Stream, limits: Limits) -> None:
    if opened.width * opened.height > limits.pixels:
        raise MediaError(
            "too_large",
            f"{opened.width} x {opened.height} pixels, over the limit of {limits.pixels}",
        )


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
    shown: likeness.Tiny | None = None  # of the frame held, once it is asked for
    again: list[float] = []
    trouble: Exception | None = None
    try:
        for time, still, between in taken:
            pixels = still.grey()
            if held is not None:
                if between:
                    shown = likeness.tiny(held.pixels) if shown is None else shown
                    if likeness.alike(likeness.tiny(pixels), shown):
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


class _Taken(NamedTuple):
    """A frame taken, its time, and whether it is one in between, to be hashed if it differs."""

    time: float
    still: Still
    between: bool


class _Walk:
    """One walk over a track: which frames are taken, what was lost, and what ended it early.

    It ends at `ends`, by the monotonic clock. `count` frames of other tracks were taken before.
    """

    def __init__(
        self, opened: Stream, limits: Limits, sampling: Sampling, ends: float, count: int
    ) -> None:
        step = opened.frame_seconds
        self._every = (
            sampling.step(opened.duration) if sampling.mode == "seconds" else sampling.every
        )
        allowed = self._every if sampling.mode in ("seconds", "frames") else 0.0
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
        self._grid = Grid(self._every)
        by_time = sampling.mode == "seconds"
        self._second = max(1, int(1 / step + 1e-9))
        self._as_vpdq = by_time and sampling.as_vpdq(opened.duration)
        finer = sampling.between(opened.duration) if by_time else None
        self._between = None if finer is None else Grid(finer)
        self._last: likeness.Tiny | None = None  # of the last frame taken, to see a change

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
            due = self._sampling.mode != "seconds" or self._grid.takes(time)
            due = due or (self._as_vpdq and still.number % self._second == 0)
        if not self._sampling.scenes:
            return due
        tiny = likeness.tiny(still.raw())
        due = due or self._last is None or likeness.another_scene(tiny, self._last)
        if due:
            self._last = tiny
        return due
