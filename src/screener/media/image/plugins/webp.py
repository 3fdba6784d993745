"""Open animated WebPs with alpha, since frames may not cover everything.

Viewers show uncovered pixels as transparent even if the header declares no alpha; Pillow would show
black.
"""

from __future__ import annotations

from PIL import WebPImagePlugin

_ANIMATION_FLAG = 2  # in the header of an extended WebP


def is_animated(data: bytes) -> bool:
    """Return whether a WebP is an animation, by its first 21 bytes."""
    return data[12:16] == b"VP8X" and bool(data[20] & _ANIMATION_FLAG)


class Webp(WebPImagePlugin.WebPImageFile):
    """A WebP; frames of an animation have alpha, whatever the header declares."""

    def _open(self) -> None:
        super()._open()
        if self.fp is None:
            return
        self.fp.seek(0)
        if is_animated(self.fp.read(21)):
            self._mode = self.rawmode = "RGBA"
