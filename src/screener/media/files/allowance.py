"""A limit on the time that decoding one video may take."""

from __future__ import annotations

import math
import time

WALL = 10
"""Wall time allowed, as a multiple of processor time.

A busy machine or a slow disk must not change a verdict, but a decoder that waits forever must end.
"""

_processor_time = time.thread_time  # other threads of a program decode other files


def count_all_threads() -> None:
    """Count the processor time of all threads from now on, since all decode one file."""
    global _processor_time
    _processor_time = time.process_time


class Allowance:
    """A limit of processor time, and of `WALL` times as much wall time."""

    def __init__(self, seconds: float = math.inf) -> None:
        self._processor_deadline = _processor_time() + seconds
        self._wall_deadline = time.monotonic() + WALL * seconds

    @property
    def over(self) -> bool:
        """Whether either limit is exceeded."""
        return (
            _processor_time() > self._processor_deadline or time.monotonic() > self._wall_deadline
        )
