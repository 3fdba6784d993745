"""Bars at the edges of a video, and what is compared between them."""

import numpy as np
import pytest
from drawn_videos import blank, clip
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sampled_frames import frames_of, near

from screener.media.video.sampling.bars import Bars


def dark_between_bars(scene, second):
    """Return a moving scene whose edges are as dark as its bars, and the same without bars."""
    inner = np.asarray(scene(2, (320, 180)), np.float32)
    rows, columns = np.mgrid[-1:1:180j, -1:1:320j]
    light = np.clip(1.3 - np.hypot(rows, columns * 0.9), 0.05, 1.0)[..., None]
    shown = np.roll(inner, round(second * 6), axis=1) * light * 0.8
    whole = np.zeros((240, 320, 3), np.uint8)
    whole[30:210] = shown
    return Image.fromarray(whole), Image.fromarray(shown.astype(np.uint8))


def test_bars_beside_dark_edges_are_found(scene):
    """They are exact to a line or two, in the first frame as well."""
    pictures = [dark_between_bars(scene, number / 10)[0] for number in range(40)]

    frames = frames_of(clip(pictures))

    assert len(frames) == 4
    for frame in frames:
        shapes = [view.shape for view in frame.inner]
        assert any(abs(rows - 180) <= 2 and columns == 320 for rows, columns in shapes), shapes


def test_bars_of_a_video_that_begins_in_the_dark_are_known_from_its_start(scene):
    """Two dark seconds look like wider bars."""
    whole = scene(7, (240, 240))
    spot = Image.new("RGB", whole.size)
    spot.paste(whole.crop((90, 0, 150, 240)), (90, 0))
    pictures = []
    for shown in [spot] * 20 + [whole] * 10:
        pictures.append(blank(size=(400, 240)))
        pictures[-1].paste(shown, (80, 0))

    frames = frames_of(clip(pictures), every=0.125, distinct=False)

    assert len(frames) > 20
    for frame in frames:
        assert frame.inner[0].shape == (240, 240)


def test_a_video_without_bars_has_none(moving):
    """Its edges change."""
    assert [frame.inner for frame in frames_of(moving)] == [()] * 4


def test_bars_learn_from_every_frame_and_leave_something():
    """A black frame changes nothing; another size starts again; a blank frame has no bars."""
    framed = np.zeros((100, 120), np.uint8)
    framed[10:90, 20:100] = np.arange(80, dtype=np.uint8) + 100
    bars = Bars()
    for pixels in (np.zeros_like(framed), framed):
        bars.update(pixels)

    assert [view.shape for view in bars.find_views(framed)[:3]] == [(80, 120), (100, 80), (80, 80)]
    assert np.array_equal(bars.find_views(framed)[2], framed[10:90, 20:100])
    assert bars.find_views(framed[:50]) == ()
    bars.update(np.full_like(framed, 200))  # something else was shown where the bars were
    assert bars.find_views(framed) == ()


def shown_between(size, rows, columns, *, bar=0, shown=100):
    """Return a grey frame, (height, width), of one colour outside of some rows and columns."""
    made = np.full(size, bar, np.uint8)
    made[slice(*rows), slice(*columns)] = shown
    return made


def views_of(*frames):
    """Return what lies between the bars of the last frame."""
    bars = Bars()
    for frame in frames:
        bars.update(frame)
    return bars.find_views(frames[-1])


@pytest.mark.parametrize(
    ("bar", "shown"), [(0, 90), (255, 165), (128, 40), (128, 220), (250, 254), (3, 250)]
)
def test_bars_may_have_any_colour(bar, shown):
    """Each side is exact to the line."""
    frame = shown_between((150, 200), (10, 120), (20, 190), bar=bar, shown=shown)

    above_and_below, at_the_sides, both, *_ = views_of(frame)

    assert np.array_equal(above_and_below, frame[10:120])
    assert np.array_equal(at_the_sides, frame[:, 20:190])
    assert np.array_equal(both, frame[10:120, 20:190])


def test_bars_are_no_wider_than_in_any_frame():
    """A later frame cannot widen them; frames of another size have their own."""
    wide = shown_between((150, 200), (10, 140), (20, 180))
    narrow = shown_between((150, 200), (60, 90), (90, 110))
    dark = np.zeros_like(wide)

    for frames in ((wide, narrow, dark), (dark, narrow, wide), (narrow, wide, narrow)):
        assert views_of(*frames)[2].shape == (130, 160)
    assert views_of(wide, shown_between((200, 150), (50, 160), (5, 120)))[2].shape == (110, 115)


@pytest.mark.parametrize(
    ("off", "points", "is_bar"),
    [(3, 200, True), (-3, 200, True), (4, 4, True), (4, 5, False), (-4, 5, False), (90, 4, True)],
)
def test_a_line_of_a_bar_may_have_noise_and_a_few_other_points(off, points, is_bar):
    """Three levels of noise are allowed, and one point in fifty of anything."""
    for line in (20, 0):
        frame = shown_between((150, 200), (30, 120), (0, 200), bar=10)
        frame[line, :points] = 10 + off
        assert (views_of(frame)[0].shape == (90, 200)) == is_bar, line


@pytest.mark.parametrize(
    ("height", "left", "has_bars"),
    [
        (120, 39, False), (120, 40, True), (400, 79, False), (400, 80, True),
        (400, 396, True), (400, 397, False),
    ],
)  # fmt: skip
def test_bars_that_leave_too_little_or_are_too_thin_are_none(height, left, has_bars):
    """At least 40 lines and a fifth must be left, and a bar is at least one line in a hundred."""
    frame = shown_between((height, 60), ((height - left) // 2, (height + left) // 2), (0, 60))

    assert bool(views_of(frame)) == has_bars


def test_a_picture_of_each_usual_shape_is_found_in_the_dark():
    """It is centred in a frame that is lit only in its middle."""
    at_the_sides = views_of(shown_between((180, 320), (0, 180), (125, 195)))
    above_and_below = views_of(shown_between((180, 320), (65, 115), (0, 320)))

    widths = {view.shape[1] for view in at_the_sides if view.shape[0] == 180}
    for shape in (9 / 16, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2):
        assert any(abs(width - 180 * shape) <= 1 for width in widths), shape
    assert any(abs(len(view) - 320 / 2.39) <= 1 for view in above_and_below)


@pytest.mark.parametrize(
    ("rows", "columns"), [((140, 220), (80, 400)), ((90, 270), (190, 290)), ((90, 200), (0, 480))]
)
def test_a_picture_with_some_dark_edges_is_found_by_shape(rows, columns):
    """The other edges are seen."""
    size = (360, 480) if columns[1] < 480 else (450, 480)

    shapes = [view.shape for view in views_of(shown_between(size, rows, columns))]

    assert ((180, 320) if columns[1] < 480 else (270, 480)) in shapes


def dark_at_its_edges(scene, size, margin):
    """Return a picture that is as black at its edges as bars."""
    whole = blank(size=size)
    inner = scene(2, (size[0] - 2 * margin, size[1] - 2 * margin))
    whole.paste(inner, (margin, margin))
    return whole


@pytest.mark.parametrize(("frame", "view"), [((480, 180), (180, 320)), ((320, 300), (180, 320))])
def test_a_picture_whose_edges_are_as_dark_as_the_bars_is_found(scene, engine_of, frame, view):
    """Its shape is a usual one."""
    picture = dark_at_its_edges(scene, (320, 180), 30)
    whole = blank(size=frame)
    whole.paste(picture, ((frame[0] - 320) // 2, (frame[1] - 180) // 2))

    shown, *_ = frames_of(clip([whole] * 10))
    result = engine_of({"shown": picture}).screen(clip([whole] * 10))

    assert view in [one.shape for one in shown.inner]
    assert [(match.entry, match.region) for match in result.matches] == [("shown", "trimmed")]
    assert result.matches[0].distance <= 10


def test_a_picture_that_has_bars_of_its_own_is_found_between_further_ones(scene, engine_of):
    """It is listed with its own bars."""
    listed = blank(size=(320, 240))
    listed.paste(scene(2, (320, 180)), (0, 30))
    whole = blank(size=(320, 300))
    whole.paste(listed, (0, 30))

    result = engine_of({"shown": listed}).screen(clip([whole] * 10))

    assert [(match.entry, match.region) for match in result.matches] == [("shown", "trimmed")]


def test_bars_may_be_spoilt_in_a_few_lines_if_the_shape_is_usual():
    """Up to six lines are allowed on each side."""
    for spoilt, kept in ((3, True), (6, True), (7, False)):
        framed = np.zeros((180, 480), np.uint8)
        framed[:, 80 - spoilt : 400 + spoilt] = 100
        bars = Bars()
        bars.update(framed)
        assert ((180, 320) in [view.shape for view in bars.find_views(framed)]) == kept, spoilt


@given(
    st.integers(40, 500),
    st.integers(40, 500),
    st.lists(st.integers(0, 200), min_size=4, max_size=4),
)
def test_no_view_leaves_out_more_than_bars(height, width, edges):
    """There are at most nine views, and each may lose six lines at a side."""
    above, below, left, right = (
        min(edge, side // 2 - 1)
        for edge, side in zip(edges, (height, height, width, width), strict=True)
    )
    framed = np.zeros((height, width), np.uint8)
    framed[above : height - below, left : width - right] = 100
    bars = Bars()
    bars.update(framed)

    views = bars.find_views(framed)

    assert len(views) <= 9
    shown = (height - above - below) * (width - left - right)
    for view in views:
        assert 0 < view.size < framed.size
        most = 12 * (height + width)  # six lines at each side
        assert (view == 100).sum() >= min(shown, framed.size) - most


def test_a_tiny_copy_at_half_the_size_is_found(scene, engine_of):
    """It is hashed at twice its size."""
    flat = (np.asarray(scene(2, (320, 180)), np.float32) - 128) * 0.35 + 128
    grain = np.sign(np.random.default_rng(1).normal(size=(180, 320, 1))) * 60
    picture = Image.fromarray(np.clip(flat + grain, 0, 255).astype(np.uint8))
    small = clip([picture.resize((160, 90), Image.Resampling.BICUBIC)] * 3)

    frame, *_ = frames_of(small)
    result = engine_of({"shown": picture}).screen(small)

    assert near(frame.pixels, picture) > 31
    assert [(match.entry, match.region) for match in result.matches] == [("shown", "enlarged")]
