"""What players show of a video: cropped frames, alpha channels, subtitles that are images."""

import contextlib
import io
import itertools
import re
from fractions import Fraction

import av
import numpy as np
import pytest
from drawn_videos import clip, tracks
from PIL import Image

from screener import HashList, Screener, Verdict
from screener.errors import MediaError
from screener.hashing import pdq
from screener.hashing import vpdq_value as hashes_of_videos
from screener.media.video import frames as video
from screener.media.video.containers import declared, matroska
from screener.media.video.decoders import av_track, luma, opencv
from screener.media.video.sampling.settings import Sampling
from screener.screening.input import vpdq

SIZE = (320, 240)
CROP = {0x54BB: 20, 0x54DD: 60, 0x54AA: 40, 0x54CC: 100}  # above, right, below, left
SHOWN = (100, 20, 260, 200)


@pytest.fixture
def engine_of(make_list):
    """Return a function that makes a Screener whose list holds these pictures."""
    number = itertools.count()

    def make(**pictures):
        hashes = {name: pdq.compute(np.asarray(one)).text for name, one in pictures.items()}
        rows = [{"id": one, "pdq": hashes[one]} for one in hashes]
        return Screener(make_list(rows, name=f"list{next(number)}"))

    return make


def element(name, body):
    """Return an element of a Matroska file."""
    head = name.to_bytes((name.bit_length() + 7) // 8, "big")
    return head + (len(body) | 1 << 56).to_bytes(8, "big") + body


def rebuilt(data, way, change):
    """Return a Matroska file with other bodies of the elements at a path.

    Its directory and checksums are left out.
    """
    made = b""
    for name, body, after in matroska.read_elements(io.BytesIO(data), 0, len(data)):
        inner = data[body:after]
        if name == way[0]:
            inner = change(inner) if len(way) == 1 else rebuilt(inner, way[1:], change)
        if name not in (0x114D9B74, 0xBF):
            made += element(name, inner)
    return made


def with_elements(data, added):
    """Return a Matroska file whose video tracks declare these values as well."""
    extra = b"".join(element(name, value.to_bytes(2, "big")) for name, value in added.items())
    return rebuilt(data, [0x18538067, 0x1654AE6B, 0xAE, 0xE0], lambda body: body + extra)


def shown_and_hidden(scene):
    """Return a frame with one picture inside the crop and another around it."""
    whole = scene(3, SIZE)
    whole.paste(scene(2, (160, 180)), SHOWN[:2])
    return whole


def test_cropped_and_uncropped_frames_are_both_compared(decoder, scene, engine_of):
    """The declared size is the cropped one."""
    whole = shown_and_hidden(scene)
    data = clip([whole] * 20, container="matroska")
    cropped = with_elements(data, CROP)
    shown = whole.crop(SHOWN)

    for listed, region in ((shown, "full"), (whole, "uncropped")):
        result = engine_of(listed=listed).screen(cropped)
        assert [(one.region, one.distance <= 10) for one in result.matches] == [(region, True)]
        assert (result.media.width, result.media.height) == shown.size
    assert engine_of(listed=shown).screen(data).verdict is Verdict.NO_MATCH
    assert engine_of(other=scene(9)).screen(cropped).verdict is Verdict.NO_MATCH


def test_a_frame_too_small_for_its_tracks_crop_is_shown_whole(scene, engine_of):
    """Frames of VP8 may become smaller within a track."""
    pictures = [scene(2, SIZE), scene(3, (64, 48))]
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as file:
        track = file.add_stream("libvpx", rate=10)
        track.width, track.height = SIZE
        track.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            coded = track.codec_context if number == 0 else av.CodecContext.create("libvpx", "w")
            if number:
                coded.width, coded.height = picture.size
                coded.pix_fmt, coded.framerate = "yuv420p", 10
                coded.time_base = Fraction(1, 10)
            for time in range(20):
                frame = av.VideoFrame.from_image(picture)
                frame.pts, frame.time_base = 20 * number + time, Fraction(1, 10)
                for packet in coded.encode(frame) + (coded.encode(None) if time == 19 else []):
                    packet.stream = track
                    file.mux(packet)
    data = with_elements(out.getvalue(), {0x54BB: 60, 0x54AA: 60})

    (match,) = engine_of(small=pictures[1]).screen(data).matches

    assert match.region in ("full", "enlarged")


def test_a_change_outside_of_the_crop_is_a_change(decoder, scene, engine_of):
    """Frames that differ only there are all hashed."""
    first = shown_and_hidden(scene)
    second = scene(4, SIZE)
    second.paste(first.crop(SHOWN), SHOWN[:2])
    data = clip([first] * 20 + [second] * 20, container="matroska", crf="0")

    result = engine_of(listed=second).screen(with_elements(data, CROP))

    assert [one.entry for one in result.matches] == ["listed"]


def test_a_new_scene_inside_the_crop_is_seen(decoder, scene):
    """It may be a small part of the stored frame."""
    pictures = []
    for number in range(20):
        pictures.append(Image.new("RGB", SIZE, "white"))
        pictures[-1].paste(scene(5 if number == 13 else 2, (80, 60)), (120, 90))
    crop = {0x54BB: 90, 0x54DD: 120, 0x54AA: 90, 0x54CC: 120}
    data = with_elements(clip(pictures, container="matroska"), crop)

    frames = video.open(data, sampling=Sampling(scenes=True)).frames()

    assert 13 in [frame.part for frame in frames]


@pytest.mark.parametrize("crop", [{0x54BB: 240}, {0x54CC: 200, 0x54DD: 120}, {0x54AA: 60_000}])
def test_a_crop_that_leaves_nothing_clears_nothing(decoder, scene, engine_of, crop):
    """FFmpeg refuses such a file; a decoder that does not returns the stored frames."""
    data = with_elements(clip([scene(2)] * 10, container="matroska"), crop)

    result = engine_of(other=scene(9)).screen(data)

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")
    assert matroska.read_alpha_and_crop(io.BytesIO(data), 0, *SIZE) == (False, None)


@pytest.mark.parametrize("turns", range(4))
def test_the_crop_applies_before_the_rotation(monkeypatch, turns):
    """The sides are those of the stored frame, in both decoders."""
    rng = np.random.default_rng(3)
    stored = rng.integers(0, 256, (40, 60), np.uint8)
    above, right, below, left = crop = (1, 2, 4, 8)
    expected = np.rot90(stored[above : 40 - below, left : 60 - right], -turns)
    whole = np.rot90(stored, -turns)
    monkeypatch.setattr(luma, "_read_orientation", lambda _: (1, 6, 3, 8)[turns])

    assert np.array_equal(opencv._crop_upright(crop, turns, whole), expected)
    assert np.array_equal(luma.crop_upright(None, crop, whole), expected)


def test_a_cropped_video_that_is_listed_is_found_by_either_list(tmp_path, scene):
    """The listed vPDQ may be of the cropped or of the stored frames."""
    pictures = []
    for at in range(8):
        pictures += [scene(30 + at, SIZE)] * 10
        for one in pictures[-10:]:
            one.paste(scene(50 + at, (160, 180)), SHOWN[:2])
    data = clip(pictures, container="matroska")

    for name, listed in (("stored", data), ("shown", with_elements(data, CROP))):
        made, _ = vpdq.compute(listed)
        path = tmp_path / f"{name}.txt"
        path.write_text("\n".join(hashes_of_videos.vpdq_lines(made.value)))
        hash_list = HashList.create(tmp_path / f"{name}.list")
        hash_list.import_file(path, source="ours")
        (match,) = Screener(hash_list.refresh()).screen(with_elements(data, CROP)).matches
        assert (match.kind, match.video.rule) == ("vpdq", "whole")


def with_alpha(picture, alpha, *, codec, layout, container):
    """Return a clip of a picture with an alpha channel, (H, W)."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        track = file.add_stream(codec, rate=10)
        track.width, track.height = picture.size
        track.pix_fmt = layout
        if codec.startswith("libvpx"):
            track.options = {
                "auto-alt-ref": "0",
                "deadline": "realtime",
                "cpu-used": "-8",
                "crf": "4",
            }
        if codec == "qtrle":
            track.codec_context.gop_size = 1
        shown = np.dstack((np.asarray(picture), alpha))
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(shown, format="rgba").reformat(format=layout)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            file.mux(track.encode(frame))
        file.mux(track.encode(None))
    return out.getvalue()


def half_hidden(size=SIZE):
    """Return an alpha channel that hides two parts of a picture, and half of a third."""
    alpha = np.full(size[::-1], 255, np.uint8)
    alpha[:100, :150] = 0
    alpha[150:, 200:] = 0
    alpha[120:, :80] = 128
    return alpha


WITH_ALPHA = [
    ("libvpx", "yuva420p", "webm"),
    ("libvpx-vp9", "yuva420p", "webm"),
    ("libvpx-vp9", "yuva420p", "matroska"),
    ("qtrle", "argb", "mov"),
    ("png", "rgba", "mov"),
    ("png", "ya8", "mov"),
    ("prores_ks", "yuva444p10le", "mov"),
    ("ffv1", "yuva420p", "matroska"),
    ("ffv1", "bgra", "avi"),
]


@pytest.mark.parametrize(("codec", "layout", "container"), WITH_ALPHA)
def test_an_alpha_channel_is_composited_on_white(scene, engine_of, codec, layout, container):
    """The hidden part is not found."""
    picture, alpha = scene(2, SIZE), half_hidden()
    if layout == "ya8":
        picture = picture.convert("L").convert("RGB")
    data = with_alpha(picture, alpha, codec=codec, layout=layout, container=container)
    white = Image.new("RGB", SIZE, "white")
    shown = Image.composite(picture, white, Image.fromarray(alpha))
    assert pdq.compute(np.asarray(shown)).distance(pdq.compute(np.asarray(picture))) > 31

    result = engine_of(shown=shown, under=picture).screen(data)

    assert [match.entry for match in result.matches] == ["shown"]
    assert result.matches[0].distance <= 10
    (frame,) = (one for one in video.open(data).frames() if one.part == 0)
    expected = np.asarray(shown.convert("L")).astype(int)
    for part in (alpha == 0, alpha == 128, alpha == 255):
        assert np.abs(frame.pixels - expected)[part].mean() < 4


def test_an_alpha_channel_of_another_codec_clears_nothing(decoder, scene, engine_of):
    """No decoder returns the one that is declared for H.264 or AV1."""
    beside = element(0xA0, element(0x75A1, b""))  # a BlockGroup with BlockAdditions
    data = with_elements(clip([scene(2)] * 10, container="matroska"), {0x53C0: 1})
    data = rebuilt(data, [0x18538067, 0x1F43B675], lambda body: body + beside)
    unknown = rebuilt(data, [0x18538067, 0x1654AE6B, 0xAE, 0x86], lambda _: b"V_AV1")

    result = engine_of(other=scene(9)).screen(data)

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "unsupported")
    assert engine_of(other=scene(9)).screen(unknown).verdict is Verdict.UNSCREENED


@pytest.mark.parametrize("sizes", ["known", "unknown"])
def test_a_declared_alpha_channel_without_data_is_ignored(decoder, scene, engine_of, sizes):
    """Chromium declares one of all that it records."""
    data = with_elements(clip([scene(2)] * 10, container="matroska"), {0x53C0: 1})
    if sizes == "unknown":
        head = rb"(\x18\x53\x80\x67|\x1f\x43\xb6\x75)\x01.{7}"
        data, count = re.subn(head, lambda one: one[1] + b"\1" + b"\xff" * 7, data, flags=re.S)
        assert count >= 2

    assert engine_of(other=scene(9)).screen(data).verdict is Verdict.NO_MATCH
    assert engine_of(listed=scene(2)).screen(data).verdict is Verdict.MATCH


@pytest.mark.parametrize("level", [0, 255])
def test_an_alpha_channel_that_hides_all_or_nothing_is_ignored(scene, engine_of, level):
    """Programs without alpha leave it so."""
    alpha = np.full(SIZE[::-1], level, np.uint8)
    data = with_alpha(scene(2, SIZE), alpha, codec="png", layout="rgba", container="mov")

    assert [one.entry for one in engine_of(under=scene(2, SIZE)).screen(data).matches] == ["under"]


@pytest.mark.parametrize(("codec", "layout", "container"), WITH_ALPHA)
def test_an_alpha_channel_that_is_not_decoded_clears_nothing(
    monkeypatch, scene, engine_of, codec, layout, container
):
    """OpenCV, and PyAV without libvpx, decode none.

    The result names the extra, and matches count.
    """
    data = with_alpha(
        scene(2, SIZE), half_hidden(), codec=codec, layout=layout, container=container
    )
    engine = engine_of(other=scene(9))
    assert engine.screen(data).verdict is Verdict.NO_MATCH

    if codec.startswith("libvpx"):
        with monkeypatch.context() as patched:
            patched.setattr(av_track, "_ALPHA_DECODERS", {})
            result = engine.screen(data)
        assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "unsupported")
        assert result.extra is None
    monkeypatch.setattr(video, "_has_pyav", lambda: False)
    result = engine.screen(data)
    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "unsupported")
    assert (result.extra, "alpha" in result.detail) == ("video", True)
    assert engine_of(under=scene(2, SIZE)).screen(data).verdict is Verdict.MATCH


def test_a_stream_with_alpha_is_decoded_to_its_end_whatever_is_lost(scene, engine_of):
    """Its decoder is another one; losses and numbers stay the same."""
    pictures = [scene(number, (160, 120)) for number in (1, 2)]
    alpha = np.full((120, 160), 255, np.uint8)
    alpha[:10] = 200
    data = with_alpha(pictures[0], alpha, codec="libvpx-vp9", layout="yuva420p", container="webm")

    frames = list(video.open(data, sampling=Sampling(mode="all", distinct=False)).frames())

    assert [frame.part for frame in frames] == list(range(10))
    with contextlib.suppress(MediaError):
        list(video.open(data[: len(data) // 2]).frames())


def with_subtitles(codec, container, coded="libx264"):
    """Return a clip with a track of subtitles."""
    between = {"mpeg2video": "mpegts"}.get(coded, "mp4")
    shown = clip([Image.effect_noise((160, 120), 90)] * 25, rate=25, codec=coded, container=between)
    out = io.BytesIO()
    with av.open(io.BytesIO(shown)) as source, av.open(out, "w", format=container) as file:
        track = file.add_stream_from_template(source.streams.video[0])
        words = file.add_stream(codec)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = track
                file.mux(packet)
        one = av.Packet(bytes(100))
        one.stream, one.time_base = words, Fraction(1, 1000)
        one.pts, one.dts, one.duration = 0, 0, 500
        file.mux(one)
    return out.getvalue()


def xsub():
    """Return an AVI whose second track declares XSUB."""
    shown = [Image.effect_noise((160, 120), 90).convert("RGB")] * 20
    data = tracks(shown, shown, container="avi")
    head, second = data.split(b"strl", 2)[:2], data.split(b"strl", 2)[2]
    return b"strl".join([*head, second.replace(b"H264", b"DXSB", 2).replace(b"h264", b"DXSB", 2)])


def a_program(stream):
    """Return a transport stream with a program map table of these tracks."""
    entries = b"".join(
        bytes([coded, 0xE1, number, 0xF0, len(described)]) + described
        for number, (coded, described) in enumerate(stream)
    )
    table = b"\x00\x02" + (0xB000 | len(entries) + 13).to_bytes(2, "big")
    table += b"\0\1\xc1\0\0\xe1\0\xf0\0" + entries + bytes(4)
    return (b"\x47\x50\0\x10" + table).ljust(188, b"\xff") + (b"\x47\x1f\xff\x10" + bytes(184)) * 9


PICTURE_SUBTITLES = {
    "VobSub in Matroska": lambda: with_subtitles("dvdsub", "matroska"),
    "DVB in Matroska": lambda: with_subtitles("dvbsub", "matroska"),
    "VobSub in MP4": lambda: with_subtitles("dvdsub", "mp4"),
    "DVB in a transport stream": lambda: with_subtitles("dvbsub", "mpegts", "mpeg2video"),
    "VobSub in a program stream": lambda: with_subtitles("dvdsub", "mpeg", "mpeg2video"),
    "VobSub on a DVD": lambda: with_subtitles("dvdsub", "dvd", "mpeg2video"),
    "XSUB in AVI": xsub,
}
OTHERS = {
    "SSA in Matroska": lambda: rebuilt(
        with_subtitles("dvdsub", "matroska"),
        [0x18538067, 0x1654AE6B, 0xAE],
        lambda track: track.replace(b"S_VOBSUB", b"S_SSA\0\0\0"),
    ),
    "timed text in MP4": lambda: with_subtitles("dvdsub", "mp4")
    .replace(b"subp", b"sbtl")
    .replace(b"mp4s", b"tx3g"),
    "none in a transport stream": lambda: clip([Image.effect_noise((160, 120), 90)] * 20,
                                               container="mpegts"),
    "none in a program stream": lambda: clip([Image.effect_noise((160, 120), 90)] * 50, rate=25,
                                             codec="mpeg2video", container="mpeg"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PICTURE_SUBTITLES)
def test_subtitles_that_are_images_clear_nothing(decoder, scene, engine_of, kind):
    """They are not compared, by either decoder."""
    result = engine_of(other=scene(9)).screen(PICTURE_SUBTITLES[kind]())

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "unsupported")
    assert "subtitles" in result.detail


@pytest.mark.parametrize("kind", OTHERS)
def test_subtitles_that_are_text_hide_nothing(decoder, scene, engine_of, kind):
    """Files without subtitles are the same."""
    assert engine_of(other=scene(9)).screen(OTHERS[kind]()).verdict is Verdict.NO_MATCH


def test_a_match_counts_whatever_subtitles_there_are(decoder, engine_of):
    """The video was compared."""
    data = with_subtitles("dvdsub", "matroska")
    frame = next(video.open(data).frames())

    assert engine_of(listed=frame.pixels).screen(data).verdict is Verdict.MATCH


@pytest.mark.parametrize(
    ("tracks_of_it", "some"),
    [
        ([(0x1B, b"")], False),
        ([(0x1B, b""), (0x90, b"")], True),
        ([(0x1B, b""), (6, b"\x0a\4eng\0\x59\x08eng\x10\0\1\0\1")], True),
        ([(0x1B, b""), (6, b"\x56\5eng\x08\x88")], False),
        ([(6, b"\x59")], False),
    ],
)
def test_subtitles_of_a_transport_stream_are_recognised(tracks_of_it, some):
    """PGS has a codec, DVB a descriptor; teletext is text."""
    stream = io.BytesIO(a_program(tracks_of_it))
    stream.seek(5)

    assert declared.has_image_subtitles(stream, "video/mp2t") == some
    assert stream.tell() == 5


@pytest.mark.parametrize("codec", [b"S_HDMV/PGS", b"S_VOBSUB/ZLIB", b"S_DVBSUB\0\0"])
def test_subtitles_of_matroska_are_recognised(codec):
    """Only the start of the codec's name counts, and tracks may be anywhere."""
    track = element(0xAE, element(0x83, b"\x11") + element(0x86, codec))
    cluster = element(0x1F43B675, bytes(20))
    data = bytes.fromhex("1a45dfa380") + element(0x18538067, cluster + element(0x1654AE6B, track))

    assert declared.has_image_subtitles(io.BytesIO(data), "video/x-matroska")
    for size in range(len(data)):
        declared.has_image_subtitles(io.BytesIO(data[:size]), "video/x-matroska")


def test_endlessly_nested_lists_are_not_followed():
    """Lists of no length are not either."""
    for lists in (b"LIST\xff\xff\xff\x7fhdrl" * 10_000, b"LIST\0\0\0\0" * 10_000):
        data = b"RIFF\xff\xff\xff\x7fAVI " + lists
        assert not declared.has_image_subtitles(io.BytesIO(data), "video/x-msvideo")
