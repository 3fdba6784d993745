"""Open a list mapped or in memory, and search it with several threads."""

from pathlib import Path

import numpy as np
import pytest

from screener.errors import HashError
from screener.lists.hashlist import HashList


def codes(count: int, seed: int = 1) -> np.ndarray:
    """Return random codes of 256 bits."""
    return np.random.default_rng(seed).integers(0, 256, (count, 32), np.uint8)


@pytest.fixture
def folder(make_list) -> Path:
    """Return the folder of a list of 300 PDQ values."""
    rows = [{"id": str(i), "pdq": code.tobytes().hex()} for i, code in enumerate(codes(300))]
    return make_list(rows).path


def mapped(folder: Path) -> bool:
    """Whether this process reads an index file of the list where it is mapped: then some of it is
    in memory. Of one that was copied the mapping only holds the file.
    """
    resident = []
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(maxsplit=1)[0]:
            ours = f"{folder.resolve()}/segments/" in line
        elif line.startswith("Rss:") and ours:
            resident.append(int(line.split()[1]))
    assert resident
    return sum(resident) > 0


@pytest.mark.parametrize("hugepages", [False, True])
def test_hugepages_are_memory_of_this_process(folder: Path, hugepages: bool) -> None:
    """The files are mapped unless large pages are requested; the results are the same."""
    known = HashList.open(folder, hugepages=hugepages)
    offsets, _, distances = known.search("pdq", codes(300), radius=0)
    assert mapped(folder) is not hugepages
    assert offsets.tolist() == list(range(301))
    assert not distances.any()


def test_a_refreshed_list_keeps_to_large_pages(folder: Path, tmp_path: Path) -> None:
    """`refresh` opens files in memory too."""
    known = HashList.open(folder, hugepages=True)
    more = tmp_path / "more.csv"
    more.write_text("id,pdq\nnew," + codes(1, seed=2)[0].tobytes().hex() + "\n")
    known.import_file(more)
    newer = known.refresh()
    assert newer.generation == known.generation + 1
    assert len(newer.search("pdq", codes(1, seed=2), radius=0)[1]) == 1
    assert not mapped(folder)


def test_threads_change_no_answer(folder: Path) -> None:
    """Any number of threads returns the same hits in the same order."""
    known = HashList.open(folder)
    one = known.search("pdq", codes(300), radius=110)
    many = known.search("pdq", codes(300), radius=110, threads=3)
    assert len(one[1]) > 300
    for left, right in zip(one, many, strict=True):
        np.testing.assert_array_equal(left, right)
    with pytest.raises(HashError):
        known.search("pdq", codes(1), radius=1, threads=0)


def test_the_snapshot_of_a_kind(folder: Path) -> None:
    """It has the rows of a search; a kind without values has none."""
    known = HashList.open(folder)
    snapshot = known.snapshot("pdq")
    rows = known.search("pdq", codes(1), radius=0)[1]
    np.testing.assert_array_equal(snapshot.codes(rows), codes(1))
    assert [plan.way for plan in snapshot.explain(radius=31)] == ["flat"]
    for kind in ("phash", "md5", "nonsense"):
        with pytest.raises(HashError):
            known.snapshot(kind)
