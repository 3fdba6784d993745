"""Frames around a picture: found to the pixel, and none where there is none."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from picture_bytes import jpeg
from PIL import Image, ImageDraw, ImageFilter

from screener import Policy
from screener.hashing import classic, pdq
from screener.media.files.picture import Frame
from screener.media.image.trim import MAX_VIEWS, MIN_SIDE, find_unframed
from screener.screening.input.frame_hashes import find_regions
from screener.screening.input.hash_item import hash_item

BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def framed(picture, above, right, below, left, colour):
    """The picture with bars of so many pixels."""
    size = (picture.width + left + right, picture.height + above + below)
    made = Image.new("RGB", size, colour)
    made.paste(picture, (left, above))
    return made


def shadowed(picture, margin=40, blur=8):
    """The picture with a soft shadow, on white."""
    mask = Image.new("L", (picture.width + 2 * margin, picture.height + 2 * margin), 0)
    mask.paste(200, (margin, margin, margin + picture.width, margin + picture.height))
    made = Image.new("RGB", mask.size, WHITE)
    made.paste((40, 40, 40), (0, 0), mask.filter(ImageFilter.GaussianBlur(blur)))
    made.paste(picture, (margin, margin))
    return made


def written(picture, text, colour, ink):
    """The picture between bars, the lower of which holds writing."""
    bar = picture.height // 4
    made = framed(picture, bar, 0, bar, 0, colour)
    draw = ImageDraw.Draw(made)
    draw.text((made.width // 4, made.height - bar * 0.8), text, fill=ink, font_size=bar // 4)
    return made


def as_jpeg(picture, quality):
    """The colours of a picture after it was a JPEG."""
    made = io.BytesIO(jpeg(picture, quality=quality))
    return np.asarray(Image.open(made).convert("RGB"))


FRAMES = {
    "black border": (20, 20, 20, 20, BLACK),
    "white border": (30, 30, 30, 30, WHITE),
    "border of four pixels": (4, 4, 4, 4, BLACK),
    "grey border": (17, 17, 17, 17, (128, 128, 128)),
    "coloured border": (25, 25, 25, 25, (200, 30, 60)),
    "letterbox": (60, 0, 60, 0, BLACK),
    "pillarbox": (0, 110, 0, 110, WHITE),
    "sides that differ": (10, 47, 33, 3, BLACK),
    "one side": (0, 0, 45, 0, WHITE),
    "one side that is most of it": (0, 0, 700, 0, BLACK),
    "bars as wide as what is looked at at once": (16, 48, 112, 16, BLACK),
}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_frame_is_taken_off_to_the_pixel(scene, name, mode):
    """The first picture given is the one inside, bars of any colour and on any sides."""
    for seed in range(20, 26):
        picture = scene(seed)
        found = find_unframed(np.asarray(framed(picture, *FRAMES[name]).convert(mode)))
        assert np.array_equal(found[0], np.asarray(picture.convert(mode))), seed


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("quality", [30, 60, 90])
def test_a_frame_is_found_through_a_jpegs_noise(scene, name, quality):
    """A picture given lies within 8 bits of PDQ of the one inside, at the least."""
    for seed in range(20, 26):
        picture = scene(seed)
        wanted = pdq.compute(np.asarray(picture))
        found = find_unframed(as_jpeg(framed(picture, *FRAMES[name]), quality))
        assert min(pdq.compute(view).distance(wanted) for view in found) <= 12, seed


def test_noise_in_the_bars(scene):
    """Bars of an analogue source: grain of six levels on either side."""
    for seed in range(20, 26):
        picture = scene(seed)
        grain = np.random.default_rng(seed).normal(0, 6, (300, 380, 1))
        bars = np.asarray(framed(picture, 30, 30, 30, 30, (60, 60, 60))) + grain
        assert (240, 320) in sizes(bars.clip(0, 255).astype(np.uint8)), seed


@pytest.mark.parametrize("blur", [3, 6, 10])
def test_a_shadow_at_the_seam(scene, blur):
    """A picture with a soft shadow on white is found within two pixels on each side."""
    for seed in range(20, 26):
        found = sizes(shadowed(scene(seed), blur=blur))
        assert any(abs(h - 240) <= 4 and abs(w - 320) <= 4 for h, w in found), (seed, found)


def test_a_frame_within_a_frame(scene):
    """A white border between black bars: the bordered picture is given, and the inner one."""
    picture = scene(20)
    inner = framed(picture, 20, 20, 20, 20, WHITE)
    found = find_unframed(np.asarray(framed(inner, 90, 0, 90, 0, BLACK)))
    assert any(np.array_equal(view, np.asarray(inner)) for view in found)
    assert any(np.array_equal(view, np.asarray(picture)) for view in found)


def test_three_frames_within_each_other(scene):
    """A bordered picture between bars, on a page: the picture itself is given too."""
    picture = scene(20)
    inner = framed(picture, 20, 20, 20, 20, BLACK)
    middle = framed(inner, 60, 0, 60, 0, WHITE)
    found = find_unframed(np.asarray(framed(middle, 0, 90, 0, 90, BLACK)))
    for wanted in (middle, inner, picture):
        assert any(np.array_equal(view, np.asarray(wanted)) for view in found)


@pytest.mark.parametrize("size", [(MIN_SIDE, MIN_SIDE), (70, MIN_SIDE), (MIN_SIDE, 70)])
def test_the_smallest_pictures_are_taken_out_of_their_frames(scene, size):
    """Down to the least size of a trimmed picture, in a border and in bars."""
    small = scene(20).resize(size)
    for bars in ((20, 20, 20, 20), (20, 0, 20, 0), (0, 20, 0, 20)):
        (found, *_) = find_unframed(np.asarray(framed(small, *bars, BLACK)))
        assert np.array_equal(found, np.asarray(small)), bars


def test_bars_of_nearly_one_colour_are_one_frame(scene):
    """As noise leaves them. A bar of another colour than the largest is another frame's."""
    picture = np.asarray(scene(20).convert("L"))
    for below in (106, 124, 130):
        made = np.pad(picture, ((0, 0), (20, 0)), constant_values=110)
        made = np.pad(made, ((0, 0), (0, 25)), constant_values=92)
        made = np.pad(made, ((50, 0), (0, 0)), constant_values=100)
        made = np.pad(made, ((0, 30), (0, 0)), constant_values=below)
        wanted = picture if below < 130 else made[50:]
        assert np.array_equal(find_unframed(made)[0], wanted), below


def test_a_seam_of_three_lines_is_a_step(scene):
    """As in a dark picture enlarged with its bars; one of twelve lines is the picture's."""
    picture = np.asarray(scene(20).convert("L")) // 4 + 12
    for each, found in ((3, True), (1, False)):
        made = np.pad(picture, ((40, 0), (0, 0)))
        made[40:70] = np.minimum(np.arange(each, 31 * each, each), 12)[:, None]
        views = find_unframed(made)
        assert bool(views) == found, each
        assert not found or len(picture) - 3 <= len(views[0]) <= len(picture)


@pytest.mark.parametrize("channel", range(3))
def test_a_picture_of_one_colour_is_separated_from_its_bars(scene, channel):
    """Light in red, green or blue alone is not dark."""
    made = np.zeros((300, 380, 3), np.uint8)
    made[30:270, 30:350, channel] = np.asarray(scene(20).convert("L"))
    assert np.array_equal(find_unframed(made)[0], made[30:270, 30:350])


@pytest.mark.parametrize(("first", "second", "bar"), [(4, 26, 41), (5, 26, 40), (5, 25, 42)])
def test_a_faint_line_at_the_seam(first, second, bar):
    """A line more than four levels off is spread by a JPEG if it is eight times fainter than the
    picture.
    """
    made = np.tile(np.array([180, 220], np.uint8), (240, 160))
    made[0], made[1] = first, second
    made = np.pad(made, ((40, 0), (0, 0)))

    views = [len(view) for view in find_unframed(made)]

    assert views[0] == 280 - bar
    assert views[-1] in (views[0], 238)


def test_a_pictures_own_edge_is_no_bar_of_another_frame(scene):
    """A white wall at the sides of a picture between black bars stays with the picture."""
    picture = framed(scene(20), 0, 40, 0, 50, WHITE)
    found = find_unframed(np.asarray(framed(picture, 60, 0, 60, 0, BLACK)))
    assert np.array_equal(found[0], np.asarray(picture))


@pytest.mark.parametrize(("colour", "ink"), [(BLACK, WHITE), (WHITE, BLACK)])
def test_writing_in_a_bar(scene, colour, ink):
    """A subtitle, or a caption of two lines, belongs to the bar that it stands in."""
    for text in ("as it was told", "when it all comes\nto two lines"):
        picture = scene(20)
        found = find_unframed(np.asarray(written(picture, text, colour, ink)))
        assert any(np.array_equal(view, np.asarray(picture)) for view in found), text


def test_writing_close_to_the_picture(scene):
    """It belongs to the bar if three lines without writing stand between it and the picture."""
    picture = np.asarray(scene(20).convert("L"))
    for gap, taken in ((3, True), (5, True), (2, False)):
        made = np.pad(picture, ((60, 0), (0, 0)))
        made[50 - gap : 60 - gap, 40:200:2] = 255
        found = any(np.array_equal(view, picture) for view in find_unframed(made))
        assert found == taken, gap


@pytest.mark.parametrize(
    "frame",
    [(200, 260, 200, 260), (300, 40, 30, 500), (30, 500, 300, 40), (700, 900, 120, 200)],
)
@pytest.mark.parametrize("colour", [BLACK, WHITE])
def test_a_picture_with_much_of_its_frame_beside_it(scene, frame, colour):
    """It is found wherever it stands and however narrow it is, as a JPEG too."""
    picture = scene(20)
    made = framed(picture, *frame, colour)
    assert np.array_equal(find_unframed(np.asarray(made))[0], np.asarray(picture))
    listed = pdq.compute(np.asarray(picture))
    views = find_unframed(as_jpeg(made, 75))
    assert min(pdq.compute(view).distance(listed) for view in views) <= 20


def test_writing_beside_a_picture_that_takes_little_of_a_line(scene):
    """The taller of two things in the frame is the picture; the writing is the frame's."""
    picture = np.asarray(scene(20).convert("L"))
    made = np.pad(picture, ((300, 250), (200, 400)))
    for top in (20, 200, len(made) - 60):
        both = made.copy()
        both[top : top + 30, 300:700:2] = 255
        assert any(np.array_equal(view, picture) for view in find_unframed(both)), top


def test_the_taller_of_two_pictures_is_taken_out_of_their_frame(scene):
    """Even if the search ends within it, from the side of the other one."""
    picture = np.asarray(scene(20).convert("L"))
    made = np.zeros((500, 800), np.uint8)
    made[200:440, 200:520] = picture
    made[60:170, 300:500:2] = 255
    assert any(np.array_equal(view, picture) for view in find_unframed(made))


def test_writing_alone_is_no_picture():
    """Lines of text in the middle of a page are not taken out of it."""
    page = np.full((600, 600), 255, np.uint8)
    page[250:330:4, 100:500:2] = 0
    assert find_unframed(page) == ()


def sizes(picture):
    """Height and width of each trimmed picture."""
    return [view.shape[:2] for view in find_unframed(np.asarray(picture))]


def night(seed, size=(240, 320)):
    """A sky that grows lighter towards a skyline with lit windows, with grain and stars."""
    random = np.random.default_rng(seed)
    sky = np.tile(np.linspace(4, 45, size[0])[:, None], (1, size[1]))
    sky[random.random(size) > 0.999] = 230
    for column in range(0, size[1], 20):
        top = int(random.uniform(0.6, 0.9) * size[0])
        sky[top:, column : column + 20] = 12
        for row in range(top + 4, size[0], 6):
            if random.random() < 0.5:
                sky[row : row + 3, column + 4 : column + 8] = 160
    sky += random.normal(0, 3, size)
    return np.repeat(sky.clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def test_what_has_no_frame(scene):
    """Drawn pictures, night skies, gradients, noise, stripes and blanks are not trimmed."""
    for seed in range(20, 40):
        assert sizes(scene(seed)) == []
        assert sizes(night(seed)) == []
    ramp = np.linspace(0, 255, 300).astype(np.uint8)
    noise = np.random.default_rng(1).integers(0, 256, (200, 300, 3), np.uint8)
    stripes = np.repeat(np.where(np.arange(300) // 20 % 2, 255, 0)[None], 200, 0).astype(np.uint8)
    for made in (
        np.tile(ramp, (200, 1)),
        noise,
        stripes,
        stripes.T,
        np.full((90, 90), 7, np.uint8),
    ):
        assert sizes(made) == []


@pytest.mark.parametrize("other", [50, 70])
def test_an_edge_of_two_greys_is_no_bar(scene, other):
    """For example a wall in a shadow: a quarter of the line is darker or lighter than the rest."""
    made = np.array(framed(scene(20), 60, 0, 0, 0, (60, 60, 60)))
    assert sizes(made) == [(240, 320)]
    made[:60, 240:] = other
    assert sizes(made) == []


def test_a_picture_is_never_trimmed_to_nothing(scene):
    """A frame that leaves less than a fifth of a side, or a tiny picture, is left on."""
    small = scene(20).resize((MIN_SIDE - 1, MIN_SIDE - 1))
    assert sizes(framed(small, 20, 20, 20, 20, BLACK)) == []
    picture = scene(20, (200, 150))
    wide = np.asarray(framed(picture, 0, 405, 0, 405, BLACK))
    assert sizes(wide) == []
    for exactly_a_fifth_or_more in (wide[:, 5:-5], wide[:, 10:-10]):
        assert sizes(exactly_a_fifth_or_more) == [(150, 200)]


@settings(max_examples=150, deadline=None)
@given(
    arrays.arrays(
        np.uint8,
        st.one_of(
            st.tuples(st.integers(1, 90), st.integers(1, 90)),
            st.tuples(st.integers(1, 90), st.integers(1, 90), st.just(3)),
        ),
        elements=st.integers(0, 255),
        fill=st.sampled_from([0, 255]),
    ),
    st.integers(0, 7),
)
def test_whatever_the_pixels(pixels, turn):
    """For any size and strides there are few views, each of the pixels and large enough."""
    turned = np.rot90(pixels, turn % 4)[:, :: -1 if turn > 3 else 1]
    found = find_unframed(turned)
    assert len(found) <= MAX_VIEWS
    for view in found:
        assert np.shares_memory(view, pixels)
        assert min(view.shape[:2]) >= MIN_SIDE
        assert view.shape[0] < turned.shape[0] or view.shape[1] < turned.shape[1]
        assert find_unframed(turned.copy())[0].shape == found[0].shape


@pytest.mark.parametrize("quality", [None, 75])
def test_recall_over_photos(material, quality):
    """At least 97 % of photos lie within PDQ's radius of their copy with a border or letterbox."""
    found, tried = 0, 0
    for path in sorted((material / "photos-fp-mini").glob("*.jpg"))[::5]:
        picture = Image.open(path).convert("RGB")
        listed = pdq.compute(np.asarray(picture))
        letterbox = (picture.height // 4, 0, picture.height // 4, 0, BLACK)
        for frame in (FRAMES["white border"], FRAMES["black border"], letterbox):
            made = framed(picture, *frame)
            pixels = np.asarray(made) if quality is None else as_jpeg(made, quality)
            tried += 1
            found += any(pdq.compute(view).distance(listed) <= 31 for view in find_unframed(pixels))
    assert tried >= 100
    assert found >= 0.97 * tried


def test_trimmed_pictures_that_show_nothing_match_nothing(plain):
    """Trimmed regions of stripes and blanks are outside the radius of all other such pictures."""
    drawn = [plain.draw(family, seed) for family in plain.FAMILIES for seed in range(12)]
    usable = []
    for number, pixels in enumerate(drawn):
        for one in located(np.pad(pixels, [(30, 30), (30, 30)] + [(0, 0)] * (pixels.ndim - 2))):
            if min(one.hash.quality, one.detail) >= 50:
                usable.append((number, one))
    listed = [(number, pdq.compute(pixels)) for number, pixels in enumerate(drawn)]
    assert {one.region for _, one in usable} >= {"trimmed"}
    for number, one in usable:
        if one.region == "trimmed":
            for other, whole in listed:
                assert number == other or one.hash.distance(whole) > 31


def located(item):
    """The hashes of an item and where they were made."""
    return hash_item(item, policy=Policy(insets=0), kinds=[pdq.PDQ]).hashes


def test_both_regions_are_hashed(scene):
    """The whole picture first, then the trimmed one, each in all eight orientations."""
    bordered = framed(scene(20), 30, 30, 30, 30, BLACK)
    regions = [one.region for one in located(bordered)]
    assert regions == ["full"] * 8 + ["trimmed"] * 8
    assert {one.region for one in located(scene(20))} == {"full"}


def regions(pixels, **of_frame):
    """The regions of such a frame, in the order in which they are hashed."""
    return find_regions(Frame(pixels, 0.0, 0, **of_frame))


def shapes(found):
    """Regions by their names and shapes."""
    return [(one.name, one.pixels.shape[:2]) for one in found]


@pytest.mark.parametrize("size", [(500, 192), (192, 500), (150, 100)])
def test_small_pictures_are_hashed_at_twice_their_size_too(scene, size):
    """With a side of 192 pixels or fewer."""
    small = np.asarray(scene(4, size))
    shape, twice = (size[1], size[0]), (2 * size[1], 2 * size[0])

    assert shapes(regions(small)) == [("full", shape), ("enlarged", twice)]
    assert shapes(regions(np.asarray(scene(4, (500, 193))))) == [("full", (193, 500))]


def test_a_drawing_of_two_tones_is_none_of_more_when_it_is_enlarged():
    """Enlarging adds tones; the detail is that of the small drawing."""
    drawing = Image.new("L", (160, 120), 255)
    ImageDraw.Draw(drawing).regular_polygon((80, 60, 40), 7, rotation=11, fill=0)

    made = hash_item(drawing, policy=Policy(), kinds=[pdq.PDQ]).hashes

    assert "enlarged" in {one.region for one in made}
    assert not any(one.is_usable(50) for one in made)


def test_a_thread_of_pixels_is_not_enlarged():
    """It has no detail, and would take four times its memory."""
    thread = np.random.default_rng(1).integers(0, 256, (16, 1 << 17), np.uint8)
    assert shapes(regions(thread))[0] == ("full", thread.shape)
    assert "enlarged" not in dict(shapes(regions(thread)))


def test_a_thumbnail_is_nearer_to_its_picture_at_twice_its_size(scene):
    """By PDQ, also if it is all that a file holds. Other kinds use every pixel, and are computed
    once.
    """
    whole = scene(20, (640, 480))
    listed = pdq.compute(np.asarray(whole))
    kinds = [pdq.PDQ, *classic.CLASSIC]

    made = hash_item(whole.resize((160, 120)), policy=Policy(), kinds=kinds).hashes

    upright = [one for one in made if one.orientation == "upright"]
    away = {one.region: one.hash.distance(listed) for one in upright if one.hash.kind is pdq.PDQ}
    assert away["enlarged"] < away["full"]
    assert {one.region for one in upright if one.hash.kind in classic.CLASSIC} == {"full"}


def test_what_is_small_within_bars_is_hashed_at_twice_its_size(scene):
    """The whole picture, which is larger, is not."""
    pixels = np.asarray(framed(scene(4, (300, 180)), 40, 40, 40, 40, BLACK))

    found = regions(pixels)

    assert shapes(found) == [
        ("full", (260, 380)), ("trimmed", (180, 300)), ("enlarged", (360, 600)),
    ]  # fmt: skip


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_twice_the_size_is_as_pillow_interpolates(scene, mode):
    """In both directions, to less than a grey."""
    picture = scene(4, (150, 100)).convert(mode)
    wanted = np.asarray(picture.resize((300, 200), Image.Resampling.BILINEAR), np.int16)

    (_, found) = regions(np.asarray(picture))

    assert np.abs(found.pixels - wanted).max() <= 1
    assert abs((found.pixels - wanted).mean()) < 0.1


@pytest.mark.parametrize("turned", [False, True])
def test_parts_that_hardly_differ_are_hashed_once(scene, turned):
    """Views at the same place that differ by a line are one; views elsewhere are others."""
    pixels = np.asarray(scene(4, (400, 300)))
    if turned:
        pixels = pixels.swapaxes(0, 1)

    def hashed(*views):
        """How many parts there are besides the whole."""
        return len(regions(pixels, inner=views)) - 1

    assert [hashed(view) for view in (pixels[:], pixels[1:], pixels[:-1, 1:])] == [0, 0, 0]
    assert [hashed(view) for view in (pixels[:-2], pixels[:, 2:], pixels[:, :200])] == [1, 1, 1]
    for places in ((0, 1), (1, 0)):
        assert hashed(*(pixels[:, place : place + 200] for place in places)) == 1
        assert hashed(*(pixels[place : place + 200] for place in places)) == 1
    for places in ((0, 2), (2, 0), (0, 100), (100, 0)):
        assert hashed(*(pixels[:, place : place + 200] for place in places)) == 2
        assert hashed(*(pixels[place : place + 200] for place in places)) == 2


def test_a_part_is_a_frame_round_those_that_are_much_of_it(scene):
    """That is three tenths of each side and more, at twice its size too; never itself."""
    pixels = np.asarray(scene(4, (100, 100)))
    views = [pixels[:30, :30], pixels[:29, :60], pixels[:60, 10:39], pixels[20:90, 20:90]]

    found = regions(pixels, inner=tuple(views))

    whole, *parts = found[:5]
    assert [one.pixels is view for one, view in zip(parts, views, strict=True)] == [True] * 4
    assert [id(view) for view in whole.framed] == [id(views[0]), id(views[3])]
    assert [len(one.framed) for one in parts] == [0, 0, 0, 3]
    assert [one.name for one in found[5:]] == ["enlarged"] * 5
    assert [one.framed for one in found[5:]] == [one.framed for one in found[:5]]


def test_a_match_tells_the_region(scene, make_list):
    """A framed copy matches by its trimmed region, one that was listed with its frame by the
    full one.
    """
    from screener import Screener

    bordered = framed(scene(20), 30, 30, 30, 30, BLACK)
    rows = [
        {"id": "bare", "pdq": pdq.compute(np.asarray(scene(20))).text, "status": "confirmed"},
        {"id": "framed", "pdq": pdq.compute(np.asarray(bordered)).text, "status": "confirmed"},
    ]
    result = Screener(make_list(rows)).screen(bordered)
    assert {match.entry: match.region for match in result.matches} == {
        "bare": "trimmed",
        "framed": "full",
    }


def test_grey_pictures_are_trimmed_as_colour_ones(scene):
    """Those without bars by the core have none by the rules either."""
    for seed in range(12):
        grey = np.asarray(scene(seed, (260, 200)).convert("L"))
        framed_grey = np.pad(grey, 12, constant_values=seed * 20)
        for pixels in (grey, framed_grey, framed_grey[6:], framed_grey[:, 12:].T):
            three = np.repeat(pixels[..., None], 3, axis=2)
            shapes = [view.shape for view in find_unframed(pixels)]

            assert shapes == [view.shape[:2] for view in find_unframed(three)]
