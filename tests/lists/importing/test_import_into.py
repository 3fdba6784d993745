"""What a small import into a large list writes and what a refresh opens, whatever the size."""

import hashlib

import numpy as np
import pytest

from screener import HashList
from screener.index import tiers
from screener.index.hamming import HammingIndex


def code(number):
    """A well-mixed code."""
    return hashlib.shake_128(str(number).encode()).digest(32)


@pytest.fixture
def grow(tmp_path, monkeypatch):
    """Imports rows into a list of a big part; tells what was built, and the list that follows."""
    monkeypatch.setattr(tiers, "AT_ONCE", 512)
    monkeypatch.setattr(tiers, "SMALLEST", 8)
    built, opened = [], []
    build, opening = HammingIndex.build, HammingIndex.open
    one = HashList.create(tmp_path / "big.list")
    numbers = iter(range(1_000_000))

    def noted_build(codes, **settings):
        built.append(len(codes))
        return build(codes, **settings)

    def noted_open(path, **settings):
        opened.append(path.name)
        return opening(path, **settings)

    monkeypatch.setattr(HammingIndex, "build", noted_build)
    monkeypatch.setattr(HammingIndex, "open", noted_open)

    def imported(count):
        nonlocal one
        file = tmp_path / "rows.csv"
        lines = [f"e{number},{code(number).hex()}\n" for number, _ in zip(numbers, range(count))]  # noqa: B905
        file.write_text("id,pdq\n" + "".join(lines))
        built.clear()
        one.import_file(file, source="s")
        opened.clear()
        one = one.refresh()
        return one, list(built), list(opened)

    return imported


def sizes(one):
    """The values in each file, oldest first."""
    return [part.rows for part in one._generation.segments["pdq"].indexes]


def test_a_small_import_leaves_the_large_file_alone(grow):
    """It builds one file of its own size, and a refresh opens that one."""
    before, _, _ = grow(4_000)
    for _ in range(3):
        after, built, opened = grow(10)
        assert sum(built) <= 8 * 30
        assert len(opened) == 1
        assert after._snapshots["pdq"].parts[0] is before._snapshots["pdq"].parts[0]
    assert sizes(after)[0] == 4_000
    assert sum(sizes(after)) == 4_030


def test_at_its_worst_it_merges_no_more_than_is_done_at_once(grow):
    """Parts that fall by just less than the factor: all but the large one, which stays mapped."""
    before, _, _ = grow(4_000)
    for count in (384, 48, 6):
        grow(count)
    after, built, opened = grow(2)

    assert max(built) == 440 <= tiers.AT_ONCE
    assert sizes(after) == [4_000, 440]
    assert len(opened) == 1
    assert after._snapshots["pdq"].parts[0] is before._snapshots["pdq"].parts[0]
    query = np.frombuffer(code(4_439), np.uint8)
    assert after.search("pdq", query, radius=0)[2].tolist() == [0]


def test_the_large_file_stays_even_where_there_is_one_part_too_many(grow):
    """The merge that this makes due takes the small ones only."""
    grow(40_000)
    for number in range(tiers.MOST - 1):
        grow(300 - number)
    after, built, _ = grow(2)
    small = sum(300 - number for number in range(tiers.MOST - 1)) + 2

    assert built[-1] == small > tiers.AT_ONCE
    assert sizes(after) == [40_000, small]
