"""Compose and clear the frames of a GIF as viewers do, unlike Pillow."""

from __future__ import annotations

from typing import Any

from PIL import GifImagePlugin, Image

_pillow_core: Any = Image.core  # type: ignore[attr-defined]

_DISPOSE_TO_BACKGROUND = 2  # clear a frame before the next
_DISPOSE_TO_PREVIOUS = (3, 4)  # restore the pixels under it; 4 is an old mistake for 3
_CLEAR_PIXELS = {"RGB": (255, 255, 255), "RGBA": (255, 255, 255, 0)}


class Gif(GifImagePlugin.GifImageFile):
    """A GIF whose frames are composed and cleared as viewers do.

    Cleared pixels become white or transparent instead of a colour of the file; so do pixels that
    are added to the screen for a larger frame. If the first frame should be restored to its
    predecessor, it is cleared. A frame without a disposal method stays, whatever its predecessor's
    method.
    """

    def _seek(self, frame: int, update_image: bool = True) -> None:
        if not frame or not update_image:
            super()._seek(frame, update_image)
            return
        if self.mode not in _CLEAR_PIXELS:
            self._convert_to_colour()
        self.load()  # loads the previous frame, while its disposal method is known
        method, extent = self.disposal_method, self.dispose_extent
        is_cleared = method == _DISPOSE_TO_BACKGROUND or (
            method in _DISPOSE_TO_PREVIOUS and frame == 1
        )
        if is_cleared:
            self.dispose = None
        self.disposal_method = 0
        super()._seek(frame)
        if is_cleared:
            self.im.paste(_CLEAR_PIXELS[self.mode], extent)

    def load_prepare(self) -> None:
        """Prepare the pixels onto which a frame is composed, and the ones that restore them."""
        if self.mode in _CLEAR_PIXELS:
            if self.im.size != self.size:
                before, self.im = (
                    self.im,
                    _pillow_core.fill(self.mode, self.size, _CLEAR_PIXELS[self.mode]),
                )
                self.im.paste(before, (0, 0, *before.size))
            if self.disposal_method in _DISPOSE_TO_PREVIOUS:
                self.dispose = self.im.crop(self.dispose_extent)
        super().load_prepare()

    def _convert_to_colour(self) -> None:
        """Convert the first frame to the channels of the others.

        Pillow composes frames onto a grey frame as they are coded: their colours are lost, and a
        grey that is clear in one frame is clear in all.
        """
        converted = self.convert("RGBA" if "transparency" in self.info else "RGB")
        self.im, self._mode = converted.im, converted.mode
        self.info.pop("transparency", None)
