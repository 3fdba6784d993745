"""Fragments of an MP4 that FFmpeg does not make sense of, and drops: they clear nothing."""

import io
import struct

import numpy as np
import pytest
from drawn_videos import clip

from screener import Screener, Verdict
from screener.hashing import pdq
from screener.media import fragments, video
from screener.media.sampling import Sampling

SIZE = (160, 120)
FLAGS = "frag_keyframe+empty_moov"
LISTED = 9  # the scene that is listed, of the fourth second


@pytest.fixture(scope="module")
def pictures(scene):
    """Five seconds of pictures: each second is a fragment."""
    shown = [5, 5, 5, LISTED, 5]
    return [scene(seed, SIZE) for seed in shown for _ in range(10)]


@pytest.fixture(scope="module")
def whole(pictures):
    """A fragmented MP4 of them."""
    return clip(pictures, movflags=FLAGS, gop=10)


@pytest.fixture
def engine(make_list, scene):
    """A Screener whose list holds the picture of the fourth second."""
    listed = pdq.compute(np.asarray(scene(LISTED, SIZE))).text
    return Screener(make_list([{"id": "bad", "pdq": listed, "status": "active"}]))


def damaged(data, number, name, at, value):
    """An MP4 with other bytes `at` so many bytes from the start of a box: that of a name in the
    fragment of a number.
    """
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
        (4, b"trun", 8, bytes(4)),  # what is told of each
        (4, b"trun", 17, b"\xff"),  # where they are
        (4, b"tfdt", 2, b"\xff\xff"),  # how long boxes are
        (4, b"mfhd", 2, b"\xff\xff"),
        (3, b"moof", 0, bytes(4)),
        (3, b"moof", 1, bytes(4)),
        (3, b"moof", 3, b"\x14"),  # behind which no box is
    ],
)
def test_a_fragment_that_is_dropped_clears_nothing(engine, whole, number, name, at, value):
    """What it shows was not looked at, whatever else was."""
    result = engine.screen(damaged(whole, number, name, at, value))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")


def test_what_stands_behind_a_fragment_that_is_dropped_is_looked_at(engine, whole):
    """The data of the second one are told to be beyond the file, where FFmpeg ends."""
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
def test_nothing_is_missed_of_sound_fragments(pictures, flags):
    """However they are written, with frames that are decoded in another order, and with zeros
    behind them.
    """
    data = clip(pictures, movflags=flags, gop=10, preset="veryfast")

    opened = video.open(data + bytes(100), sampling=Sampling(mode="all", distinct=False))

    assert sum(1 for _ in opened.frames()) == len(pictures)


def box(kind, *parts):
    """A box of an ISO file."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def numbers(*values):
    """Numbers of four bytes."""
    return struct.pack(f">{len(values)}I", *values)


def file_of(*runs, data=15, head=(0, 1), size=0):
    """A file of one fragment of the track 1, whose samples have that size unless it tells another;
    and what is declared.
    """
    told = box(b"moov", box(b"mvex", box(b"trex", numbers(0, 1, 1, 0, size, 0))))
    part = box(
        b"traf", box(b"tfhd", numbers(*head)), *(box(b"trun", numbers(*run)) for run in runs)
    )
    file = box(b"ftyp", b"isom", bytes(4)) + told + box(b"moof", part) + box(b"mdat", bytes(data))
    return fragments.declared(io.BytesIO(file))


@pytest.mark.parametrize(
    ("told", "samples", "unlike"),
    [
        (file_of((0, 3), size=5), 3, False),  # all as the movie says
        (file_of((0, 3), head=(0x10, 1, 5), size=9), 3, False),  # as the head of the part says
        (file_of((0, 3), head=(0x1B, 1, 0, 0, 1, 1, 5)), 3, False),  # which tells more
        (file_of((0x200, 3, 5, 0, 10)), 2, False),  # each its own; one is empty
        (file_of((0xF05, 1, 0, 0, 1, 9, 0, 0), (0x200, 1, 6)), 2, False),
        (file_of((0, 7), data=0), 0, False),  # all are empty
        (file_of((0, 3), head=(0, 2), size=5), 0, True),  # a track that is not declared
        (file_of((0, 2), size=5), 2, True),
        (file_of((0, 4), size=5), 4, True),
        (file_of((0, 2**32 - 1), size=5), 2**32 - 1, True),
        (file_of((0x200, 2**32 - 1, 5, 10)), 2, False),  # no more than there are
        (file_of((0x200, 2**32 - 1)), 0, True),
        (file_of((0xF05,)), 0, True),
        (file_of(), 0, True),
    ],
)
def test_what_fragments_declare(told, samples, unlike):
    """Samples that are not empty, and whether they are all that there is; in bounds."""
    assert (told.samples[1], told.unlike) == (samples, unlike)


@pytest.mark.parametrize("number", [1, 3])
def test_an_index_that_ends_with_the_file_clears_nothing(engine, pictures, number):
    """It has no length: all fragments behind it are in it."""
    whole = clip(pictures, movflags="dash+frag_keyframe", gop=10)
    places = [at for at in range(len(whole)) if whole.startswith(b"sidx", at)]
    at = places[number - 1] - 4

    result = engine.screen(whole[:at] + bytes(4) + whole[at + 4 :])

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")


def test_fragments_beyond_all_measure(monkeypatch):
    """Nothing is declared of what is not gone through to its end."""
    monkeypatch.setattr(fragments, "MOST", 7)

    assert file_of((0, 3), size=4) == ({}, False)
