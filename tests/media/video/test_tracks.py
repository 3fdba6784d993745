"""Videos with several video tracks: each is searched, whichever a player shows."""

import io

import numpy as np
import pytest
from drawn_videos import blank, clip, panned, tracks

from screener import HashList, Screener, Verdict
from screener.errors import MediaError
from screener.hashing import pdq
from screener.hashing import vpdq_value as hashes_of_videos
from screener.media.files.limits import Limits
from screener.media.video import frames as video
from screener.media.video.containers import mpeg_streams
from screener.media.video.decoders.pyav import AvStream
from screener.screening.input import vpdq


@pytest.fixture
def engine(make_list, scene):
    """Return a Screener whose list holds one picture, `bad`."""
    return Screener(make_list([{"id": "bad", "pdq": pdq.compute(np.asarray(scene(1))).text}]))


def other(scene, seconds=4, size=(320, 240)):
    """Return pictures that are not listed, another one each second."""
    return [scene(20 + at // 10, size) for at in range(seconds * 10)]


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
@pytest.mark.parametrize("first", [True, False])
def test_every_video_track_is_searched(engine, scene, container, first):
    """Tracks may have different sizes; times are those of the track."""
    shown = [scene(20)] * 10 + [scene(1)] * 20 + [scene(21)] * 10
    small = other(scene, size=(160, 120))
    data = tracks(*((shown, small) if first else (small, shown)), container=container)

    result = engine.screen(data)

    assert [match.entry for match in result.matches] == ["bad"]
    assert result.timeline[0].spans == ((1.0, 2.0),)
    assert result.media.samples == 8
    assert result.matches[0].part == (10 if first else 50)


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
def test_a_track_that_opencv_cannot_open_is_unsupported(monkeypatch, engine, scene, container):
    """It opens only the first; the result names the extra."""
    monkeypatch.setattr(video, "_has_pyav", lambda: False)
    shown = other(scene, seconds=2)

    result = engine.screen(tracks(shown, shown, container=container))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "unsupported")
    assert result.extra == "video"
    assert engine.screen(tracks(shown, container=container)).verdict is Verdict.NO_MATCH


def test_an_installed_extra_is_not_named(engine, scene):
    """FFmpeg reads only the first of two joined MP4 files."""
    data = tracks(other(scene, seconds=2, size=(160, 120)))

    result = engine.screen(data + data)

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "unsupported")
    assert (result.extra, "extra" in result.detail) == (None, False)


def test_spans_of_two_tracks_do_not_run_into_each_other(engine, scene):
    """One track starts with the picture, the other ends with it."""
    early = [scene(1)] * 20 + [scene(20)] * 20
    late = [scene(21)] * 30 + [scene(1)] * 10

    assert engine.screen(tracks(early, late)).timeline[0].spans == ((0.0, 1.0), (3.0, 3.0))


@pytest.mark.parametrize("first", [True, False])
def test_a_cover_picture_is_a_thumbnail(engine, scene, first):
    """It makes a match outside of the timeline, and does not clear the file."""
    shown = other(scene)
    sides = [[scene(1)], shown] if first else [shown, [scene(1)]]
    result = engine.screen(tracks(*sides, covers=[0 if first else 1]))

    (match,) = result.matches
    assert (match.part_kind, match.distance <= 4) == ("thumbnail", True)
    assert (result.timeline, result.media.samples) == ((), 4)

    dark = tracks([blank()] * 40, [scene(30)], covers=[1])
    assert str(engine.screen(dark).reason) == "too_little_detail"


def with_chapters(data):
    """Return an MP4 of two tracks whose second one has pictures of chapters."""
    reference = bytes.fromhex("00000014") + b"tref" + bytes.fromhex("0000000c") + b"chap\0\0\0\2"
    end = data.index(b"tkhd") - 4
    end += int.from_bytes(data[end : end + 4], "big")
    for name in (b"moov", b"trak"):
        at = data.index(name, data.rindex(b"moov")) - 4
        length = int.from_bytes(data[at : at + 4], "big") + len(reference)
        data = data[:at] + length.to_bytes(4, "big") + data[at + 4 :]
    return data[:end] + reference + data[end:]


def test_every_picture_of_chapters_is_searched(engine, scene):
    """FFmpeg marks their track like a cover, and returns the first twice."""
    chapters = [scene(20)] * 10 + [scene(1)] * 20 + [scene(21)] * 10
    data = with_chapters(tracks(other(scene), chapters))

    result = engine.screen(data)

    assert [(match.part_kind, match.part) for match in result.matches] == [("frame", 50)]
    assert (result.timeline[0].spans, result.media.samples) == (((1.0, 2.0),), 8)
    assert AvStream(io.BytesIO(data), "video/mp4").covers == 0


def test_trouble_in_one_track_does_not_hide_the_other(engine, scene):
    """A dark track hides no match in another; limits count over all tracks."""
    data = tracks([blank()] * 40, [scene(1)] * 40)
    assert engine.screen(data).verdict is Verdict.MATCH

    frames = []
    with pytest.raises(MediaError) as error:
        frames.extend(
            video.open(tracks(other(scene), other(scene)), limits=Limits(samples=6)).frames()
        )
    assert error.value.reason == "too_large"
    assert [frame.track for frame in frames] == [0] * 4 + [1] * 2


def test_a_listed_video_in_a_second_track_is_found(tmp_path, scene):
    """Frames of two tracks do not make one clip; a vPDQ is of the first."""
    moving, calm = panned(scene, 5, 60), other(scene, seconds=6)
    made, _ = vpdq.compute(clip(moving))
    (tmp_path / "a.txt").write_text("\n".join(hashes_of_videos.vpdq_lines(made.value)))
    hash_list = HashList.create(tmp_path / "known.list")
    hash_list.import_file(tmp_path / "a.txt", source="ours")

    engine = Screener(hash_list.refresh())
    (alone,) = engine.screen(tracks(moving)).matches
    (match,) = engine.screen(tracks(calm, moving)).matches

    assert (match.kind, match.video) == ("vpdq", alone.video)
    both, _ = vpdq.compute(tracks(moving, calm))
    assert len(both.value) == len(made.value)


@pytest.mark.parametrize(("size", "before"), [(188, 0), (192, 4), (204, 0)])
def test_a_track_that_begins_within_a_transport_stream_is_found(monkeypatch, scene, size, before):
    """Packets may have any size and begin anywhere; the stream stays at its position."""
    parts = [clip(other(scene, 1, (64, 48)), container="mpegts", mpegts_start_pid=pid)
             for pid in ("256", "512")]  # fmt: skip
    joined = parts[0] + b"junk" + parts[1] + parts[0]
    packets = [parts[0][at : at + 188] for at in range(0, len(parts[0]), 188)]
    spread = b"".join(bytes(before) + one + bytes(size - before - 188) for one in packets)

    for chunk in (4 << 20, 1000):
        monkeypatch.setattr(mpeg_streams, "_CHUNK_SIZE", chunk)
        stream = io.BytesIO(joined)
        stream.seek(5)
        assert mpeg_streams.find_transport_tracks(stream).ids == {256, 512}
        assert stream.tell() == 5
        assert mpeg_streams.find_transport_tracks(io.BytesIO(spread)).ids == {256}
        assert mpeg_streams.find_transport_tracks(io.BytesIO(b"\x47" * 3000)).ids == set()
        assert mpeg_streams.find_transport_tracks(io.BytesIO()) == (set(), False)


def test_a_transport_stream_that_changes_its_codec_is_recognised(monkeypatch, scene):
    """FFmpeg has one decoder for the track."""
    size = (64, 48)
    shown = clip(other(scene, 1, size), container="mpegts")
    pictures = [scene(1, size)] * 30
    coded = clip(pictures, rate=25, codec="mpeg2video", container="mpegts")
    tables = b"".join(data[at : at + 188] for data in (
        clip(pictures, container="mpegts", mpegts_start_pid="512"),
        clip(pictures, rate=25, codec="mpeg2video", container="mpegts", mpegts_start_pid="512"),
    ) for at in range(0, len(data), 188) if data[at + 1 : at + 3] == b"\x50\0")  # fmt: skip
    assert tables

    for chunk in (4 << 20, 1000):
        monkeypatch.setattr(mpeg_streams, "_CHUNK_SIZE", chunk)
        stream = io.BytesIO(shown + coded + shown)
        stream.seek(5)
        assert mpeg_streams.find_transport_tracks(stream) == ({256}, True)
        assert stream.tell() == 5
        assert mpeg_streams.find_transport_tracks(io.BytesIO(shown * 3)) == ({256}, False)
        assert mpeg_streams.find_transport_tracks(io.BytesIO(tables + shown)) == ({256}, False)
        assert mpeg_streams.find_transport_tracks(io.BytesIO(b"\x47" * 3000)) == (set(), False)


def test_a_track_that_changes_its_codec_clears_nothing(monkeypatch, engine, scene):
    """A match still counts."""
    monkeypatch.setattr(
        mpeg_streams, "find_transport_tracks", lambda _: mpeg_streams.Tracks({256}, True)
    )
    shown = clip(other(scene, 2, (160, 120)), container="mpegts")
    assert str(engine.screen(shown).reason) == "unsupported"
    assert engine.screen(clip([scene(1)] * 10, container="mpegts")).verdict is Verdict.MATCH
    assert engine.screen(clip(other(scene, 2), container="mp4")).verdict is Verdict.NO_MATCH


def test_a_track_that_ffmpeg_did_not_know_clears_nothing(monkeypatch, engine, scene):
    """FFmpeg reads only the start and end of a large file; a match still counts."""
    monkeypatch.setattr(
        mpeg_streams, "find_transport_tracks", lambda _: mpeg_streams.Tracks({256, 512})
    )
    shown = clip(other(scene, 2, (160, 120)), container="mpegts")

    result = engine.screen(shown)

    assert (result.verdict, result.reason, result.extra) == ("unscreened", "unsupported", None)
    assert engine.screen(clip([scene(1)] * 10, container="mpegts")).verdict is Verdict.MATCH
    assert engine.screen(clip(other(scene, 2), container="mp4")).verdict is Verdict.NO_MATCH


def test_a_track_that_begins_within_a_program_stream_is_found(monkeypatch, engine, scene):
    """FFmpeg searches its first seconds and its end; OpenCV opens one track."""
    shown = clip([scene(20, (64, 48))] * 300, rate=25, codec="mpeg2video", container="mpeg")
    other = clip([scene(1)] * 30, rate=25, codec="mpeg2video", container="mpeg")
    other = other.replace(b"\0\0\1\xe0", b"\0\0\1\xe1")
    filling = (b"\0\0\1\xbe\xff\xf0" + b"\xff" * 0xFFF0) * 92
    late = shown * 4 + other + filling + shown

    for chunk in (4 << 20, 100_000):
        monkeypatch.setattr(mpeg_streams, "_CHUNK_SIZE", chunk)
        stream = io.BytesIO(late)
        stream.seek(5)
        assert mpeg_streams.find_program_tracks(stream).ids == {0x1E0, 0x1E1}
        assert stream.tell() == 5
        assert mpeg_streams.find_program_tracks(io.BytesIO(shown + b"\0\0\1\xe2" * 20)).ids == {
            0x1E0
        }
        assert mpeg_streams.find_program_tracks(io.BytesIO()) == (set(), False)
    assert engine.screen(shown).reason is None
    assert engine.screen(shown + other).verdict is Verdict.MATCH
    assert str(engine.screen(late).reason) == "unsupported"
    monkeypatch.setattr(video, "_has_pyav", lambda: False)
    assert str(engine.screen(shown + other).reason) == "unsupported"


def test_a_track_that_turns_up_on_the_way_ends_nothing(monkeypatch, engine, scene):
    """PyAV fails on it only at the end of the file."""
    data = clip(other(scene, seconds=2) + [scene(1)] * 10)
    steps = AvStream.steps

    def with_another(self):
        demux = self._track.container.demux
        wrapped = type("Container", (), {})()
        wrapped.close = self._track.container.close

        def packets(track):
            yield from demux(track)
            raise IndexError

        wrapped.demux = packets
        self._track.container = wrapped
        return steps(self)

    monkeypatch.setattr(AvStream, "steps", with_another)
    result = engine.screen(data)

    assert (result.verdict, result.media.samples) == (Verdict.MATCH, 6)
