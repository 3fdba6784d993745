"""If a HEIF or AVIF shows a part of its picture, that part and all coded pixels are hashed."""

import pickle
import random

import numpy as np
import pytest
from frames_of_file import frames_and_reason
from heic_files import heic
from hypothesis import given
from hypothesis import strategies as st
from iso_boxes import box, clap, in_sample_entry, with_property
from picture_bytes import saved, several
from PIL import Image, ImageOps

from screener import Screener
from screener.hashing import pdq
from screener.media.image.structure import apertures

SIZE = (320, 240)
SHOWN = (70, 54, 270, 174)  # of which the middle is 10 further right and 6 further up
APERTURE = clap(200, 120, 10, -6)


def avif(picture, **options):
    """Return an AVIF of one picture."""
    return saved(picture, "AVIF", quality=95, **options)


def near(pixels, picture):
    """Return whether pixels are those of a picture, except for what coding changed."""
    drawn = np.asarray(picture, int)
    return pixels.shape == drawn.shape and np.abs(pixels - drawn).mean() < 4


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("coded", [avif, heic])
def test_what_is_shown_and_all_that_is_coded(scene, coded, first):
    """Wherever the aperture stands among the picture's properties."""
    drawn = scene(1, SIZE)
    ((frame,), reason) = frames_and_reason(with_property(coded(drawn), APERTURE, first=first))

    assert reason is None
    assert near(frame.pixels, drawn.crop(SHOWN))
    assert near(frame.uncropped, drawn)
    assert frames_and_reason(coded(drawn))[0][0].uncropped is None


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_is_cropped_before_it_is_turned(scene, turn):
    """`irot` and `imir`, an AVIF's orientation, apply to what is shown."""
    drawn, exif = scene(1, SIZE), Image.Exif()
    exif[0x0112] = turn
    ((frame,), _) = frames_and_reason(with_property(avif(drawn, exif=exif), APERTURE))

    for found, stored in ((frame.pixels, drawn.crop(SHOWN)), (frame.uncropped, drawn)):
        stored.getexif()[0x0112] = turn
        assert near(found, ImageOps.exif_transpose(stored))


def test_a_heic_is_cropped_before_it_is_turned(scene):
    """It is turned by a quarter, counter-clockwise."""
    drawn = scene(1, SIZE)
    data = with_property(with_property(heic(drawn), APERTURE), box(b"irot", b"\1"))
    ((frame,), _) = frames_and_reason(data)

    assert near(frame.pixels, drawn.crop(SHOWN).rotate(90, expand=True))
    assert near(frame.uncropped, drawn.rotate(90, expand=True))


@pytest.mark.parametrize("coded", [avif, heic])
def test_a_listing_of_either_is_found(make_list, scene, coded):
    """The list may have the shown part or an uncropped copy; the match says which."""
    drawn = scene(1, SIZE)
    data = with_property(coded(drawn), APERTURE)
    for listed, region in ((drawn.crop(SHOWN), "full"), (drawn, "uncropped")):
        row = {"id": "one", "pdq": pdq.compute(np.asarray(listed)).text}
        screener = Screener(make_list([row], name=region))
        # As a worker process sends it, which could be taken over.
        (result,) = screener.decide([pickle.loads(pickle.dumps(screener.hasher.hash(data)))])
        assert [(one.entry, one.region) for one in result.matches] == [("one", region)]
        assert (result.media.width, result.media.height) == (200, 120)


def test_frames_of_an_animation_are_cropped_as_their_track_says(scene):
    """An animated AVIF has the aperture in its sample entry."""
    drawn = [scene(number, SIZE) for number in (1, 2)]
    data = in_sample_entry(several(drawn, "AVIF", quality=95, duration=500), APERTURE)
    frames, reason = frames_and_reason(data)

    assert reason is None
    assert [one.time for one in frames] == [0.0, 0.5]
    for frame, picture in zip(frames, drawn, strict=True):
        assert near(frame.pixels, picture.crop(SHOWN))
        assert near(frame.uncropped, picture)


def test_frames_that_differ_beyond_what_is_shown_are_two(scene):
    """Different pictures may be hidden around each."""
    first, second = scene(1, SIZE), scene(2, SIZE)
    second.paste(first.crop((60, 44, 280, 184)), (60, 44))
    data = in_sample_entry(several([first, second], "AVIF", quality=100), APERTURE)
    assert len(frames_and_reason(data)[0]) == 2


def test_whole_pixels_are_those_of_libheif(scene):
    """Also for fractions of a pixel, and apertures that reach beyond the picture."""
    rng, data, compared = random.Random(1), heic(scene(1, (128, 64))), 0
    assert b"clap" not in data
    for _ in range(60):
        numbers = (
            rng.randint(2, 280),
            rng.randint(2, 140),
            rng.randint(-180, 180),
            rng.randint(-90, 90),
        )
        aperture = clap(*numbers, parts=2)
        frames, reason = frames_and_reason(with_property(data, aperture))
        found = apertures.crop_box(apertures._read_aperture(aperture, 8), 128, 64)
        if found is None or reason is not None:
            continue
        left, top, right, bottom = found
        assert np.array_equal(frames[0].pixels, frames[0].uncropped[top:bottom, left:right]), (
            numbers
        )
        compared += 1
    assert compared > 20


@pytest.mark.parametrize(
    "aperture",
    [
        clap(0, 0),
        clap(200, 120, 10, -6, parts=0),
        clap(10, 10, 1000, 0),
        clap(320, 240),
        clap(900, 900),
    ],
)
def test_an_aperture_of_nothing_or_of_all_crops_nothing(scene, aperture):
    """The picture is screened as it is coded."""
    drawn = scene(1, SIZE)
    ((frame,), reason) = frames_and_reason(with_property(avif(drawn), aperture))
    assert (reason, frame.uncropped) == (None, None)
    assert near(frame.pixels, drawn)


@pytest.mark.parametrize(
    ("width", "beside"), [(400, False), (399, False), (398, True), (397, True)]
)
@pytest.mark.parametrize("coded", [avif, heic])
def test_what_an_encoder_fills_up_is_not_hashed_by_itself(scene, coded, width, beside):
    """Padding is less than one in two hundred of each side."""
    aperture = clap(2 * width, 480, width - 400, 0, parts=2)
    data = with_property(coded(scene(1, (400, 240))), aperture)
    ((frame,), _) = frames_and_reason(data)
    assert (frame.pixels.shape[1], frame.uncropped is not None) == (width, beside)


@pytest.mark.parametrize("coded", [avif, heic])
def test_limits_are_of_what_is_coded(scene, coded):
    """A small part of a large picture costs as much as the picture."""
    data = with_property(coded(scene(1, SIZE)), APERTURE)
    assert frames_and_reason(data, pixels=320 * 240)[1] is None
    assert frames_and_reason(data, pixels=320 * 240 - 1) == ([], "too_large")


@given(st.data())
def test_nothing_raises_on_what_is_broken(data):
    """Bytes are overwritten anywhere in the boxes, or cut off."""
    sound = with_property(_SOUND, APERTURE)
    at, cut = data.draw(st.integers(0, len(sound))), data.draw(st.integers(0, len(sound)))
    rest = data.draw(st.binary(max_size=40))
    broken = (sound[:at] + rest + sound[at + len(rest) :])[:cut]
    bare = apertures.strip_apertures(broken)
    assert bare is None or len(bare) == len(broken)
    found = apertures.read_avif(broken)
    assert found is None or len(found) == 4


def test_properties_beyond_all_measure():
    """A box may declare four thousand million of them."""
    many = 300_000
    names = box(b"ipma", bytes(4) + b"\xff\xff\xff\xff" + b"\0\1\xff" + b"\x81" * many)
    boxes = box(b"ipco", APERTURE * 9, box(b"free") * many)
    meta = box(b"meta", bytes(4), box(b"pitm", bytes(4) + b"\0\1"), box(b"iprp", boxes, names))
    data = box(b"ftyp", b"mif1", bytes(4)) + meta
    assert apertures.read_avif(data).width == 200
    assert apertures._read_property_number(b"\x81") == 1
    assert apertures.strip_apertures(data) != data


_SOUND = (
    box(b"ftyp", b"avif", bytes(4))
    + box(
        b"meta",
        bytes(4),
        box(b"pitm", bytes(4) + b"\0\1"),
        box(b"iloc", bytes(4) + b"\x44\0\0\0"),
        box(
            b"iprp",
            box(b"ipco", box(b"ispe", bytes(12))),
            box(b"ipma", bytes(4), b"\0\0\0\1\0\1\1\1"),
        ),
    )
    + box(b"mdat", bytes(40))
)
