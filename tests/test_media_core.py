"""What the core looks for in files and pictures before they are hashed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screener import _core


def is_even(line):
    """Whether a line of greys has one colour, by the words of docs/pixels.md."""
    line = line[:: max(1, len(line) // 256)].astype(int)
    if len(line) < 4:
        return False
    away = np.abs(line - np.sort(line)[len(line) // 2])
    quarters = [line[k * len(line) // 4 : (k + 1) * len(line) // 4] for k in range(4)]
    level = all(abs(q.mean() - np.sort(line)[len(line) // 2]) <= 4 for q in quarters)
    return bool(np.sort(away)[min(int(len(line) * 0.98), len(line) - 1)] <= 16 and level)


@settings(max_examples=300)
@given(
    shape=st.tuples(st.integers(1, 900), st.integers(1, 900)),
    noise=st.sampled_from([0, 2, 8, 12, 40]),
    slope=st.sampled_from([0, 0, 6, 12, 30]),
    turn=st.integers(0, 7),
    seed=st.integers(0, 2**32),
)
def test_the_core_tells_edges_of_one_colour(shape, noise, slope, turn, seed):
    """Of pictures of any size and strides: whether any of the four outermost lines has one."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, shape, np.uint8)
    for line in (pixels[0], pixels[:, -1])[: rng.integers(0, 3)]:
        made = rng.integers(0, 256) + rng.normal(0, noise, line.size)
        made = made + np.linspace(0, slope, line.size)
        made[rng.random(line.size) < rng.choice([0, 0.01, 0.03])] = 255
        line[...] = made.clip(0, 255)
    pixels = np.rot90(pixels, turn % 4)[:, :: -1 if turn > 3 else 1]

    lines = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    assert _core.even_edges(pixels) == any(is_even(line) for line in lines)


def test_a_picture_without_pixels_has_no_edges():
    """Nor is one in colour taken, or of other numbers."""
    with pytest.raises(ValueError, match="has pixels"):
        _core.even_edges(np.zeros((0, 5), np.uint8))
    for wrong in (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint16)):
        with pytest.raises(TypeError):
            _core.even_edges(wrong)


@given(data=st.binary(max_size=200), at=st.integers(0, 210))
def test_a_pair_of_bytes_is_found_where_python_finds_it(data, at):
    """The first from a place on, also behind the end; -1 where there is none."""
    data = data.replace(b"\x01", b"\xff").replace(b"\x02", b"\xd9")
    assert _core.find_pair(data, 0xFF, 0xD9, at) == data.find(b"\xff\xd9", at)
