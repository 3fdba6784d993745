"""Clips that were trimmed without re-encoding: what was cut off is still searched."""

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
from screener.media.video.sampling.settings import Sampling
from screener.screening.input import vpdq


@pytest.fixture
def engine(make_list, scene):
    """Return a Screener whose list holds one picture, `bad`."""
    listed = pdq.compute(np.asarray(scene(9, (320, 240)))).text
    return Screener(make_list([{"id": "bad", "pdq": listed, "status": "active"}]))


def ticks(data, kind):
    """Return the ticks per second in a header of the movie or its media."""
    at = data.index(kind) + 16
    return int.from_bytes(data[at : at + 4], "big")


def trimmed(data, start, seconds, *, wide=False, before=0):
    """Return the MP4 with an edit list that shows `seconds` of it, `before` seconds of nothing
    first.
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
    """Return a clip whose last four seconds show the listed picture."""
    return clip(shown_for(scene, seconds=[(5, 2), (9, 4)]), gop=5)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("before", [0, 3])
def test_trimmed_frames_are_found(engine, six_seconds, wide, before):
    """They are at their times in the file; the last frame shown is sampled if the track declares
    more.
    """
    result = engine.screen(trimmed(six_seconds, 0, 1.5, wide=wide, before=before))

    (match,) = result.matches
    assert (match.part_kind, match.time) == ("appended", 2.0)
    (seen,) = result.timeline
    assert (seen.part_kind, seen.spans) == ("appended", ((2.0, 5.0),))
    assert result.media.samples == (3 if before else 5)


def test_shown_frames_are_found_at_the_times_of_players(engine, six_seconds):
    """They are found once more among all frames."""
    result = engine.screen(trimmed(six_seconds, 1.5, 2.0))
    found = [(match.part_kind, match.time) for match in result.matches]
    assert found == [("frame", 0.5), ("appended", 2.0)]


def test_a_trimmed_clip_is_cleared_by_all_of_it(engine, scene):
    """Hidden frames are no losses."""
    whole = clip(shown_for(scene, seconds=[(5, 2), (6, 3)]))
    assert engine.screen(trimmed(whole, 1.0, 2.0)).verdict is Verdict.NO_MATCH


@pytest.mark.parametrize("start", [0, 0.5])
def test_opencv_clears_no_trimmed_clip(monkeypatch, engine, six_seconds, start):
    """It cannot decode what was cut off; the result names the extra."""
    monkeypatch.setattr(frames, "_has_pyav", lambda: False)
    result = engine.screen(trimmed(six_seconds, start, 1.5))
    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "unsupported")
    assert result.extra == "video"


@pytest.mark.parametrize("opencv", [False, True])
def test_a_vpdq_is_of_what_is_shown(monkeypatch, six_seconds, opencv):
    """OpenCV adds the last frame shown, which stands for the rest of the track."""
    if opencv:
        monkeypatch.setattr(frames, "_has_pyav", lambda: False)
    made, trouble = vpdq.compute(trimmed(six_seconds, 0, 1.5))
    assert trouble is None
    assert [frame.number for frame in vpdq_frames(made.value)] == [0, 10] + [14] * opencv


@pytest.mark.parametrize(
    ("left", "sampling", "seen"),
    [(0.4, {}, False), (0.6, {}, True), (0.6, {"every": 0.7}, False), (0.4, {"mode": "all"}, True)],
)
def test_a_cut_shorter_than_a_step_is_ignored(make_list, scene, left, sampling, seen):
    """The step is half a second in a clip of two, or as the policy says."""
    listed = pdq.compute(np.asarray(scene(9, (320, 240)))).text
    hash_list = make_list([{"id": "bad", "pdq": listed, "status": "active"}])
    engine = Screener(hash_list, policy=Policy(sampling=Sampling(**sampling)))
    data = trimmed(clip(shown_for(scene, seconds=[(5, 3), (9, left)]), gop=5), 0, 3)
    assert bool(engine.screen(data).matches) == seen


@pytest.mark.parametrize(("start", "seconds", "left"), [(0, 6, 0), (0, 2, 4), (5, 0, 5), (2, 9, 2)])
def test_trimmed_seconds_are_counted(six_seconds, start, seconds, left):
    """An edit of no length lasts to the end, and none lasts longer."""
    seconds_trimmed = edit_lists.sum_hidden_seconds(
        io.BytesIO(trimmed(six_seconds, start, seconds))
    )
    assert seconds_trimmed == pytest.approx(left)


def test_reordered_frames_are_not_trimmed(scene):
    """Their edit list begins when the first one is shown."""
    data = clip(panned(scene, 2, 30), preset="veryfast", bf="3")
    assert data.count(b"ctts") == 1
    assert edit_lists.sum_hidden_seconds(io.BytesIO(data)) == 0


def test_a_broken_edit_list_trims_nothing(scene, six_seconds):
    """Nothing is raised, and the stream stays at its position."""
    moov = six_seconds.index(b"moov") - 4
    for size in range(moov, len(six_seconds), 7):
        cut = io.BytesIO(six_seconds[:size])
        assert edit_lists.sum_hidden_seconds(cut) == 0
        assert cut.tell() == 0
        spoilt = six_seconds[:size] + b"\xff" * 9 + six_seconds[size + 9 :]
        assert edit_lists.sum_hidden_seconds(io.BytesIO(spoilt)) >= 0
    matroska = clip(panned(scene, 2, 10), container="matroska")
    assert edit_lists.sum_hidden_seconds(io.BytesIO(matroska)) == 0


FAR = {
    "a track that begins beyond all": box(
        b"moov",
        b"\0\0\0\1trak" + (2**64 - 4000).to_bytes(8, "big") + b"\0\0\0\1free" + b"\x80" + bytes(7),
    ),
    "a head that ends before it begins": box(b"moov", b"\0\0\0\1mvhd") + (16).to_bytes(8, "big"),
}


@pytest.mark.parametrize("behind", FAR.values(), ids=FAR)
def test_boxes_with_a_false_length_raise_nothing(engine, six_seconds, behind):
    """The match stays."""
    edit_lists.sum_hidden_seconds(io.BytesIO(six_seconds + behind))
    assert engine.screen(six_seconds + behind).verdict is Verdict.MATCH


@pytest.mark.parametrize("length", [2**32 - 1, None])
def test_a_missing_or_false_length_trims_nothing(six_seconds, length):
    """The durations of the frames count."""
    at = six_seconds.index(b"mdhd") + 20
    declared = int.from_bytes(six_seconds[at : at + 4], "big")
    longer = declared + ticks(six_seconds, b"mdhd") if length is None else length
    data = six_seconds[:at] + longer.to_bytes(4, "big") + six_seconds[at + 4 :]
    assert edit_lists.sum_hidden_seconds(io.BytesIO(data)) == 0.0
    assert edit_lists.sum_hidden_seconds(io.BytesIO(trimmed(data, 0, 1.5))) == pytest.approx(
        4.5, abs=0.01
    )


def test_a_clip_that_is_trimmed_a_little_and_cannot_be_read_to_its_end_is_not_cleared(
    engine, scene
):
    """The number of expected frames is known."""
    whole = clip(shown_for(scene, seconds=[(5, 6)]), gop=5)
    little = trimmed(whole, 0.3, 5.7)
    assert engine.screen(little).verdict is Verdict.NO_MATCH
    at = little.index(b"stsz") + 16 + 4 * 20
    broken = little[:at] + (0x7FFFFFFF).to_bytes(4, "big") + little[at + 4 :]
    assert engine.screen(broken).verdict is Verdict.UNSCREENED
