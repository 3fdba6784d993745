"""The budget of frames and pixels for all frames of one file."""

from __future__ import annotations

from screener.errors import MediaError
from screener.media.files.limits import Limits, check_pixels

_PIXELS_FACTOR = 4  # all frames together may have this many times the pixels of one picture


class FrameBudget:
    """The number of frames, and of their pixels, that a file may still have."""

    def __init__(self, limits: Limits, *, factor: int = _PIXELS_FACTOR) -> None:
        self._limits, self._factor = limits, factor
        self._remaining_frames, self._remaining_pixels = limits.frames, limits.pixels * factor

    @property
    def max_frames(self) -> int:
        """The maximum number of frames of a file."""
        return self._limits.frames

    def take(self, width: int, height: int) -> None:
        """Subtract one frame. Raises MediaError `too_large` if the budget does not suffice."""
        if not self._remaining_frames:
            raise MediaError("too_large", f"more than {self._limits.frames} frames")
        check_pixels(width, height, self._limits)
        pixels = width * height
        if pixels > self._remaining_pixels:
            limit = f"{self._limits.pixels} x {self._factor} pixels"
            raise MediaError("too_large", f"all frames together: over {limit}")
        self._remaining_frames -= 1
        self._remaining_pixels -= pixels
