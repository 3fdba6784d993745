"""Decode one frame of a file, as far as possible."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from PIL import Image, ImageFile

from screener.errors import MediaError, ShortOfMemory
from screener.media.image import missing_data, pillow, pixels
from screener.media.image.canvas import Canvas
from screener.media.image.errors import as_media_error
from screener.media.image.orientation import defer_orientation, read_orientation
from screener.media.image.pixels import Layers
from screener.media.image.structure import jpeg2000, png
from screener.media.image.structure.headers import read_be


def decode_frame(
    image: Image.Image, data: bytes, *, number: int = 0, replaces_image: bool = True
) -> tuple[Layers | None, MediaError | None]:
    """Return the current frame's upright pixels as far as it decodes, and any error.

    `number` is the frame's number. With `replaces_image`, the image is unusable afterwards, since
    its memory becomes the result's.
    """
    orientation: int | None = None  # unless it is known before the frame is loaded
    damage: MediaError | None = None
    canvas = Canvas() if data and replaces_image else None
    try:
        if data and isinstance(image, ImageFile.ImageFile):
            upright = pillow.decode_directly(image, data, number)
            if upright is not None:
                return upright, None
            if missing_data.lacks_most_data(image, data):
                name = image.get_format_mimetype() or image.format
                detail = f"{name}: nearly all of its data are missing"
                return None, MediaError("truncated", detail)
            orientation = _prepare(image, canvas)
            pillow.load(image)
            damage = _find_silent_damage(image, data, number)
        return _to_upright(image, canvas, orientation), damage
    except Exception as error:
        damage = as_media_error(error, data, "pixels cannot be decoded", image.size)
        if damage.reason == "too_large" or not isinstance(image, ImageFile.ImageFile):
            return None, damage
    if image.format == "PNG" and (stripped := png.strip(data)) is not None:
        # Ancillary chunks may be damaged: retry with only those that affect the picture.
        image._im = canvas = None  # frees the memory before the second attempt
        try:
            reopened = seek_frame(pillow.open_image(stripped), stripped, number)
        except Exception as error:
            return None, as_media_error(error, data, "pixels cannot be decoded", image.size)
        return decode_frame(reopened, stripped, number=number, replaces_image=replaces_image)
    try:
        return _salvage(image, canvas, orientation, data, number), damage
    except MemoryError as error:
        return None, as_media_error(error, data, "pixels cannot be decoded", image.size)


def _find_silent_damage(image: ImageFile.ImageFile, data: bytes, number: int) -> MediaError | None:
    """Return the error for damage that the decoder did not report, or None."""
    if image.format == "JPEG2000" and jpeg2000.may_lack_white(image, data):
        detail = "image/jp2: deep colours, and its decoder may show white as black"
        return MediaError("unsupported", detail)
    if missing_data.has_missing_data(image, data, number):
        return MediaError("truncated", f"{image.get_format_mimetype()}: data are missing")
    return None


def _salvage(
    image: ImageFile.ImageFile,
    canvas: Canvas | None,
    orientation: int | None,
    data: bytes,
    number: int,
) -> Layers | None:
    """Return the decodable part of a damaged frame, or None.

    Raises MemoryError, since lack of memory is no property of the file.
    """
    if data and image.format in ("JPEG", "MPO"):
        # An end marker makes libjpeg return all it has: further rows of a baseline file, all rows
        # of a progressive one, but coarser.
        with _suppress_decode_errors():
            ended = terminate_jpeg(data)
            reopened = seek_frame(pillow.open_image(ended), ended, number)
            _prepare(reopened, canvas)
            pillow.load(reopened)
            return _to_upright(reopened, canvas, None)
    with _suppress_decode_errors():
        partial = pillow.salvage(image)
        if partial is not None:
            orientation = read_orientation(image) if orientation is None else orientation
            return _to_upright(partial, canvas, orientation)
    return None


@contextlib.contextmanager
def _suppress_decode_errors() -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except ShortOfMemory:
        raise MemoryError from None
    except Exception:
        pass


def seek_frame(image: ImageFile.ImageFile, data: bytes, number: int) -> ImageFile.ImageFile:
    """Return the image at the numbered frame. Raises the plugin's errors."""
    if number and image.format == "MPO":
        # Reopened, since each picture of an MPO may have other colours, and Pillow before 12
        # decodes it into the memory of the previous picture.
        image = pillow.open_image(data)
    if number != image.tell():
        image.seek(number)
    return image


def _prepare(image: ImageFile.ImageFile, canvas: Canvas | None) -> int | None:
    """Make the image decode into the canvas and a JPEG into luma only, if possible.

    Return the orientation that a TIFF still has to be turned by, None for other formats.
    """
    pixels.mend(image)
    if image.format in ("JPEG", "MPO") and pillow.is_luma_first(image):
        image.draft("L", image.size)  # docs/internals/pixels.md states the difference
    orientation = defer_orientation(image) if image.format == "TIFF" else None
    if canvas is not None:
        canvas.lend(image)
    return orientation


def _to_upright(image: Image.Image, canvas: Canvas | None, orientation: int | None) -> Layers:
    memory = None if canvas is None else canvas.memory_of(image)
    return pixels.to_upright(image, memory, orientation)


def terminate_jpeg(data: bytes) -> bytes:
    """Return a truncated JPEG with an end marker and without an incomplete last segment."""
    offset = len(data)
    while (offset := data.rfind(b"\xff", 0, offset)) > 0:
        marker = data[offset + 1] if offset + 1 < len(data) else 0
        if marker in (0x00, 0xFF) or 0xD0 <= marker <= 0xD7:
            continue  # stuffing, padding and restarts belong to pixel data
        if offset + 4 > len(data) or offset + 2 + read_be(data, offset + 2, 2) > len(data):
            data = data[:offset]
        break
    return data + b"\xff\xd9"
