"""Mutated files for every reader: a short run, and all files that once broke one."""

import fuzz_readers
import pytest

from screener.lists.formats.registry import FORMATS

KEPT = sorted(fuzz_readers.BROKEN.glob("*-*"))
_FILES = 300


@pytest.mark.parametrize("name", sorted(fuzz_readers.SEEDS))
def test_mutated_files_never_break_a_reader(name):
    """Rows or a refusal, without a hash in it, and only storable rows; the same files each run."""
    made = fuzz_readers.files(name, seed=7)

    for _ in range(_FILES):
        fuzz_readers.check(name, next(made))


def test_every_reader_is_fuzzed():
    """No reader is missing."""
    assert set(fuzz_readers.SEEDS) == set(FORMATS)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_files_that_broke_a_reader(path):
    """They no longer do."""
    fuzz_readers.check(path.name.rpartition("-")[0], path.read_bytes())
