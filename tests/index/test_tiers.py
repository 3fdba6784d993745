"""Tiers: how many parts a search visits, and how often a value is copied."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screener.errors import HashError, IndexFileError
from screener.index import snapshot
from screener.index.digests import DigestIndex
from screener.index.hamming import HammingIndex
from screener.index.parts import open_removed, save_removed
from screener.index.snapshot import Snapshot
from screener.index.tiers import AT_ONCE, FACTOR, MOST, SMALLEST, kept_parts
from screener.index.values import as_values

SORTED = np.sort(np.arange(100, dtype=">u8")).view(np.uint8).reshape(100, 8)


def grow(sizes, fresh):
    """The part sizes after a change, and how many values it copied."""
    kept = kept_parts(sizes, fresh, 0)
    copied = fresh + sum(sizes[kept:])
    return [*sizes[:kept], *([copied] if copied else [])], copied


@given(st.lists(st.integers(0, 3_000_000), max_size=60))
def test_the_parts_stay_few_whatever_is_added(changes):
    """Never more than the bound, and no value is lost."""
    sizes = []
    for fresh in changes:
        sizes, _ = grow(sizes, fresh)
        assert len(sizes) <= MOST

    assert sum(sizes) == sum(changes)


def test_a_thousand_small_changes_to_a_big_index_copy_little():
    """Into ten million, a thousand at a time: no change copies the big part, few copy much."""
    sizes, copies = [10_000_000], []
    for _ in range(3_000):
        sizes, copied = grow(sizes, 1_000)
        copies.append(copied)

    assert sizes[0] == 10_000_000
    assert sum(copied > AT_ONCE for copied in copies) <= 3
    assert sum(copies) / 3_000_000 < 20
    assert np.median(copies) <= 8_000


def test_small_parts_do_not_linger():
    """Below the smallest size everything is one part; a removal alone merges small parts."""
    sizes = []
    for _ in range(100):
        sizes, _ = grow(sizes, 40)
    assert sizes == [4_000]
    assert kept_parts([10_000_000, SMALLEST - 1], 0, 5) == 1
    assert kept_parts([10_000_000, SMALLEST], 0, 5) == 2
    assert kept_parts([FACTOR * SMALLEST, SMALLEST], 0, 5) == 2


def test_many_removed_rows_have_all_merged():
    """No more than a quarter of what is searched is searched in vain."""
    assert kept_parts([10_000, 5_000], 0, 3_750) == 2
    assert kept_parts([10_000, 5_000], 0, 3_751) == 0


def test_digests_are_found_over_several_parts():
    """Rows count on from part to part, removed rows are left out, and values are found by row."""
    parts = [DigestIndex.build(SORTED[::3]), DigestIndex.build(SORTED[1::3])]
    snapshot = Snapshot(parts, np.array([0, 34, 40]))

    offsets, rows = snapshot.lookup(SORTED)

    found = {number for number in range(100) if offsets[number + 1] > offsets[number]}
    assert found == {n for n in range(100) if n % 3 < 2} - {0, 1, 19}
    assert (snapshot.codes(rows) == SORTED[sorted(found)]).all()
    assert len(snapshot) == len(found) == 64
    assert snapshot.find(as_values(SORTED[:3])).tolist() == [0, 34, -1]
    assert snapshot.codes([]).shape == (0, 8)
    with pytest.raises(HashError):
        snapshot.search(SORTED, radius=0)


@pytest.mark.parametrize("removed", [[3, 3], [4, 3], [-1], [100]])
def test_removed_rows_that_do_not_fit_are_refused(removed, tmp_path):
    """Out of order, twice, or beyond the parts: not taken for something else."""
    index = HammingIndex.build(SORTED)
    with pytest.raises(IndexFileError):
        Snapshot([index], np.array(removed, np.int64))
    save_removed(tmp_path / "x.gone", np.array(removed, np.int64))
    with pytest.raises(IndexFileError):
        Snapshot([index], open_removed(tmp_path / "x.gone"))


def test_damaged_parts_are_not_merged(monkeypatch):
    """Values out of order, or one in two parts, can only come of damage."""
    with pytest.raises(IndexFileError, match="not in order"):
        Snapshot([HammingIndex.build(SORTED[::-1])]).live()
    monkeypatch.setattr(snapshot, "_BLOCK", 2)
    for some in (SORTED[5:6], SORTED[:7], SORTED[-1:]):
        for parts in ((SORTED, some), (some, SORTED)):
            with pytest.raises(IndexFileError, match="same value"):
                Snapshot([HammingIndex.build(one) for one in parts]).verify()
    Snapshot([HammingIndex.build(SORTED[::2]), HammingIndex.build(SORTED[1::2])]).verify()
