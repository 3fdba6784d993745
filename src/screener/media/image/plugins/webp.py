"""Animated WebPs, whose frames may leave a place bare although the header declares no alpha.

Viewers show nothing there; Pillow would show black.
"""

from __future__ import annotations

from PIL import WebPImagePlugin

_ANIMATED = 2  # the flag in the header of an extended WebP


def is_animated(data: bytes) -> bool:
    """Return whether a WebP is laid out as an animation, even of one frame; 21 bytes are enough."""
    return data[12:16] == b"VP8X" and bool(data[20] & _ANIMATED)


class Webp(WebPImagePlugin.WebPImageFile):
    """A WebP. Frames of an animation have alpha, whatever the header declares."""

    def _open(self) -> None:
        super()._open()
        if self.fp is None:
            return
        self.fp.seek(0)
        if is_animated(self.fp.read(21)):
            self._mode = self.rawmode = "RGBA"
