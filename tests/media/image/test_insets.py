"""Pictures within pictures: what is proposed as a picture of its own."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw
from text_pages import draw_page

from screener import _core
from screener.media.image.insets import find_insets

LIMIT = 40
PAPER, INK = (244, 240, 234), (60, 60, 70)


def on_a_page(scene, places, size=(540, 960)):
    """Return a page with text, and pictures in these places."""
    page = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, size[0], 60), fill=(20, 90, 120))
    for y in range(80, size[1], 24):
        draw.text((20, y), "so long a line of words " * 3, fill=INK, font_size=14)
    for seed, (left, top, right, bottom) in enumerate(places):
        draw.rectangle((left - 12, top - 12, right + 11, bottom + 11), fill=PAPER)
        page.paste(scene(seed, (right - left, bottom - top)), (left, top))
    return np.asarray(page)


def is_found(box, pixels, **bounds):
    """Return whether an inset differs from the box by at most 2 % of its sides."""
    found = find_insets(pixels, **{"limit": LIMIT, "min_side": 96} | bounds)
    slack = 0.02 * (np.array(box[2:]) - box[:2])
    return any((np.abs(np.subtract(one.box, box)) <= np.tile(slack, 2)).all() for one in found)


BOX = (120, 200, 360, 380)


def test_a_picture_on_a_page_is_found(scene):
    """A photo between lines of text, to 2 % of its sides."""
    assert is_found(BOX, on_a_page(scene, [BOX]))


def test_grey_and_strides_change_nothing(scene):
    """The same parts come of any strides, and a grey picture does as well."""
    page = on_a_page(scene, [BOX])
    grey = np.asarray(Image.fromarray(page).convert("L"))
    padded = np.zeros((page.shape[0] + 2, page.shape[1] * 2, 3), np.uint8)
    padded[1:-1, ::2] = page
    first, *others = (
        [one.box for one in find_insets(pixels, limit=LIMIT, min_side=96)]
        for pixels in (page, padded[1:-1, ::2], np.asfortranarray(page))
    )
    assert all(boxes == first for boxes in others)
    assert is_found(BOX, grey)


@pytest.mark.parametrize("gap", [0, 3, 10])
def test_pictures_of_a_collage_are_found(scene, gap):
    """With wide gutters, thin ones and none; one of nine may be missing."""
    page = Image.new("RGB", (480 + 2 * gap, 480 + 2 * gap), (255, 255, 255))
    places = [(x, y) for y in range(0, 480, 160 + gap) for x in range(0, 480, 160 + gap)]
    for seed, place in enumerate(places):
        page.paste(scene(seed, (160, 160)), place)
    cells = [(x, y, x + 160, y + 160) for x, y in places]
    assert sum(is_found(cell, np.asarray(page)) for cell in cells) >= 8


@pytest.mark.parametrize("gap", [0, 12])
def test_cells_of_a_grid_are_found_by_the_others(scene, gap):
    """A cell between others of the same colours has no edges; the grid shows where it is."""
    side, pitch = 160, 160 + gap
    page = Image.new("RGB", (3 * pitch - gap, 3 * pitch - gap), (20, 20, 20))
    for seed in range(8):  # the ninth has the colour of the gutters along its edges
        page.paste(scene(seed, (side, side)), (seed % 3 * pitch, seed // 3 * pitch))
    inside = (2 * pitch + 20, 2 * pitch + 20)
    page.paste(scene(8, (120, 120)), inside)
    cell = (2 * pitch, 2 * pitch, 2 * pitch + side, 2 * pitch + side)
    assert is_found(cell, np.asarray(page))


def test_limit_and_smallest_side_bound_what_is_returned(scene):
    """No more parts, and no smaller ones, than were asked for."""
    page = on_a_page(scene, [BOX, (60, 500, 200, 640), (260, 500, 420, 640)])
    for limit in (0, 1, 3):
        assert len(find_insets(page, limit=limit, min_side=96)) <= limit
    for min_side in (96, 150, 200):
        insets = find_insets(page, limit=LIMIT, min_side=min_side)
        assert all(min(one.pixels.shape[:2]) >= min_side for one in insets)
    assert not is_found(BOX, page, min_side=200)


def test_an_inset_is_a_view_of_the_picture(scene):
    """An upright part is not copied, and lies where its box says."""
    page = on_a_page(scene, [BOX])
    for one in find_insets(page, limit=LIMIT, min_side=96):
        left, top, right, bottom = one.box
        if np.shares_memory(one.pixels, page):
            assert np.array_equal(one.pixels, page[top:bottom, left:right])


def test_a_turned_print_is_rectified(scene):
    """A print turned by 2.5° comes out upright."""
    picture = scene(3, (300, 240))
    bed = Image.new("RGB", (420, 360), (250, 250, 246))
    bed.paste(picture, (60, 60))
    pixels = np.asarray(bed.rotate(2.5, Image.Resampling.BICUBIC, fillcolor=(250, 250, 246)))
    reference = np.asarray(picture.convert("L"), float)
    likeness = [
        np.corrcoef(
            np.asarray(Image.fromarray(one.pixels).convert("L").resize((300, 240)), float).ravel(),
            reference.ravel(),
        )[0, 1]
        for one in find_insets(pixels, limit=LIMIT, min_side=96)
    ]
    assert max(likeness) > 0.95


def rectified_by_opencv(pixels, corners, width, height):
    """Return what the corners enclose, by OpenCV, which counts from the middle of a pixel."""
    upright = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(upright - 0.5, corners.astype(np.float32) - 0.5)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(
        np.ascontiguousarray(pixels), matrix, (width, height), flags=flags,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_rectified_pixels_are_those_of_opencv(scene, seed):
    """To a grey level, in grey and RGB, of any strides, and for corners beyond the picture."""
    rng = np.random.default_rng(seed)
    page = np.asarray(scene(seed, (331, 257)))
    corners = np.array([(40.0, 30), (290, 30), (290, 220), (40, 220)])
    corners += rng.uniform(-60 if seed > 3 else -25, 25, (4, 2))
    width, height = (int(side) for side in rng.integers(1, 300, 2))
    for pixels in (page, page[..., 1], page[::-1, ::-1], page[::2, ::3], np.asfortranarray(page)):
        found = _core.rectify(pixels, corners, width, height)
        expected = rectified_by_opencv(pixels, corners, width, height)
        assert found.shape == expected.shape == (height, width, *pixels.shape[2:])
        differences = np.abs(found.astype(int) - expected)
        assert differences.max() <= 1
        assert differences.mean() < 0.02


def test_corners_that_enclose_nothing_give_pixels_of_the_picture():
    """On one line, in one point, crossed, far outside or no numbers: no crash, no other value."""
    pixels = np.random.default_rng(1).integers(100, 120, (40, 50), np.uint8)
    square = np.array([(0.0, 0), (50, 0), (50, 40), (0, 40)])
    for corners in (
        square * 0, square * (1, 0), square[[0, 2, 1, 3]], square + 1e300, square * 1e-300,
        np.full((4, 2), np.nan), np.full((4, 2), np.inf), -square,
    ):  # fmt: skip
        found = _core.rectify(pixels, np.ascontiguousarray(corners), 70, 3)
        assert found.shape == (3, 70)
        assert 100 <= found.min() <= found.max() < 120


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (-1, 5), (2**24 + 1, 5)])
def test_sides_of_a_rectified_picture_are_bounded(width, height):
    """None, negative ones and absurd ones are refused, as is a picture without pixels."""
    corners = np.zeros((4, 2))
    with pytest.raises(ValueError, match="sides must be 1 to"):
        _core.rectify(np.zeros((4, 4), np.uint8), corners, width, height)
    with pytest.raises(ValueError, match="a picture has pixels"):
        _core.rectify(np.zeros((0, 4), np.uint8), corners, 5, 5)


HOSTILE = {
    "noise": lambda: np.random.default_rng(1).integers(0, 256, (1500, 1500), np.uint8),
    "grid": lambda: (np.indices((2000, 2000)) % 4 < 2).any(axis=0).astype(np.uint8) * 255,
    "wide grid": lambda: (np.indices((2000, 2000)) % 100 < 50).any(axis=0).astype(np.uint8) * 255,
    "thread": lambda: np.zeros((1, 1_000_000), np.uint8),
    "ribbon": lambda: np.random.default_rng(1).integers(0, 256, (100, 100_000), np.uint8),
    "plain": lambda: np.zeros((4000, 4000, 3), np.uint8),
    "empty": lambda: np.zeros((0, 5), np.uint8),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pictures_stay_within_the_limit(name):
    """Noise, grids and odd shapes end soon, with few parts."""
    assert len(find_insets(HOSTILE[name](), limit=LIMIT, min_side=32)) <= LIMIT


@pytest.mark.parametrize("size", [(700, 990), (701, 640), (633, 811)])
@pytest.mark.parametrize("turns", range(4))
def test_boxes_lie_in_their_picture_at_every_edge(scene, size, turns):
    """Also the missing cell of a column whose widths differ by a pixel, at each edge."""
    width, height = size
    side = (height - 60) // 4
    for shift in (1, 2, 3):
        page = Image.new("RGB", size, PAPER)
        draw = ImageDraw.Draw(page)
        for y in range(20, height - 20, 21):
            draw.text((10, y), "a column of words " * 2, fill=INK, font_size=13)
        for n, left in enumerate((width // 2 - shift, width // 2 - shift, width // 2)):
            page.paste(scene(n, (width - left, side)), (left, 10 + n * (side + 10)))
        pixels = np.rot90(np.asarray(page), turns)
        assert_inside(pixels)


def assert_inside(pixels):
    """Check what the core finds, before it is clipped."""
    corners = _core.insets(pixels, LIMIT, 96).reshape(-1, 4, 2)

    assert len(corners)
    assert (corners >= 0).all()
    assert (corners <= pixels.shape[1::-1]).all()


@pytest.mark.parametrize("seed", [63, 81])
def test_boxes_lie_in_a_page_of_two_columns(seed):
    """Their lines end at different places, so that cells of one column differ in width."""
    page = np.asarray(draw_page(seed))
    for turns in range(4):
        assert_inside(np.rot90(page, turns))


def test_a_box_beyond_its_picture_is_clipped(monkeypatch):
    """A finder's error by a pixel loses neither the inset nor its file."""
    beyond = np.array([[-1, 100], [301, 100], [301, 201], [-1, 201]], float)
    monkeypatch.setattr(_core, "insets", lambda *_: beyond)

    (found,) = find_insets(np.zeros((200, 300), np.uint8), limit=1, min_side=32)

    assert found.box == (0, 100, 300, 200)
    assert found.pixels.shape == (100, 300)
