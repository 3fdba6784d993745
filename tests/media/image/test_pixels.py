"""The pixel pipeline: a picture in every mode, depth, alpha and orientation becomes one array."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import PIL
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from picture_bytes import saved
from PIL import Image
from png_chunks import chunk, png_of

from screener.errors import HashError, MediaError
from screener.media.image import open_image as media
from screener.media.image import pixels
from screener.media.image.orientation import apply_orientation

Pixels = NDArray[np.uint8]

# EXIF 2.3, tag Orientation: on which visual side the stored row 0 and column 0 lie.
SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def drawn() -> Pixels:
    """A picture without symmetry, of few colours, smooth enough for JPEG: 40 high, 56 wide."""
    rows, columns = np.mgrid[0:40, 0:56]
    picture = np.stack(
        [rows // 8 * 40, columns // 8 * 30, (rows // 8 + columns // 8) * 15], axis=-1
    )
    picture[8:24, 32:48] = (255, 255, 255)
    picture[24:40, 0:16] = (0, 0, 0)
    return picture.astype(np.uint8)


def drawn_grey() -> Pixels:
    """The same in grey, from black to white."""
    return drawn()[..., 1].copy()


def alpha() -> Pixels:
    """An alpha channel from clear to opaque."""
    return (np.mgrid[0:40, 0:56][1] // 4 * 19).clip(0, 255).astype(np.uint8)


def on_white(colour: Pixels, opacity: Pixels) -> Pixels:
    """The oracle for compositing, in floats."""
    share = opacity.astype(float) / 255
    share = share[..., None] if colour.ndim == 3 else share
    return np.rint(colour * share + 255 * (1 - share)).astype(np.uint8)


def laid_down(upright: Pixels, orientation: int) -> Pixels:
    """The array that a file of that orientation stores for what should be seen upright."""
    first_row, first_column = SIDES[orientation]
    height, width = upright.shape[:2]
    turned = first_row in ("left", "right")
    out = np.empty((width, height, *upright.shape[2:]) if turned else upright.shape, np.uint8)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            at = {first_row: row, first_column: column}
            y = at["top"] if "top" in at else height - 1 - at["bottom"]
            x = at["left"] if "left" in at else width - 1 - at["right"]
            out[row, column] = upright[y, x]
    return out


def seen(source: bytes | Image.Image) -> Pixels:
    """The one frame that comes out of the pipeline; layers beside it are reported."""
    frames: list[Any] = []
    with suppress(MediaError):  # raised behind the frame
        frames.extend(media.open(source).frames())
    (frame,) = frames
    assert frame.part == 0
    assert frame.time == 0.0
    assert frame.pixels.dtype == np.uint8
    return frame.pixels


def far(found: Pixels, wanted: Pixels) -> int:
    """The greatest difference of any pixel, grey counting as RGB of three equal channels."""
    if found.ndim != wanted.ndim:
        found, wanted = (a[..., None] if a.ndim == 2 else a for a in (found, wanted))
    return int(np.abs(found.astype(int) - wanted.astype(int)).max())


def palette_of(picture: Pixels) -> Image.Image:
    """The picture as an exact palette image."""
    image = Image.fromarray(picture).convert("P", palette=Image.Palette.ADAPTIVE, colors=256)
    assert np.array_equal(np.asarray(image.convert("RGB")), picture)
    return image


RGB, GREY = Image.fromarray(drawn()), Image.fromarray(drawn_grey())
DEEP = Image.fromarray(drawn_grey().astype(np.uint16) * 257)
# The two bytes of a value differ, so that taking them in the wrong order shows.
UNEVEN = drawn_grey().astype(np.uint16) * 256 + 17
DEEP_BIG = Image.frombytes("I;16B", (56, 40), UNEVEN.astype(">u2").tobytes())
DEEP_LITTLE = Image.frombytes("I;16L", (56, 40), UNEVEN.astype("<u2").tobytes())
BITS = Image.fromarray(drawn_grey() > 100)
BITS_SEEN = np.where(drawn_grey() > 100, 255, 0).astype(np.uint8)
BITS_ROWS = np.packbits(BITS_SEEN == 0, axis=1)  # as Photoshop writes them, of which 0 is white
PLANES = list(np.moveaxis(drawn(), -1, 0))
PROFILE_ROUNDING = 12  # lossy or roundabout colour models: JPEG, CMYK, YCbCr, LAB, HSV

CONTAINERS: dict[str, tuple[Callable[[], bytes | Image.Image], Pixels, int]] = {
    "png rgb": (lambda: saved(RGB, "PNG"), drawn(), 0),
    "png grey": (lambda: saved(GREY, "PNG"), drawn_grey(), 0),
    "png palette": (lambda: saved(palette_of(drawn()), "PNG"), drawn(), 0),
    "png 1 bit": (lambda: saved(BITS, "PNG"), BITS_SEEN, 0),
    "png 16 bit": (lambda: saved(DEEP, "PNG"), drawn_grey(), 0),
    "png opaque rgba": (lambda: saved(RGB.convert("RGBA"), "PNG"), drawn(), 0),
    "png opaque la": (lambda: saved(GREY.convert("LA"), "PNG"), drawn_grey(), 0),
    "gif": (lambda: saved(palette_of(drawn()), "GIF"), drawn(), 0),
    "gif grey": (lambda: saved(GREY, "GIF"), drawn_grey(), 0),
    "bmp rgb": (lambda: saved(RGB, "BMP"), drawn(), 0),
    "bmp palette": (lambda: saved(palette_of(drawn()), "BMP"), drawn(), 0),
    "bmp 1 bit": (lambda: saved(BITS, "BMP"), BITS_SEEN, 0),
    "tiff rgb": (lambda: saved(RGB, "TIFF"), drawn(), 0),
    "tiff lzw": (lambda: saved(RGB, "TIFF", compression="tiff_lzw"), drawn(), 0),
    "tiff grey": (lambda: saved(GREY, "TIFF"), drawn_grey(), 0),
    "tiff palette": (lambda: saved(palette_of(drawn()), "TIFF"), drawn(), 0),
    "tiff palette of 8 bits": (lambda: _tiff_of_a_small_palette(), drawn(), 0),
    "psd 1 bit": (lambda: _photoshop([BITS_ROWS], 0, bits=1), BITS_SEEN, 0),
    "psd 1 bit, packed": (lambda: _photoshop([BITS_ROWS], 0, bits=1, packed=True), BITS_SEEN, 0),
    "psd rgb": (lambda: _photoshop(PLANES, 3), drawn(), 0),
    "psd rgb, packed": (lambda: _photoshop(PLANES, 3, packed=True), drawn(), 0),
    "psd rgb and a selection": (lambda: _photoshop([*PLANES, alpha()], 3), drawn(), 0),
    "psd rgb and a selection, layers": (
        lambda: _photoshop([*PLANES, alpha()], 3, layers=200, packed=True),
        drawn(),
        0,
    ),
    "psd rgb and two selections, packed": (
        lambda: _photoshop([*PLANES, alpha(), alpha()], 3, packed=True),
        drawn(),
        0,
    ),
    "psd grey and a selection, packed": (
        lambda: _photoshop([drawn_grey(), alpha()], 1, packed=True),
        drawn_grey(),
        0,
    ),
    "tiff 1 bit": (lambda: saved(BITS, "TIFF", compression="group4"), BITS_SEEN, 0),
    "tiff 16 bit": (lambda: saved(DEEP, "TIFF"), drawn_grey(), 0),
    "tiff 16 bit big": (lambda: saved(DEEP_BIG, "TIFF"), drawn_grey(), 1),
    "tiff 32 bit": (lambda: saved(DEEP.convert("I"), "TIFF"), drawn_grey(), 0),
    "tiff float 0 to 1": (
        lambda: saved(Image.fromarray(drawn_grey().astype(np.float32) / 255), "TIFF"),
        drawn_grey(),
        0,
    ),
    "tiff float 0 to 255": (lambda: saved(GREY.convert("F"), "TIFF"), drawn_grey(), 0),
    "tiff cmyk": (lambda: saved(RGB.convert("CMYK"), "TIFF"), drawn(), PROFILE_ROUNDING),
    "tiff ycbcr": (lambda: saved(RGB.convert("YCbCr"), "TIFF"), drawn(), PROFILE_ROUNDING),
    "tiff lab": (lambda: saved(RGB.convert("LAB"), "TIFF"), drawn(), PROFILE_ROUNDING),
    "webp lossless": (lambda: saved(RGB, "WEBP", lossless=True), drawn(), 0),
    "ppm": (lambda: saved(RGB, "PPM"), drawn(), 0),
    "pgm 16 bit": (lambda: saved(DEEP.convert("I"), "PPM"), drawn_grey(), 0),
    "pbm": (lambda: saved(BITS, "PPM"), BITS_SEEN, 0),
    "sgi": (lambda: saved(RGB, "SGI"), drawn(), 0),
    "dds": (lambda: saved(RGB, "DDS"), drawn(), 0),
    "ico": (lambda: saved(RGB, "ICO", sizes=[(56, 40)]), drawn(), 0),
    "jpeg 2000": (lambda: saved(RGB, "JPEG2000"), drawn(), 0),
    "jpeg": (lambda: saved(GREY.convert("RGB"), "JPEG", quality=100), drawn_grey(), 4),
    "jpeg grey": (lambda: saved(GREY, "JPEG", quality=100), drawn_grey(), 4),
    "jpeg progressive": (
        lambda: saved(GREY.convert("RGB"), "JPEG", quality=100, progressive=True),
        drawn_grey(),
        4,
    ),
    "jpeg rgb-coded": (
        lambda: saved(RGB, "JPEG", quality=100, keep_rgb=True),
        drawn(),
        PROFILE_ROUNDING,
    ),
    "jpeg cmyk": (
        lambda: saved(RGB.convert("CMYK"), "JPEG", quality=100),
        drawn(),
        PROFILE_ROUNDING,
    ),
    "avif": (
        lambda: saved(RGB, "AVIF", quality=100, subsampling="4:4:4"),
        drawn(),
        PROFILE_ROUNDING,
    ),
    "pillow rgb": (lambda: RGB, drawn(), 0),
    "pillow rgbx": (lambda: RGB.convert("RGBX"), drawn(), 0),
    "pillow hsv": (lambda: RGB.convert("HSV"), drawn(), PROFILE_ROUNDING),
    "pillow 16 bit little": (lambda: DEEP_LITTLE, drawn_grey(), 1),
}


@pytest.mark.parametrize("case", CONTAINERS)
def test_one_picture_in_every_container_comes_out_equal(case: str) -> None:
    """Lossless files give exactly the drawn array; lossy or roundabout ones lie close to it."""
    if case == "tiff ycbcr" and int(PIL.__version__.split(".")[0]) < 13:
        pytest.skip("older Pillows cannot read the YCbCr TIFF that they write")
    make, wanted, allowed = CONTAINERS[case]
    found = seen(make())
    assert found.shape[:2] == wanted.shape[:2]
    assert far(found, wanted) <= allowed


def test_colour_jpeg_gives_its_luma() -> None:
    """An ordinary colour JPEG is decoded to grey: the luma of what was drawn."""
    found = seen(saved(RGB, "JPEG", quality=100, subsampling=0))
    luma = drawn().astype(float) @ [0.299, 0.587, 0.114]
    assert found.ndim == 2
    assert np.abs(found - luma).max() <= 4


def _tiff_of_a_small_palette() -> bytes:
    """Return a TIFF whose palette has entries of 8 bits instead of 16."""
    image = palette_of(drawn())
    data = saved(image, "TIFF")
    levels = np.zeros((3, 256), "<u2")
    entries = np.reshape(image.getpalette(), (-1, 3)).T
    levels[:, : entries.shape[1]] = entries
    wide, small = (levels * 256).astype("<u2").tobytes(), levels.tobytes()
    assert wide in data
    return data.replace(wide, small)


def _photoshop(
    planes: list[Pixels], mode: int, *, bits: int = 8, packed: bool = False, layers: int = 0
) -> bytes:
    """A file of Photoshop's with these channels; of so many layers, of which there is nothing but
    their count, which is negative where the first channel beyond the colours is transparency.
    """
    section = struct.pack(">Ihxx", 4, layers) if layers else b""
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, len(planes), 40, 56, bits, mode) + bytes(8)
    head += struct.pack(">I", len(section)) + section
    if not packed:
        return head + bytes(2) + b"".join(plane.tobytes() for plane in planes)
    lines = [bytes([len(row) - 1]) + row.tobytes() for plane in planes for row in plane]
    return head + struct.pack(f">H{len(lines)}H", 1, *map(len, lines)) + b"".join(lines)


def _with(image: Image.Image, transparency: object) -> Image.Image:
    image = image.copy()
    image.info["transparency"] = transparency
    return image


def _rgba() -> Image.Image:
    return Image.fromarray(np.dstack([drawn(), alpha()]))


def _la() -> Image.Image:
    return Image.merge("LA", (Image.fromarray(drawn_grey()), Image.fromarray(alpha())))


def _cut_out(picture: Pixels, value: object) -> Pixels:
    """The picture with every pixel of that value white."""
    hit = np.all(picture == value, axis=-1) if picture.ndim == 3 else picture == value
    out = picture.copy()
    out[hit] = 255
    return out


def _palette_alpha() -> tuple[Image.Image, Pixels]:
    """A palette whose entries are more or less opaque, and what is seen of it."""
    image = palette_of(drawn())
    opacity = bytes((index * 37) % 256 for index in range(256))
    index = np.asarray(image)
    return _with(image, opacity), on_white(drawn(), np.frombuffer(opacity, np.uint8)[index])


def _clear_entry() -> tuple[Image.Image, Pixels]:
    """A palette with one clear entry, and what is seen of it."""
    image = palette_of(drawn())
    entry = int(np.asarray(image)[9, 9])
    return _with(image, entry), _cut_out(drawn(), drawn()[9, 9])


SEEN_RGBA, SEEN_LA = on_white(drawn(), alpha()), on_white(drawn_grey(), alpha())
ALPHA: dict[str, tuple[Callable[[], bytes | Image.Image], Pixels, int]] = {
    "png rgba": (lambda: saved(_rgba(), "PNG"), SEEN_RGBA, 0),
    "png la": (lambda: saved(_la(), "PNG"), SEEN_LA, 0),
    "tiff rgba": (lambda: saved(_rgba(), "TIFF"), SEEN_RGBA, 0),
    "tiff la": (lambda: saved(_la(), "TIFF"), SEEN_LA, 0),
    "webp rgba": (lambda: saved(_rgba(), "WEBP", lossless=True, exact=True), SEEN_RGBA, 0),
    "jpeg 2000 rgba": (lambda: saved(_rgba(), "JPEG2000"), SEEN_RGBA, 0),
    "png palette tRNS": (lambda: saved(_palette_alpha()[0], "PNG"), _palette_alpha()[1], 0),
    "gif clear entry": (lambda: saved(_clear_entry()[0], "GIF"), _clear_entry()[1], 0),
    "png grey tRNS": (
        lambda: saved(GREY, "PNG", transparency=90),
        _cut_out(drawn_grey(), 90),
        0,
    ),
    "png rgb tRNS": (
        lambda: saved(RGB, "PNG", transparency=(0, 0, 0)),
        _cut_out(drawn(), (0, 0, 0)),
        0,
    ),
    "png 1 bit tRNS": (
        lambda: saved(BITS, "PNG", transparency=0),
        np.full_like(BITS_SEEN, 255),
        0,
    ),
    "png 16 bit tRNS": (
        lambda: saved(DEEP, "PNG", transparency=90 * 257),
        _cut_out(drawn_grey(), 90),
        0,
    ),
    "psd rgba": (lambda: _photoshop([*PLANES, alpha()], 3, layers=-1), SEEN_RGBA, 0),
    "psd rgba, packed": (
        lambda: _photoshop([*PLANES, alpha()], 3, layers=-2, packed=True),
        SEEN_RGBA,
        0,
    ),
    "png 16 bit rgb tRNS": (
        lambda: _deep_png(clear=drawn()[9, 9].astype(int) * 256 + 17),
        _cut_out(drawn(), drawn()[9, 9]),
        0,
    ),
    "png 16 bit rgb tRNS, dark": (
        lambda: _deep_png(clear=drawn()[9, 9]),  # which is black to eight bits
        _cut_out(drawn(), (0, 0, 0)),
        0,
    ),
    "pillow RGBa": (lambda: _rgba().convert("RGBa"), SEEN_RGBA, 2),
    "pillow La": (lambda: _la().convert("La"), SEEN_LA, 2),
    "pillow PA": (lambda: _pa(), SEEN_RGBA, 0),
    "pillow palette rgba": (lambda: _rgba_palette(), SEEN_RGBA, 0),
    "png rgba, all clear": (lambda: saved(_clear(RGB), "PNG"), drawn(), 0),
    "png la, all clear": (lambda: saved(_clear(GREY), "PNG"), drawn_grey(), 0),
    "webp, all clear": (
        lambda: saved(_clear(RGB), "WEBP", lossless=True, exact=True),
        drawn(),
        0,
    ),
}


def _deep_png(*, clear: Pixels) -> bytes:
    """A PNG of 16 bits a channel in which a colour of as many is clear."""
    rows = (drawn().astype(int) * 256 + 17).astype(">u2")  # its bytes differ, as those of UNEVEN
    return png_of(
        chunk(b"IHDR", struct.pack(">IIBBBBB", 56, 40, 16, 2, 0, 0, 0)),
        chunk(b"tRNS", struct.pack(">HHH", *map(int, clear))),
        chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))),
    )


def _clear(image: Image.Image) -> Image.Image:
    """The picture with an alpha that is nothing but 0, as some programs leave it."""
    image = image.copy()
    image.putalpha(0)
    return image


def _pa() -> Image.Image:
    """A palette image with an alpha channel of its own."""
    image = palette_of(drawn()).convert("PA")
    image.putalpha(Image.fromarray(alpha()))
    assert image.mode == "PA"
    return image


def _rgba_palette() -> Image.Image:
    """A palette of RGBA entries: 40 by 56 pixels, at most 256 colours by the drawing."""
    flat = np.dstack([drawn(), alpha()]).reshape(-1, 4)
    colours, index = np.unique(flat, axis=0, return_inverse=True)
    image = Image.frombytes("P", (56, 40), index.astype(np.uint8).tobytes())
    image.putpalette(colours.tobytes(), "RGBA")
    return image


@pytest.mark.parametrize("case", ALPHA)
def test_alpha_is_composited_on_white(case: str) -> None:
    """Whatever declares transparency, the picture is seen on white. An alpha that hides all is
    none.
    """
    make, wanted, allowed = ALPHA[case]
    found = seen(make())
    assert far(found, wanted) <= allowed


@pytest.mark.parametrize("orientation", SIDES)
@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "TIFF lzw", "JPEG", "AVIF"])
@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
def test_every_exif_orientation_comes_out_upright(
    format: str, orientation: int, grey: bool
) -> None:
    """A picture stored turned or mirrored is seen upright, and `media` has its upright size."""
    upright = drawn_grey() if grey else drawn()
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = {"exif": exif}
    if format == "WEBP":
        options["lossless"] = True
    elif format == "TIFF lzw":
        options["compression"] = "tiff_lzw"
    elif format in ("JPEG", "AVIF"):
        options.update(quality=100, subsampling="4:4:4")
    stored = Image.fromarray(laid_down(upright, orientation))
    data = saved(stored, format.split()[0], **options)
    picture = media.open(data)
    assert (picture.media.width, picture.media.height) == (56, 40)
    (frame,) = picture.frames()
    if format == "JPEG" and not grey:
        upright = np.rint(upright.astype(float) @ [0.299, 0.587, 0.114]).astype(np.uint8)
    lossy = format in ("JPEG", "AVIF")
    assert far(frame.pixels, upright) <= (PROFILE_ROUNDING if lossy else 0)


@pytest.mark.parametrize("orientation", SIDES)
def test_turning_copies_nothing(orientation: int) -> None:
    """Turning gives a view of the stored pixels, equal to what is seen upright."""
    stored = laid_down(drawn(), orientation)
    turned = apply_orientation(stored, orientation)
    assert np.shares_memory(turned, stored)
    assert np.array_equal(turned, drawn())


@pytest.mark.parametrize("case", ["png rgb", "png 16 bit", "tiff lab", "png palette"])
def test_bands_do_not_show(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large picture, worked on in bands of rows, equals a small one worked on whole."""
    whole = seen(CONTAINERS[case][0]())
    for band in (1, 56 * 7, 56 * 40):
        monkeypatch.setattr(pixels, "_PIXELS_PER_BAND", band)
        assert np.array_equal(seen(CONTAINERS[case][0]()), whole)


def test_alpha_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bands do not show where there is alpha either, opaque bands beside clear ones."""
    monkeypatch.setattr(pixels, "_PIXELS_PER_BAND", 56 * 3)
    for case in ("png rgba", "png la", "png palette tRNS", "png 16 bit tRNS", "png rgb tRNS"):
        assert far(seen(ALPHA[case][0]()), ALPHA[case][1]) == 0


def test_a_given_image_is_left_as_it_was() -> None:
    """A Pillow image of the caller keeps its mode, size, pixels and info."""
    image = Image.open(io.BytesIO(saved(RGB, "JPEG", quality=90)))
    twin = Image.open(io.BytesIO(saved(RGB, "JPEG", quality=90)))
    found = seen(image)
    assert found.ndim == 3, "never drafted to grey"
    assert (image.mode, image.size, image.info) == (twin.mode, twin.size, twin.info)
    assert np.array_equal(np.asarray(image), np.asarray(twin))


def test_a_transparent_colour_that_cannot_be_is_ignored() -> None:
    """Nonsense in the transparency entry hides nothing and stops nothing."""
    assert np.array_equal(seen(_with(RGB, "nonsense")), drawn())
    assert np.array_equal(seen(_with(GREY, b"\0\1")), drawn_grey())


def test_broken_metadata_does_not_stop_a_picture() -> None:
    """EXIF that cannot be parsed, or an orientation out of range, leaves the picture as stored."""
    for exif in (b"Exif\0\0garbage garbage", b"Exif\0\0II*\0\xff\xff\xff\xff"):
        assert np.array_equal(seen(saved(RGB, "PNG", exif=exif)), drawn())
    strange = Image.Exif()
    strange[0x0112] = 99
    assert np.array_equal(seen(saved(RGB, "PNG", exif=strange)), drawn())


def test_arrays_of_every_dtype() -> None:
    """uint8, uint16, bool and floats, grey and colour, give the array that was drawn."""
    for picture in (drawn(), drawn_grey(), drawn_grey()[..., None]):
        wanted = picture[..., 0] if picture.shape[-1] == 1 else picture
        for given_ in (
            picture,
            picture.astype(np.uint16) * 257,
            (picture.astype(np.uint16) * 257).astype(">u2"),
            picture.astype(np.float16),
            picture.astype(np.float32) / 255,
            picture.astype(np.float64) / 255,
        ):
            assert np.array_equal(pixels.from_array(given_).white, wanted), given_.dtype
    assert np.array_equal(pixels.from_array(drawn_grey() > 100).white, BITS_SEEN)
    rgba = np.dstack([drawn(), alpha()])
    assert np.array_equal(pixels.from_array(rgba).white, SEEN_RGBA)
    assert np.array_equal(pixels.from_array(rgba / np.float32(255)).white, SEEN_RGBA)


def test_an_array_of_a_class_of_its_own_is_its_pixels() -> None:
    """Slices of a matrix are matrices, which the search for bars cannot use."""
    grey = drawn_grey()
    for given_ in (grey.view(np.matrix), grey.view(np.recarray)):
        found = pixels.from_array(given_).white
        assert type(found) is np.ndarray
        assert np.shares_memory(found, grey)
        assert np.array_equal(found, grey)


def test_plain_arrays_are_not_copied() -> None:
    """uint8 grey and RGB pass through as views, strided ones too."""
    picture = np.zeros((20, 30, 3), np.uint8)
    for view in (picture, picture[::2, ::-1], picture[..., 0]):
        assert np.shares_memory(pixels.from_array(view).white, picture)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(9, np.uint8),
        np.zeros((3, 3, 2), np.uint8),
        np.zeros((3, 3, 5), np.uint8),
        np.zeros((2, 3, 3, 3), np.uint8),
        np.zeros((0, 3), np.uint8),
        np.zeros((3, 0, 3), np.uint8),
        np.zeros((3, 3), np.int8),
        np.zeros((3, 3), np.int64),
        np.zeros((3, 3), np.uint32),
        np.zeros((3, 3), np.complex64),
        np.zeros((3, 3), object),
        np.ma.zeros((3, 3), np.uint8),
        np.ma.zeros((3, 3), np.float32),
    ],
    ids=lambda array: f"{type(array).__name__}-{array.dtype}{array.shape}",
)
def test_other_arrays_are_the_callers_mistake(array: NDArray[np.generic]) -> None:
    """A shape or dtype that is not pixels raises HashError."""
    with pytest.raises(HashError):
        media.open(array)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0, 65535, 32768], [0, 255, 128]),
        ([0, 255, 128], [0, 255, 128]),
        ([0, 1023, 512], [0, 255, 128]),
        ([0, 4095, 2048], [0, 255, 128]),
        ([0, 4096, 65535], [0, 16, 255]),
        ([7, 7, 7], [7, 7, 7]),
    ],
)
def test_the_scale_of_deep_integers(values: list[int], wanted: list[int]) -> None:
    """White is the top of the smallest of 8, 10, 12 and 16 bits that covers every value."""
    assert pixels.from_array(np.array([values], np.uint16)).white.tolist() == [wanted]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 0.25, 0.5], [0, 64, 128]),
        ([0.0, 0.02, 0.04], [0, 5, 10]),
        ([0.0, 128.0, 255.0], [0, 128, 255]),
        ([0.0, 4.0, 8.0], [0, 128, 255]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([0.0, 32768.0, 65535.0], [0, 128, 255]),
        ([0.0, 5e5, 1e6], [0, 128, 255]),
        ([np.nan, 1.0, 0.5], [0, 255, 128]),
        ([np.inf, -np.inf, 1.0], [255, 0, 255]),
        ([np.nan, np.nan, np.inf], [0, 0, 0]),
        ([-3.0, -3.0, -3.0], [0, 0, 0]),
        ([-1e308, 0.0, 1e308], [0, 0, 0]),
    ],
)
def test_the_scale_of_floats(values: list[float], wanted: list[int]) -> None:
    """0 to 1, 0 to 255 and 0 to 65535 are known; anything else is stretched; NaN is black."""
    assert pixels.from_array(np.array([values])).white.tolist() == [wanted]


@given(
    hnp.arrays(
        st.sampled_from([np.uint16, np.float32, np.float64]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=8),
        elements=None,
    )
)
def test_scaling_keeps_order_and_never_clips(array: NDArray[np.generic]) -> None:
    """A brighter value is never darker after scaling, and no range collapses at its top."""
    found = pixels.from_array(array).white
    flat = array.reshape(-1).astype(np.float64)
    finite = np.isfinite(flat)
    ordered = found.reshape(-1)[finite][np.argsort(flat[finite], kind="stable")]
    assert (np.diff(ordered.astype(int)) >= 0).all()
    if array.dtype == np.uint16:
        white = next(top for top in (255, 1023, 4095, 65535) if flat.max() <= top)
        assert np.abs(found.reshape(-1) - flat * 255 / white).max() <= 0.5 + 1e-9


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(4))),
)
def test_compositing_is_exact(array: Pixels) -> None:
    """Integers equal the rounded real-valued formula. If nothing would be seen, the colours are."""
    colour, opacity = array[..., :3], array[..., 3]
    wanted = on_white(colour, opacity) if opacity.any() else colour
    assert np.abs(pixels.from_array(array).white.astype(int) - wanted.astype(int)).max() == 0
