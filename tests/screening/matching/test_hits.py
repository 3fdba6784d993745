"""The hits of one input: the nearest for each record, and when it was seen."""

import random
import tracemalloc

import pytest

from screener import Hash, Match
from screener.hashing.hash import KINDS
from screener.screening.input.located_hash import LocatedHash
from screener.screening.matching.hits import InputHits

MD5 = LocatedHash(Hash(KINDS["md5"], bytes(16)))


def shown(time, *, part=0, **where):
    """Return a hash of a frame at a time."""
    return LocatedHash(Hash(KINDS["pdq"], bytes(32)), part=part, time=time, **where)


def hidden(time, track=1):
    """Return a hash of a clip hidden in a picture's file."""
    return shown(time, part_kind="appended", track=track)


def hit(located, distance=5, entry="one"):
    """Return a record that a hash hit."""
    return Match(
        "known", "demo", entry, "confirmed", located.hash.kind.name, distance, 31,
        located.orientation, located.region, located.part, located.part_kind, located.time, (),
    )  # fmt: skip


SIX = [shown(float(second)) for second in range(6)]
TRACKS = [shown(float(second), track=track) for track in (0, 1) for second in range(3)]
AGAIN = [shown(0.0), shown(1.0, again=(2.0, 4.0)), shown(3.0)]
CLIPS = [shown(0.0), hidden(0.0), hidden(1.0), hidden(2.0), hidden(1.0, track=2)]


@pytest.mark.parametrize(
    ("hashes", "seen", "video", "expected"),
    [
        (SIX, [1, 2, 4], False, [("frame", 3, ((1.0, 2.0), (4.0, 4.0)))]),
        (SIX, range(6), False, [("frame", 6, ((0.0, 5.0),))]),
        (SIX, [0, 5], False, [("frame", 2, ((0.0, 0.0), (5.0, 5.0)))]),
        # A run is in one track; of equal runs one counts.
        (TRACKS, [2, 3], False, [("frame", 2, ((0.0, 0.0), (2.0, 2.0)))]),
        (TRACKS, [0, 1, 3, 4], False, [("frame", 4, ((0.0, 1.0),))]),
        (AGAIN, [1], False, [("frame", 3, ((1.0, 2.0), (4.0, 4.0)))]),
        (AGAIN, [1, 2], False, [("frame", 4, ((1.0, 4.0),))]),
        # A clip that is hidden in a picture has times of its own; the picture has none.
        (CLIPS, [1, 2], False, [("appended", 2, ((0.0, 1.0),))]),
        (CLIPS, [0, 4], False, [("appended", 1, ((1.0, 1.0),))]),
        (CLIPS, [3, 4], False, [("appended", 1, ((1.0, 1.0),)), ("appended", 1, ((2.0, 2.0),))]),
        (SIX[:2], [1], False, [("frame", 1, ((1.0, 1.0),))]),
        # One frame is a still, unless the file is a video's.
        ([shown(0.0), MD5], [0, 1], False, []),
        ([shown(0.0), MD5], [0, 1], True, [("frame", 1, ((0.0, 0.0),))]),
        ([*SIX, shown(0.0, part_kind="thumbnail")], [6], False, []),
    ],
)
def test_spans_are_runs_of_consecutive_frames(hashes, seen, video, expected):
    """In whatever order the searches find them."""
    for seed in range(3):
        found = InputHits(hashes, video=video)
        for number in random.Random(seed).sample(list(seen), len(seen)):
            found.add([hit(hashes[number])], hashes[number])

        runs = [(one.part_kind, one.frames, one.spans) for one in found.summarize().timeline]
        assert runs == expected


def test_the_timeline_is_ordered_by_kind_for_equal_spans():
    """Whatever kind was looked up first."""
    frames = [
        LocatedHash(Hash(KINDS[kind], bytes(KINDS[kind].size)), part=int(time), time=time)
        for time in (0.0, 1.0)
        for kind in ("phash", "dhash", "pdq")
    ]
    for seed in range(6):
        found = InputHits(frames)
        for frame in random.Random(seed).sample(frames, len(frames)):
            found.add([hit(frame)], frame)

        assert [one.kind for one in found.summarize().timeline] == ["pdq", "phash", "dhash"]


def test_many_records_in_many_frames_take_little_memory():
    """A set of moments for each of a thousand records would take gigabytes."""
    most = {}
    for count in (100, 800):
        frames = [shown(float(second)) for second in range(count)]
        found = InputHits(frames, video=True)
        for frame in frames[::2]:
            found.add([hit(frame, entry=f"e{number}") for number in range(50)], frame)
        tracemalloc.start()
        summary = found.summarize()
        most[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert [one.frames for one in summary.timeline] == [count // 2] * 50
        assert len({id(one.spans) for one in summary.timeline}) == 1

    assert most[800] - most[100] < 800 * 50 * 16


def test_a_still_has_the_nearest_hit_of_each_record_and_part():
    """A video has one for each record and kind, hidden clips apart; the first of equals counts."""
    pages = [shown(0.0, part=part) for part in (0, 0, 1)]
    hits = [(pages[0], 9), (pages[1], 7), (pages[1]._replace(orientation="rotate90"), 7),
            (pages[2], 3), (MD5, 0)]  # fmt: skip
    still, moving = InputHits([*pages, MD5]), InputHits([*SIX, *CLIPS[1:]])
    for located, distance in hits:
        still.add([hit(located, distance)], located)
    for located, distance in ((SIX[1], 9), (SIX[4], 7), (SIX[2], 8), (CLIPS[1], 2), (CLIPS[4], 1)):
        moving.add([hit(located, distance)], located)

    assert [(m.kind, m.part, m.distance, m.orientation) for m in still.summarize().matches] == [
        ("md5", 0, 0, "upright"), ("pdq", 1, 3, "upright"), ("pdq", 0, 7, "upright")
    ]  # fmt: skip
    assert [(m.part_kind, m.time, m.distance) for m in moving.summarize().matches] == [
        ("appended", 1.0, 1), ("appended", 0.0, 2), ("frame", 4.0, 7)
    ]  # fmt: skip
    assert [(one.part_kind, one.distance) for one in moving.summarize().timeline] == [
        ("frame", 7), ("appended", 2), ("appended", 1)
    ]  # fmt: skip


def test_the_strongest_kind_comes_first_of_equally_near_matches():
    """Summaries show the first match alone."""
    kinds = ["md5", "pdq", "phash256", "phash", "ahash"]
    hashes = [LocatedHash(Hash(KINDS[kind], bytes(KINDS[kind].size))) for kind in reversed(kinds)]
    found = InputHits(hashes)
    for located in hashes:
        found.add([hit(located, 0, entry="b"), hit(located, 0, entry="a")], located)

    kinds_and_entries = [(match.kind, match.entry) for match in found.summarize().matches]
    assert kinds_and_entries == [(kind, entry) for kind in kinds for entry in "ab"]
