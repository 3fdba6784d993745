"""Videos that cannot be read or decoded in part: the rest is searched, nothing is cleared."""

import io
import math
import random
import subprocess
import sys
import textwrap
from fractions import Fraction

import av
import numpy as np
import pytest
from drawn_videos import clip, panned, shown_for

from screener import Screener, Verdict
from screener.errors import MediaError
from screener.hashing import pdq
from screener.media.video import frames
from screener.media.video.containers import asf, integrity
from screener.media.video.decoders import av_track, threads
from screener.media.video.decoders.av_track import AvTrack
from screener.media.video.decoders.display_order import DisplayOrder
from screener.media.video.decoders.pyav import AvStream
from screener.media.video.decoders.stream import DecodedFrame
from screener.media.video.sampling.settings import Sampling
from screener.media.video.timing import Losses

LISTED = 9  # the scene that is listed


@pytest.fixture
def engine(make_list, scene):
    """Return a Screener whose list holds one picture, `bad`."""
    listed = pdq.compute(np.asarray(scene(LISTED, (320, 240)))).text
    return Screener(make_list([{"id": "bad", "pdq": listed, "status": "active"}]))


def with_sound(pictures, *, rate=10):
    """Return an MP4 of pictures and silence, whose frames are in many places of the file."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        shown, heard = file.add_stream("libx264", rate=rate), file.add_stream("aac", rate=8000)
        shown.width, shown.height = pictures[0].size
        shown.pix_fmt, shown.codec_context.gop_size = "yuv420p", 5
        shown.options = {"preset": "ultrafast", "crf": "18"}
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.asarray(picture.convert("RGB")), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            file.mux(shown.encode(frame))
            silence = np.zeros((1, 8000 // rate), np.float32)
            sound = av.AudioFrame.from_ndarray(silence, "fltp", "mono")
            sound.sample_rate = 8000
            file.mux(heard.encode(sound))
        file.mux(shown.encode(None))
        file.mux(heard.encode(None))
    return out.getvalue()


def with_entry(data, table, number, value):
    """Return an MP4 with another value in the first table of a name: `stco` or `stsz`."""
    at = data.index(table) + {b"stco": 12, b"stsz": 16}[table] + 4 * number
    return data[:at] + value.to_bytes(4, "big") + data[at + 4 :]


def test_frames_behind_an_unreadable_offset_are_searched(engine, scene):
    """FFmpeg stops at an index entry beyond the file."""
    whole = with_sound(shown_for(scene, seconds=[(5, 2), (LISTED, 2)]))

    result = engine.screen(with_entry(whole, b"stco", 8, 0x7FFFFFFF))

    assert [match.entry for match in result.matches] == ["bad"]
    assert result.matches[0].time == pytest.approx(2.0)


def test_losses_among_delayed_frames_clear_nothing(engine, scene):
    """More than a second is lost between frames that were read before it."""
    data = with_sound(shown_for(scene, seconds=[(5, 3), (8, 3)]))
    for number in range(20, 32):
        data = with_entry(data, b"stco", number, 0x7FFFFFFF)

    result = engine.screen(data)

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")


@pytest.mark.parametrize(("at", "byte"), [(0, 14), (1, 5), (6, 4)])
def test_frames_of_av1_behind_a_failure_are_searched(engine, scene, at, byte):
    """The decoder must be flushed first."""
    pictures = panned(scene, 5, 10) + shown_for(scene, seconds=[(LISTED, 1)])
    data = bytearray(clip(pictures, gop=5, codec="libsvtav1"))
    with av.open(io.BytesIO(data)) as file:
        place = [one.pos for one in file.demux(video=0) if one.size][at]
    data[place + byte] = 0xFF

    result = engine.screen(bytes(data))

    assert [match.entry for match in result.matches] == ["bad"]


def with_ticks(data, ticks):
    """Return an MP4 whose first track has another time base."""
    at = data.index(b"mdhd") + 16
    return data[:at] + ticks.to_bytes(4, "big") + data[at + 4 :]


@pytest.mark.parametrize("ticks", [10_240_000, 2**31 - 1])
def test_a_clip_with_a_clock_that_is_too_fast_is_searched(engine, scene, ticks):
    """Its frames are sampled at the usual rate."""
    whole = with_sound(shown_for(scene, seconds=[(5, 10), (LISTED, 10)]))

    result = engine.screen(with_ticks(whole, ticks))

    assert [match.entry for match in result.matches] == ["bad"]
    # At 25 frames a second, of 10 a second before.
    assert result.matches[0].time == pytest.approx(4.0, abs=1.0)


@pytest.mark.parametrize("ticks", [0, 2**32 - 1])
def test_a_clip_without_a_clock_is_not_cleared(engine, scene, ticks):
    """FFmpeg hides all frames but the first; the rest is searched up to the limit of duration."""
    for made in (with_sound, clip):
        listed = engine.screen(with_ticks(made([scene(5)] * 10 + [scene(LISTED)] * 5), ticks))
        other = engine.screen(with_ticks(made([scene(5)] * 30), ticks))

        assert [match.part_kind for match in listed.matches] == ["appended"]
        assert (other.verdict, other.reason) == (Verdict.UNSCREENED, "too_large")


@pytest.mark.parametrize(("table", "at", "size"), [(b"ctts", 30, 4), (b"stts", 18, 1)])
def test_frames_hidden_by_damaged_times_are_searched(engine, scene, table, at, size):
    """FFmpeg takes them for frames that an edit list hides."""
    whole = clip([scene(5)] * 30 + [scene(LISTED)] * 30, preset="veryfast")
    place = whole.index(table) + at

    result = engine.screen(whole[:place] + b"\xff" * size + whole[place + size :])

    assert [match.entry for match in result.matches] == ["bad"]


@pytest.mark.parametrize("mode", ["seconds", "frames", "all"])
def test_frames_missing_from_an_index_clear_nothing(scene, mode):
    """This holds for every way of sampling."""
    data = bytearray(clip(panned(scene, 5, 40), gop=5))
    count = data.index(b"stsz") + 12
    data[count : count + 4] = (10).to_bytes(4, "big")

    assert reasons(bytes(data), mode=mode) == "undecodable"


@pytest.mark.parametrize("size", [0x7FFFFFFF, 0xFFFFFFFF, 56 << 24])
def test_a_video_that_cannot_be_read_to_its_end_is_not_cleared(engine, scene, size):
    """One frame has a false length."""
    whole = with_sound(shown_for(scene, seconds=[(5, 4)]))
    assert engine.screen(whole).verdict is Verdict.NO_MATCH

    result = engine.screen(with_entry(whole, b"stsz", 9, size))

    assert result.verdict is Verdict.UNSCREENED
    assert result.reason in ("undecodable", "too_large")  # FFmpeg may ask for all that memory


@pytest.mark.parametrize(("codec", "container"), [("libx264", "mp4"), ("libvpx", "webm")])
@pytest.mark.parametrize("lost", [4, 6, 7])
def test_a_lost_picture_of_a_slide_show_clears_nothing(engine, scene, codec, container, lost):
    """It was shown for a step; decoders report a failed frame late, and the last one not at all."""
    data = bytearray(
        clip([scene(20 + at) for at in range(8)], rate=1, gop=1, codec=codec, container=container)
    )
    assert engine.screen(bytes(data)).verdict is Verdict.NO_MATCH
    with av.open(io.BytesIO(data)) as file:
        packet = [bytes(one) for one in file.demux(video=0) if one.size][lost]
    at = data.index(packet)
    data[at : at + len(packet)] = bytes(len(packet))

    result = engine.screen(bytes(data))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")


@pytest.mark.parametrize(
    ("codec", "container"), [("libx264", "mp4"), ("libvpx", "webm"), ("libvpx-vp9", "webm")]
)
def test_frames_behind_a_late_failure_are_searched(engine, scene, codec, container):
    """FFmpeg's threads return nothing behind a failure at the end."""
    shown = [scene(20 + at, (320, 240)) for at in range(7)] + [scene(LISTED, (320, 240))]
    data = clip(shown, rate=1, gop=1, codec=codec, container=container)
    with av.open(io.BytesIO(data)) as file:
        packet = [bytes(one) for one in file.demux(video=0) if one.size][-2]

    result = engine.screen(data.replace(packet, bytes(len(packet))))

    assert [match.entry for match in result.matches] == ["bad"]


@pytest.mark.parametrize(("packet", "sound"), [(4, 3), (12, 11), (23, 22)])
def test_damage_is_reported_on_every_run(scene, monkeypatch, packet, sound):
    """FFmpeg's threads may return a frame of H.264 before they find its damage."""
    monkeypatch.setattr(threads, "count_cores", lambda: 8)
    data = bytearray(clip(panned(scene, 5, 24, size=(640, 480)), gop=24, preset="medium"))
    with av.open(io.BytesIO(data)) as file:
        place, size = [(one.pos, one.size) for one in file.demux(video=0) if one.size][packet]
    at = place + int(0.9 * size)
    data[at : at + 4] = b"\x55\xaa\x33\xcc"

    results = set()
    for _ in range(10):
        steps = AvStream(io.BytesIO(data), "video/mp4").steps()
        results.add(tuple(step.sound for step in steps if isinstance(step, DecodedFrame)))

    assert results == {(True,) * sound + (False,) * (24 - sound)}


@pytest.mark.parametrize(
    ("codec", "container"),
    [("libx264", "mp4"), ("libx264", "mpegts"), ("libvpx-vp9", "webm"), ("libsvtav1", "mp4")],
)
def test_a_damaged_clip_does_not_depend_on_the_cores(scene, monkeypatch, codec, container):
    """Frames, pixels and losses are the same as by one thread."""
    whole = clip(panned(scene, 5, 12, size=(160, 120)), gop=6, codec=codec, container=container)
    mime = {"mp4": "video/mp4", "mpegts": "video/mp2t", "webm": "video/webm"}[container]
    drawn = random.Random(7)
    for _ in range(6):
        at = drawn.randrange(len(whole) // 3, len(whole))
        data = whole[:at] + bytes(20) + whole[at + 20 :]
        results = []
        for cores in (1, 2, 8):
            monkeypatch.setattr(threads, "count_cores", lambda cores=cores: cores)
            steps = AvStream(io.BytesIO(data), mime).steps()
            results.append([
                (step.number, step.time, step.sound, step.raw().tobytes())
                if isinstance(step, DecodedFrame) else step
                for step in steps if step is not None
            ])  # fmt: skip

        assert results[1] == results[0]
        assert results[2] == results[0]


@pytest.mark.parametrize("packet", [1, 2])
def test_a_delayed_key_frame_does_not_clear_a_later_loss(scene, packet):
    """Frames are unsound until the next key frame."""
    pictures = panned(scene, 5, 24, size=(160, 120))
    data = clip(pictures, gop=12, preset="medium", bf="2")
    with av.open(io.BytesIO(data)) as file:
        lost = [bytes(one) for one in file.demux(video=0) if one.size][packet]
    data = data.replace(lost, bytes(len(lost)))

    steps = [step for step in AvStream(io.BytesIO(data), "video/mp4").steps() if step]

    sound = [isinstance(step, DecodedFrame) and step.sound and step.time >= 0.05 for step in steps]
    assert sound == [False] * (len(steps) - 12) + [True] * 12


def test_reordered_frames_do_not_depend_on_the_cores(scene, monkeypatch):
    """More frames are reordered than the clip declares."""
    options = {"bf": "3", "x264-params": "b-adapt=0:b-pyramid=normal:scenecut=0"}
    pictures = panned(scene, 5, 20, size=(160, 120))
    data = clip(pictures, container="matroska", preset="medium", **options)
    with av.open(io.BytesIO(data)) as file:
        head = bytes(file.streams.video[0].codec_context.extradata)
    size = int.from_bytes(head[6:8], "big")
    declared = head[8 : 8 + size]
    bits = f"{int.from_bytes(declared, 'big'):b}"
    end = bits.rindex("1")
    assert bits[end - 8 : end] == "01100101"  # two are shown late, four are kept
    bits = bits[: end - 6] + "0" + bits[end - 5 :]
    data = data.replace(declared, int(bits, 2).to_bytes(size, "big"))

    for cores in (1, 8):
        monkeypatch.setattr(threads, "count_cores", lambda cores=cores: cores)
        steps = [step for step in AvStream(io.BytesIO(data), "video/x-matroska").steps() if step]
        assert [isinstance(step, DecodedFrame) and step.number for step in steps] == [*range(20)]


@pytest.mark.parametrize(("codec", "several"), [("libx264", True), ("mpeg4", False)])
def test_a_sound_clip_is_decoded_once(scene, monkeypatch, codec, several):
    """It uses one thread a core if the codec allows it."""
    monkeypatch.setattr(threads, "count_cores", lambda: 4)
    stream = AvStream(io.BytesIO(clip(panned(scene, 5, 40), codec=codec)), "video/mp4")
    monkeypatch.setattr(stream, "_reopen", lambda: pytest.fail("it is begun again"))

    numbers = [step.number for step in stream.steps() if isinstance(step, DecodedFrame)]

    assert numbers == [*range(40)]
    assert stream._threads == (4 if several else 0)


def test_threads_that_log_do_not_block_the_end(scene):
    """PyAV's logging needs the GIL."""
    data = bytearray(clip(panned(scene, 5, 40, size=(640, 480)), gop=12))
    for at in range(len(data) // 3, len(data) - 3000, 97):
        data[at] ^= 0x55
    call = """
        import io, sys
        import av
        from screener.media.video.decoders.pyav import AvStream
        av.logging.set_level(av.logging.PANIC)
        data = sys.stdin.buffer.read()
        for _ in range(20):
            assert [*AvStream(io.BytesIO(data), "video/mp4").steps()]
    """
    call = [sys.executable, "-c", textwrap.dedent(call)]
    subprocess.run(call, input=data, timeout=60, check=True)


def without_key(data, number):
    """Return a clip whose key frame of that number is overwritten with zeros."""
    with av.open(io.BytesIO(data)) as file:
        keys = [bytes(one) for one in file.demux(video=0) if one.is_keyframe]
    at = data.index(keys[number])
    return data[:at] + bytes(len(keys[number])) + data[at + len(keys[number]) :]


@pytest.mark.parametrize(
    ("codec", "container"),
    [
        ("libx264", "mp4"),
        ("libx264", "flv"),
        ("libx264", "avi"),
        ("mpeg4", "avi"),
        ("libvpx", "webm"),
        ("libvpx-vp9", "matroska"),
    ],
)
@pytest.mark.parametrize("number", [0, 3])
def test_frames_behind_a_lost_key_frame_are_not_cleared(engine, scene, codec, container, number):
    """Decoders make them up, and some do not report it."""
    shown = shown_for(scene, seconds=[(seed, 1) for seed in (5, 6, 7, 4, 8)], size=(160, 120))
    whole = clip(shown, gop=10, codec=codec, container=container)
    assert engine.screen(whole).verdict is Verdict.NO_MATCH

    result = engine.screen(without_key(whole, number))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")


def test_a_frame_behind_a_lost_key_frame_is_not_the_sample(engine, scene):
    """The next sound one is, though less than a step is lost."""
    shown = [scene(seed, (320, 240)) for seed in (5, LISTED, 5)]
    data = clip([shown[0]] * 24 + [shown[1]] * 11 + [shown[2]] * 15, gop=8)

    for one in (data, without_key(data, 3)):
        assert [match.entry for match in engine.screen(one).matches] == ["bad"]


def test_a_lost_part_of_a_short_clip_clears_nothing(engine, scene):
    """Losses count by its shorter step."""
    data = bytearray(clip([scene(20 + at // 2) for at in range(8)], rate=10, gop=1))
    assert engine.screen(bytes(data)).verdict is Verdict.NO_MATCH
    with av.open(io.BytesIO(data)) as file:
        packets = [bytes(one) for one in file.demux(video=0) if one.size]
    for packet in packets[2:]:
        at = data.index(packet)
        data[at : at + len(packet)] = bytes(len(packet))

    result = engine.screen(bytes(data))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")


def test_a_loss_of_exactly_a_step_counts():
    """It would have been sampled."""
    middle, end = Losses(1.0, 1.0), Losses(1.0, 1.0)
    for losses in (middle, end):
        losses.add_sound_frame(3.0)
        losses.add_loss(4.0)
    middle.add_sound_frame(5.0)
    end.end(None)

    assert middle.worst == end.worst == (3.0, 5.0)


def test_frames_that_never_came_are_known_by_their_times():
    """Frames that were not wanted, or precede the first one decoded, do not count."""
    order = DisplayOrder(back=10)
    for stamp, wanted in ((0, True), (1, True), (2, True), (3, False), (4, True), (6, True)):
        order.read(stamp, decoded=stamp, wanted=wanted)
    order.read(None, wanted=True)

    assert (order.assign_number(1), order.take_missed()) == (1, [])
    assert (order.assign_number(4), order.take_missed()) == (4, [2])
    assert order.take_missed() == []
    assert order.missing_at_end() == [6]

    order.read(90, decoded=90, wanted=True)
    order.read(3, decoded=3, wanted=True)  # another file begins
    assert order.missing_at_end() == [3]


def reasons(data, **sampling):
    """Return the reason that ends the walk over a clip."""
    try:
        list(frames.open(io.BytesIO(data), sampling=Sampling(**sampling)).frames())
    except MediaError as error:
        return error.reason
    return None


@pytest.mark.parametrize(("codec", "container"), [("libx264", "mpegts"), ("mpeg2video", "mpeg")])
def test_joined_clips_have_no_losses(scene, codec, container):
    """The second restarts while frames of the first are delayed."""
    one = clip(panned(scene, 2, 80), rate=25, codec=codec, container=container, gop=12)
    for mode in ("seconds", "keyframes", "all"):
        assert reasons(one + one, mode=mode) is None, mode


@pytest.mark.parametrize("rate", [1, 10, 30])
def test_reordered_frames_of_avi_have_no_losses(scene, rate):
    """AVI numbers them in decoding order."""
    pictures = panned(scene, 2, 40)
    data = clip(pictures, rate=rate, container="avi", gop=20, preset="veryfast", bf="3")
    for settings in ({}, {"mode": "all"}, {"mode": "keyframes"}, {"against_videos": True}):
        assert reasons(data, **settings) is None, settings


@pytest.mark.parametrize("mode", ["seconds", "keyframes", "all"])
def test_empty_samples_of_an_index_are_not_losses(scene, mode):
    """Some recorders write them if nothing changes."""
    data = bytearray(clip(panned(scene, 2, 40), gop=10))
    at = data.index(b"stsz") + 12
    assert int.from_bytes(data[at - 4 : at], "big") == 0
    for number in range(31, 40):
        data[at + 4 + 4 * number : at + 8 + 4 * number] = bytes(4)
    shown = reasons(bytes(data), mode=mode)
    assert shown is None


def test_hidden_frames_of_vp8_are_not_losses(scene):
    """They are references with a timestamp of their own."""
    source = av.open(
        io.BytesIO(clip(panned(scene, 2, 12), rate=1, codec="libvpx", container="webm"))
    )
    out = io.BytesIO()
    with av.open(out, "w", format="webm") as file:
        track = file.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(source.streams.video[0])):
            data = bytes(packet)
            for later, shown in ((0, True), (1, False)) if number % 4 == 1 else ((0, True),):
                if data:
                    kept = data if shown else bytes([data[0] & ~0x10]) + data[1:]
                    copy = av.Packet(kept)
                    copy.pts = copy.dts = packet.pts + later
                    copy.time_base, copy.stream = packet.time_base, track
                    copy.is_keyframe = packet.is_keyframe and shown
                    file.mux(copy)
    for settings in ({}, {"mode": "all"}, {"against_videos": True}):
        assert reasons(out.getvalue(), **settings) is None, settings


def test_a_file_that_cannot_be_read_ends(monkeypatch, scene):
    """Reading is not retried forever, and the loss is reported."""

    class Broken:
        def __init__(self, container):
            self._container = container

        def demux(self, track):
            yield next(self._container.demux(track))
            raise av.error.InvalidDataError(1, "broken")

        def __getattr__(self, name):
            return getattr(self._container, name)

    whole, facts = av_track._open_container, AvTrack._read_properties

    def of_no_length(self, lasts):
        facts(self, lasts)
        self.duration = None

    with monkeypatch.context() as patched:
        patched.setattr(AvTrack, "_read_properties", of_no_length)
        stream = AvStream(io.BytesIO(clip([scene(5)] * 20, container="mpegts")), "video/mp2t")
        stream._track.container = Broken(stream._track.container)
        patched.setattr(
            av_track, "_open_container", lambda *args, **kwargs: Broken(whole(*args, **kwargs))
        )
        assert 0 < sum(isinstance(step, DecodedFrame) for step in stream.steps()) <= 20
    assert stream.ends == math.inf

    opened = frames._open_track
    monkeypatch.setattr(
        frames, "_open_track", lambda *args, **kwargs: breaking(opened(*args, **kwargs))
    )

    def breaking(stream):
        stream._track.container = Broken(stream._track.container)
        monkeypatch.setattr(
            av_track, "_open_container", lambda *args, **kwargs: Broken(whole(*args, **kwargs))
        )
        return stream

    with pytest.raises(MediaError, match="undecodable"):
        list(frames.open(clip([scene(5)] * 400, container="mpegts")).frames())


def test_an_ogg_that_is_cut_anywhere_is_not_cleared(engine, scene):
    """Pages have lengths and numbers, and the last one is marked."""
    whole = clip(shown_for(scene, seconds=[(5, 3)]), container="ogg", codec="libvpx", gop=10)
    assert engine.screen(whole).verdict is Verdict.NO_MATCH
    pages = [at for at in range(len(whole)) if whole.startswith(b"OggS", at)]
    middle, after = pages[len(pages) // 2 : len(pages) // 2 + 2]

    for cut in (whole[:middle], whole[: middle + 10], whole[: middle + 400], whole[:-1]):
        assert engine.screen(cut).verdict is Verdict.UNSCREENED
    assert integrity.find_damage(io.BytesIO(whole[:middle])) == "truncated"
    assert integrity.find_damage(io.BytesIO(whole[:middle] + whole[after:])) == "undecodable"
    assert integrity.find_damage(io.BytesIO(whole + bytes(300))) is None
    assert integrity.find_damage(io.BytesIO(whole + whole)) is None


@pytest.mark.parametrize("at", [0.3, 0.5, 0.9])
def test_an_ogg_with_a_damaged_byte_is_not_cleared(engine, scene, at):
    """Each page has a checksum."""
    data = bytearray(clip([scene(5, (160, 120))] * 30, container="ogg", codec="libvpx", gop=10))
    data[int(at * len(data))] ^= 1

    result = engine.screen(bytes(data))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")


@pytest.mark.parametrize(
    ("frame", "back", "value"),
    [
        (10, 4, 0x83),  # which track it is of
        (15, 4, 0x83),
        (15, 5, 0xFF),  # how long it is: as long as there is anything
        (25, 5, 0xFF),
    ],
)
def test_a_matroska_block_that_is_dropped_clears_nothing(engine, scene, frame, back, value):
    """FFmpeg skips it, and the rest of its cluster, without reporting it."""
    data = bytearray(clip([scene(5, (160, 120))] * 30, container="webm", codec="libvpx", gop=10))
    assert engine.screen(bytes(data)).verdict is Verdict.NO_MATCH
    with av.open(io.BytesIO(data)) as file:
        packets = [bytes(one) for one in file.demux(video=0) if one.size]
    key = data.index(packets[frame // 10 * 10])
    place = data.index(packets[frame], key)
    for _ in range(frame % 10 - 1):  # the frames between show the same
        place = data.index(packets[frame], place + 1)
    assert data[place - 4] == 0x81
    data[place - back] = value

    result = engine.screen(bytes(data))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")


@pytest.mark.parametrize("at", [0.3, 0.5, 0.9])
def test_a_matroska_with_a_damaged_byte_is_not_cleared(engine, scene, at):
    """Its clusters have checksums."""
    shown = shown_for(scene, seconds=[(5, 1), (6, 1), (7, 1)], size=(160, 120))
    data = bytearray(clip(shown, container="matroska", codec="libvpx-vp9", gop=10))
    assert engine.screen(bytes(data)).verdict is Verdict.NO_MATCH
    data[int(at * len(data))] ^= 1

    result = engine.screen(bytes(data))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_an_avi_whose_index_is_damaged_is_not_cleared(engine, scene, codec):
    """FFmpeg follows the index, and skips all frames but one."""
    shown = shown_for(scene, seconds=[(5, 1), (6, 1), (7, 2)], size=(160, 120))
    data = clip(shown, container="avi", codec=codec, gop=10)
    place = data.index(b"idx1") + 18

    for one, reason in ((data, None), (replaced(data, place, b"\xff"), "undecodable")):
        assert engine.screen(one).reason == reason


@pytest.fixture(scope="module")
def asf_clip(scene):
    """Return three seconds in an ASF."""
    shown = shown_for(scene, seconds=[(5, 1), (6, 1), (7, 1)], size=(160, 120))
    return clip(shown, container="asf", codec="msmpeg4v2", gop=10)


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (-15, b"\1"),  # where in the frame it begins
        (-11, b"\0"),  # how many bytes of facts it has
        (-11, b"\x48"),
        (-10, b"\0\0"),  # how long the frame is
        (-7, b"\x80"),
        (-2, b"\1\0"),  # how long the part is
        (-2, b"\xff\xff"),
    ],
)
def test_an_asf_with_incomplete_frames_is_not_cleared(engine, asf_clip, at, value):
    """FFmpeg resumes at another frame without reporting it."""
    with av.open(io.BytesIO(asf_clip)) as file:
        keys = [bytes(one) for one in file.demux(video=0) if one.is_keyframe]
    place = asf_clip.index(keys[1][:40]) + at

    for data, reason in ((asf_clip, None), (replaced(asf_clip, place, value), "undecodable")):
        assert engine.screen(data).reason == reason


def test_an_asf_whose_packets_are_not_found_is_not_cleared(engine, asf_clip):
    """The header declares two packet sizes, or the first packet is damaged."""
    first = asf_clip.index(bytes.fromhex("820000"), asf_clip.index(asf.DATA_ID))
    size = asf_clip.index(asf.PROPERTIES_ID) + 24 + 68

    for place in (first, size + 1, size + 5):
        result = engine.screen(replaced(asf_clip, place, b"\0"))
        assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable"), place


def replaced(data, place, value):
    """Return the data with other bytes at a place."""
    return data[:place] + value + data[place + len(value) :]
