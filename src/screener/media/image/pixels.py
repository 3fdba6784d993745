"""The pixel pipeline: convert any Pillow image or array to upright 8-bit grey or RGB.

The steps, in this order: scale deep grey to 8 bits, convert palettes and other colour models to
RGB, composite alpha on white, apply the EXIF orientation. `docs/internals/pixels.md` specifies
them. Pictures are converted in bands of rows, which needs little additional memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from screener.errors import HashError
from screener.media.image.orientation import apply_orientation, read_orientation, undo_orientation
from screener.media.image.structure import photoshop, png, tiff

VERSION = 1
"""The version stored with every hash; it changes with any change of the resulting pixels."""

CHANNEL_COUNTS = (1, 3, 4)
"""Possible sizes of the third dimension of an array of pixels."""

Pixels = NDArray[np.uint8]
_BandReader = Callable[[], Iterator[tuple[slice, NDArray[Any]]]]


class Layers(NamedTuple):
    """A picture on white, (H, W) or (H, W, 3), and its luma and alpha as stored, (h, w, 2).

    `luma_alpha` is None if too little of the picture is clear for its ground to matter. Of a large
    picture it has every `find_step`-th row and column.
    """

    white: Pixels
    luma_alpha: Pixels | None = None

    def turn(self, orientation: int) -> Layers:
        """Return views that are upright by the EXIF orientation."""
        return Layers(*[apply_orientation(one, orientation) for one in self if one is not None])

    def turn_back(self, orientation: int) -> Layers:
        """Return views that are as stored from ones that are upright."""
        return Layers(*[undo_orientation(one, orientation) for one in self if one is not None])

    def crop(self, left: int, top: int, right: int, bottom: int) -> Layers:
        """Return views of a part."""
        steps = 1, find_step(math.prod(self.white.shape[:2]))
        return Layers(
            *[
                layer[top // step : -(-bottom // step), left // step : -(-right // step)]
                for layer, step in zip(self, steps, strict=True)
                if layer is not None
            ]
        )


_MAX_LUMA_ALPHA_PIXELS = 1 << 22  # so that they and what is made of them take little memory
_MIN_CLEAR_DIVISOR = 500  # alpha matters from a five-hundredth of the picture that is clear
_PIXELS_PER_BAND = 1 << 18  # fits into a processor's cache
_DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_INTEGER_SCALES = (255.0, 1023.0, 4095.0, 65535.0)
_FLOAT_SCALES = (1.0, 255.0, 65535.0)
_FORMAT_CORRECTIONS = (photoshop.mend, png.mend, tiff.mend)


def mend(image: Image.Image) -> None:
    """Correct how Pillow will read an image's pixels, before the image is loaded.

    Each format's module corrects its own images and ignores others.
    """
    for correct in _FORMAT_CORRECTIONS:
        correct(image)


def to_upright(
    image: Image.Image, memory: Pixels | None = None, orientation: int | None = None
) -> Layers:
    """Return the picture as a person sees it, as uint8.

    Parameters:
        image: It is loaded, and otherwise unchanged unless `memory` is passed.
        memory: As for `to_stored`.
        orientation: The EXIF orientation; None to read it from the image.

    Returns:
        (H, W) for grey, (H, W, 3) for colour, with any alpha. A turned picture is a strided view.

    Raises Pillow's errors if the image cannot be decoded.
    """
    mend(image)
    image.load()  # the orientation may follow the pixels
    orientation = read_orientation(image) if orientation is None else orientation
    return to_stored(image, memory).turn(orientation)


def to_stored(image: Image.Image, memory: Pixels | None = None) -> Layers:
    """Return the picture as `to_upright` does, but with its stored orientation.

    `memory` is a flat array that contains the image's pixels. The result is written to it if it
    fits, and the image is unusable afterwards.
    """
    image.load()
    if image.mode in _DEEP_MODES:
        dtype = np.uint32 if image.mode == "I" and tiff.is_unsigned(image) else None
        bands = partial(_read_values, image, dtype)
        grey = _scale_to_8_bits(bands, (image.height, image.width), _read_transparent_value(image))
        return Layers(np.subtract(255, grey, out=grey) if tiff.is_negative(image) else grey)
    if image.mode in ("L", "RGB") and not image.has_transparency_data:
        return Layers(_copy_pixels(image, memory))
    ignores_alpha = _is_all_transparent(image)
    converted = (
        (rows, _convert_band(band.convert(band.mode[:-1]) if ignores_alpha else band))
        for rows, band in split_image(image)
    )
    return _join_bands(converted, image.height, memory)


def find_step(size: int) -> int:
    """Return how many rows and columns of a picture of so many pixels make one of `luma_alpha`."""
    return math.isqrt((size - 1) // _MAX_LUMA_ALPHA_PIXELS) + 1


def _join_bands(
    bands: Iterable[tuple[slice, Pixels]], height: int, memory: Pixels | None
) -> Layers:
    """Return the picture that consists of bands of rows, each perhaps with alpha.

    It is written to `memory` if it fits.
    """
    white: Pixels | None = None
    clear_bands: list[tuple[int, Pixels]] = []
    for rows, band in bands:
        on_white = composite(band) if _has_alpha(band) else band
        if white is None:
            white = _allocate((height, *on_white.shape[1:]), memory)
        white[rows] = on_white
        if _has_alpha(band) and band[..., -1].min() < 255:
            step = find_step(height * band.shape[1])
            few = band[-rows.start % step :: step, ::step]
            luma_alpha = np.dstack((_to_luma(few[..., :-1]), few[..., -1]))
            clear_bands.append((-(-rows.start // step), luma_alpha))
    if white is None:
        raise ValueError("a picture without pixels")
    return Layers(white, _join_clear(white, clear_bands) if clear_bands else None)


def _join_clear(white: Pixels, clear_bands: Sequence[tuple[int, Pixels]]) -> Pixels | None:
    """Return the luma and alpha of a picture with these bands, or None if little is clear."""
    step = find_step(math.prod(white.shape[:2]))
    luma = _to_luma(white[::step, ::step])
    luma_alpha = np.dstack((luma, np.full_like(luma, 255)))
    for top, band in clear_bands:
        luma_alpha[top : top + len(band)] = band
    clear = 255 * luma.size - int(luma_alpha[..., 1].sum(dtype=np.int64))
    return luma_alpha if clear * _MIN_CLEAR_DIVISOR >= 255 * luma.size else None


def _has_alpha(band: Pixels) -> bool:
    return band.ndim == 3 and band.shape[2] in (2, 4)


def _to_luma(band: Pixels) -> Pixels:
    """Return (h, w) grey from grey or RGB, rounded as by Pillow."""
    if band.ndim == 3 and band.shape[2] == 3:
        return np.asarray(Image.fromarray(np.ascontiguousarray(band)).convert("L"))
    return band.reshape(band.shape[:2])


def _allocate(shape: tuple[int, ...], memory: Pixels | None) -> Pixels:
    """Return an array to be filled from its first row, in `memory` if it fits.

    `memory` may contain the picture: each band is read before it is overwritten.
    """
    size = math.prod(shape)
    if memory is None or memory.size < size:
        return np.empty(shape, np.uint8)
    return memory[:size].reshape(shape)


def _copy_pixels(image: Image.Image, memory: Pixels | None) -> Pixels:
    """Return the pixels of a grey or RGB image with one copy instead of three."""
    width, height, channels = *image.size, len(image.getbands())
    if memory is not None and channels == 1:
        return memory.reshape(height, width)
    pixels = _allocate((height, width) if channels == 1 else (height, width, channels), memory)
    for rows in _split_rows(width, height):
        encoder = Image._getencoder(image.mode, "raw", (image.mode,))
        encoder.setimage(image.im, (0, rows.start, width, rows.stop))
        _, _, band = encoder.encode((rows.stop - rows.start) * width * channels)
        pixels[rows] = np.frombuffer(band, np.uint8).reshape(pixels[rows].shape)
    return pixels


def check_array(array: NDArray[Any]) -> None:
    """Raise HashError if an array holds no pixels, as `from_array` describes them."""
    if isinstance(array, np.ma.MaskedArray):
        # It is unknown what a viewer would see in place of masked pixels.
        raise HashError("pixels must not be a masked array; fill or crop it")
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in CHANNEL_COUNTS)):
        raise HashError(
            f"pixels must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), not {array.shape}"
        )
    if 0 in array.shape:
        raise HashError(f"the array has no pixels: {array.shape}")
    kind, size = array.dtype.kind, array.dtype.itemsize
    if not (kind in "bf" or (kind == "u" and size <= 2)):
        raise HashError(f"pixels must be uint8, uint16, bool or float, not {array.dtype}")


def from_array(array: NDArray[Any]) -> Layers:
    """Return an array of pixels as 8-bit grey or RGB and alpha, uncopied if it is without alpha.

    The shape is (H, W), (H, W, 1), (H, W, 3) or (H, W, 4). The last has straight alpha, which is
    composited on white unless all of it is 0. The dtype is uint8, bool, uint16 or a float. Values
    other than uint8 are scaled as in deep grey files, with one scale for all channels. Raises
    HashError for any other array, and for a masked one.
    """
    check_array(array)
    array = np.asarray(array)  # a row of np.matrix would be a matrix
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    elif array.dtype != np.uint8:
        array = _scale_to_8_bits(lambda: split_array(array), array.shape, None)
    if array.ndim == 2 or array.shape[2] == 3:
        return Layers(array)
    if not any(band[..., 3].any() for _, band in split_array(array)):
        return Layers(array[..., :3])
    return _join_bands(split_array(array), len(array), None)


def _split_rows(width: int, height: int) -> Iterator[slice]:
    step = max(1, _PIXELS_PER_BAND // width)
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def split_image(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield the image in bands of rows, a small image without a copy."""
    for rows in _split_rows(*image.size):
        is_all = rows == slice(0, image.height)
        yield rows, image if is_all else image.crop((0, rows.start, image.width, rows.stop))


def _read_values(
    image: Image.Image, dtype: type[np.uint32] | None
) -> Iterator[tuple[slice, NDArray[Any]]]:
    for rows, band in split_image(image):
        yield rows, np.asarray(band).view(dtype) if dtype else np.asarray(band)


def split_array(array: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Yield views of an array in bands of rows that fit into a processor's cache."""
    for rows in _split_rows(array.shape[1], array.shape[0]):
        yield rows, array[rows]


def _is_all_transparent(image: Image.Image) -> bool:
    """Return whether all pixels have alpha 0.

    Programs without alpha write such files, and systems show such bitmaps and icons as opaque.
    """
    return image.mode in ("LA", "RGBA") and not any(
        band.getchannel("A").getextrema()[1] for _, band in split_image(image)
    )


def _convert_band(band: Image.Image) -> Pixels:
    """Return grey or RGB, with alpha if the band has any."""
    if band.has_transparency_data:
        try:
            grey = band.mode in ("1", "L", "LA", "La")
            return np.asarray(band.convert("LA" if grey else "RGBA"))
        except (ValueError, TypeError, OverflowError):
            # A transparent colour that the mode cannot have hides nothing.
            band = band.copy()
            band.info.pop("transparency", None)
    if band.mode in ("L", "RGB"):
        return np.asarray(band)
    return np.asarray(band.convert("L" if band.mode == "1" else "RGB"))


def composite(band: Pixels, ground: int = 255) -> Pixels:
    """Composite (h, w, 2) grey or (h, w, 4) RGB with straight alpha on white or another grey."""
    colour, alpha = band[..., :-1], band[..., -1:]
    if alpha.min() < 255:
        blended = colour.astype(np.uint16)
        blended *= alpha
        blended += ground * (255 - alpha.astype(np.uint16)) + 127
        blended //= 255
        colour = blended.astype(np.uint8)
    return colour[..., 0] if colour.shape[2] == 1 else colour


def _read_transparent_value(image: Image.Image) -> int | None:
    value = image.info.get("transparency")
    return value if isinstance(value, int) else None


def _scale_to_8_bits(bands: _BandReader, shape: tuple[int, ...], transparent: int | None) -> Pixels:
    """Return deep values scaled to 8 bits, never clipped; NaN is black, `transparent` is white."""
    low, factor = _find_scale(bands)
    pixels = np.empty(shape, np.uint8)
    for rows, band in bands():
        with np.errstate(all="ignore"):
            scaled_band = (band.astype(np.float64) - low) * factor
        scaled_band = np.nan_to_num(scaled_band, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
        pixels[rows] = np.rint(scaled_band, out=scaled_band)
        if transparent is not None:
            pixels[rows][band == transparent] = 255
    return pixels


def _find_scale(bands: _BandReader) -> tuple[float, float]:
    """Return (low, factor) such that (value - low) * factor is from 0 to 255.

    Files do not state which value is white. It is the smallest usual full scale that covers all
    values. If no scale fits (negative values, or floats below a sixteenth of it), the values are
    stretched from the lowest to the highest.
    """
    low, high, is_float = np.inf, -np.inf, False
    for _, band in bands():
        is_float = band.dtype.kind == "f"
        finite = band[np.isfinite(band)] if is_float else band
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:  # no value is finite
        return 0.0, 0.0
    scales = _FLOAT_SCALES if is_float else _INTEGER_SCALES
    white = next((scale for scale in scales if high <= scale), None)
    if low >= 0 and white is not None and (not is_float or white == 1.0 or high >= white / 16):
        return 0.0, 255.0 / white
    return low, 255.0 / (high - low) if high > low else 0.0
