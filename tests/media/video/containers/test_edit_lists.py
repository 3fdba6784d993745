"""Clips that were trimmed without being encoded anew: what was cut off is in the file, and seen."""

import io

import numpy as np
import pytest
from drawn_videos import clip, panned, shown_for
from iso_boxes import box

from screener import Policy, Screener, Verdict
from screener.hashing import pdq
from screener.hashing.vpdq_value import vpdq_frames
from screener.media.video import frames
from screener.media.video.containers import edit_lists
from screener.media.video.sampling.rules import Sampling
from screener.screening.input import vpdq


@pytest.fixture
def engine(make_list, scene):
    """A Screener whose list holds one picture."""
    listed = pdq.compute(np.asarray(scene(9, (320, 240)))).text
    return Screener(make_list([{"id": "bad", "pdq": listed, "status": "active"}]))


def ticks(data, kind):
    """The ticks of a second that a head of a movie or its media tells."""
    at = data.index(kind) + 16
    return int.from_bytes(data[at : at + 4], "big")


def trimmed(data, start, seconds, *, wide=False, before=0):
    """The MP4 with an edit list that shows so many seconds of it, by numbers of 32 or 64 bits, and
    `before` seconds of nothing before them.
    """
    size = 8 if wide else 4
    lasts = round(seconds * ticks(data, b"mvhd")).to_bytes(size, "big")
    begins = round(start * ticks(data, b"mdhd")).to_bytes(size, "big")
    edits = [lasts + begins + b"\0\1\0\0"]
    if before:
        empty = round(before * ticks(data, b"mvhd")).to_bytes(size, "big")
        edits.insert(0, empty + b"\xff" * size + b"\0\1\0\0")
    head = bytes([wide, 0, 0, 0]) + len(edits).to_bytes(4, "big")
    made = box(b"edts", box(b"elst", head, *edits))
    at = data.index(b"edts") - 4
    after = at + int.from_bytes(data[at : at + 4], "big")
    more = len(made) - (after - at)
    changed = bytearray(data[:at] + made + data[after:])
    for name in (b"moov", b"trak"):  # they stand behind the pictures, so that nothing else moves
        place = data.index(name) - 4
        length = int.from_bytes(data[place : place + 4], "big") + more
        changed[place : place + 4] = length.to_bytes(4, "big")
    return bytes(changed)


@pytest.fixture(scope="module")
def six_seconds(scene):
    """A clip of which the last four seconds show what is listed."""
    return clip(shown_for(scene, seconds=[(5, 2), (9, 4)]), gop=5)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("before", [0, 3])
def test_what_was_cut_off_is_found_as_hidden(engine, six_seconds, wide, before):
    """At its time in the file; what players show has their times, as if nothing was cut off. If the
    track declares more than is shown, the last frame shown is looked at as well.
    """
    result = engine.screen(trimmed(six_seconds, 0, 1.5, wide=wide, before=before))

    (match,) = result.matches
    assert (match.part_kind, match.time) == ("appended", 2.0)
    (seen,) = result.timeline
    assert (seen.part_kind, seen.spans) == ("appended", ((2.0, 5.0),))
    assert result.media.samples == (3 if before else 5)


def test_what_is_shown_is_found_where_players_show_it(engine, six_seconds):
    """Also where the beginning was cut off; and once more among all that is in the file."""
    result = engine.screen(trimmed(six_seconds, 1.5, 2.0))
    found = [(match.part_kind, match.time) for match in result.matches]
    assert found == [("frame", 0.5), ("appended", 2.0)]


def test_a_trimmed_clip_is_cleared_by_all_of_it(engine, scene):
    """Nothing of it is listed; and no frame is missed that no player shows."""
    whole = clip(shown_for(scene, seconds=[(5, 2), (6, 3)]))
    assert engine.screen(trimmed(whole, 1.0, 2.0)).verdict is Verdict.NO_MATCH


@pytest.mark.parametrize("start", [0, 0.5])
def test_opencv_clears_no_trimmed_clip(monkeypatch, engine, six_seconds, start):
    """It cannot be told to look at what was cut off, and the extra that can is named."""
    monkeypatch.setattr(frames, "_has_pyav", lambda: False)
    result = engine.screen(trimmed(six_seconds, start, 1.5))
    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "unsupported")
    assert result.extra == "video"


@pytest.mark.parametrize("opencv", [False, True])
def test_a_vpdq_is_of_what_is_shown(monkeypatch, six_seconds, opencv):
    """As that of vPDQ's own tool is. OpenCV does not know where the cut ends: the last frame shown
    is one more, since it stands for the rest of the track.
    """
    if opencv:
        monkeypatch.setattr(frames, "_has_pyav", lambda: False)
    made, trouble = vpdq.compute(trimmed(six_seconds, 0, 1.5))
    assert trouble is None
    assert [frame.number for frame in vpdq_frames(made.value)] == [0, 10] + [14] * opencv


@pytest.mark.parametrize(
    ("left", "sampling", "seen"),
    [(0.4, {}, False), (0.6, {}, True), (0.6, {"every": 0.7}, False), (0.4, {"mode": "all"}, True)],
)
def test_so_little_that_no_frame_of_it_is_due_is_not_looked_for(
    make_list, scene, left, sampling, seen
):
    """What is cut off is shorter than it is from one frame that is looked at to the next, which is
    half a second in a clip of two, or what the policy says of one with so many frames anyway.
    """
    listed = pdq.compute(np.asarray(scene(9, (320, 240)))).text
    known = make_list([{"id": "bad", "pdq": listed, "status": "active"}])
    engine = Screener(known, policy=Policy(sampling=Sampling(**sampling)))
    data = trimmed(clip(shown_for(scene, seconds=[(5, 3), (9, left)]), gop=5), 0, 3)
    assert bool(engine.screen(data).matches) == seen


@pytest.mark.parametrize(("start", "seconds", "left"), [(0, 6, 0), (0, 2, 4), (5, 0, 5), (2, 9, 2)])
def test_how_much_is_left_out(six_seconds, start, seconds, left):
    """An edit of no length goes to the end, and none goes further."""
    told = edit_lists.trimmed_seconds(io.BytesIO(trimmed(six_seconds, start, seconds)))
    assert told == pytest.approx(left)


def test_frames_in_another_order_are_not_left_out(scene):
    """Their list begins where the first one is shown, which is later than it is decoded."""
    data = clip(panned(scene, 2, 30), preset="veryfast", bf="3")
    assert data.count(b"ctts") == 1
    assert edit_lists.trimmed_seconds(io.BytesIO(data)) == 0


def test_what_is_no_edit_list_leaves_nothing_out(scene, six_seconds):
    """Whatever a file holds, nothing is raised, and the stream stays where it was."""
    moov = six_seconds.index(b"moov") - 4
    for size in range(moov, len(six_seconds), 7):
        cut = io.BytesIO(six_seconds[:size])
        assert edit_lists.trimmed_seconds(cut) == 0
        assert cut.tell() == 0
        spoilt = six_seconds[:size] + b"\xff" * 9 + six_seconds[size + 9 :]
        assert edit_lists.trimmed_seconds(io.BytesIO(spoilt)) >= 0
    matroska = clip(panned(scene, 2, 10), container="matroska")
    assert edit_lists.trimmed_seconds(io.BytesIO(matroska)) == 0


FAR = {
    "a track that begins beyond all": box(
        b"moov",
        b"\0\0\0\1trak" + (2**64 - 4000).to_bytes(8, "big") + b"\0\0\0\1free" + b"\x80" + bytes(7),
    ),
    "a head that ends before it begins": box(b"moov", b"\0\0\0\1mvhd") + (16).to_bytes(8, "big"),
}


@pytest.mark.parametrize("behind", FAR.values(), ids=FAR)
def test_boxes_that_lie_about_their_length_are_read_no_further(engine, six_seconds, behind):
    """Wherever they lead: nothing is raised, and the match stays."""
    edit_lists.trimmed_seconds(io.BytesIO(six_seconds + behind))
    assert engine.screen(six_seconds + behind).verdict is Verdict.MATCH


@pytest.mark.parametrize("length", [2**32 - 1, None])
def test_a_length_that_is_not_told_or_too_long_leaves_nothing_out(six_seconds, length):
    """What a track holds is told by how long each of its frames lasts."""
    at = six_seconds.index(b"mdhd") + 20
    told = int.from_bytes(six_seconds[at : at + 4], "big")
    longer = told + ticks(six_seconds, b"mdhd") if length is None else length
    data = six_seconds[:at] + longer.to_bytes(4, "big") + six_seconds[at + 4 :]
    assert edit_lists.trimmed_seconds(io.BytesIO(data)) == 0.0
    assert edit_lists.trimmed_seconds(io.BytesIO(trimmed(data, 0, 1.5))) == pytest.approx(
        4.5, abs=0.01
    )


def test_a_clip_that_is_trimmed_a_little_and_cannot_be_read_to_its_end_is_not_cleared(
    engine, scene
):
    """The frames that are to come are known, less those that are left out."""
    whole = clip(shown_for(scene, seconds=[(5, 6)]), gop=5)
    little = trimmed(whole, 0.3, 5.7)
    assert engine.screen(little).verdict is Verdict.NO_MATCH
    at = little.index(b"stsz") + 16 + 4 * 20
    broken = little[:at] + (0x7FFFFFFF).to_bytes(4, "big") + little[at + 4 :]
    assert engine.screen(broken).verdict is Verdict.UNSCREENED
