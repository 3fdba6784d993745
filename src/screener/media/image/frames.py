"""The frames of a file in sequence: pages, or those of an animation, each decoded once."""

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
from screener.media.image.errors import failure
from screener.media.image.frame import at, decoded
from screener.media.image.frame_budget import FrameBudget
from screener.media.image.structure import headers, items, jpeg2000, photoshop, png, tiff
from screener.media.image.uncropped import ApertureReader

_APART = ("MPO", "TIFF")
"""Formats whose frames are decoded independently."""

ANIMATED = ("AVIF", "GIF", "PNG", "WEBP")
"""Formats whose frames follow one another in time."""

_ITEMIZED = ("AVIF", "HEIF")
"""Formats whose pictures are items, some of which a decoder may not return."""

_DEFAULT_S = 0.1  # how long browsers show a frame without a duration

_FEW = 4 << 20  # bytes up to which a frame, not its digest, is stored for comparison with the next


def count(image: ImageFile.ImageFile, data: bytes, limits: Limits) -> int:
    """Return the frames as declared, or counted up to one past the limit."""
    if image.format == "GIF":
        return headers.gif_frames(data, stop=limits.frames + 1)
    if image.format == "PSD":  # its frames are layers; it shows their composite
        return 1
    if image.format == "TIFF":
        return max(len(tiff.directories(data, stop=limits.frames + 1)), 1)
    try:
        return max(int(getattr(image, "n_frames", 1)), 1)
    except Exception as error:  # a header may hold anything
        raise failure(error, data, "frames cannot be counted") from None


def frames(
    image: ImageFile.ImageFile, data: bytes, count: int, budget: FrameBudget
) -> Iterator[Frame]:
    """Yield the frames of a file, without those that show the same as the one before.

    Raises MediaError after the last that could be decoded. A broken frame ends the walk only if the
    frames behind it depend on it.
    """
    apart = image.format in _APART
    places = tiff.directories(data, stop=count) if image.format == "TIFF" and count > 1 else []
    time, previous, uncropped = 0.0, None, ApertureReader(image, data)
    trouble: MediaError | None = None
    for part in itertools.count():
        shown, coded, wrong = None, None, None
        try:
            following = _frame_at(image, data, part, count, places)
            if following is None:
                break
            image = following
            budget.take(*uncropped.coded_size(image, part))
            shown, wrong = decoded(image, data, part=part, alone=count == 1 or apart)
            if shown is not None:
                shown, coded = uncropped.split(image, part, shown)
        except MediaError as error:
            wrong = error.alone()
        if count == 1:
            image.close()  # frees the decoder's memory before the pixels are used
        elif apart:
            image._im = None  # it uses the frame's memory, which must not outlive the frame
        if shown is not None:
            identity = _identity(shown if coded is None else coded) if count > 1 else None
            if identity is None or previous is None or not np.array_equal(identity, previous):
                yield Frame(shown, time, part, outer=coded)
            previous, shown, coded = identity, None, None  # freed before the next is decoded
        if trouble is None or isinstance(wrong, ShortOfMemory):
            trouble = wrong
        if count == 1 or (wrong is not None and (not apart or part >= budget.most)):
            break
        time += _duration(image)
    if trouble is None:
        trouble = _silent_damage(image, data)
    if trouble is not None:
        raise trouble


def _identity(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the pixels themselves if they are few, else a digest, which is slower but small."""
    if frame.nbytes <= _FEW:
        return frame
    digest = hashlib.blake2b(repr(frame.shape).encode(), digest_size=32)
    for _, band in pixels.array_bands(frame):
        digest.update(np.ascontiguousarray(band).data)
    return np.frombuffer(digest.digest(), np.uint8)


def _frame_at(
    image: ImageFile.ImageFile, data: bytes, part: int, count: int, places: Sequence[int]
) -> ImageFile.ImageFile | None:
    """Return the image at frame number `part`, None after the last.

    A TIFF's page is opened anew, since Pillow finds none behind one that it cannot read. Raises
    MediaError if frames are missing.
    """
    if not part and not places:
        return image
    try:
        if places:
            return tiff.opened(data, places[part]) if part < count else None
        return at(image, data, part)
    except MediaError:
        raise
    except EOFError:
        if part < count and image.format != "GIF":
            raise MediaError("truncated", f"frame {part} of {count} is missing") from None
        return None
    except Exception as error:
        raise failure(error, data, f"frame {part} cannot be found") from None


def _silent_damage(image: Image.Image, data: bytes) -> MediaError | None:
    if _ends_early(image, data):
        return MediaError("truncated", f"{image.format}: the file ends before its frames do")
    if image.format == "PNG" and png.is_damaged(data):
        return MediaError("undecodable", f"{image.format}: its data and their checksums differ")
    if _has_more_frames(image, data):
        return MediaError("undecodable", f"{image.format}: it has more frames than can be read")
    if _has_more_pictures(image, data):
        what = "it holds a picture that its decoder does not return"
        return MediaError("unsupported", f"{image.format}: {what}")
    return None


def _has_more_frames(image: Image.Image, data: bytes) -> bool:
    if image.format == "PNG":
        return png.has_more_frames(data)
    return image.format == "WEBP" and headers.webp_frames(data) > getattr(image, "n_frames", 1)


def _has_more_pictures(image: Image.Image, data: bytes) -> bool:
    if image.format == "JPEG2000":
        return jpeg2000.has_more(data)
    if image.format == "PSD":
        return photoshop.lacks_composite(image)
    return image.format in _ITEMIZED and items.has_more(
        data, image.format, int(getattr(image, "n_frames", 1))
    )


def _ends_early(image: Image.Image, data: bytes) -> bool:
    """Return whether a file that declares no number of frames is cut between two of them."""
    if image.format == "GIF":
        return not headers.ended_gif(data)
    return image.format == "TIFF" and headers.cut_short(data)


def _duration(image: Image.Image) -> float:
    if image.format not in ANIMATED:
        return 0.0
    value = image.info.get("duration", 0)
    seconds = float(value) / 1000 if isinstance(value, (int, float)) else 0.0
    return seconds if seconds > 0 else _DEFAULT_S
