"""DigestIndex finds the rows that equal a value, and only those."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screener.errors import HashError, IndexFileError
from screener.index import digests
from screener.index.digests import DigestIndex
from screener.index.layout import write_sections

Values = npt.NDArray[np.uint8]


def oracle(values: Values, queries: Values) -> list[list[int]]:
    """The rows that equal each query, by a dictionary of byte strings."""
    rows: dict[bytes, list[int]] = {}
    for row, value in enumerate(values):
        rows.setdefault(value.tobytes(), []).append(row)
    return [rows.get(query.tobytes(), []) for query in queries]


def as_lists(offsets: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> list[list[int]]:
    """The rows of each query."""
    assert offsets.dtype == rows.dtype == np.int64
    return [rows[start:end].tolist() for start, end in pairwise(offsets)]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.sampled_from((1, 7, 8, 9, 16, 20, 32, 144)),
    count=st.sampled_from((0, 1, 2, 3, 50)),
    batch=st.sampled_from((0, 1, 2, 30)),
    varied=st.sampled_from((0, 1, 2, 8)),
)
def test_search_equals_a_dictionary(
    seed: int, size: int, count: int, batch: int, varied: int
) -> None:
    """Any size and count, duplicates and values that share their first bytes: the same rows."""
    rng = np.random.default_rng(seed)
    values = np.zeros((count, size), np.uint8)
    queries = np.zeros((batch, size), np.uint8)
    where = rng.integers(0, size, varied)
    values[:, where] = rng.integers(0, 3, (count, varied)) * 127
    queries[:, where] = rng.integers(0, 3, (batch, varied)) * 127
    index = DigestIndex.build(values)
    assert as_lists(*index.search(queries)) == oracle(values, queries)


CLUSTERS = {
    "random": lambda rng: rng.integers(0, 256, (20_000, 16), np.uint8),
    "at the ends": lambda rng: rng.choice(np.array([0, 255], np.uint8), (20_000, 16)),
    "in one corner": lambda rng: np.pad(
        rng.integers(0, 256, (20_000, 10), np.uint8), ((0, 0), (6, 0))
    ),
    "with one prefix": lambda rng: np.pad(
        rng.integers(0, 256, (2_000, 2), np.uint8), ((0, 0), (14, 0))
    ),
    "short": lambda rng: rng.integers(0, 256, (20_000, 3), np.uint8),
}


@pytest.mark.parametrize("name", CLUSTERS)
def test_search_equals_a_dictionary_however_the_values_lie(name: str) -> None:
    """Places are guessed as those of random values; others are found as well, alone and in batches,
    listed or one off a listed one.
    """
    rng = np.random.default_rng(5)
    values: Values = CLUSTERS[name](rng)
    index = DigestIndex.build(values)
    queries = values[rng.integers(0, len(values), 1_500)]
    queries[500:1_000, -1] += 1
    queries[1_000:, rng.integers(0, values.shape[1])] -= 1
    queries[0], queries[1] = 0, 255
    expected = oracle(values, queries)
    assert as_lists(*index.search(queries)) == expected
    assert [as_lists(*index.search(query))[0] for query in queries] == expected


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_saved_and_opened(tmp_path: Path, count: int) -> None:
    """An opened index has the values, in their order, and the answers of the one saved; nobody can
    write into those of either.
    """
    values = np.random.default_rng(3).integers(0, 256, (count, 20), np.uint8)
    path = tmp_path / "digests.idx"
    built = DigestIndex.build(values)
    built.save(path)
    opened = DigestIndex.open(path)
    opened.verify()
    assert not built.values.flags.writeable
    assert not opened.values.flags.writeable
    assert len(opened) == count
    np.testing.assert_array_equal(opened.values, values)
    assert as_lists(*opened.search(values[::-1])) == [[row] for row in reversed(range(count))]
    assert as_lists(*opened.search(np.zeros(20, np.uint8))) == [[]]


def test_any_memory_layout() -> None:
    """Strided values and queries count by their values, and the index keeps a copy."""
    wide = np.random.default_rng(4).integers(0, 256, (60, 40), np.uint8)
    values = wide[::-2, 4:36]
    index = DigestIndex.build(values)
    kept = values.copy()
    assert as_lists(*index.search(np.asfortranarray(values))) == oracle(kept, kept)
    wide[:] = 0
    np.testing.assert_array_equal(index.values, kept)


def test_more_values_than_rows_have_numbers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are kept in 32 bits: one more value would be found as another."""
    monkeypatch.setattr(digests, "_MOST_VALUES", 3)
    assert len(DigestIndex.build(np.zeros((3, 4), np.uint8))) == 3
    with pytest.raises(HashError, match="at most 3 values"):
        DigestIndex.build(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((2, 0), np.uint8),
        np.zeros(20, np.uint8),
        np.zeros((2, 20), np.int64),
        np.ma.zeros((2, 20), np.uint8),
        b"x" * 20,
    ],
)
def test_build_refuses_other_arrays(values: object) -> None:
    """Another element type, shape or object is the caller's mistake."""
    with pytest.raises(HashError):
        DigestIndex.build(values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "queries", [np.zeros((2, 19), np.uint8), np.zeros((2, 20), np.int32), "x" * 20]
)
def test_search_refuses_other_queries(queries: object) -> None:
    """Queries of another size or type are the caller's mistake, on an empty index too."""
    for count in (0, 3):
        with pytest.raises(HashError):
            DigestIndex.build(np.zeros((count, 20), np.uint8)).search(queries)  # type: ignore[arg-type]


def sections_of(count: int) -> dict[str, npt.NDArray[np.generic]]:
    """What a digest index of that many zero values stores."""
    return {
        "values": np.zeros((count, 16), np.uint8),
        "prefixes": np.zeros(count, np.uint64),
        "order": np.arange(count, dtype=np.uint32),
    }


@pytest.mark.parametrize("name", ["values", "prefixes", "order"])
def test_open_refuses_sections_that_do_not_fit(tmp_path: Path, name: str) -> None:
    """A section that is absent, or longer than the others, is refused at open."""
    path = tmp_path / "digests.idx"
    absent = sections_of(3)
    del absent[name]
    write_sections(path, "digests", absent)
    with pytest.raises(IndexFileError, match=f"no section '{name}'"):
        DigestIndex.open(path)
    longer = sections_of(3) | {name: sections_of(4)[name]}
    write_sections(path, "digests", longer)
    with pytest.raises(IndexFileError, match="differ in length"):
        DigestIndex.open(path)


def test_rows_beyond_the_values_are_refused(tmp_path: Path) -> None:
    """A file with right checksums and rows that lead nowhere raises, and never reads astray."""
    path = tmp_path / "digests.idx"
    write_sections(path, "digests", sections_of(3) | {"order": np.array([0, 7, 1], np.uint32)})
    with pytest.raises(IndexFileError, match="row beyond"):
        DigestIndex.open(path).search(np.zeros(16, np.uint8))


@settings(max_examples=60, deadline=None)
@given(prefixes=st.lists(st.integers(0, 4), min_size=30, max_size=30))
def test_prefixes_out_of_order_never_crash(
    tmp_path_factory: pytest.TempPathFactory, prefixes: list[int]
) -> None:
    """Whatever order the prefixes stand in, a search answers or raises IndexFileError."""
    path = tmp_path_factory.mktemp("digests") / "digests.idx"
    write_sections(path, "digests", sections_of(30) | {"prefixes": np.array(prefixes, np.uint64)})
    queries = np.zeros((5, 16), np.uint8)
    queries[:, 7] = range(5)
    with contextlib.suppress(IndexFileError):
        DigestIndex.open(path).search(queries)
