"""Codes of turned pictures, derived from the bits of a PDQ alone."""

import numpy as np
import pytest

from screener.hashing import pdq

RNG = np.random.default_rng(7)
CODES = RNG.integers(0, 256, (50, 32), np.uint8)
TURNED = {
    "upright": lambda p: p,
    "rotate90": np.rot90,
    "rotate180": lambda p: np.rot90(p, 2),
    "rotate270": lambda p: np.rot90(p, 3),
    "flip_vertical": lambda p: p[::-1],
    "flip_horizontal": lambda p: p[:, ::-1],
    "transpose": lambda p: p.swapaxes(0, 1),
    "anti_transpose": lambda p: np.rot90(p, 2).swapaxes(0, 1),
}


def test_derived_codes_are_near_the_hashes_of_turned_pictures(scene):
    """The transposed one is equal; at 1,600 pixels, others differ in a few bits."""
    for seed in range(6):
        pixels = np.asarray(scene(seed, (1600, 1004)).convert("L"))
        hashes = pdq.compute_orientations(pixels)
        found = np.array([np.frombuffer(one.value, np.uint8) for one in hashes])
        derived = pdq.derive_orientations(found[:1])[0]
        distances = dict(
            zip(pdq.ORIENTATIONS, np.bitwise_count(derived ^ found).sum(axis=1), strict=True)
        )
        assert distances["upright"] == distances["transpose"] == 0
        assert max(distances.values()) <= 31


@pytest.mark.parametrize("first", pdq.ORIENTATIONS)
def test_derived_codes_form_the_group_of_the_square(first):
    """To turn a derived code again is to turn by both, bit for bit."""
    grid = np.arange(12).reshape(3, 4)
    after_first = pdq.derive_orientations(CODES)[:, pdq.ORIENTATIONS.index(first)]
    for number, second in enumerate(pdq.ORIENTATIONS):
        both = TURNED[second](TURNED[first](grid))
        (name,) = [n for n, turn in TURNED.items() if np.array_equal(turn(grid), both)]
        again = pdq.derive_orientations(after_first)[:, number]
        expected = pdq.derive_orientations(CODES)[:, pdq.ORIENTATIONS.index(name)]
        assert np.array_equal(again, expected)
