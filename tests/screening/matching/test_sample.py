"""The sample of a list: which inputs are compared with it, and what that means for the others."""

import io
import random

import numpy as np
import pytest
from picture_bytes import png

from screener import Hash, HashCache, Policy, Reason, Screener, rescan, scan
from screener.hashing import digest, pdq
from screener.media.name import Name
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash

PICTURES = 24


def text(picture):
    """The PDQ of a picture."""
    return pdq.compute(np.asarray(picture)).text


@pytest.fixture
def lists(make_list, scene):
    """Two lists without SHA-256: `known` has all pictures of the test, `more` another."""
    rows = [{"id": f"P{number}", "pdq": text(scene(number))} for number in range(PICTURES)]
    return make_list(rows), make_list([{"id": "M", "pdq": text(scene(99))}], name="more")


def draw(seed):
    """HMA's coin for a seed."""
    return random.Random(seed).random()


def compared(result):
    """The lists that an input was compared with; the others are off in its Result."""
    return {state.name for state in result.lists if state.mode != "off"}


def engine_of(lists, ratio, **settings):
    """A Screener whose list `known` has a ratio."""
    return Screener(lists, policy=Policy(lists={"known": {"ratio": ratio, **settings}}))


def test_the_sample_is_drawn_as_hma_draws_it_by_sha256(lists, scene):
    """A list takes part if its ratio is at least the draw; so a larger one only adds inputs."""
    files = [png(scene(number)) for number in range(PICTURES)]
    draws = [draw(digest.compute(file)[2].value.hex()) for file in files]
    assert min(draws) < 0.3 < 0.7 < max(draws)
    for ratio in (0.0, 0.3, 0.7, draws[0], 1.0):
        results = engine_of(lists, ratio).screen_many(files)
        for chance, result in zip(draws, results, strict=True):
            takes_part = ratio >= chance
            assert compared(result) == ({"known", "more"} if takes_part else {"more"})
            assert str(result.verdict) == ("match" if takes_part else "no_match")
            assert bool(result.matches) == takes_part
            assert not result.other_hits


def test_all_ways_to_an_answer_draw_alike(lists, scene, tmp_path):
    """A scan, a rescan, a stream and bytes of the same file, whatever else is in the batch."""
    engine, paths = engine_of(lists, 0.5), []
    for number in range(6):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(png(scene(number)))
    expected = [(r.verdict, compared(r)) for r in map(engine.screen, paths)]
    assert len(set(map(str, expected))) == 2
    with HashCache.open(tmp_path / "c") as cache:
        scanned = list(scan(engine, paths, jobs=1, cache=cache))
        again = list(rescan(engine, cache, every=True))
    streams = engine.screen_many([io.BytesIO(path.read_bytes()) for path in paths])
    held = [engine.screen(path.read_bytes()) for path in paths]
    for results in (scanned, again, streams, held):
        assert [(one.verdict, compared(one)) for one in results] == expected


def test_pixels_and_bare_hashes_are_drawn_by_their_first_hash(lists, scene):
    """Those of one picture alike, since its first hash is the PDQ of the upright picture."""
    engine = engine_of(lists, 0.5)
    pictures = [np.asarray(scene(number)) for number in range(PICTURES)]
    hashes = [pdq.compute(picture) for picture in pictures]
    takes_part = [draw(hash_.value.hex()) <= 0.5 for hash_ in hashes]
    assert set(takes_part) == {True, False}
    for results in (engine.screen_many(pictures), engine.match_many([[one] for one in hashes])):
        assert ["known" in compared(result) for result in results] == takes_part
        assert [bool(result.matches) for result in results] == takes_part
    sha256 = next(
        hash_
        for number in range(100)
        if draw((hash_ := digest.compute(b"%d" % number)[2]).value.hex()) > 0.5
    )
    assert compared(engine.match([hashes[takes_part.index(True)], sha256])) == {"more"}


def test_a_hash_with_bits_in_doubt_draws_nothing(lists, scene):
    """The input is hashed exactly first, or its draw could differ from that of the exact hash."""
    exact = LocatedHash(pdq.compute(np.asarray(scene(PICTURES))))
    items = [HashedInput(Name(), (one,)) for one in (exact, exact._replace(doubt=1))]
    assert [one is None for one in engine_of(lists, 0.5).decide_if_sure(items)] == [False, True]
    assert None not in list(engine_of(lists, 1.0).decide_if_sure(items))


def test_an_input_outside_of_every_sample_is_not_screened(lists, scene):
    """It was compared with no list that can match, so nothing clears it."""
    known, _ = lists
    engine = engine_of(known, 0.0)
    bare = Hash.parse("pdq", text(scene(PICTURES)))
    for result in (engine.screen(png(scene(0))), engine.match([bare])):
        assert (str(result.verdict), result.reason) == ("unscreened", Reason.NOT_COMPARABLE)
        assert (result.effort, result.other_hits) == ("distance", ())
        assert "`ratio` leaves this input out" in result.detail
    assert engine_of(known, 1.0).match([bare]).verdict == "no_match"


def test_a_list_in_shadow_may_be_sampled(lists, scene):
    """Its ratio thins out its hits, and touches no verdict."""
    results = engine_of(lists, 0.5, mode="shadow").screen_many(
        [png(scene(number)) for number in range(PICTURES)]
    )
    assert {str(result.verdict) for result in results} == {"no_match"}
    hits = {bool(result.other_hits) for result in results}
    assert hits == {True, False}
    assert all(("known" in compared(r)) == bool(r.other_hits) for r in results)


def test_an_input_that_could_not_be_read_has_its_own_reason(lists, tmp_path):
    """It has no bytes to draw by."""
    engine = engine_of(lists, 0.0)
    assert engine.screen(b"").reason is Reason.EMPTY
    (result,) = scan(engine, [tmp_path / "none.png"], jobs=1)
    assert result.reason is Reason.UNREADABLE
