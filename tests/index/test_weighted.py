"""Weighted search answers as brute force does: any weights, budgets, sizes, ways and kernels."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import differential
import drawn_codes
import hard_codes
import numpy as np
import pytest
import weighted_codes
from hypothesis import given, settings
from hypothesis import strategies as st
from weighted_codes import MAKERS, Weights, budgets_at, mirrored, weighted_distances

from screener.errors import HashError
from screener.index import tables
from screener.index.hamming import WIDTHS, HammingIndex
from screener.index.segments import SegmentedIndex
from screener.index.snapshot import Snapshot


@pytest.fixture(autouse=True)
def tables_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give tables to indexes of any size, and put the limits back that tests change."""
    monkeypatch.setattr(tables, "LEAST_CODES", 0)
    monkeypatch.setattr(tables, "LARGE_CODES", tables.LARGE_CODES)


def assert_same(found: differential.Answer | None, right: differential.Answer) -> None:
    """Same values of the same types; the core returns None instead of no hit at all."""
    assert differential.differs(found, right) is None


def drawn(
    seed: int, count: int, width: int = 32, queries: int = 20
) -> tuple[drawn_codes.Codes, drawn_codes.Codes, Weights]:
    """Codes in families, queries around them, and weights of all kinds."""
    rng = np.random.default_rng(seed)
    codes, centres = hard_codes.families(rng, count, width, width)
    some = hard_codes.aimed(rng, centres, queries, width, width)
    kinds = [maker(rng, queries, width * 8) for maker in MAKERS]
    which = rng.integers(0, len(kinds), queries)
    return codes, some, np.stack(kinds)[which, np.arange(queries)]


@settings(max_examples=60, deadline=None)
@given(
    maker=st.sampled_from([m for m in hard_codes.MAKERS if not m.__name__.startswith("rest_of")]),
    weigh=st.sampled_from(MAKERS),
    seed=st.integers(0, 2**32),
    width=st.sampled_from(WIDTHS),
    threads=st.integers(1, 3),
    count=st.sampled_from((0, 1, 33, 1000, 20_000)) | st.integers(0, 3000),
    large=st.booleans(),
    relatives=st.booleans(),
)
def test_hard_lists(
    maker: hard_codes.Maker,
    weigh: Any,
    seed: int,
    width: int,
    threads: int,
    count: int,
    large: bool,
    relatives: bool,
) -> None:
    """Every kind of hard list and of weights, by every way and by the public call."""
    rng = np.random.default_rng(seed)
    tables.LARGE_CODES = 0 if large else 1 << 24
    codes, centres = maker(rng, count, width, width)
    index = HammingIndex.build(codes, threads=threads)
    queries = hard_codes.aimed(rng, centres, 12, width, width)
    weights = weigh(rng, 12, width * 8)
    if relatives:
        queries, weights = mirrored(rng, queries, weights)
    distances = weighted_distances(codes, queries, weights)
    budgets = budgets_at(rng, distances, weights)
    right = differential.weighted_answer(distances, budgets)
    for way in ("flat", "lookup", "join", ""):
        found = index._index.search_weighted(queries, weights, budgets, threads, way)
        assert_same(found, right)
    assert_same(index.search_weighted(queries, weights, budgets, threads=threads), right)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [1000, 1300])
def test_relatives_are_found_to_the_last_unit(width: int, count: int) -> None:
    """Queries that a flat scan compares together find a code at their own budget, and not below."""
    rng = np.random.default_rng([width, count])
    codes = rng.integers(0, 256, (count, width), np.uint8)
    queries, weights = mirrored(rng, codes[:40], weighted_codes.evidence_like(rng, 40, width * 8))
    near = np.packbits(np.unpackbits(queries, axis=1) ^ (rng.random(weights.shape) < 0.1), axis=1)
    codes[rng.choice(count, 40, replace=False)] = near
    distances = weighted_distances(codes, queries, weights)
    index = HammingIndex.build(codes)
    for budgets in (distances.min(axis=1), distances.min(axis=1) - 1):
        found = index._index.search_weighted(queries, weights, budgets, 1, "flat")
        assert_same(found, differential.weighted_answer(distances, budgets))


def test_mirror_images_cost_a_flat_scan_less() -> None:
    """The plan counts what shares sums: pairs, and less yet four."""
    rng = np.random.default_rng(7)
    index = HammingIndex.build(rng.integers(0, 256, (100_000, 32), np.uint8))
    queries = rng.integers(0, 256, (16, 32), np.uint8)
    weights = weighted_codes.evidence_like(rng, 16, 256)
    relatives = [(queries, weights), *(mirrored(rng, queries, weights, size) for size in (2, 4))]
    costs = [index.explain_weighted(*some, np.full(16, 900)).flat for some in relatives]
    alone, pairs, fours = costs
    assert fours < 0.8 * pairs < 0.7 * alone


@pytest.mark.parametrize("threads", [1, 2])
def test_a_batch_of_narrow_and_wide_budgets_is_split(threads: int) -> None:
    """Wide ones share a flat scan, narrow ones use the tables, each where it costs less."""
    rng = np.random.default_rng(threads)
    codes = drawn_codes.random_codes(rng, 100_000, 32)
    index = HammingIndex.build(codes)
    weights = weighted_codes.evidence_like(rng, 120, 256)
    queries, weights = mirrored(rng, codes[:120], weights, 2)
    distances = weighted_distances(codes, queries, weights)
    near = np.partition(distances, 3, axis=1)[:, 3]
    is_wide = np.arange(120) >= 60
    budgets = np.where(is_wide, near, near // 20)
    whole, narrow, wide = (
        index.explain_weighted(queries[some], weights[some], budgets[some])
        for some in (slice(None), ~is_wide, is_wide)
    )
    assert (whole.way, narrow.way, wide.way) == ("lookup", "lookup", "flat")
    found = index.search_weighted(queries, weights, budgets, threads=threads)
    assert_same(found, differential.weighted_answer(distances, budgets))


@pytest.mark.parametrize("width", WIDTHS)
def test_single_queries_answer_as_the_batch(width: int) -> None:
    """One query with an integer budget returns its own part of the batch, hits or none."""
    codes, queries, weights = drawn(width, 3000, width)
    index = HammingIndex.build(codes)
    distances = weighted_distances(codes, queries, weights)
    budgets = budgets_at(np.random.default_rng(3), distances, weights)
    for i, (query, row) in enumerate(zip(queries, weights, strict=True)):
        right = differential.weighted_answer(distances[i : i + 1], budgets[i : i + 1])
        assert_same(index.search_weighted(query, row, int(budgets[i])), right)
        assert_same(index.search_weighted(query, row, budgets[i]), right)


@pytest.mark.parametrize("width", WIDTHS)
def test_each_bit_costs_its_own_weight(width: int) -> None:
    """Weight j belongs to element j of `np.unpackbits`, however the bits are cut into chunks."""
    bits = width * 8
    codes = np.packbits(np.eye(bits, dtype=np.uint8), axis=1)
    index = HammingIndex.build(codes)
    weights = np.random.default_rng(1).permutation(np.arange(bits) % 256).astype(np.uint8)
    for budget in (0, 1, 100, 255):
        _, rows, distances = index.search_weighted(np.zeros(width, np.uint8), weights, budget)
        np.testing.assert_array_equal(rows, np.flatnonzero(weights <= budget))
        np.testing.assert_array_equal(distances, weights[rows])


def test_equal_weights_are_a_distance_in_bits() -> None:
    """With weight 1 the answer is that of `search`."""
    codes, queries, _ = drawn(5, 30_000)
    index = HammingIndex.build(codes)
    for radius in (0, 31, 60, 256):
        ones = np.ones((len(queries), 256), np.uint8)
        right = index.search(queries, radius=radius)
        found = index.search_weighted(queries, ones, np.full(len(queries), radius))
        for ours, theirs in zip(found, right, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("budget", [-(10**30), -1, 255 * 256, 255 * 256 + 1, 2**63, 10**30])
def test_budgets_of_any_size(budget: int) -> None:
    """Below zero nothing is found; beyond the sum of the weights every code is."""
    codes, queries, _ = drawn(9, 500)
    weights = np.full((len(queries), 256), 255, np.uint8)
    index = HammingIndex.build(codes)
    hits = 0 if budget < 0 else len(codes)
    assert len(index.search_weighted(queries[0], weights[0], budget)[1]) == hits
    found = index.search_weighted(queries, weights, [budget] * len(queries))
    assert len(found[1]) == hits * len(queries)


def test_many_queries_and_threads_answer_as_brute_force() -> None:
    """A batch that is planned, joined and shared among threads."""
    codes, queries, weights = drawn(11, 20_000, queries=1200)
    index = HammingIndex.build(codes)
    distances = weighted_distances(codes, queries, weights)
    ordered = np.sort(distances, axis=1)
    budgets = ordered[:, 5] - np.arange(len(queries)) % 2
    right = differential.weighted_answer(distances, budgets)
    for way in ("join", "lookup", ""):
        for threads in (1, 2):
            found = index._index.search_weighted(queries, weights, budgets, threads, way)
            assert_same(found, right)


def test_opened_files_answer_as_built_indexes(tmp_path: Path) -> None:
    """The files are those of `search`; mapped and copied they give the same answers."""
    codes, queries, weights = drawn(13, 25_000)
    distances = weighted_distances(codes, queries, weights)
    budgets = budgets_at(np.random.default_rng(1), distances, weights)
    HammingIndex.build(codes).save(tmp_path / "codes.idx")
    for hugepages in (False, True):
        index = HammingIndex.open(tmp_path / "codes.idx", hugepages=hugepages)
        right = differential.weighted_answer(distances, budgets)
        assert_same(index.search_weighted(queries, weights, budgets), right)


def test_segments_find_what_is_left_of_them(tmp_path: Path) -> None:
    """Several parts with removed codes answer as the set of codes that is left."""
    codes, queries, weights = drawn(17, 4000)
    index = SegmentedIndex.create(tmp_path / "index", bits=256)
    for part in np.array_split(codes, 4):
        index = index.add(part)
    index = index.remove(codes[::3])
    live = index.all_codes()
    distances = weighted_distances(live, queries, weights)
    budgets = budgets_at(np.random.default_rng(1), distances, weights)
    offsets, rows, found = index.search_weighted(queries, weights, budgets)
    right = differential.weighted_answer(distances, budgets)
    np.testing.assert_array_equal(offsets, right[0])
    for start, end in pairwise(offsets):
        order = np.lexsort(index.codes(rows[start:end]).T[::-1])
        np.testing.assert_array_equal(
            index.codes(rows[start:end])[order], live[right[1][start:end]]
        )
        np.testing.assert_array_equal(found[start:end][order], right[2][start:end])


def test_snapshots_leave_out_removed_rows() -> None:
    """Rows are those of the snapshot, over all parts, without those that are removed."""
    codes, queries, weights = drawn(19, 3000)
    parts = [HammingIndex.build(part) for part in np.array_split(codes, 3)]
    removed = np.arange(0, len(codes), 5)
    snapshot = Snapshot(parts, removed)
    distances = weighted_distances(codes, queries, weights)
    budgets = np.sort(distances, axis=1)[:, 20]
    distances[:, removed] = 1 << 40
    found = snapshot.search_weighted(queries, weights, budgets)
    assert_same(found, differential.weighted_answer(distances, budgets))
    assert len(snapshot.explain_weighted(queries, weights, budgets)) == 3


def test_the_plan_follows_the_budget() -> None:
    """Small budgets use the tables, hopeless ones compare every code."""
    rng = np.random.default_rng(23)
    codes = drawn_codes.random_codes(rng, 200_000, 32)
    index = HammingIndex.build(codes)
    weights = weighted_codes.evidence_like(rng, 20, 256)
    sums = weights.sum(axis=1, dtype=np.int64)
    queries = codes[:20]
    assert index.explain_weighted(queries, weights, sums // 20).way == "lookup"
    assert index.explain_weighted(queries, weights, sums // 2).way == "flat"
    small = index.explain_weighted(queries, weights, sums // 20)
    assert small.tables < small.flat


def test_arguments_that_do_not_fit_are_refused() -> None:
    """Types, shapes and numbers are checked; the message names the argument."""
    index = HammingIndex.build(np.zeros((3, 32), np.uint8))
    query, weights = np.zeros((2, 32), np.uint8), np.zeros((2, 256), np.uint8)
    good = np.array([1, 2])
    for message, arguments in (
        ("queries", (query[:, :8], weights, good)),
        ("queries", (query.astype(np.int8), weights, good)),
        ("weights", (query, weights.astype(np.uint16), good)),
        ("weights", (query, weights[:1], good)),
        ("weights", (query, weights[:, :255], good)),
        ("weights", (query[0], weights, 1)),
        ("budgets", (query, weights, good[:1])),
        ("budgets", (query, weights, good.astype(float))),
        ("budgets", (query, weights, 1)),
        ("budgets", (query, weights, [1, "2"])),
        ("budgets", (query[0], weights[0], True)),
    ):
        with pytest.raises(HashError, match=message):
            index.search_weighted(*arguments)
    for threads in (0, 1.5, True, 2000):
        with pytest.raises(HashError, match="threads"):
            index.search_weighted(query, weights, good, threads=threads)
    with pytest.raises(HashError, match="threads"):
        index.search_weighted(query[0], weights[0], 1, threads=0)
    assert len(index.search_weighted(query[::-1], weights[:, ::-1], good)[1]) == 6


def test_no_queries_find_nothing() -> None:
    """An empty batch is a batch."""
    index = HammingIndex.build(np.zeros((3, 32), np.uint8))
    none = np.empty((0, 32), np.uint8), np.empty((0, 256), np.uint8), []
    assert [len(part) for part in index.search_weighted(*none)] == [1, 0, 0]
    assert index.explain_weighted(*none).way in ("flat", "lookup", "join")
