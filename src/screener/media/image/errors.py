"""Turn errors of Pillow's plugins into MediaError, without their text: it may quote the file."""

from __future__ import annotations

import struct
from importlib import import_module

from PIL import Image, features

from screener.errors import MediaError, ShortOfMemory
from screener.media.files.sniff import HEIF, is_decodable, sniff
from screener.media.image.structure import headers
from screener.system.installation import make_missing_error

# Messages of the system if memory is too short for a library or for its data.
_OUT_OF_MEMORY_PHRASES = ("out of memory", "cannot allocate memory", "failed to map segment")

# Types that Pillow opens only if built with a feature.
_PILLOW_FEATURES = {"image/avif": "avif", "image/webp": "webp"}

# Bytes per pixel that a decoder needs in addition to a canvas. These decoders report a lack of
# memory as damage.
_BYTES_PER_PIXEL = {
    "image/jpeg": 8,
    "image/tiff": 5,
    "image/jp2": 16,
    "image/webp": 8,
    "image/avif": 12,
}
_BYTES_PER_PIXEL |= dict.fromkeys(HEIF, 5)

_VARIANT_DETAIL = "this variant is not decoded"
_TRUNCATED_PHRASES = (
    "truncated",
    "not enough image data",
    "cannot load this image",
    "no data found",
)
_UNSUPPORTED_PHRASES = (
    "unsupported",
    "not supported",
    "cannot handle",
    "not installed",
    "not available",
    "unknown pixel mode",
    "cannot read this xpm file",  # it names a colour
)


def as_media_error(
    error: BaseException, data: bytes, detail: str, size: tuple[int, int] = (0, 0)
) -> MediaError:
    """Return a plugin's error as a MediaError.

    `detail` names the failed step. `size` is the picture's width and height, if known. `data` is
    empty for a Pillow image that the caller passed.
    """
    sniffed = sniff(data)
    mime = sniffed or "the image"
    text = str(error).lower()
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return MediaError("too_large", f"{mime}: more pixels than Pillow's MAX_IMAGE_PIXELS allows")
    is_out_of_memory = any(phrase in text for phrase in _OUT_OF_MEMORY_PHRASES)
    if isinstance(error, MemoryError) or is_out_of_memory or _lacks_memory(mime, data, size):
        return ShortOfMemory(f"{mime}: not enough memory to decode it")
    if isinstance(error, Warning):
        return MediaError("undecodable", f"{mime}: Pillow warns, and warnings are errors here")
    cause = error.__cause__ or error
    if (
        isinstance(cause, (EOFError, struct.error, IndexError))
        or any(phrase in text for phrase in _TRUNCATED_PHRASES)
        or headers.is_cut_short(data)
    ):
        return MediaError("truncated", f"{mime}: the data ends too early")
    # Pillow opens a few unsupported types with the wrong plugin, which then fails.
    is_mistaken = sniffed is not None and not is_decodable(sniffed)
    if (
        is_mistaken
        or isinstance(error, NotImplementedError)
        or any(phrase in text for phrase in _UNSUPPORTED_PHRASES)
    ):
        return MediaError("unsupported", f"{mime}: {_VARIANT_DETAIL}")
    if not data:
        detail += "; pass a Pillow image while it is open, or load it first"
    return MediaError("undecodable", f"{mime}: {detail} ({type(error).__name__})")


def create_unidentified_error(
    data: bytes, cause: BaseException | None, refused_format: str | None
) -> MediaError:
    """Return the error for a file that no plugin opened.

    `cause` is the error of a plugin that should have opened it. `refused_format` is the name of a
    format that is not decoded.
    """
    mime = sniff(data)
    if refused_format is not None:
        return MediaError("unsupported", f"{mime or refused_format} is not decoded")
    if mime in HEIF:
        return make_missing_error("heif", mime)
    if mime in _PILLOW_FEATURES and not features.check(_PILLOW_FEATURES[mime]):
        if _import_lacks_memory(f"PIL._{_PILLOW_FEATURES[mime]}"):
            return ShortOfMemory(f"{mime}: not enough memory to load its decoder")
        detail = "this Pillow was built without it; its wheels have it"
        return MediaError("unsupported", f"{mime}: {detail}")
    if mime == "image/vnd.adobe.photoshop" and not _is_photoshop_of_8_bits(data):
        return MediaError("unsupported", f"{mime}: {_VARIANT_DETAIL}")
    if is_decodable(mime):
        return as_media_error(
            cause or SyntaxError("no plugin accepts it"), data, "cannot be opened"
        )
    if data.startswith(b"PAR1"):
        detail = "this is a Parquet file: to screen its rows, name the column of their bytes"
        return MediaError("unsupported", f"{detail} (--column NAME)")
    return MediaError("unsupported", f"{mime or 'content of no known type'} is not decoded")


def _lacks_memory(mime: str, data: bytes, size: tuple[int, int]) -> bool:
    """Return whether there is too little memory for decoding."""
    if headers.is_cut_short(data):
        return False
    width, height = size if any(size) else headers.find_largest_size(data)
    try:
        bytearray(_BYTES_PER_PIXEL.get(mime, 0) * width * height)  # reserves address space only
    except MemoryError:
        return True
    return False


def _import_lacks_memory(module: str) -> bool:
    try:
        import_module(module)
    except ImportError as error:
        return any(word in str(error).lower() for word in _OUT_OF_MEMORY_PHRASES)
    return False


def _is_photoshop_of_8_bits(data: bytes) -> bool:
    """Return whether a Photoshop file has version 1 and at most 8 bits per sample."""
    version, depth = data[4:6], data[22:24]
    return version == b"\0\1" and (len(data) < 26 or depth in (b"\0\1", b"\0\x08"))
