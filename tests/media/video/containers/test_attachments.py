"""Pictures that a video's file carries beside its tracks: attachments of Matroska, and covers."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from drawn_videos import clip, sound
from hypothesis import given
from hypothesis import strategies as st
from iso_boxes import box
from picture_bytes import saved

from screener import Policy, Screener, Verdict
from screener.hashing import pdq
from screener.media.files.limits import Limits
from screener.media.video import frames
from screener.media.video.containers import attachments


@pytest.fixture
def known(make_list, scene):
    """A list that holds one picture, `bad`."""
    return make_list([{"id": "bad", "pdq": pdq.compute(np.asarray(scene(1))).text}])


@pytest.fixture
def engine(known):
    """A Screener of that list."""
    return Screener(known)


@pytest.fixture
def shown(scene):
    """What the videos show."""
    return [scene(20)] * 10 + [scene(21)] * 10


def attached(shown, *files):
    """A Matroska file of pictures with files attached: (type, bytes) pairs."""
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as file:
        track = file.add_stream("libx264", rate=10)
        track.width, track.height = shown[0].size
        track.pix_fmt = "yuv420p"
        for number, (mime, data) in enumerate(files):
            file.add_attachment(str(number), mime, data)
        for number, picture in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            file.mux(track.encode(frame))
        file.mux(track.encode(None))
    return out.getvalue()


def covered(data, *covers, item=b"covr", version=bytes(4)):
    """An MP4, whose `moov` comes last, with covers: (number of a type, bytes) pairs."""
    values = [box(b"data", kind.to_bytes(4, "big"), bytes(4), cover) for kind, cover in covers]
    handler = box(b"hdlr", bytes(8), b"mdirappl", bytes(9))
    told = box(b"udta", box(b"meta", version, handler, box(b"ilst", box(item, *values))))
    at = data.rindex(b"moov") - 4
    length = int.from_bytes(data[at : at + 4], "big")
    assert at + length == len(data)
    return data[:at] + (length + len(told)).to_bytes(4, "big") + data[at + 4 :] + told


@pytest.mark.parametrize("opencv", [False, True])
@pytest.mark.parametrize(
    ("mime", "format"),
    [
        ("image/jpeg", "JPEG"),
        ("image/jpg", "JPEG"),
        ("application/octet-stream", "JPEG"),
        ("font/ttf", "PNG"),
        ("image/webp", "WEBP"),
        ("image/bmp", "BMP"),
        ("image/avif", "AVIF"),
    ],
)
def test_what_is_attached_is_looked_at_whatever_its_type_says(
    monkeypatch, engine, scene, shown, opencv, mime, format
):
    """As a thumbnail, once, which makes a match and has no place in the timeline."""
    if opencv:
        monkeypatch.setattr(frames, "_has_pyav", lambda: False)

    result = engine.screen(attached(shown, (mime, saved(scene(1), format))))

    (match,) = result.matches
    assert (match.part_kind, match.part, match.distance <= 6) == ("thumbnail", len(shown), True)
    assert (result.timeline, result.media.samples) == ((), 4)


@pytest.mark.parametrize(
    ("kind", "format"), [(13, "JPEG"), (0, "JPEG"), (1, "JPEG"), (12, "GIF"), (13, "WEBP")]
)
def test_covers_of_any_type_are_looked_at(engine, scene, shown, kind, format):
    """FFmpeg passes over those whose type is not one of three, and is misled by another."""
    result = engine.screen(covered(clip(shown), (kind, saved(scene(1), format))))

    (match,) = result.matches
    assert (match.part_kind, match.part) == ("thumbnail", len(shown))


@pytest.mark.parametrize("version", [bytes(4), b""])
def test_an_item_of_any_name_may_hold_one(engine, scene, shown, version):
    """As QuickTime's own have, whose box has no version."""
    cover = (13, saved(scene(1), "JPEG"))
    data = covered(clip(shown, container="mov"), cover, item=b"\0\0\0\1", version=version)
    assert [match.entry for match in engine.screen(data).matches] == ["bad"]


def test_every_frame_of_an_animated_cover_is_looked_at(engine, scene, shown):
    """FFmpeg gives its first."""
    moving = saved(scene(22), "GIF", save_all=True, append_images=[scene(1)])
    result = engine.screen(attached(shown, ("image/gif", moving)))
    assert [(match.part_kind, match.part) for match in result.matches] == [
        ("thumbnail", len(shown) + 1)
    ]


def test_what_is_no_picture_is_left_alone(engine, scene, shown):
    """Fonts, texts, and pictures that are not listed change nothing."""
    other = saved(scene(22), "PNG")
    data = attached(shown, ("font/ttf", b"\0\1\0\0" + bytes(500)), ("text/plain", b"a note" * 50))
    assert engine.screen(data).verdict is Verdict.NO_MATCH
    assert engine.screen(attached(shown, ("image/png", other))).verdict is Verdict.NO_MATCH
    assert (
        engine.screen(covered(clip(shown), (0, b"a note"), (14, other))).verdict is Verdict.NO_MATCH
    )


def test_what_cannot_be_looked_at_is_told(known, engine, scene, shown):
    """A picture of a kind that is not decoded, one over a limit, and a video."""
    odd = b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(500)
    for data in (attached(shown, ("image/jxl", odd)), covered(clip(shown), (0, odd))):
        assert str(engine.screen(data).reason) == "unsupported"
    assert str(engine.screen(attached(shown, ("", clip(shown)))).reason) == "unsupported"

    large = attached(shown, ("image/bmp", saved(scene(22), "BMP")))
    small = Screener(known, policy=Policy(limits=Limits(bytes=50_000)))
    assert str(small.screen(large).reason) == "too_large"


def test_a_broken_cover_is_passed_over(engine, scene, shown):
    """As other hidden pictures are; what the video shows is as sound."""
    broken = saved(scene(22), "PNG")[:40]
    assert engine.screen(covered(clip(shown), (0, broken))).verdict is Verdict.NO_MATCH


def test_sound_with_a_cover_is_screened_by_it(engine, scene):
    """It is all the pictures that there are; a second one is looked at too."""
    other, bad = saved(scene(22), "JPEG"), saved(scene(1), "JPEG")
    assert engine.screen(covered(sound(), (13, other))).verdict is Verdict.NO_MATCH
    assert engine.screen(covered(sound(), (13, other), (0, bad))).verdict is Verdict.MATCH


def test_a_cover_of_sound_that_ffmpeg_takes_for_none(engine, scene):
    """It may match; what it shows clears nothing. Of sound without boxes it is told."""
    other, bad = saved(scene(22), "JPEG"), saved(scene(1), "JPEG")
    assert engine.screen(covered(sound(), (0, bad))).verdict is Verdict.MATCH
    assert str(engine.screen(covered(sound(), (0, other))).reason) == "no_video"
    assert "cover" in engine.screen(b"ID3\3" + bytes(500)).detail


@given(st.binary(max_size=200), st.integers(0, 300))
def test_nothing_raises_on_what_is_broken(rest, cut):
    """Places lie within the file, and the stream is left where it was."""
    ilst = box(b"moov", box(b"udta", box(b"meta", bytes(4), box(b"ilst", box(b"covr", rest)))))
    for begin in (box(b"ftyp", b"isom") + ilst, bytes.fromhex("1a45dfa3801853806781") + rest):
        data = (begin + rest)[:cut]
        stream = io.BytesIO(data)
        assert all(0 <= one.start < one.end <= len(data) for one in attachments.places(stream))
        assert stream.tell() == 0
