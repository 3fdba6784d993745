"""Open pictures by content, and check limits before a pixel is decoded."""

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
from screener.media.image.embedded import Embedded, find_embedded, find_in_document
from screener.media.image.frame import decode_frame
from screener.media.image.frame_budget import FrameBudget
from screener.media.image.hidden import ClipOpener
from screener.media.image.orientation import read_orientation
from screener.media.image.plugins import plain_jpeg
from screener.media.image.structure import headers, tiff


def open(
    source: bytes | Image.Image | NDArray[Any],
    *,
    limits: Limits | None = None,
    clips: ClipOpener | None = None,
) -> Picture:
    """Open a file's bytes, a Pillow image or an array, reading headers only.

    A Pillow image counts as one picture, its current frame; pass the file's bytes to get all
    frames.

    Parameters:
        source: The picture.
        limits: Limits of bytes, pixels and frames; the defaults if None.
        clips: Opens the file's hidden clips and animations; they are ignored if it is None.

    Raises:
        MediaError: The picture cannot be opened: `empty`, `unsupported`, `undecodable`,
            `truncated` or `too_large`.
        HashError: An array has the wrong dtype or shape.
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
    layers = pixels.from_array(array)
    height, width = layers.white.shape[:2]
    frame = Frame(layers.white, 0.0, 0, luma_alpha=layers.luma_alpha)
    return Picture(Media(None, width, height, 1), lambda: iter((frame,)))


def _open_image(image: Image.Image, limits: Limits) -> Picture:
    check_pixels(image.width, image.height, limits)
    if 0 in image.size:
        raise MediaError("undecodable", f"an image without pixels: {image.size}")

    def decode() -> Iterator[Frame]:
        visible, error = decode_frame(image, b"")
        if visible is not None:
            yield Frame(visible.white, 0.0, 0, luma_alpha=visible.luma_alpha)
        if error is not None:
            raise error

    mime = Image.MIME.get(image.format) if image.format else None
    return Picture(Media(mime, *_read_visible_size(image), 1), decode)


def _open_bytes(data: bytes, limits: Limits, clips: ClipOpener | None) -> Picture:
    if not data:
        raise MediaError("empty", "no bytes")
    if len(data) > limits.bytes:
        raise MediaError("too_large", f"{len(data)} bytes, over the limit of {limits.bytes}")
    shape = plain_jpeg.read_shape(data)
    if shape is not None:
        check_pixels(shape.width, shape.height, limits)
        media = Media("image/jpeg", shape.width, shape.height, 1)
        return Picture(media, lambda: _decode_plain(data, shape, limits))
    return _open_with_pillow(data, limits, clips)


def _decode_plain(data: bytes, shape: plain_jpeg.Shape, limits: Limits) -> Iterator[Frame]:
    luma = plain_jpeg.decode_luma(data, shape)
    if luma is not None:
        return iter((Frame(luma, 0.0, 0),))
    return _open_with_pillow(data, limits).frames()  # nothing follows a plain JPEG's end


def _open_with_pillow(data: bytes, limits: Limits, clips: ClipOpener | None = None) -> Picture:
    check_pixels(*headers.find_largest_size(data), limits)
    try:
        image = pillow.open_image(data)
    except MediaError as error:
        return _open_within(data, limits, clips, error.alone())
    count = frames.count_frames(image, data, limits)
    if count == 1 or image.format != "TIFF":  # another page of a TIFF may be within the limit
        check_pixels(image.width, image.height, limits)
    mime = image.get_format_mimetype() or sniff(data) or f"image/x-{image.format}".lower()
    media = Media(mime, *_read_visible_size(image), count)
    opened = [image]  # for the first call; later calls open the file again

    def decode() -> Iterator[Frame]:
        first = opened.pop() if opened else pillow.open_image(data)
        return _decode_all(first, data, media.frames, limits, clips)

    return Picture(media, decode)


def _open_within(
    data: bytes, limits: Limits, clips: ClipOpener | None, cause: MediaError
) -> Picture:
    """Open the JPEGs that replace a TIFF's pictures, or the files in a document.

    The file itself cannot be opened because of `cause`, which is raised after their frames, or at
    once if there are none.
    """
    mime = sniff(data)

    def inner() -> Iterator[Embedded]:
        if mime == "image/tiff":
            for jpeg in tiff.find_jpegs(data, stop=limits.frames):
                yield Embedded("thumbnail", jpeg)
        elif cause.reason == "unsupported":
            yield from find_in_document(data)

    if next(inner(), None) is None:
        raise cause
    count = len(tiff.find_directories(data, stop=limits.frames + 1))

    def decode() -> Iterator[Frame]:
        try:
            for frame in hidden.decode_frames(inner(), limits, clips, is_only_content=True):
                yield replace(frame, part=count + frame.part)
                del frame
        except MediaError as error:
            if isinstance(error, ShortOfMemory):
                raise  # another process may have the memory
        raise cause.alone()

    return Picture(Media(mime, 0, 0, count), decode)


def _read_visible_size(image: Image.Image) -> tuple[int, int]:
    # Pillow turns a TIFF's size itself, and would decode all of a PNG to find late metadata.
    can_be_known = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
    if can_be_known and read_orientation(image) >= 5:
        return image.height, image.width
    return image.width, image.height


def _decode_all(
    image: ImageFile.ImageFile, data: bytes, count: int, limits: Limits, clips: ClipOpener | None
) -> Iterator[Frame]:
    first_error: MediaError | None = None
    part = count
    try:
        for frame in frames.decode_frames(image, data, count, FrameBudget(limits)):
            part = max(part, frame.part + 1)
            yield frame
            del frame
    except MediaError as error:
        first_error = error.alone()
    try:
        for frame in hidden.decode_frames(find_embedded(data, image), limits, clips):
            yield replace(frame, part=part + frame.part)
            del frame
    except ShortOfMemory as error:
        first_error = error.alone()  # another process may have the memory
    except MediaError as error:
        first_error = first_error or error.alone()
    if first_error is not None:
        raise first_error
