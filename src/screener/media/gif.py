"""The frames of a GIF, which Pillow clears before the next otherwise than viewers do."""

from __future__ import annotations

from PIL import GifImagePlugin

_BACKGROUND, _PREVIOUS = 2, 3  # what becomes of a frame before the next: it is cleared, taken back
_CLEAR = {"L": 255, "RGB": (255, 255, 255), "RGBA": (255, 255, 255, 0)}  # where nothing is shown


def seek(image: GifImagePlugin.GifImageFile, part: int) -> None:
    """Go to the next frame. Raises what Pillow raises.

    What is cleared shows nothing, which is white here, and no colour of the file's; the first frame
    is cleared where it should be taken back; and one that says nothing of it stays, whatever became
    of the one before.
    """
    how, extent = image.disposal_method, image.dispose_extent
    image.disposal_method = 0
    image.seek(part)
    cleared = how == _BACKGROUND or (how == _PREVIOUS and part == 1)
    if cleared and extent is not None and image.mode in _CLEAR:
        image.im.paste(_CLEAR[image.mode], extent)
        if image.disposal_method == _PREVIOUS and image.dispose_extent is not None:
            image.dispose = image.im.crop(image.dispose_extent)  # to which it is taken back
