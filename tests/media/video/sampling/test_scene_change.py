"""Cell means of frames: which look alike, and which show a new scene."""

import numpy as np
import pytest

from screener.media.video.sampling.scene_change import compute_cell_means, is_alike, is_new_scene

SIZES = [(32, 32), (240, 320), (90, 100), (1080, 37), (10, 300), (1, 1)]


def grey(level, size=(240, 320)):
    """Return a frame of one grey, (height, width)."""
    return np.full(size, level, np.uint8)


def both_ways(question, one, other):
    """Return the answer for two frames in either order, grey and coloured."""
    answers = {
        question(compute_cell_means(first), compute_cell_means(second))
        for first, second in ((one, other), (other, one))
    } | {
        question(
            compute_cell_means(np.dstack([one] * 3)), compute_cell_means(np.dstack([other] * 3))
        )
    }
    (answer,) = answers
    return answer


@pytest.mark.parametrize("size", SIZES)
def test_cell_means_are_right_at_any_size(size):
    """A region stays at its place."""
    height, width = size

    assert np.array_equal(compute_cell_means(grey(77, size)), np.full((32, 32), 77, np.float32))
    if min(size) >= 32:
        lit = grey(0, size)
        lit[: height // 2, width // 2 :] = 200
        found = compute_cell_means(lit)
        assert (found[:15, 17:] == 200).all()
        assert not found[17:].any()
        assert not found[:, :15].any()


@pytest.mark.parametrize(("levels", "same"), [(0, True), (2, True), (3, False), (90, False)])
def test_frames_look_alike_if_no_cell_differs_by_more_than_two_levels(levels, same):
    """One cell may be what moves."""
    one = grey(100)
    whole, part = grey(100 + levels), one.copy()
    part[120:128, 200:220] += levels

    assert both_ways(is_alike, one, whole) == same
    assert both_ways(is_alike, one, part) == same


def test_a_new_scene_differs_by_sixteen_levels_on_average():
    """A small region makes no new scene."""
    one = grey(100)
    halves, corner = one.copy(), one.copy()
    halves[:120] += 16
    halves[120:] -= 16
    corner[:40, :40] = 255

    assert both_ways(is_new_scene, one, grey(116))
    assert not both_ways(is_new_scene, one, grey(115))
    assert both_ways(is_new_scene, one, halves)
    assert not both_ways(is_new_scene, one, corner)


def test_the_green_of_colours_is_compared():
    """It is most of their luminance."""
    green = np.dstack([grey(0), grey(90), grey(0)])

    assert np.array_equal(compute_cell_means(green), compute_cell_means(grey(90)))
