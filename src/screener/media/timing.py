"""Time in a video: when each frame is shown, and which stretches could not be looked at."""

from __future__ import annotations

EARLY = 0.002
"""Seconds: a frame is taken a little before its time too, since containers round times to a
millisecond.
"""

BACK = 1.0
"""Seconds: timestamps that go back further begin anew, as where two files were joined."""

_LATE = 64  # steps, of which the first frame is remembered


class Clock:
    """Gives each frame its time: from the file, or one frame after the last; never running back."""

    def __init__(self, frame_seconds: float) -> None:
        self._step = frame_seconds
        self._shift = 0.0
        self._started = False
        self.now = 0.0

    def tell(self, stamp: float | None) -> float:
        """The time of the next frame, in seconds from the first, by its timestamp if it has one."""
        if stamp is None:
            self.now += self._step if self._started else 0.0
        else:
            if stamp + self._shift < self.now - BACK:
                self._shift = self.now + self._step - stamp
            self.now = max(self.now, stamp + self._shift)
        self._started = True
        return self.now


class Grid:
    """When frames are sampled: the first one at or after each multiple of a step."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._due = 0.0
        self._first: dict[int, float] = {}  # the earliest time met in each step, of late ones
        self._latest = 0.0
        self._orderly = True

    def takes(self, time: float) -> bool:
        """Whether the next frame, in the order shown, is one to sample."""
        if time < self._due - EARLY:
            return False
        self._due = (self._step(time) + 1) * self._every
        return True

    def needs(self, time: float) -> bool:
        """Whether a frame may be one to sample, met in the order of decoding: unless an earlier
        one of the same step has been met. Where time runs back nobody knows.
        """
        self._orderly = self._orderly and time > self._latest - BACK
        self._latest = max(self._latest, time)
        step = self._step(time)
        first = self._first.setdefault(step, time)
        self._first[step] = min(first, time)
        for old in [one for one in self._first if one < step - _LATE]:
            del self._first[old]
        return not self._orderly or time <= first

    def _step(self, time: float) -> int:
        return int((time + EARLY) // self._every)


class Losses:
    """Whether what could not be decoded leaves a stretch without a sound frame that is longer
    than `allowed` seconds; less than that costs no sample.
    """

    def __init__(self, allowed: float) -> None:
        self._allowed = allowed
        self._pending = False
        self._sound = 0.0  # when the last sound frame was shown
        self._until = 0.0  # up to when something has been lost since
        self.worst: tuple[float, float] | None = None
        """The first stretch that is too long, in seconds."""

    def lose(self, time: float) -> None:
        """Something shown at that time was lost."""
        self._pending = True
        self._until = max(self._until, time)

    def see(self, time: float) -> None:
        """A sound frame was decoded."""
        if self._pending:
            self._judge(time)
        self._sound = time

    def end(self, declared: float | None) -> None:
        """Nothing follows, though pictures were declared up to a time."""
        if self._pending or declared is not None:
            self._judge(max(self._until, declared or 0.0))

    def _judge(self, until: float) -> None:
        self._pending = False
        if self.worst is None and until - self._sound > self._allowed:
            self.worst = (self._sound, until)
