"""The processor time and wall time of a worker, read by the worker or by the scan."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Times:
    """Seconds of processor time, of all threads of a process, and seconds of wall time."""

    processor: float = 0.0
    wall: float = 0.0

    @classmethod
    def now(cls) -> Times:
        """Return the current times of this process."""
        return cls(time.process_time(), time.monotonic())

    def __add__(self, other: Times) -> Times:
        return Times(self.processor + other.processor, self.wall + other.wall)

    def __sub__(self, other: Times) -> Times:
        return Times(self.processor - other.processor, self.wall - other.wall)

    def __truediv__(self, count: int) -> Times:
        return Times(self.processor / count, self.wall / count)


def find_clock(process: int | None) -> int | None:
    """Return the ID of a process's processor clock, or None if this process cannot read it.

    Pass it to `read_clock`.
    """
    if process is None:
        return None
    clock = ctypes.c_int()
    try:
        failed = ctypes.CDLL(None).clock_getcpuclockid(process, ctypes.byref(clock))
    except (AttributeError, TypeError):  # no POSIX system, or one without such clocks
        return None
    return None if failed or read_clock(clock.value) is None else clock.value


def read_clock(clock: int) -> float | None:
    """Return the seconds of a processor clock, or None if its process is gone."""
    try:
        return time.clock_gettime(clock)
    except OSError:
        return None
