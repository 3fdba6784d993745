"""Allowance: how long the decoding of one video may go on."""

from __future__ import annotations

import math
import time

WALL = 10
"""Wall time, as a multiple of processor time, that a limit allows: a busy machine or a slow disk
changes no verdict, and a decoder that waits for ever still ends."""

_processor = time.thread_time  # the other threads of a program decode other files


def count_all_threads() -> None:
    """Count the processor time of all threads from now on: this process does one file at a time."""
    global _processor
    _processor = time.process_time


class Allowance:
    """A limit of processor time, with one of wall time behind it; both count from its making."""

    def __init__(self, seconds: float = math.inf) -> None:
        """`seconds` of processor time, and `WALL` times as much wall time."""
        self._processor = _processor() + seconds
        self._wall = time.monotonic() + WALL * seconds

    @property
    def over(self) -> bool:
        """Whether either limit is passed."""
        return _processor() > self._processor or time.monotonic() > self._wall
