"""What the frames of one file may cost together."""

from __future__ import annotations

from screener.errors import MediaError
from screener.media.files.limits import Limits, check_pixels

_FRAMES_FACTOR = 4
"""All frames of a file together may have this many times the pixels of one picture."""


class FrameBudget:
    """The frames, and the pixels of all together, that a file may still have."""

    def __init__(self, limits: Limits, *, factor: int = _FRAMES_FACTOR) -> None:
        self._limits, self._factor = limits, factor
        self._frames, self._pixels = limits.frames, limits.pixels * factor

    @property
    def most(self) -> int:
        """Return how many frames a file may have."""
        return self._limits.frames

    def take(self, width: int, height: int) -> None:
        """Take one frame more. Raises MediaError `too_large` and then takes nothing."""
        if not self._frames:
            raise MediaError("too_large", f"more than {self._limits.frames} frames")
        check_pixels(width, height, self._limits)
        pixels = width * height
        if pixels > self._pixels:
            most = f"{self._limits.pixels} x {self._factor} pixels"
            raise MediaError("too_large", f"all frames together: over {most}")
        self._frames, self._pixels = self._frames - 1, self._pixels - pixels
