"""The tables of an index answer as brute force does, whichever way a search goes."""

from __future__ import annotations

import itertools
import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import pytest
from drawn_codes import of_weights, swapped
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import besides

import screener._core as _core
from screener.errors import HashError, IndexFileError
from screener.index import tables
from screener.index.hamming import WIDTHS, HammingIndex
from screener.index.layout import open_sections, write_sections
from screener.index.snapshot import Snapshot
from screener.index.tables import IndexTables

Codes = npt.NDArray[np.uint8]
WAYS = ("lookup", "join", "flat", "")


@pytest.fixture(autouse=True)
def tables_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables however few the codes, so that small cases reach them."""
    monkeypatch.setattr(tables, "LEAST_CODES", 0)


def built_large(codes: Codes) -> HammingIndex:
    """An index whose tables have the form of large ones, however few the codes."""
    with patch.object(tables, "LARGE_CODES", 1):
        return HammingIndex.build(codes)


def brute_force(codes: Codes, queries: Codes, radius: int) -> list[tuple[list[int], list[int]]]:
    """The oracle: rows and distances for each query, by NumPy."""
    expected = []
    for query in queries:
        found = np.bitwise_count(codes ^ query).sum(axis=1, dtype=np.uint16)
        rows = np.flatnonzero(found <= radius)
        expected.append((rows.tolist(), found[rows].tolist()))
    return expected


def check(
    codes: Codes, queries: Codes, radii: list[int], index: HammingIndex | None = None
) -> None:
    """Each way of searching finds the hits of brute force in the same order, with one thread and
    three. Without an index, tables of either form are built.
    """
    indexes = [HammingIndex.build(codes), built_large(codes)] if index is None else [index]
    for number, radius in enumerate(radii):
        expected = brute_force(codes, queries, radius)
        for turn, (index, way) in enumerate(itertools.product(indexes, WAYS)):
            found = index._index.search(queries, radius, (1, 3)[(number + turn) % 2], way)
            if found is None:
                assert not any(rows for rows, _ in expected), (radius, way)
                continue
            offsets, rows, distances = found
            for i, (right_rows, right_distances) in enumerate(expected):
                part = slice(offsets[i], offsets[i + 1])
                assert rows[part].tolist() == right_rows, (radius, way, i)
                assert distances[part].tolist() == right_distances, (radius, way, i)


def flipped(code: Codes, bits: npt.NDArray[np.integer]) -> Codes:
    """A copy of one code with these bits changed, numbered as `_core.chunk_bits` does."""
    changed = code.copy()
    for bit in bits:
        changed[bit // 8] ^= np.uint8(1 << (bit % 8))
    return changed


def filled(code: Codes, bits: npt.NDArray[np.integer]) -> Codes:
    """A copy of one code with these bits set."""
    values = np.unpackbits(code, bitorder="little")
    values[bits] = 1
    return np.packbits(values, bitorder="little")


def near(rng: np.random.Generator, code: Codes, distance: int) -> Codes:
    """A random code at exactly this distance."""
    return flipped(code, rng.choice(len(code) * 8, distance, replace=False))


def edges(bits: int) -> list[int]:
    """The radii at which thresholds step, and those beside them."""
    steps = [step * bits // 16 for step in range(1, 5)]
    return sorted({0, 1, bits, *(step + d for step in steps for d in (-2, -1, 0, 1))})


# Fewer under the sanitizers, where each takes a second.
@settings(max_examples=int(os.environ.get("SCREENER_EXAMPLES", "60")), deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32), width=st.sampled_from(WIDTHS))
def test_search_equals_brute_force(data: st.DataObject, seed: int, width: int) -> None:
    """Random codes, clusters and duplicates of any number, at any radius."""
    tables.LEAST_CODES = 0
    rng = np.random.default_rng(seed)
    count = data.draw(st.sampled_from((0, 1, 2, 31, 32, 33, 100, 2000)))
    centres = data.draw(st.sampled_from((1, 3, 50, 2000)))
    flips = data.draw(st.sampled_from((0, 1, width // 4, width * 2)))
    codes = rng.integers(0, 256, (centres, width), np.uint8)[rng.integers(0, centres, count)]
    for _ in range(flips):
        codes[np.arange(count), rng.integers(0, width, count)] ^= np.uint8(1) << rng.integers(
            0, 8, count
        ).astype(np.uint8)
    queries = rng.integers(0, 256, (6, width), np.uint8)
    for i in range(min(count, 4)):
        queries[i] = near(rng, codes[rng.integers(0, count)], int(rng.integers(0, width * 2)))
    radius = data.draw(st.integers(0, width * 8) | st.integers(0, width * 2))
    check(codes, queries, [radius])


@pytest.mark.parametrize("width", besides(8, WIDTHS))
def test_planted_at_every_distance(width: int) -> None:
    """Codes at every distance from a query are found from that radius on, and not before."""
    rng = np.random.default_rng(width)
    query = rng.integers(0, 256, width, np.uint8)
    planted = [near(rng, query, distance) for distance in range(width * 8 + 1)]
    codes = np.concatenate([rng.integers(0, 256, (3000, width), np.uint8), np.array(planted)])
    index = HammingIndex.build(codes)
    check(codes, query[np.newaxis], edges(width * 8), index)


@pytest.mark.parametrize("width", besides(8, WIDTHS))
def test_the_tightest_rings(width: int) -> None:
    """Differences dealt to the chunks so that a single start of the ring finds them, each start."""
    rng = np.random.default_rng(1)
    chunks = width // 2
    bits = np.array(_core.chunk_bits(width)).reshape(chunks, 16)
    query = rng.integers(0, 256, width, np.uint8)
    codes = []
    for start in range(chunks):
        for high in (1, 2, 3):
            # All chunks at `high` bits but one: at the last radius of a step only one table
            # sees a chunk within its threshold.
            amounts = np.full(chunks, high)
            amounts[start] = high - 1
            codes.append(deal(rng, query, bits, amounts))
            # A descending run, whose every prefix is at its bound only from `start` on.
            amounts = np.roll(
                np.array([high - 1] * (chunks // 2) + [high + 1] * (chunks // 2)), start
            )
            codes.append(deal(rng, query, bits, amounts))
            amounts = np.roll(np.array([0] + [high] * (chunks - 1)), start)
            codes.append(deal(rng, query, bits, amounts))
    check(np.array(codes), query[np.newaxis], edges(width * 8))


def deal(
    rng: np.random.Generator,
    query: Codes,
    bits: npt.NDArray[np.integer],
    amounts: npt.NDArray[np.integer],
) -> Codes:
    """The query with so many bits changed in each of its chunks."""
    chosen = [
        rng.choice(row, amount, replace=False) for row, amount in zip(bits, amounts, strict=True)
    ]
    return flipped(query, np.concatenate(chosen).astype(np.int64))


@pytest.mark.parametrize("width", besides(8, [8, 32]))
def test_hot_buckets(width: int) -> None:
    """Thousands of codes that share most chunks, which make other thresholds or a scan cheaper."""
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 256, (30_000, width), np.uint8)
    codes[:20_000, : width - 4] = codes[0, : width - 4]
    queries = np.concatenate([codes[:3], codes[-2:], rng.integers(0, 256, (2, width), np.uint8)])
    check(codes, queries, [0, width // 2, width - 1])


@pytest.mark.parametrize(
    ("count", "link"), [(1 << 8, 1), ((1 << 8) + 1, 2), (1 << 16, 2), ((1 << 16) + 1, 4)]
)
def test_links_are_as_wide_as_the_longest_bucket_is_long(count: int, link: int) -> None:
    """The last posting of a bucket is found if nothing but its link leads to it."""
    rng = np.random.default_rng(4)
    codes = in_one_bucket(rng, count, table=1)
    bits = _core.chunk_bits(8).reshape(4, 16)
    # Last in its bucket also where large tables order it by the weight of the next chunk.
    codes[-1] = filled(codes[-1], bits[2])
    built = IndexTables.build(codes, threads=1)
    assert built.main is not None
    assert built.main.links.dtype.itemsize == link
    # Of all starts of the ring that of table 0 alone has a chunk within its threshold.
    check(codes, deal(rng, codes[-1], bits, np.array([0, 1, 1, 1]))[np.newaxis], [3])


def hot_keys(rng: np.random.Generator, count: int, width: int, keys: int) -> Codes:
    """Codes of which every chunk takes few values, so that all buckets are long."""
    chunks = rng.integers(0, 1 << 16, keys, np.uint16)[rng.integers(0, keys, (count, width // 2))]
    bits = np.zeros((count, width * 8), np.uint8)
    places = np.arange(16, dtype=np.uint16)
    for chunk, order in enumerate(_core.chunk_bits(width).reshape(-1, 16)):
        bits[:, order] = (chunks[:, chunk, np.newaxis] >> places) & 1
    return np.packbits(bits, axis=1, bitorder="little")


def in_one_bucket(rng: np.random.Generator, count: int, table: int = 0) -> Codes:
    """Different codes of 64 bits that one table holds in one bucket."""
    bits = rng.integers(0, 2, (count, 64), np.uint8)
    bits[:, _core.chunk_bits(8).reshape(4, 16)[table]] = 0
    return np.packbits(bits, axis=1, bitorder="little")


@pytest.mark.parametrize("width", besides(8, WIDTHS))
def test_large_tables_find_the_same_in_fewer_lines(width: int) -> None:
    """Of long buckets only the lines of sketches that weigh about as much are read."""
    rng = np.random.default_rng(width)
    codes = hot_keys(rng, 40_000, width, 12 if width > 8 else 40)
    index, large = HammingIndex.build(codes), built_large(codes)
    assert large._tables.main is not None
    assert large._tables.main.large
    queries = np.concatenate([near(rng, codes[i], d)[np.newaxis] for i in range(6) for d in (0, 2)])
    radius = width // 4
    check(codes, queries, [0, radius, width - 1], large)
    lines = [[len(i._index.lines(query, radius)) for query in queries] for i in (index, large)]
    assert sum(lines[1]) < 0.8 * sum(lines[0])


def test_a_weight_that_starts_beyond_what_can_be_told() -> None:
    """A bucket of more lines than a byte can number is read to its end, also by a query that weighs
    as much less than all bits as it may differ in.
    """
    rng = np.random.default_rng(8)
    codes = in_one_bucket(rng, 60_000)
    bits = _core.chunk_bits(8).reshape(4, 16)
    codes[-1] = filled(codes[-1], bits[1])
    large = built_large(codes)
    assert large._tables.main is not None
    assert large._tables.main.weights.max() == 255
    queries = [near(rng, codes[i], d) for i in range(9) for d in (0, 3)]
    queries.append(deal(rng, codes[-1], bits, np.array([0, 1, 1, 1])))
    check(codes, np.array(queries), [0, 3, 7], large)
    large.verify()


def test_a_bucket_that_no_large_table_can_have() -> None:
    """Links of large tables number 2^16 places; with more in a bucket the tables are not large."""
    main = built_large(in_one_bucket(np.random.default_rng(9), 70_000))._tables.main
    assert main is not None
    assert not main.large
    assert main.links.dtype.itemsize == 4


def test_every_row_of_every_repeated_code_is_found() -> None:
    """Each of many codes that occur up to five times is found in all its rows."""
    rng = np.random.default_rng(9)
    distinct = rng.integers(0, 256, (300, 32), np.uint8)
    codes = distinct[rng.permutation(np.repeat(np.arange(300), rng.integers(1, 6, 300)))]
    check(codes, distinct, [0])


@pytest.mark.parametrize("width", besides(8, WIDTHS))
def test_a_batch_crowds_one_bucket(width: int) -> None:
    """More equal queries than are tested at once find what each finds alone.

    Each listed code is found from one start of the ring only, whose chunk equals the query's, and
    only if what the next chunks may differ in is counted to the last bit.
    """
    rng = np.random.default_rng(width)
    chunks = width // 2
    bits = np.array(_core.chunk_bits(width)).reshape(chunks, 16)
    query = rng.integers(0, 256, width, np.uint8)
    tight = np.array([0, 5] + [3] * (chunks - 2))
    near_codes = [deal(rng, query, bits, np.roll(tight, start)) for start in range(chunks)]
    codes = np.concatenate([rng.integers(0, 256, (2000, width), np.uint8), near_codes])
    others = rng.integers(0, 256, (400, width), np.uint8)
    queries = np.concatenate([others[:200], np.repeat(query[np.newaxis], 1100, 0), others[200:]])
    assert tight.sum() == 3 * chunks - 1
    check(codes, queries, [3 * chunks - 1])


@pytest.mark.parametrize("heavy", besides(3, [0, 3, 7]))
def test_one_query_that_is_compared_with_every_code(heavy: int) -> None:
    """A query that meets too much is answered by a flat scan, alone and among others."""
    rng = np.random.default_rng(10)
    centre = of_weights(rng, np.array([128]), 32)[0]
    crowd = swapped(rng, centre, np.full(4000, 2))
    codes = np.concatenate([rng.integers(0, 256, (500, 32), np.uint8), crowd])
    queries = codes[:8].copy()
    queries[0] = 0  # of no concern to the balanced, so that numbers in a batch of theirs shift
    queries[heavy] = centre
    check(codes, queries, [8, 31])
    check(codes, queries[heavy : heavy + 1], [8, 31])


def test_what_is_near_is_found_however_many_others_are_met() -> None:
    """After any number of codes that agree in three chunks and are far, the search follows them or
    compares all codes, and loses or doubles no hit at the change, even if tables of balanced codes
    and of the others both give up.
    """
    rng = np.random.default_rng(12)
    bits = np.array(_core.chunk_bits(32)).reshape(16, 16)
    queries = of_weights(rng, np.full(80, 128), 32)
    rest = bits[3:].ravel()
    found_from_second = np.roll([0] + [1] * 13 + [2, 1], 1)
    codes = []
    for number, query in enumerate(queries):
        far = np.tile(np.unpackbits(query, bitorder="little"), (110 + number, 1))
        far[:, rest] = rng.permuted(far[:, rest], axis=1)
        code = query
        while (code == query).all() or np.bitwise_count(code).sum() != 128:
            code = deal(rng, query, bits, found_from_second)
        codes += [np.packbits(far, axis=1, bitorder="little"), code[np.newaxis]]
    far[:, rest[0]] ^= 1
    codes.append(np.packbits(far, axis=1, bitorder="little"))
    # A query that weighs too little is of no concern to the balanced: numbers in a batch shift.
    queries = np.concatenate([np.zeros((1, 32), np.uint8), queries])
    index = HammingIndex.build(np.concatenate(codes))
    check(index.codes, queries, [14, 16], index)  # the latter joined by one thread


def test_built_alike_by_any_number_of_threads() -> None:
    """The arrays do not depend on how many threads built them."""
    codes = np.random.default_rng(5).integers(0, 4, (5000, 16), np.uint8)
    assert_same_tables(
        IndexTables.build(codes, threads=1), IndexTables.build(codes, threads=5), 128
    )


def assert_same_tables(one: IndexTables, other: IndexTables, bits: int) -> None:
    """All of their arrays are equal."""
    arrays, others = one.sections(bits), other.sections(bits)
    assert arrays.keys() == others.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, others[name])


@pytest.mark.parametrize("few", [0, 100_000])
@pytest.mark.parametrize("width", besides(8, WIDTHS))
def test_balanced_codes_stand_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, few: int
) -> None:
    """Codes with half of their bits set have tables of their own; the answers are the same.

    Also for queries whose weight is just near enough to half, or just not, and at radii of either
    parity; the others have tables, or are few and have none; a file keeps all of it.
    """
    rng = np.random.default_rng(width)
    half = 4 * width
    balanced = of_weights(rng, np.full(300, half), width)
    others = of_weights(rng, rng.integers(0, 8 * width + 1, 150), width)
    beside = np.concatenate([near(rng, code, 1)[np.newaxis] for code in balanced[:50]])
    codes = rng.permutation(np.concatenate([balanced, others, beside, balanced[:9], others[:9]]))
    monkeypatch.setattr(tables, "LEAST_CODES", min(few, 1))
    if few:  # tables for the balanced, none for the others
        built = _core.build_tables(codes, few, 1 << 24, 1)
        monkeypatch.setattr(_core, "build_tables", lambda *_: built)
    index = HammingIndex.build(codes)
    assert index._tables.balanced
    assert (index._tables.rest is None) == bool(few)
    assert bool(len(index._tables.few_rows)) == bool(few)
    radii = [0, 1, width - 1, width, 2 * width - 1, 2 * width]
    weights = [w for r in radii for w in (half - r - 1, half - r, half + r, half + r + 1)]
    queries = np.concatenate(
        [
            of_weights(rng, np.clip(weights, 0, 8 * width), width),
            *(near(rng, code, d)[np.newaxis] for code in codes[:8] for d in (0, 1, 2, width)),
        ]
    )
    check(codes, queries, radii, index)
    index.save(tmp_path / "codes.idx")
    check(codes, queries, [width - 1], HammingIndex.open(tmp_path / "codes.idx"))


def test_most_codes_must_be_balanced_to_stand_apart() -> None:
    """With fewer than half of the codes balanced there is one set of tables for all."""
    rng = np.random.default_rng(7)
    one = of_weights(rng, np.full(99, 128), 32)
    other = of_weights(rng, np.full(100, 120), 32)
    tables_of = IndexTables.build(np.concatenate([one, other]), threads=1)
    assert not tables_of.balanced
    assert tables_of.rest is None
    assert IndexTables.build(np.concatenate([one, other[:99]]), threads=1).balanced


@pytest.mark.parametrize("hugepages", [False, True])
@pytest.mark.parametrize("width", besides(8, WIDTHS))
def test_saved_and_opened(tmp_path: Path, width: int, hugepages: bool) -> None:
    """An opened index has the tables of the one that was saved, and passes its own check."""
    rng = np.random.default_rng(6)
    codes = rng.integers(0, 256, (3000, width), np.uint8)[rng.integers(0, 3000, 4000)]
    built = HammingIndex.build(codes)
    built.save(tmp_path / "codes.idx")
    opened = HammingIndex.open(tmp_path / "codes.idx", hugepages=hugepages)
    opened.verify()
    assert not opened.codes.flags.writeable
    assert opened.explain(radius=3).tables < 1
    assert_same_tables(built._tables, opened._tables, width * 8)
    check(codes, codes[:5], [0, width - 1, 4 * width], opened)


@pytest.mark.parametrize("threads", [0, -1, 1.5, None, 10**9])
def test_threads_are_a_number(threads: object) -> None:
    """Anything but a number of threads is the caller's mistake."""
    codes = np.zeros((1, 32), np.uint8)
    with pytest.raises(HashError):
        HammingIndex.build(codes, threads=threads)  # type: ignore[arg-type]
    with pytest.raises(HashError):
        HammingIndex.build(codes).search(codes, radius=1, threads=threads)  # type: ignore[arg-type]


def test_explained() -> None:
    """The plan names the way and its reason in a sentence, for each part of a snapshot too."""
    codes = np.random.default_rng(7).integers(0, 256, (100_000, 32), np.uint8)
    index = HammingIndex.build(codes)
    assert index.explain(radius=31).way == "lookup"
    assert index.explain(radius=31, queries=1_000_000).way == "join"
    plans = Snapshot([index, index]).explain(radius=31, queries=1_000_000)
    assert [plan.way for plan in plans] == ["join", "join"]
    assert index.explain(radius=200).way == "flat"
    assert "every code would take" in str(index.explain(radius=31))
    assert "no tables serve" in str(index.explain(radius=200))


def test_a_join_is_planned_only_for_a_batch_that_pays_for_it() -> None:
    """A join looks around every bucket, farther for a wider radius: at 40 bits a batch of ten
    thousand is too small for it, since a flat scan costs half as much; a million are enough.
    """
    codes = np.random.default_rng(7).integers(0, 256, (100_000, 32), np.uint8)
    index = HammingIndex.build(codes)
    assert index.explain(radius=40, queries=10_000).way == "flat"
    assert index.explain(radius=40, queries=1_000_000).way == "join"


def damaged(tmp_path: Path, name: str, seed: int) -> Path:
    """A file with right checksums whose section `name` holds nonsense in places."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (3000, 16), np.uint8)[rng.integers(0, 3000, 4000)]
    good = tmp_path / "good.idx"
    HammingIndex.build(codes).save(good)
    opened = open_sections(good, "hamming")
    sections = {
        section.name: opened.array(
            section.name, dtype=section.dtype.str[1:], dimensions=len(section.shape)
        ).copy()
        for section in opened.directory.values()
    }
    flat = sections[name].reshape(-1)
    places = rng.integers(0, len(flat), 1 + len(flat) // 50)
    flat[places] = rng.integers(0, np.iinfo(flat.dtype).max, len(places), flat.dtype, endpoint=True)
    path = tmp_path / "damaged.idx"
    write_sections(path, "hamming", sections)
    return path


@pytest.mark.parametrize("seed", besides(0, range(3)))
@pytest.mark.parametrize(
    "name",
    ["directory", "sketches", "links", "rows", "heads", "repeat-starts", "repeats", "chunks"],
)
def test_damage_leads_nowhere(tmp_path: Path, name: str, seed: int) -> None:
    """Nonsense in a section is refused or makes a wrong answer, and is never followed outside."""
    path = damaged(tmp_path, name, seed)
    try:
        index = HammingIndex.open(path)
    except IndexFileError:
        return
    queries = np.random.default_rng(seed).integers(0, 4, (200, 16), np.uint8)
    for way in WAYS:
        for radius in (0, 7, 12, 20):
            try:
                found = index._index.search(queries, radius, 2, way)
            except ValueError:
                continue
            assert found is None or found[1].max() < len(index)


ASTRAY: dict[str, tuple[int, Callable[[dict[str, Any], Any, Any], None]]] = {
    "a bucket behind all slots": (
        7,
        lambda parts, own, _: own(0, parts["sketches"].size + np.array([0, 32])),
    ),
    "a bucket in another table": (7, lambda _, own, bucket: own(4, bucket(0))),
    "a link to a bucket before its table": (7, lambda _, own, bucket: own(5, bucket(0))),
    "a link to a bucket behind its table": (7, lambda _, own, bucket: own(1, bucket(6))),
    "links behind their buckets": (
        7,
        lambda parts, *_: np.bitwise_or(parts["links"], 255, out=parts["links"]),
    ),
    "rows that there are not": (7, lambda parts, *_: parts["rows"].fill(2**32 - 1)),
    "such rows without a link before": (0, lambda parts, *_: parts["rows"].fill(2**32 - 1)),
    "repeats behind the last": (7, lambda parts, *_: parts["repeat-starts"].put(1, 2**40)),
    "repeats that end before they start": (7, lambda parts, *_: parts["repeat-starts"].put(0, 2)),
    "repeats that there are not": (7, lambda parts, *_: parts["repeats"].fill(2**32 - 1)),
}
"""What is changed, and the radius at which it is met."""


@pytest.mark.parametrize("build", [HammingIndex.build, built_large])
@pytest.mark.parametrize("way", ["lookup", "join"])
@pytest.mark.parametrize("name", ASTRAY)
def test_what_leads_astray_is_refused(
    tmp_path: Path, name: str, way: str, build: Callable[[Codes], HammingIndex]
) -> None:
    """If a search would leave the arrays, it reports damage and returns nothing."""
    rng = np.random.default_rng(13)
    bits = _core.chunk_bits(16).reshape(8, 16)
    codes = rng.integers(0, 256, (500, 16), np.uint8)
    values = np.unpackbits(codes[0], bitorder="little")
    values[bits[5]] = values[bits[1]]  # so that tables 0 and 4 look for the same next chunk
    codes[0] = codes[499] = np.packbits(values, bitorder="little")
    build(codes).save(tmp_path / "good.idx")
    opened = open_sections(tmp_path / "good.idx", "hamming")
    parts = {
        part.name: opened.array(
            part.name, dtype=part.dtype.str[1:], dimensions=len(part.shape)
        ).copy()
        for part in opened.directory.values()
    }
    directory = parts["directory"].reshape(8, -1)
    keys = values[bits].astype(np.int64) @ (1 << np.arange(16))

    def bucket(table: int) -> npt.NDArray[np.uint32]:
        return directory[table, keys[table] : keys[table] + 2].copy()

    def own(table: int, slots: npt.NDArray[np.integer]) -> None:
        directory[table, keys[table] : keys[table] + 2] = slots

    radius, change = ASTRAY[name]
    change(parts, own, bucket)
    write_sections(tmp_path / "damaged.idx", "hamming", parts)
    index = HammingIndex.open(tmp_path / "damaged.idx")._index
    with pytest.raises(ValueError, match="damaged"):
        index.search(codes[:1], radius, 1, way)


UNFIT: dict[str, Callable[[dict[str, Any]], object]] = {
    "slots that do not start at the first": lambda of: of["directory"].put(0, 32),
    "a table that ends within a line": lambda of: border(of["directory"], 0, 1),
    "a table that ends before it starts": lambda of: border(of["directory"], 1, -(1 << 16)),
    "a start too few": lambda of: of.update(directory=of["directory"].ravel()[:-1]),
    "a row too few": lambda of: of.update(rows=of["rows"][:-1]),
    "a link too few": lambda of: of.update(links=of["links"][:-1]),
    "links of three bytes": lambda of: of.update(links=of["links"].repeat(3), link_bytes=3),
    "weights too few": lambda of: of.update(weights=of["weights"][:-1]),
    "weights beside links of two bytes": lambda of: of.update(
        links=of["links"].reshape(-1, 4)[:, :2].copy().ravel(), link_bytes=2
    ),
}


def border(directory: npt.NDArray[np.uint32], table: int, by: int) -> None:
    """Moves that between a table and the next, which both have links; or as far as it goes."""
    at = max(int(directory[table, -1]) + by, 0)
    directory[table, -1] = directory[table + 1, 0] = at


@pytest.mark.parametrize("name", UNFIT)
def test_tables_that_do_not_fit_are_refused_at_once(name: str) -> None:
    """Before a search meets them; each is the only thing that is wrong."""
    codes = np.random.default_rng(14).integers(0, 256, (400, 8), np.uint8)
    large = 1 if "weights" in name else 1 << 30
    first, balanced, _, few_rows, few_codes, *repeats = _core.build_tables(codes, 1 << 30, large, 1)
    names = ("directory", "sketches", "links", "link_bytes", "rows", "weights")
    arrays = dict(zip(names, first, strict=True))
    arrays["directory"] = arrays["directory"].reshape(4, -1)

    def searchable() -> object:
        tables = _core.Tables(arrays["directory"].ravel(), *list(arrays.values())[1:])
        few = few_codes.reshape(-1, 8)
        return _core.Index(codes, [tables], balanced, few_rows, few, *repeats)

    assert searchable()
    UNFIT[name](arrays)
    with pytest.raises(ValueError, match="do not fit together"):
        searchable()


def test_tables_are_of_no_more_codes_than_32_bits_number() -> None:
    """A row out of range would be reported as another one: such an index is refused at once."""
    few = np.zeros((1, 8), np.uint8)
    main, balanced, _, few_rows, few_codes, *repeats = _core.build_tables(few, 0, 1 << 30, 1)
    kind = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS  # which is only read, and so takes no memory
    zeros = mmap.mmap(-1, (1 << 32) * 8, flags=kind, prot=mmap.PROT_READ)
    codes = np.frombuffer(zeros, np.uint8).reshape(-1, 8)
    rest = few_rows, few_codes.reshape(-1, 8), *repeats
    assert _core.Index(codes[:-1], [_core.Tables(*main)], balanced, *rest)
    with pytest.raises(ValueError, match="do not fit together"):
        _core.Index(codes, [_core.Tables(*main)], balanced, *rest)
    assert HammingIndex(codes).explain(radius=0).way == "flat"  # without tables it may have them


@pytest.mark.parametrize("width", [0, 1, 12, 128])
def test_tables_are_for_codes_of_the_widths_that_there_are(width: int) -> None:
    """Another width is refused before anything is made of it."""
    codes = np.zeros((3, width), np.uint8)
    for refused in (
        lambda: _core.build_tables(codes, 1, 1, 1),
        lambda: _core.can_build_tables(3, width),
        lambda: _core.chunk_bits(width),
    ):
        with pytest.raises(ValueError, match="8, 16, 32 or 64 bytes"):
            refused()
