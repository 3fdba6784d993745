"""The comparisons that clear an input: a share of a video's samples, otherwise one hash."""

from collections import Counter

import numpy as np
import pytest
from clips import clip, scenes, value_of
from msgspec.structs import replace

from screener import Hash, HashCache, Policy, Screener, rescan
from screener.hashing.evidence import Coefficients
from screener.hashing.hash import KINDS
from screener.media.name import Name
from screener.media.video.sampling.settings import Sampling
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import (
    EvidenceColumns,
    Hashes,
    LocatedHash,
    OrientedHashes,
)
from screener.screening.matching import video_search
from screener.screening.matching.evidence_search import find_effort
from screener.screening.result import MediaFacts

LISTED, OTHER = "0123456789abcdef" * 4, "fedcba9876543210" * 4
USABLE = Policy(sampling=Sampling(usable=0.2))
VIDEO, ANIMATED = "video/mp4", "image/gif"


def frame(time, *, kind="pdq", quality=100, **where):
    """Return a hash of a frame at a time, far from listed ones."""
    value = bytes.fromhex(OTHER)[: KINDS[kind].size]
    return LocatedHash(Hash(KINDS[kind], value, quality), time=time, detail=100, **where)


@pytest.mark.parametrize(
    ("frames", "type", "samples", "reason"),
    [
        ([], VIDEO, 1, "not_comparable"),
        ([frame(0.0)], VIDEO, 1, None),
        ([frame(0.0)], VIDEO, 5, None),
        ([frame(0.0)], VIDEO, 6, "too_little_detail"),
        ([frame(0.0), frame(1.0)], VIDEO, 10, None),
        ([frame(0.0), frame(1.0)], VIDEO, 11, "too_little_detail"),
        # A frame counts once, in whatever ways it was turned and cut; again where it comes again.
        ([frame(0.0), frame(0.0, orientation="rotate90")], VIDEO, 10, "too_little_detail"),
        ([frame(0.0, again=(1.0,))], VIDEO, 10, None),
        ([frame(0.0), frame(0.0, track=1)], VIDEO, 10, None),
        # It shows enough, is of a kind that the list has, and is one that is shown.
        ([frame(0.0), frame(1.0, quality=49)], VIDEO, 10, "too_little_detail"),
        ([frame(0.0), frame(1.0, kind="phash")], VIDEO, 10, "too_little_detail"),
        ([frame(0.0), frame(1.0, part_kind="appended")], VIDEO, 10, "too_little_detail"),
        ([frame(0.0, kind="phash")], ANIMATED, 1, "not_comparable"),
        ([frame(0.0, part_kind="thumbnail")], ANIMATED, 1, "too_little_detail"),
        # Of all else one is enough.
        ([frame(0.0)], ANIMATED, 99, None),
        ([frame(0.0, quality=49), frame(1.0, kind="phash"), frame(2.0)], ANIMATED, 99, None),
        ([frame(0.0, quality=49), frame(1.0, quality=49)], ANIMATED, 1, "too_little_detail"),
    ],
)
def test_a_video_is_cleared_by_a_share_of_its_frames(make_list, frames, type, samples, reason):
    """A fifth of the samples here, and at least one."""
    engine = Screener(make_list([{"id": "one", "pdq": LISTED}]), policy=USABLE)
    item = HashedInput(Name(), frames, MediaFacts(type, 4, 3, 99, 9.0, samples))

    (result,) = engine.decide([item])

    assert result.verdict == ("no_match" if reason is None else "unscreened")
    assert result.reason == reason


def test_an_input_is_cleared_only_by_all_lists_that_can_match(make_list):
    """A list of known files needs no comparison unless it is the only one."""
    pictures = make_list([{"id": "one", "pdq": LISTED}], name="pictures")
    others = make_list([{"id": "one", "phash": LISTED[:16]}], name="others")
    known = make_list([{"id": "one", "phash": LISTED[:16], "status": "known_good"}], name="known")
    item = HashedInput(Name(), [frame(0.0)], MediaFacts("image/png", 4, 3, 1))

    def verdict(*lists):
        return next(Screener(lists).decide([item])).verdict

    assert verdict(pictures) == verdict(pictures, known) == verdict(known, pictures) == "no_match"
    assert verdict(pictures, others) == verdict(others, pictures) == "unscreened"
    assert verdict(known) == verdict(others) == "unscreened"


@pytest.mark.parametrize(
    ("media", "is_video", "why"),
    [
        (("image/png", 4, 3, 1), False, "too little detail"),
        ((VIDEO, 4, 3, 9, 9.0, 1), True, "0 of 1 sampled frame with enough"),
    ],
)
@pytest.mark.parametrize("scores", ["qualities", "details"])
@pytest.mark.parametrize("low", [None, 0, 5])
def test_a_picture_is_cleared_only_in_all_orientations(
    make_list, tmp_path, low, scores, media, is_video, why
):
    """Near the floor scores differ by orientation, and the listed one may be missing.

    Cached hashes decide the same, also beside a part with too little detail.
    """
    engine = Screener(make_list([{"id": "one", "pdq": LISTED}]))
    enough, some = bytes([50] * 8), bytes(49 if k == low else 50 for k in range(8))
    columns = {"qualities": enough, "details": enough, scores: some}
    group = OrientedHashes(
        "pdq", bytes.fromhex(OTHER) * 8, **columns, doubts=bytes(8), leasts=columns["details"],
        region="trimmed",
    )  # fmt: skip
    blank = replace(group, details=bytes(8), leasts=bytes(8))
    item = HashedInput(Name("a"), Hashes([group, blank]), MediaFacts(*media))
    assert item.video == is_video

    (result,) = engine.decide([item])
    with HashCache.open(tmp_path / "c") as cache:
        cache.add([item], engine.hasher)
        again = list(rescan(engine, cache, every=True))
        unscreened = Counter()
        list(rescan(engine, cache, unscreened=unscreened))

    verdict, reason = ("no_match", None) if low is None else ("unscreened", "too_little_detail")
    assert [(one.verdict, one.reason) for one in (result, *again)] == [(verdict, reason)] * 2
    assert [(one.detail or why).startswith(why) for one in (result, *again)] == [True] * 2
    assert unscreened == ({reason: 1} if reason else {})
    if reason and is_video:
        assert result.detail == "0 of 1 sampled frame with enough detail to be compared"


def inset(value, *, score=100, box=(0, 0, 9, 9)):
    """The hashes of an inset."""
    scores = bytes([score] * 8)
    return OrientedHashes(
        "pdq", bytes.fromhex(value) * 8, scores, scores, bytes(8), scores, "inset", box=box
    )


@pytest.mark.parametrize(
    ("whole", "part", "verdict", "reason"),
    [
        (100, 100, "no_match", None),
        (100, 0, "no_match", None),
        (0, 100, "unscreened", "too_little_detail"),
        (0, 0, "unscreened", "too_little_detail"),
    ],
)
def test_the_whole_decides_and_an_inset_only_matches(
    make_list, tmp_path, whole, part, verdict, reason
):
    """An inset that is not compared leaves the verdict; one that is clears nothing beside it.

    A rescan decides the same, and counts the same.
    """
    engine = Screener(make_list([{"id": "one", "pdq": LISTED}]))
    enough = bytes([whole] * 8)
    full = OrientedHashes("pdq", bytes.fromhex(OTHER) * 8, enough, enough, bytes(8), enough)
    media = MediaFacts("image/png", 20, 20, 1)
    items = [
        HashedInput(Name(name), Hashes([full, inset(value, score=part)]), media)
        for name, value in (("other", OTHER), ("listed", LISTED))
    ]

    other, listed = engine.decide(items)
    with HashCache.open(tmp_path / "c") as cache:
        cache.add(items, engine.hasher)
        again = list(rescan(engine, cache, every=True))
        unscreened = Counter()
        list(rescan(engine, cache, unscreened=unscreened))

    assert (other.verdict, other.reason) == (verdict, reason)
    if part:
        assert listed.verdict == "match"
        assert (listed.matches[0].region, listed.matches[0].box) == ("inset", (0, 0, 9, 9))
    else:
        assert (listed.verdict, listed.reason) == (verdict, reason)
    assert [(one.verdict, one.detail, one.matches) for one in again] == [
        (one.verdict, one.detail, one.matches) for one in (other, listed)
    ]
    assert unscreened == ({reason: 1 if part else 2} if reason else {})


def test_detail_of_the_whole_says_that_insets_were_compared(make_list):
    """Each counts once, in whatever way it was hashed."""
    engine = Screener(make_list([{"id": "one", "pdq": LISTED}]))
    low = bytes(8)
    full = OrientedHashes("pdq", bytes.fromhex(OTHER) * 8, low, low, low, low)
    groups = [
        full,
        inset(OTHER),
        inset(OTHER),
        inset(OTHER, box=(1, 1, 9, 9)),
        inset(OTHER, score=9),
    ]

    def detail(groups):
        item = HashedInput(Name(), Hashes(groups), MediaFacts("image/png", 20, 20, 1))
        return next(engine.decide([item])).detail

    assert detail([full]) == "too little detail to compare"
    assert detail(groups[:3]) == "too little detail to compare; 1 inset compared, without a match"
    assert detail(groups) == "too little detail to compare; 2 insets compared, without a match"


def test_bits_in_doubt_of_an_inset_decide_no_comparison(make_list):
    """They need no second hashing: an inset clears nothing, whatever its detail."""
    engine = Screener(make_list([{"id": "one", "pdq": LISTED}]))
    low, enough, doubts = bytes(8), bytes([60] * 8), bytes([1] * 8)
    full = OrientedHashes("pdq", bytes.fromhex(OTHER) * 8, low, low, low, low)
    part = replace(inset(OTHER, score=60), doubts=doubts, leasts=low)

    def decided(*groups):
        item = HashedInput(Name(), Hashes(groups), MediaFacts("image/png", 20, 20, 1))
        return next(engine.decide_if_sure([item]))

    assert decided(full, part).reason == "too_little_detail"
    assert decided(replace(full, qualities=enough, details=enough, doubts=doubts)) is None


@pytest.mark.parametrize(
    ("region", "clears"),
    [
        *[(region, True) for region in ("full", "trimmed", "enlarged", "on_black")],
        *[(region, False) for region in ("uncropped", "on_mean", "without_alpha")],
    ],
)
def test_a_region_that_no_viewer_shows_clears_nothing(make_list, region, clears):
    """Beside a whole of too little detail; the other regions show all of the picture."""
    engine = Screener(make_list([{"id": "one", "pdq": LISTED}]))
    low, enough = bytes(8), bytes([60] * 8)
    full = OrientedHashes("pdq", bytes.fromhex(OTHER) * 8, low, low, low, low)
    other = replace(full, qualities=enough, details=enough, leasts=enough, region=region)
    item = HashedInput(Name(), Hashes([full, other]), MediaFacts("image/png", 20, 20, 1))

    (result,) = engine.decide([item])

    assert result.verdict == ("no_match" if clears else "unscreened")


def test_an_inset_is_no_clip_and_gives_no_effort(make_list):
    """It is compared with no listed video, and the effort of a result is that of whole pictures."""
    coefficients = Coefficients(np.float32(np.random.default_rng(1).random((8, 256)) - 0.5))
    evidence = EvidenceColumns.from_queries(coefficients.weigh(), None)
    part, policy = replace(inset(OTHER), evidence=evidence), Policy(effort="evidence")
    full = replace(part, region="full", box=None)

    def efforts(*groups):
        item = HashedInput(Name(), Hashes(groups), MediaFacts("image/png", 20, 20, 1))
        return str(find_effort(item, policy.effort)), len(video_search.build_clips(item))

    assert efforts(full, part) == ("evidence", 8)
    assert efforts(replace(full, evidence=None), part) == ("distance", 8)
    assert efforts(part) == ("distance", 0)


@pytest.mark.parametrize("kind", ["pdq", "vpdq"])
def test_insets_are_hashed_for_lists_of_pdqs_alone(make_list, kind):
    """A listed video is not compared with them, though its frames are with PDQs."""
    value = LISTED if kind == "pdq" else Hash(KINDS["vpdq"], value_of(clip(scenes(3, seed=1)))).text
    engine = Screener(make_list([{"id": "one", kind: value}]))

    assert engine.hasher.policy.insets == (engine.policy.insets if kind == "pdq" else 0)
    assert "pdq" in {each.name for each in engine.hasher.kinds}


def test_one_hash_made_elsewhere_is_enough(make_list):
    """They need not be of one picture."""
    engine = Screener(make_list([{"id": "one", "pdq": LISTED}]))
    made = [Hash(KINDS["pdq"], bytes.fromhex(OTHER), quality) for quality in (49, 50)]

    assert engine.match(made).verdict == "no_match"
    assert engine.match(made[:1]).reason == "too_little_detail"


@pytest.mark.parametrize(
    ("rows", "policy", "by"),
    [
        ([{"id": "one", "pdq": LISTED, "status": "seed"}], Policy(), "a perceptual kind"),
        ([{"id": "one", "md5": LISTED[:32]}], Policy(), "a perceptual kind"),
        ([{"id": "one", "pdq": LISTED}], Policy(digests_only=True), "a digest"),
    ],
)
def test_the_reason_for_no_comparison_is_exact(make_list, rows, policy, by):
    """A list of seeds has the input's kinds, but cannot match by any."""
    engine = Screener(make_list(rows, name="known"), policy=policy)
    item = HashedInput(Name(), [frame(0.0)], MediaFacts("image/png", 4, 3, 1))

    (result,) = engine.decide([item])

    assert result.reason == "not_comparable"
    assert result.detail == f"nothing on the list known can match this input by {by}"
