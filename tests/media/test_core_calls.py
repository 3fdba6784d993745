"""What the core finds in files and pictures before they are hashed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import screener._core as _core


def is_even(line):
    """Return whether a line of greys has one colour, as docs/internals/pixels.md defines it."""
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
    """For any size and strides, whether any of the four outermost lines has one colour."""
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


QUARTER = [100] * 25
LINES = [
    ("three are too few", [10] * 3, False),
    ("four are enough", [10] * 4, True),
    ("one in a hundred is far", [*QUARTER * 3, *[100] * 24, 117], True),
    ("two are", [*QUARTER * 3, *[100] * 23, 117, 117], False),
    ("as far as may be", [*QUARTER * 3, *[100] * 20, *[116] * 5], True),
    ("a quarter as far off as may be", [*QUARTER * 3, *[104] * 25], True),
    ("and a grey further", [*QUARTER * 3, *[104] * 24, 105], False),
    ("near the upper of two medians", [*[100, 104] * 48, 100, 100, 120, 120], True),
]


@pytest.mark.parametrize(("line", "even"), [case[1:] for case in LINES], ids=[c[0] for c in LINES])
def test_an_edge_of_one_colour_ends_where_it_is_said_to(line, even):
    """Exact to the grey and the pixel; no other edge of these pictures has one colour."""
    pixels = (np.indices((6, len(line))).sum(axis=0) % 2 * 255).astype(np.uint8)
    pixels[0] = line
    assert _core.even_edges(pixels) == is_even(pixels[0]) == even


def test_a_picture_without_pixels_has_no_edges():
    """Pictures in colour and of other types are refused."""
    with pytest.raises(ValueError, match="has pixels"):
        _core.even_edges(np.zeros((0, 5), np.uint8))
    for wrong in (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint16)):
        with pytest.raises(TypeError):
            _core.even_edges(wrong)


@given(data=st.binary(max_size=200), at=st.integers(0, 210))
def test_a_pair_of_bytes_is_found_where_python_finds_it(data, at):
    """The first from a place on, also behind the end; -1 if there is none."""
    data = data.replace(b"\x01", b"\xff").replace(b"\x02", b"\xd9")
    assert _core.find_pair(data, 0xFF, 0xD9, at) == data.find(b"\xff\xd9", at)


def seams_by_words(grey):
    """Return the rows of a backdrop above and below, as docs/internals/pixels.md defines them."""
    height, width = grey.shape
    every = max(1, height // 512)
    most = (height - max(40, height // 5)) // 2 // every  # lines that are looked at on each side
    if width < 64 or most <= 8:
        return 0, 0
    places = (2 * np.arange(16) + 1) * width // 32 - 2
    samples = grey[:, np.add.outer(places, np.arange(4)).ravel()].astype(int)
    sides = (samples, samples[::-1])
    odd = np.arange(1, 32, 2)
    points = np.sort(grey[np.ix_(odd * height // 32, odd * width // 32)], axis=None).astype(int)
    step = np.clip((points[-13] - points[12]) // 12, 3, 6)
    steps = [np.abs(side[::every][2:] - side[::every][:-2])[:most] > step for side in sides]
    counts = [np.pad(step.sum(axis=1), 1) for step in steps]
    most_by = [np.maximum(np.maximum(one[:-2], one[1:-1]), one[2:]) for one in counts]
    both = np.minimum(*most_by)
    if both.max() < 26:
        return 0, 0
    first = int(np.argmax(both >= 26))
    seam = first + int(np.argmax(both[first : first + 3]))
    if seam < 8 or 2 * both[: seam - 3].max() > both[seam]:
        return 0, 0
    ends = []
    for side, stepped, count in zip(sides, steps, counts, strict=True):
        line = seam - 1 + int(np.argmax(count[seam : seam + 3]))
        if (stepped[line].reshape(8, 8).sum(axis=1) >= 2).sum() < 6:
            return 0, 0
        near = side[line * every : (line + 2) * every + 1]
        sharp = np.abs(np.diff(near, axis=0)).sum(axis=1)
        ends.append(line * every + 1 + int(np.argmax(sharp)))
    return tuple(ends)


@settings(max_examples=300)
@given(
    shape=st.tuples(st.integers(40, 1300), st.integers(50, 700)),
    above=st.integers(0, 300),
    off=st.sampled_from([0, 0, 0, 1, 2, 5]),
    slope=st.sampled_from([0, 0.1, 1, 4]),
    noise=st.sampled_from([0, 1, 3, 8]),
    apart=st.sampled_from([4, 7, 12, 60]),
    part=st.sampled_from([1.0, 0.9, 0.6, 0.3]),
    turn=st.integers(0, 7),
    seed=st.integers(0, 2**32),
)
def test_the_core_tells_where_backdrops_end(
    shape, above, off, slope, noise, apart, part, turn, seed
):
    """For pictures of any size and strides, as many rows as the document says."""
    rng = np.random.default_rng(seed)
    height, width = shape
    made = np.arange(height)[:, np.newaxis] * slope + rng.normal(0, noise, shape)
    inside = made[above : height - above - off, : round(part * width)]
    inside += apart * np.sign(rng.normal(0.5, 1, inside.shape[1]))
    pixels = (made % 256).astype(np.uint8)
    pixels = np.rot90(pixels, turn % 4)[:, :: -1 if turn > 3 else 1]
    for grey in (pixels, pixels.T, np.ascontiguousarray(pixels)):
        assert _core.seams(grey) == seams_by_words(grey)


FORTY = [n for n in range(48) if n % 6 != 5]  # in six parts of eight
STEPS = [
    ("the first of two as sharp", 3, {20: range(64), 21: range(64)}, (20, 20)),
    ("half as many before", 10, {10: range(25), 30: range(50)}, (30, 30)),
    ("more than half before", 10, {10: range(25), 30: range(49)}, (0, 0)),
    ("more, but beside it", 10, {27: range(25), 30: FORTY}, (30, 30)),
    ("more, a line further", 10, {26: range(25), 30: FORTY}, (0, 0)),
]


@pytest.mark.parametrize(
    ("greys", "steps", "rows"), [case[1:] for case in STEPS], ids=[c[0] for c in STEPS]
)
def test_a_backdrop_ends_where_it_is_said_to(greys, steps, rows):
    """Exact to the sample and the line, from above and from below."""
    grey = np.full((200, 64), 100, np.uint8)
    for row, columns in steps.items():
        grey[row : 200 - row, list(columns)] += greys
    assert _core.seams(grey) == seams_by_words(grey) == rows
