"""Display times of frames, sampling times, and stretches that could not be decoded."""

from __future__ import annotations

import heapq

EARLY = 0.002
"""Seconds by which a frame may come before its due time: containers round to a millisecond."""

BACK = 1.0
"""Seconds: timestamps that go back further restart, as in joined files."""

_STANDING = 4  # consecutive frames that do not advance time: they restart as well

# Seconds: a frame duration below the first is false, and replaced by the second.
_MOMENT, _USUAL = 0.0005, 1 / 25

SHORT = 4
"""The fewest samples of a video, and the steps up to which it is short."""

_LATE = 64  # steps whose frames are remembered


class Clock:
    """Gives each frame its time: from the file, or one frame after the last; never running back."""

    def __init__(self, frame_seconds: float) -> None:
        self._step = frame_seconds if frame_seconds >= _MOMENT else _USUAL
        self._shift = 0.0
        self._started = False
        self._standing = 0  # frames whose timestamps did not advance time
        self._lost = 0  # losses since the last frame whose timestamps would restart
        self.now = 0.0

    def advance(self, stamp: float | None) -> float:
        """Return the time of the next frame in seconds from the first; `stamp` is its timestamp."""
        self._lost = 0
        if stamp is None:
            self.now += self._step if self._started else 0.0
        else:
            time = stamp + self._shift
            # Joined pieces shorter than BACK would otherwise all be at one time.
            stands = self._started and time < self.now + _MOMENT
            self._standing = self._standing + 1 if stands else 0
            if time < self.now - BACK:
                self._restart(stamp, frames=1)
            elif self._standing == _STANDING:
                self._restart(stamp, frames=_STANDING)
            self.now = max(self.now, stamp + self._shift)
        self._started = True
        return self.now

    def _restart(self, stamp: float, *, frames: int) -> None:
        self._shift = self.now + frames * self._step - stamp
        self._standing = 0

    def lost_at(self, stamp: float | None) -> float:
        """Return the time of something that could not be decoded, without advancing."""
        if stamp is None:
            return self.now
        if stamp + self._shift >= self.now - BACK:
            return stamp + self._shift
        self._lost += 1
        return self.now + self._lost * self._step


class Grid:
    """The due times of samples: the multiples of a step.

    At each, the frame on screen is sampled, and the first frame at or after it. Each of the first
    `SHORT` steps has `parts` due times; the clip may be longer than it declares.
    """

    def __init__(self, every: float, parts: int = 1) -> None:
        self._every = every
        self.part = every / parts
        """The fewest seconds between two samples."""
        self._fine = SHORT * every
        self._due = 0.0
        # The first and last time of the frames observed in each of the latest steps.
        self._observed: dict[float, tuple[float, float]] = {}
        self._latest = 0.0
        self._orderly = True

    def takes(self, time: float) -> bool:
        """Return whether the next frame in display order is sampled."""
        if time < self._due - EARLY:
            return False
        number, step = self._step(time)
        self._due = (number + 1) * step
        return True

    def passed(self, time: float) -> float | None:
        """Return the due time at which the last frame is on screen, if the next comes at `time`.

        None if the next comes in time to be sampled itself.
        """
        return self._due if self._due < time - EARLY else None

    def restart(self, time: float) -> None:
        """Make the next due time a step after a frame that was sampled for another reason."""
        self._due = time + self._every

    def observe(self, time: float, *, key: bool = False) -> None:
        """Record the time of a frame, in decoding order.

        Times may go back by less than `BACK`, but not at a key frame, which is shown after all
        earlier frames. If they go back further, every later frame is needed.
        """
        self._orderly = self._orderly and time >= self._latest - (0.0 if key else BACK)
        self._latest = max(self._latest, time)
        number, step = self._step(time)
        start = number * step
        first, last = self._observed.get(start, (time, time))
        self._observed[start] = min(first, time), max(last, time)
        for old in [begin for begin in self._observed if begin < start - _LATE * step]:
            del self._observed[old]

    def needs(self, time: float) -> bool:
        """Return whether an observed frame may be sampled: the first and the last of a step."""
        number, step = self._step(time)
        first, last = self._observed.get(number * step, (time, time))
        return not self._orderly or time <= first or time >= last

    def _step(self, time: float) -> tuple[float, float]:
        """Return the number and the length of the step that contains `time`."""
        step = self.part if time + EARLY < self._fine else self._every
        return (time + EARLY) // step, step


class Losses:
    """Finds stretches of `allowed` seconds or longer that could not be decoded.

    Shorter losses cost no sample. A sound frame stays on screen for `step` seconds.
    """

    def __init__(self, allowed: float, step: float) -> None:
        self._allowed = allowed
        self._step = step
        self._lost: list[float] = []  # a heap: times of losses that no sound frame followed yet
        self._sound = -step  # the time of the last sound frame
        self.worst: tuple[float, float] | None = None
        """The first stretch that is too long, in seconds."""

    def lose(self, time: float) -> None:
        """Record that something to be shown at `time` was lost."""
        heapq.heappush(self._lost, time)

    def see(self, time: float) -> None:
        """Record a sound frame, perhaps delayed by the decoder past a later loss."""
        if self._lost and self._lost[0] <= time:
            self._judge(time)
        while self._lost and self._lost[0] <= time:
            heapq.heappop(self._lost)
        self._sound = time

    def end(self, declared: float | None) -> None:
        """Record that no frame follows; `declared` is when the video should end, if known."""
        if self._lost or declared is not None:
            self._judge(max([*(time + self._step for time in self._lost), declared or 0.0]))

    def _judge(self, until: float) -> None:
        lost = until - self._sound - self._step
        if self.worst is None and lost >= max(self._allowed - EARLY, EARLY):
            self.worst = (max(self._sound, 0.0), until)
