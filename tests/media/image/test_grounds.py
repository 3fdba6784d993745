"""A transparent picture is also hashed on black, on its mean, and without its alpha."""

import io

import numpy as np
import pytest
from frames_of_file import frames_and_reason
from iso_boxes import clap, with_property
from picture_bytes import saved
from PIL import Image, ImageDraw

from screener import Screener
from screener.hashing import pdq
from screener.media.image import pixels
from screener.screening.input.frame_hashes import find_regions

SIZE = (320, 240)
GROUNDS = ("on_black", "on_mean", "without_alpha")
LOSSLESS = {
    "PNG": {},
    "WEBP": {"lossless": True, "exact": True},
    "TIFF": {},
    "ICO": {"sizes": [(256, 192)]},
}


def with_clear_corners(picture, share=0.15, faintest=120):
    """Return the picture in RGBA; its corners are cut to arcs, and it fades to the right."""
    mask = Image.new("L", picture.size, 0)
    box = (0, 0, picture.width - 1, picture.height - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, round(share * min(picture.size)), fill=255)
    fade = np.linspace(255, faintest, picture.width)
    made = picture.convert("RGBA")
    made.putalpha(Image.fromarray((np.asarray(mask) / 255 * fade).astype(np.uint8)))
    return made


def shown(picture, region):
    """Return the picture in RGB as a region shows it, composited in floating point."""
    layers = np.asarray(picture).astype(float)
    colour, alpha = layers[..., :3], layers[..., 3:] / 255
    if region == "without_alpha":
        return colour.astype(np.uint8)
    luma = colour @ [0.299, 0.587, 0.114]
    mean = np.average(luma, weights=alpha[..., 0])
    ground = {"full": 255, "on_black": 0, "on_mean": mean}[region]
    return np.rint(colour * alpha + ground * (1 - alpha)).astype(np.uint8)


def whole_regions(source):
    """Return the pixels of a file's first frame by region, without trimmed ones."""
    found = {}
    for region in find_regions(frames_and_reason(source)[0][0]):
        found.setdefault(region.name, region.pixels)
    return found


def differs_by_rounding(region, picture):
    """Return whether a region's pixels are a picture's luma, give or take a level."""
    luma = region.astype(float)
    if region.ndim == 3:
        luma = luma @ [0.299, 0.587, 0.114]
    return np.abs(luma - picture @ np.array([0.299, 0.587, 0.114])).max() <= 1.6


@pytest.mark.parametrize("format", LOSSLESS)
def test_each_ground(scene, format):
    """A file of any format gives what is composited in floating point, to a level."""
    drawn = with_clear_corners(scene(1, SIZE))
    if format == "ICO":
        drawn = drawn.resize((256, 192))
    data = saved(drawn, format, **LOSSLESS[format])
    drawn = Image.open(io.BytesIO(data)).convert("RGBA")

    found = whole_regions(data)

    for region in ("full", *GROUNDS):
        assert differs_by_rounding(found[region], shown(drawn, region)), region


@pytest.mark.parametrize("orientation", range(1, 9))
def test_grounds_are_turned_upright(scene, orientation):
    """By the EXIF orientation, as the picture is."""
    drawn, exif = with_clear_corners(scene(1, SIZE)), Image.Exif()
    found = whole_regions(saved(drawn, "PNG"))
    exif[0x0112] = orientation

    turned = whole_regions(saved(drawn, "PNG", exif=exif))

    for region in GROUNDS:
        assert np.array_equal(turned[region], upright(found[region], orientation))


def upright(pixels, orientation):
    """Return stored pixels as viewers show them, by the table of EXIF."""
    turn = {
        1: lambda p: p,
        2: np.fliplr,
        3: lambda p: np.rot90(p, 2),
        4: np.flipud,
        5: lambda p: p.T,
        6: lambda p: np.rot90(p, -1),
        7: lambda p: np.rot90(p, 2).T,
        8: np.rot90,
    }
    return turn[orientation](pixels)


@pytest.mark.parametrize("region", ["full", *GROUNDS])
def test_a_listing_on_any_ground_is_found(make_list, scene, region):
    """The match says on which, as a hash of the public function made of the picture on it."""
    drawn = with_clear_corners(scene(1, SIZE))
    row = {"id": "one", "pdq": pdq.compute(shown(drawn, region)).text}

    (match, *_) = Screener(make_list([row])).screen(saved(drawn, "PNG")).matches

    assert (match.region, match.distance <= 4) == (region, True)


def test_a_photo_with_rounded_corners_is_found(make_list, scene):
    """Also a pale or a dark one; nothing is left below the clear pixels."""
    drawn = scene(1, SIZE)
    for factor, lift in ((1, 0), (0.6, 0), (0.6, 100)):
        photo = drawn.point([round(value * factor + lift) for value in range(256)] * 3)
        row = {"id": "one", "pdq": pdq.compute(np.asarray(photo)).text}
        mask = with_clear_corners(photo, faintest=255)
        cut = Image.composite(
            mask,
            Image.new("RGBA", SIZE),
            mask.getchannel("A").point(lambda alpha: 255 if alpha else 0),
        )
        screener = Screener(make_list([row], name=f"known-{factor}-{lift}"))
        assert screener.screen(saved(cut, "PNG")).verdict == "match"


def test_what_is_opaque_costs_nothing(scene):
    """Alpha that is 255 throughout, 0 throughout, or clear at a dot shows no ground."""
    drawn = scene(1, SIZE).convert("RGBA")
    dotted = drawn.copy()
    dotted.paste((0, 0, 0, 0), (0, 0, 10, 10))
    for picture in (drawn, drawn.convert("RGB"), dotted, with_alpha(drawn, 0)):
        ((frame,), _) = frames_and_reason(saved(picture, "PNG"))
        assert frame.luma_alpha is None
        assert not {region.name for region in find_regions(frame)} & set(GROUNDS)


def with_alpha(picture, alpha):
    """Return a copy of the picture of one alpha."""
    made = picture.copy()
    made.putalpha(alpha)
    return made


def test_white_writing_on_a_clear_ground(make_list, scene):
    """On white it is blank; on black it shows, and a picture drawn so is found."""
    drawn = np.asarray(scene(1, SIZE).convert("L"))
    chalk = Image.fromarray(np.dstack((np.full((*drawn.shape, 3), 255, np.uint8), drawn)))
    row = {"id": "one", "pdq": pdq.compute(drawn).text}

    result = Screener(make_list([row])).screen(saved(chalk, "PNG"))

    assert {match.region for match in result.matches} == {"on_black"}


def test_colours_that_nobody_sees_clear_nothing(make_list, scene):
    """A file that shows nothing is no `no_match`, whatever lies under its clear pixels."""
    hash_list = make_list([{"id": "other", "pdq": pdq.compute(np.asarray(scene(9))).text}])
    decoy = scene(2)
    decoy.putalpha(0)
    decoy.paste((255, 255, 255, 255), (0, 0, 40, 40))
    result = Screener(hash_list).screen(saved(decoy, "PNG"))
    assert (str(result.verdict), str(result.reason)) == ("unscreened", "too_little_detail")


def test_frames_that_differ_by_alpha_alone_are_both_looked_at(scene):
    """On white they are the same."""
    white = np.full((*SIZE[::-1], 4), 255, np.uint8)
    frames = []
    for seed in (1, 2):
        white[..., 3] = np.asarray(scene(seed, SIZE).convert("L"))
        frames.append(Image.fromarray(white.copy()))
    options = {"save_all": True, "append_images": frames[1:], "lossless": True, "exact": True}

    found, reason = frames_and_reason(saved(frames[0], "WEBP", duration=100, **options))

    assert (len(found), reason) == (2, None)


def test_a_cropped_file_shows_its_part_on_grounds(scene):
    """Of all that is coded only the look on white is hashed."""
    drawn = with_clear_corners(scene(1, SIZE))
    data = saved(drawn, "AVIF", quality=95, exact=True)
    whole = whole_regions(data)
    part = whole_regions(with_property(data, clap(200, 120, 10, -6)))

    assert np.array_equal(part["without_alpha"], whole["without_alpha"][54:174, 70:270])


@pytest.mark.parametrize("band", [1, 320 * 7, 1 << 18])
@pytest.mark.parametrize("most", [1 << 10, 1 << 14, 1 << 22])
def test_a_large_picture_is_thinned_out(monkeypatch, scene, band, most):
    """Every so many rows and columns are taken, whatever the bands, and cropped alike."""
    drawn = np.asarray(with_clear_corners(scene(1, SIZE)))
    whole = pixels.from_array(drawn).luma_alpha
    monkeypatch.setattr(pixels, "_PIXELS_PER_BAND", band)
    monkeypatch.setattr(pixels, "_MAX_LUMA_ALPHA_PIXELS", most)

    layers = pixels.from_array(drawn)
    step = pixels.find_step(drawn.shape[0] * drawn.shape[1])

    assert step == {1 << 10: 9, 1 << 14: 3, 1 << 22: 1}[most]
    assert np.array_equal(layers.luma_alpha, whole[::step, ::step])
    assert layers.crop(40, 20, 200, 100).white.shape[:2] == (80, 160)
    assert layers.crop(0, 0, *SIZE).luma_alpha.shape == layers.luma_alpha.shape
