"""The detail of grey pictures is measured in the core: as the formulas in Python measure it."""

import numpy as np
import pytest
from PIL import Image

from screener.hashing import detail


def test_the_core_measures_grey_pictures_as_the_formulas_do(scene, plain):
    """Views of any strides and any size included: areas and greys to the last bit, the spread but
    for the order of its sums.
    """
    rng = np.random.default_rng(4)
    pictures = [np.asarray(scene(seed, (300 - seed, 200 + seed)).convert("L")) for seed in range(8)]
    pictures += [np.asarray(Image.fromarray(plain.draw("text", s)).convert("L")) for s in range(4)]
    pictures += [rng.integers(0, 256, shape, np.uint8) for shape in ((1, 1), (5, 900), (128, 64))]
    pictures += [np.full((40, 30), grey, np.uint8) for grey in (0, 7, 250, 255)]
    pictures += [pictures[0][::-1, ::2], pictures[1].T, np.asarray(scene(9))[..., 1]]
    for pixels in pictures:
        points = detail._points(pixels)
        grid = detail._means(points, 4)
        spread, area, shades, tones = detail._core.detail(pixels)

        assert (area, (shades, tones)) == (detail._area(grid), detail._shades(points))
        assert spread == pytest.approx(detail._spread(detail._amplitudes(grid)), abs=1e-12)


def test_the_core_multiplies_the_rows_of_a_pdq():
    """As matrices do."""
    codes = np.random.default_rng(6).integers(0, 256, (50, 32), np.uint8)
    codes[0], codes[1] = 0, 0x0F
    bits = np.unpackbits(codes, axis=1).reshape(-1, 16, 16).astype(int) * 2 - 1
    products = bits @ bits.transpose(0, 2, 1)
    sums = np.abs(products).sum(axis=2).max(axis=1) - 16

    found = detail._core.pdq_patterns(codes.tobytes())

    assert list(found) == list(zip((products**2).sum(axis=(1, 2)), sums, strict=True))
