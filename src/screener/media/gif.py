"""The frames of a GIF, which Pillow lays and clears otherwise than viewers do."""

from __future__ import annotations

from PIL import GifImagePlugin

_BACKGROUND = 2  # what becomes of a frame before the next: it is cleared, or
_PREVIOUS = (3, 4)  # taken back, by a number of the format's or by an old mistake for it
_CLEAR = {"RGB": (255, 255, 255), "RGBA": (255, 255, 255, 0)}  # where nothing is shown


class Gif(GifImagePlugin.GifImageFile):
    """A GIF whose frames are laid and cleared as viewers do it.

    What is cleared shows nothing, which is white here, and no colour of the file's; the first frame
    is cleared where it should be taken back; and one that says nothing of it stays, whatever became
    of the one before.
    """

    def _seek(self, frame: int, update_image: bool = True) -> None:
        if not frame or not update_image:
            super()._seek(frame, update_image)
            return
        if self.mode not in _CLEAR:
            self._colour()
        how, extent = self.disposal_method, self.dispose_extent
        cleared = how == _BACKGROUND or (how in _PREVIOUS and frame == 1)
        if cleared:
            self.dispose = None
        self.disposal_method = 0
        super()._seek(frame)
        if self.im.size != self.size and not self._frame_palette:
            # For a larger frame of greys Pillow fails to.
            self.im = self.im.crop((0, 0, *self.size))
        if cleared and extent is not None:
            self.im.paste(_CLEAR[self.mode], extent)
            if self.disposal_method in _PREVIOUS and self.dispose_extent is not None:
                self.dispose = self.im.crop(self.dispose_extent)  # to which it is taken back

    def _colour(self) -> None:
        """Give the first frame the channels of the others. Onto one of greys Pillow lays these as
        they are coded, so that their colours are lost, and a grey that is clear in it is so in all.
        """
        made = self.convert("RGBA" if "transparency" in self.info else "RGB")
        self.im, self._mode = made.im, made.mode
        self.info.pop("transparency", None)
