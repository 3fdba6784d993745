"""How long the decoding of one video may take."""

from __future__ import annotations

import math
import time

WALL = 10
"""Wall time allowed, as a multiple of processor time: a busy machine or a slow disk must not change
a verdict, but a decoder that waits forever must end."""

_processor = time.thread_time  # the other threads of a program decode other files


def count_all_threads() -> None:
    """Count the processor time of all threads from now on, if all decode one file."""
    global _processor
    _processor = time.process_time


class Allowance:
    """A limit of processor time, and of `WALL` times as much wall time, from its creation on."""

    def __init__(self, seconds: float = math.inf) -> None:
        self._processor = _processor() + seconds
        self._wall = time.monotonic() + WALL * seconds

    @property
    def over(self) -> bool:
        """Return whether either limit is passed."""
        return _processor() > self._processor or time.monotonic() > self._wall
