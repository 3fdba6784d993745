"""Decoding by PyAV, and what both decoders have in common."""

import contextlib
import gc
import io
import itertools
import subprocess
import sys
import tomllib
from fractions import Fraction

import av
import numpy as np
import pytest
from collected_at_once import none_collected
from drawn_videos import clip, in_fragments, jpegs, panned, turned_by
from paths import REPOSITORY
from PIL import Image
from sampled_frames import frames_of, near, reason_of

from screener import Verdict
from screener.errors import MediaError
from screener.media import opening
from screener.media.files import allowance
from screener.media.video import frames as video
from screener.media.video.decoders.pyav import AvStream
from screener.media.video.decoders.stream import DecodedFrame
from screener.media.video.sampling.settings import Sampling
from screener.media.video.timing import Grid
from screener.system import installation


def test_both_decoders_return_the_same_grey(moving, monkeypatch):
    """Every frame agrees to a level or two, and every hash to a few bits."""
    by_pyav = frames_of(moving, mode="all", distinct=False)
    monkeypatch.setattr(video, "_has_pyav", lambda: False)
    by_opencv = frames_of(moving, mode="all", distinct=False)

    assert [f.time for f in by_pyav] == pytest.approx([f.time for f in by_opencv])
    for one, other in zip(by_pyav, by_opencv, strict=True):
        assert np.abs(one.pixels.astype(int) - other.pixels).mean() < 2
        assert near(one.pixels, other.pixels) <= 6


@pytest.mark.parametrize("error", [ImportError, OSError, RuntimeError])
def test_an_extra_that_cannot_be_loaded_is_not_installed(monkeypatch, error):
    """Any error on import counts."""

    def fails(name):
        raise error(name)

    monkeypatch.setattr(installation, "import_module", fails)
    installation.is_available.cache_clear()
    try:
        assert not installation.is_available("heif")
    finally:
        installation.is_available.cache_clear()


@pytest.mark.parametrize("version", ["17.1.0", "20.0.0"])
def test_another_version_of_pyav_is_not_used(moving, monkeypatch, version):
    """OpenCV decodes, and the message names the extra, which requires PyAV 18 or 19."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    (required,) = settings["project"]["optional-dependencies"]["video"]
    assert required == "av>=18,<20"
    assert video._has_pyav()
    monkeypatch.setattr(av, "__version__", version)
    installation.is_available.cache_clear()
    try:
        assert not installation.is_available("video")
    finally:
        installation.is_available.cache_clear()

    assert len(frames_of(moving)) == 4
    with pytest.raises(MediaError, match=r"`video` \(pip install 'media-screener\[video\]'\)"):
        frames_of(moving, mode="keyframes")


def test_measuring_the_length_uses_up_the_allowance(monkeypatch, scene):
    """The walk then ends with `timeout`."""
    monkeypatch.setattr(allowance, "_processor_time", itertools.count().__next__)
    data = clip([scene(5, (160, 120))] * 50, codec="mpeg2video", container="mpeg2video")

    opened = video.open(data, seconds=30)

    assert opened.media.duration == pytest.approx(2.9, abs=0.2)
    with pytest.raises(MediaError, match="timeout"):
        list(opened.frames())


def test_keyframes_decodes_only_key_frames(scene):
    """They have their times and numbers."""
    data = clip(panned(scene, 7, 50), gop=20, codec="mpeg4")

    frames = frames_of(data, mode="keyframes")

    assert [frame.part for frame in frames] == [0, 20, 40]
    assert [frame.time for frame in frames] == pytest.approx([0.0, 2.0, 4.0])


ROTATIONS = [
    ((0, 1, -1, 0), Image.Transpose.ROTATE_90),
    ((-1, 0, 0, -1), Image.Transpose.ROTATE_180),
    ((0, -1, 1, 0), Image.Transpose.ROTATE_270),
    ((1, 0, 0, 1), None),
]


@pytest.mark.parametrize(("matrix", "undo"), ROTATIONS)
def test_rotation_that_the_file_declares_is_applied(decoder, scene, engine_of, matrix, undo):
    """The match is upright, and the size is as shown."""
    stored = scene(2) if undo is None else scene(2).transpose(undo)
    data = turned_by(clip([stored] * 5), matrix)

    result = engine_of({"shown": scene(2)}).screen(data)

    assert [match.orientation for match in result.matches] == ["upright"]
    assert (result.media.width, result.media.height) == (320, 240)


@pytest.mark.parametrize(("matrix", "undo"), ROTATIONS)
def test_frames_with_unknown_side_data_are_decoded_and_turned(scene, engine_of, matrix, undo):
    """JPEG frames have EXIF, for example."""
    stored = scene(2) if undo is None else scene(2).transpose(undo)
    data = turned_by(jpegs([stored] * 5), matrix)

    result = engine_of({"shown": scene(2)}).screen(data)

    assert [match.orientation for match in result.matches] == ["upright"]


def test_a_title_that_is_not_utf_8_is_accepted(moving):
    """It may also be the name of the program that wrote the file."""
    assert len(frames_of(moving.replace(b"Lavf", b"L\xe9vf"))) == 4


def test_frames_are_freed_without_the_cycle_collector(moving):
    """Each is freed with its last reference."""
    with none_collected():
        assert len(frames_of(moving)) > 1
        assert not [one for one in gc.get_objects() if isinstance(one, av.VideoFrame)]


def test_a_video_that_is_cut_short_leaves_no_cycles(moving, engine_of, scene):
    """Its frames are freed at once."""
    engine = engine_of({"shown": scene(2)})
    cut = moving[: len(moving) * 2 // 3]
    assert engine.screen(cut).verdict == Verdict.UNSCREENED
    with none_collected():
        engine.screen(cut)
        assert gc.collect() == 0


def test_a_mirror_that_the_file_declares_is_applied(scene, engine_of):
    """PyAV applies it; OpenCV finds a mirrored picture."""
    data = turned_by(clip([scene(2).transpose(Image.Transpose.FLIP_LEFT_RIGHT)] * 5), (-1, 0, 0, 1))

    result = engine_of({"shown": scene(2)}).screen(data)

    assert [match.orientation for match in result.matches] == ["upright"]


def test_a_walk_that_ends_early_in_joined_fragments_does_not_block(tmp_path, scene):
    """Decoder threads may still be busy with them."""
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
    print(found.error.reason)
"""

    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True, timeout=30
    )

    assert done.stdout.split() == ["too_large"] * 5


@pytest.mark.parametrize(
    "text",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n",
        b"ffconcat version 1.0\nfile /etc/hostname\n",
    ],
)
def test_playlists_are_not_opened(text):
    """FFmpeg would open the files that they name."""
    with pytest.raises(MediaError) as caught:
        opening.open(text * 200)
    assert caught.value.reason == "unsupported"


def test_nothing_is_written_to_standard_error(scene, capfd):
    """PyAV is silent even for damaged files."""
    data = clip(panned(scene, 2, 30), gop=10)
    damaged = bytearray(data)
    damaged[2000:2500] = bytes(500)

    for one in (data[: len(data) // 2], bytes(damaged), b"\0\0\0\x18ftypisom"):
        with contextlib.suppress(MediaError):
            reason_of(one)

    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_skipping_unreferenced_frames_does_not_change_the_samples(scene):
    """Fewer frames are decoded."""
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


def test_unreferenced_frames_of_temporal_layers_are_skipped(scene):
    """The next packet is read first, since the last frame of a step may be sampled."""
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
    steps = AvStream(out, "video/webm", grid=Sampling().create_grid).steps()

    assert sum(isinstance(step, DecodedFrame) for step in steps) < 120


def test_a_long_video_takes_little_memory(tmp_path, scene):
    """Twice the length may not take the memory of the additional frames, 25 MB."""
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
print(found.media.samples, found.error, (peaks[1] - peaks[0]) // 1024)
"""
    shown = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
    )
    samples, trouble, megabytes = shown.stdout.split()

    assert (samples, trouble) == ("600", "None")
    assert int(megabytes) < 13
