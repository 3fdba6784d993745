"""The cache lines that a search reads, as benchmarks ask for them."""

import numpy as np
import pytest

from screener import HammingIndex, _core


def test_the_lines_of_a_search_hold_its_sketches() -> None:
    """A query's lines lie among the sketches, and more of them are read at a larger radius; an
    index without tables has none.
    """
    codes = np.random.default_rng(4).integers(0, 256, (30_000, 32), np.uint8)
    index = HammingIndex.build(codes)
    assert index._tables.main is not None
    sketches = index._tables.main.sketches
    near, far = (index._index.lines(codes[0], radius) for radius in (0, 31))
    assert 1 <= len(near) < len(far) <= 2 * 272
    assert far.max() < len(sketches) // 32
    # The chunk after the one that a table is keyed by is the sketch: it stands in a line read.
    chunks = np.unpackbits(codes[0], bitorder="little")[_core.chunk_bits(32)].reshape(16, 16)
    wanted = np.packbits(chunks, axis=1, bitorder="little").view(np.uint16).reshape(-1)
    assert np.isin(wanted, sketches.reshape(-1, 32)[far]).all()
    assert len(HammingIndex(codes)._index.lines(codes[0], 31)) == 0


def test_lines_are_asked_for_one_code() -> None:
    """A batch, or a code of another width, is refused."""
    index = HammingIndex.build(np.zeros((10, 32), np.uint8))
    for query in (np.zeros((1, 32), np.uint8), np.zeros(8, np.uint8)):
        with pytest.raises(ValueError, match="one code"):
            index._index.lines(query, 3)
