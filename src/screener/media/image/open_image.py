"""Pictures: sniffed, held to limits before a pixel is decoded, and given frame by frame.

`open` takes a file's bytes, a Pillow image or an array, and reads headers only. The frames come
from `Picture.frames`, one at a time, through the pixel pipeline of `media.pixels`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from screener.errors import MediaError, ShortOfMemory
from screener.media.files.limits import Limits, check_pixels
from screener.media.files.picture import Frame, Media, Picture
from screener.media.files.sniff import sniff
from screener.media.image import frames, hidden, pillow, pixels
from screener.media.image.embedded import Embedded, embedded, within
from screener.media.image.frame import decoded
from screener.media.image.frame_budget import FrameBudget
from screener.media.image.hidden import Clips
from screener.media.image.plugins import plain_jpeg
from screener.media.image.structure import headers, tiff


def open(
    source: bytes | Image.Image | NDArray[Any],
    *,
    limits: Limits | None = None,
    clips: Clips | None = None,
) -> Picture:
    """Open a file's bytes, a Pillow image or an array; no pixel is decoded yet. `clips` opens what
    is hidden in the file and moves, which is left alone without.

    Raises MediaError with the reason `empty`, `unsupported`, `undecodable`, `truncated` or
    `too_large`; HashError for an array of the wrong dtype or shape. A Pillow image counts as
    one picture, the frame that it stands at: give the file's bytes to have them all.
    """
    limits = limits or Limits()
    if isinstance(source, np.ndarray):
        return _open_array(source, limits)
    if isinstance(source, Image.Image):
        return _open_image(source, limits)
    return _open_bytes(bytes(source), limits, clips)


def _open_array(array: NDArray[Any], limits: Limits) -> Picture:
    if array.ndim >= 2:
        check_pixels(array.shape[1], array.shape[0], limits)
    grey_or_rgb = pixels.from_array(array)
    height, width = grey_or_rgb.shape[:2]
    frame = Frame(grey_or_rgb, 0.0, 0)
    return Picture(Media(None, width, height, 1), lambda: iter((frame,)))


def _open_image(image: Image.Image, limits: Limits) -> Picture:
    check_pixels(image.width, image.height, limits)
    if 0 in image.size:
        raise MediaError("undecodable", f"an image without pixels: {image.size}")

    def decode() -> Iterator[Frame]:
        found, trouble = decoded(image, b"")
        if found is not None:
            yield Frame(found, 0.0, 0)
        if trouble is not None:
            raise trouble

    mime = Image.MIME.get(image.format) if image.format else None
    return Picture(Media(mime, *_shown_size(image), 1), decode)


def _open_bytes(data: bytes, limits: Limits, clips: Clips | None) -> Picture:
    if not data:
        raise MediaError("empty", "no bytes")
    if len(data) > limits.bytes:
        raise MediaError("too_large", f"{len(data)} bytes, over the limit of {limits.bytes}")
    shape = plain_jpeg.shape_of(data)
    if shape is not None:
        check_pixels(shape.width, shape.height, limits)
        media = Media("image/jpeg", shape.width, shape.height, 1)
        return Picture(media, lambda: _plain_frames(data, shape, limits))
    return _open_with_pillow(data, limits, clips)


def _plain_frames(data: bytes, shape: plain_jpeg.Shape, limits: Limits) -> Iterator[Frame]:
    found = plain_jpeg.luma(data, shape)
    if found is not None:
        return iter((Frame(found, 0.0, 0),))
    return _open_with_pillow(data, limits).frames()  # there is nothing behind its end


def _open_with_pillow(data: bytes, limits: Limits, clips: Clips | None = None) -> Picture:
    check_pixels(*headers.largest(data), limits)
    try:
        image = pillow.open_image(data)
    except MediaError as error:
        return _open_within(data, limits, clips, error.alone())
    count = frames.count(image, data, limits)
    if count == 1 or image.format != "TIFF":  # of which a page over the limit hides no other
        check_pixels(image.width, image.height, limits)
    mime = image.get_format_mimetype() or sniff(data) or f"image/x-{image.format}".lower()
    media = Media(mime, *_shown_size(image), count)
    opened = [image]  # which the first walk takes

    def decode() -> Iterator[Frame]:
        first = opened.pop() if opened else pillow.open_image(data)
        return _decode_all(first, data, media.frames, limits, clips)

    return Picture(media, decode)


def _open_within(data: bytes, limits: Limits, clips: Clips | None, wrong: MediaError) -> Picture:
    """What stands in a file that cannot be opened: the JPEGs in place of the pictures of a TIFF, as
    in some raw files, or whole files, as in a PDF. Their walk ends with what is wrong with the
    file, which is raised at once where there are none.
    """
    mime = sniff(data)

    def found() -> Iterator[Embedded]:
        if mime == "image/tiff":
            for jpeg in tiff.jpegs(data, stop=limits.frames):
                yield Embedded("thumbnail", jpeg)
        elif wrong.reason == "unsupported":
            yield from within(data)

    if next(found(), None) is None:
        raise wrong
    count = len(tiff.directories(data, stop=limits.frames + 1))

    def decode() -> Iterator[Frame]:
        try:
            for frame in hidden.frames(found(), limits, clips, alone=True):
                yield replace(frame, part=count + frame.part)
                del frame
        except MediaError as error:
            if isinstance(error, ShortOfMemory):
                raise  # what another process finds does not hang on it
        raise wrong.alone()

    return Picture(Media(mime, 0, 0, count), decode)


def _shown_size(image: Image.Image) -> tuple[int, int]:
    """Width and height with the orientation applied, without decoding."""
    # Pillow turns TIFF sizes itself, and would decode a whole PNG to look for late metadata.
    known = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
    if known and pixels.orientation(image) >= 5:
        return image.height, image.width
    return image.width, image.height


def _decode_all(
    image: ImageFile.ImageFile, data: bytes, count: int, limits: Limits, clips: Clips | None
) -> Iterator[Frame]:
    """The frames of a file, then what is hidden in it; the trouble of either comes last."""
    trouble: MediaError | None = None
    part = count
    try:
        for frame in frames.frames(image, data, count, FrameBudget(limits)):
            part = max(part, frame.part + 1)
            yield frame
            del frame
    except MediaError as error:
        trouble = error.alone()
    try:
        for frame in hidden.frames(embedded(data, image), limits, clips):
            yield replace(frame, part=part + frame.part)
            del frame
    except ShortOfMemory as error:
        trouble = error.alone()  # what another process finds does not hang on it
    except MediaError as error:
        trouble = trouble or error.alone()
    if trouble is not None:
        raise trouble
