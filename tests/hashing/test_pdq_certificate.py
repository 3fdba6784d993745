"""If PDQ is computed from samples, the reference must agree: the bounds behind that hold."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pdqhash
import pytest
from numpy.typing import NDArray
from thorough import besides

import screener._core as _core

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

COLOURED = (200, 300, 3)

SCALE = np.float32(math.sqrt(2 / 64))
MATRIX = np.array(
    [[SCALE * math.cos(math.pi / 128 * i * (2 * j + 1)) for j in range(64)] for i in range(1, 17)]
).astype(np.float32)


def luma(pixels: Pixels) -> NDArray[np.float32]:
    """As the reference's binding rounds it."""
    if pixels.ndim == 2:
        return pixels.astype(np.float32)
    red, green, blue = np.moveaxis(pixels.astype(np.float64), 2, 0)
    return ((0.299 * red + 0.587 * green) + 0.114 * blue).astype(np.float32)


def box(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The reference's running mean down the columns, float32 and in its order."""
    length = len(values)
    window = -(-length // 128)
    lag = (window + 2) // 2 - 1
    out = np.empty_like(values)
    sums = np.zeros_like(values[0])
    for step in range(length + lag):
        if step < length:
            sums = sums + values[step]
        if step >= window:
            sums = sums - values[step - window]
        if step >= lag:
            count = min(step, length - 1) - max(step - window + 1, 0) + 1
            out[step - lag] = sums / np.float32(count)
    return out


def sampled(filtered: Floats) -> Floats:
    """One value for each cell of the grid."""
    rows, columns = (((2 * np.arange(64) + 1) * side) // 128 for side in filtered.shape)
    return filtered[np.ix_(rows, columns)]


def reference_coefficients(pixels: Pixels) -> Floats:
    """What the reference's float32 arithmetic makes of a picture, in its order of operations."""
    values = luma(pixels)
    for _ in range(2):
        values = box(np.ascontiguousarray(box(np.ascontiguousarray(values.T)).T))
    grid = sampled(values).astype(np.float32)
    half = np.zeros((16, 64), np.float32)
    for k in range(64):
        half = half + MATRIX[:, k, None] * grid[k]
    found = np.zeros((16, 16), np.float32)
    for k in range(64):
        found = found + half[:, k, None] * MATRIX[None, :, k]
    return found.astype(np.float64).ravel()


def averaging(length: int) -> Floats:
    """The matrix of two boxes and the samples, in double precision."""
    window = -(-length // 128)
    half = (window + 2) // 2
    one = np.zeros((length, length))
    for k in range(length):
        inside = slice(max(k - (window - half), 0), min(k + half, length))
        one[k, inside] = 1 / (inside.stop - inside.start)
    return one[((2 * np.arange(64) + 1) * length) // 128] @ one


def exact_samples(pixels: Pixels) -> Floats:
    """The grid without any rounding that matters."""
    values = pixels.astype(np.float64)
    if pixels.ndim == 3:
        values = values @ np.array([299.0, 587.0, 114.0]) / 1000
    height, width = values.shape
    return averaging(height) @ values @ averaging(width).T


def exact_coefficients(pixels: Pixels) -> Floats:
    """The coefficients of it."""
    matrix = MATRIX.astype(np.float64)
    return (matrix @ exact_samples(pixels) @ matrix.T).ravel()


def noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Pixels:
    """Every value, everywhere."""
    return rng.integers(0, 256, shape, np.uint8)


def saturated(rng: np.random.Generator, shape: tuple[int, ...]) -> Pixels:
    """Black or white, everywhere."""
    return (rng.integers(0, 2, shape) * 255).astype(np.uint8)


def bright(rng: np.random.Generator, shape: tuple[int, ...]) -> Pixels:
    """A flat picture, whose sums are largest."""
    return np.full(shape, rng.integers(250, 256), np.uint8)


def sawtooth(rng: np.random.Generator, shape: tuple[int, ...]) -> Pixels:
    """Its period is the windows', give or take one, so that sums stay near one value."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    periods = [max(-(-side // 128) + int(rng.integers(-1, 2)), 2) for side in shape[:2]]
    values = (x % periods[1] * 97 + y % periods[0] * 53) % 256
    return np.broadcast_to(values[..., None] if len(shape) == 3 else values, shape).astype(np.uint8)


def powers(rng: np.random.Generator, shape: tuple[int, ...]) -> Pixels:
    """Pictures near powers of two, at which the last place of a sum changes its worth."""
    means = np.array([31, 32, 33, 63, 64, 65, 127, 128, 129])
    return rng.choice(means, shape).astype(np.uint8)


def dim(rng: np.random.Generator, shape: tuple[int, ...]) -> Pixels:
    """Nearly black."""
    return rng.integers(0, 3, shape, np.uint8)


DRAWN = [noise, saturated, bright, sawtooth, powers, dim]
SHAPES: list[tuple[int, ...]] = [
    (97, 64, 3),
    (128, 129),
    (130, 200, 3),
    (256, 256),
    (300, 513, 3),
    (257, 384),
    (640, 390, 3),
]


ROWS = (1, 2, 17, 32, 45, 60, 63)
"""Of the grid, filtered in the reference's order before the rest is sampled."""


@pytest.mark.parametrize("draw", DRAWN)
def test_the_bound_holds(draw: Callable[..., Pixels]) -> None:
    """The reference's coefficients are within the bound of ours and of exact ones."""
    rng = np.random.default_rng(len(draw.__name__))
    for shape in SHAPES:
        pixels = draw(rng, shape)
        ours, bounds, _ = _core.pdq_doubt(pixels)
        reference, exact = reference_coefficients(pixels), exact_coefficients(pixels)
        for other in (exact, ours):
            assert np.all(np.abs(reference - other) <= bounds), (shape, draw.__name__)
        assert np.all(np.abs(ours - exact) <= bounds / 2)
        for rows in ROWS:
            nearer, less, _ = _core.pdq_doubt(pixels, rows)
            assert np.all(np.abs(reference - nearer) <= less), (shape, draw.__name__, rows)


def drifting_line(rng: np.random.Generator, width: int, way: int) -> Pixels:
    """Colours whose luma leaves a last place of the running sum behind, every other window.

    A value half-way between two floats is rounded up or down by whether the sum before is even. So
    windows of such values stand between windows of others, that make it odd when they come and even
    when they go.
    """
    colours = rng.integers(130, 200, (20_000, 3), np.uint8)
    window = -(-width // 128)
    values = luma(colours[None])[0]
    within = (values * window > 512) & (values * (window + 1) < 1023)
    colours, values = colours[within], values[within]
    places = values.astype(float) / float(np.spacing(np.float32(1000)))
    half, odd = places % 1 == 0.5, np.rint(places - 0.25) % 2 == 1
    up, down = half & (np.floor(places) % 2 == 0), half & (np.floor(places) % 2 == 1)
    if way < 0:
        up, down = down, up
    windows = [~half & odd, up, ~half & ~odd, down]
    return np.array([rng.choice(colours[windows[n // window % 4]]) for n in range(width)])


def drifting(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Rows whose sums drift up in the upper half and down in the lower: the lowest frequency."""
    up, down = (drifting_line(rng, width, way) for way in (1, -1))
    return np.array([up] * (height // 2) + [down] * (height - height // 2))


@pytest.mark.parametrize("width", [384, 512])
def test_the_bound_is_within_reach(width: int) -> None:
    """Of pictures made to drift, one box of four alone uses up a fair part of it, and no more."""
    pixels = drifting(np.random.default_rng(width), 128, width)
    reference, exact = reference_coefficients(pixels), exact_coefficients(pixels)
    ours, bounds, _ = _core.pdq_doubt(pixels)
    share = np.abs(reference - ours) / bounds
    assert 0.05 < share[0] == share.max() < 1
    assert np.abs(ours - exact).max() < np.abs(reference - exact).max() / 20
    for rows in ROWS:
        nearer, less, _ = _core.pdq_doubt(pixels, rows)
        assert np.all(np.abs(reference - nearer) <= less), rows


@pytest.mark.parametrize("turned", [False, True])
def test_rows_that_are_filtered_settle_the_rest(turned: bool) -> None:
    """The more rows of the grid are the reference's own, the less can sums below them change."""
    pixels = drifting(np.random.default_rng(5), 128, 384)
    if turned:  # then it is sums down the columns that drift, which is known as far as they went
        pixels = np.ascontiguousarray(pixels.swapaxes(0, 1))
    reference = reference_coefficients(pixels)
    first = _core.pdq_doubt(pixels)[1].mean()
    away = []
    for rows in (0, 16, 32, 48, 60):
        ours, bounds, _ = _core.pdq_doubt(pixels, rows)
        assert bounds.mean() < 1.1 * (1 - rows / 64) * first + 0.01
        away.append(float(np.abs(reference - ours).max()))
    assert away == sorted(away, reverse=True)
    assert away[0] > 0.02
    assert away[-1] < away[0] / 10


def test_the_bound_is_of_use() -> None:
    """It is well under the gap that the median of an ordinary picture leaves."""
    y, x = np.mgrid[:512, :512]
    shades = 120 + 50 * np.sin(x / 31 + y / 87) + 40 * np.cos(y * y / 9000 - x / 50)
    pixels = (shades + np.random.default_rng(3).integers(0, 40, (512, 512))).astype(np.uint8)
    _, bounds, _ = _core.pdq_doubt(pixels)
    assert np.median(bounds) < 0.2
    assert bounds.max() < 2


def reference(pixels: Pixels) -> tuple[bytes, int]:
    """Hash and quality from the published C++."""
    rgb = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels
    vector, quality = pdqhash.compute(np.ascontiguousarray(rgb))
    return np.packbits(vector).tobytes(), quality


def bits(coefficients: NDArray[np.float32]) -> bytes:
    """The hash of coefficients."""
    above = coefficients > np.sort(coefficients)[127]
    return np.packbits(above[::-1]).tobytes()


def gap(pixels: Pixels) -> tuple[float, float, bool]:
    """Between the middle coefficients; what their bounds allow; whether the hash is certain."""
    ours, bounds, certain = _core.pdq_doubt(pixels)
    order = np.argsort(ours, kind="stable")
    lower, upper = order[127], order[128]
    return float(ours[upper] - ours[lower]), float(bounds[lower] + bounds[upper]), certain


def textured(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Waves of several lengths under some noise, of certain quality."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    values = np.full(shape[:2], 128.0)
    for _ in range(8):
        a, b, c = rng.uniform(-64, 64, 3)
        values += 14 * np.sin(x * a / shape[1] + y * b / shape[0] + c)
    values = values[..., None] if len(shape) == 3 else values
    return np.clip(values + rng.uniform(-20, 20, shape), 0, 255)


def blends(rng: np.random.Generator, shape: tuple[int, ...]) -> list[Pixels]:
    """Mixtures of two pictures, ever nearer to the point where their middle coefficients swap."""
    one, other = textured(rng, shape), textured(rng, shape)
    found: list[Pixels] = []

    def mixed(share: float) -> Pixels:
        found.append(np.round(one * (1 - share) + other * share).astype(np.uint8))
        return found[-1]

    for share in np.linspace(0.05, 0.95, 10):
        mixed(float(share))
    low, high = 0.0, 1.0
    start = reference(mixed(low))[0]
    for _ in range(18):
        middle = (low + high) / 2
        if reference(mixed(middle))[0] == start:
            low = middle
        else:
            high = middle
    return found


@pytest.mark.parametrize("shape", besides(COLOURED, [(256, 320), COLOURED, (512, 512)]))
def test_pictures_at_the_bound(shape: tuple[int, ...]) -> None:
    """Driven onto a tie, pictures are refused well inside the bound, and always hashed alike."""
    rng = np.random.default_rng(shape[0])
    inside = outside = settled = 0
    for _ in range(3):
        for pixels in blends(rng, shape):
            between, allowed, certain = gap(pixels)
            found = _core.pdq(pixels)
            assert found == reference(pixels)
            assert found == _core.pdq_exact(pixels)
            if between <= allowed / 20:
                inside += 1
                assert not certain
            elif certain:
                outside += 1
            for rows in (8, 24, 40, 56):
                nearer, _, sure = _core.pdq_doubt(pixels, rows)
                assert not sure or (bits(nearer), found[1]) == found
                settled += sure > certain
    assert inside >= 3
    assert outside >= 2
    assert settled >= 10


def bounded(pixels: Pixels, p: int = 0, q: int = 1) -> tuple[Floats, float, Floats, Floats]:
    """What roundings but those of the DCT can do, if no row is filtered."""
    return _core.pdq_bounds(*pixels.shape[:2], 3 if pixels.ndim == 3 else 1, 0, p, q)


def doubted_pairs(pixels: Pixels) -> tuple[int, int]:
    """How many pairs across the median could change places by their bounds; and how many of them
    still could when what moves both alike is left out.
    """
    ours, bounds, _ = _core.pdq_doubt(pixels)
    dct = bounds - bounded(pixels)[0]
    values = ours.astype(np.float64)
    lower = ours <= np.sort(ours)[127]
    pairs = [
        (p, q, values[q] - values[p])
        for p in np.flatnonzero(lower).tolist()
        for q in np.flatnonzero(~lower & (values - values[p] <= bounds[p] + bounds)).tolist()
    ]
    close = [gap <= bounded(pixels, p, q)[1] + dct[p] + dct[q] for p, q, gap in pairs]
    return len(pairs), int(np.count_nonzero(close))


@pytest.mark.parametrize("shape", [(256, 320), (200, 300, 3)])
def test_a_hash_is_certain_beyond_the_bounds_alone(shape: tuple[int, ...]) -> None:
    """A hash is certain exactly if no pair across the median can swap."""
    rng = np.random.default_rng(shape[0] + 1)
    settled = doubted = clear = 0
    for _ in range(4):
        for pixels in blends(rng, shape)[:22]:
            pairs, close = doubted_pairs(pixels)
            assert pairs <= 32
            assert _core.pdq_doubt(pixels)[2] == (close == 0)
            settled += pairs > 0 and close == 0
            doubted += close > 0
            clear += pairs == 0
    assert settled >= 2
    assert doubted >= 10
    assert clear >= 10


def crowded_middle() -> Pixels:
    """A picture whose fastest coefficients lie eight and eight about the median, so far from each
    other that no two can change places; but the slowest, which can move most, lies below them.
    """
    rng = np.random.default_rng(2)
    wanted = np.zeros((16, 16))
    fast = np.zeros((16, 16), bool)
    fast[12:, 12:] = True
    others = ~fast
    others[0, 0] = False
    wanted[fast] = rng.permutation(np.repeat([-0.08, 0.08], 8))
    wanted[0, 0] = -0.6
    wanted[others] = rng.permutation(np.repeat([-4.0, 4.0], [119, 120]))
    asked = wanted.copy()
    for _ in range(3):  # greys are whole numbers: what they make of it is taken off
        grid = 40 + MATRIX.T.astype(float) @ asked @ MATRIX
        rows = np.kron(grid, np.ones((16, 16))).cumsum(axis=1) + rng.random((1024, 1))
        pixels = np.diff(np.floor(rows), axis=1, prepend=0).astype(np.uint8)
        asked += wanted - _core.pdq_doubt(pixels)[0].reshape(16, 16)
    return pixels


def test_a_pair_in_doubt_behind_many_that_are_settled_is_seen() -> None:
    """However many pairs are looked at closely before it."""
    pixels = crowded_middle()
    pairs, close = doubted_pairs(pixels)
    assert pairs - close > 40
    assert close > 0
    assert not _core.pdq_doubt(pixels)[2]
    assert _core.pdq(pixels) == reference(pixels)


def qualities(pixels: Pixels, share: float) -> tuple[int, int]:
    """The least and the largest quality if samples err by that share of what they can."""
    *_, above, beside = bounded(pixels)
    grid = exact_samples(pixels)
    terms = [np.abs(np.diff(grid, axis=0)), np.abs(np.diff(grid, axis=1))]
    errors = [np.tile(above, (63, 1)) * share, np.tile(beside[:, None], (1, 63)) * share]
    least, most = (
        sum(
            int(np.floor(np.maximum(t + way * e, 0) * 100 / 255).sum())
            for t, e in zip(terms, errors, strict=True)
        )
        for way in (-1, 1)
    )
    return min(least // 90, 100), min(most // 90, 100)


def test_a_quality_in_doubt_is_refused() -> None:
    """Pictures of a few edges with noise, whose terms may round either way, and nothing else is in
    doubt.
    """
    rng = np.random.default_rng(1)
    alone = sure = 0
    for _ in range(36):
        values = np.full((220, 260), 60.0)
        for y, x, height, width in rng.integers((0, 0, 20, 20), (220, 260, 110, 130), (4, 4)):
            values[y : y + height, x : x + width] = rng.integers(40, 140)
        pixels = (values + rng.uniform(-12, 12, values.shape)).astype(np.uint8)
        certain = _core.pdq_doubt(pixels)[2]
        least, most = qualities(pixels, 0.9)
        assert not (certain and least < most)
        alone += least < most and doubted_pairs(pixels)[1] == 0
        sure += certain and most < 100
    assert alone >= 6
    assert sure >= 2


def test_a_tie_is_refused() -> None:
    """If coefficients tie in the middle, as in flat and symmetric pictures, no bit is certain."""
    half = np.zeros((300, 400), np.uint8)
    half[:, 200:] = 255
    flat = np.full((300, 400, 3), 255, np.uint8)
    for pixels in (half, half.T, flat, np.zeros((99, 80), np.uint8)):
        assert not _core.pdq_doubt(pixels)[2]
        assert _core.pdq(pixels) == reference(pixels)


def test_quality_at_the_bound() -> None:
    """Of soft pictures, whose quality is under 100, it is the reference's."""
    rng = np.random.default_rng(11)
    seen = set()
    for strength in np.linspace(0.02, 0.6, 60):
        pixels = (128 + (textured(rng, (220, 260)) - 128) * strength).astype(np.uint8)
        assert _core.pdq(pixels) == reference(pixels)
        seen.add(_core.pdq(pixels)[1])
    assert len(seen) > 10


LONG: list[tuple[int, ...]] = [
    (5, 33_000),
    (40_000, 7, 3),
    (16_500, 9),
    (5, 12_345, 3),
    (9_001, 40),
    (5, 524_289),
]


@pytest.mark.parametrize("way", besides("as it is", ["as it is", "turned", "transposed"]))
@pytest.mark.parametrize("shape", LONG)
def test_long_pictures(shape: tuple[int, ...], way: str) -> None:
    """Windows whose weights need several runs of sums, sides too long to be sampled, and one that
    is too long for the kernels: a count of 4097 is divided by."""
    pixels = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    views = {"turned": pixels[::-1, ::-1], "transposed": pixels.swapaxes(0, 1)}
    view = views.get(way, pixels)
    assert _core.pdq(view) == reference(view) == _core.pdq_exact(view)


@pytest.mark.parametrize("first", besides(0, range(3)))
def test_the_samples_of_every_length(first: int) -> None:
    """Full and clipped windows of each parity are weighted as the filter does; white, too, whose
    sums could pass 16 bits: weights are 258 in the last length.
    """
    rng = np.random.default_rng(9)
    lengths = [*range(5, 400, 13), *range(511, 516), 1023, 1024, 1025, 2304]
    for length in lengths[first::3]:
        for shape in ((length, 70), (70, length, 3)):
            pixels = noise(rng, shape)
            pixels[:, : shape[1] // 2] = 255
            ours, bounds, _ = _core.pdq_doubt(pixels)
            exact = exact_coefficients(pixels)
            assert np.all(np.abs(ours - exact) <= np.minimum(bounds / 2, 0.02)), shape


def bits_in_doubt(pixels: Pixels) -> int:
    """How many coefficients can lie on either side of the median, wherever within the bounds all
    of them are.
    """
    ours, bounds, _ = _core.pdq_doubt(pixels)
    least, most = ours - bounds, ours + bounds
    lowest, highest = np.sort(least)[127], np.sort(most)[127]
    return int(np.count_nonzero((most > lowest) & (least <= highest)))


@pytest.mark.parametrize("shape", besides(COLOURED, [(256, 320), COLOURED, (512, 512)]))
def test_a_sketch_is_wrong_in_no_more_bits_than_it_says(shape: tuple[int, ...]) -> None:
    """On a tie and near one, in eight orientations, the quality is certain. The number of doubtful
    bits is what the bounds allow, and larger only within one float of the median.
    """
    rng = np.random.default_rng(shape[1])
    doubted = 0
    half = np.zeros(shape, np.uint8)
    half[:, shape[1] // 2 :] = 255
    ties = [half, (half // 3 + noise(rng, shape) // 2).astype(np.uint8)]
    for _ in range(2):
        for pixels in [*blends(rng, shape), *ties]:
            exact = _core.pdq_orientations(pixels)
            for most in (0, 2, 6, 200):
                sketches = _core.pdq_sketches(pixels, most)
                if said := sketches[0][2]:
                    assert 0 <= said - bits_in_doubt(pixels) <= 2
                for (value, quality, doubt), sure in zip(sketches, exact, strict=True):
                    away = int.from_bytes(value) ^ int.from_bytes(sure[0])
                    assert away.bit_count() <= doubt <= most
                    assert quality == sure[1]
                    doubted += doubt > 0
    assert doubted > 100


def test_flat_and_tiny_pictures_are_sketched_as_they_are_hashed() -> None:
    """Pictures without size, of the grid's size, and flat ones: if all bits are in doubt, none is
    left.
    """
    for shape in ((4, 9), (64, 64), (90, 90), (5, 5)):
        for value in (0, 255):
            pixels = np.full(shape, value, np.uint8)
            exact = _core.pdq_orientations(pixels)
            assert tuple(one[:2] for one in _core.pdq_sketches(pixels, 6)) == exact
