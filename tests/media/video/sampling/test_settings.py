"""How many frames of a video are sampled, and what the settings accept."""

import struct

import pytest
from drawn_videos import blank, clip, panned
from sampled_frames import frames_of

from screener import Policy, Verdict
from screener.errors import PolicyError
from screener.media.video import frames as video
from screener.media.video.sampling.settings import Sampling


@pytest.mark.parametrize(("every", "times"), [(0.5, 8), (1.0, 4), (1.5, 6), (100.0, 4), (0.1, 40)])
def test_the_step_is_a_setting(moving, every, times):
    """Four seconds have at least four samples, each multiple of a step among them."""
    frames = frames_of(moving, every=every, distinct=False)

    assert len(frames) == times
    assert {frame.time for frame in frames} >= {0.0, every} - {100.0}


@pytest.mark.parametrize("seconds", [0.5, 0.9, 1.4])
def test_a_short_clip_has_at_least_four_samples(decoder, scene, engine_of, seconds):
    """The first frame may be a title: what is shown for a quarter of the clip is found."""
    count = round(seconds * 10)
    pictures = [scene(1)] * count
    pictures[-(count // 4) - 1 : -1] = [scene(2)] * (count // 4)

    frames = frames_of(clip(pictures), distinct=False)
    result = engine_of({"shown": scene(2)}).screen(clip(pictures))

    assert 4 <= len(frames) <= 7
    assert [match.entry for match in result.matches] == ["shown"]


def test_a_clip_longer_than_declared_is_sampled_once_a_step():
    """This starts behind the first four steps."""
    grids = Sampling().create_grid(0.008), Sampling(every=0.5).create_grid(1.0)

    taken = [[at for at in range(1000) if grid.takes(at / 100)] for grid in grids]

    assert taken[0] == [*range(400), *range(400, 1000, 100)]
    assert taken[1] == [*range(0, 200, 25), *range(200, 1000, 50)]


def test_frames_of_vpdq_are_added_at_two_samples_a_second_or_more():
    """They are added only against listed videos."""
    against = {"against_videos": True, "videos": 0.5}

    assert Sampling(**against).includes_vpdq(60)
    assert Sampling(**against).includes_vpdq(5000)
    assert not Sampling(**against).includes_vpdq(5001)
    assert not Sampling(against_videos=True, videos=0.6).includes_vpdq(60)
    assert not Sampling(every=0.5).includes_vpdq(60)


@pytest.mark.parametrize(
    ("codec", "container", "options"),
    [("libvpx", "webm", {"live": "1"}), ("mpeg2video", "mpeg2video", {})],
)
def test_a_clip_without_a_length_is_sampled_like_others(scene, codec, container, options):
    """Browser recordings and bare streams declare none; no frame of a moving scene is skipped."""
    pictures = panned(scene, 5, 50, size=(160, 120))
    data = clip(pictures, rate=25, codec=codec, container=container, **options)

    opened = video.open(data, sampling=Sampling(against_videos=True))

    assert opened.media.duration == pytest.approx(2.0, abs=0.05)
    assert len(list(opened.frames())) == len(pictures)


@pytest.mark.parametrize(
    ("container", "options", "name", "at", "declared"),
    [
        ("matroska", {}, b"\x44\x89\x88", 3, struct.pack(">d", 36e6)),
        ("flv", {}, b"duration\0", 9, struct.pack(">d", 36e3)),
        ("avi", {}, b"strh", 40, struct.pack("<I", 36_000 * 25)),
        ("mp4", {"movflags": "frag_keyframe+empty_moov"}, b"mdhd", 20, struct.pack(">I", 36 << 23)),
    ],
)
def test_a_false_length_skips_no_sample(scene, container, options, name, at, declared):
    """Ten hours are declared for two seconds; the last frame may be sampled as well."""
    pictures = panned(scene, 5, 50, size=(160, 120))
    data = clip(pictures, rate=25, container=container, **options)
    place = data.index(name) + at
    long = data[:place] + declared + data[place + len(declared) :]

    for sampling in ({}, {"against_videos": True}):
        expected = [frame.time for frame in frames_of(data, **sampling)]
        found = frames_of(long, **sampling)
        assert [frame.time for frame in found][: len(expected)] == expected, sampling
        assert [frame.part for frame in found[len(expected) :]] in ([], [49]), sampling


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_a_frame_hours_later_does_not_thin_out_the_samples(scene, container):
    """The clip then lasts hours, but has few frames."""
    shown = [*(number / 25 for number in range(50)), 18_000]

    data = clip(panned(scene, 5, 51, size=(160, 120)), times=shown, container=container)

    taken = [frame.time for frame in frames_of(data, against_videos=True)]
    assert taken == pytest.approx(shown, abs=0.001)


def test_the_step_depends_on_the_frames_or_the_length():
    """The one that allows more samples decides."""
    sampling = Sampling(against_videos=True)

    assert sampling.compute_step(36_000, 10_000) == sampling.compute_step(600, 90_000) == 0.125
    assert sampling.compute_step(36_000, 10_001) == sampling.compute_step(36_000) == 1.0
    assert sampling.compute_step_between(36_000, 3_000) < 0.01
    assert sampling.compute_step_between(36_000, 3_001) is None


def test_a_dark_video_is_not_screened(decoder, scene, engine_of):
    """No frame has enough detail to be compared."""
    result = engine_of({"not": scene(9)}).screen(clip([blank()] * 50))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "too_little_detail")
    assert "0 of 5 sampled frames" in result.detail
    any_share = engine_of({"not": scene(9)}, sampling=Sampling(usable=0.0))
    assert any_share.screen(clip([blank()] * 50)).reason == "too_little_detail"


@pytest.mark.parametrize(("share", "screened"), [(0.0, True), (0.2, True), (0.21, False)])
def test_too_few_usable_frames_are_not_enough(scene, engine_of, share, screened):
    """The policy sets the share that a `no_match` needs."""
    pictures = [blank()] * 80 + panned(scene, 5, 20)
    engine = engine_of({"not": scene(9)}, sampling=Sampling(usable=share))

    result = engine.screen(clip(pictures))

    assert result.verdict == (Verdict.NO_MATCH if screened else Verdict.UNSCREENED)


@pytest.mark.parametrize(
    ("settings", "name"),
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
def test_a_wrong_sampling_setting_is_named(settings, name):
    """The bounds themselves are accepted."""
    with pytest.raises(PolicyError, match=name):
        Policy(sampling=Sampling(**settings))
    assert [Policy(sampling=Sampling(usable=share)).sampling.usable for share in (0, 1)] == [0, 1]


def test_sampling_is_part_of_the_policy_file_and_its_fingerprint(tmp_path):
    """An unknown setting is refused."""
    path = tmp_path / "policy.toml"
    path.write_text('[sampling]\nmode = "keyframes"\nusable = 0.2\n')
    (tmp_path / "wrong.toml").write_text("[sampling]\nstep = 1\n")

    policy = Policy.load(path)

    assert policy == Policy(sampling=Sampling(mode="keyframes", usable=0.2))
    assert policy.fingerprint != Policy().fingerprint
    with pytest.raises(PolicyError, match="every"):
        Policy.load(tmp_path / "wrong.toml")
