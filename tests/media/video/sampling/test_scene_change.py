"""Means of frames: which are passed over as alike, and which show another scene."""

import numpy as np
import pytest

from screener.media.video.sampling.scene_change import cell_means, is_new_scene, looks_alike

SIZES = [(32, 32), (240, 320), (90, 100), (1080, 37), (10, 300), (1, 1)]


def grey(level, size=(240, 320)):
    """A frame of one grey, (height, width)."""
    return np.full(size, level, np.uint8)


def both_ways(tell, one, other):
    """What is told of two frames, whichever comes first; the same of grey ones and of coloured."""
    told = {
        tell(cell_means(first), cell_means(second))
        for first, second in ((one, other), (other, one))
    } | {tell(cell_means(np.dstack([one] * 3)), cell_means(np.dstack([other] * 3)))}
    (answer,) = told
    return answer


@pytest.mark.parametrize("size", SIZES)
def test_the_means_are_those_of_the_picture_at_any_size(size):
    """Of one grey all are that grey; and each lies where it is in the picture."""
    height, width = size

    assert np.array_equal(cell_means(grey(77, size)), np.full((32, 32), 77, np.float32))
    if min(size) >= 32:
        lit = grey(0, size)
        lit[: height // 2, width // 2 :] = 200
        found = cell_means(lit)
        assert (found[:15, 17:] == 200).all()
        assert not found[17:].any()
        assert not found[:, :15].any()


@pytest.mark.parametrize(("levels", "same"), [(0, True), (2, True), (3, False), (90, False)])
def test_frames_are_alike_where_no_part_differs_by_more_than_two_levels(levels, same):
    """In the whole, or in one of 32 x 32 parts, which may be what moves."""
    one = grey(100)
    whole, part = grey(100 + levels), one.copy()
    part[120:128, 200:220] += levels

    assert both_ways(looks_alike, one, whole) == same
    assert both_ways(looks_alike, one, part) == same


def test_another_scene_is_one_that_differs_by_sixteen_levels_on_average():
    """Lighter, darker, or both in parts; what is small in the picture is no other scene."""
    one = grey(100)
    halves, corner = one.copy(), one.copy()
    halves[:120] += 16
    halves[120:] -= 16
    corner[:40, :40] = 255

    assert both_ways(is_new_scene, one, grey(116))
    assert not both_ways(is_new_scene, one, grey(115))
    assert both_ways(is_new_scene, one, halves)
    assert not both_ways(is_new_scene, one, corner)


def test_of_colours_the_green_is_looked_at():
    """Which is most of what is light in them."""
    green = np.dstack([grey(0), grey(90), grey(0)])

    assert np.array_equal(cell_means(green), cell_means(grey(90)))
