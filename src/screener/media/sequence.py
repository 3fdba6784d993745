"""The frames of a file in their sequence: pages, or those of an animation, each decoded once."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from screener.errors import MediaError
from screener.media import decoder, headers, pixels
from screener.media.decoded import at, decoded
from screener.media.limits import Limits, check_pixels
from screener.media.picture import Frame

_FRAMES_FACTOR = 4
"""All frames of one file together may have this many times the pixels of one picture."""

_APART = ("MPO", "TIFF")
"""Formats of which a frame is decoded without the one before."""

_FEW = 4 << 20  # bytes of a frame that is kept to compare the next with


def count(image: ImageFile.ImageFile, data: bytes, limits: Limits) -> int:
    """Frames as declared; where a file declares none, counted up to one past the limit."""
    if image.format == "GIF":
        return headers.gif_frames(data, stop=limits.frames + 1)
    if image.format == "PSD":  # its frames are layers; what it shows is their composite
        return 1
    if image.format != "TIFF":
        return max(int(getattr(image, "n_frames", 1)), 1)
    count = 1
    try:
        while count <= limits.frames:
            image.seek(count)
            count += 1
    except MemoryError as error:
        raise decoder.failure(error, data, "pages cannot be counted") from None
    except Exception:
        # The end, or a page that is broken: decoding will come to it and say so.
        pass
    return count


def frames(image: ImageFile.ImageFile, data: bytes, count: int, limits: Limits) -> Iterator[Frame]:
    """The frames of a file that declares so many, one that shows the same as the last left out.

    Raises MediaError after the last that could be decoded.
    """
    budget, time, previous = limits.pixels * _FRAMES_FACTOR, 0.0, None
    for part in itertools.count():
        if part:
            following = _following(image, data, part, count)
            if following is None:
                return
            image = following
        if part >= limits.frames:
            raise MediaError("too_large", f"more than {limits.frames} frames")
        check_pixels(image.width, image.height, limits)
        budget -= image.width * image.height
        if budget < 0:
            raise MediaError("too_large", f"all frames together: over {limits.pixels} x 4 pixels")
        alone = count == 1 or image.format in _APART
        found, trouble = decoded(image, data, part=part, alone=alone)
        if count == 1:
            image.close()  # gives the decoder's memory back before anything is made of the pixels
        elif alone:
            image._im = None  # it stands on the memory of the frame, which is not to outlive it
        if found is not None:
            shown = _told(found) if count > 1 else None
            if shown is None or previous is None or not np.array_equal(shown, previous):
                yield Frame(found, time, part)
            previous, found = shown, None  # not held while the next are decoded
        if trouble is not None:
            raise trouble
        if count == 1:
            return
        time += _duration(image)


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


def _following(
    image: ImageFile.ImageFile, data: bytes, part: int, count: int
) -> ImageFile.ImageFile | None:
    """The image at its frame number `part`, None after the last; MediaError if some are missing."""
    try:
        return at(image, data, part)
    except EOFError:
        if part < count and image.format not in ("GIF", "TIFF"):
            raise MediaError("truncated", f"frame {part} of {count} is missing") from None
        return None
    except Exception as error:
        raise decoder.failure(error, data, f"frame {part} cannot be found") from None


def _duration(image: Image.Image) -> float:
    """Seconds that the current frame is shown."""
    value = image.info.get("duration", 0)
    return max(float(value), 0.0) / 1000 if isinstance(value, (int, float)) else 0.0
