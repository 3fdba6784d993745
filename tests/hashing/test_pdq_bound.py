"""The bound of PDQ's roundings is as large as docs/internals/pdq.md says, and hardly larger.

Here every step of every box is followed through the matrices of what comes after it, one at a time;
the core has a formula for their sum.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

import screener._core as _core

Floats = NDArray[np.float64]

COSINES = np.array(
    [
        [math.sqrt(2 / 64) * math.cos(math.pi / 128 * i * (2 * j + 1)) for j in range(64)]
        for i in range(1, 17)
    ]
)
UNIT = 2.0**-24
WHITE = 255.0

SHAPES = [
    (97, 64, 3),
    (130, 200, 3),
    (240, 320, 1),
    (256, 256, 1),
    (300, 513, 3),
    (640, 390, 1),
    (900, 30, 3),
]
MOST = {0: 1.25, 1: 1.25, 2: 1.25, 17: 1.3, 40: 1.45, 60: 3.0, 63: 10.0}
"""For each number of rows that are known, how much larger than need be a bound may be: an even
window has a last mean apart, which is bounded coarsely, and counts for more the less is left.
"""


def half_unit(value: float) -> float:
    """Half a unit in the last place of a float32."""
    return float(np.spacing(np.float32(value))) / 2


class Side:
    """The two boxes and the samples along one side, as matrices."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.window = window = -(-length // 128)
        self.lag = (window + 2) // 2 - 1
        self.samples = ((2 * np.arange(64) + 1) * length) // 128
        self.box = np.zeros((length, length))
        for k in range(length):
            inside = slice(max(k + self.lag - window + 1, 0), min(k + self.lag + 1, length))
            self.box[k, inside] = 1 / (inside.stop - inside.start)
        self.counts = (self.box > 0).sum(axis=1)
        self.step = half_unit((window + 1) * WHITE) + half_unit(window * WHITE)

    def weights(self, cells: Floats) -> list[Floats]:
        """Of the outputs of the first and of the second box, and of the inputs, in each sum of
        cells.
        """
        second = np.zeros((len(cells), self.length))
        np.add.at(second.T, self.samples, cells.T)
        return [second @ self.box, second, second @ self.box @ self.box]

    def errors(self, outputs: Floats) -> Floats:
        """What each step of a box does to each sum: its error is in every later output."""
        tails = np.cumsum((outputs / self.counts)[:, ::-1], axis=1)[:, ::-1]
        before = np.repeat(tails[:, :1], self.lag, axis=1)  # steps before the first output
        return np.hstack([before, tails]) * self.step

    def ready(self, cell: int) -> int:
        """The step of the first box after which a sample is made."""
        return int(self.samples[cell]) + 2 * self.lag


side = functools.cache(Side)

Errors = tuple[Floats, Floats]
"""All errors of one kind: error (y, x) changes sum (i, j) by first[i, y] · second[j, x]."""


def every_error(
    shape: tuple[int, int, int],
    known: int,
    late: bool,
    rows: Floats = COSINES,
    columns: Floats = COSINES,
) -> list[Errors]:
    """What each rounding but those of the DCT can do to rows · grid · columnsᵀ, the coefficients.
    Of the first `known` rows of the grid nothing counts, nor do steps down the columns before the
    last of these rows was made; `late`, nor those until just before the next.
    """
    down, across, colour = side(shape[0]), side(shape[1]), shape[2] == 3
    below = rows.copy()
    below[:, :known] = 0
    first_x, second_x, _ = across.weights(columns)
    first_y, second_y, inputs_y = down.weights(below)
    one, two = down.errors(first_y), down.errors(second_y)
    if known:
        seen = down.ready(known) - 1 if late else down.ready(known - 1)
        two[:, : seen - down.lag + 1] = 0
        # What was left behind by then is added to every mean in the window of the next sample, also
        # to those that were made before some of it was.
        means = np.arange(down.length) + down.lag
        within = down.box[down.samples[known]] / down.counts
        steps = np.arange(one.shape[1])
        early = ((means < steps[:, None]) & (means <= seen)) @ within
        one = np.where(steps <= seen, -down.step * rows[:, known, None] * early, one)
    # The luma, four divisions, our own samples, and what is added to them.
    taps = shape[2] * (2 * across.window - 1)
    roundings = (4 + colour) + (3 + 2 + -(-taps // 16) + 4) + (known > 0)
    found = [
        (first_y, across.errors(second_x)),
        (one, first_x),
        (two, second_x),
        (below * UNIT * WHITE * roundings, columns),
    ]
    # The first box along the rows of a grey picture adds whole numbers.
    return found + [(inputs_y, across.errors(first_x))] * colour


def at_most(errors: list[Errors]) -> Floats:
    """How far all together can move each sum, if they all go the same way."""
    return sum(np.outer(np.abs(y).sum(1), np.abs(x).sum(1)) for y, x in errors)


def apart_at_most(errors: list[Errors], p: int, q: int) -> float:
    """How far they can move two coefficients apart."""
    (a, b), (c, d) = divmod(p, 16), divmod(q, 16)
    return sum(float(np.abs(np.outer(y[a], x[b]) - np.outer(y[c], x[d])).sum()) for y, x in errors)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_bound_is_what_all_steps_together_can_do(shape: tuple[int, int, int]) -> None:
    """The bound is nowhere less, wherever the filter stops between two samples, and hardly more
    unless almost nothing is left.
    """
    for known, most in MOST.items():
        found, *_ = _core.pdq_bounds(*shape, known, 0, 1)
        for late in (False, True):
            share = found / at_most(every_error(shape, known, late)).ravel()
            assert share.min() > 1, (known, late)
            assert share.max() < most, (known, late)


@pytest.mark.parametrize("shape", SHAPES)
def test_differences_are_bounded_by_what_moves_two_apart(shape: tuple[int, int, int]) -> None:
    """So are the differences of pairs, by less than both their bounds."""
    pairs = np.random.default_rng(shape[0]).choice(256, (12, 2), replace=False)
    for known in MOST:
        errors = [every_error(shape, known, late) for late in (False, True)]
        for p, q in pairs.tolist():
            bounds, found, *_ = _core.pdq_bounds(*shape, known, p, q)
            for error in errors:
                assert apart_at_most(error, p, q) < found
                assert known > 17 or found < apart_at_most(error, p, q) * 1.5
            assert known > 17 or found < bounds[p] + bounds[q]


@pytest.mark.parametrize("shape", SHAPES)
def test_steps_between_samples_are_bounded(shape: tuple[int, int, int]) -> None:
    """So are the differences of samples one above the other and side by side, which the quality is
    made of; those between known rows are left out.
    """
    alone = np.eye(64)
    between = alone[1:] - alone[:-1]
    for known in MOST:
        *_, above, beside = _core.pdq_bounds(*shape, known, 0, 1)
        for late in (False, True):
            up = at_most(every_error(shape, known, late, between, alone))[max(known - 1, 0) :]
            next_to = at_most(every_error(shape, known, late, alone, between))[known:]
            for share in (above / up.max(axis=0), beside[known:] / next_to.max(axis=1)):
                assert share.min() > 1, (known, late)
                assert known > 2 or share.min() < 1.5, (known, late)


def dct_at_most(pixels: NDArray[np.uint8]) -> Floats:
    """How far the roundings of two DCTs can move their coefficients apart: each product and each
    sum on the way errs by a unit of what it is.
    """
    down, across = side(pixels.shape[0]), side(pixels.shape[1])
    values = pixels.astype(np.float64)
    if pixels.ndim == 3:
        values = values @ np.array([299.0, 587.0, 114.0]) / 1000
    grid = (
        (down.box @ down.box)[down.samples] @ values @ (across.box @ across.box)[across.samples].T
    )

    def rounded(terms: Floats) -> Floats:  # along the last axis
        return (np.abs(terms) + np.abs(np.cumsum(terms, axis=-1))).sum(-1) * UNIT

    first = rounded(COSINES[:, None, :] * grid.T[None])
    second = rounded((COSINES @ grid)[:, None, :] * COSINES[None])
    return 2 * (first @ np.abs(COSINES).T + second).ravel()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_dct_is_bounded_by_the_sums_on_its_way(shape: tuple[int, int, int]) -> None:
    """What the bound of a picture has beside is what its own DCT can round, and not twice that."""
    rng = np.random.default_rng(shape[0])
    size = shape if shape[2] == 3 else shape[:2]
    for low, high in ((0, 256), (250, 256)):
        pixels = rng.integers(low, high, size).astype(np.uint8)
        _, bounds, _ = _core.pdq_doubt(pixels)
        share = (bounds - _core.pdq_bounds(*shape, 0, 0, 1)[0]) / dct_at_most(pixels)
        assert 1 < share.min() < share.max() < 2
