"""Videos: which frames are looked at and when, and one typed reason for whatever else is met."""

import contextlib
import gc
import hashlib
import io
import itertools
import json
import re
import struct
import subprocess
import sys
import threading
import tomllib
from fractions import Fraction
from functools import partial
from time import process_time, thread_time
from types import SimpleNamespace

import av
import numpy as np
import pytest
from collected_at_once import none_collected
from drawn_videos import blank, clip, held, jpegs, panned, shown_for, sound, turned_by
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from paths import REPOSITORY
from PIL import Image

from screener import Policy, Screener, Verdict
from screener.errors import MediaError
from screener.hashing import pdq
from screener.media import opening
from screener.media.files import allowance
from screener.media.files.limits import Limits
from screener.media.video import frames as video
from screener.media.video.containers import integrity
from screener.media.video.decoders.pyav import AvStream
from screener.media.video.decoders.stream import DecodedFrame
from screener.media.video.sampling import walk
from screener.media.video.sampling.bars import Bars
from screener.media.video.sampling.rules import Sampling
from screener.media.video.timing import Clock, Grid, Losses
from screener.system import installation

SCHEMA = REPOSITORY / "docs" / "result.schema.json"


@pytest.fixture
def with_opencv(monkeypatch):
    """As where PyAV is not installed."""
    monkeypatch.setattr(video, "_has_pyav", lambda: False)


@pytest.fixture(scope="session")
def moving(scene):
    """Four seconds of a camera that moves, at ten frames a second."""
    return clip(panned(scene, 5, 40))


@pytest.fixture
def engine_of(make_list):
    """Makes a Screener whose list holds pictures by name."""

    made = []

    def make(pictures, **settings):
        rows = [
            {"id": name, "pdq": pdq.compute(np.asarray(picture)).text, "status": "active"}
            for name, picture in pictures.items()
        ]
        name = f"known{len(made)}"
        made.append(name)
        return Screener(make_list(rows, name=name), policy=Policy(**settings))

    return make


def frames_of(data, **sampling):
    """The frames that are looked at."""
    return list(video.open(data, sampling=Sampling(**sampling)).frames())


def reason_of(data, **settings):
    """The reason why a walk over the frames ends early, and how many frames came before."""
    count = 0
    try:
        for _ in video.open(data, **settings).frames():
            count += 1
    except MediaError as error:
        return error.reason, count
    return None, count


def near(pixels, picture):
    """Bits between the hash of some pixels and that of a picture."""
    return pdq.compute(pixels).distance(pdq.compute(np.asarray(picture)))


def test_a_frame_a_second_is_looked_at_the_first_included(decoder, scene, moving):
    """At 0, 1, 2 and 3 s; numbered as in the file; and each shows what was drawn for its time."""
    drawn = panned(scene, 5, 40)

    frames = frames_of(moving)

    assert [frame.time for frame in frames] == [0.0, 1.0, 2.0, 3.0]
    assert [frame.part for frame in frames] == [0, 10, 20, 30]
    assert all(frame.pixels.shape == (240, 320) for frame in frames)
    assert all(near(frame.pixels, drawn[frame.part]) <= 10 for frame in frames)


def test_both_decoders_give_the_same_grey(moving, monkeypatch):
    """To a level or two, on every frame, and the same hash to a few bits."""
    by_pyav = frames_of(moving, mode="all", distinct=False)
    monkeypatch.setattr(video, "_has_pyav", lambda: False)
    by_opencv = frames_of(moving, mode="all", distinct=False)

    assert [f.time for f in by_pyav] == pytest.approx([f.time for f in by_opencv])
    for one, other in zip(by_pyav, by_opencv, strict=True):
        assert np.abs(one.pixels.astype(int) - other.pixels).mean() < 2
        assert near(one.pixels, other.pixels) <= 6


@pytest.mark.parametrize("error", [ImportError, OSError, RuntimeError])
def test_an_extra_that_cannot_be_loaded_is_not_here(monkeypatch, error):
    """Whatever it raises: it is missing, or broken."""

    def fails(name):
        raise error(name)

    monkeypatch.setattr(installation, "import_module", fails)
    installation.is_here.cache_clear()
    try:
        assert not installation.is_here("heif")
    finally:
        installation.is_here.cache_clear()


@pytest.mark.parametrize("version", ["17.1.0", "20.0.0"])
def test_a_pyav_of_another_version_is_as_none(moving, monkeypatch, version):
    """Its calls are others: OpenCV decodes, and the extra, which asks for 18 or 19, is named."""
    settings = tomllib.loads((SCHEMA.parents[1] / "pyproject.toml").read_text())
    (asked,) = settings["project"]["optional-dependencies"]["video"]
    assert asked == "av>=18,<20"
    assert video._has_pyav()
    monkeypatch.setattr(av, "__version__", version)
    installation.is_here.cache_clear()
    try:
        assert not installation.is_here("video")
    finally:
        installation.is_here.cache_clear()

    assert len(frames_of(moving)) == 4
    with pytest.raises(MediaError, match=r"needs the extra `video` \(pip install '\.\[video\]' in"):
        frames_of(moving, mode="keyframes")


@pytest.mark.parametrize(("every", "times"), [(0.5, 8), (1.0, 4), (1.5, 6), (100.0, 4), (0.1, 40)])
def test_the_step_is_a_setting(moving, every, times):
    """So many frames of four seconds; never fewer than four, each multiple of a step among them."""
    frames = frames_of(moving, every=every, distinct=False)

    assert len(frames) == times
    assert {frame.time for frame in frames} >= {0.0, every} - {100.0}


@pytest.mark.parametrize("seconds", [0.5, 0.9, 1.4])
def test_a_clip_is_not_judged_by_its_first_frame_alone(decoder, scene, engine_of, seconds):
    """Which may be a title, or black: what is shown for a quarter of it is found, by either
    decoder, as soon as there are four frames.
    """
    count = round(seconds * 10)
    pictures = [scene(1)] * count
    pictures[-(count // 4) - 1 : -1] = [scene(2)] * (count // 4)

    frames = frames_of(clip(pictures), distinct=False)
    result = engine_of({"shown": scene(2)}).screen(clip(pictures))

    assert 4 <= len(frames) <= 7
    assert [match.entry for match in result.matches] == ["shown"]


def test_a_clip_that_goes_on_for_longer_than_it_says_is_looked_at_once_a_step():
    """Behind the first four steps, which a clip that was short would not have."""
    grids = Sampling().grid(0.008), Sampling(every=0.5).grid(1.0)

    taken = [[at for at in range(1000) if grid.takes(at / 100)] for grid in grids]

    assert taken[0] == [*range(400), *range(400, 1000, 100)]
    assert taken[1] == [*range(0, 200, 25), *range(200, 1000, 50)]


def test_frames_that_vpdq_takes_are_taken_where_two_a_second_are():
    """Against listed videos alone, of which so many are looked at: not of what is too long for
    that, and not where the policy looks less often.
    """
    against = {"against_videos": True, "videos": 0.5}

    assert Sampling(**against).as_vpdq(60)
    assert Sampling(**against).as_vpdq(5000)
    assert not Sampling(**against).as_vpdq(5001)
    assert not Sampling(against_videos=True, videos=0.6).as_vpdq(60)
    assert not Sampling(every=0.5).as_vpdq(60)


@pytest.mark.parametrize(
    ("codec", "container", "options"),
    [("libvpx", "webm", {"live": "1"}), ("mpeg2video", "mpeg2video", {})],
)
def test_a_clip_that_does_not_tell_its_length_is_looked_at_as_others_are(
    scene, codec, container, options
):
    """As browsers record it, and as a bare stream: nothing of what moves is passed over for it."""
    pictures = panned(scene, 5, 50, size=(160, 120))
    data = clip(pictures, rate=25, codec=codec, container=container, **options)

    opened = video.open(data, sampling=Sampling(against_videos=True))

    assert opened.media.duration == pytest.approx(2.0, abs=0.05)
    assert len(list(opened.frames())) == len(pictures)


@pytest.mark.parametrize(
    ("container", "options", "name", "at", "told"),
    [
        ("matroska", {}, b"\x44\x89\x88", 3, struct.pack(">d", 36e6)),
        ("flv", {}, b"duration\0", 9, struct.pack(">d", 36e3)),
        ("avi", {}, b"strh", 40, struct.pack("<I", 36_000 * 25)),
        ("mp4", {"movflags": "frag_keyframe+empty_moov"}, b"mdhd", 20, struct.pack(">I", 36 << 23)),
    ],
)
def test_a_clip_that_says_it_is_long_is_looked_at_as_it_is(
    scene, container, options, name, at, told
):
    """Ten hours, by its head: what is in it is looked at as often as anyway, and its last frame,
    which is on screen for all that time by the head.
    """
    pictures = panned(scene, 5, 50, size=(160, 120))
    data = clip(pictures, rate=25, container=container, **options)
    place = data.index(name) + at
    long = data[:place] + told + data[place + len(told) :]

    for sampling in ({}, {"against_videos": True}):
        expected = [frame.time for frame in frames_of(data, **sampling)]
        found = frames_of(long, **sampling)
        assert [frame.time for frame in found][: len(expected)] == expected, sampling
        assert [frame.part for frame in found[len(expected) :]] in ([], [49]), sampling


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_a_frame_far_behind_all_others_has_these_looked_at_no_less(scene, container):
    """By it the clip is of hours, and its frames are few all the same."""
    shown = [*(number / 25 for number in range(50)), 18_000]

    data = clip(panned(scene, 5, 51, size=(160, 120)), times=shown, container=container)

    taken = [frame.time for frame in frames_of(data, against_videos=True)]
    assert taken == pytest.approx(shown, abs=0.001)


def test_how_often_a_video_is_looked_at_is_bounded_by_its_frames_or_its_length():
    """Whichever says that they are few."""
    sampling = Sampling(against_videos=True)

    assert sampling.step(36_000, 10_000) == sampling.step(600, 90_000) == 0.125
    assert sampling.step(36_000, 10_001) == sampling.step(36_000) == 1.0
    assert sampling.between(36_000, 3_000) < 0.01
    assert sampling.between(36_000, 3_001) is None


def test_reading_a_file_for_its_length_takes_of_its_time(monkeypatch, scene):
    """As much as it has, and what it takes is missing behind."""
    monkeypatch.setattr(allowance, "_processor", itertools.count().__next__)
    data = clip([scene(5, (160, 120))] * 50, codec="mpeg2video", container="mpeg2video")

    opened = video.open(data, seconds=30)

    assert opened.media.duration == pytest.approx(2.9, abs=0.2)
    with pytest.raises(MediaError, match="timeout"):
        list(opened.frames())


def test_sampling_goes_by_time_where_the_frame_rate_varies(decoder, scene):
    """Ten frames in the first second, then three in nine: what is on screen at each due time is
    taken, and what comes next after it; what is shown for long is taken once.
    """
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
def test_a_still_that_stands_while_others_come_in_quick_succession_is_looked_at(
    decoder, scene, codec, container, options, pause
):
    """As in a recording of a screen: whatever the container, the codec and its frames that no other
    refers to; also against listed videos, and as a vPDQ is made. It is told when it was on screen.
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
def test_the_last_frame_is_looked_at_if_it_stays(decoder, scene, codec, container):
    """It is on screen for as long as the file lasts; if it goes before the next due time it is not
    looked at.
    """
    pictures = [scene(1, (160, 120))] * 45 + [scene(2, (160, 120))]
    data = clip(pictures, codec=codec, container=container)
    stays = held(data, 15.5, container=container)

    last = []
    with contextlib.suppress(MediaError):  # OpenCV cannot tell it from an end that is missing
        last.extend(video.open(stays).frames())

    assert near(frames_of(data)[-1].pixels, pictures[0]) <= 31
    assert near(last[-1].pixels, pictures[-1]) <= 31
    assert (last[-1].part, last[-1].time) == (45, pytest.approx(5.0, abs=0.01))


def test_the_last_frame_is_looked_at_if_nobody_knows_how_long_it_stays(decoder, scene):
    """As what a browser records while it records."""
    pictures = [scene(1, (160, 120))] * 45 + [scene(2, (160, 120))]
    data = clip(pictures, codec="libvpx", container="webm", live="1")

    assert near(frames_of(data)[-1].pixels, pictures[-1]) <= 31


class Shown:
    """A video that shows frames at these times, to a last time; those that are needed, if asked."""

    frame_seconds, length, ends, duration = 0.04, (None, 0), None, None

    def __init__(self, times, until, needed=None):
        self.times, self.shown_until, self.needed = times, until, needed

    def steps(self):
        """Each frame, one pixel of its number."""
        passed = None
        for number, time in enumerate(self.times):
            if self.needed is not None and number not in self.needed:
                passed = time if passed is None else passed
                continue
            pixels = partial(np.full, (1, 1), number % 256, np.uint8)
            yield DecodedFrame(
                number, time, pixels, pixels, behind=0 if passed is None else time - passed
            )
            passed = None


def looked_at(shown, **sampling):
    """Which frames of it are looked at, by number."""
    settings = Sampling(distinct=False, **sampling)
    one = walk.Walk(shown, Limits(), settings, allowance.Allowance(), 0)
    return [frame.part for frame in one.frames()]


@given(
    st.lists(st.sampled_from([0.01, 0.04, 0.2, 0.3, 0.7, 1.0, 2.5, 9.0]), min_size=1, max_size=40),
    st.sampled_from([0.5, 1.0]),
    st.sampled_from(["seconds", "frames"]),
)
def test_nothing_that_is_shown_for_a_step_is_passed_over(gaps, every, mode):
    """However frames come: of all that are shown one after the other for a step or longer at least
    one is looked at, and no more than two a step. What is not decoded makes no difference.
    """
    *times, until = (float(time) for time in itertools.accumulate([0.0, *gaps]))
    shown = Shown(times, until)

    looked = looked_at(shown, every=every, mode=mode)

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
        assert looked_at(Shown(times, until, needed | {len(times) - 1}), every=every) == looked


@pytest.mark.parametrize("rate", [3, 7, 10, 12.5, 15, 24000 / 1001, 25, 30000 / 1001, 50, 60])
@pytest.mark.parametrize("every", [0.125, 0.5, 1.0])
def test_a_constant_frame_rate_costs_a_frame_a_step(rate, every):
    """Also at rates of which no frame is shown at a due time, in milliseconds as of Matroska."""
    times = [round(number / rate, 3) for number in range(round(rate * 60))]

    looked = looked_at(Shown(times, 60.0), every=every)

    assert len(looked) <= 60 / every


def test_frames_without_timestamps_follow_each_other_and_time_never_runs_back():
    """One frame later each; where timestamps begin anew, so does time, from where it was."""
    clock = Clock(0.5)
    told = [clock.advance(stamp) for stamp in (None, None, 2.0, None, 1.9, 3.0, 2.0, 0.0, 0.5, 7.0)]

    assert told == [0.0, 0.5, 2.0, 2.5, 2.5, 3.0, 3.0, 3.5, 4.0, 10.5]


def test_a_frame_counts_for_a_step_that_it_misses_by_what_containers_round():
    """Two thousandths of a second before it: then none follows for that step, which would be its
    double; and a step is counted from the start, not from the frame before.
    """
    grid = Grid(1.0)
    times = (0.0, 0.5, 0.997, 0.999, 1.04, 1.996, 1.9985, 2.02, 3.9, 4.1, 4.9)

    assert [time for time in times if grid.takes(time)] == [0.0, 0.999, 1.9985, 3.9, 4.1]


def test_every_frame_is_decoded_once_timestamps_have_begun_anew():
    """Nobody knows then which of them are sampled. Before, one that is neither the first nor the
    last of its step is left out, also where it comes late.
    """
    grid = Grid(1.0)

    def needs(time):
        grid.observe(time)
        return grid.needs(time)

    before = [needs(time) for time in (0.0, 0.9, 0.5, 1.2, 0.7, 1.1, 5.0, 5.5, 5.2)]
    anew = [needs(time) for time in (0.6, 1.3, 6.0, 6.5, 6.2)]

    assert before == [True, True, False, True, False, True, True, True, False]
    assert anew == [True] * 5


def test_pieces_shorter_than_a_second_that_were_joined_do_not_stand_at_one_time():
    """Each counts its own timestamps anew; the fourth frame that does not bring time on tells it,
    and time then stands where it would without timestamps. One frame out of order changes nothing.
    """
    joined = Clock(0.1)
    told = [joined.advance(at / 10) for _ in range(3) for at in range(9)]
    wobbling = Clock(0.1)

    assert told[8::9] == pytest.approx([0.8, 1.7, 2.6])
    assert told == sorted(told)
    assert told[12:18] == pytest.approx([1.2, 1.3, 1.4, 1.5, 1.6, 1.7])
    stamps = (0.0, 0.3, 0.1, 0.2, 0.4, 0.5)
    assert [wobbling.advance(at) for at in stamps] == [0.0, 0.3, 0.3, 0.3, 0.4, 0.5]


def test_a_loss_counts_where_it_leaves_more_than_a_step_unseen():
    """Between sound frames, at the start, and at the end; less than the step does not."""
    short, long, end, start, early = (Losses(1.0, 0.1) for _ in range(5))
    for losses, sound_at in ((short, 1.0), (long, 1.1)):
        losses.see(0.0)
        losses.lose(0.5)
        losses.see(sound_at)
        losses.end(None)
    end.see(2.0)
    end.lose(3.5)
    end.lose(2.5)  # in the order of decoding
    end.end(None)
    start.lose(0.0)
    start.see(4.0)
    early.see(2.0)
    early.end(3.5)  # more was declared
    for time in (5.0, 9.0):
        long.lose(time - 1)
        long.see(time)

    assert short.worst is None
    assert long.worst == (0.0, 1.1)
    assert end.worst == (2.0, 3.6)
    assert start.worst == (0.0, 4.0)
    assert early.worst == (2.0, 3.5)


def test_a_loss_that_cost_nothing_makes_no_later_stretch_one():
    """Of a step to its very end; and a picture that is shown for long is no loss after one."""
    losses = Losses(1.0, 0.1)
    losses.see(0.0)
    losses.lose(0.5)
    losses.see(1.0)
    losses.see(9.0)
    losses.end(None)
    assert losses.worst is None

    losses.lose(11.0)  # behind what was declared
    losses.end(9.5)
    assert losses.worst == (9.0, 11.1)


def test_a_frame_that_the_decoder_kept_back_does_not_hide_a_loss_behind_it():
    """Frames that are shown before what was lost may be given after it: at the end, when the
    decoder is emptied, or with the next sound key frame.
    """
    end, middle = Losses(1.0, 0.1), Losses(1.0, 0.1)
    for losses in (end, middle):
        for time in (0.0, 0.1):
            losses.see(time)
        for time in (0.3, 1.0, 3.0):
            losses.lose(time)
        losses.see(0.2)
    end.end(None)
    middle.see(4.0)

    assert end.worst == (0.2, 3.1)
    assert middle.worst == (0.2, 4.0)


def test_what_is_lost_of_a_piece_that_begins_anew_is_lost_behind_the_one_before():
    """Its timestamps are those of the beginning; nothing was decoded that would tell."""
    clock = Clock(0.5)
    clock.advance(4.0)

    assert [clock.lost_at(stamp) for stamp in (4.5, None, 0.0, 0.5)] == [4.5, 4.0, 4.5, 5.0]
    assert clock.advance(4.5) == 4.5
    assert clock.advance(0.0) == 5.0
    assert clock.lost_at(1.0) == 6.0


def test_key_frames_alone_are_decoded(scene):
    """The mode `keyframes` gives those that the encoder made, with their times and numbers."""
    data = clip(panned(scene, 7, 50), gop=20, codec="mpeg4")

    frames = frames_of(data, mode="keyframes")

    assert [frame.part for frame in frames] == [0, 20, 40]
    assert [frame.time for frame in frames] == pytest.approx([0.0, 2.0, 4.0])


def test_key_frames_need_pyav_and_the_reason_says_so(with_opencv, moving):
    """OpenCV cannot skip frames without decoding them: nothing slow is done instead."""
    with pytest.raises(MediaError, match=r"the extra `video`") as caught:
        frames_of(moving, mode="keyframes")

    assert caught.value.reason == "unsupported"


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_av1_without_pyav_is_no_broken_file(with_opencv, scene, engine_of, container):
    """OpenCV's wheels have no decoder for it: the extra that has one is named, so that the file is
    counted by it and opened again once it is there. Where another OpenCV has one it is screened.
    """
    data = clip(panned(scene, 2, 12), codec="libsvtav1", container=container)

    result = engine_of({"not": scene(9)}).screen(data)

    screened, lacking = (Verdict.NO_MATCH, None, None), (Verdict.UNSCREENED, "unsupported", "video")
    assert (result.verdict, result.reason, result.extra) in (screened, lacking)


def test_every_frame_is_given_by_all(decoder, moving):
    """One hash a frame where distinct is off."""
    frames = frames_of(moving, mode="all", distinct=False)

    assert [frame.part for frame in frames] == list(range(40))


def test_frames_that_are_equal_are_given_once(decoder, scene):
    """A still is given once for as long as its pixels stay, with all its times, and what comes
    again later is given again. Nothing that differs is left out: each frame has, at each of its
    times, the pixels that are decoded there.
    """
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


def test_a_slow_change_is_given_frame_by_frame(scene):
    """Each frame hardly differs from the one before, and may match all the same."""
    one, other = scene(1), scene(2)
    data = clip([Image.blend(one, other, step / 100) for step in range(101)], rate=1)

    given = frames_of(data)
    every = frames_of(data, distinct=False)

    assert sum(len(frame.again) + 1 for frame in given) == len(every) == 101
    assert len(given) > 90


@pytest.mark.parametrize("scenes", [False, True])
def test_a_flash_between_samples_is_seen_on_request(decoder, scene, engine_of, scenes):
    """A listed picture shown for a fifth of a second between two seconds."""
    data = clip(shown_for(scene, seconds=[(1, 2.4), (2, 0.2), (1, 2.4)]))
    engine = engine_of({"flash": scene(2)}, sampling=Sampling(scenes=scenes))

    result = engine.screen(data)

    assert result.verdict == (Verdict.MATCH if scenes else Verdict.NO_MATCH)
    if scenes:
        assert result.matches[0].time == pytest.approx(2.4)


def test_a_picture_shown_for_a_second_is_found_and_the_answer_says_when(decoder, scene, engine_of):
    """The match is the nearest of its record; the timeline tells every run, its frames and the
    best distance; and the line fits its schema.
    """
    data = clip(shown_for(scene, seconds=[(1, 5), (2, 1), (3, 4), (2, 2), (4, 3)]))
    engine = engine_of({"shown": scene(2), "not": scene(9)})

    result = engine.screen(data)

    (match,) = result.matches
    (seen,) = result.timeline
    assert (match.entry, match.kind, match.orientation) == ("shown", "pdq", "upright")
    assert match.time in (5.0, 10.0)
    assert (seen.entry, seen.frames, seen.distance) == ("shown", 3, match.distance)
    assert seen.spans == ((5.0, 5.0), (10.0, 11.0))
    assert result.media.type == "video/mp4"
    assert (result.media.duration, result.media.samples) == (pytest.approx(15, abs=0.2), 15)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(
        json.loads(json.dumps(result.to_dict()))
    )


def test_seeds_stand_in_the_timeline_too(scene, make_list):
    """What stands beside a match is told with its times."""
    rows = [{"id": "s", "pdq": pdq.compute(np.asarray(scene(2))).text, "status": "seed"}]
    engine = Screener(make_list(rows))

    result = engine.screen(clip(shown_for(scene, seconds=[(1, 2), (2, 2)])))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "not_comparable")
    assert [(one.state, one.spans) for one in result.timeline] == [("seed", ((2.0, 3.0),))]


def test_a_video_shorter_than_a_step_has_a_timeline(scene, engine_of):
    """Of the frames that there are."""
    (seen,) = engine_of({"shown": scene(2)}).screen(clip([scene(2)] * 3)).timeline

    assert (seen.frames, seen.spans, seen.part_kind) == (3, ((0.0, 0.2),), "frame")


def test_a_still_has_no_timeline(scene, engine_of):
    """One picture has no time."""
    buffer = io.BytesIO()
    scene(2).save(buffer, "PNG")

    result = engine_of({"shown": scene(2)}).screen(buffer.getvalue())

    assert result.verdict == Verdict.MATCH
    assert result.timeline == ()


def test_an_animated_picture_has_a_timeline_in_its_own_times(scene, engine_of):
    """A GIF: one match a record, and the times that its frames are shown at."""
    pictures = [scene(number) for number in (1, 2, 3, 2)]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, "GIF", save_all=True, append_images=pictures[1:], duration=[500, 1500, 2000, 100]
    )

    result = engine_of({"shown": scene(2)}).screen(buffer.getvalue())

    assert [match.entry for match in result.matches] == ["shown"]
    (seen,) = result.timeline
    assert seen.spans == ((0.5, 0.5), (4.0, 4.0))


def test_an_animation_of_two_frames_has_times_and_one_match_a_record(scene, engine_of):
    """Two frames are enough to move, though both show the record."""
    first, second = scene(2), scene(2)
    second.paste("white", (0, 0, 40, 30))
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=[second], duration=500)

    result = engine_of({"shown": scene(2)}).screen(buffer.getvalue())

    assert [(match.entry, match.part) for match in result.matches] == [("shown", 0)]
    assert [(seen.frames, seen.spans) for seen in result.timeline] == [(2, ((0.0, 0.5),))]


def test_the_digest_of_a_video_has_no_times(scene, make_list):
    """It is of the file: its match stands in no timeline."""
    data = clip([scene(2)] * 20)
    rows = [{"id": "file", "md5": hashlib.md5(data).hexdigest(), "pdq": "0f" * 32}]

    result = Screener(make_list(rows)).screen(data)

    assert [(match.entry, match.kind) for match in result.matches] == [("file", "md5")]
    assert result.timeline == ()


@pytest.mark.parametrize("form", ["path", "bytes", "file"])
def test_path_bytes_and_file_object_give_the_same(decoder, tmp_path, scene, engine_of, form):
    """The same matches and timeline; the file is left closed and unchanged."""
    data = clip(shown_for(scene, seconds=[(1, 2), (2, 2)]))
    (tmp_path / "clip").write_bytes(data)  # a name tells nothing
    forms = {"path": tmp_path / "clip", "bytes": data, "file": io.BytesIO(data)}

    result = engine_of({"shown": scene(2)}).screen(forms[form])

    assert [seen.spans for seen in result.timeline] == [((2.0, 3.0),)]


ROTATIONS = [
    ((0, 1, -1, 0), Image.Transpose.ROTATE_90),
    ((-1, 0, 0, -1), Image.Transpose.ROTATE_180),
    ((0, -1, 1, 0), Image.Transpose.ROTATE_270),
    ((1, 0, 0, 1), None),
]


@pytest.mark.parametrize(("matrix", "undo"), ROTATIONS)
def test_rotation_that_the_file_declares_is_applied(decoder, scene, engine_of, matrix, undo):
    """The match is upright, and the size told is that shown."""
    stored = scene(2) if undo is None else scene(2).transpose(undo)
    data = turned_by(clip([stored] * 5), matrix)

    result = engine_of({"shown": scene(2)}).screen(data)

    assert [match.orientation for match in result.matches] == ["upright"]
    assert (result.media.width, result.media.height) == (320, 240)


@pytest.mark.parametrize(("matrix", "undo"), ROTATIONS)
def test_frames_with_data_beside_them_that_pyav_cannot_name_are_looked_at(
    scene, engine_of, matrix, undo
):
    """EXIF of frames that are JPEGs, say; they are turned all the same."""
    stored = scene(2) if undo is None else scene(2).transpose(undo)
    data = turned_by(jpegs([stored] * 5), matrix)

    result = engine_of({"shown": scene(2)}).screen(data)

    assert [match.orientation for match in result.matches] == ["upright"]


def test_a_video_whose_names_are_no_utf_8_is_looked_at(moving):
    """A title in another encoding, say, or the name of what wrote it."""
    assert len(frames_of(moving.replace(b"Lavf", b"L\xe9vf"))) == 4


def test_frames_that_were_looked_at_are_not_held(moving):
    """Each goes with the last that refers to it, and waits for no search for circles."""
    with none_collected():
        assert len(frames_of(moving)) > 1
        assert not [one for one in gc.get_objects() if isinstance(one, av.VideoFrame)]


def test_a_video_that_is_cut_is_let_go(moving, engine_of, scene):
    """With its frames, at once, and not when Python looks for circles of references."""
    engine = engine_of({"shown": scene(2)})
    cut = moving[: len(moving) * 2 // 3]
    assert engine.screen(cut).verdict == Verdict.UNSCREENED
    with none_collected():
        engine.screen(cut)
        assert gc.collect() == 0


def test_a_mirror_that_the_file_declares_is_applied(scene, engine_of):
    """By PyAV; by OpenCV it is found as a mirrored picture."""
    data = turned_by(clip([scene(2).transpose(Image.Transpose.FLIP_LEFT_RIGHT)] * 5), (-1, 0, 0, 1))

    result = engine_of({"shown": scene(2)}).screen(data)

    assert [match.orientation for match in result.matches] == ["upright"]


@pytest.mark.parametrize(
    ("codec", "container", "mime"),
    [
        ("libx264", "mov", "video/quicktime"),
        ("libx264", "matroska", "video/x-matroska"),
        ("libvpx-vp9", "webm", "video/webm"),
        ("mpeg4", "avi", "video/x-msvideo"),
        ("flv", "flv", "video/x-flv"),
        ("mpeg2video", "mpegts", "video/mp2t"),
        ("mpeg2video", "mpeg", "video/mpeg"),
        ("mpeg4", "3gp", "video/3gpp"),
        ("wmv2", "asf", "video/x-ms-asf"),
        ("libvpx", "ogg", "application/ogg"),
    ],
)
def test_each_container_is_told_by_its_content_and_decoded(
    decoder, scene, engine_of, codec, container, mime
):
    """Found at the right time in each, whatever it is called."""
    pictures = shown_for(scene, seconds=[(1, 2), (2, 2)], size=(176, 144), rate=25)
    data = clip(pictures, rate=25, codec=codec, container=container)

    result = engine_of({"shown": scene(2, (176, 144))}).screen(data)

    assert result.media.type == mime
    (seen,) = result.timeline
    assert seen.spans == (pytest.approx((2.0, 3.0), abs=0.06),)


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
    """What came before is given, then the reason."""
    assert reason_of(moving, limits=limits, sampling=Sampling()) == (reason, frames)


def test_decoding_stops_when_its_time_is_over(decoder, moving):
    """With `timeout`."""
    assert reason_of(moving, seconds=1e-9)[0] == "timeout"


@pytest.mark.parametrize(
    ("processor", "wall", "reason"),
    [(0, 59, None), (5.9, 59, None), (6.1, 0, "timeout"), (0, 61, "timeout")],
)
def test_decoding_is_limited_by_processor_time_and_ten_times_as_much_wall_time(
    monkeypatch, decoder, moving, processor, wall, reason
):
    """So that neighbours decide nothing, and what waits for ever still ends."""
    clock = SimpleNamespace(processor=100.0, wall=100.0)
    monkeypatch.setattr(allowance, "_processor", lambda: clock.processor)
    monkeypatch.setattr(allowance, "time", SimpleNamespace(monotonic=lambda: clock.wall))
    opened = video.open(moving, seconds=6)
    clock.processor += processor
    clock.wall += wall

    if reason is None:
        assert list(opened.frames())
        return
    with pytest.raises(MediaError) as caught:
        list(opened.frames())
    assert caught.value.reason == reason


def test_a_process_that_does_one_file_at_a_time_counts_all_of_its_threads(monkeypatch):
    """The threads of a decoder are the file's there; elsewhere others may decode other files."""
    for count, over in ((lambda: None, False), (allowance.count_all_threads, True)):
        clock = SimpleNamespace(process_time=process_time, monotonic=lambda: 0.0)
        monkeypatch.setattr(allowance, "time", clock)
        monkeypatch.setattr(allowance, "_processor", thread_time)
        count()
        allowed = allowance.Allowance(0.05)
        other = threading.Thread(target=lambda: hashlib.sha256(bytes(200 << 20)))
        other.start()
        other.join()
        assert allowed.over is over


def test_decoding_ends_in_the_time_of_the_policy(moving, engine_of, scene):
    """By itself, before a scan would end its worker and lose what was seen."""
    result = engine_of({"not": scene(9)}, seconds=0.001).screen(moving)

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "timeout")


def test_what_was_seen_before_a_limit_counts(scene, engine_of):
    """A match before the limit is a match; without one the reason is told."""
    data = clip(shown_for(scene, seconds=[(2, 2), (1, 8)]))
    settings = {"limits": Limits(duration=5)}

    found = engine_of({"shown": scene(2)}, **settings).screen(data)
    not_found = engine_of({"not": scene(9)}, **settings).screen(data)

    assert found.verdict == Verdict.MATCH
    assert (not_found.verdict, not_found.reason) == (Verdict.UNSCREENED, "too_large")


def test_a_video_is_not_held_to_the_limit_of_a_picture(tmp_path, moving, engine_of, scene):
    """But to its own: a file of more bytes is `too_large`, and has its digests."""
    (tmp_path / "clip.mp4").write_bytes(moving)
    size = len(moving)

    fits = engine_of({"not": scene(9)}, limits=Limits(bytes=100)).screen(tmp_path / "clip.mp4")
    over = engine_of({"not": scene(9)}, limits=Limits(bytes=100, video_bytes=size - 1)).screen(
        tmp_path / "clip.mp4"
    )

    assert fits.verdict == Verdict.NO_MATCH
    assert over.reason == "too_large"


def test_a_file_object_of_a_video_is_not_held_and_not_closed(decoder, moving, engine_of, scene):
    """It may be larger than a picture, as that of a path, where it can be read from any place."""
    engine = engine_of({"not": scene(9)}, limits=Limits(bytes=100))
    with io.BytesIO(moving) as file:
        assert engine.screen(file).verdict == Verdict.NO_MATCH
        assert not file.closed
        file.seekable = lambda: False
        file.seek(0)
        assert engine.screen(file).reason == "too_large"


class Failing(io.BytesIO):
    """A file on a disk that fails after so many reads."""

    def __init__(self, data, reads):
        super().__init__(data)
        self.reads = reads

    def read(self, size=-1, /):
        """What there is, for as long as there is."""
        self.reads -= 1
        if self.reads < 0:
            raise OSError(5, "Input/output error")
        return super().read(size)


@pytest.mark.parametrize("reads", range(7))
def test_a_disk_that_fails_is_a_reason(moving, engine_of, scene, reads):
    """Wherever in the file it does."""
    result = engine_of({"not": scene(9)}).screen(Failing(moving, reads))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "unreadable")


def test_a_length_beyond_all_files_is_damage_and_no_failing_disk(scene, engine_of, tmp_path):
    """Of a file on a disk, which the system does not let be read there, as of one in memory."""
    data = clip([scene(1)] * 3, codec="wmv2", container="asf")
    data = data[:46] + struct.pack("<Q", 5 << 48) + data[54:]  # of the first part of its header
    (path := tmp_path / "broken.wmv").write_bytes(data)
    engine = engine_of({"not": scene(9)})

    found = [(one.verdict, one.reason) for one in map(engine.screen, (path, data))]

    assert found == [(Verdict.UNSCREENED, "undecodable")] * 2


def test_a_file_whose_digest_could_not_be_made_is_not_cleared(moving, make_list):
    """It may be listed by that alone, though all of it is read when it is decoded."""
    known = make_list([{"id": "a", "md5": "01" * 16}, {"id": "b", "pdq": "0f" * 32}])

    class FailingOnce(Failing):
        """Fails after so many reads, and never again."""

        def read(self, size=-1, /):
            """What there is, the next time."""
            try:
                return super().read(size)
            except OSError:
                self.reads = 1 << 30
                raise

    result = Screener(known).screen(FailingOnce(moving, 1))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "unreadable")


@pytest.mark.parametrize("container", ["matroska", "mp4"])
def test_a_file_cut_short_is_looked_at_as_far_as_it_goes(decoder, scene, engine_of, container):
    """A match before the cut counts; without one it is `truncated`."""
    pictures = panned(scene, 2, 60)
    fragmented = {"movflags": "frag_keyframe+empty_moov"} if container == "mp4" else {}
    data = clip(pictures, container=container, gop=10, **fragmented)
    cut = data[: len(data) * 6 // 10]

    found = engine_of({"shown": pictures[10]}).screen(cut)
    not_found = engine_of({"not": scene(9)}).screen(cut)

    assert found.verdict == Verdict.MATCH
    assert (not_found.verdict, not_found.reason) == (Verdict.UNSCREENED, "truncated")


def test_a_file_cut_before_its_index_is_truncated(decoder, moving):
    """An MP4 whose last box, which says where all frames are, is missing."""
    cut = moving[: moving.index(b"moov") - 100]

    with pytest.raises(MediaError) as caught:
        video.open(cut)
    assert caught.value.reason == "truncated"


def test_damage_that_hides_more_than_a_step_is_told(scene, engine_of):
    """Half of a clip overwritten: what can be seen of the rest is searched, and if nothing
    matches nobody knows.
    """
    pictures = panned(scene, 2, 60)
    data = bytearray(clip(pictures, gop=10))
    start = data.index(b"mdat")
    size = data.index(b"moov") - start
    middle = start + size // 3
    data[middle : middle + size // 3] = bytes(size // 3)

    found = engine_of({"shown": pictures[0]}).screen(bytes(data))
    not_found = engine_of({"not": scene(9)}).screen(bytes(data))

    assert found.verdict == Verdict.MATCH
    assert (not_found.verdict, not_found.reason) == (Verdict.UNSCREENED, "undecodable")
    assert not_found.media.samples >= 4


@pytest.mark.parametrize("lost", ["the middle", "the end"])
def test_damage_is_told_where_the_decoder_holds_frames_back(scene, engine_of, lost):
    """Frames that others are made of are decoded before frames that are shown earlier, and those
    come out behind the packets that fail. So nothing was seen of two seconds of this clip.
    """
    pictures = panned(scene, 2, 50, size=(160, 120))
    data = bytearray(clip(pictures, gop=10, preset="veryfast", bf="3"))
    with av.open(io.BytesIO(data)) as file:
        packets = [one for one in file.demux(video=0) if one.size]
    for packet in packets[20:40] if lost == "the middle" else packets[30:]:
        data[packet.pos : packet.pos + packet.size] = bytes(packet.size)

    result = engine_of({"not": scene(9)}).screen(bytes(data))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")


@pytest.mark.parametrize("container", ["avi", "matroska", "flv", "asf", "ogg"])
@pytest.mark.parametrize("unknown", [False, True])
def test_parts_that_do_not_follow_one_another_are_told(scene, container, unknown):
    """A hole of zeros, over the heads of some of them; also where a file was written to a pipe, and
    lengths are unknown. A whole file is whole, with whatever stands behind its end.
    """
    codec = {"asf": "wmv2", "ogg": "libvpx"}.get(container, "libx264")
    pictures = panned(scene, 2, 30, size=(64, 48))
    whole = bytearray(clip(pictures, container=container, codec=codec, gop=5))
    if unknown and container == "matroska":
        for name in (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"):  # segment and clusters
            for found in re.finditer(re.escape(name), bytes(whole)):
                width = 9 - whole[found.end()].bit_length()
                unsized = ((1 << 7 * width + 1) - 1).to_bytes(width, "big")
                whole[found.end() : found.end() + width] = unsized
    if unknown and container == "avi":
        whole[4:8] = b"\xff" * 4
    third = len(whole) // 3
    hole = whole[:third] + bytes(third) + whole[2 * third :]

    assert integrity.damage(io.BytesIO(hole))
    assert not integrity.damage(io.BytesIO(whole))
    assert not integrity.ended_early(io.BytesIO(whole))
    if container == "avi" and not unknown:
        assert not integrity.damage(io.BytesIO(whole + bytes(30)))
    cut = io.BytesIO(whole[: -300 if container == "asf" else -30])  # ASF has an index behind
    assert integrity.ended_early(cut) or integrity.damage(cut)
    for size in range(0, 3000, 50):  # whatever is left of it, nothing is raised
        integrity.damage(io.BytesIO(whole[:size]))
        integrity.damage(io.BytesIO(whole[:size] + b"\xff" * 300 + whole[size + 300 :]))


def test_a_hole_that_ffmpeg_goes_on_behind_clears_nothing(scene, engine_of):
    """It looks for the next part of an AVI, and no packet fails. Of joined FLV it reads one."""
    data = bytearray(clip(panned(scene, 2, 40, size=(160, 120)), container="avi", gop=5))
    engine = engine_of({"not": scene(9)})
    assert engine.screen(bytes(data)).verdict is Verdict.NO_MATCH

    data[len(data) // 3 : len(data) * 2 // 3] = bytes(len(data) * 2 // 3 - len(data) // 3)
    flv = clip(panned(scene, 2, 10, size=(160, 120)), container="flv")

    for broken in (bytes(data), flv + flv):
        result = engine.screen(broken)
        assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")


def in_fragments(pictures):
    """The boxes of a fragmented MP4: those before its fragments, and these."""
    data = clip(pictures, movflags="frag_keyframe+empty_moov+default_base_moof")
    first, last = data.index(b"moof") - 4, data.index(b"mfra") - 4
    return data[:first], data[first:last]


def tags(data):
    """The tags of an FLV, each with its length behind it."""
    at, found = 13, []
    while at < len(data):
        end = at + 15 + int.from_bytes(data[at + 1 : at + 4], "big")
        found.append(data[at:end])
        at = end
    return found


def test_an_flv_that_changes_how_it_is_coded_is_told(scene, engine_of):
    """FFmpeg makes a track of its own of what is coded otherwise, and does not say so."""
    shown = clip([scene(20, (64, 48))] * 300, codec="flv", container="flv")
    other = tags(clip([scene(1)] * 30, container="flv"))
    engine = engine_of({"bad": scene(1)})

    assert str(engine.screen(shown + b"".join(other[1:])).reason) == "unsupported"
    assert engine.screen(shown + b"".join(tags(shown)[1:])).reason is None


@pytest.mark.parametrize("opencv", [False, True])
def test_a_track_that_changes_how_it_is_coded_is_told(monkeypatch, scene, engine_of, opencv):
    """FFmpeg passes over fragments of another kind than the first of those that are declared."""
    if opencv:
        monkeypatch.setattr(video, "_has_pyav", lambda: False)
    head, fragments = in_fragments([scene(20)] * 10)
    at = head.index(b"stsd") - 4
    first = at + 16
    end = first + int.from_bytes(head[first : first + 4], "big")
    other = head[first:end].replace(b"avc1", b"mp4v")
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"):
        at = head.index(name) - 4
        length = int.from_bytes(head[at : at + 4], "big") + len(other)
        head = head[:at] + length.to_bytes(4, "big") + head[at + 4 :]
    two = head[: first - 4] + b"\0\0\0\2" + head[first:end] + other + head[end:]
    engine = engine_of({"bad": scene(1)})

    assert str(engine.screen(two + fragments).reason) == "unsupported"
    same = two.replace(b"mp4v", b"avc1")
    assert engine.screen(same + fragments).verdict is Verdict.NO_MATCH


@pytest.mark.parametrize("seconds", [2, 0.8])
def test_fragments_that_begin_anew_are_looked_at(monkeypatch, scene, engine_of, seconds):
    """FFmpeg has a decoder drop what is to be shown at a time that has passed; OpenCV cannot say
    otherwise, and that is told.
    """
    count = round(seconds * 10)
    head, first = in_fragments([scene(20)] * count)
    _, second = in_fragments([scene(1)] * count)
    engine = engine_of({"bad": scene(1)})

    result = engine.screen(head + first + second)

    assert [match.part >= count for match in result.matches] == [True]
    monkeypatch.setattr(video, "_has_pyav", lambda: False)
    assert str(engine.screen(head + first + second).reason) == "unsupported"
    assert engine.screen(head + first).verdict is Verdict.NO_MATCH


def test_a_walk_that_ends_among_frames_of_a_time_that_has_passed_ends(tmp_path, scene):
    """Also where the decoder's threads are still at them: each would wait for the other, and for
    good.
    """
    head, fragments = in_fragments([scene(20)] * 21)
    path = tmp_path / "joined.mp4"
    path.write_bytes(head + fragments * 2)
    code = """
import sys
from screener.screening.input.hash_item import hash_item
from screener.hashing.pdq import PDQ
from screener.media.files.limits import Limits
from screener.screening.policy import Policy

for _ in range(5):
    found = hash_item(sys.argv[1], policy=Policy(limits=Limits(duration=2)), kinds=[PDQ])
    print(found.trouble.reason)
"""

    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True, timeout=30
    )

    assert done.stdout.split() == ["too_large"] * 5


def test_every_one_of_clips_of_less_than_a_second_that_were_joined_is_looked_at(scene, engine_of):
    """Each piece counts its timestamps anew; a picture in the last of them is found."""
    piece = clip([scene(20, (200, 150))] * 9, container="mpegts", bf="2")
    last = clip([scene(1, (200, 150))] * 9, container="mpegts")

    result = engine_of({"bad": scene(1, (200, 150))}).screen(piece * 4 + last)

    assert [match.entry for match in result.matches] == ["bad"]
    # Four times as often for four seconds, as it says 0.9; and what is on screen between pieces.
    assert 17 <= result.media.samples <= 25
    assert result.matches[0].time == pytest.approx(4.0, abs=0.31)


def test_where_opencv_stops_early_the_rest_was_not_screened(with_opencv, scene, engine_of):
    """It tells nothing of damage: what was declared and did not come tells it."""
    data = bytearray(clip(panned(scene, 2, 60), gop=10))
    start = data.index(b"mdat")
    size = data.index(b"moov") - start
    data[start + size // 3 : start + size * 2 // 3] = bytes(size * 2 // 3 - size // 3)

    result = engine_of({"not": scene(9)}).screen(bytes(data))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")


def test_an_encrypted_track_is_told_and_not_looked_at(decoder, moving):
    """By how its samples are declared; frames of noise are never hashed."""
    encrypted = moving.replace(b"avc1", b"encv")

    with pytest.raises(MediaError) as caught:
        video.open(encrypted)
    assert caught.value.reason == "encrypted"


def test_an_encrypted_webm_is_told():
    """ContentEncryption among the track's encodings, with elements of known and unknown size."""

    def element(name, body):
        return bytes.fromhex(name) + _size(len(body)) + body

    def _size(length):
        return (length | 1 << 28).to_bytes(4, "big")

    encryption = element("5035", b"")
    encoding = element("6d80", element("6240", encryption))
    tracks = element("1654ae6b", element("ae", element("d7", b"\1") + encoding))
    head = bytes.fromhex("1a45dfa3") + _size(7) + bytes.fromhex("4282847765626d")
    known = head + element("18538067", element("ec", b"\0\0") + tracks)
    unknown = head + bytes.fromhex("1853806701ffffffffffffff") + tracks
    plain = head + element("18538067", element("1654ae6b", element("ae", b"")))

    for data in (known, unknown):
        with pytest.raises(MediaError) as caught:
            video.open(data)
        assert caught.value.reason == "encrypted"
    with pytest.raises(MediaError) as caught:
        video.open(plain)
    assert caught.value.reason != "encrypted"


def test_sound_alone_is_no_video():
    """In a container for videos, and as a type of its own."""
    for data in (sound(), b"ID3\4" + bytes(100), b"fLaC" + bytes(100)):
        with pytest.raises(MediaError) as caught:
            opening.open(data)
        assert caught.value.reason == "no_video"


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\x18ftypisom\0\0\0\0isomavc1",
        b"\x1a\x45\xdf\xa3" + bytes(100),
        b"RIFF\0\0\0\0AVI " + bytes(100),
        b"FLV\1" + bytes(300),
        b"G" + (bytes(187) + b"G") * 8,
        b"\0\0\1\xba" + bytes(300),
        b"\0\0\1\xb3" + bytes(300),
        b"OggS" + bytes(300),
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(300),
    ],
)
def test_a_signature_with_nothing_behind_it_has_a_reason(decoder, data):
    """One of the typed reasons, and nothing else is raised."""
    reason = None
    try:
        reason, _ = reason_of(data)
    except MediaError as error:
        reason = error.reason

    assert reason in ("undecodable", "truncated", "no_video", "unsupported")


@pytest.mark.parametrize(
    "text",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n",
        b"ffconcat version 1.0\nfile /etc/hostname\n",
    ],
)
def test_a_list_of_further_files_is_not_followed(text):
    """FFmpeg would open what it names: it is not handed such a file."""
    with pytest.raises(MediaError) as caught:
        opening.open(text * 200)
    assert caught.value.reason == "unsupported"


def test_a_dark_video_is_not_screened(decoder, scene, engine_of):
    """No frame shows enough to be compared."""
    result = engine_of({"not": scene(9)}).screen(clip([blank()] * 50))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "too_little_detail")
    assert "0 of 5 sampled frames" in result.detail
    any_share = engine_of({"not": scene(9)}, sampling=Sampling(usable=0.0))
    assert any_share.screen(clip([blank()] * 50)).reason == "too_little_detail"


@pytest.mark.parametrize(("share", "screened"), [(0.0, True), (0.2, True), (0.21, False)])
def test_too_few_usable_frames_are_not_enough(scene, engine_of, share, screened):
    """Two seconds of ten show something: the policy says whether that carries a `no_match`."""
    pictures = [blank()] * 80 + panned(scene, 5, 20)
    engine = engine_of({"not": scene(9)}, sampling=Sampling(usable=share))

    result = engine.screen(clip(pictures))

    assert result.verdict == (Verdict.NO_MATCH if screened else Verdict.UNSCREENED)


def test_nothing_is_written_to_standard_error(scene, capfd):
    """Not even for damaged files, by PyAV; the caller's process is left as it is."""
    data = clip(panned(scene, 2, 30), gop=10)
    damaged = bytearray(data)
    damaged[2000:2500] = bytes(500)

    for one in (data[: len(data) // 2], bytes(damaged), b"\0\0\0\x18ftypisom"):
        with contextlib.suppress(MediaError):
            reason_of(one)

    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"mode": "some"}, "mode"),
        ({"every": 0}, "every"),
        ({"every": float("nan")}, "every"),
        ({"every": float("inf")}, "every"),
        ({"every": -1.0}, "every"),
        ({"every": "1"}, "every"),
        ({"videos": 0}, "videos"),
        ({"videos": float("inf")}, "videos"),
        ({"distinct": 1}, "distinct"),
        ({"against_videos": 1}, "against_videos"),
        ({"every": True}, "every"),
        ({"usable": 2}, "usable"),
        ({"usable": -0.1}, "usable"),
        ({"usable": float("nan")}, "usable"),
        ({"usable": True}, "usable"),
        ({"scenes": 1}, "scenes"),
        ({"scenes": True, "mode": "keyframes"}, "scenes"),
    ],
)
def test_a_sampling_out_of_range_is_refused_by_name(settings, said):
    """The error names the setting and what it takes."""
    from screener.errors import PolicyError

    with pytest.raises(PolicyError, match=said):
        Policy(sampling=Sampling(**settings))
    assert [Policy(sampling=Sampling(usable=share)).sampling.usable for share in (0, 1)] == [0, 1]


def test_sampling_is_part_of_the_policy_file_and_its_fingerprint(tmp_path):
    """Read from its table; another sampling is another policy; a wrong name is refused."""
    from screener.errors import PolicyError

    path = tmp_path / "policy.toml"
    path.write_text('[sampling]\nmode = "keyframes"\nusable = 0.2\n')
    (tmp_path / "wrong.toml").write_text("[sampling]\nstep = 1\n")

    policy = Policy.load(path)

    assert policy == Policy(sampling=Sampling(mode="keyframes", usable=0.2))
    assert policy.fingerprint != Policy().fingerprint
    with pytest.raises(PolicyError, match="every"):
        Policy.load(tmp_path / "wrong.toml")


def dark_between_bars(scene, second):
    """A scene so dark at its edges that a bar beside it ends in no step; moves with time."""
    inner = np.asarray(scene(2, (320, 180)), np.float32)
    rows, columns = np.mgrid[-1:1:180j, -1:1:320j]
    light = np.clip(1.3 - np.hypot(rows, columns * 0.9), 0.05, 1.0)[..., None]
    shown = np.roll(inner, round(second * 6), axis=1) * light * 0.8
    whole = np.zeros((240, 320, 3), np.uint8)
    whole[30:210] = shown
    return Image.fromarray(whole), Image.fromarray(shown.astype(np.uint8))


def test_bars_that_stay_are_found_though_the_scene_is_dark_at_its_edges(scene):
    """What lies between them is given beside each frame, to a line or two, the first included."""
    pictures = [dark_between_bars(scene, number / 10)[0] for number in range(40)]

    frames = frames_of(clip(pictures))

    assert len(frames) == 4
    for frame in frames:
        shapes = [view.shape for view in frame.inner]
        assert any(abs(rows - 180) <= 2 and columns == 320 for rows, columns in shapes), shapes


def test_bars_of_a_video_that_begins_in_the_dark_are_known_from_its_start(scene):
    """Two seconds of it are dark but for the middle, and would be taken for bars."""
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
    """Nothing is taken off where the edges change."""
    assert [frame.inner for frame in frames_of(moving)] == [()] * 4


def test_bars_learn_from_every_frame_and_leave_something():
    """A black frame says nothing; another size begins anew; and a blank one is not taken apart."""
    framed = np.zeros((100, 120), np.uint8)
    framed[10:90, 20:100] = np.arange(80, dtype=np.uint8) + 100
    bars = Bars()
    for pixels in (np.zeros_like(framed), framed):
        bars.see(pixels)

    assert [view.shape for view in bars.views(framed)[:3]] == [(80, 120), (100, 80), (80, 80)]
    assert np.array_equal(bars.views(framed)[2], framed[10:90, 20:100])
    assert bars.views(framed[:50]) == ()
    bars.see(np.full_like(framed, 200))  # something else was shown where the bars were
    assert bars.views(framed) == ()


def shown_between(size, rows, columns, *, bar=0, shown=100):
    """A grey frame, (height, width), of one colour but for those rows and columns."""
    made = np.full(size, bar, np.uint8)
    made[slice(*rows), slice(*columns)] = shown
    return made


def views_of(*frames):
    """What lies between the bars of the last of some frames."""
    bars = Bars()
    for frame in frames:
        bars.see(frame)
    return bars.views(frames[-1])


@pytest.mark.parametrize(
    ("bar", "shown"), [(0, 90), (255, 165), (128, 40), (128, 220), (250, 254), (3, 250)]
)
def test_bars_of_any_colour_end_where_it_is_lighter_or_darker(bar, shown):
    """To the line, and each side by itself."""
    frame = shown_between((150, 200), (10, 120), (20, 190), bar=bar, shown=shown)

    above_and_below, at_the_sides, both, *_ = views_of(frame)

    assert np.array_equal(above_and_below, frame[10:120])
    assert np.array_equal(at_the_sides, frame[:, 20:190])
    assert np.array_equal(both, frame[10:120, 20:190])


def test_bars_are_no_wider_than_in_any_frame():
    """A frame that shows less than one before it, or nothing, makes them no wider again; frames of
    another size have bars of their own.
    """
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
    """Three levels of noise, and one point in fifty of anything: a cursor, or a speck of dust."""
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
    """At least 40 lines are left, and a fifth; and less than one line in a hundred is no bar."""
    frame = shown_between((height, 60), ((height - left) // 2, (height + left) // 2), (0, 60))

    assert bool(views_of(frame)) == has_bars


def test_a_picture_of_each_usual_shape_is_found_in_the_dark():
    """In the middle of a frame of 16 to 9 that is lit in its midst alone; 2.39 to 1 between bars
    above and below.
    """
    at_the_sides = views_of(shown_between((180, 320), (0, 180), (125, 195)))
    above_and_below = views_of(shown_between((180, 320), (65, 115), (0, 320)))

    widths = {view.shape[1] for view in at_the_sides if view.shape[0] == 180}
    for shape in (9 / 16, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2):
        assert any(abs(width - 180 * shape) <= 1 for width in widths), shape
    assert any(abs(len(view) - 320 / 2.39) <= 1 for view in above_and_below)


@pytest.mark.parametrize(
    ("rows", "columns"), [((140, 220), (80, 400)), ((90, 270), (190, 290)), ((90, 200), (0, 480))]
)
def test_a_picture_that_is_dark_at_some_edges_is_found_by_its_shape_and_the_others(rows, columns):
    """Within bars all round, dark above and below or at its sides; in a letterbox, below alone."""
    size = (360, 480) if columns[1] < 480 else (450, 480)

    shapes = [view.shape for view in views_of(shown_between(size, rows, columns))]

    assert ((180, 320) if columns[1] < 480 else (270, 480)) in shapes


def dark_at_its_edges(scene, size, margin):
    """A picture that is black at its sides, above and below, as far as nobody could tell a bar."""
    whole = blank(size=size)
    inner = scene(2, (size[0] - 2 * margin, size[1] - 2 * margin))
    whole.paste(inner, (margin, margin))
    return whole


@pytest.mark.parametrize(("frame", "view"), [((480, 180), (180, 320)), ((320, 300), (180, 320))])
def test_a_picture_whose_edges_are_as_dark_as_the_bars_is_found(scene, engine_of, frame, view):
    """Pillarboxed and letterboxed: no line says where it ends, but its shape is a usual one."""
    picture = dark_at_its_edges(scene, (320, 180), 30)
    whole = blank(size=frame)
    whole.paste(picture, ((frame[0] - 320) // 2, (frame[1] - 180) // 2))

    shown, *_ = frames_of(clip([whole] * 10))
    result = engine_of({"shown": picture}).screen(clip([whole] * 10))

    assert view in [one.shape for one in shown.inner]
    assert [(match.entry, match.region) for match in result.matches] == [("shown", "trimmed")]
    assert result.matches[0].distance <= 10


def test_a_picture_that_has_bars_of_its_own_is_found_between_further_ones(scene, engine_of):
    """A letterboxed picture, listed with its bars, in a frame with more of the same."""
    listed = blank(size=(320, 240))
    listed.paste(scene(2, (320, 180)), (0, 30))
    whole = blank(size=(320, 300))
    whole.paste(listed, (0, 30))

    result = engine_of({"shown": listed}).screen(clip([whole] * 10))

    assert [(match.entry, match.region) for match in result.matches] == [("shown", "trimmed")]


def test_bars_that_an_encoder_has_spoilt_are_taken_off_where_the_shape_is_usual():
    """A few lines before the seam that are no bar's any more, on one side or both; not more."""
    for spoilt, kept in ((3, True), (6, True), (7, False)):
        framed = np.zeros((180, 480), np.uint8)
        framed[:, 80 - spoilt : 400 + spoilt] = 100
        bars = Bars()
        bars.see(framed)
        assert ((180, 320) in [view.shape for view in bars.views(framed)]) == kept, spoilt


@given(
    st.integers(40, 500),
    st.integers(40, 500),
    st.lists(st.integers(0, 200), min_size=4, max_size=4),
)
def test_no_view_leaves_out_more_than_bars(height, width, edges):
    """Whatever the bars: views are parts of the frame, no more than nine, and none leaves out a
    line of the picture but for the few before a seam that may be spoilt.
    """
    above, below, left, right = (
        min(edge, side // 2 - 1)
        for edge, side in zip(edges, (height, height, width, width), strict=True)
    )
    framed = np.zeros((height, width), np.uint8)
    framed[above : height - below, left : width - right] = 100
    bars = Bars()
    bars.see(framed)

    views = bars.views(framed)

    assert len(views) <= 9
    shown = (height - above - below) * (width - left - right)
    for view in views:
        assert 0 < view.size < framed.size
        most = 12 * (height + width)  # six lines at each side
        assert (view == 100).sum() >= min(shown, framed.size) - most


def test_a_copy_at_half_the_size_is_found_though_it_is_tiny(scene, engine_of):
    """160 x 90 of a 320 x 180 full of grain: found by hashing it at twice its size."""
    flat = (np.asarray(scene(2, (320, 180)), np.float32) - 128) * 0.35 + 128
    grain = np.sign(np.random.default_rng(1).normal(size=(180, 320, 1))) * 60
    picture = Image.fromarray(np.clip(flat + grain, 0, 255).astype(np.uint8))
    small = clip([picture.resize((160, 90), Image.Resampling.BICUBIC)] * 3)

    frame, *_ = frames_of(small)
    result = engine_of({"shown": picture}).screen(small)

    assert near(frame.pixels, picture) > 31
    assert [(match.entry, match.region) for match in result.matches] == [("shown", "enlarged")]


@given(
    st.lists(st.floats(0, 20), min_size=1, max_size=60, unique=True),
    st.floats(0.1, 3.0),
    st.integers(1, 40),
    st.integers(0, 5),
    st.randoms(use_true_random=False),
)
def test_a_frame_that_is_sampled_is_never_left_undecoded(times, every, parts, reach, random):
    """Whatever the order of decoding, the step and its parts: what the walk takes, and what is on
    screen when a due time passes, the decoder was told to keep.
    """
    order = sorted(times)
    for at in range(len(order)):
        other = min(at + random.randint(0, reach), len(order) - 1)
        order[at], order[other] = order[other], order[at]
    asked, taken = Grid(every, parts), Grid(every, parts)

    needed = set()
    for time in order:
        asked.observe(time)
        needed |= {time} if asked.needs(time) else set()

    for before, time in itertools.pairwise([None, *sorted(times)]):
        if before is not None and taken.passed(time) is not None:
            assert before in needed
        if taken.takes(time):
            assert time in needed


def test_frames_that_no_other_needs_are_left_out_and_nothing_else_changes(scene):
    """Of a clip with frames that no other refers to: the same samples, pixel for pixel, as when
    every frame is decoded; and fewer frames are decoded.
    """
    data = clip(panned(scene, 3, 60), preset="medium", bf="3")
    frames = {frame.part: frame for frame in frames_of(data, mode="all", distinct=False)}

    sampled = frames_of(data, distinct=False)

    assert [frame.part for frame in sampled] == [0, 10, 20, 30, 40, 50]
    for frame in sampled:
        assert frame.time == frames[frame.part].time
        assert np.array_equal(frame.pixels, frames[frame.part].pixels)
    with io.BytesIO(data) as file:
        steps = AvStream(file, "video/mp4", grid=lambda *_: Grid(1.0)).steps()
        assert sum(isinstance(step, DecodedFrame) for step in steps) < 50


def test_frames_that_no_other_needs_are_left_out_where_all_are_shown_as_they_are_decoded(scene):
    """Every second one of a clip in two layers of time, as conferences are recorded: the next one
    is read before one is decoded, since the last of each step may be looked at.
    """
    layers = (
        "ts_number_layers=2:ts_target_bitrate=240,400:ts_rate_decimator=2,1:ts_periodicity=2"
        ":ts_layer_id=0,1:ts_layering_mode=2"
    )
    out = io.BytesIO()
    with av.open(out, "w", format="webm") as file:
        track = file.add_stream("libvpx", rate=25)
        track.width, track.height, track.pix_fmt = 160, 120, "yuv420p"
        track.bit_rate = 400_000
        track.options = {"deadline": "realtime", "cpu-used": "-8", "ts-parameters": layers}
        track.options |= {"lag-in-frames": "0", "error-resilient": "1"}
        for number, picture in enumerate(panned(scene, 3, 200, size=(160, 120))):
            frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            file.mux(track.encode(frame))
        file.mux(track.encode(None))

    out.seek(0)
    steps = AvStream(out, "video/webm", grid=Sampling().grid).steps()

    assert sum(isinstance(step, DecodedFrame) for step in steps) < 120


def test_a_long_video_takes_little_memory(tmp_path, scene):
    """Ten minutes at one frame a second, in a process of its own: the frames are given one at a
    time, and hashes are all that is kept of them. The most that it takes is compared with the most
    that a clip of half the length takes, libraries and frames held ahead among it, each by the
    system's mark, which is set back before. The frames of the other half alone would take 25 MB
    more than their hashes.
    """
    pictures = panned(scene, 4, 600, step=2)
    for name, shown in (("short", pictures[:270]), ("long", pictures)):
        (tmp_path / name).write_bytes(clip(shown, rate=1, gop=60))
    code = """
import re, sys
from pathlib import Path
from screener.screening.input.hash_item import hash_item
from screener.hashing.hash import KINDS
from screener.screening.policy import Policy

def kilobytes(name):
    return int(re.search(name + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

def hashed(name):
    return hash_item(Path(sys.argv[1]) / name, policy=Policy(), kinds=[KINDS["pdq"]])

hashed("short")
peaks = []
for name in ("short", "long"):
    Path("/proc/self/clear_refs").write_text("5")
    found = hashed(name)
    peaks.append(kilobytes("VmHWM"))
print(found.media.samples, found.trouble, (peaks[1] - peaks[0]) // 1024)
"""
    shown = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
    )
    samples, trouble, megabytes = shown.stdout.split()

    assert (samples, trouble) == ("600", "None")
    assert int(megabytes) < 13
