"""WebPs that are animated, whose frames may leave a place bare though the header says that the file
has no alpha: viewers show nothing there, and Pillow would show black.
"""

from __future__ import annotations

from PIL import WebPImagePlugin


class Webp(WebPImagePlugin.WebPImageFile):
    """A WebP. The frames of one that is animated have alpha, whatever its header says of it."""

    def _open(self) -> None:
        super()._open()
        if self.is_animated:
            self._mode = self.rawmode = "RGBA"
