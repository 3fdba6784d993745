"""Images that a video carries beside its tracks: Matroska attachments and covers."""

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
def hash_list(make_list, scene):
    """Return a list that holds one picture, `bad`."""
    return make_list([{"id": "bad", "pdq": pdq.compute(np.asarray(scene(1))).text}])


@pytest.fixture
def engine(hash_list):
    """Return a Screener whose list holds one picture, `bad`."""
    return Screener(hash_list)


@pytest.fixture
def shown(scene):
    """Return the frames of the videos."""
    return [scene(20)] * 10 + [scene(21)] * 10


def attached(shown, *files):
    """Return a Matroska file with attached files: (type, bytes) pairs."""
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
    """Return an MP4 with covers: (type number, bytes) pairs."""
    values = [box(b"data", kind.to_bytes(4, "big"), bytes(4), cover) for kind, cover in covers]
    handler = box(b"hdlr", bytes(8), b"mdirappl", bytes(9))
    metadata = box(b"udta", box(b"meta", version, handler, box(b"ilst", box(item, *values))))
    at = data.rindex(b"moov") - 4
    length = int.from_bytes(data[at : at + 4], "big")
    assert at + length == len(data)
    return data[:at] + (length + len(metadata)).to_bytes(4, "big") + data[at + 4 :] + metadata


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
def test_attached_images_are_searched_whatever_their_type(
    monkeypatch, engine, scene, shown, opencv, mime, format
):
    """Each is one thumbnail, outside of the timeline."""
    if opencv:
        monkeypatch.setattr(frames, "_has_pyav", lambda: False)

    result = engine.screen(attached(shown, (mime, saved(scene(1), format))))

    (match,) = result.matches
    assert (match.part_kind, match.part, match.distance <= 6) == ("thumbnail", len(shown), True)
    assert (result.timeline, result.media.samples) == ((), 4)


@pytest.mark.parametrize(
    ("kind", "format"), [(13, "JPEG"), (0, "JPEG"), (1, "JPEG"), (12, "GIF"), (13, "WEBP")]
)
def test_covers_of_any_type_are_searched(engine, scene, shown, kind, format):
    """FFmpeg skips types that it does not know."""
    result = engine.screen(covered(clip(shown), (kind, saved(scene(1), format))))

    (match,) = result.matches
    assert (match.part_kind, match.part) == ("thumbnail", len(shown))


@pytest.mark.parametrize("version", [bytes(4), b""])
def test_an_item_of_any_name_may_have_a_cover(engine, scene, shown, version):
    """QuickTime's have other names, and no version."""
    cover = (13, saved(scene(1), "JPEG"))
    data = covered(clip(shown, container="mov"), cover, item=b"\0\0\0\1", version=version)
    assert [match.entry for match in engine.screen(data).matches] == ["bad"]


def test_every_frame_of_an_animated_cover_is_searched(engine, scene, shown):
    """FFmpeg returns its first."""
    moving = saved(scene(22), "GIF", save_all=True, append_images=[scene(1)])
    result = engine.screen(attached(shown, ("image/gif", moving)))
    assert [(match.part_kind, match.part) for match in result.matches] == [
        ("thumbnail", len(shown) + 1)
    ]


def test_other_attachments_change_nothing(engine, scene, shown):
    """Fonts, texts and unlisted images are attached."""
    other = saved(scene(22), "PNG")
    data = attached(shown, ("font/ttf", b"\0\1\0\0" + bytes(500)), ("text/plain", b"a note" * 50))
    assert engine.screen(data).verdict is Verdict.NO_MATCH
    assert engine.screen(attached(shown, ("image/png", other))).verdict is Verdict.NO_MATCH
    assert (
        engine.screen(covered(clip(shown), (0, b"a note"), (14, other))).verdict is Verdict.NO_MATCH
    )


def test_an_attachment_that_cannot_be_decoded_has_a_reason(hash_list, engine, scene, shown):
    """It is an unsupported image, one over a limit, or a video."""
    odd = b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(500)
    for data in (attached(shown, ("image/jxl", odd)), covered(clip(shown), (0, odd))):
        assert str(engine.screen(data).reason) == "unsupported"
    assert str(engine.screen(attached(shown, ("", clip(shown)))).reason) == "unsupported"

    large = attached(shown, ("image/bmp", saved(scene(22), "BMP")))
    small = Screener(hash_list, policy=Policy(limits=Limits(bytes=50_000)))
    assert str(small.screen(large).reason) == "too_large"


def test_a_broken_cover_is_ignored(engine, scene, shown):
    """The video itself is sound."""
    broken = saved(scene(22), "PNG")[:40]
    assert engine.screen(covered(clip(shown), (0, broken))).verdict is Verdict.NO_MATCH


def test_audio_is_screened_by_its_cover(engine, scene):
    """A second cover is searched too."""
    other, bad = saved(scene(22), "JPEG"), saved(scene(1), "JPEG")
    assert engine.screen(covered(sound(), (13, other))).verdict is Verdict.NO_MATCH
    assert engine.screen(covered(sound(), (13, other), (0, bad))).verdict is Verdict.MATCH


def test_a_cover_of_audio_that_ffmpeg_does_not_recognise_is_searched(engine, scene):
    """It may match, but does not clear the file."""
    other, bad = saved(scene(22), "JPEG"), saved(scene(1), "JPEG")
    assert engine.screen(covered(sound(), (0, bad))).verdict is Verdict.MATCH
    assert str(engine.screen(covered(sound(), (0, other))).reason) == "no_video"
    assert "cover" in engine.screen(b"ID3\3" + bytes(500)).detail


@given(st.binary(max_size=200), st.integers(0, 300))
def test_broken_files_raise_nothing(rest, cut):
    """Places lie within the file, and the stream stays at its position."""
    ilst = box(b"moov", box(b"udta", box(b"meta", bytes(4), box(b"ilst", box(b"covr", rest)))))
    for begin in (box(b"ftyp", b"isom") + ilst, bytes.fromhex("1a45dfa3801853806781") + rest):
        data = (begin + rest)[:cut]
        stream = io.BytesIO(data)
        assert all(
            0 <= one.start < one.end <= len(data) for one in attachments.find_attached(stream)
        )
        assert stream.tell() == 0
