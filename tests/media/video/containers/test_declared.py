"""Encryption, codecs and fragments that a file declares."""

import pytest
from drawn_videos import clip, in_fragments, sound

from screener import Verdict
from screener.errors import MediaError
from screener.media import opening
from screener.media.video import frames as video


def tags(data):
    """Return the tags of an FLV, each with its length."""
    at, found = 13, []
    while at < len(data):
        end = at + 15 + int.from_bytes(data[at + 1 : at + 4], "big")
        found.append(data[at:end])
        at = end
    return found


def test_an_flv_that_changes_its_codec_is_unsupported(scene, engine_of):
    """FFmpeg makes a new track of the rest without reporting it."""
    shown = clip([scene(20, (64, 48))] * 300, codec="flv", container="flv")
    other = tags(clip([scene(1)] * 30, container="flv"))
    engine = engine_of({"bad": scene(1)})

    assert str(engine.screen(shown + b"".join(other[1:])).reason) == "unsupported"
    assert engine.screen(shown + b"".join(tags(shown)[1:])).reason is None


@pytest.mark.parametrize("opencv", [False, True])
def test_an_mp4_that_changes_its_codec_is_unsupported(monkeypatch, scene, engine_of, opencv):
    """FFmpeg skips fragments of any codec but the first."""
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
def test_fragments_that_go_back_in_time_are_searched(monkeypatch, scene, engine_of, seconds):
    """OpenCV drops them, so the file is `unsupported`."""
    count = round(seconds * 10)
    head, first = in_fragments([scene(20)] * count)
    _, second = in_fragments([scene(1)] * count)
    engine = engine_of({"bad": scene(1)})

    result = engine.screen(head + first + second)

    assert [match.part >= count for match in result.matches] == [True]
    monkeypatch.setattr(video, "_has_pyav", lambda: False)
    assert str(engine.screen(head + first + second).reason) == "unsupported"
    assert engine.screen(head + first).verdict is Verdict.NO_MATCH


def test_an_encrypted_track_is_not_decoded(decoder, moving):
    """Frames of noise are never hashed."""
    encrypted = moving.replace(b"avc1", b"encv")

    with pytest.raises(MediaError) as caught:
        video.open(encrypted)
    assert caught.value.reason == "encrypted"


def test_an_encrypted_webm_is_recognised():
    """Elements may have known or unknown sizes."""

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


def test_audio_is_not_a_video():
    """The reason is `no_video`."""
    for data in (sound(), b"ID3\4" + bytes(100), b"fLaC" + bytes(100)):
        with pytest.raises(MediaError) as caught:
            opening.open(data)
        assert caught.value.reason == "no_video"
