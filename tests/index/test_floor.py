"""Reading the memory of an index: the lines of look-ups, all codes, and a scan without tables."""

import numpy as np
import pytest

from screener.index.floor import HINTS, LINE_GROUP, Floor
from screener.index.hamming import HammingIndex


@pytest.fixture(scope="module")
def index():
    """Return an index that is large enough for tables."""
    return HammingIndex.build(np.random.default_rng(1).integers(0, 256, (30_000, 32), np.uint8))


@pytest.fixture(scope="module")
def queries():
    """Return random queries, the first two of them alike."""
    drawn = np.random.default_rng(2).integers(0, 256, (3 * LINE_GROUP, 32), np.uint8)
    drawn[1] = drawn[0]
    return drawn


def sum_words(array):
    """Return the sum of an array's 64-bit words, which reading it returns."""
    return int(array.reshape(-1).view(np.uint64).sum())


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_all_codes_are_read_once(index, queries, parts):
    """By one thread or in parts, which are of whole cache lines."""
    floor = Floor(index, queries, 31)
    read = sum(floor.read_codes(part, parts) for part in range(parts)) % 2**64
    assert read == sum_words(index.codes)


def test_lines_of_look_ups_are_read_with_each_hint(index, queries):
    """The same words, whatever the hint; more for a larger radius."""
    floor = Floor(index, queries, 31)
    assert floor.groups == 3
    sums = [[floor.read_lines(group, hint, ahead) for group in range(3)] for hint, ahead in HINTS]
    assert sums[0] == sums[1] == sums[2]
    assert len(set(sums[0])) == 3
    assert 0 < Floor(index, queries, 15).lines < floor.lines


def test_a_search_that_is_a_scan_reads_no_lines(queries):
    """A small index has no tables."""
    floor = Floor(HammingIndex.build(queries), queries, 31)
    assert (floor.lines, floor.groups) == (None, 0)


def test_a_scan_finds_what_the_search_finds(index, queries):
    """Without tables, at the same radius."""
    floor, query = Floor(index, queries, 31), index.codes[17].copy()
    query[:3] ^= 255
    found = [np.asarray(part).tolist() for part in floor_pairs(floor.scan(query))]
    assert found == [part.tolist() for part in index.search(query, radius=31)]
    assert found[1] == [17]


def floor_pairs(hits):
    """Return offsets, rows and distances of the core's packed or separate arrays."""
    if isinstance(hits, bytearray):
        count = (len(hits) - 16) // 10
        return (
            np.frombuffer(hits, np.int64, 2),
            np.frombuffer(hits, np.int64, count, 16),
            np.frombuffer(hits, np.uint16, count, 16 + 8 * count),
        )
    return hits
