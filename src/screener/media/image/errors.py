"""Errors of Pillow's plugins as MediaError, in our words: Pillow's may quote the file."""

from __future__ import annotations

import struct
from importlib import import_module

from PIL import Image, features

from screener.errors import MediaError, ShortOfMemory
from screener.media.files.sniff import HEIF, decodable, sniff
from screener.media.image.structure import headers
from screener.system.installation import make_missing_error

# The system's messages if a library, or its memory, does not fit the process.
_NO_ROOM = ("out of memory", "cannot allocate memory", "failed to map segment")

# Types that Pillow opens only if built with a feature.
_IN_PILLOW = {"image/avif": "avif", "image/webp": "webp"}

# Bytes a pixel, beside a canvas, of decoders that do not report a lack of memory.
_ROOM = {"image/jpeg": 8, "image/tiff": 5, "image/jp2": 16, "image/webp": 8, "image/avif": 12}
_ROOM |= dict.fromkeys(HEIF, 5)

_VARIANT = "this variant is not decoded"
_SHORT = ("truncated", "not enough image data", "cannot load this image", "no data found")
_NOT_OURS = (
    "unsupported",
    "not supported",
    "cannot handle",
    "not installed",
    "not available",
    "unknown pixel mode",
    "cannot read this xpm file",  # it names a colour
)


def failure(
    error: BaseException, data: bytes, what: str, size: tuple[int, int] = (0, 0)
) -> MediaError:
    """Return a plugin's error as a MediaError with the fitting reason.

    `what` failed; `size` is the picture's width and height if known. `data` are empty for a Pillow
    image of the caller's.
    """
    known = sniff(data)
    mime = known or "the image"
    text = str(error).lower()
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return MediaError("too_large", f"{mime}: more pixels than Pillow's MAX_IMAGE_PIXELS allows")
    no_room = any(word in text for word in _NO_ROOM)
    if isinstance(error, MemoryError) or no_room or _starved(mime, data, size):
        return ShortOfMemory(f"{mime}: not enough memory to decode it")
    if isinstance(error, Warning):
        return MediaError("undecodable", f"{mime}: Pillow warns, and warnings are errors here")
    cause = error.__cause__ or error
    if (
        isinstance(cause, (EOFError, struct.error, IndexError))
        or any(word in text for word in _SHORT)
        or headers.cut_short(data)
    ):
        return MediaError("truncated", f"{mime}: the data ends too early")
    # Pillow mistakes a few types for others, which then fail.
    mistaken = known is not None and not decodable(known)
    if (
        mistaken
        or isinstance(error, NotImplementedError)
        or any(word in text for word in _NOT_OURS)
    ):
        return MediaError("unsupported", f"{mime}: {_VARIANT}")
    if not data:  # an image of the caller's
        what += "; pass a Pillow image while it is open, or load it first"
    return MediaError("undecodable", f"{mime}: {what} ({type(error).__name__})")


def unidentified(data: bytes, cause: BaseException | None, refused: str | None) -> MediaError:
    """Return the error for a file that no plugin opened.

    `cause` is the error of a plugin that should have, `refused` the name of a format that is not
    tried.
    """
    mime = sniff(data)
    if refused is not None:
        return MediaError("unsupported", f"{mime or refused} is not decoded")
    if mime in HEIF:
        return make_missing_error("heif", mime)
    if mime in _IN_PILLOW and not features.check(_IN_PILLOW[mime]):
        if _has_no_room(f"PIL._{_IN_PILLOW[mime]}"):
            return ShortOfMemory(f"{mime}: not enough memory to load its decoder")
        what = "this Pillow was built without it; its wheels have it"
        return MediaError("unsupported", f"{mime}: {what}")
    if mime == "image/vnd.adobe.photoshop" and not _is_photoshop_of_8_bits(data):
        return MediaError("unsupported", f"{mime}: {_VARIANT}")
    if decodable(mime):
        return failure(cause or SyntaxError(), data, "cannot be opened")
    return MediaError("unsupported", f"{mime or 'content of no known type'} is not decoded")


def _starved(mime: str, data: bytes, size: tuple[int, int]) -> bool:
    """Return whether memory is too short for decoding, which many decoders report as damage."""
    if headers.cut_short(data):
        return False
    width, height = size if any(size) else headers.largest(data)
    try:
        bytearray(_ROOM.get(mime, 0) * width * height)  # the system gives no pages yet
    except MemoryError:
        return True
    return False


def _has_no_room(module: str) -> bool:
    try:
        import_module(module)
    except ImportError as error:
        return any(word in str(error).lower() for word in _NO_ROOM)
    return False


def _is_photoshop_of_8_bits(data: bytes) -> bool:
    """Return whether a Photoshop file is of version 1 and of at most 8 bits a sample."""
    version, depth = data[4:6], data[22:24]
    return version == b"\0\1" and (len(data) < 26 or depth in (b"\0\1", b"\0\x08"))
