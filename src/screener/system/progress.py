"""Steps: the progress of a long call, reported to its caller."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None], object]
"""A function that is called with the work done and the total, or None if the total is not known.

The function that takes one says what is counted: bytes, values, pictures or steps. It calls it in
its own thread, and ends with whatever it raises."""


class Steps:
    """A count of the work done, reported to a `Progress` if there is one."""

    def __init__(self, progress: Progress | None, total: int | None) -> None:
        """Report that nothing of `total` is done yet."""
        self.total = total
        self._progress = progress
        self._done = 0
        self.add(0)

    def add(self, count: int = 1) -> None:
        """Add to the work done, and report it. If it exceeds the total, the total grows with it."""
        self._done += count
        if self.total is not None:
            self.total = max(self.total, self._done)
        if self._progress is not None:
            self._progress(self._done, self.total)
