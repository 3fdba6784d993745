"""Decode HEIF and AVIF pictures also without their crop, the clean aperture (`clap`)."""

from __future__ import annotations

from PIL import Image

from screener.media.image.errors import as_media_error
from screener.media.image.orientation import read_orientation
from screener.media.image.pixels import Layers, Pixels
from screener.media.image.structure import apertures

# A crop of less than 1/200 of each side is ignored, as in `trim`: encoders of HEIC pad pictures to
# whole blocks and crop the padding.
_MIN_CROP_DIVISOR = 200


class ApertureReader:
    """The pictures of one file, each with and without its crop.

    libheif returns the cropped picture, so the file is decoded a second time without its `clap`.
    Pillow's AVIF decoder does not crop. In both formats the crop precedes the rotation.
    """

    def __init__(self, image: Image.Image, data: bytes) -> None:
        self._file_without_clap = (
            apertures.strip_apertures(data) if image.format == "HEIF" else None
        )
        self._clap = apertures.read_avif(data) if image.format == "AVIF" else None

    def read_uncropped_size(self, image: Image.Image, number: int) -> tuple[int, int]:
        """Return the width and height of a picture before cropping.

        Raises MediaError if the file cannot be opened without its crop.
        """
        if self._file_without_clap is None:
            return image.size
        return _read_heif_size(self._file_without_clap, number)

    def separate_crop(
        self, image: Image.Image, number: int, decoded: Layers
    ) -> tuple[Layers, Pixels | None]:
        """Return the visible picture, and the uncropped pixels (None if nearly the same).

        Raises MediaError if the picture cannot be decoded without its crop.
        """
        if self._file_without_clap is not None:
            uncropped = _decode_uncropped(self._file_without_clap, number, decoded.white)
            return decoded, uncropped
        if self._clap is None:
            return decoded, None
        orientation = read_orientation(image)
        stored = decoded.turn_back(orientation)
        height, width = stored.white.shape[:2]
        crop_box = apertures.crop_box(self._clap, width, height)
        if crop_box is None:
            return decoded, None
        visible = stored.crop(*crop_box)
        is_negligible = _is_negligible_crop(visible.white, height, width)
        return visible.turn(orientation), None if is_negligible else decoded.white


def _read_heif_size(file_without_clap: bytes, number: int) -> tuple[int, int]:
    from screener.media.image.plugins import heif  # the extra may not be installed

    try:
        return heif.read_size(file_without_clap, number)
    except Exception as error:
        raise as_media_error(error, file_without_clap, "cannot be opened uncropped") from None


def _decode_uncropped(file_without_clap: bytes, number: int, visible: Pixels) -> Pixels | None:
    from screener.media.image.plugins import heif  # the extra may not be installed

    width, height = _read_heif_size(file_without_clap, number)
    if _is_negligible_crop(visible, height, width):
        return None
    try:
        decoded = heif.decode(file_without_clap, number)
    except Exception as error:
        raise as_media_error(error, file_without_clap, "cannot be decoded uncropped") from None
    return None if decoded is None else decoded.white


def _is_negligible_crop(visible: Pixels, height: int, width: int) -> bool:
    rows, columns = visible.shape[:2]
    return bool(
        (height - rows) * _MIN_CROP_DIVISOR < height
        and (width - columns) * _MIN_CROP_DIVISOR < width
    )
