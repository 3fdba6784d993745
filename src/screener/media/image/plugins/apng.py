"""The frames of an animated PNG, composed as its specification says.

Pillow would blend partly clear pixels by a mask, which is lighter, would not restore what was under
a frame, and would clear to black or to the first colour of a palette.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImagePalette, PngImagePlugin

from screener.media.image import pixels

_pillow_core: Any = Image.core  # type: ignore[attr-defined]

_OVER = 1  # blend a frame over what is there, instead of replacing it
_BACKGROUND, _PREVIOUS = 1, 2  # clear a frame before the next; restore what was under it
_GREY, _DEEP = ("1", "L", "LA"), "I;16"

# Pixels that show nothing.
_CLEAR: dict[str, Any] = {
    "L": 255,
    "LA": (255, 0),
    "RGB": (255, 255, 255),
    "RGBA": (255, 255, 255, 0),
}
_WHITE = 65535  # of deep grey


class Png(PngImagePlugin.PngImageFile):
    """A PNG; if it is animated, a loaded frame has the pixels that are shown.

    They are in colour if the file has a palette, and have alpha if the file has any clear pixel.
    """

    _box = (0, 0, 0, 0)  # the place of the current frame
    _left: Image.Image | None = None  # the pixels there before the next, if not the frame's

    def load(self) -> Any:
        """Decode the current frame and compose it; of a cut one, the rows that came.

        Raises what Pillow raises.
        """
        if not self.is_animated or not self.tile or self.png is None:
            return super().load()
        pixels.mend(self)
        canvas = None if self._im is None else self._new(self.im)
        tile = self.tile[0]
        self._box = left, top, right, bottom = tile.extents or (0, 0, *self.size)
        size = right - left, bottom - top
        if 0 in size:
            raise ValueError("a frame without pixels")
        self._mode = self.png.im_mode
        self.im = _pillow_core.new(self.mode, size)
        if self.png.im_palette:
            self.palette = ImagePalette.raw(*self.png.im_palette)
        self.tile = [tile._replace(extents=(0, 0, *size))]
        rows = size[1]
        try:
            super().load()
        except Exception:
            self.tile, self.dispose_op = [], None  # compose it only once, and no frame after it
            if canvas is not None:
                came = self.im.getbbox()
                rows = came[3] if came else 0
            raise
        finally:
            self._lay(canvas, rows)
        return super().load()

    def _lay(self, canvas: Image.Image | None, rows: int) -> None:
        over = canvas is not None and self.blend_op == _OVER
        frame = self._new(self.im)
        if canvas is None:
            mode = _with_alpha(frame.crop((0, 0, 1, 1))).mode
            canvas = Image.new(mode, self.size, self._clear(mode))
        self._left = None
        if self.dispose_op == _BACKGROUND:
            self._left = Image.new(canvas.mode, frame.size, self._clear(canvas.mode))
        elif self.dispose_op == _PREVIOUS:
            self._left = canvas.crop(self._box)
        self.dispose_op = self.dispose = None  # keeps Pillow from disposing too
        frame = frame.crop((0, 0, frame.width, rows)) if rows < frame.height else frame
        left, top, right, _ = self._box
        for place, band in pixels.image_bands(frame) if rows else ():
            box = left, top + place.start, right, top + place.stop
            band = _with_alpha(band)
            canvas.paste(_over(canvas.crop(box), band) if over else band, box)
        self.im, self._mode = canvas.im, canvas.mode

    def _seek(self, frame: int, rewind: bool = False) -> None:
        if not frame:
            super()._seek(frame, rewind)
            return
        self.load()
        canvas = self._new(self.im)
        if self._left is not None:
            canvas.paste(self._left, self._box)
        self._left = None
        self.im = _pillow_core.new("L", (1, 1))  # Pillow copies it for its own composing
        try:
            super()._seek(frame)
        finally:
            self.im, self._prev_im = canvas.im, None
        if frame == 1 and self.default_image:
            self._im = None  # the default image is no frame

    def _clear(self, mode: str) -> Any:
        return _CLEAR.get(mode, self.info.get("transparency", _WHITE))


def _with_alpha(frame: Image.Image) -> Image.Image:
    if frame.mode == _DEEP:
        return frame
    grey = frame.mode in _GREY
    if frame.has_transparency_data:
        try:
            return frame.convert("LA" if grey else "RGBA")
        except (ValueError, TypeError, OverflowError):
            # A transparent colour that the picture cannot have hides nothing.
            frame.info.pop("transparency", None)
    mode = "L" if grey else "RGB"
    return frame if frame.mode == mode else frame.convert(mode)


def _over(below: Image.Image, above: Image.Image) -> Image.Image:
    if above.mode in ("LA", "RGBA"):  # not every Pillow composes grey with alpha
        both = Image.alpha_composite(below.convert("RGBA"), above.convert("RGBA"))
        return both.convert(above.mode)
    clear = above.info.get("transparency")
    if above.mode != _DEEP or clear is None:
        return above
    laid = np.asarray(above)
    return Image.fromarray(np.where(laid == clear, np.asarray(below), laid))
