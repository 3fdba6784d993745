"""Time in a video: when each frame is shown, and which stretches could not be looked at."""

from __future__ import annotations

import heapq

EARLY = 0.002
"""Seconds: a frame is taken a little before its time too, since containers round times to a
millisecond.
"""

BACK = 1.0
"""Seconds: timestamps that go back further begin anew, as where two files were joined."""

_STANDING = 4  # frames one after the other that do not bring time on: they begin anew as well

# Seconds: no video shows frames so quickly. One whose clock says so would be over with its first
# sample, and takes the usual time instead.
_MOMENT, _USUAL = 0.0005, 1 / 25

SHORT = 4
"""Frames that are sampled of a video at the least, and the steps in which it has as many anyway: of
one frame of a clip, which may be black or a title, nothing would follow.
"""

_LATE = 64  # steps, of which the frames met are remembered


class Clock:
    """Gives each frame its time: from the file, or one frame after the last; never running back."""

    def __init__(self, frame_seconds: float) -> None:
        self._step = frame_seconds if frame_seconds >= _MOMENT else _USUAL
        self._shift = 0.0
        self._started = False
        self._standing = 0  # frames by whose timestamps time has not gone on
        self._lost = 0  # since the last frame, of what would have begun anew
        self.now = 0.0

    def tell(self, stamp: float | None) -> float:
        """The time of the next frame, in seconds from the first, by its timestamp if it has one."""
        self._lost = 0
        if stamp is None:
            self.now += self._step if self._started else 0.0
        else:
            time = stamp + self._shift
            # Pieces of less than BACK that were joined would else all stand at one time.
            stands = self._started and time < self.now + _MOMENT
            self._standing = self._standing + 1 if stands else 0
            if time < self.now - BACK:
                self._begin_anew(stamp, frames=1)
            elif self._standing == _STANDING:
                self._begin_anew(stamp, frames=_STANDING)
            self.now = max(self.now, stamp + self._shift)
        self._started = True
        return self.now

    def _begin_anew(self, stamp: float, *, frames: int) -> None:
        """Have that timestamp be so many frames after now."""
        self._shift = self.now + frames * self._step - stamp
        self._standing = 0

    def lost(self, stamp: float | None) -> float:
        """When something that could not be decoded was to be shown; time does not go on by it."""
        if stamp is None:
            return self.now
        if stamp + self._shift >= self.now - BACK:
            return stamp + self._shift
        self._lost += 1
        return self.now + self._lost * self._step


class Grid:
    """When frames are sampled: the first one at or after each multiple of a step, its due time, and
    the one that was on screen at it, if there is a pause between the two.

    In the first `SHORT` steps it is each multiple of one of so many `parts` of a step: a clip that
    says that it is short may yet go on.
    """

    def __init__(self, every: float, parts: int = 1) -> None:
        self._every = every
        self.part = every / parts
        """Seconds: the least there is between two samples."""
        self._fine = SHORT * every
        self._due = 0.0
        # Of the frames met in each step, of late ones: the first time and the last.
        self._met: dict[float, tuple[float, float]] = {}
        self._latest = 0.0
        self._orderly = True

    def takes(self, time: float) -> bool:
        """Return whether the next frame, in the order shown, is one to sample."""
        if time < self._due - EARLY:
            return False
        number, step = self._step(time)
        self._due = (number + 1) * step
        return True

    def passed(self, time: float) -> float | None:
        """Return the due time at which the last frame is on screen if the next comes at that time.

        None if that one comes before or at the due time, and stands for it.
        """
        return self._due if self._due < time - EARLY else None

    def restart(self, time: float) -> None:
        """Make the next due time a step after a frame that was taken for another reason."""
        self._due = time + self._every

    def meet(self, time: float, *, key: bool = False) -> None:
        """Note the time of a frame, in the order of decoding.

        Times may run back by less than `BACK`, but not at a key frame, which is shown behind all
        that came before it. If they run back further, nothing is known of any frame from then on.
        """
        self._orderly = self._orderly and time >= self._latest - (0.0 if key else BACK)
        self._latest = max(self._latest, time)
        number, step = self._step(time)
        start = number * step
        first, last = self._met.get(start, (time, time))
        self._met[start] = min(first, time), max(last, time)
        for old in [one for one in self._met if one < start - _LATE * step]:
            del self._met[old]

    def needs(self, time: float) -> bool:
        """Return whether a frame that was met may be looked at: unless it is neither the first nor
        the last of its step that was met.
        """
        number, step = self._step(time)
        first, last = self._met.get(number * step, (time, time))
        return not self._orderly or time <= first or time >= last

    def _step(self, time: float) -> tuple[float, float]:
        """Return the number of the step that a time is in, and how long it is."""
        step = self.part if time + EARLY < self._fine else self._every
        return (time + EARLY) // step, step


class Losses:
    """Whether what could not be decoded was to be shown for `allowed` seconds or longer; less than
    that costs no sample. The last sound frame before it was shown for `step` seconds.
    """

    def __init__(self, allowed: float, step: float) -> None:
        self._allowed = allowed
        self._step = step
        self._lost: list[float] = []  # a heap: when what was lost was to be shown, and no frame yet
        self._sound = -step  # when the last sound frame was shown
        self.worst: tuple[float, float] | None = None
        """The first stretch that is too long, in seconds."""

    def lose(self, time: float) -> None:
        """Something shown at that time was lost."""
        heapq.heappush(self._lost, time)

    def see(self, time: float) -> None:
        """A sound frame was decoded. It may be one that the decoder had kept back, to be shown
        before what was lost meanwhile.
        """
        if self._lost and self._lost[0] <= time:
            self._judge(time)
        while self._lost and self._lost[0] <= time:
            heapq.heappop(self._lost)
        self._sound = time

    def end(self, declared: float | None) -> None:
        """Nothing follows, though pictures were declared up to a time."""
        if self._lost or declared is not None:
            self._judge(max([*(time + self._step for time in self._lost), declared or 0.0]))

    def _judge(self, until: float) -> None:
        lost = until - self._sound - self._step
        if self.worst is None and lost >= max(self._allowed - EARLY, EARLY):
            self.worst = (max(self._sound, 0.0), until)
