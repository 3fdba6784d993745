"""Pictures in front of a blurred copy of themselves, or of a gradient."""

from __future__ import annotations

import io

import numpy as np
import pytest
from picture_bytes import jpeg
from PIL import Image, ImageFilter, ImageOps

from screener import Screener
from screener.hashing import pdq
from screener.media.image.backdrop import find_without_backdrop
from screener.media.image.trim import find_unframed


def blurred(picture, size, *, light=1.0):
    """Return a blurred copy that fills the frame, as apps make it, often darkened."""
    copy = ImageOps.fit(picture, size).filter(ImageFilter.GaussianBlur(max(size) / 40))
    return copy.point(lambda value: int(value * light))


def run_of_colours(picture, size):
    """Return a gradient from the colour of the picture's top to that of its bottom."""
    ends = np.asarray(picture.resize((1, 2), Image.Resampling.BOX), float)
    share = np.linspace(0, 1, size[1])[:, np.newaxis, np.newaxis]
    rows = ends[:1] * (1 - share) + ends[1:] * share
    return Image.fromarray(np.broadcast_to(rows, (size[1], size[0], 3)).astype(np.uint8))


def by_night(picture):
    """Return the picture as dark as at night."""
    return picture.point(lambda value: value // 4)


def in_fog(picture):
    """Return the picture bright and of little contrast."""
    return picture.point(lambda value: 180 + value // 4)


def before(backdrop, picture, share=1.0):
    """Return the picture in the middle of a backdrop, and its place."""
    factor = min(backdrop.width / picture.width, backdrop.height / picture.height) * share
    size = (round(picture.width * factor), round(picture.height * factor))
    left, top = (backdrop.width - size[0]) // 2, (backdrop.height - size[1]) // 2
    made = backdrop.copy()
    made.paste(picture.resize(size, Image.Resampling.BICUBIC), (left, top))
    return made, (left, top, left + size[0], top + size[1])


def box_of(view, pixels):
    """Return left, top, right and bottom of a view of pixels."""
    start = view.__array_interface__["data"][0] - pixels.__array_interface__["data"][0]
    top, left = divmod(start, pixels.strides[0])
    left //= pixels.strides[1]
    return (left, top, left + view.shape[1], top + view.shape[0])


WAYS = {
    "blurred, tall": lambda p: before(blurred(p, (360, 640)), p),
    "blurred and darkened, tall": lambda p: before(blurred(p, (360, 640), light=0.6), p),
    "blurred, wide": lambda p: before(blurred(p.rotate(90, expand=True), (640, 360)), p),
    "blurred, square": lambda p: before(blurred(p, (500, 500)), p),
    "blurred, on all sides": lambda p: before(blurred(p, (360, 640)), p, 0.85),
    "blurred, by night": lambda p: before(blurred(by_night(p), (360, 640)), by_night(p)),
    "blurred, in fog": lambda p: before(blurred(in_fog(p), (360, 640)), in_fog(p)),
    "colours, tall": lambda p: before(run_of_colours(p, (360, 640)), p),
    "colours, on all sides": lambda p: before(run_of_colours(p, (360, 640)), p, 0.85),
}


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("way", WAYS)
def test_a_picture_is_found_before_its_backdrop(scene, way, mode):
    """Exact to a row and a column, as stored and as a JPEG, in colour and grey, upright and on its
    side.
    """
    for seed in (3, 8, 15):
        made, box = WAYS[way](scene(seed))
        for shown in (made, Image.open(io.BytesIO(jpeg(made, quality=80)))):
            pixels = np.asarray(shown.convert(mode))
            boxes = [box_of(view, pixels) for view in find_without_backdrop(pixels)]
            assert any(np.abs(np.subtract(one, box)).max() <= 1 for one in boxes), seed
        stored = np.asarray(made.convert(mode))
        shapes = [view.shape for view in find_without_backdrop(stored)]
        turned = find_without_backdrop(stored.swapaxes(0, 1))
        assert [view.swapaxes(0, 1).shape for view in turned][-1:] == shapes[-1:]


@pytest.mark.parametrize(("edge", "light"), [(8, 1.0), (16, 0.6), (24, 0.8)])
def test_a_picture_is_found_before_a_backdrop_that_begins_as_a_bar_does(scene, edge, light):
    """For example if the picture is dark along an edge, whatever is taken for bars."""
    dark = np.asarray(scene(0, (400, 300)).convert("RGB")).copy()
    dark[:edge] = 12
    picture = Image.fromarray(dark)
    made, box = before(blurred(picture, (360, 640), light=light), picture)
    pixels = np.asarray(made)

    found = [box_of(view, pixels) for view in find_unframed(pixels)]

    assert found[0][2:] == (360, 640)  # a bar, as it seems
    assert any(np.abs(np.subtract(one, box)).max() <= 1 for one in found)


def test_a_picture_within_bars_is_found_before_its_backdrop(scene):
    """With its bars and without them."""
    picture = scene(8)
    framed = ImageOps.expand(picture, 20, (10, 10, 10))
    made, (left, top, right, below) = before(blurred(picture, (360, 640)), framed)
    assert right - left == framed.width  # it is as large as it was
    pixels = np.asarray(made)

    found = [box_of(view, pixels) for view in find_unframed(pixels)]

    assert (left, top, right, below) in found
    assert (left + 20, top + 20, right - 20, below - 20) in found


def test_a_picture_that_has_no_backdrop_has_none():
    """Noise has none, nor has a straight edge on one side, or at different distances."""
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (300, 300), np.uint8)
    plain = np.full((300, 300), 90, np.uint8)
    one_edge, uneven = plain.copy(), plain.copy()
    one_edge[:80] = 140
    uneven[60:220] = np.arange(300) % 2 * 80
    for pixels in (noise, plain, one_edge, uneven):
        assert find_without_backdrop(pixels) == []


@pytest.mark.parametrize("seed", range(30, 60))
def test_a_whole_scene_is_not_cut(scene, seed):
    """What an ordinary picture shows is no backdrop."""
    assert find_unframed(np.asarray(scene(seed))) == ()


def test_a_copy_before_a_backdrop_matches(scene, make_list):
    """A listed picture posted on a blurred copy of itself is found; an unlisted one is not."""
    known = make_list([{"id": "listed", "pdq": pdq.compute(np.asarray(scene(8))).text}])
    screener = Screener(known)

    found = screener.screen(jpeg(before(blurred(scene(8), (540, 960)), scene(8))[0], quality=80))
    other = screener.screen(jpeg(before(blurred(scene(9), (540, 960)), scene(9))[0], quality=80))

    assert [(one.entry, one.region) for one in found.matches] == [("listed", "trimmed")]
    assert other.verdict == "no_match"


def test_recall_over_photos(material):
    """Four in five photos are found; the edge of many is as white as the backdrop."""
    found, tried = 0, 0
    for path in sorted((material / "photos-fp-mini").glob("*.jpg"))[::8]:
        picture = Image.open(path).convert("RGB")
        listed = pdq.compute(np.asarray(picture))
        for size in ((360, 640), (640, 360)):
            pixels = np.asarray(
                Image.open(io.BytesIO(jpeg(before(blurred(picture, size), picture)[0], quality=80)))
            )
            tried += 1
            found += any(pdq.compute(view).distance(listed) <= 31 for view in find_unframed(pixels))
    assert tried >= 40
    assert found >= 0.8 * tried, (found, tried)
