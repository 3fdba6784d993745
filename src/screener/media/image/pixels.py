"""The pixel pipeline: any Pillow image or array becomes upright 8-bit grey or RGB.

In this order: deep grey scaled to 8 bits, palettes and other colour models turned into RGB, alpha
composited on white, EXIF orientation applied. `docs/internals/pixels.md` specifies it. Work is done
in bands of rows, so that little memory is needed beside the picture and the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from screener.errors import HashError
from screener.media.image.orientation import apply_orientation, read_orientation
from screener.media.image.structure import photoshop, png, tiff

VERSION = 1
"""The version stored with every hash; it changes when any pixel comes out differently."""

CHANNELS = (1, 3, 4)
"""Sizes that the third dimension of an array of pixels may have."""

Pixels = NDArray[np.uint8]
_Bands = Callable[[], Iterator[tuple[slice, NDArray[Any]]]]

_BAND = 1 << 18  # pixels in a band, which fits a processor's cache
_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_INTEGER_SCALES = (255.0, 1023.0, 4095.0, 65535.0)
_FLOAT_SCALES = (1.0, 255.0, 65535.0)
_MENDS = (photoshop.mend, png.mend, tiff.mend)


def mend(image: Image.Image) -> None:
    """Correct what Pillow would read otherwise than stored, in an image that is not loaded yet.

    Each format's module corrects its own images and ignores others.
    """
    for of_format in _MENDS:
        of_format(image)


def upright(image: Image.Image, memory: Pixels | None = None, turn: int | None = None) -> Pixels:
    """Return the picture as a person sees it: (H, W) uint8 for grey, (H, W, 3) for colour.

    The result is the caller's own; if it was turned it is a strided view. `image` is loaded but not
    otherwise changed, unless `memory` is passed, as to `stored`. `turn` is its EXIF orientation if
    known. Raises what Pillow raises if it cannot be decoded.
    """
    mend(image)
    image.load()  # an orientation may stand behind the pixels
    turn = read_orientation(image) if turn is None else turn
    return apply_orientation(stored(image, memory), turn)


def stored(image: Image.Image, memory: Pixels | None = None) -> Pixels:
    """Return what `upright` does, before the EXIF orientation is applied.

    `memory`, if passed, is ours and holds the image's pixels, flat. The result is made in it if it
    fits, and the image is unusable afterwards.
    """
    image.load()
    if image.mode in _DEEP:
        kind = np.uint32 if image.mode == "I" and tiff.is_unsigned(image) else None
        bands = partial(_value_bands, image, kind)
        grey = _scaled(bands, (image.height, image.width), _clear(image))
        return np.subtract(255, grey, out=grey) if tiff.is_negative(image) else grey
    if image.mode in ("L", "RGB") and not image.has_transparency_data:
        return _copied(image, memory)
    bare = _is_all_clear(image)
    pixels: Pixels | None = None
    for rows, band in image_bands(image):
        part = _eight_bit(band.convert(band.mode[:-1]) if bare else band)
        if pixels is None:
            pixels = _room((image.height, *part.shape[1:]), memory)
        pixels[rows] = part
    if pixels is None:
        raise ValueError("a picture without pixels")
    return pixels


def _room(shape: tuple[int, ...], memory: Pixels | None) -> Pixels:
    """Return an array to be filled from its first row on, in the picture's own memory if it fits.

    A band's pixels are read before they are overwritten.
    """
    size = math.prod(shape)
    if memory is None or memory.size < size:
        return np.empty(shape, np.uint8)
    return memory[:size].reshape(shape)


def _copied(image: Image.Image, memory: Pixels | None) -> Pixels:
    """Return the pixels of a grey or RGB image with one copy; bands would take three."""
    width, height, channels = *image.size, len(image.getbands())
    if memory is not None and channels == 1:
        return memory.reshape(height, width)
    pixels = _room((height, width) if channels == 1 else (height, width, channels), memory)
    for rows in _rows(width, height):
        encoder = Image._getencoder(image.mode, "raw", (image.mode,))
        encoder.setimage(image.im, (0, rows.start, width, rows.stop))
        _, _, band = encoder.encode((rows.stop - rows.start) * width * channels)
        pixels[rows] = np.frombuffer(band, np.uint8).reshape(pixels[rows].shape)
    return pixels


def check_array(array: NDArray[Any]) -> None:
    """Raise HashError if an array holds no pixels, as `from_array` describes them."""
    if isinstance(array, np.ma.MaskedArray):
        # Nobody knows what is seen in place of masked pixels.
        raise HashError("pixels must not be a masked array; fill or crop it")
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in CHANNELS)):
        raise HashError(
            f"pixels must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), not {array.shape}"
        )
    if 0 in array.shape:
        raise HashError(f"the array has no pixels: {array.shape}")
    kind, size = array.dtype.kind, array.dtype.itemsize
    if not (kind in "bf" or (kind == "u" and size <= 2)):
        raise HashError(f"pixels must be uint8, uint16, bool or float, not {array.dtype}")


def from_array(array: NDArray[Any]) -> Pixels:
    """Return an array of pixels as 8-bit grey or RGB; uint8 grey and RGB are not copied.

    Shapes are (H, W), (H, W, 1), (H, W, 3) and (H, W, 4), the last with straight alpha, which is
    composited on white unless all of it is 0. dtype is uint8, bool, uint16 or a float, scaled as
    deep grey files are, with one scale for all channels. Raises HashError for anything else, and
    for a masked array.
    """
    check_array(array)
    array = np.asarray(array)  # a row of a matrix would be another matrix
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    elif array.dtype != np.uint8:
        array = _scaled(lambda: array_bands(array), array.shape, None)
    if array.ndim == 2 or array.shape[2] == 3:
        return array
    if not any(band[..., 3].any() for _, band in array_bands(array)):
        return array[..., :3]
    pixels = np.empty((*array.shape[:2], 3), np.uint8)
    for rows, band in array_bands(array):
        pixels[rows] = on_white(band)
    return pixels


def _rows(width: int, height: int) -> Iterator[slice]:
    step = max(1, _BAND // width)
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def image_bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield the image in bands of rows; a small one as it is, without a copy."""
    for rows in _rows(*image.size):
        is_all = rows == slice(0, image.height)
        yield rows, image if is_all else image.crop((0, rows.start, image.width, rows.stop))


def _value_bands(
    image: Image.Image, kind: type[np.uint32] | None
) -> Iterator[tuple[slice, NDArray[Any]]]:
    for rows, band in image_bands(image):
        yield rows, np.asarray(band).view(kind) if kind else np.asarray(band)


def array_bands(array: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Yield views of an array of pixels in bands of rows that fit a processor's cache."""
    for rows in _rows(array.shape[1], array.shape[0]):
        yield rows, array[rows]


def _is_all_clear(image: Image.Image) -> bool:
    """Return whether alpha would hide all pixels.

    Programs without alpha write it so, and systems show such bitmaps and icons as if they had none.
    """
    return image.mode in ("LA", "RGBA") and not any(
        band.getchannel("A").getextrema()[1] for _, band in image_bands(image)
    )


def _eight_bit(band: Image.Image) -> Pixels:
    if band.has_transparency_data:
        try:
            grey = band.mode in ("1", "L", "LA", "La")
            return on_white(np.asarray(band.convert("LA" if grey else "RGBA")))
        except (ValueError, TypeError, OverflowError):
            # A transparent colour that the picture cannot have hides nothing.
            band = band.copy()
            band.info.pop("transparency", None)
    if band.mode in ("L", "RGB"):
        return np.asarray(band)
    return np.asarray(band.convert("L" if band.mode == "1" else "RGB"))


def on_white(band: Pixels, white: int = 255) -> Pixels:
    """Composite (h, w, 2) grey or (h, w, 4) RGB with straight alpha on white, rounded."""
    colour, alpha = band[..., :-1], band[..., -1:]
    if alpha.min() < 255:
        wide = colour.astype(np.uint16)
        wide *= alpha
        wide += white * (255 - alpha.astype(np.uint16)) + 127
        wide //= 255
        colour = wide.astype(np.uint8)
    return colour[..., 0] if colour.shape[2] == 1 else colour


def _clear(image: Image.Image) -> int | None:
    value = image.info.get("transparency")
    return value if isinstance(value, int) else None


def _scaled(bands: _Bands, shape: tuple[int, ...], clear: int | None) -> Pixels:
    """Return deep values scaled to 8 bits, never clipped; NaN is black, `clear` is white."""
    low, factor = _scale(bands)
    pixels = np.empty(shape, np.uint8)
    for rows, band in bands():
        with np.errstate(all="ignore"):
            wide = (band.astype(np.float64) - low) * factor
        wide = np.nan_to_num(wide, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
        pixels[rows] = np.rint(wide, out=wide)
        if clear is not None:
            pixels[rows][band == clear] = 255
    return pixels


def _scale(bands: _Bands) -> tuple[float, float]:
    """Return (low, factor) with which (value - low) * factor runs from 0 to 255.

    Files do not state which value is white. It is the smallest usual full scale that covers all
    values. If there is none (negative values, or floats that use less than a sixteenth of theirs),
    the values are stretched from least to greatest.
    """
    low, high, floating = np.inf, -np.inf, False
    for _, band in bands():
        floating = band.dtype.kind == "f"
        finite = band[np.isfinite(band)] if floating else band
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:  # not one finite value
        return 0.0, 0.0
    scales = _FLOAT_SCALES if floating else _INTEGER_SCALES
    white = next((scale for scale in scales if high <= scale), None)
    if low >= 0 and white is not None and (not floating or white == 1.0 or high >= white / 16):
        return 0.0, 255.0 / white
    return low, 255.0 / (high - low) if high > low else 0.0
