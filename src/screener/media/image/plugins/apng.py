"""Compose the frames of an animated PNG as its specification says.

Pillow would blend partly clear pixels with a mask, which makes them lighter. It would not restore
the pixels under a frame, and would clear to black or to the first colour of a palette.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImagePalette, PngImagePlugin

from screener.media.image import pixels

_pillow_core: Any = Image.core  # type: ignore[attr-defined]

_BLEND_OVER = 1  # blend a frame over the canvas instead of replacing its pixels
_DISPOSE_TO_BACKGROUND = 1  # clear a frame before the next
_DISPOSE_TO_PREVIOUS = 2  # restore the pixels under it
_GREY_MODES, _DEEP_MODE = ("1", "L", "LA"), "I;16"

_CLEAR_PIXELS: dict[str, Any] = {
    "L": 255,
    "LA": (255, 0),
    "RGB": (255, 255, 255),
    "RGBA": (255, 255, 255, 0),
}
_DEEP_WHITE = 65535


class Png(PngImagePlugin.PngImageFile):
    """A PNG; if it is animated, a loaded frame has the visible pixels.

    They are in colour if the file has a palette, and have alpha if the file has any clear pixel.
    """

    _box = (0, 0, 0, 0)  # of the current frame
    _restored: Image.Image | None = None  # replaces the current frame before the next one

    def load(self) -> Any:
        """Decode the current frame and compose it; if it is cut, compose the decoded rows.

        Raises Pillow's errors.
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
            self.tile, self.dispose_op = [], None  # compose it only once, and no later frame
            if canvas is not None:
                decoded_box = self.im.getbbox()
                rows = decoded_box[3] if decoded_box else 0
            raise
        finally:
            self._compose(canvas, rows)
        return super().load()

    def _compose(self, canvas: Image.Image | None, rows: int) -> None:
        blends = canvas is not None and self.blend_op == _BLEND_OVER
        frame = self._new(self.im)
        if canvas is None:
            mode = _with_alpha(frame.crop((0, 0, 1, 1))).mode
            canvas = Image.new(mode, self.size, self._find_clear_pixel(mode))
        self._restored = None
        if self.dispose_op == _DISPOSE_TO_BACKGROUND:
            self._restored = Image.new(canvas.mode, frame.size, self._find_clear_pixel(canvas.mode))
        elif self.dispose_op == _DISPOSE_TO_PREVIOUS:
            self._restored = canvas.crop(self._box)
        self.dispose_op = self.dispose = None  # keeps Pillow from disposing of it too
        frame = frame.crop((0, 0, frame.width, rows)) if rows < frame.height else frame
        left, top, right, _ = self._box
        for band_rows, band in pixels.split_image(frame) if rows else ():
            box = left, top + band_rows.start, right, top + band_rows.stop
            band = _with_alpha(band)
            canvas.paste(_blend(canvas.crop(box), band) if blends else band, box)
        self.im, self._mode = canvas.im, canvas.mode

    def _seek(self, frame: int, rewind: bool = False) -> None:
        if not frame:
            super()._seek(frame, rewind)
            return
        self.load()
        canvas = self._new(self.im)
        if self._restored is not None:
            canvas.paste(self._restored, self._box)
        self._restored = None
        self.im = _pillow_core.new(
            "L", (1, 1)
        )  # Pillow would copy the canvas for its own composing
        try:
            super()._seek(frame)
        finally:
            self.im, self._prev_im = canvas.im, None
        if frame == 1 and self.default_image:
            self._im = None  # the default image is not a frame

    def _find_clear_pixel(self, mode: str) -> Any:
        return _CLEAR_PIXELS.get(mode, self.info.get("transparency", _DEEP_WHITE))


def _with_alpha(frame: Image.Image) -> Image.Image:
    if frame.mode == _DEEP_MODE:
        return frame
    grey = frame.mode in _GREY_MODES
    if frame.has_transparency_data:
        try:
            return frame.convert("LA" if grey else "RGBA")
        except (ValueError, TypeError, OverflowError):
            # A transparent colour that the mode cannot have hides nothing.
            frame.info.pop("transparency", None)
    mode = "L" if grey else "RGB"
    return frame if frame.mode == mode else frame.convert(mode)


def _blend(below: Image.Image, above: Image.Image) -> Image.Image:
    if above.mode in ("LA", "RGBA"):  # not every Pillow composes grey with alpha
        blended = Image.alpha_composite(below.convert("RGBA"), above.convert("RGBA"))
        return blended.convert(above.mode)
    transparent = above.info.get("transparency")
    if above.mode != _DEEP_MODE or transparent is None:
        return above
    values = np.asarray(above)
    return Image.fromarray(np.where(values == transparent, np.asarray(below), values))
