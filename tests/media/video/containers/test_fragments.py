"""Fragments of an MP4 that FFmpeg drops: they clear nothing."""

import io
import struct

import numpy as np
import pytest
from drawn_videos import clip
from iso_boxes import box

from screener import Screener, Verdict
from screener.hashing import pdq
from screener.media.video import frames
from screener.media.video.containers import fragments
from screener.media.video.sampling.settings import Sampling

SIZE = (160, 120)
FLAGS = "frag_keyframe+empty_moov"
LISTED = 9  # the scene that is listed, of the fourth second


@pytest.fixture(scope="module")
def pictures(scene):
    """Return five seconds of pictures; each second is a fragment."""
    shown = [5, 5, 5, LISTED, 5]
    return [scene(seed, SIZE) for seed in shown for _ in range(10)]


@pytest.fixture(scope="module")
def whole(pictures):
    """Return a fragmented MP4 of the pictures."""
    return clip(pictures, movflags=FLAGS, gop=10)


@pytest.fixture
def engine(make_list, scene):
    """Return a Screener whose list holds one picture, `bad`."""
    listed = pdq.compute(np.asarray(scene(LISTED, SIZE))).text
    return Screener(make_list([{"id": "bad", "pdq": listed, "status": "active"}]))


def damaged(data, number, name, at, value):
    """Return an MP4 with other bytes `at` an offset from a box, in a fragment by its number."""
    place = 0
    for _ in range(number):
        place = data.index(b"moof", place + 1)
    place = data.index(name, place) - 4 + at
    return data[:place] + value + data[place + len(value) :]


@pytest.mark.parametrize(
    ("number", "name", "at", "value"),
    [
        (4, b"tfhd", 20, b"\xff" * 4),  # where its data are: beyond the file
        (4, b"tfhd", 11, b"\xff"),  # which fields follow
        (4, b"tfhd", 12, b"\7"),  # which track it is of
        (4, b"tfhd", 4, b"\0"),  # names
        (4, b"trun", 4, b"\0"),
        (4, b"traf", 4, b"\0"),
        (4, b"moof", 4, b"\0"),
        (4, b"trun", 15, b"\0"),  # how many samples there are
        (4, b"trun", 8, bytes(4)),  # fields of each
        (4, b"trun", 17, b"\xff"),  # where they are
        (4, b"tfdt", 2, b"\xff\xff"),  # how long boxes are
        (4, b"mfhd", 2, b"\xff\xff"),
        (3, b"moof", 0, bytes(4)),
        (3, b"moof", 1, bytes(4)),
        (3, b"moof", 3, b"\x14"),  # behind which no box is
    ],
)
def test_a_fragment_that_is_dropped_clears_nothing(engine, whole, number, name, at, value):
    """It was not searched."""
    result = engine.screen(damaged(whole, number, name, at, value))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")


@pytest.mark.parametrize("off", [-4, 4])
def test_a_fragment_of_other_data_than_its_own_clears_nothing(engine, pictures, off):
    """Some codecs decode any data."""
    whole = clip(pictures[:30], movflags=FLAGS, gop=10, codec="libvpx-vp9")
    place = whole.index(b"moof", whole.index(b"mdat")) + 4
    at = whole.index(b"tfhd", place) + 12
    moved = int.from_bytes(whole[at : at + 8], "big") + off

    result = engine.screen(whole[:at] + moved.to_bytes(8, "big") + whole[at + 8 :])

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")


def test_fragments_behind_a_dropped_one_are_searched(engine, whole):
    """FFmpeg stops at data beyond the file."""
    for data in (whole, damaged(whole, 2, b"tfhd", 20, b"\xff" * 4)):
        assert [match.time for match in engine.screen(data).matches] == [3.0]


@pytest.mark.parametrize(
    "flags",
    [
        "frag_keyframe",
        f"{FLAGS}+default_base_moof",
        f"{FLAGS}+omit_tfhd_offset",
        f"{FLAGS}+frag_every_frame",
        "frag_keyframe+delay_moov",
        "cmaf+frag_keyframe",
        "dash+frag_keyframe",
        "hybrid_fragmented",
    ],
)
def test_sound_fragments_have_no_losses(pictures, flags):
    """Frames may be reordered, and zeros may follow."""
    data = clip(pictures, movflags=flags, gop=10, preset="veryfast")

    opened = frames.open(data + bytes(100), sampling=Sampling(mode="all", distinct=False))

    assert sum(1 for _ in opened.frames()) == len(pictures)


def numbers(*values):
    """Return numbers of four bytes."""
    return struct.pack(f">{len(values)}I", *values)


def file_of(*parts, data=15, size=0, ways=1):
    """Return a file of one fragment and what it declares.

    `parts` have the numbers of a header behind its flags and track, and those of runs; offsets
    count from the media data. Samples have a default size.
    """
    movie = box(
        b"moov",
        box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", box(b"stsd", numbers(0, ways)))))),
        box(b"mvex", box(b"trex", numbers(0, 1, 1, 0, size, 0))),
    )
    before = box(b"ftyp", b"isom", bytes(4)) + movie

    def fragment(begin):
        made = b""
        for (flags, track, *fields), *runs in parts:
            place = struct.pack(">Q", (begin + fields.pop(0)) % 2**64) if flags & 1 else b""
            head = box(b"tfhd", numbers(flags, track), place, numbers(*fields))
            made += box(b"traf", head, *(box(b"trun", numbers(*run)) for run in runs))
        return box(b"moof", made)

    begin = len(before) + len(fragment(0)) + 8
    file = before + fragment(begin) + box(b"mdat", bytes(data))
    return fragments.read_fragments(io.BytesIO(file))


HEAD = (1, 1, 0)  # of a part of the track 1, whose data are the first


@pytest.mark.parametrize(
    ("fragments_read", "samples", "inconsistent"),
    [
        (file_of((HEAD, (0, 3)), size=5), 3, False),  # all as the movie says
        (file_of(((0x11, 1, 0, 5), (0, 3)), size=9), 3, False),  # as the head of the part says
        (file_of(((0x1B, 1, 0, 1, 1, 5), (0, 3))), 3, False),  # which tells more
        (file_of((HEAD, (0x200, 3, 5, 0, 10))), 2, False),  # each its own; one is empty
        (file_of((HEAD, (0xF05, 1, 0, 0, 1, 9, 0, 0), (0x201, 1, 9, 6))), 2, False),
        (file_of((HEAD, (0x201, 1, 9, 6), (0x201, 1, 0, 9))), 2, False),  # in whatever order
        (file_of((HEAD, (0, 7)), data=0), 0, False),  # all are empty
        (file_of(((1, 2, 0), (0, 3)), size=5), 0, True),  # a track that is not declared
        (file_of((HEAD, (0, 2)), size=5), 2, True),
        (file_of((HEAD, (0, 4)), size=5), 4, True),
        (file_of((HEAD, (0, 2**32 - 1)), size=5), 2**32 - 1, True),
        (file_of((HEAD, (0x200, 2**32 - 1, 5, 10))), 2, False),  # no more than there are
        (file_of((HEAD, (0x200, 2**32 - 1))), 0, True),
        (file_of((HEAD, (0xF05,))), 0, True),
        (file_of((HEAD,)), 0, True),
        (file_of(((0, 1), (0, 3)), size=5), 3, True),  # where the fragment is
        (file_of(((1, 1, 1), (0, 3)), size=5), 3, True),  # where no more is than two and a bit
        (file_of(((1, 1, 2**63), (0, 3)), size=5), 3, True),
        (file_of(((1, 1, -1), (0, 3)), size=5), 3, True),
        (file_of((HEAD, (0x201, 1, 9, 6), (0x201, 1, 1, 9))), 2, True),  # of which some are twice
        (file_of((HEAD, (0x200, 1, 9), (0x200, 1, 6))), 2, True),  # FFmpeg takes them so
        (file_of((HEAD, (0, 2)), ((1, 1, 10), (0, 1)), size=5), 3, True),  # two of one track
        (file_of(((3, 1, 0, 2), (0, 3)), size=5, ways=2), 3, False),
        (file_of(((3, 1, 0, 3), (0, 3)), size=5, ways=2), 3, True),
        (file_of(((3, 1, 0, 0), (0, 3)), size=5), 3, True),
    ],
)
def test_fragments_declare_their_samples(fragments_read, samples, inconsistent):
    """Empty samples do not count; inconsistent ones are recognised."""
    assert (fragments_read.samples[1], fragments_read.inconsistent) == (samples, inconsistent)


@pytest.mark.parametrize("number", [1, 3])
def test_an_index_that_ends_with_the_file_clears_nothing(engine, pictures, number):
    """All fragments behind it are in it."""
    whole = clip(pictures, movflags="dash+frag_keyframe", gop=10)
    places = [at for at in range(len(whole)) if whole.startswith(b"sidx", at)]
    at = places[number - 1] - 4

    result = engine.screen(whole[:at] + bytes(4) + whole[at + 4 :])

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")


def test_too_many_boxes_declare_nothing(monkeypatch):
    """They are not read to the end."""
    monkeypatch.setattr(fragments, "MAX_CHUNKS", 7)

    assert file_of((HEAD, (0, 3)), size=4) == ({}, False)
