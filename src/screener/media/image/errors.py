"""What went wrong with a picture: what a plugin of Pillow's threw, and that none took it, as a
MediaError in our words.

No text repeats what Pillow said, since that may quote the file.
"""

from __future__ import annotations

import struct
from importlib import import_module

from PIL import Image, features

from screener.errors import MediaError, ShortOfMemory
from screener.media.files.sniff import HEIF, decodable, sniff
from screener.media.image.structure import headers
from screener.system.installation import unsupported_without

# What the system says where a library, or memory for its own, does not fit the process any more.
_NO_ROOM = ("out of memory", "cannot allocate memory", "failed to map segment")

# What Pillow opens where it was built so, by the name of the feature.
_IN_PILLOW = {"image/avif": "avif", "image/webp": "webp"}

# What decoders that do not say that they lack memory may take beside a canvas, in bytes a pixel.
_ROOM = {"image/jpeg": 8, "image/tiff": 5, "image/jp2": 16, "image/webp": 8, "image/avif": 12}
_ROOM |= dict.fromkeys(HEIF, 5)

_SHORT = ("truncated", "not enough image data", "cannot load this image", "no data found")
_NOT_OURS = (
    "unsupported",
    "not supported",
    "cannot handle",
    "not installed",
    "not available",
    "unknown pixel mode",
    "unknown pcx mode",
    "cannot read this xpm file",  # one that tells a colour by its name
)


def failure(
    error: BaseException, data: bytes, what: str, size: tuple[int, int] = (0, 0)
) -> MediaError:
    """What a plugin threw, as a MediaError with the reason that fits; `size` is the picture's width
    and height where they are known. There are no `data` of a Pillow image.
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
    # Pillow takes a few types for others, which fail then.
    taken = known is not None and not decodable(known)
    if taken or isinstance(error, NotImplementedError) or any(word in text for word in _NOT_OURS):
        return MediaError("unsupported", f"{mime}: of a variant that cannot be decoded")
    if not data:  # an image of the caller's
        what += "; a Pillow image is given while it is open, or loaded"
    return MediaError("undecodable", f"{mime}: {what} ({type(error).__name__})")


def unidentified(data: bytes, cause: BaseException | None, refused: str | None) -> MediaError:
    """That no plugin took a file: `cause` is what one threw that should have, `refused` the name of
    a format that is not asked.
    """
    mime = sniff(data)
    if refused is not None:
        return MediaError("unsupported", f"{mime or refused} is not decoded")
    if mime in HEIF:
        return unsupported_without("heif", mime)
    if mime in _IN_PILLOW and not features.check(_IN_PILLOW[mime]):
        if _has_no_room(f"PIL._{_IN_PILLOW[mime]}"):
            return ShortOfMemory(f"{mime}: not enough memory to load its decoder")
        what = "this Pillow was built without it; its wheels have it"
        return MediaError("unsupported", f"{mime}: {what}")
    if mime == "image/vnd.adobe.photoshop" and not _is_photoshop_of_8_bits(data):
        return MediaError("unsupported", f"{mime}: of a variant that cannot be decoded")
    if decodable(mime):
        return failure(cause or SyntaxError(), data, "cannot be opened")
    return MediaError("unsupported", f"{mime or 'content of no known type'} is not decoded")


def _starved(mime: str, data: bytes, size: tuple[int, int]) -> bool:
    """Whether there is less room than decoding takes: of that, many decoders say what they say of a
    broken file.
    """
    if headers.cut_short(data):
        return False
    width, height = size if any(size) else headers.largest(data)
    try:
        bytearray(_ROOM.get(mime, 0) * width * height)  # the system gives no pages yet
    except MemoryError:
        return True
    return False


def _has_no_room(module: str) -> bool:
    """Whether a library is there, and the memory to load it is not."""
    try:
        import_module(module)
    except ImportError as error:
        return any(word in str(error).lower() for word in _NO_ROOM)
    return False


def _is_photoshop_of_8_bits(data: bytes) -> bool:
    """Whether a Photoshop file is of the first version, which a large one is not, and of samples of
    so many bits at most.
    """
    version, depth = data[4:6], data[22:24]
    return version == b"\0\1" and (len(data) < 26 or depth in (b"\0\1", b"\0\x08"))
