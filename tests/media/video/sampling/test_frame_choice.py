"""Which frames of a track are sampled."""

import contextlib
import itertools
from functools import partial

import numpy as np
import pytest
from drawn_videos import clip, held, panned, shown_for
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sampled_frames import frames_of, near, reason_of

from screener import Verdict
from screener.errors import MediaError
from screener.media.files import allowance
from screener.media.files.limits import Limits
from screener.media.video import frames as video
from screener.media.video.decoders.stream import DecodedFrame
from screener.media.video.sampling import frame_choice
from screener.media.video.sampling.settings import Sampling
from screener.media.video.timing import Grid


def test_one_frame_a_second_is_sampled_from_the_first_on(decoder, scene, moving):
    """Samples are at 0, 1, 2 and 3 s, numbered as in the file, and show what was drawn for their
    times.
    """
    drawn = panned(scene, 5, 40)

    frames = frames_of(moving)

    assert [frame.time for frame in frames] == [0.0, 1.0, 2.0, 3.0]
    assert [frame.part for frame in frames] == [0, 10, 20, 30]
    assert all(frame.pixels.shape == (240, 320) for frame in frames)
    assert all(near(frame.pixels, drawn[frame.part]) <= 10 for frame in frames)


def test_sampling_goes_by_time_if_the_frame_rate_varies(decoder, scene):
    """The frame on screen at each due time is sampled once, and so is the next."""
    times = [number / 10 for number in range(10)] + [1.2, 5.0, 9.7]
    data = clip(panned(scene, 6, 13), times=times)

    frames = frames_of(data)

    assert [frame.part for frame in frames] == [0, 9, 10, 11, 12]
    assert [frame.time for frame in frames] == pytest.approx([0.0, 1.0, 1.2, 5.0, 9.7], abs=0.002)


# Times of frames, and which of them shows the listed picture.
PAUSES = {
    "from 4.1 s to the end of an hour": ([*(number / 10 for number in range(42)), 3600.0], 41),
    "9.9 of 10 seconds": ([0.0, 0.1, 10.0, 10.1], 1),
    "in the middle": ([0.0, 0.2, 9.9, 10.1, 10.2], 1),
    "over a due time, for less than a step": ([0.0, 0.1, 0.2, 0.3, 0.4, 1.3, 1.4], 4),
}


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize(
    ("codec", "container", "options"),
    [
        ("libx264", "mp4", {}),
        ("libx264", "mp4", {"preset": "medium", "bf": "3"}),
        ("libx264", "mp4", {"movflags": "frag_keyframe+empty_moov"}),
        ("libx264", "matroska", {"preset": "medium", "bf": "3"}),
        ("libvpx", "webm", {}),
        ("libvpx", "webm", {"live": "1"}),
        ("libx264", "mpegts", {}),
        ("libx264", "flv", {}),
        ("wmv2", "asf", {}),
    ],
)
def test_a_still_among_quick_frames_is_sampled(decoder, scene, codec, container, options, pause):
    """Screen recordings look like this.

    Its time is when it was on screen, in every mode and container.
    """
    times, place = PAUSES[pause]
    pictures = panned(scene, 6, len(times), size=(160, 120))
    pictures[place] = scene(2, (160, 120))
    data = clip(pictures, times=times, rate=30, codec=codec, container=container, **options)

    for sampling in ({}, {"mode": "frames"}, {"against_videos": True}):
        frames = []
        with contextlib.suppress(MediaError):  # where edit lists leave frames out, of OpenCV
            frames.extend(video.open(data, sampling=Sampling(**sampling)).frames())
        frames = [one for one in frames if one.part_kind == "frame"]
        found = [one for one in frames if near(one.pixels, pictures[place]) <= 31]

        assert {one.part for one in found} == {place}, sampling
        assert all(times[place] - 0.01 <= one.time < times[place + 1] for one in found)


@pytest.mark.parametrize(
    ("codec", "container"),
    [
        ("libx264", "mp4"), ("libx264", "mov"), ("libx264", "matroska"), ("libvpx", "webm"),
        ("libx264", "flv"), ("wmv2", "asf"), ("mpeg4", "avi"), ("libvpx", "ogg"),
    ],
)  # fmt: skip
def test_the_last_frame_is_sampled_if_it_stays(decoder, scene, codec, container):
    """It is not sampled if the file ends before the next due time."""
    pictures = [scene(1, (160, 120))] * 45 + [scene(2, (160, 120))]
    data = clip(pictures, codec=codec, container=container)
    stays = held(data, 15.5, container=container)

    last = []
    with contextlib.suppress(MediaError):  # OpenCV cannot tell it from an end that is missing
        last.extend(video.open(stays).frames())

    assert near(frames_of(data)[-1].pixels, pictures[0]) <= 31
    assert near(last[-1].pixels, pictures[-1]) <= 31
    assert (last[-1].part, last[-1].time) == (45, pytest.approx(5.0, abs=0.01))


def test_the_last_frame_is_sampled_if_its_duration_is_unknown(decoder, scene):
    """Browser recordings do not declare it."""
    pictures = [scene(1, (160, 120))] * 45 + [scene(2, (160, 120))]
    data = clip(pictures, codec="libvpx", container="webm", live="1")

    assert near(frames_of(data)[-1].pixels, pictures[-1]) <= 31


class Shown:
    """A stream that shows frames at `times` up to `until`; only the `needed` ones, if given."""

    frame_seconds, length, ends, duration = 0.04, (None, 0), None, None

    def __init__(self, times, until, needed=None):
        self.times, self.shown_until, self.needed = times, until, needed

    def steps(self):
        """Yield each frame, one pixel of its number."""
        passed = None
        for number, time in enumerate(self.times):
            if self.needed is not None and number not in self.needed:
                passed = time if passed is None else passed
                continue
            pixels = partial(np.full, (1, 1), number % 256, np.uint8)
            yield DecodedFrame(
                number, time, pixels, pixels, skipped_seconds=0 if passed is None else time - passed
            )
            passed = None


def sampled(shown, **sampling):
    """Return the numbers of the frames that are sampled."""
    settings = Sampling(distinct=False, **sampling)
    one = frame_choice.FrameChoice(shown, Limits(), settings, allowance.Allowance(), 0)
    return [frame.part for frame in one.choose_frames()]


@given(
    st.lists(st.sampled_from([0.01, 0.04, 0.2, 0.3, 0.7, 1.0, 2.5, 9.0]), min_size=1, max_size=40),
    st.sampled_from([0.5, 1.0]),
    st.sampled_from(["seconds", "frames"]),
)
def test_whatever_is_shown_for_a_step_is_sampled(gaps, every, mode):
    """There are at most two samples a step, and frames that are not decoded make no difference."""
    *times, until = (float(time) for time in itertools.accumulate([0.0, *gaps]))
    shown = Shown(times, until)

    looked = sampled(shown, every=every, mode=mode)

    before = [-1, *looked], [*looked, len(times)]
    for last, after in zip(*before, strict=True):
        if after - last > 1:
            ends = times[after] if after < len(times) else until
            assert ends - times[last + 1] < every + 0.01
    if mode == "seconds":
        assert len(looked) <= 2 * (until / every + 1)
        grid, needed = Grid(every), set()
        for number, time in enumerate(times):
            grid.observe(time)
            if number and grid.needs(times[number - 1]):
                needed.add(number - 1)
        assert sampled(Shown(times, until, needed | {len(times) - 1}), every=every) == looked


@pytest.mark.parametrize("rate", [3, 7, 10, 12.5, 15, 24000 / 1001, 25, 30000 / 1001, 50, 60])
@pytest.mark.parametrize("every", [0.125, 0.5, 1.0])
def test_a_constant_frame_rate_has_one_sample_a_step(rate, every):
    """This holds even if no frame is at a due time, and with times in milliseconds."""
    times = [round(number / rate, 3) for number in range(round(rate * 60))]

    looked = sampled(Shown(times, 60.0), every=every)

    assert len(looked) <= 60 / every


def test_all_samples_every_frame(decoder, moving):
    """With `distinct` off, equal frames count too."""
    frames = frames_of(moving, mode="all", distinct=False)

    assert [frame.part for frame in frames] == list(range(40))


def test_equal_neighbours_are_one_frame(decoder, scene):
    """It has all their times; each time has the pixels that are decoded there."""
    data = clip(shown_for(scene, seconds=[(1, 5), (2, 2), (1, 1)]), crf="0")

    frames = frames_of(data)

    assert [(frame.time, frame.again) for frame in frames] == [
        (0.0, (1.0, 2.0, 3.0, 4.0)),
        (5.0, (6.0,)),
        (7.0, ()),
    ]
    data = clip(shown_for(scene, seconds=[(1, 5), (2, 2), (1, 1)]))
    frames = frames_of(data)

    every = {frame.time: frame.pixels for frame in frames_of(data, distinct=False)}
    assert [time for frame in frames for time in (frame.time, *frame.again)] == list(every)
    for frame in frames:
        assert all((every[time] == frame.pixels).all() for time in (frame.time, *frame.again))


def test_slowly_changing_frames_are_all_yielded(scene):
    """Each hardly differs from the one before, but may match."""
    one, other = scene(1), scene(2)
    data = clip([Image.blend(one, other, step / 100) for step in range(101)], rate=1)

    given = frames_of(data)
    every = frames_of(data, distinct=False)

    assert sum(len(frame.again) + 1 for frame in given) == len(every) == 101
    assert len(given) > 90


@pytest.mark.parametrize("scenes", [False, True])
def test_a_flash_between_samples_is_found_with_scenes(decoder, scene, engine_of, scenes):
    """A listed picture is shown for a fifth of a second."""
    data = clip(shown_for(scene, seconds=[(1, 2.4), (2, 0.2), (1, 2.4)]))
    engine = engine_of({"flash": scene(2)}, sampling=Sampling(scenes=scenes))

    result = engine.screen(data)

    assert result.verdict == (Verdict.MATCH if scenes else Verdict.NO_MATCH)
    if scenes:
        assert result.matches[0].time == pytest.approx(2.4)


@pytest.mark.parametrize(
    ("limits", "reason", "frames"),
    [
        (Limits(duration=1), "too_large", 2),
        (Limits(samples=3), "too_large", 3),
        (Limits(pixels=320 * 240 - 1), "too_large", 0),
        (Limits(), None, 4),
    ],
)
def test_decoding_stops_at_a_limit(decoder, moving, limits, reason, frames):
    """Earlier frames are yielded, then the reason is raised."""
    assert reason_of(moving, limits=limits, sampling=Sampling()) == (reason, frames)


def test_decoding_stops_when_its_time_is_over(decoder, moving):
    """The reason is `timeout`."""
    assert reason_of(moving, seconds=1e-9)[0] == "timeout"


def test_all_joined_clips_shorter_than_a_second_are_sampled(scene, engine_of):
    """Each restarts its timestamps; a picture in the last one is found."""
    piece = clip([scene(20, (200, 150))] * 9, container="mpegts", bf="2")
    last = clip([scene(1, (200, 150))] * 9, container="mpegts")

    result = engine_of({"bad": scene(1, (200, 150))}).screen(piece * 4 + last)

    assert [match.entry for match in result.matches] == ["bad"]
    # Four times as often for four seconds, as it says 0.9; and what is on screen between pieces.
    assert 17 <= result.media.samples <= 25
    assert result.matches[0].time == pytest.approx(4.0, abs=0.31)
