"""Opening a video from a path, bytes or a file object, and its limits."""

import hashlib
import io
import threading
from time import process_time, thread_time
from types import SimpleNamespace

import pytest
from drawn_videos import clip, shown_for

from screener import Verdict
from screener.errors import MediaError
from screener.media.files import allowance
from screener.media.files.limits import Limits
from screener.media.video import frames as video


@pytest.mark.parametrize("form", ["path", "bytes", "file"])
def test_path_bytes_and_file_object_give_the_same(decoder, tmp_path, scene, engine_of, form):
    """The file's name does not matter."""
    data = clip(shown_for(scene, seconds=[(1, 2), (2, 2)]))
    (tmp_path / "clip").write_bytes(data)  # a name tells nothing
    forms = {"path": tmp_path / "clip", "bytes": data, "file": io.BytesIO(data)}

    result = engine_of({"shown": scene(2)}).screen(forms[form])

    assert [seen.spans for seen in result.timeline] == [((2.0, 3.0),)]


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
def test_each_container_is_recognised_by_content_and_decoded(
    decoder, scene, engine_of, codec, container, mime
):
    """The picture is found at the right time in each."""
    pictures = shown_for(scene, seconds=[(1, 2), (2, 2)], size=(176, 144), rate=25)
    data = clip(pictures, rate=25, codec=codec, container=container)

    result = engine_of({"shown": scene(2, (176, 144))}).screen(data)

    assert result.media.type == mime
    (seen,) = result.timeline
    assert seen.spans == (pytest.approx((2.0, 3.0), abs=0.06),)


@pytest.mark.parametrize(
    ("processor", "wall", "reason"),
    [(0, 59, None), (5.9, 59, None), (6.1, 0, "timeout"), (0, 61, "timeout")],
)
def test_decoding_is_limited_by_processor_time_and_ten_times_as_much_wall_time(
    monkeypatch, decoder, moving, processor, wall, reason
):
    """Other processes do not shorten it, and a file that blocks still ends."""
    clock = SimpleNamespace(processor=100.0, wall=100.0)
    monkeypatch.setattr(allowance, "_processor_time", lambda: clock.processor)
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
    """Otherwise other threads may decode other files."""
    for count, over in ((lambda: None, False), (allowance.count_all_threads, True)):
        clock = SimpleNamespace(process_time=process_time, monotonic=lambda: 0.0)
        monkeypatch.setattr(allowance, "time", clock)
        monkeypatch.setattr(allowance, "_processor_time", thread_time)
        count()
        allowed = allowance.Allowance(0.05)
        other = threading.Thread(target=lambda: hashlib.sha256(bytes(200 << 20)))
        other.start()
        other.join()
        assert allowed.over is over


def test_decoding_ends_in_the_time_of_the_policy(moving, engine_of, scene):
    """A scan need not end its worker, and results so far count."""
    result = engine_of({"not": scene(9)}, seconds=0.001).screen(moving)

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "timeout")


def test_a_match_before_a_limit_counts(scene, engine_of):
    """Without a match the result has the limit's reason."""
    data = clip(shown_for(scene, seconds=[(2, 2), (1, 8)]))
    settings = {"limits": Limits(duration=5)}

    found = engine_of({"shown": scene(2)}, **settings).screen(data)
    not_found = engine_of({"not": scene(9)}, **settings).screen(data)

    assert found.verdict == Verdict.MATCH
    assert (not_found.verdict, not_found.reason) == (Verdict.UNSCREENED, "too_large")


def test_a_video_has_a_size_limit_of_its_own(tmp_path, moving, engine_of, scene):
    """A larger file is `too_large`."""
    (tmp_path / "clip.mp4").write_bytes(moving)
    size = len(moving)

    fits = engine_of({"not": scene(9)}, limits=Limits(bytes=100)).screen(tmp_path / "clip.mp4")
    over = engine_of({"not": scene(9)}, limits=Limits(bytes=100, video_bytes=size - 1)).screen(
        tmp_path / "clip.mp4"
    )

    assert fits.verdict == Verdict.NO_MATCH
    assert over.reason == "too_large"


def test_a_file_object_may_exceed_the_limit_of_a_picture_and_stays_open(
    decoder, moving, engine_of, scene
):
    """It must be seekable."""
    engine = engine_of({"not": scene(9)}, limits=Limits(bytes=100))
    with io.BytesIO(moving) as file:
        assert engine.screen(file).verdict == Verdict.NO_MATCH
        assert not file.closed
        file.seekable = lambda: False
        file.seek(0)
        assert engine.screen(file).reason == "too_large"
