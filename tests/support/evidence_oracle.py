"""Evidence and views as their definitions have them, in float64: slow, and written apart."""

import math
from functools import cache

import numpy as np

GRID, BAND, NOISE, FAINT, SUREST, WAVES = 64, 16, 0.6, 1.0, 0.997, 17

_place = np.arange(GRID)
COSINES = np.sqrt(2 / GRID) * np.cos(
    np.pi / (2 * GRID) * np.outer(np.arange(1, BAND + 1), 2 * _place + 1)
)
_phi = np.frompyfunc(lambda z: (1 + math.erf(z / math.sqrt(2))) / 2, 1, 1)


def coefficients(samples):
    """The 256 coefficients of 64 x 64 samples."""
    return COSINES @ samples @ COSINES.T


def box(length):
    """The running mean of a line as a matrix."""
    window = -(-length // 128)
    half = (window + 2) // 2
    matrix = np.zeros((length, length))
    for row in range(length):
        first, last = max(0, row - window + half), min(length, row + half)
        matrix[row, first:last] = 1 / (last - first)
    return matrix


def samples(luma):
    """PDQ's samples of a grey picture."""
    down, across = (
        (box(n) @ box(n))[[int((k + 0.5) * n / GRID) for k in range(GRID)]] for n in luma.shape
    )
    return down @ luma.astype(float) @ across.T


def probabilities(values, variances):
    """How likely each bit of the original is a one; variances are those where mean |B| is 1."""
    size = max(np.abs(values).mean(), FAINT)
    median = np.sort(values, axis=None)[127]
    deviations = (values - median) / (size * np.sqrt(NOISE**2 + variances))
    return np.clip(_phi(deviations).astype(float), 1 - SUREST, SUREST)


def turned(values):
    """The coefficients of the picture in each orientation."""
    even = np.where(np.arange(BAND) % 2 == 0, -1, 1)
    rows, columns = even[:, None] * values, values * even
    both = even[:, None] * values * even
    return [values, columns.T, both, rows.T, rows, columns, values.T, both.T]


def in_code_order(values):
    """Values of coefficients in the order of the bits of a code."""
    return values.ravel()[::-1]


def places(view, aspect):
    """The rows and columns in the copy of the samples of the original, each (64, 64)."""
    left, top, right, bottom = view.margins
    width, height = 1 - left - right, 1 - top - bottom
    tall = aspect * width / height  # the original's height, where its width is 1
    share = (_place + 0.5) / GRID
    x, y = np.meshgrid(share - 0.5, (share - 0.5) * tall)
    angle = math.radians(view.angle)
    # Counter-clockwise, where y grows downwards.
    x, y = (
        x * math.cos(angle) + y * math.sin(angle),
        -x * math.sin(angle) + y * math.cos(angle),
    )
    columns, rows = (x + 0.5 - left) / width, (y / tall + 0.5 - top) / height
    return rows * GRID - 0.5, columns * GRID - 0.5


def bilinear(values, rows, columns):
    """The values at places between samples; outside, those of the nearest place inside."""
    rows, columns = rows.clip(0, GRID - 1), columns.clip(0, GRID - 1)
    i, j = (np.minimum(at.astype(int), GRID - 2) for at in (rows, columns))
    y, x = rows - i, columns - j
    upper = values[i, j] * (1 - x) + values[i, j + 1] * x
    lower = values[i + 1, j] * (1 - x) + values[i + 1, j + 1] * x
    return upper * (1 - y) + lower * y


def mask(view):
    """Which samples a view takes to be covered, (64, 64)."""
    left, top, right, bottom = view.box
    x, y = np.meshgrid((_place + 0.5) / GRID, (_place + 0.5) / GRID)
    if view.cover == "rectangle":
        return (left <= x) & (x <= right) & (top <= y) & (y <= bottom)
    middle = (left + right) / 2, (top + bottom) / 2
    radii = (right - left) / 2, (bottom - top) / 2
    return ((x - middle[0]) / radii[0]) ** 2 + ((y - middle[1]) / radii[1]) ** 2 <= 1


@cache
def around(view):
    """The covered samples, (n,), the nearest uncovered four of each, (n, 4), and their weights."""
    covered = mask(view)
    cells, nearest, weights = np.flatnonzero(covered), [], []
    for i, j in np.argwhere(covered):
        lines = (
            [(n, j) for n in range(i - 1, -1, -1)],
            [(n, j) for n in range(i + 1, GRID)],
            [(i, n) for n in range(j - 1, -1, -1)],
            [(i, n) for n in range(j + 1, GRID)],
        )
        found = [
            next(((n, 1 / steps) for steps, n in enumerate(line, 1) if not covered[n]), ((0, 0), 0))
            for line in lines
        ]
        nearest.append([row * GRID + column for (row, column), _ in found])
        weights.append([near for _, near in found])
    weights = np.array(weights)
    return cells, np.array(nearest), weights / weights.sum(axis=1, keepdims=True)


def filled(values, view):
    """The samples, each covered one the mean of the nearest four around, by their nearness."""
    cells, nearest, weights = around(view)
    made = values.copy()
    made.flat[cells] = (values.ravel()[nearest] * weights).sum(axis=1)
    return made


def viewed(view, values, aspect):
    """The samples that the original would have."""
    if view.cover:
        return filled(values, view)
    return bilinear(values, *places(view, aspect))


def wave(number, at):
    """A wave of the DCT at places between samples."""
    scale = np.sqrt((1 if number == 0 else 2) / GRID)
    return scale * np.cos(np.pi / GRID * number * (np.asarray(at) + 0.5))


def variances(view):
    """How far guesses move each coefficient, (16, 16), where mean |B| is 1."""
    rows, columns = places(view, 1.0)
    if not view.cover:
        inside = rows.clip(0, GRID - 1), columns.clip(0, GRID - 1)
        guessed = np.hypot(rows - inside[0], columns - inside[1]) >= 0.5
        # The map is affine: its matrix is what a step down and a step across change.
        frame = np.diff([[at[0, 0], at[1, 0], at[0, 1]] for at in (rows, columns)])
        frame = np.array([frame[:, 0], frame.sum(axis=1)])
        away = np.stack([inside[0] - rows[0, 0], inside[1] - columns[0, 0]], -1)
        nearest = away @ np.linalg.inv(frame)
    total, size = np.zeros((BAND, BAND)), 0.0
    for y in range(WAVES):
        for x in range(WAVES):
            if y == x == 0:
                continue
            power = (y * y + x * x) ** -1.5
            picture = np.outer(wave(y, _place), wave(x, _place))
            if view.cover:
                guess = filled(picture, view)
            else:
                guess = np.where(
                    guessed, wave(y, nearest[..., 0]) * wave(x, nearest[..., 1]), picture
                )
            total += power * coefficients(guess - picture) ** 2
            if y and x:
                size += math.sqrt(power * 2 / math.pi)
    return total / (size / BAND**2) ** 2
