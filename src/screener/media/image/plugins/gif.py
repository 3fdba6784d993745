"""The frames of a GIF, which Pillow lays and clears otherwise than viewers do."""

from __future__ import annotations

from typing import Any

from PIL import GifImagePlugin, Image

_core: Any = Image.core  # type: ignore[attr-defined]

_BACKGROUND = 2  # what becomes of a frame before the next: it is cleared, or
_PREVIOUS = (3, 4)  # taken back, by a number of the format's or by an old mistake for it
_CLEAR = {"RGB": (255, 255, 255), "RGBA": (255, 255, 255, 0)}  # where nothing is shown


class Gif(GifImagePlugin.GifImageFile):
    """A GIF whose frames are laid and cleared as viewers do it.

    What is cleared shows nothing, which is white here, and no colour of the file's, and so does
    that by which the screen grows for a frame beyond it; the first frame is cleared where it should
    be taken back; and one that says nothing of it stays, whatever became of the one before.
    """

    def _seek(self, frame: int, update_image: bool = True) -> None:
        if not frame or not update_image:
            super()._seek(frame, update_image)
            return
        if self.mode not in _CLEAR:
            self._colour()
        self.load()  # the frame before, while what becomes of it is told
        how, extent = self.disposal_method, self.dispose_extent
        cleared = how == _BACKGROUND or (how in _PREVIOUS and frame == 1)
        if cleared:
            self.dispose = None
        self.disposal_method = 0
        super()._seek(frame)
        if cleared:
            self.im.paste(_CLEAR[self.mode], extent)

    def load_prepare(self) -> None:
        """Have what is there to lay a frame on, and to take it back to."""
        if self.mode in _CLEAR:
            if self.im.size != self.size:
                before, self.im = self.im, _core.fill(self.mode, self.size, _CLEAR[self.mode])
                self.im.paste(before, (0, 0, *before.size))
            if self.disposal_method in _PREVIOUS:
                self.dispose = self.im.crop(self.dispose_extent)
        super().load_prepare()

    def _colour(self) -> None:
        """Give the first frame the channels of the others. Onto one of greys Pillow lays these as
        they are coded, so that their colours are lost, and a grey that is clear in it is so in all.
        """
        made = self.convert("RGBA" if "transparency" in self.info else "RGB")
        self.im, self._mode = made.im, made.mode
        self.info.pop("transparency", None)
