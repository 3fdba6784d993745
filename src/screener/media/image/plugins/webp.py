"""WebPs that are animated, whose frames may leave a place bare though the header says that the file
has no alpha: viewers show nothing there, and Pillow would show black.
"""

from __future__ import annotations

from PIL import WebPImagePlugin

_ANIMATED = 2  # the flag in the header of an extended WebP


def is_animated(data: bytes) -> bool:
    """Whether a WebP, of which the first 21 bytes are asked, is laid as an animation: also one of a
    single frame.
    """
    return data[12:16] == b"VP8X" and bool(data[20] & _ANIMATED)


class Webp(WebPImagePlugin.WebPImageFile):
    """A WebP. The frames of one that is animated have alpha, whatever its header says of it."""

    def _open(self) -> None:
        super()._open()
        if self.fp is None:
            return
        self.fp.seek(0)
        if is_animated(self.fp.read(21)):
            self._mode = self.rawmode = "RGBA"
