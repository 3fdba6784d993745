"""The detail of pictures is measured in the core: as the formulas in Python measure it."""

from functools import cache

import numpy as np
import pytest
from PIL import Image

import screener._core as _core

POINTS, SIDE, PARTS, FAINT, STEP, SAME, FREQUENCIES = 128, 32, 8, 2.0, 6.0, 8, 16


def points_of(pixels):
    """Pillow's grey of points in equal steps, (128, 128); the places mirrored are the same."""
    found = pixels
    for axis in (0, 1):
        length = pixels.shape[axis]
        half = (2 * np.arange(POINTS // 2) + 1) * length // (2 * POINTS)
        found = found.take(np.concatenate((half, length - 1 - half[::-1])), axis)
    return np.asarray(Image.fromarray(np.ascontiguousarray(found)).convert("L"))


def grid_of(points):
    """The means of squares of 4 x 4 points."""
    return points.reshape(SIDE, 4, SIDE, 4).astype(float).mean(axis=(1, 3))


@cache
def cosines():
    """The matrix of the orthonormal DCT."""
    place = np.arange(SIDE)
    matrix = np.cos(np.pi / SIDE * place[:, None] * (place + 0.5)) * np.sqrt(2 / SIDE)
    matrix[0] /= np.sqrt(2)
    return matrix


def frequencies():
    """How fast each wave is."""
    place = np.arange(SIDE)
    return np.hypot(place[:, None], place)


def amplitudes(grid):
    """Those of the waves of a grid, less what noise has."""
    return np.maximum(np.abs(cosines() @ grid @ cosines().T) - FAINT, 0)


def spread(grid):
    """How evenly the waves of each frequency share its amplitude."""
    found, whole = amplitudes(grid), np.rint(frequencies())
    shares, count = 0.0, 0
    for frequency in range(1, FREQUENCIES + 1):
        waves = found[whole == frequency]
        count += len(waves)
        if waves.any():
            shares += waves.sum() ** 2 / (waves**2).sum()
    return shares / count


def spectrum(grid):
    """How many waves share the energy, and the amplitude."""
    weighed = amplitudes(grid) * frequencies()
    energies = weighed**2
    if not energies.any():
        return 0.0, 0.0
    energy = energies.sum()
    return energy**2 / (energies**2).sum(), weighed.sum() ** 2 / energy


def area(grid):
    """The share of parts in which neighbouring means differ."""
    edge = SIDE // PARTS
    parts = grid.reshape(PARTS, edge, PARTS, edge)
    down = np.abs(parts[:, 1:] - parts[:, :-1]).mean(axis=(1, 3))
    across = np.abs(parts[..., 1:] - parts[..., :-1]).mean(axis=(1, 3))
    return float((down + across > STEP).mean())


def shades(points):
    """The shares of points that have not the commonest grey, nor the next."""
    counts = np.bincount(points.ravel(), minlength=256)
    greys = np.arange(-SAME, 256 + SAME)
    near = [counts[max(grey - SAME, 0) : max(grey + SAME + 1, 0)].sum() for grey in greys]
    first = int(np.argmax(near))
    apart = np.abs(np.arange(len(near)) - first) > 2 * SAME  # no point counts twice
    second = int(np.max(near * apart))
    return 1 - near[first] / points.size, 1 - (near[first] + second) / points.size


def pictures(scene, plain):
    """Photos and plain pictures, grey and colour, views of any strides and any size."""
    rng = np.random.default_rng(4)
    found = [np.asarray(scene(seed, (300 - seed, 200 + seed)).convert("L")) for seed in range(8)]
    found += [np.asarray(scene(seed, (301, 203 + seed))) for seed in range(8)]
    found += [np.asarray(Image.fromarray(plain.draw("text", seed)).convert("L")) for seed in (0, 1)]
    found += [rng.integers(0, 256, shape, np.uint8) for shape in ((1, 1), (5, 900), (9, 4, 3))]
    found += [np.full((40, 30), grey, np.uint8) for grey in (0, 7, 250, 255)]
    # Every part of it is as busy as one that counts as smooth may be.
    found.append(np.tile((np.arange(32) * 6).astype(np.uint8).repeat(4), (128, 1)))
    return [*found, found[0][::-1, ::2], found[1].T, found[9][..., 1], found[9][:, ::-1, ::-1]]


def test_the_core_measures_pictures_as_the_formulas_do(scene, plain):
    """Areas and greys to the last bit, the waves but for the order of their sums."""
    for pixels in pictures(scene, plain):
        points = points_of(pixels)
        grid = grid_of(points)
        found = _core.detail(pixels)

        assert found[1:] == (pytest.approx(area(grid)), *map(pytest.approx, shades(points)))
        assert found[0] == pytest.approx(spread(grid), abs=1e-12)
        assert _core.detail_spectrum(pixels) == pytest.approx(spectrum(grid), rel=1e-9)


def test_the_core_multiplies_the_rows_of_a_pdq():
    """As matrices do."""
    codes = np.random.default_rng(6).integers(0, 256, (50, 32), np.uint8)
    codes[0], codes[1] = 0, 0x0F
    bits = np.unpackbits(codes, axis=1).reshape(-1, 16, 16).astype(int) * 2 - 1
    products = bits @ bits.transpose(0, 2, 1)
    sums = np.abs(products).sum(axis=2).max(axis=1) - 16

    found = _core.pdq_patterns(codes.tobytes())

    assert list(found) == list(zip((products**2).sum(axis=(1, 2)), sums, strict=True))


def test_a_picture_without_pixels_is_refused():
    """It has no points."""
    for measure in (_core.detail, _core.detail_spectrum):
        with pytest.raises(ValueError, match="pixels"):
            measure(np.zeros((0, 4), np.uint8))
