"""Open files with Pillow's plugins, and load their frames.

Plugins are called directly, since `Image.open` applies a limit of the whole process and may warn.
Neither the program's Pillow nor its warnings are changed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from PIL import IcoImagePlugin, Image, ImageFile

from screener.errors import MediaError, ShortOfMemory
from screener.media.files.sniff import HEIF, sniff
from screener.media.image.errors import as_media_error, create_unidentified_error
from screener.media.image.pixels import Layers
from screener.media.image.plugins import direct
from screener.media.image.plugins.apng import Png
from screener.media.image.plugins.gif import Gif
from screener.media.image.plugins.webp import Webp
from screener.media.image.structure import icons, png, tiff
from screener.media.image.structure.strict import make_strict

# Formats that run other programs, open files inside the file, or unpack without a limit. Stubs,
# which have no decoder, are recognised by their class.
_REFUSED_FORMATS = frozenset({"EPS", "FITS", "IPTC", "MPEG"})

# Formats that nobody uploads; `sniff` names those that have a signature.
_IGNORED_FORMATS = frozenset({"DCX", "PCX", "SUN", "TGA", "XBM"})

_OWN_PLUGINS: dict[str, Callable[..., ImageFile.ImageFile]] = {
    "GIF": Gif,
    "PNG": Png,
    "WEBP": Webp,
}
"""Plugins that replace Pillow's own."""

# Loaded at import: Pillow lists a plugin while another thread may still be importing it.
Image.preinit()
_PRELOADED_FORMATS = tuple(Image.OPEN)

# The JPEG decoder gets all bytes at once. Pillow's 64 KiB would end within a scan, and a scan with
# arithmetic coding cannot be interrupted.
_MAX_DECODER_BLOCK = 1 << 40


def open_image(data: bytes) -> ImageFile.ImageFile:
    """Open a picture's bytes, reading headers only.

    If a PNG is animated, or Pillow refuses it, only the chunks that affect the picture are read.
    Raises MediaError if the picture cannot be opened.
    """
    if png.is_animated(data):
        return _open(png.strip(data) or data)
    try:
        return _open(data)
    except ShortOfMemory:
        raise
    except MediaError:
        stripped = png.strip(data)
        if stripped is None:
            raise
    return _open(stripped)


def _open(data: bytes) -> ImageFile.ImageFile:
    mime = sniff(data)
    if mime in HEIF and (image := _open_heif(data)) is not None:
        return image
    if mime == "image/tiff":
        return _open_tiff(data)
    if mime == "image/x-icon" and (image := _open_icon(data)) is not None:
        return image
    cause: BaseException | None = None
    refused: str | None = None
    try:
        for name in _list_formats():
            if name in _IGNORED_FORMATS:
                continue
            factory, accept = Image.OPEN[name]
            factory = _OWN_PLUGINS.get(name, factory)
            try:
                verdict = accept is None or accept(data[:16])
                # The verdict is a string if Pillow was built without this format.
                if not verdict or isinstance(verdict, str):
                    continue
                if _is_refused(name, factory):
                    if accept is not None:  # without a signature, any file would be refused
                        refused = name
                    continue
                return make_strict(_check_sides(factory(BytesIO(data), "")))
            except (SyntaxError, IndexError, TypeError, struct.error) as error:
                # This is how a plugin declines a file.
                if accept is not None and cause is None:
                    cause = error
            except Exception as error:
                raise as_media_error(error, data, "cannot be opened") from None
        raise create_unidentified_error(data, cause, refused)
    finally:
        cause = None  # its traceback refers to this frame, and so to the file


def _check_sides(image: ImageFile.ImageFile) -> ImageFile.ImageFile:
    """Return the image; raise ValueError if its sides are no integers, as IM allows."""
    width, height = image.size
    for side in (width, height):
        if not isinstance(side, int):
            raise ValueError("no whole number of pixels")
    return image


def _open_tiff(data: bytes) -> ImageFile.ImageFile:
    """Open the first page that can be opened; a broken page hides no other."""
    try:
        return tiff.open_first_page(data)
    except MediaError:
        raise
    except Exception as error:
        raise as_media_error(error, data, "cannot be opened") from None


def _open_icon(data: bytes) -> ImageFile.ImageFile | None:
    try:
        return make_strict(IcoImagePlugin.IcoImageFile(BytesIO(icons.with_true_depths(data)), ""))
    except Exception:
        return None


def _open_heif(data: bytes) -> ImageFile.ImageFile | None:
    try:
        from screener.media.image.plugins import heif
    except ImportError:
        return None
    try:
        return heif.open_image(data)
    except Exception as error:
        raise as_media_error(error, data, "cannot be opened") from None


def decode_directly(image: ImageFile.ImageFile, data: bytes, number: int) -> Layers | None:
    """Return the upright pixels of a HEIF, AVIF or still WebP without Pillow's copies.

    Return None if only the image can be decoded. Raises the decoder's errors.
    """
    if image.format == "AVIF":
        return direct.decode_avif(image, number)
    if image.format == "WEBP":
        return direct.decode_webp(image, data)
    if image.format != "HEIF":
        return None
    try:
        from screener.media.image.plugins import heif
    except ImportError:  # the program registered its own plugin
        return None
    return heif.decode(data, number)


def load(image: ImageFile.ImageFile) -> None:
    """Decode the current frame. Raises the plugin's errors."""
    limit = Image.MAX_IMAGE_PIXELS
    if image.format == "TIFF" and limit is not None and image.width * image.height > limit:
        # TIFF allocates late and would apply the process's limit; our limit was checked before.
        size = getattr(image, "_tile_size", image.size)
        if getattr(image, "_im", None) is None:
            image.im = Image.new(image.mode, size).im
    if image.format in ("JPEG", "MPO"):
        image.decodermaxblock = _MAX_DECODER_BLOCK
    if image.format == "PNG":
        image.decoderconfig = ()  # Pillow extends it with each interlaced frame
    image.load()


def salvage(image: ImageFile.ImageFile) -> Image.Image | None:
    """Return an image with the rows that were decoded before the decoder failed, or None.

    Raises MemoryError if memory is too short.
    """
    tile, image.tile = image.tile, []
    try:
        if image.format == "GIF":  # composes the decoded part of a later frame
            image.load_end()
        ImageFile.ImageFile.load(image)
        # A plain image on the same memory; a plugin's image would try to decode again.
        return image._new(image.im)
    except MemoryError:
        raise
    except Exception:
        return None
    finally:
        image.tile = tile


def is_luma_first(image: ImageFile.ImageFile) -> bool:
    """Return whether a JPEG's first component is luma at full resolution.

    The decoder may then skip the colours. Return False for CMYK, YCCK, RGB-coded and grey files.
    """
    layers: list[tuple[int, int, int, int]] = getattr(image, "layer", [])
    if image.mode != "RGB" or len(layers) != 3:
        return False
    ids = tuple(layer[0] for layer in layers)
    adobe_transform = image.info.get("adobe_transform")
    if "jfif" not in image.info and (adobe_transform == 0 or ids == (ord("R"), ord("G"), ord("B"))):
        return False
    return all(layers[0][axis] >= layer[axis] for axis in (1, 2) for layer in layers)


def _list_formats() -> Iterator[str]:
    yield from _PRELOADED_FORMATS
    Image.init()  # waits for plugins that another thread is importing
    yield from [name for name in tuple(Image.OPEN) if name not in _PRELOADED_FORMATS]


def _is_refused(name: str, factory: Callable[..., Any]) -> bool:
    stub = isinstance(factory, type) and issubclass(factory, ImageFile.StubImageFile)
    return stub or name in _REFUSED_FORMATS
