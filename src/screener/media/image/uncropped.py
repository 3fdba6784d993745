"""Uncropped: what HEIF and AVIF code round the part of a picture that they show (`clap`)."""

from __future__ import annotations

from PIL import Image

from screener.media.image import pixels
from screener.media.image.errors import failure
from screener.media.image.pixels import Pixels
from screener.media.image.structure import apertures

_SLIGHT = 200
"""A crop that takes less than one in so many off each side is not looked behind, as `trim` has it:
encoders of HEIC fill up the last rows and columns of their blocks, and crop those.
"""

# The orientation that takes back each of those that are not their own opposites.
_BACK = {6: 8, 8: 6}


class Uncropped:
    """The pictures of one file, as they are coded and as they are shown.

    libheif has cropped what it gives, so such a picture is decoded once more. Pillow has not
    cropped its AVIF. Both turn a picture after it is cropped.
    """

    def __init__(self, image: Image.Image, data: bytes) -> None:
        self._bare = apertures.without(data) if image.format == "HEIF" else None
        self._clap = apertures.of_avif(data) if image.format == "AVIF" else None

    def size(self, image: Image.Image, part: int) -> tuple[int, int]:
        """Return the size that the current picture has when it is decoded. Raises MediaError."""
        if self._bare is None:
            return image.size
        from screener.media.image.plugins import heif  # whose plugin may be missing

        try:
            return heif.size(self._bare, part)
        except Exception as error:
            raise failure(error, self._bare, "cannot be opened uncropped") from None

    def parted(self, image: Image.Image, part: int, found: Pixels) -> tuple[Pixels, Pixels | None]:
        """Return what is shown of the current picture, which was decoded, and all that is coded of
        it; None for that if it is the same. Raises MediaError.
        """
        if self._bare is not None:
            from screener.media.image.plugins import heif

            width, height = self.size(image, part)
            if _is_slight(found, height, width):
                return found, None
            try:
                return found, heif.decoded(self._bare, part)
            except Exception as error:
                raise failure(error, self._bare, "cannot be decoded uncropped") from None
        turn = pixels.orientation(image) if self._clap is not None else 1
        stored = pixels.turned(found, _BACK.get(turn, turn))
        box = self._clap and apertures.box(self._clap, stored.shape[1], stored.shape[0])
        if box is None:
            return found, None
        left, top, right, bottom = box
        shown = stored[top:bottom, left:right]
        slight = _is_slight(shown, *stored.shape[:2])
        return pixels.turned(shown, turn), None if slight else found


def _is_slight(shown: Pixels, height: int, width: int) -> bool:
    """Return whether hardly less is shown than a picture of that size."""
    rows, columns = shown.shape[:2]
    return bool((height - rows) * _SLIGHT < height and (width - columns) * _SLIGHT < width)
