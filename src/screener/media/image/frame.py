"""One frame of a file, decoded as far as possible."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from screener.errors import MediaError, ShortOfMemory
from screener.media.image import missing_data, pillow, pixels
from screener.media.image.canvas import Canvas
from screener.media.image.errors import failure
from screener.media.image.orientation import defer_orientation, read_orientation
from screener.media.image.structure import file_end, jpeg2000, png


def decoded(
    image: Image.Image, data: bytes, *, part: int = 0, alone: bool = True
) -> tuple[NDArray[np.uint8] | None, MediaError | None]:
    """Return the upright pixels of the current frame as far as it decodes, and what went wrong.

    If `alone`, the pixels take the place of the image, which then shows nothing.
    """
    turn: int | None = None  # the orientation, if known before the frame is loaded
    short: MediaError | None = None
    canvas = Canvas() if data and alone else None
    try:
        if data and isinstance(image, ImageFile.ImageFile):
            direct = pillow.direct_pixels(image, data, part)
            if direct is not None:
                return direct, None
            if missing_data.lacks_most(image, data):
                name = image.get_format_mimetype() or image.format
                what = f"{name}: nearly all of its data are missing"
                return None, MediaError("truncated", what)
            turn = _prepare(image, canvas)
            pillow.load(image)
            short = _silent_damage(image, data, part)
        return _upright(image, canvas, turn), short
    except Exception as error:
        trouble = failure(error, data, "pixels cannot be decoded", image.size)
        if trouble.reason == "too_large" or not isinstance(image, ImageFile.ImageFile):
            return None, trouble
    if image.format == "PNG" and (bare := png.bare(data)) is not None:
        # The damage may be in chunks that do not make pixels.
        image._im = canvas = None  # frees the memory before the second attempt
        try:
            again = at(pillow.open_image(bare), bare, part)
        except Exception as error:
            return None, failure(error, data, "pixels cannot be decoded", image.size)
        return decoded(again, bare, part=part, alone=alone)
    try:
        return _rest(image, canvas, turn, data, part), trouble
    except MemoryError as error:
        return None, failure(error, data, "pixels cannot be decoded", image.size)


def _silent_damage(image: ImageFile.ImageFile, data: bytes, part: int) -> MediaError | None:
    """Return what is wrong with a loaded frame although its decoder reported nothing."""
    if image.format == "JPEG2000" and jpeg2000.may_lack_white(image, data):
        what = "its decoder may show white as black"
        return MediaError("unsupported", f"image/jp2: deep colours, and {what}")
    if missing_data.has_missing_data(image, data, part):
        return MediaError("truncated", f"{image.get_format_mimetype()}: data are missing")
    return None


def _rest(
    image: ImageFile.ImageFile, canvas: Canvas | None, turn: int | None, data: bytes, part: int
) -> NDArray[np.uint8] | None:
    """Return what there is of a broken or cut frame, None if nothing is.

    Raises MemoryError if that does not fit into memory: it says nothing about the file.
    """
    if data and image.format in ("JPEG", "MPO"):
        # An end marker makes libjpeg finish with what it has: the last rows of a baseline file, all
        # rows of a progressive one, but coarser.
        with _but_memory():
            ended = file_end.ended_jpeg(data)
            again = at(pillow.open_image(ended), ended, part)
            _prepare(again, canvas)
            pillow.load(again)
            return _upright(again, canvas, None)
    with _but_memory():
        rest = pillow.remains(image)
        if rest is not None:
            turn = read_orientation(image) if turn is None else turn
            return _upright(rest, canvas, turn)
    return None


@contextlib.contextmanager
def _but_memory() -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except ShortOfMemory:
        raise MemoryError from None
    except Exception:
        pass


def at(image: ImageFile.ImageFile, data: bytes, part: int) -> ImageFile.ImageFile:
    """Return the image at frame number `part`. Raises what the plugin raises."""
    if part and image.format == "MPO":
        # Opened anew, since each picture of an MPO may have other colours, and Pillow before 12
        # decodes it into the memory of the last one.
        image = pillow.open_image(data)
    if part != image.tell():
        image.seek(part)
    return image


def _prepare(image: ImageFile.ImageFile, canvas: Canvas | None) -> int | None:
    """Prepare the image to decode onto the canvas, and a JPEG to its luma, if possible.

    Returns what `defer_orientation` returns for a TIFF.
    """
    pixels.mend(image)
    if image.format in ("JPEG", "MPO") and pillow.luma_only(image):
        image.draft("L", image.size)  # docs/internals/pixels.md states the difference
    turn = defer_orientation(image) if image.format == "TIFF" else None
    if canvas is not None:
        canvas.lend(image)
    return turn


def _upright(image: Image.Image, canvas: Canvas | None, turn: int | None) -> NDArray[np.uint8]:
    return pixels.upright(image, canvas.of(image) if canvas is not None else None, turn)
