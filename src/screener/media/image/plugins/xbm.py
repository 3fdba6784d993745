"""Bitmaps of X: what is set in one is black, and Pillow makes it white."""

from __future__ import annotations

from PIL import XbmImagePlugin


class Xbm(XbmImagePlugin.XbmImageFile):
    """A bitmap of X, as every other viewer shows it."""

    def load_end(self) -> None:
        """Turn black and white round, once they are decoded."""
        self.im = self.im.chop_invert()
