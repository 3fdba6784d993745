"""The frames of a GIF, which Pillow lays and clears otherwise than viewers do."""

from __future__ import annotations

from PIL import GifImagePlugin

_BACKGROUND = 2  # what becomes of a frame before the next: it is cleared, or
_PREVIOUS = (3, 4)  # taken back, by a number of the format's or by an old mistake for it
_CLEAR = {"RGB": (255, 255, 255), "RGBA": (255, 255, 255, 0)}  # where nothing is shown


def seek(image: GifImagePlugin.GifImageFile, part: int) -> None:
    """Go to the next frame. Raises what Pillow raises.

    What is cleared shows nothing, which is white here, and no colour of the file's; the first frame
    is cleared where it should be taken back; and one that says nothing of it stays, whatever became
    of the one before.
    """
    if image.mode not in _CLEAR:
        _colour(image)
    how, extent = image.disposal_method, image.dispose_extent
    cleared = how == _BACKGROUND or (how in _PREVIOUS and part == 1)
    if cleared:
        image.dispose = None
    image.disposal_method = 0
    image.seek(part)
    if image.im.size != image.size and not image._frame_palette:
        image.im = image.im.crop((0, 0, *image.size))  # for a larger frame of greys Pillow fails to
    if cleared and extent is not None:
        image.im.paste(_CLEAR[image.mode], extent)
        if image.disposal_method in _PREVIOUS and image.dispose_extent is not None:
            image.dispose = image.im.crop(image.dispose_extent)  # to which it is taken back


def _colour(image: GifImagePlugin.GifImageFile) -> None:
    """Give the first frame the channels of the others. Onto one of greys Pillow lays these as they
    are coded, so that their colours are lost, and a grey that is clear in it is so in all.
    """
    made = image.convert("RGBA" if "transparency" in image.info else "RGB")
    image.im, image._mode = made.im, made.mode
    image.info.pop("transparency", None)
