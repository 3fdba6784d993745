"""Files behind the end of a video, which its decoder ignores: they clear nothing."""

import io
import zipfile

import numpy as np
import pytest
from drawn_videos import clip, panned
from picture_bytes import saved

from screener import Screener, Verdict
from screener.hashing import pdq
from screener.media.image import embedded
from screener.media.video.containers import trailing_data

CODECS = {"matroska": "libx264", "webm": "libvpx", "avi": "mpeg4", "asf": "wmv2", "mp4": "libx264"}


@pytest.fixture(scope="module")
def clips(scene):
    """Return a clip in each container."""
    pictures = panned(scene, 2, 20, size=(160, 120))
    return {name: clip(pictures, container=name, codec=codec) for name, codec in CODECS.items()}


def picture(scene, format):
    """Return the bytes of an image."""
    return saved(scene(9), format)


@pytest.mark.parametrize("container", CODECS)
@pytest.mark.parametrize("behind", ["JPEG", "PNG", "AVIF", "WEBP", "mp4", "avi", "asf", "flv"])
def test_a_file_behind_a_video_is_not_cleared(make_list, scene, clips, container, behind):
    """It may be an image or a video, with other data before it."""
    listed = pdq.compute(np.asarray(scene(8))).text
    engine = Screener(make_list([{"id": "bad", "pdq": listed, "status": "active"}]))
    assert engine.screen(clips[container]).verdict is Verdict.NO_MATCH
    if behind == container == "avi":
        return  # FFmpeg goes on with it
    hidden = picture(scene, behind) if behind.isupper() else clips.get(behind)
    hidden = hidden or clip(panned(scene, 2, 20), container=behind, codec=behind)

    for between in (b"", b"\xff" * 40):
        result = engine.screen(clips[container] + between + hidden)
        assert result.verdict is Verdict.UNSCREENED
        assert result.reason in ("unsupported", "truncated", "undecodable")


@pytest.mark.parametrize("behind", ["JPEG", "PNG", "AVIF", "WEBP", "mp4"])
def test_a_file_behind_zeros_is_found(scene, clips, behind):
    """Zeros look like a box that ends with the file."""
    hidden = picture(scene, behind) if behind.isupper() else clips[behind]
    for filled in (b"\0", b"\1", b"\xff", b"A"):
        for length in (*range(12), 16, 512, 4096):
            film = clips["mp4"] + filled * length + hidden
            assert trailing_data.hides_file(io.BytesIO(film)), (filled, length)


@pytest.mark.parametrize("container", CODECS)
def test_an_archive_behind_a_video_is_found(clips, container):
    """It may begin a few bytes later."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.jpg", bytes(200))
    for archive in (zipped.getvalue(), b"Rar!\x1a\7\1\0", b"7z\xbc\xaf\x27\x1c\0\4"):
        for between in (b"", b"\xff" * 40):
            assert trailing_data.hides_file(
                io.BytesIO(clips[container] + between + archive + bytes(100))
            )


@pytest.mark.parametrize("container", CODECS)
def test_trailing_data_is_searched_up_to_its_limit(scene, clips, container):
    """Behind 16 MiB only zeros are accepted."""
    data, hidden = clips[container], picture(scene, "JPEG")
    most = 16 << 20

    def hides(tail_of):
        return trailing_data.hides_file(io.BytesIO(data + tail_of))

    assert hides(bytes(most - len(hidden)) + hidden)
    for filled in (b"\0", b"\xff"):
        assert not hides(filled * most)
    assert hides(b"\xff" * (most + 1))
    assert hides(bytes(most) + b"\1")
    assert hides(bytes(most) + hidden)
    assert not hides(bytes(3 * most + 1))


def test_a_video_with_too_much_trailing_data_is_unsupported(make_list, scene, clips):
    """With one byte less it is `no_match`."""
    listed = pdq.compute(np.asarray(scene(8))).text
    engine = Screener(make_list([{"id": "bad", "pdq": listed, "status": "active"}]))
    for length, reason in ((16 << 20, None), ((16 << 20) + 1, "unsupported")):
        result = engine.screen(clips["matroska"] + b"\xff" * length)
        assert result.reason == reason


def test_a_last_box_without_a_length_hides_nothing(scene, clips):
    """Its frames may be image files, but are its data."""
    data = clips["mp4"]
    for name in (b"mdat", b"moov"):
        film = data + bytes(4) + name + picture(scene, "JPEG")
        assert not trailing_data.hides_file(io.BytesIO(film))


@pytest.mark.parametrize("container", CODECS)
def test_a_video_without_trailing_data_hides_nothing(clips, container):
    """Zeros or letters hide nothing; a cut file raises nothing."""
    data = clips[container]
    for behind in (b"", bytes(5000), b"TAG" + b"a title" * 20):
        file = io.BytesIO(data + behind)
        assert not trailing_data.hides_file(file)
        assert file.tell() == 0
    for size in range(0, len(data), 997):
        trailing_data.hides_file(io.BytesIO(data[:size]))
        trailing_data.hides_file(io.BytesIO(data[:size] + b"\xff" * 9 + data[size + 9 :]))


def test_a_recording_whose_length_was_never_written_hides_nothing(scene, clips):
    """An interrupted AVI has a length of 0."""
    data = clips["avi"] + picture(scene, "JPEG")
    open_end = data[:4] + bytes(4) + data[8:]
    assert not trailing_data.hides_file(io.BytesIO(open_end))


def test_a_file_behind_an_old_quicktime_movie_is_found(scene, clips):
    """It has no `ftyp` box."""
    data = clips["mp4"]
    film = data[int.from_bytes(data[:4], "big") :]
    assert film[4:8] != b"ftyp"
    assert not trailing_data.hides_file(io.BytesIO(film))
    assert trailing_data.hides_file(io.BytesIO(film + picture(scene, "PNG")))


def test_a_false_ftyp_is_not_parsed(monkeypatch):
    """Many have an impossible length."""
    monkeypatch.setattr(embedded, "sniff", None)
    assert list(embedded.find_appended(b"ftyp" * 5000, 0)) == []
