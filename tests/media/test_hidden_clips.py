"""Clips hidden in a picture's file, such as motion photos, are screened and never clear the
picture.
"""

import io
import json
import struct

import av
import numpy as np
import pytest
from drawn_videos import blank, clip, panned, shown_for, tracks
from jsonschema import Draft202012Validator
from paths import REPOSITORY
from picture_bytes import jpeg, saved, several
from PIL import Image

from screener import HashList, Policy, Screener, Verdict
from screener.errors import MediaError
from screener.hashing import pdq
from screener.hashing import vpdq_value as hashes_of_videos
from screener.media import opening
from screener.media.files.limits import Limits
from screener.media.video import frames as video
from screener.media.video.sampling.settings import Sampling
from screener.screening.input import vpdq

SCHEMA = REPOSITORY / "docs" / "result.schema.json"


@pytest.fixture
def screener_of(make_list):
    """Return a function that makes a Screener whose list holds one picture, `bad`."""

    made = []

    def make(picture, **settings):
        rows = [{"id": "bad", "pdq": pdq.compute(np.asarray(picture)).text}]
        made.append(f"known{len(made)}")
        return Screener(make_list(rows, name=made[-1]), policy=Policy(**settings))

    return make


@pytest.fixture(scope="module")
def moving(scene):
    """Yield four seconds of video, of which the second and third show scene 2."""
    return clip(shown_for(scene, seconds=[(1, 1), (2, 2), (3, 1)]))


def google(picture, data):
    """Return a motion photo as Google's cameras write it: the clip stands behind the picture."""
    return picture + data


def samsung(picture, data):
    """Return a motion photo as Samsung's write it: between a marker and a directory."""
    marker = struct.pack("<HHI", 0, 0xA30, 16) + b"MotionPhoto_Data"
    directory = b"SEFH" + struct.pack("<IIHHII", 107, 1, 0, 0xA30, len(data) + 24, len(data) + 24)
    return picture + marker + data + directory + struct.pack("<I", len(directory)) + b"SEFT"


def boxed(picture, data):
    """Return a motion photo as HEIF and AVIF have it: in a box of its own."""
    return picture + struct.pack(">I", len(data) + 8) + b"mpvd" + data


FORMS = [
    (google, "JPEG"), (samsung, "JPEG"), (google, "PNG"), (google, "WEBP"), (google, "GIF"),
    (google, "AVIF"), (boxed, "AVIF"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "format"), FORMS)
def test_a_clip_behind_a_picture_is_seen_at_its_seconds(scene, screener_of, moving, form, format):
    """One match by one entry, with a timeline of the clip's own, valid by the schema."""
    data = form(saved(scene(20), format), moving)

    result = screener_of(scene(2)).screen(data)

    (match,) = result.matches
    assert (match.entry, match.part_kind) == ("bad", "appended")
    assert match.time in (1.0, 2.0)
    (seen,) = result.timeline
    assert (seen.part_kind, seen.frames, seen.spans) == ("appended", 2, ((1.0, 2.0),))
    assert (result.media.frames, result.media.samples) == (1, 1)
    line = json.loads(json.dumps(result.to_dict()))
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(line)


@pytest.mark.parametrize(("form", "format"), FORMS)
def test_the_picture_is_screened_as_if_it_had_no_clip(scene, screener_of, moving, form, format):
    """It is found as a still, without a time, and cleared by itself alone."""
    data = form(saved(scene(20), format), moving)
    found = screener_of(scene(20)).screen(data)
    assert [(match.part_kind, match.part) for match in found.matches] == [("frame", 0)]
    assert found.timeline == ()
    assert screener_of(scene(9)).screen(data).verdict is Verdict.NO_MATCH

    dark = form(saved(blank(), format), moving)
    assert str(screener_of(scene(9)).screen(dark).reason) == "too_little_detail"


def with_tracks(picture, data):
    """Return a picture of boxes with the tracks of an MP4 beside it, as HEIF sequences have."""
    head = int.from_bytes(data[:4], "big")  # the MP4's own brands, which are left out
    tracks = bytearray(data[head:])
    at = tracks.index(b"stco") + 8
    for place in range(at + 4, at + 4 + 4 * int.from_bytes(tracks[at : at + 4], "big"), 4):
        moved = int.from_bytes(tracks[place : place + 4], "big") + len(picture) - head
        tracks[place : place + 4] = moved.to_bytes(4, "big")
    return picture + bytes(tracks)


@pytest.mark.parametrize("handler", [b"vide", b"pict"])
@pytest.mark.parametrize("behind", [b"", jpeg(Image.new("RGB", (90, 90)))])
def test_a_track_beside_the_picture_of_an_avif_is_seen(scene, screener_of, moving, handler, behind):
    """Players show it, but the decoder of the picture does not."""
    picture = saved(scene(20), "AVIF")
    at = moving.index(b"hdlr") + 12
    data = with_tracks(picture, moving[:at] + handler + moving[at + 4 :]) + behind

    (match,) = screener_of(scene(2)).screen(data).matches
    assert (match.part_kind, match.time) == ("appended", 1.0)
    (match,) = screener_of(scene(20)).screen(data).matches
    assert match.part_kind == "frame"
    assert screener_of(scene(9)).screen(data).verdict is Verdict.NO_MATCH


def test_the_frames_of_an_avif_are_not_screened_twice(scene, screener_of):
    """They are a track of the file, and its decoder returns them."""
    pictures = panned(scene, 5, 5)
    data = several(pictures, "AVIF", duration=500)

    found = screener_of(pictures[-1]).screen(data)

    assert [(match.part, match.part_kind) for match in found.matches] == [(4, "frame")]
    assert {frame.part_kind for frame in opening.open(data).frames()} == {"frame"}


CODECS = {
    "matroska": "libx264", "avi": "mpeg4", "flv": "flv", "asf": "wmv2", "ogg": "libvpx",
}  # fmt: skip


@pytest.mark.parametrize("container", CODECS)
def test_clips_of_other_containers_are_seen_too(scene, screener_of, container):
    """Behind a picture, and behind a picture behind it."""
    data = clip([scene(2)] * 20, container=container, codec=CODECS[container])
    files = jpeg(scene(20)), saved(scene(21), "PNG")

    for before in (files[0], b"".join(files), files[0] + b"RIFF" * 40 + b"ftyp" * 40):
        (match,) = screener_of(scene(2)).screen(before + data).matches
        assert match.part_kind == "appended"


def test_what_cannot_be_screened_is_reported_and_what_is_no_clip_is_not(
    monkeypatch, scene, screener_of, moving
):
    """Encrypted or over a limit: not screened. Broken or cut: the picture is still sound."""
    picture = jpeg(scene(20))

    def reason_of(data, **settings):
        return str(screener_of(scene(9), **settings).screen(picture + data).reason)

    assert reason_of(moving.replace(b"avc1", b"encv")) == "encrypted"
    assert reason_of(moving, limits=Limits(samples=2)) == "too_large"
    avi = clip(shown_for(scene, seconds=[(1, 2), (3, 2)]), codec="mpeg4", container="avi")
    assert (reason_of(avi), reason_of(avi, limits=Limits(samples=2))) == ("None", "too_large")
    for broken in (moving[:200], moving[: len(moving) // 2], b"\0\0\0\x18ftypisom" + bytes(900)):
        assert reason_of(broken) == "None"
    with pytest.raises(MediaError) as caught:
        list(opening.open(picture + moving, seconds=1e-9).frames())
    assert caught.value.reason == "timeout"
    monkeypatch.setattr(video, "_has_pyav", lambda: False)
    assert reason_of(moving, sampling=Sampling(mode="keyframes")) == "unsupported"


def test_a_match_before_a_limit_of_a_clip_counts(scene, screener_of, moving):
    """A match in a hidden clip counts as in any video."""
    result = screener_of(scene(2), limits=Limits(samples=2)).screen(jpeg(scene(20)) + moving)
    assert result.verdict is Verdict.MATCH


def test_two_clips_have_times_of_their_own(scene, screener_of, moving):
    """A match and a timeline each."""
    later = clip(shown_for(scene, seconds=[(1, 3), (2, 2)]))

    result = screener_of(scene(2)).screen(jpeg(scene(20)) + moving + later)

    assert {match.part_kind for match in result.matches} == {"appended"}
    assert [one.spans for one in result.timeline] == [((1.0, 2.0),), ((3.0, 4.0),)]


def test_frames_of_several_clips_are_counted_on(scene, moving):
    """No part number is used twice, by clips or by pictures behind them."""
    data = jpeg(scene(20)) + moving + moving + saved(scene(21), "PNG")

    frames = list(opening.open(data).frames())

    assert [frame.track for frame in frames] == [0, *[1] * 4, *[2] * 4, 0]
    assert sorted({frame.part for frame in frames}) == [frame.part for frame in frames]
    assert [frame.part for frame in frames[:5]] == [0, 1, 11, 21, 31]  # as numbered in the clip


def test_tracks_of_one_clip_and_the_pictures_that_it_is_made_of(scene):
    """Each track has its own times; a clip of JPEGs is one clip."""
    both = tracks([scene(2)] * 3, [scene(5)] * 3)
    jpegs = io.BytesIO()
    with av.open(jpegs, "w", format="avi") as file:
        track = file.add_stream("mjpeg", rate=10)
        track.width, track.height, track.pix_fmt = 320, 240, "yuvj420p"
        for seed in range(20):
            frame = av.VideoFrame.from_ndarray(np.asarray(scene(seed)), format="rgb24")
            file.mux(track.encode(frame))
        file.mux(track.encode(None))

    frames = list(opening.open(jpeg(scene(20)) + both + jpegs.getvalue()).frames())

    times = [[frame.time for frame in frames if frame.track == track] for track in range(4)]
    assert [one[0] for one in times] == [0.0] * 4
    assert times[3] == [0.0, 0.5, 1.0, 1.5]


def test_an_animation_keeps_its_own_times(scene, screener_of, moving):
    """The times of a hidden clip stand beside them."""
    animation = several([scene(2), scene(5), scene(2)], "GIF", duration=500)

    result = screener_of(scene(2)).screen(animation + moving)

    assert [(one.part_kind, one.spans) for one in result.timeline] == [
        ("frame", ((0.0, 0.0), (1.0, 1.0))),
        ("appended", ((1.0, 2.0),)),
    ]


def test_a_listed_video_hidden_behind_a_picture_is_found(tmp_path, scene):
    """A list of videos clears no picture."""
    shown = panned(scene, 5, 60)
    made, _ = vpdq.compute(clip(shown))
    (tmp_path / "a.txt").write_text("\n".join(hashes_of_videos.vpdq_lines(made.value)))
    known = HashList.create(tmp_path / "known.list")
    known.import_file(tmp_path / "a.txt", source="ours")
    screener = Screener(known.refresh())

    (match,) = screener.screen(jpeg(scene(20)) + clip(shown)).matches
    other = screener.screen(jpeg(scene(20)) + clip(panned(scene, 8, 60)))

    assert (match.kind, match.part_kind) == ("vpdq", "appended")
    assert (other.verdict, str(other.reason)) == (Verdict.UNSCREENED, "not_comparable")
