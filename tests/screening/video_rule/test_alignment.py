"""The rule by which a video agrees with a listed one, against a naive implementation.

Titles, dark frames and single pictures must not match.
"""

import numpy as np
import pytest
from clips import clip, moved, near, scenes
from hypothesis import given, settings
from hypothesis import strategies as st

from screener.hashing.video_frames import Frames, sameness
from screener.hashing.vpdq_value import VideoFrame, pack_vpdq
from screener.screening.video_rule.agreement import Rule, compare


def distances(one, other):
    """Return all distances of two sets of codes, the slow way."""
    bits = np.unpackbits(one, axis=1)[:, None, :] != np.unpackbits(other, axis=1)[None, :, :]
    return bits.sum(axis=2)


def joined(*parts):
    """Return clips one after the other, by their own times."""
    return Frames.ordered(
        np.concatenate([one.times for one in parts]),
        np.concatenate([one.qualities for one in parts]),
        np.concatenate([one.codes for one in parts]),
    )


@settings(max_examples=60)
@given(st.data())
def test_counts_equal_those_of_brute_force(data):
    """Frames of too little quality count in neither."""
    pool = scenes(6, seed=1)
    draw = lambda: data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=12))  # noqa: E731
    sides = []
    for seed in (2, 3):
        codes = near(pool[draw()], data.draw(st.sampled_from([0, 10, 15, 16])), seed=seed)
        quality = data.draw(st.lists(st.sampled_from([49, 50, 100]), min_size=12, max_size=12))
        frames = clip(codes)
        sides.append(Frames.ordered(frames.times, np.array(quality[: len(codes)], np.uint8), codes))
    query, listed = sides
    ours, theirs = (one.codes[one.qualities >= 50] for one in sides)

    agreement = compare(query, listed)

    if not len(ours) or not len(theirs):
        assert agreement is None
        return
    agree = distances(ours, theirs) <= 31
    found, agreeing = int(agree.any(0).sum()), int(agree.any(1).sum())
    if agreement is None:
        assert 5 * found < 4 * len(theirs)
        assert 5 * agreeing < 4 * len(ours)
    else:
        counts = (agreement.found, agreement.listed, agreement.agreeing, agreement.usable)
        assert counts == (found, len(theirs), agreeing, len(ours))
        assert agreement.rule is not Rule.WHOLE or 5 * found >= 4 * len(theirs)


@pytest.mark.parametrize(("found", "rule"), [(8, Rule.WHOLE), (7, None)])
def test_four_in_five_of_the_listed_frames_make_a_match(found, rule):
    """Eight of ten in any order do, seven do not."""
    listed = clip(scenes(10, seed=1))
    order = [7, 2, 9, 0, 5, 3, 8, 1][:found]
    query = joined(clip(near(listed.codes[order], 20, seed=2)), clip(scenes(40, seed=3), start=20))

    agreement = compare(query, listed)

    assert (agreement and agreement.rule) == rule


@pytest.mark.parametrize(("bits", "matches"), [(31, True), (32, False)])
def test_the_radius_is_inclusive(bits, matches):
    """A frame agrees at exactly 31 bits, and not at 32."""
    listed = clip(scenes(10, seed=1))

    agreement = compare(clip(near(listed.codes, bits, seed=2)), listed)

    assert (agreement is not None) == matches
    assert not matches or agreement.distance == 31
    film, shown = clip(scenes(60, seed=3)), scenes(30, seed=4)
    shown[10:20] = near(film.codes[20:30], bits, seed=5)
    agreement = compare(clip(shown), film)
    assert (agreement and agreement.rule) == (Rule.RUN if matches else None)


@pytest.mark.parametrize("step", [0.25, 1.0, 2.0])
@pytest.mark.parametrize("listed_step", [1 / 30, 1.0])
def test_ten_seconds_of_a_listed_video_inside_another_are_found_with_both_spans(step, listed_step):
    """Spans are exact to one step of the coarser sampling."""
    film = scenes(60, seed=1)  # a scene a second
    listed = clip(film[(np.arange(0, 60, listed_step)).astype(int)], step=listed_step)
    times = np.arange(0, 40, step)
    shown = scenes(40, seed=2)[times.astype(int)].copy()
    inside = (times >= 12) & (times < 22)
    shown[inside] = film[(times[inside] - 12 + 30).astype(int)]
    query = clip(near(shown, 12, seed=3), step=step)

    agreement = compare(query, listed)

    assert agreement.rule is Rule.RUN
    for span, wanted in ((agreement.input_span, (12, 22)), (agreement.listed_span, (30, 40))):
        assert abs(span[0] - wanted[0]) <= max(step, listed_step)
        assert abs(span[1] - wanted[1]) <= max(step, listed_step) + 0.01
    assert agreement.agreeing == inside.sum()


@pytest.mark.parametrize(
    ("frames", "step", "matches"),
    [(5, 1.0, True), (4, 1.0, False), (3, 2.0, True), (3, 1.8, False), (9, 0.5, False)],
)
@pytest.mark.parametrize("start", [0.0, 0.1])
def test_a_run_lasts_five_seconds(frames, step, matches, start):
    """Each frame adds its step, at most a second."""
    listed = clip(scenes(60, seed=1), step=step)
    codes = scenes(30, seed=2)
    codes[10 : 10 + frames] = listed.codes[40 : 40 + frames]

    agreement = compare(clip(codes, step=step, start=start), listed)

    assert (agreement is not None) == matches


@pytest.mark.parametrize("first", range(30, 36))
def test_a_run_of_five_seconds_may_have_rounded_times(first):
    """vPDQ rounds to the millisecond."""
    listed = clip(scenes(600, seed=1))
    listed.times[:] = np.round(np.arange(600) / 30, 3)
    shown = scenes(400, seed=2)
    shown[first : first + 150] = listed.codes[300:450]
    query = clip(shown)
    query.times[:] = listed.times[:400]

    assert compare(query, listed).rule is Rule.RUN


@pytest.mark.parametrize(
    ("step", "away", "rule"),
    [(2.0, 1.4, Rule.RUN), (2.0, 5.0, Rule.ALIKE), (10.0, 3.5, Rule.RUN), (10.0, 11.5, Rule.ALIKE)],
)
def test_a_frame_agrees_within_a_step_of_its_time(step, away, rule):
    """The step is that of the coarser video, at most five seconds."""
    times = step * np.arange(20)
    listed = clip(scenes(2500, seed=1), step=0.1)
    meant = times + 20 + away * np.tile([0, 1, 0, -1], 5)
    query = clip(listed.codes[np.rint(meant * 10).astype(int)], step=step)

    assert compare(query, listed).rule is rule
    assert compare(listed, query).rule in (rule, Rule.WHOLE)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize(("away", "rule"), [(0.9, Rule.RUN), (2.1, None)])
def test_a_frame_may_lie_a_step_before_the_first_or_behind_the_last(backward, away, rule):
    """Frames further off agree with nothing."""
    film, shown = scenes(40, seed=1), scenes(40, seed=2)
    shown[:5] = film[:5]
    times = np.arange(40.0)
    early = times.copy()
    early[0] -= away
    if backward:
        times, early = -times, -early

    sides = [
        Frames.ordered(early, np.full(40, 100), shown),
        Frames.ordered(times, [100] * 40, film),
    ]

    agreement = compare(*sides)
    assert (agreement and agreement.rule) == rule


@pytest.mark.parametrize("pieces", [(4, 4), (5, 3)])
def test_the_longest_run_of_eight_likely_offsets_is_found(pieces):
    """Seven of them have more agreeing pairs."""
    film = scenes(300, seed=1)
    shown = scenes(200, seed=2)
    for number in range(7):
        for at, length in zip((0, 100), pieces, strict=True):
            at += 10 * number
            shown[at : at + length] = film[at + 11 * number : at + 11 * number + length]
    shown[80:86] = film[290:296]

    agreement = compare(clip(shown), clip(film))

    assert (agreement.rule, agreement.input_span, agreement.listed_span) == (
        Rule.RUN, (80.0, 85.0), (290.0, 295.0)
    )  # fmt: skip


def test_a_run_whose_frames_are_not_quite_in_time_is_found():
    """Eight single offsets have more agreeing pairs."""
    film = scenes(300, seed=1)
    shown = scenes(200, seed=2)
    for number in range(8):
        shown[10 * number : 10 * number + 4] = film[21 * number : 21 * number + 4]
    shown[100:108] = film[280:288]
    listed = clip(film)
    listed.times[280:288] += [-0.7, -0.3, 0.3, 0.7, 0.7, 0.3, -0.3, -0.7]

    agreement = compare(clip(shown), listed)

    assert (agreement.rule, agreement.input_span) == (Rule.RUN, (100.0, 107.0))
    assert agreement.listed_span == pytest.approx((279.3, 286.3))


def test_a_run_is_the_longest_in_time_not_in_frames():
    """Frames may be spread unevenly."""
    film = scenes(300, seed=1)
    shown = scenes(300, seed=2)
    shown[20:70], shown[250:260] = film[20:70], film[250:260]
    times = np.concatenate([0.05 * np.arange(200), 10 + 1.0 * np.arange(100)])
    sides = [Frames.ordered(times, np.full(300, 100), codes) for codes in (shown, film)]

    agreement = compare(*sides)

    assert (agreement.rule, agreement.input_span, agreement.listed_span) == (
        Rule.RUN,
        (60.0, 69.0),
        (60.0, 69.0),
    )


def test_long_videos_are_compared_in_all_their_length():
    """Early and late runs are found at their times."""
    listed = clip(scenes(1000, seed=1))
    shown = scenes(1200, seed=2)
    shown[10:13], shown[1100:1106] = listed.codes[20:23], near(listed.codes[500:506], 20, seed=3)

    agreement = compare(clip(shown), listed)

    assert (agreement.rule, agreement.input_span, agreement.listed_span) == (
        Rule.RUN, (1100.0, 1105.0), (500.0, 505.0)
    )  # fmt: skip
    assert (agreement.found, agreement.agreeing) == (9, 9)


def test_frames_that_are_all_of_one_time_are_compared():
    """They make no run."""
    frames = clip(scenes(6, seed=1), step=0.0)

    assert compare(frames, frames).rule is Rule.WHOLE
    assert compare(frames, clip(scenes(60, seed=1))).rule is Rule.ALIKE


def test_one_frame_in_five_of_a_run_may_differ():
    """Eight of ten make a run of ten seconds, seven do not."""
    listed = clip(scenes(60, seed=1))
    query = scenes(30, seed=2)
    query[10:20] = listed.codes[40:50]
    query[[13, 16]] = scenes(2, seed=3)
    agreement = compare(clip(query), listed)
    assert (agreement.input_span, agreement.listed_span) == ((10.0, 19.0), (40.0, 49.0))

    query[[12, 13, 16, 17]] = scenes(4, seed=4)
    assert compare(clip(query), listed) is None


@settings(max_examples=80)
@given(st.lists(st.booleans(), min_size=8, max_size=40), st.integers(-20, 20))
def test_the_run_is_the_longest_there_is(agree, offset):
    """It equals the best of all starts and ends."""
    listed = clip(scenes(40, seed=1))
    codes = scenes(100, seed=2)
    for place, flag in enumerate(agree):
        if flag:
            codes[place + 30 + offset] = listed.codes[place]
    longest = max(
        (
            last - first + 1
            for first in range(len(agree))
            for last in range(first, len(agree))
            if agree[first]
            and agree[last]
            and 5 * sum(agree[first : last + 1]) >= 4 * (last + 1 - first)
        ),
        default=0,
    )
    agreement = compare(clip(codes), listed)

    if longest >= 5:
        assert agreement.rule in (Rule.RUN, Rule.WHOLE)
        assert agreement.input_span[1] - agreement.input_span[0] + 1 == longest
        assert agreement.input_span[0] - agreement.listed_span[0] == 30 + offset
    else:
        assert agreement is None or agreement.rule is not Rule.RUN


def test_frames_out_of_order_are_no_run():
    """They agree, but at no common offset."""
    listed = clip(scenes(100, seed=1))
    codes = scenes(60, seed=2)
    codes[20:30] = listed.codes[[40, 7, 93, 12, 66, 3, 81, 29, 55, 18]]

    assert compare(clip(codes), listed) is None


# --- what must not be a match


TITLE = scenes(1, seed=50)


def still(code, seconds, *, seed=0, bits=4, quality=100, start=0.0):
    """Return a clip of one picture with small differences, as codecs make them."""
    return clip(
        near(np.repeat(code, seconds, axis=0), bits, seed=seed), quality=quality, start=start
    )


def test_a_title_that_two_videos_share_is_no_match():
    """It is one scene, and fits every offset."""
    listed = joined(still(TITLE, 20), clip(scenes(40, seed=1), start=20))
    query = joined(clip(scenes(30, seed=2)), still(TITLE, 30, seed=9, start=30))

    assert compare(query, listed) is None


def test_a_title_does_not_hide_the_run_behind_it():
    """A minute of one picture agrees at every offset."""
    moving = scenes(10, seed=7)
    listed = joined(still(TITLE, 60), clip(moving, start=60), clip(scenes(60, seed=1), start=70))
    query = joined(
        clip(scenes(33, seed=2)),
        clip(near(moving, 9, seed=3), start=33),
        still(TITLE, 60, start=43),
    )

    agreement = compare(query, listed)

    assert (agreement.rule, agreement.input_span, agreement.listed_span) == (
        Rule.RUN,
        (33.0, 42.0),
        (60.0, 69.0),
    )


@pytest.mark.parametrize("coarse_first", [True, False])
def test_a_title_does_not_hide_the_run_behind_it_at_other_rates(coarse_first):
    """Each frame agrees with hundreds of the other video."""
    film = scenes(50, seed=7)  # five in a second
    coarse = joined(
        clip(np.repeat(TITLE, 30, axis=0), step=2.0),
        clip(scenes(20, seed=8), step=2.0, start=60),
        clip(film[::10], step=2.0, start=100),
    )
    fine = joined(
        clip(np.repeat(film, 2, axis=0), step=0.1, start=40),
        clip(scenes(300, seed=9), step=0.1, start=50),
        clip(np.repeat(TITLE, 600, axis=0), step=0.1, start=80),
    )

    agreement = compare(coarse, fine) if coarse_first else compare(fine, coarse)

    assert agreement.rule is Rule.RUN
    spans = (agreement.input_span, agreement.listed_span)[:: 1 if coarse_first else -1]
    assert spans[0] == (100.0, 108.0)
    assert spans[1] == pytest.approx((40.0, 48.0), abs=0.2)


def photographed():
    """Return a code as varied as a photograph's, and one of a line of text."""
    rows = scenes(16, seed=4)[:, :2]
    text = np.where(np.arange(16)[:, None] % 3 == 0, rows[:1], ~rows[:1])
    return scenes(1, seed=51), np.ascontiguousarray(text).reshape(1, 32)


def test_a_still_listed_video_is_found_again_if_its_picture_is_a_detailed_one():
    """Otherwise, or if it is seen in one frame only, it is `alike`."""
    photo, text = photographed()
    assert sameness(photo)[0] < 0.3 < sameness(text)[0]
    dark = clip(scenes(8, seed=6), quality=3, start=20)
    other = clip(scenes(50, seed=2), start=100)

    def rule(query, listed):
        return compare(query, listed).rule

    assert rule(still(photo, 20, seed=1), still(photo, 21)) is Rule.WHOLE
    assert rule(joined(still(photo, 10, seed=1), other), still(photo, 20)) is Rule.WHOLE
    assert rule(still(text, 20, seed=1), still(text, 20)) is Rule.ALIKE
    assert rule(joined(still(text, 10, seed=1), other), still(text, 20)) is Rule.ALIKE
    assert rule(still(photo, 20, seed=1, bits=13), still(photo, 20, bits=13)) is Rule.ALIKE
    assert rule(still(photo, 20, seed=1, quality=79), still(photo, 20)) is Rule.ALIKE
    assert rule(still(photo, 20, seed=1, quality=80), still(photo, 20, quality=80)) is Rule.WHOLE
    assert (
        rule(joined(still(photo, 20, seed=1), dark), joined(still(photo, 20), dark)) is Rule.ALIKE
    )
    assert rule(still(photo, 1), still(photo, 20)) is Rule.ALIKE


@pytest.mark.parametrize("bits", [0, 3, 6, 8, 12])
@pytest.mark.parametrize("last", [False, True])
def test_a_noisy_title_is_no_match_whatever_is_beside_it(bits, last):
    """It is four fifths of the listed video; the other frames do not agree."""
    _, text = photographed()
    parts = []
    for seed, others in ((1, scenes(1, seed=9)), (2, scenes(7, seed=8))):
        title = near(np.repeat(text, 4, axis=0), bits, seed=seed)
        parts.append(clip(np.concatenate((others, title) if last else (title, others))))
    listed, query = parts

    agreement = compare(query, listed)

    assert (agreement.rule, agreement.found, agreement.listed) == (Rule.ALIKE, 4, 5)


@pytest.mark.parametrize(("bits", "rule"), [(36, Rule.WHOLE), (62, Rule.WHOLE), (64, Rule.ALIKE)])
def test_a_frame_just_beyond_the_radius_still_identifies_the_video(bits, rule):
    """A frame that cannot be of the same picture does not."""
    still, other = scenes(2, seed=5)
    still_frames = near(np.repeat(still[None], 6, axis=0), 6, seed=6)
    listed = clip(np.concatenate((still_frames, other[None])))
    again = near(still_frames, 22, seed=7), near(other[None], bits, seed=8)
    query = clip(np.concatenate(again))

    agreement = compare(query, listed)

    assert (agreement.rule, agreement.found, agreement.listed) == (rule, 6, 7)


@pytest.mark.parametrize("shown", [[0, 1], [1, 0, 1], [0, 0]])
def test_photographs_that_are_most_of_a_listed_video_are_the_whole(shown):
    """A scene of two or three may be missing."""
    photos = scenes(12, seed=5)
    listed = clip(photos[[0, max(shown), 0, max(shown), 2]])
    query = joined(clip(near(photos[shown], 4, seed=6)), clip(photos[3:], start=9.0))

    agreement = compare(query, listed)

    assert (agreement.rule, agreement.found, agreement.listed) == (Rule.WHOLE, 4, 5)


def test_noise_makes_no_scenes_of_one_picture():
    """Noisy frames of one picture are as near to each other's copies; two pictures are not."""
    photo, _ = photographed()
    noisy = [clip(near(np.repeat(photo, 10, axis=0), 16, seed=seed)) for seed in (1, 2)]
    assert distances(noisy[1].codes, noisy[1].codes).max() > 31
    assert compare(*noisy).rule is Rule.ALIKE

    two = np.concatenate([photo, near(photo, 40, seed=3)])
    copies = [clip(near(np.repeat(two, 5, axis=0), 4, seed=seed)) for seed in (4, 5)]
    assert compare(*copies).rule is Rule.WHOLE


def test_most_frames_have_to_be_nearer_to_their_own():
    """Three of ten are not enough."""
    listed = moved(*(range(6 * number, 6 * number + 6) for number in range(10)))
    query = moved(*({*range(6 * n, 6 * n + 6), 200} if n < 3 else {200} for n in range(10)))

    assert compare(clip(query, quality=60), clip(listed, quality=60)).rule is Rule.ALIKE
    assert compare(clip(listed, quality=60), clip(listed, quality=60)).rule is Rule.WHOLE


@pytest.mark.parametrize("bits", [12, 32])
def test_frames_that_come_again_are_not_nearer_to_their_own(bits):
    """Two pictures alternate."""
    blinking = clip(np.tile(moved((), range(bits)), (10, 1)), quality=60)

    assert compare(blinking, blinking).rule is Rule.ALIKE


@pytest.mark.parametrize(("count", "rule"), [(2, None), (3, Rule.RUN)])
def test_a_run_shows_three_scenes(count, rule):
    """A title and a notice behind it are in many videos."""
    shown = np.repeat(scenes(count, seed=1), 12 // count, axis=0)
    sides = [
        joined(clip(near(shown, 4, seed=seed)), clip(scenes(50, seed=seed), start=20))
        for seed in (2, 3)
    ]

    agreement = compare(*sides)

    assert (agreement and agreement.rule) == rule


def test_the_distance_of_a_run_is_that_of_the_frames_that_agree():
    """It is their median."""
    film = scenes(60, seed=1)
    shown = scenes(40, seed=2)
    for second, bits in enumerate((2, 4, 6, 8, None, None, 10, 12, 14, 16)):
        if bits is not None:
            shown[10 + second] = near(film[30 + second : 31 + second], bits, seed=second)[0]

    agreement = compare(clip(shown), clip(film))

    assert (agreement.rule, agreement.distance, agreement.agreeing) == (Rule.RUN, 8, 8)
    assert (agreement.input_span, agreement.listed_span) == ((10.0, 19.0), (30.0, 39.0))


def test_footage_that_hardly_moves_is_found_within_few_bits():
    """Each frame is nearest to its own; beyond few bits it proves nothing."""
    one = np.repeat(scenes(1, seed=7), 40, axis=0)
    listed = clip(near(one, 9, seed=8))
    assert distances(listed.codes, listed.codes).max() <= 31
    query = scenes(30, seed=2)
    query[10:20] = near(listed.codes[20:30], 2, seed=3)
    agreement = compare(clip(query), listed)
    assert (agreement.rule, agreement.input_span, agreement.listed_span) == (
        Rule.WHOLE,
        (10.0, 19.0),
        (20.0, 29.0),
    )

    query[10:20] = near(one[:10], 6, seed=3)
    assert compare(clip(query), listed).rule is Rule.ALIKE


@pytest.mark.parametrize(
    ("frames", "bits", "rule"),
    [
        (5, 4, Rule.WHOLE),
        (5, 2, Rule.ALIKE),
        (5, 0, Rule.ALIKE),
        (3, 6, Rule.WHOLE),
        (2, 12, Rule.ALIKE),
    ],
)
def test_a_slow_change_makes_the_whole(frames, bits, rule):
    """Three or more frames are nearest to their own; two are not one picture."""
    listed = moved(*(range(bits * number) for number in range(frames)))
    query = moved(*({*range(bits * number), 200} for number in range(frames)))

    assert compare(clip(query, quality=60), clip(listed, quality=60)).rule is rule


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("bits", "rule"), [(17, Rule.RUN), (15, None)])
def test_frames_of_little_detail_keep_time_within_the_radius(turned, bits, rule):
    """Those of each side must be a radius apart."""
    blocks = [range(17 * number, 17 * number + 17) for number in range(10)]
    one = moved(*blocks)
    other = moved(*({*block[:bits], *range(200, 212)} for block in blocks))
    sides = [
        joined(clip(codes, quality=60), clip(scenes(50, seed=seed), start=20))
        for seed, codes in enumerate((one, other))
    ]

    agreement = compare(*(sides[::-1] if turned else sides))

    assert (agreement and agreement.rule) == rule


@pytest.mark.parametrize(("copies", "rule"), [(19, Rule.RUN), (15, Rule.ALIKE)])
def test_frames_keep_time_if_others_are_not_half_as_near(copies, rule):
    """Nine bits from its own, a frame must be 18 from all others."""
    listed = moved(*(range(8 * number, 8 * number + 8) for number in range(10)))
    query = near(listed, 9, seed=3)
    elsewhere = near(query, copies, seed=4)
    film = joined(
        clip(listed, quality=60),
        clip(scenes(20, seed=8), start=15),
        clip(elsewhere[::-1], start=60, quality=60),
    )

    agreement = compare(clip(query, quality=60), film)

    assert agreement.rule is rule
    assert rule is Rule.ALIKE or agreement.listed_span == (0.0, 9.0)


def test_footage_that_hardly_moves_is_found_at_its_own_offset_among_many():
    """All offsets fit within the radius, only one within few bits."""
    one = np.repeat(scenes(1, seed=7), 120, axis=0)
    listed = clip(near(one, 9, seed=8))
    query = scenes(30, seed=2)
    query[10:20] = near(listed.codes[70:80], 2, seed=3)

    agreement = compare(clip(query), listed)

    assert (agreement.input_span, agreement.listed_span) == ((10.0, 19.0), (70.0, 79.0))


@pytest.mark.parametrize("first", [True, False])
def test_a_run_before_or_behind_a_longer_title_is_found(first):
    """Both have the same offset."""
    title, shown = np.repeat(scenes(1, seed=9), 30, axis=0), scenes(8, seed=4)
    sides = []
    for seed in (5, 6):
        parts = [shown, scenes(30, seed=seed), title]
        sides.append(clip(np.concatenate(parts if first else parts[::-1])))

    agreement = compare(*sides)

    span = (0.0, 7.0) if first else (60.0, 67.0)
    assert (agreement.rule, agreement.input_span, agreement.listed_span) == (Rule.RUN, span, span)


def test_blank_frames_agree_with_nothing():
    """Their quality is low, or their hash is that of a blank picture."""
    listed = clip(scenes(10, seed=1), quality=49)
    assert compare(listed, listed) is None
    blank = clip(np.zeros((10, 32), np.uint8))
    assert compare(blank, blank) is None


def test_hashes_of_blank_pictures_have_few_bits_set_or_few_unset():
    """The bound is a sixteenth of all bits."""
    weights = [0, 15, 16, 128, 240, 241, 256]
    codes = np.packbits([[1] * weight + [0] * (256 - weight) for weight in weights], axis=1)

    usable = clip(codes).usable()

    assert np.bitwise_count(usable.codes).sum(axis=1).tolist() == [16, 128, 240]


def test_sameness_is_that_of_rows_or_of_columns_whichever_is_more():
    """It equals a count over each pair."""
    rng = np.random.default_rng(1)
    tables = [rng.integers(0, 2, (16, 16)) for _ in range(20)]
    tables[0][:] = tables[0][0]

    def alike(rows):
        pairs = [(one, other) for one in range(16) for other in range(one)]
        equal = [int((rows[one] == rows[other]).sum()) for one, other in pairs]
        return sum(abs(2 * count - 16) for count in equal) / 16 / len(pairs)

    found = sameness(np.packbits(np.array(tables).reshape(-1, 256), axis=1))

    assert found == pytest.approx([max(alike(one), alike(one.T)) for one in tables])
    assert found[0] == 1
    assert {alike(one) > alike(one.T) for one in tables[1:]} == {True, False}


def test_a_picture_of_a_listed_video_is_alike_and_no_match():
    """All of the input agrees, but little of the video."""
    listed = clip(scenes(30, seed=1))

    agreement = compare(clip(near(listed.codes[4:5], 6, seed=2)), listed)

    assert (agreement.rule, agreement.found, agreement.agreeing, agreement.distance) == (
        Rule.ALIKE,
        1,
        1,
        6,
    )
    assert (agreement.input_span, agreement.listed_span) == ((0.0, 0.0), (4.0, 4.0))


def test_long_still_videos_take_neither_minutes_nor_gigabytes():
    """An hour of one picture at four frames a second is compared with itself."""
    hour = still(scenes(1, seed=8), 14_400)

    assert compare(hour, hour).rule is Rule.WHOLE


# --- real footage, whose hashes others made


def read(path, every=1, first=0):
    """Return a file of the reference hashes, every n-th frame."""
    lines = [line.split(",") for line in path.read_text().split()][first::every]
    codes = np.array([np.frombuffer(bytes.fromhex(line[2]), np.uint8) for line in lines])
    return Frames.ordered([float(x[3]) for x in lines], [int(x[1]) for x in lines], codes)


def test_reference_videos_match_themselves_hashed_small_and_no_other(material):
    """Different videos are not even `alike`."""
    names = sorted(
        path.name for path in (material / "vpdq").glob("*.txt") if "128" not in path.name
    )
    for one in names:
        for other in names:
            small = other.replace(".txt", "-128x128.txt")
            against = small if (material / "vpdq" / small).exists() else other
            for rates in ((30, 30), (1, 30), (30, 1)):
                agreement = compare(
                    read(material / "vpdq" / one, rates[0]),
                    read(material / "vpdq" / against, rates[1]),
                )
                assert (agreement is not None) == (one == other), (one, other, rates)
                if agreement is not None and rates[0] == rates[1]:
                    assert agreement.rule is Rule.WHOLE


def test_frames_are_sorted_by_time():
    """Their hashes move with them."""
    codes = scenes(4, seed=1)
    made = Frames.ordered([3.0, 0.5, 2.0, 0.5], [10, 20, 30, 40], codes, [7, 4, 6, 5])
    value = pack_vpdq(
        VideoFrame(0, time, quality, code.tobytes())
        for time, quality, code in zip((3.0, 0.5, 2.0, 0.5), (10, 20, 30, 40), codes, strict=True)
    )

    for one in (made, Frames.of_value(value)):
        assert one.times.tolist() == [0.5, 0.5, 2.0, 3.0]
        assert one.qualities.tolist() == [20, 40, 30, 10]
        assert np.array_equal(one.codes, codes[[1, 3, 2, 0]])
    assert made.places.tolist() == [4, 5, 6, 7]
    assert Frames.ordered([0, 2, 2, 3, 40], [9] * 5, scenes(5, seed=1)).step == 2.0  # their median


@pytest.mark.parametrize("last", [False, True])
def test_several_hashes_of_one_frame_are_one_frame(last):
    """The hash that agrees counts, wherever it is."""
    listed = clip(scenes(600, seed=1), step=0.1)
    shown = scenes(40, seed=2)
    shown[10:20] = listed.codes[300:400:10]
    guesses = scenes(80, seed=3)
    order = slice(None, None, -1 if last else 1)
    frames = np.concatenate([np.arange(40), np.repeat(np.arange(40), 2)])[order]
    codes = np.concatenate([shown, guesses])[order]
    query = Frames.ordered(frames, np.full(120, 100), codes, frames)

    agreement = compare(query, listed)

    assert (agreement.rule, agreement.agreeing, agreement.usable) == (Rule.RUN, 10, 40)
    assert (agreement.input_span, agreement.listed_span) == ((10.0, 19.0), (30.0, 39.0))
