"""The frames of a GIF, composed and cleared as viewers do, which Pillow does otherwise."""

from __future__ import annotations

from typing import Any

from PIL import GifImagePlugin, Image

_pillow_core: Any = Image.core  # type: ignore[attr-defined]

_BACKGROUND = 2  # a frame is cleared before the next
_PREVIOUS = (3, 4)  # what was under it is restored; 4 is an old mistake for 3
_CLEAR = {"RGB": (255, 255, 255), "RGBA": (255, 255, 255, 0)}  # pixels that show nothing


class Gif(GifImagePlugin.GifImageFile):
    """A GIF whose frames are composed and cleared as viewers do.

    A cleared place shows nothing, which is white here and no colour of the file's; so does the
    place by which the screen grows for a frame beyond it. The first frame is cleared if it should
    be restored. A frame without a disposal method stays, whatever became of the one before.
    """

    def _seek(self, frame: int, update_image: bool = True) -> None:
        if not frame or not update_image:
            super()._seek(frame, update_image)
            return
        if self.mode not in _CLEAR:
            self._colour()
        self.load()  # the frame before, while its disposal method is known
        how, extent = self.disposal_method, self.dispose_extent
        cleared = how == _BACKGROUND or (how in _PREVIOUS and frame == 1)
        if cleared:
            self.dispose = None
        self.disposal_method = 0
        super()._seek(frame)
        if cleared:
            self.im.paste(_CLEAR[self.mode], extent)

    def load_prepare(self) -> None:
        """Prepare the pixels onto which a frame is composed, and those to which it is restored."""
        if self.mode in _CLEAR:
            if self.im.size != self.size:
                before, self.im = (
                    self.im,
                    _pillow_core.fill(self.mode, self.size, _CLEAR[self.mode]),
                )
                self.im.paste(before, (0, 0, *before.size))
            if self.disposal_method in _PREVIOUS:
                self.dispose = self.im.crop(self.dispose_extent)
        super().load_prepare()

    def _colour(self) -> None:
        """Give the first frame the channels of the others.

        Onto a grey frame Pillow composes them as they are coded: their colours are lost, and a grey
        that is clear in one is clear in all.
        """
        made = self.convert("RGBA" if "transparency" in self.info else "RGB")
        self.im, self._mode = made.im, made.mode
        self.info.pop("transparency", None)
