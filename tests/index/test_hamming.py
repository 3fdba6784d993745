"""HammingIndex answers as brute force does, whatever the width, the sizes and the radius."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screener.errors import HashError, IndexFileError
from screener.index.digests import DigestIndex
from screener.index.hamming import WIDTHS, HammingIndex, Hits

Codes = npt.NDArray[np.uint8]


def brute_force(codes: Codes, queries: Codes, radius: int) -> Hits:
    """The oracle: every distance, by NumPy."""
    offsets, rows, distances = [0], [], []
    for query in queries:
        found = np.bitwise_count(codes ^ query).sum(axis=1, dtype=np.uint16)
        hits = np.flatnonzero(found <= radius)
        rows.append(hits)
        distances.append(found[hits])
        offsets.append(offsets[-1] + len(hits))
    empty = np.empty(0, np.int64)
    return (
        np.array(offsets, np.int64),
        np.concatenate([empty, *rows]).astype(np.int64),
        np.concatenate([empty, *distances]).astype(np.uint16),
    )


def assert_equal(found: Hits, expected: Hits) -> None:
    """Same values of the same types."""
    assert [part.dtype for part in found] == [part.dtype for part in expected]
    for i in range(3):
        np.testing.assert_array_equal(found[i], expected[i])


@pytest.mark.parametrize("hits", [0, 1, 2, 63, 64, 65, 300])
@pytest.mark.parametrize("size", WIDTHS)
def test_a_lone_query_gets_the_arrays_of_a_batch_of_one(size, hits):
    """Values and types are those of a batch of one, for few hits and many, and the caller's own."""
    rng = np.random.default_rng(hits)
    codes = rng.integers(0, 256, (1000, size), np.uint8)
    query = rng.integers(0, 256, size, np.uint8)
    codes[rng.permutation(1000)[:hits]] = query
    index = HammingIndex.build(codes)

    lone = index.search(query, radius=3)

    assert_equal(lone, brute_force(codes, query[np.newaxis], 3))
    assert_equal(lone, index.search(query[np.newaxis], radius=3))
    if hits:
        assert all(part.flags.writeable for part in lone)
        lone[1][:] = -1
        assert_equal(index.search(query, radius=3), brute_force(codes, query[np.newaxis], 3))


def clustered(seed: int, count: int, width: int, flips: int) -> Codes:
    """Codes that lie within a few bits of a few centres, some of them equal."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 256, (3, width), np.uint8)
    codes = centres[rng.integers(0, 3, count)]
    for _ in range(flips):
        codes[np.arange(count), rng.integers(0, width, count)] ^= np.uint8(1) << rng.integers(
            0, 8, count
        ).astype(np.uint8)
    return codes


@settings(max_examples=150, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32), width=st.sampled_from(WIDTHS))
def test_search_equals_brute_force(data: st.DataObject, seed: int, width: int) -> None:
    """Sizes from 0, batches from 0, duplicates, every width and radius: the oracle's answer."""
    count = data.draw(st.sampled_from((0, 1, 2, 3, 15, 16, 17, 31, 100)))
    batch = data.draw(st.sampled_from((0, 1, 2, 7, 8, 9, 17)))
    radius = data.draw(st.integers(0, width * 8))
    flips = data.draw(st.sampled_from((0, 2, width, width * 8)))
    codes = clustered(seed, count, width, flips)
    queries = clustered(seed, batch, width, 1)
    found = HammingIndex.build(codes).search(queries, radius=radius)
    assert_equal(found, brute_force(codes, queries, radius))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [1023, 1024, 1025, 5000])
def test_search_across_tiles(width: int, count: int) -> None:
    """At the border of two tiles of a scan no row is lost, doubled or renumbered."""
    codes = clustered(count, count, width, width)
    queries = np.concatenate([codes[-1:], codes[:2], clustered(1, 20, width, 3)])
    index = HammingIndex.build(codes)
    for radius in (0, 1, width, width * 2, width * 4, width * 8 - 1, width * 8):
        assert_equal(index.search(queries, radius=radius), brute_force(codes, queries, radius))


@pytest.mark.parametrize("width", WIDTHS)
def test_codes_that_agree_in_their_first_words(width: int) -> None:
    """Codes that differ only in late bits, which defeat early rejection, are distinguished."""
    rng = np.random.default_rng(7)
    codes = np.zeros((4000, width), np.uint8)
    codes[:, width // 2 :] = rng.integers(0, 256, (4000, width - width // 2), np.uint8)
    codes[3000:] = rng.integers(0, 256, (1000, width), np.uint8)
    index = HammingIndex.build(codes)
    for radius in (width // 8, width, width * 2):
        assert_equal(
            index.search(codes[::200], radius=radius),
            brute_force(codes, codes[::200], radius),
        )


@pytest.mark.parametrize("width", WIDTHS)
def test_each_bit_counts_once(width: int) -> None:
    """A code with its first k bits set lies at distance k from zero, for every k: `<=` holds."""
    bits = width * 8
    codes = np.packbits(np.tri(bits + 1, bits, -1, dtype=np.uint8), axis=1)
    index = HammingIndex.build(codes)
    zero = np.zeros(width, np.uint8)
    for radius in range(0, bits + 1, 7):
        offsets, rows, distances = index.search(zero, radius=radius)
        assert offsets.tolist() == [0, radius + 1]
        assert rows.tolist() == distances.tolist() == list(range(radius + 1))


def test_more_queries_than_one_block() -> None:
    """A batch that the core cuts into blocks comes back as one, in the order given."""
    codes = clustered(1, 40, 8, 2)
    queries = clustered(2, 9001, 8, 30)
    found = HammingIndex.build(codes).search(queries, radius=20)
    assert_equal(found, brute_force(codes, queries, 20))


def test_one_query_is_a_batch_of_one() -> None:
    """A single code of one dimension is searched as a batch of one."""
    codes = clustered(3, 50, 32, 20)
    index = HammingIndex.build(codes)
    assert_equal(index.search(codes[4], radius=31), index.search(codes[4:5], radius=31))


def test_any_memory_layout() -> None:
    """Strided, reversed, transposed and unaligned arrays count by their values."""
    wide = clustered(5, 300, 64, 40)
    codes = wide[::-3, 8:40]
    queries = np.asfortranarray(wide[:20, 8:40])
    expected = brute_force(codes.copy(), queries.copy(), 100)
    index = HammingIndex.build(codes)
    assert_equal(index.search(queries, radius=100), expected)
    by_columns = HammingIndex.build(np.asfortranarray(codes))
    assert_equal(by_columns.search(queries, radius=100), expected)
    odd = np.empty(20 * 32 + 1, np.uint8)[1:].reshape(20, 32)
    odd[:] = queries
    assert_equal(index.search(odd, radius=100), expected)
    shifted = np.empty(len(codes) * 32 + 1, np.uint8)[1:].reshape(-1, 32)
    shifted[:] = codes
    assert_equal(HammingIndex(shifted).search(queries, radius=100), expected)


def test_the_index_owns_its_codes() -> None:
    """A change to the array it was built from does not reach the index, whose view is read-only."""
    codes = clustered(6, 10, 32, 5)
    kept = codes.copy()
    index = HammingIndex.build(codes)
    codes[:] = 0
    np.testing.assert_array_equal(index.codes, kept)
    with pytest.raises(ValueError, match="read-only"):
        index.codes[0] = 0


def test_threads_share_an_index() -> None:
    """Searches at once in several threads answer as one after another does."""
    codes = clustered(8, 3000, 32, 60)
    index = HammingIndex.build(codes)
    batches = [clustered(seed, 30, 32, 40) for seed in range(12)]
    expected = [index.search(batch, radius=90) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: index.search(batch, radius=90), batches))
    for ours, theirs in zip(found, expected, strict=True):
        assert_equal(ours, theirs)


def test_a_search_lets_other_threads_run() -> None:
    """The interpreter lock is released for the whole search."""
    index = HammingIndex.build(clustered(10, 200_000, 32, 200))
    queries = np.random.default_rng(1).integers(0, 256, (60_000, 32), np.uint8)
    with ThreadPoolExecutor(1) as pool:
        search = pool.submit(index.search, queries, radius=20)
        turns = 0
        while not search.done():
            time.sleep(0.001)
            turns += 1
    assert turns > 5


MEMORY = """
import resource
import numpy as np
from screener.index.hamming import HammingIndex
rng = np.random.default_rng(1)
index = HammingIndex.build(rng.integers(0, 256, (100_000, 32), np.uint8))
queries = rng.integers(0, 256, (2000, 32), np.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert index.search(queries, radius=31)[0][-1] == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_follows_the_hits() -> None:
    """2e8 comparisons without a hit take a few megabytes, not a byte for each."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, check=True)
    assert int(done.stdout) < 20_000


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [0, 1, 2, 1500])
def test_saved_and_opened(tmp_path: Path, count: int, width: int) -> None:
    """An opened index has the codes, the width and the answers of the one that was saved."""
    codes = clustered(9, count, width, 3)
    index = HammingIndex.build(codes)
    path = tmp_path / "codes.idx"
    index.save(path)
    opened = HammingIndex.open(path)
    opened.verify()
    assert len(opened) == count
    assert opened.bits == width * 8
    assert not opened.codes.flags.writeable
    np.testing.assert_array_equal(opened.codes, codes)
    queries = clustered(9, 5, width, 1)
    assert_equal(opened.search(queries, radius=4), brute_force(codes, queries, 4))


def test_saved_over_an_open_index(tmp_path: Path) -> None:
    """Saving over a file that is open leaves the open index as it was."""
    path = tmp_path / "codes.idx"
    first, second = clustered(1, 100, 32, 9), clustered(2, 3, 32, 9)
    HammingIndex.build(first).save(path)
    opened = HammingIndex.open(path)
    HammingIndex.build(second).save(path)
    np.testing.assert_array_equal(opened.codes, first)
    np.testing.assert_array_equal(HammingIndex.open(path).codes, second)


@pytest.mark.parametrize(
    "codes",
    [
        np.zeros((3, 32), np.int8),
        np.zeros((3, 4), np.uint64),
        np.zeros((3, 31), np.uint8),
        np.zeros((3, 0), np.uint8),
        np.zeros(32, np.uint8),
        np.zeros((1, 1, 32), np.uint8),
        b"x" * 32,
        [[0] * 32],
        np.ma.zeros((3, 32), np.uint8),
    ],
)
def test_build_refuses_other_arrays(codes: object) -> None:
    """Another element type, shape or object is the caller's mistake."""
    with pytest.raises(HashError):
        HammingIndex.build(codes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "queries",
    [
        np.zeros((3, 16), np.uint8),
        np.zeros(16, np.uint8),
        np.zeros((3, 32), np.float32),
        np.zeros((), np.uint8),
        np.ma.zeros((3, 32), np.uint8),
        np.ma.zeros(32, np.uint8),
        None,
    ],
)
def test_search_refuses_other_queries(queries: object) -> None:
    """Queries of another width, type or shape are the caller's mistake, on an empty index too."""
    for count in (0, 2):
        with pytest.raises(HashError):
            HammingIndex.build(np.zeros((count, 32), np.uint8)).search(
                queries,  # type: ignore[arg-type]
                radius=1,
            )


@pytest.mark.parametrize("radius", [-1, 257, 2**40, 1.0, "31", None, True, False])
def test_search_refuses_other_radii(radius: object) -> None:
    """A radius is a whole number from 0 to the width; an index of NumPy's kind is one too. What is
    true or false is none: as 1 it would miss nearly all.
    """
    index = HammingIndex.build(np.zeros((1, 32), np.uint8))
    for queries in (np.zeros((1, 32), np.uint8), np.zeros(32, np.uint8)):
        with pytest.raises(HashError, match="radius"):
            index.search(queries, radius=radius)  # type: ignore[arg-type]
    with pytest.raises(HashError, match="radius"):
        index.explain(radius=radius)  # type: ignore[arg-type]
    assert index.search(np.zeros((1, 32), np.uint8), radius=np.int64(256))[0].tolist() == [0, 1]  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [1.0, "1", None, True, -1, 1 << 70])
def test_other_numbers_are_whole_as_a_radius_is(number: object) -> None:
    """Of threads, and of queries that a plan is made for."""
    queries = np.zeros((1, 32), np.uint8)
    index = HammingIndex.build(queries)
    for asked in (queries, queries[0]):
        with pytest.raises(HashError, match="threads must be an integer from 1"):
            index.search(asked, radius=31, threads=number)  # type: ignore[arg-type]
    with pytest.raises(HashError, match="threads must be an integer from 1"):
        HammingIndex.build(queries, threads=number)  # type: ignore[arg-type]
    with pytest.raises(HashError, match="queries must be an integer from 0"):
        index.explain(queries=number, radius=31)  # type: ignore[arg-type]
    assert index.search(queries, radius=0, threads=np.int64(2))[0].tolist() == [0, 1]  # type: ignore[arg-type]


def test_open_refuses_another_index(tmp_path: Path) -> None:
    """An index of digests is not taken for one of codes, though both hold rows of 32 bytes."""
    path = tmp_path / "digests.idx"
    DigestIndex.build(np.zeros((1, 32), np.uint8)).save(path)
    with pytest.raises(IndexFileError, match="holds 'digests', not 'hamming'"):
        HammingIndex.open(path)


def test_no_code_is_shown(tmp_path: Path) -> None:
    """The text form of an index shows its size, never a code; only the owner may read its file."""
    index = HammingIndex.build(np.full((1, 8), 0xAB, np.uint8))
    assert repr(index) == "<HammingIndex of 1 codes of 64 bits>"
    path = tmp_path / "codes.idx"
    index.save(path)
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_built_from_arrays_one_behind_the_other() -> None:
    """An iterable of arrays makes the index of all of them, though the caller reuses one array."""
    rng = np.random.default_rng(8)
    codes = rng.integers(0, 256, (25_000, 32), np.uint8)

    def pieces() -> Iterator[Codes]:
        piece = np.empty((10_000, 32), np.uint8)
        for start in (0, 10_000):
            piece[:] = codes[start : start + 10_000]
            yield piece
        yield codes[20_000:20_000]
        yield codes[20_000:]

    index = HammingIndex.build(pieces())
    np.testing.assert_array_equal(index.codes, codes)
    offsets, rows, distances = index.search(codes[[3, 24_999]], radius=0)
    assert (offsets.tolist(), rows.tolist(), distances.tolist()) == (
        [0, 1, 2],
        [3, 24_999],
        [0, 0],
    )


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ([], "gives their width"),
        (
            [np.zeros((2, 8), np.uint8), np.zeros((2, 16), np.uint8)],
            "codes of array 2 have 128 bits",
        ),
        ([np.zeros((2, 8), np.int64)], "codes of array 1 must be a uint8 array"),
        (7, "not int"),
        (memoryview(np.zeros((2, 8), np.uint8)), "or an iterable of them, not memoryview"),
        (bytearray(16), "or an iterable of them, not bytearray"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays: Any, text: str) -> None:
    """The message names the array, counted from 1."""
    with pytest.raises(HashError, match=text):
        HammingIndex.build(arrays)


def test_queries_are_an_array_though_bytes_would_have_the_form() -> None:
    """Bytes are refused whether or not they would find something."""
    codes = np.zeros((3, 32), np.uint8)
    index = HammingIndex.build(codes)
    for query in (bytes(32), bytearray(b"\xff" * 32), memoryview(bytes(32))):
        with pytest.raises(HashError, match="uint8 array"):
            index.search(query, radius=31)  # type: ignore[arg-type]


def test_a_pickle_of_an_opened_index_opens_its_file(tmp_path, monkeypatch):
    """From wherever it is read, though the path was relative; the codes are not in it."""
    codes = np.random.default_rng(1).integers(0, 256, (500, 32), np.uint8)
    monkeypatch.chdir(tmp_path)
    HammingIndex.build(codes).save("codes.idx")
    text = pickle.dumps(HammingIndex.open("codes.idx", hugepages=True))
    monkeypatch.chdir("/")
    index = pickle.loads(text)

    assert len(text) < 1000
    assert_equal(index.search(codes[:3], radius=100), brute_force(codes, codes[:3], 100))


def test_a_pickle_knows_its_file_from_another(tmp_path):
    """An index of as many codes saved over the file is refused: its rows are others."""
    codes = np.random.default_rng(1).integers(0, 256, (2, 5, 8), np.uint8)
    path = tmp_path / "codes.idx"
    HammingIndex.build(codes[0]).save(path)
    text = pickle.dumps(HammingIndex.open(path))

    HammingIndex.build(codes[1]).save(path)
    with pytest.raises(IndexFileError, match="is not the index that was pickled"):
        pickle.loads(text)
    HammingIndex.build(codes[0]).save(path)
    assert (pickle.loads(text).codes == codes[0]).all()


def test_an_index_that_was_built_says_how_others_get_it():
    """A built index has no path for a pickle; the error says what to do. It is its own copy."""
    index = HammingIndex.build(np.zeros((1, 8), np.uint8))

    with pytest.raises(TypeError, match="save it, open the file"):
        pickle.dumps(index)
    assert copy.copy(index) is copy.deepcopy(index) is index
