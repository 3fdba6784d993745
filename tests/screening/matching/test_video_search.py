"""The clips that an input's hashes make, and whether they are compared with listed videos."""

import numpy as np
import pytest
from clips import clip, scenes, value_of

from screener import Hash, Policy
from screener.hashing.hash import KINDS
from screener.media.name import Name
from screener.media.video.sampling.settings import Sampling
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash
from screener.screening.matching.video_search import (
    build_clips,
    is_comparable,
    is_video,
    locate_hash,
)
from screener.screening.result import MediaFacts

CODES = [one.tobytes() for one in scenes(9, seed=1)]


def shown(number, time, *, quality=100, **where):
    """Return a PDQ of a frame at a time."""
    return LocatedHash(Hash(KINDS["pdq"], CODES[number], quality), part=number, time=time, **where)


def hidden(number, time, track=1):
    """Return a PDQ of a clip hidden in a picture's file."""
    return shown(number, time, part_kind="appended", track=track)


def item(*hashes, samples=None, type="video/mp4"):
    """Return an input of these hashes; with `samples`, a video's file."""
    media = None if samples is None else MediaFacts(type, 4, 3, 99, 9.0, samples)
    return HashedInput(Name(), hashes, media)


def facts_of(clips):
    """Return the facts of clips, and the times and parts of their frames."""
    return [
        (one.item, one.hidden, one.orientation, one.region, list(frames_of(one.frames)))
        for one in clips
    ]


def frames_of(frames):
    """Return the time and code of each frame."""
    for time, code in zip(frames.times.tolist(), frames.codes, strict=True):
        yield time, CODES.index(code.tobytes())


def test_frames_of_one_orientation_and_region_are_a_clip():
    """By time; tracks and hidden clips apart. Digests, other kinds and thumbnails are left out."""
    found = build_clips(
        item(
            LocatedHash(Hash(KINDS["md5"], bytes(16))),
            LocatedHash(Hash(KINDS["phash"], b"12345678", 100)),
            shown(1, 2.0, again=(3.0, 5.0)),
            shown(0, 1.0),
            shown(2, 2.0, orientation="rotate90"),
            shown(3, 2.0, region="trimmed"),
            shown(4, 2.0, track=1),
            hidden(5, 4.0),
            hidden(6, 0.5),
            hidden(7, 2.0, track=2),
            shown(8, 0.0, part_kind="thumbnail"),
            shown(8, 0.0, part_kind="appended"),
        ),
        number=7,
    )

    assert facts_of(found) == [
        (7, False, "upright", "full", [(1.0, 0), (2.0, 1), (3.0, 1), (5.0, 1)]),
        (7, False, "rotate90", "full", [(2.0, 2)]),
        (7, False, "upright", "trimmed", [(2.0, 3)]),
        (7, False, "upright", "full", [(2.0, 4)]),
        (7, True, "upright", "full", [(0.5, 6), (4.0, 5)]),
        (7, True, "upright", "full", [(2.0, 7)]),
    ]
    assert found[0].frames.count == 4


def test_a_frame_without_a_quality_has_the_highest():
    """Several PDQs of one frame are one frame."""
    (found,) = build_clips(
        item(shown(0, 1.0, quality=49), shown(1, 2.0, quality=None), shown(0, 1.0, quality=50))
    )

    assert found.frames.qualities.tolist() == [49, 50, 100]
    assert (len(found.frames), found.frames.count) == (3, 2)


def test_a_vpdq_made_elsewhere_is_the_clip_and_its_frames_are_pictures():
    """Numbered, with times; counted once, though its frames are among the hashes."""
    frames = clip(scenes(3, seed=1), step=0.5, start=1.0, quality=70)
    video = Hash(KINDS["vpdq"], value_of(frames))

    parts = locate_hash(video)

    assert parts[0] == LocatedHash(video)
    assert [(one.part, one.time, one.hash.quality) for one in parts[1:]] == [
        (0, 1.0, 70), (1, 1.5, 70), (2, 2.0, 70)
    ]  # fmt: skip
    assert locate_hash(parts[1].hash) == [LocatedHash(parts[1].hash)]
    for hashes in (parts, parts[:1]):
        (found,) = build_clips(item(*hashes))
        assert np.array_equal(found.frames.codes, frames.codes)


PAIR = (shown(0, 0.0), shown(1, 1.0))


@pytest.mark.parametrize(
    ("hashes", "samples", "video", "comparable"),
    [
        ((), None, False, False),
        ((), 1, True, False),
        ((shown(0, 0.0),), None, False, False),
        ((shown(0, 0.0), shown(1, 0.0)), None, False, False),
        ((shown(0, 0.0), shown(1, 1.0)), None, True, True),
        ((shown(0, 0.0, again=(1.0,)),), None, True, True),
        ((hidden(0, 0.0), hidden(1, 1.0)), None, False, False),
        ((shown(0, 0.0), shown(1, 1.0, quality=49)), None, True, False),
        ((shown(0, 0.0), shown(1, 1.0, quality=50)), None, True, True),
        # Of one way of cutting; another may show too little.
        ((shown(0, 0.0), shown(1, 1.0), shown(2, 0.0, region="trimmed")), None, True, True),
        ((shown(0, 0.0), shown(1, 1.0, region="trimmed")), None, False, False),
        # In all orientations: the listed video may be in the one that shows too little.
        ((*PAIR, *(one._replace(orientation="rotate90") for one in PAIR)), None, True, True),
        ((*PAIR, shown(2, 0.0, orientation="rotate90")), None, True, False),
        # A fifth of the frames that were looked at, and two at the least.
        ((shown(0, 0.0),), 5, True, False),
        ((shown(0, 0.0), shown(1, 1.0)), 5, True, True),
        ((shown(0, 0.0), shown(1, 1.0)), 10, True, True),
        ((shown(0, 0.0), shown(1, 1.0)), 11, True, False),
        ((shown(0, 0.0), shown(1, 1.0), shown(2, 2.0)), 15, True, True),
    ],
)
def test_comparison_needs_usable_frames_at_two_times(hashes, samples, video, comparable):
    """And at the policy's share; hidden clips do not count."""
    policy = Policy(sampling=Sampling(usable=0.2))

    assert is_video(item(*hashes, samples=samples)) is video
    assert is_comparable(item(*hashes, samples=samples), policy) is comparable


def test_two_frames_of_an_animation_are_enough():
    """The share applies to video files only."""
    policy = Policy(sampling=Sampling(usable=0.2))
    animated = item(shown(0, 0.0), shown(1, 1.0), samples=99, type="image/gif")

    assert is_video(animated)
    assert is_comparable(animated, policy)
