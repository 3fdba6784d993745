"""How many scenes frames show: to one bit, on either side of each bound."""

import numpy as np
import pytest
from clips import clip, moved, scenes

from screener.hashing.video_frames import sameness
from screener.screening.video_rule.scenes import count_common_scenes, count_scenes

# Bits in which pictures differ from the plain one, and 40 to 60 from each other.
A, B, C = range(40), range(20, 60), {*range(10), *range(20, 30), *range(60, 80)}


def lines(*bits):
    """Return codes with the rows of a line of text, except for their first bits."""
    rows = scenes(16, seed=4)[:, :2]
    text = np.where(np.arange(16)[:, None] % 3 == 0, rows[:1], ~rows[:1]).reshape(1, 32)
    table = np.tile(np.unpackbits(text, axis=1), (len(bits), 1))
    places = np.random.default_rng(8).permutation(256)
    for row, count in enumerate(bits):
        table[row, places[:count]] ^= 1
    return np.packbits(table, axis=1)


@pytest.mark.parametrize(
    ("codes", "quality", "count"),
    [
        (moved((), (), ()), 100, 1),
        (moved((), range(31)), 80, 1),
        (moved((), range(32)), 80, 2),
        (moved((), range(32)), 79, 1),
        (moved((), range(62)), 79, 1),
        (moved((), range(63)), 79, 2),
        (moved((), A, range(5), A, B), 80, 3),
        (moved((), A, B), 79, 1),
        (scenes(9, seed=1), 60, 3),
        (lines(0, 62), 100, 1),
        (lines(0, 63), 100, 2),
    ],
)
def test_scenes_are_further_apart_than_two_frames_of_one_picture_can_be(codes, quality, count):
    """That is twice the radius, or the radius with much detail; three are enough."""
    assert count_scenes(clip(codes, quality=quality), 31) == count


def test_lines_of_text_have_to_be_twice_as_far_apart():
    """The bound of sameness is 0.36."""
    likeness = sameness(lines(*range(110)))
    above = int(np.flatnonzero(likeness > 0.36).max())
    below = above + 1
    assert likeness[above] - likeness[below] < 0.02
    assert likeness[below + 1 :].max() < 0.36

    assert count_scenes(clip(lines(below, below + 40)), 31) == 2
    assert count_scenes(clip(lines(above, above + 40)), 31) == 1


@pytest.mark.parametrize(
    ("ours", "theirs", "count"),
    [
        # As near as frames of one video made anew are; in any order, and however often.
        (((), A), ((), A), 2),
        (({*A, 90}, {91}, {92}), ({93}, A, {*A, 94}), 2),
        (((), A, B), (B, A, ()), 3),
        (((), A, B, C), (C, B, A, ()), 3),
        (({90}, (), A, B), ((), A, B), 3),
        # The pictures of one side alone are none that both show.
        (((), A), ((),), 1),
        (((),), ((), A), 1),
        # Just beyond the radius from each other, theirs and ours.
        (((), range(32)), ((), range(32)), 2),
        (((), range(31)), ((), range(32)), 1),
        ((range(80, 85), {*range(31), 90}), ((), range(31)), 1),
        # What agrees is within the radius.
        ((range(80, 111), range(62)), ((), range(62)), 2),
        ((range(80, 112), range(62)), ((), range(62)), 1),
        # To its own there are 20 bits, to the other picture 26, or one less.
        (({*range(15), *range(80, 85)}, {*range(15, 36), *range(90, 95)}), ((), range(36)), 2),
        (({*range(15), *range(80, 85)}, {*range(15, 35), *range(90, 95)}), ((), range(35)), 1),
        # The further of the two from its own, and the nearer to the other, decide.
        ((range(24), range(56)), ((), range(56)), 2),
        ((range(25), range(57)), ((), range(57)), 1),
        (((), range(24, 56)), ((), range(56)), 2),
        (((), range(25, 57)), ((), range(57)), 1),
    ],
)
def test_agreeing_frames_are_scenes_if_each_is_much_nearer_to_its_own(ours, theirs, count):
    """The bound is 1.3 times, for detailed frames."""
    ours, theirs = moved(*map(tuple, ours)), moved(*map(tuple, theirs))

    assert count_common_scenes(clip(ours), clip(theirs), 31) == count
    assert count_common_scenes(clip(ours, quality=79), clip(theirs), 31) == 1
    assert count_common_scenes(clip(ours), clip(theirs, quality=79), 31) == 1


def test_agreeing_frames_show_the_scenes_of_the_side_with_fewer():
    """Beyond twice the radius, detail does not matter."""
    one, two, three = (clip(scenes(3, seed=1)[:count], quality=60) for count in (1, 2, 3))

    assert [count_common_scenes(two, other, 31) for other in (one, two, three)] == [1, 2, 2]
    assert [count_common_scenes(other, two, 31) for other in (one, two, three)] == [1, 2, 2]
    assert count_common_scenes(three, three, 31) == 3
    for bits, count in ((62, 1), (63, 2)):
        both = clip(moved((), range(bits)), quality=60)
        assert count_common_scenes(both, both, 31) == count
