"""Decode the pages or animation frames of a file in sequence."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from screener.errors import MediaError, ShortOfMemory
from screener.media.files.limits import Limits
from screener.media.files.picture import Frame
from screener.media.image import pixels
from screener.media.image.errors import as_media_error
from screener.media.image.frame import decode_frame, seek_frame
from screener.media.image.frame_budget import FrameBudget
from screener.media.image.structure import file_end, headers, items, jpeg2000, photoshop, png, tiff
from screener.media.image.uncropped import ApertureReader

_INDEPENDENT_FORMATS = ("MPO", "TIFF")
"""Formats whose frames do not depend on one another."""

ANIMATED_FORMATS = ("AVIF", "GIF", "PNG", "WEBP")
"""Formats whose frames follow one another in time."""

_ITEM_FORMATS = ("AVIF", "HEIF")
"""Formats whose pictures are items, some of which a decoder may not return."""

_DEFAULT_SECONDS = 0.1  # for a frame without a duration, as in browsers

_MAX_FINGERPRINT_SIZE = 4 << 20  # bytes; larger frames are compared by their digests


def count_frames(image: ImageFile.ImageFile, data: bytes, limits: Limits) -> int:
    """Return the number of frames, as declared or counted up to one past the limit."""
    if image.format == "GIF":
        return headers.count_gif_frames(data, stop=limits.frames + 1)
    if image.format == "PSD":  # its frames are layers, of which only the composite is shown
        return 1
    if image.format == "TIFF":
        return max(len(tiff.find_directories(data, stop=limits.frames + 1)), 1)
    try:
        return max(int(getattr(image, "n_frames", 1)), 1)
    except Exception as error:  # a header may hold anything
        raise as_media_error(error, data, "frames cannot be counted") from None


def decode_frames(
    image: ImageFile.ImageFile, data: bytes, count: int, budget: FrameBudget
) -> Iterator[Frame]:
    """Yield the frames of a file, except those that equal the one before.

    After a broken frame, decoding continues if later frames do not depend on it. At the end, raises
    the first MediaError, or ShortOfMemory if there was one.
    """
    frames_are_independent = image.format in _INDEPENDENT_FORMATS
    has_pages = image.format == "TIFF" and count > 1
    page_offsets = tiff.find_directories(data, stop=count) if has_pages else []
    seconds, previous, apertures = 0.0, None, ApertureReader(image, data)
    first_error: MediaError | None = None
    for number in itertools.count():
        visible, uncropped, error = None, None, None
        try:
            opened = _open_frame(image, data, number, count, page_offsets)
            if opened is None:
                break
            image = opened
            budget.take(*apertures.read_uncropped_size(image, number))
            visible, error = decode_frame(
                image, data, number=number, replaces_image=count == 1 or frames_are_independent
            )
            if visible is not None:
                visible, uncropped = apertures.separate_crop(image, number, visible)
        except MediaError as raised:
            error = raised.alone()
        if count == 1:
            image.close()  # frees the decoder's memory before the pixels are used
        elif frames_are_independent:
            image._im = None  # it holds the frame's memory, which must not outlive the frame
        if visible is not None:
            frame = Frame(
                visible.white,
                seconds,
                number,
                uncropped=uncropped,
                luma_alpha=visible.luma_alpha,
            )
            fingerprint = _fingerprint(frame) if count > 1 else None
            if fingerprint is None or previous is None or not np.array_equal(fingerprint, previous):
                yield frame
            # Free the pixels before the next frame is decoded.
            previous, visible, uncropped = fingerprint, None, None
            del frame
        if first_error is None or isinstance(error, ShortOfMemory):
            first_error = error
        if count == 1 or (
            error is not None and (not frames_are_independent or number >= budget.max_frames)
        ):
            break
        seconds += _read_duration(image)
    if first_error is None:
        first_error = _find_unreported_loss(image, data)
    if first_error is not None:
        raise first_error


def _fingerprint(frame: Frame) -> NDArray[np.uint8]:
    """Return the pixels if they are few, else a digest, which needs less memory."""
    if frame.luma_alpha is None and frame.stored.nbytes <= _MAX_FINGERPRINT_SIZE:
        return frame.stored
    digest = hashlib.blake2b(digest_size=32)
    for layer in (frame.stored, frame.luma_alpha):
        if layer is not None:
            digest.update(repr(layer.shape).encode())
            for _, band in pixels.split_array(layer):
                digest.update(np.ascontiguousarray(band).data)
    return np.frombuffer(digest.digest(), np.uint8)


def _open_frame(
    image: ImageFile.ImageFile, data: bytes, number: int, count: int, page_offsets: Sequence[int]
) -> ImageFile.ImageFile | None:
    """Return the image at the numbered frame, or None after the last frame.

    A TIFF's page is opened separately, since Pillow finds no page after one that it cannot read.
    Raises MediaError if frames are missing.
    """
    if not number and not page_offsets:
        return image
    try:
        if page_offsets:
            return tiff.open_page(data, page_offsets[number]) if number < count else None
        return seek_frame(image, data, number)
    except MediaError:
        raise
    except EOFError:
        if number < count and image.format != "GIF":
            raise MediaError("truncated", f"frame {number} of {count} is missing") from None
        return None
    except Exception as error:
        raise as_media_error(error, data, f"frame {number} cannot be found") from None


def _find_unreported_loss(image: Image.Image, data: bytes) -> MediaError | None:
    if _is_cut_between_frames(image, data):
        return MediaError("truncated", f"{image.format}: the file ends before its frames do")
    if image.format == "PNG" and png.is_damaged(data):
        return MediaError("undecodable", f"{image.format}: its data do not match their checksums")
    if _has_more_frames(image, data):
        detail = "it contains more frames than can be read"
        return MediaError("undecodable", f"{image.format}: {detail}")
    if _lacks_pictures(image, data):
        detail = "it contains a picture that its decoder does not return"
        return MediaError("unsupported", f"{image.format}: {detail}")
    return None


def _has_more_frames(image: Image.Image, data: bytes) -> bool:
    if image.format == "PNG":
        return png.has_more_frames(data)
    if image.format != "WEBP":
        return False
    return headers.count_webp_frames(data) > int(getattr(image, "n_frames", 1))


def _lacks_pictures(image: Image.Image, data: bytes) -> bool:
    if image.format == "JPEG2000":
        return jpeg2000.has_several_pictures(data)
    if image.format == "PSD":
        return photoshop.shows_part(image, data)
    if image.format == "PPM":
        return file_end.has_several_pnm(data)
    return image.format in _ITEM_FORMATS and items.has_more(
        data, image.format, int(getattr(image, "n_frames", 1))
    )


def _is_cut_between_frames(image: Image.Image, data: bytes) -> bool:
    """Return whether a GIF or TIFF ends between frames; they do not declare how many follow."""
    if image.format == "GIF":
        return not headers.is_gif_complete(data)
    return image.format == "TIFF" and headers.is_cut_short(data)


def _read_duration(image: Image.Image) -> float:
    if image.format not in ANIMATED_FORMATS:
        return 0.0
    value = image.info.get("duration", 0)
    seconds = float(value) / 1000 if isinstance(value, (int, float)) else 0.0
    return seconds if seconds > 0 else _DEFAULT_SECONDS
