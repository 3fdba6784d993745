"""What HEIF and AVIF code around the part of a picture that they show (`clap`)."""

from __future__ import annotations

from PIL import Image

from screener.media.image import pixels
from screener.media.image.errors import failure
from screener.media.image.pixels import Pixels
from screener.media.image.structure import apertures

_SLIGHT = 200
"""A crop of less than one in so many of each side is ignored, as in `trim`: encoders of HEIC pad
their last blocks and crop that.
"""

# The inverse of each orientation that is not its own.
_BACK = {6: 8, 8: 6}


class Uncropped:
    """The pictures of one file, as coded and as shown.

    libheif has cropped what it returns, so such a picture is decoded once more. Pillow has not
    cropped its AVIF. Both turn a picture after the crop.
    """

    def __init__(self, image: Image.Image, data: bytes) -> None:
        self._bare = apertures.without(data) if image.format == "HEIF" else None
        self._clap = apertures.of_avif(data) if image.format == "AVIF" else None

    def size(self, image: Image.Image, part: int) -> tuple[int, int]:
        """Return the coded size of the current picture. Raises MediaError."""
        if self._bare is None:
            return image.size
        from screener.media.image.plugins import heif  # the extra may not be installed

        try:
            return heif.size(self._bare, part)
        except Exception as error:
            raise failure(error, self._bare, "cannot be opened uncropped") from None

    def parted(
        self, image: Image.Image, part: int, upright: Pixels
    ) -> tuple[Pixels, Pixels | None]:
        """Return what is shown of a decoded picture, and all that is coded or, if equal, None.

        Raises MediaError.
        """
        if self._bare is not None:
            from screener.media.image.plugins import heif

            width, height = self.size(image, part)
            if _is_slight(upright, height, width):
                return upright, None
            try:
                return upright, heif.decoded(self._bare, part)
            except Exception as error:
                raise failure(error, self._bare, "cannot be decoded uncropped") from None
        turn = pixels.orientation(image) if self._clap is not None else 1
        stored = pixels.turned(upright, _BACK.get(turn, turn))
        box = self._clap and apertures.box(self._clap, stored.shape[1], stored.shape[0])
        if box is None:
            return upright, None
        left, top, right, bottom = box
        shown = stored[top:bottom, left:right]
        slight = _is_slight(shown, *stored.shape[:2])
        return pixels.turned(shown, turn), None if slight else upright


def _is_slight(shown: Pixels, height: int, width: int) -> bool:
    rows, columns = shown.shape[:2]
    return bool((height - rows) * _SLIGHT < height and (width - columns) * _SLIGHT < width)
