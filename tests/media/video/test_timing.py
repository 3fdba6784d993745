"""Times of frames, due times of samples, and losses."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screener.media.video.timing import Clock, Grid, Losses


def test_time_never_runs_back():
    """A frame without a timestamp is one frame later; if timestamps restart, time continues."""
    clock = Clock(0.5)
    times = [
        clock.advance(stamp) for stamp in (None, None, 2.0, None, 1.9, 3.0, 2.0, 0.0, 0.5, 7.0)
    ]

    assert times == [0.0, 0.5, 2.0, 2.5, 2.5, 3.0, 3.0, 3.5, 4.0, 10.5]


def test_a_frame_may_come_two_milliseconds_early():
    """Containers round times. Steps count from the start, not from the last sample."""
    grid = Grid(1.0)
    times = (0.0, 0.5, 0.997, 0.999, 1.04, 1.996, 1.9985, 2.02, 3.9, 4.1, 4.9)

    assert [time for time in times if grid.takes(time)] == [0.0, 0.999, 1.9985, 3.9, 4.1]


def test_every_frame_is_needed_once_timestamps_have_restarted():
    """Before that, only the first and the last of each step are needed."""
    grid = Grid(1.0)

    def needs(time):
        grid.observe(time)
        return grid.needs(time)

    before = [needs(time) for time in (0.0, 0.9, 0.5, 1.2, 0.7, 1.1, 5.0, 5.5, 5.2)]
    anew = [needs(time) for time in (0.6, 1.3, 6.0, 6.5, 6.2)]

    assert before == [True, True, False, True, False, True, True, True, False]
    assert anew == [True] * 5


def test_joined_pieces_shorter_than_a_second_advance_time():
    """The fourth frame that does not advance time restarts it; one out of order changes nothing."""
    joined = Clock(0.1)
    times = [joined.advance(at / 10) for _ in range(3) for at in range(9)]
    wobbling = Clock(0.1)

    assert times[8::9] == pytest.approx([0.8, 1.7, 2.6])
    assert times == sorted(times)
    assert times[12:18] == pytest.approx([1.2, 1.3, 1.4, 1.5, 1.6, 1.7])
    stamps = (0.0, 0.3, 0.1, 0.2, 0.4, 0.5)
    assert [wobbling.advance(at) for at in stamps] == [0.0, 0.3, 0.3, 0.3, 0.4, 0.5]


def test_a_loss_counts_if_more_than_a_step_is_unseen():
    """It may be between sound frames, at the start or at the end."""
    short, long, end, start, early = (Losses(1.0, 0.1) for _ in range(5))
    for losses, sound_at in ((short, 1.0), (long, 1.1)):
        losses.add_sound_frame(0.0)
        losses.add_loss(0.5)
        losses.add_sound_frame(sound_at)
        losses.end(None)
    end.add_sound_frame(2.0)
    end.add_loss(3.5)
    end.add_loss(2.5)  # in the order of decoding
    end.end(None)
    start.add_loss(0.0)
    start.add_sound_frame(4.0)
    early.add_sound_frame(2.0)
    early.end(3.5)  # more was declared
    for time in (5.0, 9.0):
        long.add_loss(time - 1)
        long.add_sound_frame(time)

    assert short.worst is None
    assert long.worst == (0.0, 1.1)
    assert end.worst == (2.0, 3.6)
    assert start.worst == (0.0, 4.0)
    assert early.worst == (2.0, 3.5)


def test_a_loss_without_effect_is_forgotten():
    """A frame that stays on screen for long afterwards is not a loss."""
    losses = Losses(1.0, 0.1)
    losses.add_sound_frame(0.0)
    losses.add_loss(0.5)
    losses.add_sound_frame(1.0)
    losses.add_sound_frame(9.0)
    losses.end(None)
    assert losses.worst is None

    losses.add_loss(11.0)  # behind what was declared
    losses.end(9.5)
    assert losses.worst == (9.0, 11.1)


def test_a_delayed_frame_does_not_hide_a_later_loss():
    """The decoder may return it after the loss."""
    end, middle = Losses(1.0, 0.1), Losses(1.0, 0.1)
    for losses in (end, middle):
        for time in (0.0, 0.1):
            losses.add_sound_frame(time)
        for time in (0.3, 1.0, 3.0):
            losses.add_loss(time)
        losses.add_sound_frame(0.2)
    end.end(None)
    middle.add_sound_frame(4.0)

    assert end.worst == (0.2, 3.1)
    assert middle.worst == (0.2, 4.0)


def test_losses_of_a_joined_piece_come_after_the_one_before():
    """No frame of it was decoded, so its timestamps still count from its start."""
    clock = Clock(0.5)
    clock.advance(4.0)

    assert [clock.estimate_lost_time(stamp) for stamp in (4.5, None, 0.0, 0.5)] == [
        4.5,
        4.0,
        4.5,
        5.0,
    ]
    assert clock.advance(4.5) == 4.5
    assert clock.advance(0.0) == 5.0
    assert clock.estimate_lost_time(1.0) == 6.0


@given(
    st.lists(st.floats(0, 20), min_size=1, max_size=60, unique=True),
    st.floats(0.1, 3.0),
    st.integers(1, 40),
    st.integers(0, 5),
    st.randoms(use_true_random=False),
)
def test_a_sampled_frame_is_always_decoded(times, every, parts, reach, random):
    """The grid needs every frame that the walk samples, whatever the decoding order."""
    order = sorted(times)
    for at in range(len(order)):
        other = min(at + random.randint(0, reach), len(order) - 1)
        order[at], order[other] = order[other], order[at]
    decoder_grid, taken = Grid(every, parts), Grid(every, parts)

    needed = set()
    for time in order:
        decoder_grid.observe(time)
        needed |= {time} if decoder_grid.needs(time) else set()

    for before, time in itertools.pairwise([None, *sorted(times)]):
        if before is not None and taken.find_missed_due_time(time) is not None:
            assert before in needed
        if taken.takes(time):
            assert time in needed
