"""Steps: telling a caller how far something long has come."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None], object]
"""Called with how much is done, and of how much; None if nobody knows. What it counts is for the
function that calls it to say: bytes, values, pictures, steps. It is called in that function's
thread, and what it raises ends the function."""


class Steps:
    """Counts what is done, for a `Progress` that there may or may not be."""

    def __init__(self, progress: Progress | None, total: int | None) -> None:
        """Begin with nothing done of `total`."""
        self.total = total
        self._progress = progress
        self._done = 0
        self.add(0)

    def add(self, count: int = 1) -> None:
        """Have so many more done; what turns out to be more than the total raises it."""
        self._done += count
        if self.total is not None:
            self.total = max(self.total, self._done)
        if self._progress is not None:
            self._progress(self._done, self.total)
