"""The frames of a file in their sequence: pages, or those of an animation, each decoded once."""

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
from screener.media.image.uncropped import Uncropped

_APART = ("MPO", "TIFF")
"""Formats of which a frame is decoded without the one before."""

ANIMATED = ("AVIF", "GIF", "PNG", "WEBP")
"""Formats whose frames follow one another in time."""

_ITEMIZED = ("AVIF", "HEIF")
"""Formats whose pictures are items, of which a decoder may know some only."""

_USUAL_S = 0.1  # for which browsers show a frame that tells no time

_FEW = 4 << 20  # bytes of a frame that is kept to compare the next with


def count(image: ImageFile.ImageFile, data: bytes, limits: Limits) -> int:
    """Frames as declared; where a file declares none, counted up to one past the limit."""
    if image.format == "GIF":
        return headers.gif_frames(data, stop=limits.frames + 1)
    if image.format == "PSD":  # its frames are layers; what it shows is their composite
        return 1
    if image.format == "TIFF":
        return max(len(tiff.directories(data, stop=limits.frames + 1)), 1)
    try:
        return max(int(getattr(image, "n_frames", 1)), 1)
    except Exception as error:  # what a header says may be no number
        raise failure(error, data, "frames cannot be counted") from None


def frames(
    image: ImageFile.ImageFile, data: bytes, count: int, budget: FrameBudget
) -> Iterator[Frame]:
    """The frames of a file that declares so many, one that shows the same as the last left out.

    Raises MediaError after the last that could be decoded. One that is broken ends the walk only
    where the frames behind it hang on it.
    """
    apart = image.format in _APART
    places = tiff.directories(data, stop=count) if image.format == "TIFF" and count > 1 else []
    time, previous, uncropped = 0.0, None, Uncropped(image, data)
    trouble: MediaError | None = None
    for part in itertools.count():
        found, coded, wrong = None, None, None
        try:
            following = _frame_at(image, data, part, count, places)
            if following is None:
                break
            image = following
            budget.take(*uncropped.size(image, part))
            found, wrong = decoded(image, data, part=part, alone=count == 1 or apart)
            if found is not None:
                found, coded = uncropped.parted(image, part, found)
        except MediaError as error:
            wrong = error.alone()
        if count == 1:
            image.close()  # gives the decoder's memory back before anything is made of the pixels
        elif apart:
            image._im = None  # it stands on the memory of the frame, which is not to outlive it
        if found is not None:
            shown = _told(found if coded is None else coded) if count > 1 else None
            if shown is None or previous is None or not np.array_equal(shown, previous):
                yield Frame(found, time, part, outer=coded)
            previous, found, coded = shown, None, None  # not held while the next are decoded
        if trouble is None or isinstance(wrong, ShortOfMemory):
            trouble = wrong
        if count == 1 or (wrong is not None and (not apart or part >= budget.most)):
            break
        time += _duration(image)
    if trouble is None:
        trouble = _untold(image, data)
    if trouble is not None:
        raise trouble


def _told(found: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What tells a frame's pixels from others: themselves where they are few, else a digest, which
    takes longer and no memory.
    """
    if found.nbytes <= _FEW:
        return found
    made = hashlib.blake2b(repr(found.shape).encode(), digest_size=32)
    for _, band in pixels.array_bands(found):
        made.update(np.ascontiguousarray(band).data)
    return np.frombuffer(made.digest(), np.uint8)


def _frame_at(
    image: ImageFile.ImageFile, data: bytes, part: int, count: int, places: Sequence[int]
) -> ImageFile.ImageFile | None:
    """The image at its frame number `part`, None after the last; MediaError if some are missing.
    `places` are where the pages of a TIFF are, each of which is opened anew: Pillow finds none
    behind one that it cannot read.
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


def _untold(image: Image.Image, data: bytes) -> MediaError | None:
    """What is wrong with a file whose decoder has said nothing of it."""
    if _ends_early(image, data):
        return MediaError("truncated", f"{image.format}: the file ends before its frames do")
    if image.format == "PNG" and png.is_damaged(data):
        return MediaError("undecodable", f"{image.format}: its data and their checksums differ")
    if _has_more_frames(image, data):
        return MediaError("undecodable", f"{image.format}: it has more frames than can be read")
    if _has_more_pictures(image, data):
        what = "it holds a picture that its decoder does not give"
        return MediaError("unsupported", f"{image.format}: {what}")
    return None


def _has_more_frames(image: Image.Image, data: bytes) -> bool:
    """Whether frames of an animation are there that its decoder does not count."""
    if image.format == "PNG":
        return png.has_more_frames(data)
    return image.format == "WEBP" and headers.webp_frames(data) > getattr(image, "n_frames", 1)


def _has_more_pictures(image: Image.Image, data: bytes) -> bool:
    """Whether pictures are there beside those that the decoder gives."""
    if image.format == "JPEG2000":
        return jpeg2000.has_more(data)
    if image.format == "PSD":
        return photoshop.lacks_composite(image)
    return image.format in _ITEMIZED and items.has_more(
        data, image.format, int(getattr(image, "n_frames", 1))
    )


def _ends_early(image: Image.Image, data: bytes) -> bool:
    """Whether a file that does not declare its frames is cut where one of them ends, so that those
    behind it are not missed by their decoder.
    """
    if image.format == "GIF":
        return not headers.ended_gif(data)
    return image.format == "TIFF" and headers.cut_short(data)


def _duration(image: Image.Image) -> float:
    """Seconds that the current frame is shown."""
    if image.format not in ANIMATED:
        return 0.0
    value = image.info.get("duration", 0)
    told = float(value) / 1000 if isinstance(value, (int, float)) else 0.0
    return told if told > 0 else _USUAL_S
