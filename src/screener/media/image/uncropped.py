"""The pixels outside the clean aperture (`clap`) of HEIF and AVIF pictures."""

from __future__ import annotations

from PIL import Image

from screener.media.image.errors import as_media_error
from screener.media.image.orientation import apply_orientation, read_orientation, undo_orientation
from screener.media.image.pixels import Pixels
from screener.media.image.structure import apertures

# A crop of less than 1/200 of each side is ignored, as in `trim`: encoders of HEIC pad pictures to
# whole blocks and crop the padding.
_MIN_CROP_DIVISOR = 200


class ApertureReader:
    """The pictures of one file, each with and without its crop.

    libheif returns the cropped picture, so the file is decoded a second time without its `clap`.
    Pillow's AVIF is not cropped. In both formats the crop precedes the rotation.
    """

    def __init__(self, image: Image.Image, data: bytes) -> None:
        self._uncropped_data = apertures.strip_apertures(data) if image.format == "HEIF" else None
        self._clap = apertures.read_avif(data) if image.format == "AVIF" else None

    def read_coded_size(self, image: Image.Image, number: int) -> tuple[int, int]:
        """Return the coded width and height of the current picture.

        Raises MediaError if the file cannot be opened without its crop.
        """
        if self._uncropped_data is None:
            return image.size
        from screener.media.image.plugins import heif  # the extra may not be installed

        try:
            return heif.read_size(self._uncropped_data, number)
        except Exception as error:
            raise as_media_error(
                error, self._uncropped_data, "cannot be opened uncropped"
            ) from None

    def split(
        self, image: Image.Image, number: int, upright: Pixels
    ) -> tuple[Pixels, Pixels | None]:
        """Return the visible pixels, and the uncropped ones (None if nearly the same).

        Raises MediaError if the picture cannot be decoded without its crop.
        """
        if self._uncropped_data is not None:
            return upright, self._decode_uncropped(image, number, upright)
        if self._clap is None:
            return upright, None
        orientation = read_orientation(image)
        stored = undo_orientation(upright, orientation)
        box = apertures.crop_box(self._clap, stored.shape[1], stored.shape[0])
        if box is None:
            return upright, None
        left, top, right, bottom = box
        visible = stored[top:bottom, left:right]
        is_negligible = _is_negligible_crop(visible, *stored.shape[:2])
        return apply_orientation(visible, orientation), None if is_negligible else upright

    def _decode_uncropped(self, image: Image.Image, number: int, visible: Pixels) -> Pixels | None:
        from screener.media.image.plugins import heif

        width, height = self.read_coded_size(image, number)
        if _is_negligible_crop(visible, height, width):
            return None
        data = self._uncropped_data or b""
        try:
            return heif.decode(data, number)
        except Exception as error:
            raise as_media_error(error, data, "cannot be decoded uncropped") from None


def _is_negligible_crop(visible: Pixels, height: int, width: int) -> bool:
    rows, columns = visible.shape[:2]
    return bool(
        (height - rows) * _MIN_CROP_DIVISOR < height
        and (width - columns) * _MIN_CROP_DIVISOR < width
    )
