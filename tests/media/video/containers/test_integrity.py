"""Videos that are cut short, damaged or cannot be read."""

import io
import re
import struct

import av
import pytest
from drawn_videos import clip, panned
from sampled_frames import reason_of

from screener import Screener, Verdict
from screener.errors import MediaError
from screener.media.video import frames as video
from screener.media.video.containers import integrity


class Failing(io.BytesIO):
    """A file on a disk that fails after a number of reads."""

    def __init__(self, data, reads):
        super().__init__(data)
        self.reads = reads

    def read(self, size=-1, /):
        """Return data until the reads are used up."""
        self.reads -= 1
        if self.reads < 0:
            raise OSError(5, "Input/output error")
        return super().read(size)


@pytest.mark.parametrize("reads", range(7))
def test_a_failing_disk_is_unreadable(moving, engine_of, scene, reads):
    """It may fail anywhere in the file."""
    result = engine_of({"not": scene(9)}).screen(Failing(moving, reads))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "unreadable")


def test_an_impossible_offset_is_damage_not_a_failing_disk(scene, engine_of, tmp_path):
    """The system refuses to read a file on a disk there."""
    data = clip([scene(1)] * 3, codec="wmv2", container="asf")
    data = data[:46] + struct.pack("<Q", 5 << 48) + data[54:]  # of the first part of its header
    (path := tmp_path / "broken.wmv").write_bytes(data)
    engine = engine_of({"not": scene(9)})

    found = [(one.verdict, one.reason) for one in map(engine.screen, (path, data))]

    assert found == [(Verdict.UNSCREENED, "undecodable")] * 2


def test_a_file_whose_digest_failed_is_not_cleared(moving, make_list):
    """It may be listed by its digest alone."""
    hash_list = make_list([{"id": "a", "md5": "01" * 16}, {"id": "b", "pdq": "0f" * 32}])

    class FailingOnce(Failing):
        """A file that fails once."""

        def read(self, size=-1, /):
            """Return data until the reads are used up."""
            try:
                return super().read(size)
            except OSError:
                self.reads = 1 << 30
                raise

    result = Screener(hash_list).screen(FailingOnce(moving, 1))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "unreadable")


@pytest.mark.parametrize("container", ["matroska", "mp4"])
def test_a_file_cut_short_is_searched_up_to_the_cut(decoder, scene, engine_of, container):
    """Without a match it is `truncated`."""
    pictures = panned(scene, 2, 60)
    fragmented = {"movflags": "frag_keyframe+empty_moov"} if container == "mp4" else {}
    data = clip(pictures, container=container, gop=10, **fragmented)
    cut = data[: len(data) * 6 // 10]

    found = engine_of({"shown": pictures[10]}).screen(cut)
    not_found = engine_of({"not": scene(9)}).screen(cut)

    assert found.verdict == Verdict.MATCH
    assert (not_found.verdict, not_found.reason) == (Verdict.UNSCREENED, "truncated")


def test_a_file_cut_before_its_index_is_truncated(decoder, moving):
    """An MP4 may have its index last."""
    cut = moving[: moving.index(b"moov") - 100]

    with pytest.raises(MediaError) as caught:
        video.open(cut)
    assert caught.value.reason == "truncated"


def test_damage_that_hides_more_than_a_step_is_undecodable(scene, engine_of):
    """The rest is searched."""
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
def test_damage_is_found_despite_delayed_frames(scene, engine_of, lost):
    """Reordered frames come out of the decoder after the packets that fail."""
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
def test_a_hole_is_damage_in_every_container(scene, container, unknown):
    """A sound file has none, whatever follows it; no input raises."""
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

    assert integrity.find_damage(io.BytesIO(hole))
    assert not integrity.find_damage(io.BytesIO(whole))
    assert not integrity.ended_early(io.BytesIO(whole))
    if container == "avi" and not unknown:
        assert not integrity.find_damage(io.BytesIO(whole + bytes(30)))
    cut = io.BytesIO(whole[: -300 if container == "asf" else -30])  # ASF has an index behind
    assert integrity.ended_early(cut) or integrity.find_damage(cut)
    for size in range(0, 3000, 50):  # whatever is left of it, nothing is raised
        integrity.find_damage(io.BytesIO(whole[:size]))
        integrity.find_damage(io.BytesIO(whole[:size] + b"\xff" * 300 + whole[size + 300 :]))


def test_a_hole_behind_which_ffmpeg_resumes_clears_nothing(scene, engine_of):
    """No packet fails in an AVI with a hole; of joined FLV files FFmpeg reads one."""
    data = bytearray(clip(panned(scene, 2, 40, size=(160, 120)), container="avi", gop=5))
    engine = engine_of({"not": scene(9)})
    assert engine.screen(bytes(data)).verdict is Verdict.NO_MATCH

    data[len(data) // 3 : len(data) * 2 // 3] = bytes(len(data) * 2 // 3 - len(data) // 3)
    flv = clip(panned(scene, 2, 10, size=(160, 120)), container="flv")

    for broken in (bytes(data), flv + flv):
        result = engine.screen(broken)
        assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")


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
def test_a_bare_signature_has_a_typed_reason(decoder, data):
    """Nothing else is raised."""
    reason = None
    try:
        reason, _ = reason_of(data)
    except MediaError as error:
        reason = error.reason

    assert reason in ("undecodable", "truncated", "no_video", "unsupported")
