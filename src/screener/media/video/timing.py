"""Compute display times of frames, sampling times, and stretches that were not decoded."""

from __future__ import annotations

import heapq

MAX_EARLY_SECONDS = 0.002
"""A frame may precede its due time by this much, since containers round to milliseconds."""

MAX_BACK_SECONDS = 1.0
"""Timestamps that go back further restart, as in joined files."""

_MAX_STANDING_FRAMES = 4  # timestamps also restart after this many frames that do not advance time

# A frame duration below the first is false, and is replaced by the second.
_MIN_FRAME_SECONDS, _DEFAULT_FRAME_SECONDS = 0.0005, 1 / 25

MIN_SAMPLES = 4
"""A video shorter than this many steps has shorter steps, for this many samples."""

_REMEMBERED_STEPS = 64


class Clock:
    """Assigns a time to each frame, from the file if possible, never backwards."""

    def __init__(self, frame_seconds: float) -> None:
        is_plausible = frame_seconds >= _MIN_FRAME_SECONDS
        self._step = frame_seconds if is_plausible else _DEFAULT_FRAME_SECONDS
        self._time_shift = 0.0
        self._started = False
        self._standing_frames = 0  # frames whose timestamps did not advance time
        self._lost = 0  # losses since the last frame, with timestamps that would restart
        self.now = 0.0

    def advance(self, stamp: float | None) -> float:
        """Return the seconds from the first frame to the next, with timestamp `stamp`."""
        self._lost = 0
        if stamp is None:
            self.now += self._step if self._started else 0.0
        else:
            time = stamp + self._time_shift
            # Joined pieces shorter than MAX_BACK_SECONDS would otherwise all be at one time.
            stands = self._started and time < self.now + _MIN_FRAME_SECONDS
            self._standing_frames = self._standing_frames + 1 if stands else 0
            if time < self.now - MAX_BACK_SECONDS:
                self._restart(stamp, frames=1)
            elif self._standing_frames == _MAX_STANDING_FRAMES:
                self._restart(stamp, frames=_MAX_STANDING_FRAMES)
            self.now = max(self.now, stamp + self._time_shift)
        self._started = True
        return self.now

    def _restart(self, stamp: float, *, frames: int) -> None:
        self._time_shift = self.now + frames * self._step - stamp
        self._standing_frames = 0

    def estimate_lost_time(self, stamp: float | None) -> float:
        """Return the time of data that could not be decoded, without advancing."""
        if stamp is None:
            return self.now
        if stamp + self._time_shift >= self.now - MAX_BACK_SECONDS:
            return stamp + self._time_shift
        self._lost += 1
        return self.now + self._lost * self._step


class Grid:
    """The due times of samples: the multiples of a step.

    At each due time, the frame on screen is sampled, and the first frame at or after it. Each of
    the first `MIN_SAMPLES` steps has `parts` due times; the clip may be longer than it declares.
    """

    def __init__(self, every: float, parts: int = 1) -> None:
        self._every = every
        self.part = every / parts
        """The minimum of seconds between two samples."""
        self._fine_until = MIN_SAMPLES * every
        self._due = 0.0
        # The first and last time of the frames observed in each of the latest steps.
        self._observed: dict[float, tuple[float, float]] = {}
        self._latest = 0.0
        self._orderly = True

    def takes(self, time: float) -> bool:
        """Return whether the next frame in display order is sampled."""
        if time < self._due - MAX_EARLY_SECONDS:
            return False
        number, step = self._step(time)
        self._due = (number + 1) * step
        return True

    def find_missed_due_time(self, time: float) -> float | None:
        """Return the due time before `time`, when the last frame is on screen.

        Return None if the next frame comes early enough to be sampled for that due time.
        """
        return self._due if self._due < time - MAX_EARLY_SECONDS else None

    def restart(self, time: float) -> None:
        """Set the next due time to one step after `time`."""
        self._due = time + self._every

    def observe(self, time: float, *, key: bool = False) -> None:
        """Record the time of a frame, in decoding order.

        Times may go back by less than `MAX_BACK_SECONDS`, but not at a key frame, which is shown
        after all earlier frames. If they go back further, every later frame is needed.
        """
        self._orderly = self._orderly and time >= self._latest - (0.0 if key else MAX_BACK_SECONDS)
        self._latest = max(self._latest, time)
        number, step = self._step(time)
        start = number * step
        first, last = self._observed.get(start, (time, time))
        self._observed[start] = min(first, time), max(last, time)
        for old in [begin for begin in self._observed if begin < start - _REMEMBERED_STEPS * step]:
            del self._observed[old]

    def needs(self, time: float) -> bool:
        """Return whether an observed frame is the first or last of its step."""
        number, step = self._step(time)
        first, last = self._observed.get(number * step, (time, time))
        return not self._orderly or time <= first or time >= last

    def _step(self, time: float) -> tuple[float, float]:
        """Return the number and the length of the step that contains `time`."""
        step = self.part if time + MAX_EARLY_SECONDS < self._fine_until else self._every
        return (time + MAX_EARLY_SECONDS) // step, step


class Losses:
    """Finds stretches of `allowed` seconds or longer that could not be decoded.

    Shorter losses contain no sampling time. A sound frame stays on screen for `step` seconds.
    """

    def __init__(self, allowed: float, step: float) -> None:
        self._allowed = allowed
        self._step = step
        self._lost: list[float] = []  # a heap of times of losses after the last sound frame
        self._sound = -step  # the time of the last sound frame
        self.worst: tuple[float, float] | None = None
        """The first stretch that is too long, in seconds."""

    def add_loss(self, time: float) -> None:
        """Record that data with the display time `time` was lost."""
        heapq.heappush(self._lost, time)

    def add_sound_frame(self, time: float) -> None:
        """Record a sound frame; the decoder may return it after a later loss."""
        if self._lost and self._lost[0] <= time:
            self._judge(time)
        while self._lost and self._lost[0] <= time:
            heapq.heappop(self._lost)
        self._sound = time

    def end(self, declared: float | None) -> None:
        """Record that no frame follows; `declared` is the expected end, if known."""
        if self._lost or declared is not None:
            self._judge(max([*(time + self._step for time in self._lost), declared or 0.0]))

    def _judge(self, until: float) -> None:
        lost_seconds = until - self._sound - self._step
        if self.worst is None and lost_seconds >= max(
            self._allowed - MAX_EARLY_SECONDS, MAX_EARLY_SECONDS
        ):
            self.worst = (max(self._sound, 0.0), until)
