"""The use of Pillow: opening a file with one of its plugins, and loading its frames.

Plugins are called directly, since `Image.open` applies a limit of the whole process and may warn.
Nothing here changes the program's Pillow or its warnings.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from PIL import IcoImagePlugin, Image, ImageFile

from screener.errors import MediaError, ShortOfMemory
from screener.media.files.sniff import HEIF, sniff
from screener.media.image.errors import failure, unidentified
from screener.media.image.pixels import Pixels
from screener.media.image.plugins import direct
from screener.media.image.plugins.apng import Png
from screener.media.image.plugins.gif import Gif
from screener.media.image.plugins.webp import Webp
from screener.media.image.structure import icons, png, tiff
from screener.media.image.structure.strict import strict

# Formats that run other programs, or open inner files or unpack without a limit. Stubs, which have
# no decoder, are recognised by their class.
_REFUSED = frozenset({"EPS", "FITS", "IPTC", "MPEG"})

# Formats that nobody uploads; `sniff` names those that have a signature.
_NOT_DECODED = frozenset({"DCX", "PCX", "SUN", "TGA", "XBM"})

_OURS: dict[str, Callable[..., ImageFile.ImageFile]] = {
    "GIF": Gif,
    "PNG": Png,
    "WEBP": Webp,
}
"""Plugins that replace Pillow's own."""

# Loaded with this module: Pillow lists a plugin while its import still runs, perhaps in another
# thread.
Image.preinit()
_LOADED = tuple(Image.OPEN)

# Bytes that the JPEG decoder gets at once, all of the file. Pillow's 64 KiB would end within a scan
# with arithmetic coding, which cannot be interrupted.
_AT_ONCE = 1 << 40


def open_image(data: bytes) -> ImageFile.ImageFile:
    """Open a picture's bytes, reading headers only. Raises MediaError.

    Of a PNG that Pillow refuses, or an animated one, only the chunks that make its pixels are read.
    """
    if png.is_animated(data):
        return _opened(png.bare(data) or data)
    try:
        return _opened(data)
    except ShortOfMemory:
        raise
    except MediaError:
        bare = png.bare(data)
        if bare is None:
            raise
    return _opened(bare)


def _opened(data: bytes) -> ImageFile.ImageFile:
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
        for name in _formats():
            if name in _NOT_DECODED:
                continue
            factory, accept = Image.OPEN[name]
            factory = _OURS.get(name, factory)
            try:
                verdict = accept is None or accept(data[:16])
                if not verdict or isinstance(verdict, str):  # a text: built without this format
                    continue
                if _is_refused(name, factory):
                    if accept is not None:  # without a signature, anything would be of this format
                        refused = name
                    continue
                return strict(_of_a_size(factory(BytesIO(data), "")))
            except (SyntaxError, IndexError, TypeError, struct.error) as error:
                # This is how a plugin declines a file.
                if accept is not None and cause is None:
                    cause = error
            except Exception as error:
                raise failure(error, data, "cannot be opened") from None
        raise unidentified(data, cause, refused)
    finally:
        cause = None  # its traceback holds this frame, and with it the file


def _of_a_size(image: ImageFile.ImageFile) -> ImageFile.ImageFile:
    """Return the image; raise ValueError if its sides are no integers, as in a header of IM."""
    width, height = image.size
    for side in (width, height):
        if not isinstance(side, int):
            raise ValueError("no whole number of pixels")
    return image


def _open_tiff(data: bytes) -> ImageFile.ImageFile:
    """Open the first page that can be opened; a broken one hides no other."""
    try:
        return tiff.first_opened(data)
    except MediaError:
        raise
    except Exception as error:
        raise failure(error, data, "cannot be opened") from None


def _open_icon(data: bytes) -> ImageFile.ImageFile | None:
    try:
        return strict(IcoImagePlugin.IcoImageFile(BytesIO(icons.as_icon(data)), ""))
    except Exception:
        return None


def _open_heif(data: bytes) -> ImageFile.ImageFile | None:
    try:
        from screener.media.image.plugins import heif
    except ImportError:
        return None
    try:
        return heif.opened(data)
    except Exception as error:
        raise failure(error, data, "cannot be opened") from None


def direct_pixels(image: ImageFile.ImageFile, data: bytes, number: int) -> Pixels | None:
    """Return the upright pixels of a HEIF, an AVIF or a still WebP without Pillow's copies of them.

    Return None if only the image can give them. Raises what the decoder raises.
    """
    if image.format == "AVIF":
        return direct.avif(image, number)
    if image.format == "WEBP":
        return direct.webp(image, data)
    if image.format != "HEIF":
        return None
    try:
        from screener.media.image.plugins import heif
    except ImportError:  # the image is of a plugin that the program registered
        return None
    return heif.decoded(data, number)


def load(image: ImageFile.ImageFile) -> None:
    """Decode the current frame. Raises what the plugin raises."""
    limit = Image.MAX_IMAGE_PIXELS
    if image.format == "TIFF" and limit is not None and image.width * image.height > limit:
        # TIFF allocates late and would apply the process's limit; ours has been checked.
        size = getattr(image, "_tile_size", image.size)
        if getattr(image, "_im", None) is None:
            image.im = Image.new(image.mode, size).im
    if image.format in ("JPEG", "MPO"):
        image.decodermaxblock = _AT_ONCE
    if image.format == "PNG":
        image.decoderconfig = ()  # Pillow adds to it with each frame of an interlaced one
    image.load()


def remains(image: ImageFile.ImageFile) -> Image.Image | None:
    """Return what was decoded of a frame before its decoder failed, None if nothing was.

    Raises MemoryError.
    """
    tile, image.tile = image.tile, []
    try:
        if image.format == "GIF":  # puts the part of a later frame onto the one before
            image.load_end()
        ImageFile.ImageFile.load(image)
        # An image without a plugin on the same memory: plugins would try to decode again.
        return image._new(image.im)
    except MemoryError:
        raise
    except Exception:
        return None
    finally:
        image.tile = tile


def luma_only(image: ImageFile.ImageFile) -> bool:
    """Return whether a JPEG's first component is luma at full resolution, as in nearly all files.

    The decoder may then skip the colours. False for CMYK, YCCK, RGB-coded and grey files.
    """
    layers: list[tuple[int, int, int, int]] = getattr(image, "layer", [])
    if image.mode != "RGB" or len(layers) != 3:
        return False
    ids = tuple(layer[0] for layer in layers)
    coded = image.info.get("adobe_transform")
    if "jfif" not in image.info and (coded == 0 or ids == (ord("R"), ord("G"), ord("B"))):
        return False
    return all(layers[0][axis] >= layer[axis] for axis in (1, 2) for layer in layers)


def _formats() -> Iterator[str]:
    yield from _LOADED
    Image.init()  # waits for plugins that another thread is importing
    yield from [name for name in tuple(Image.OPEN) if name not in _LOADED]


def _is_refused(name: str, factory: Callable[..., Any]) -> bool:
    stub = isinstance(factory, type) and issubclass(factory, ImageFile.StubImageFile)
    return stub or name in _REFUSED
