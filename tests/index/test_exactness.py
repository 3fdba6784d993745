"""HammingIndex answers as brute force does: hard lists of any size, in any order of use.

`scripts/differential` does the same with a thousand million pairs and every radius.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import differential
import drawn_codes
import hard_codes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, rule

from screener.errors import HashError
from screener.index import hamming, tables
from screener.index.hamming import WIDTHS, HammingIndex

Held = tuple[drawn_codes.Codes, HammingIndex]

SMALL_MAKERS = [maker for maker in hard_codes.MAKERS if not maker.__name__.startswith("rest_of")]
makers = st.sampled_from(SMALL_MAKERS)
seeds = st.integers(0, 2**32)
widths = st.sampled_from(WIDTHS)
threads = st.integers(1, 3)


@st.composite
def radii(draw: st.DrawFn, width: int) -> int:
    """Any radius, those at which thresholds step more often."""
    near = [step + by for step in drawn_codes.steps(width) for by in (-1, 0, 1)]
    return draw(st.sampled_from(near) | st.integers(0, width * 8))


def queries_for(
    codes: drawn_codes.Codes, centres: drawn_codes.Codes, seed: int, radius: int, count: int
) -> drawn_codes.Codes:
    """Queries around these codes that are aimed at the radius."""
    rng = np.random.default_rng(seed)
    return hard_codes.aimed(rng, centres, count, codes.shape[1], radius)


def check(held: Held, queries: drawn_codes.Codes, radius: int, way: str, threads: int) -> None:
    """One search, by one way and by the public call, is what brute force gives."""
    codes, index = held
    right = differential.answer(differential.brute_force(codes, queries), radius)
    found = index._index.search(queries, radius, threads, way)
    assert differential.differs(found, right) is None
    assert differential.differs(index.search(queries, radius=radius), right) is None


@pytest.fixture(autouse=True)
def tables_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts back how many codes have tables, which the tests here change."""
    monkeypatch.setattr(tables, "LEAST_CODES", tables.LEAST_CODES)
    monkeypatch.setattr(tables, "LARGE_CODES", tables.LARGE_CODES)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), maker=makers, seed=seeds, width=widths, threads=threads)
def test_hard_lists(
    data: st.DataObject, maker: hard_codes.Maker, seed: int, width: int, threads: int
) -> None:
    """Every kind of hard list, from no code to a hundred thousand, within any radius."""
    count = data.draw(st.sampled_from((0, 1, 33, 1000, 20_000, 100_000)) | st.integers(0, 3000))
    radius = data.draw(radii(width))
    tables.LEAST_CODES = data.draw(st.sampled_from((0, 20_000)))
    tables.LARGE_CODES = data.draw(st.sampled_from((0, 1 << 24)))
    codes, centres = maker(np.random.default_rng(seed), count, width, radius)
    held = codes, HammingIndex.build(codes, threads=threads)
    queries = queries_for(codes, centres, seed, radius, 12)
    for way in ("flat", "lookup", "join"):
        check(held, queries, radius, way, threads)


@pytest.mark.thorough
def test_more_queries_than_are_joined_at_once() -> None:
    """A batch that is cut into blocks has the answers of each query by itself, in their order."""
    rng = np.random.default_rng(1)
    tables.LEAST_CODES = 0
    codes, centres = hard_codes.families(rng, 40, 8, 3)
    some = hard_codes.aimed(rng, centres, 9973, 8, 3)
    which = np.arange((1 << 20) + 7) % len(some)
    right = differential.answer(differential.brute_force(codes, some)[which], 3)

    found = HammingIndex.build(codes)._index.search(some[which], 3, 2, "join")

    assert differential.differs(found, right) is None


class AnyOrder(RuleBasedStateMachine):
    """Indexes that are built, saved, opened, saved over and searched in any order."""

    indexes = Bundle("indexes")

    def __init__(self) -> None:
        super().__init__()
        tables.LEAST_CODES = 0
        self.folder = Path(tempfile.mkdtemp())
        self.files: dict[str, drawn_codes.Codes] = {}

    @rule(target=indexes, maker=makers, seed=seeds, width=widths, threads=threads, data=st.data())
    def build(
        self, maker: hard_codes.Maker, seed: int, width: int, threads: int, data: st.DataObject
    ) -> Held:
        """A new index; the caller's array may change afterwards."""
        count = data.draw(st.integers(0, 1500))
        codes, _ = maker(np.random.default_rng(seed), count, width, width)
        given = codes.copy()
        tables.LARGE_CODES = data.draw(st.sampled_from((0, 1 << 24)))
        index = HammingIndex.build(given, threads=threads)
        given[:] = 0
        return codes, index

    @rule(held=indexes, name=st.sampled_from("abc"))
    def save(self, held: Held, name: str) -> None:
        """To a new file or over one that others may have open."""
        held[1].save(self.folder / name)
        self.files[name] = held[0]

    @rule(target=indexes, name=st.sampled_from("abc"), hugepages=st.booleans())
    def reopen(self, name: str, hugepages: bool) -> Held:
        """What was saved last under that name."""
        if name not in self.files:
            codes = np.empty((0, 32), np.uint8)
            return codes, HammingIndex.build(codes)
        return self.files[name], HammingIndex.open(self.folder / name, hugepages=hugepages)

    @rule(
        held=indexes,
        seed=seeds,
        way=st.sampled_from(("flat", "lookup", "join", "")),
        threads=threads,
        data=st.data(),
    )
    def search(self, held: Held, seed: int, way: str, threads: int, data: st.DataObject) -> None:
        """Every index that was ever made answers as on its first day."""
        codes = held[0]
        radius = data.draw(radii(codes.shape[1]))
        centres = drawn_codes.some(np.random.default_rng(seed), codes, 5)
        check(held, queries_for(codes, centres, seed, radius, 9), radius, way, threads)

    @rule(held=indexes)
    def verify(self, held: Held) -> None:
        """No file of ours is damaged, and the index holds the codes that it was given."""
        held[1].verify()
        np.testing.assert_array_equal(held[1].codes, held[0])

    @rule(held=consumes(indexes))
    def forget(self, held: Held) -> None:
        """One index goes; the others that map the same file stay as they are."""

    def teardown(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.folder)


AnyOrder.TestCase.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
TestAnyOrder = pytest.mark.thorough(AnyOrder.TestCase)


def test_the_oracle() -> None:
    """The oracle itself, on distances that anyone can count."""
    codes = np.array([[0] * 8, [255] * 8, [1] + [0] * 7], np.uint8)
    queries = np.array([[0] * 8, [3] + [0] * 7], np.uint8)
    distances = differential.brute_force(codes, queries)
    assert distances.tolist() == [[0, 64, 1], [2, 62, 1]]
    offsets, rows, found = differential.answer(distances, 1)
    assert (offsets.tolist(), rows.tolist(), found.tolist()) == ([0, 2, 3], [0, 2, 2], [0, 1, 1])


def test_differences_are_seen() -> None:
    """A hit that is missing, doubled, moved or at another distance is a difference."""
    whole = np.array([0, 2], np.int64), np.array([3, 5], np.int64), np.array([1, 1], np.uint16)
    assert differential.differs(whole, whole) is None
    assert differential.differs(None, (whole[0] * 0, whole[1][:0], whole[2][:0])) is None
    assert differential.differs(None, whole)
    for part in range(3):
        for change in (
            lambda a: a[:-1],
            lambda a: np.append(a, a[-1:]),
            lambda a: a + a.dtype.type(1),
        ):
            other = [*whole]
            other[part] = change(whole[part])
            assert differential.differs(tuple(other), whole)


@pytest.mark.parametrize("width", WIDTHS)
def test_makers_do_what_they_say(width: int) -> None:
    """Weights, distances and chains are what their names promise."""
    rng = np.random.default_rng(width)
    assert (weigh(drawn_codes.balanced(rng, 50, width)) == width * 4).all()
    assert (weigh(hard_codes.even_weights(rng, 50, width, 9)[0]) % 2 == 0).all()
    code = drawn_codes.balanced(rng, 1, width)
    near = drawn_codes.swapped(rng, code[0], np.arange(8))
    assert (weigh(near) == width * 4).all()
    assert (weigh(near ^ code) == 2 * np.arange(8)).all()
    off = drawn_codes.tilted(rng, code.repeat(3, axis=0), np.array([-5, 0, 5]))
    assert weigh(off).tolist() == [width * 4 - 5, width * 4, width * 4 + 5]
    rest, _ = hard_codes.rest_of(7, 30)(rng, 0, width, 9)
    assert (weigh(rest) != width * 4).sum() == 7
    for radius in drawn_codes.steps(width):
        shares = drawn_codes.spread(width // 2, radius)
        for start in range(width // 2):
            assert starts(drawn_codes.chain(rng, shares, start, 3), shares) == [start]


def weigh(codes: drawn_codes.Codes) -> drawn_codes.Numbers:
    """How many bits of each code are set."""
    return np.bitwise_count(codes).sum(axis=1, dtype=np.int64)


def starts(amounts: drawn_codes.Numbers, shares: drawn_codes.Numbers) -> list[int]:
    """The places of the ring from which every run of differences keeps below its bound."""
    over = amounts - shares
    return [i for i in range(len(over)) if (np.cumsum(np.roll(over, -i)) < 0).all()]


@settings(deadline=None)
@given(st.sampled_from(SMALL_MAKERS), st.data(), widths, seeds, threads)
def test_pairs_are_those_of_brute_force(maker, data, width, seed, threads):
    """Each pair once, under its lower row, in order; equal codes are pairs, a row and itself not.

    Of any size from 0, and of several batches.
    """
    rng = np.random.default_rng(seed)
    radius = data.draw(radii(width))
    codes = maker(rng, data.draw(st.integers(0, 300)), width, radius)[0]
    codes = np.concatenate([codes, codes[: data.draw(st.integers(0, 20))]])
    tables.LEAST_CODES = data.draw(st.sampled_from([0, 10**9]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hamming, "_PAIRS_BATCH", data.draw(st.sampled_from([1, 7, 64, 65_536])))
        offsets, rows = HammingIndex.build(codes).pairs(radius, threads=threads)
    near = np.triu(differential.brute_force(codes, codes) <= radius, k=1)
    assert (offsets.dtype, rows.dtype) == (np.int64, np.int64)
    assert np.array_equal(offsets, np.concatenate([[0], np.cumsum(near.sum(axis=1))]))
    assert np.array_equal(rows, np.nonzero(near)[1])


@pytest.mark.parametrize("radius", [-1, 257, 1.0, True, "31"], ids=repr)
def test_pairs_refuse_a_radius_that_search_refuses(radius):
    """Even of an index without codes."""
    with pytest.raises(HashError, match="radius must be"):
        HammingIndex.build(np.empty((0, 32), np.uint8)).pairs(radius)
