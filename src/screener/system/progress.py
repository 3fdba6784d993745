"""Report the progress of a long call to its caller."""

from __future__ import annotations

from collections.abc import Callable

# A function that gets the work done and the total, or None if the total is unknown. The function
# that takes it documents the unit, calls it in its own thread, and ends with any error it raises.
Progress = Callable[[int, int | None], object]


class Steps:
    """A count of the work done, reported to a `Progress` if there is one."""

    def __init__(self, progress: Progress | None, total: int | None) -> None:
        """Report that nothing of `total` is done yet."""
        self.total = total
        self._progress = progress
        self._done = 0
        self.add(0)

    def add(self, count: int = 1) -> None:
        """Add to the work done and report it; the total grows if it is exceeded."""
        self._done += count
        if self.total is not None:
            self.total = max(self.total, self._done)
        if self._progress is not None:
            self._progress(self._done, self.total)
