"""Coefficients are those of the hashes, and weights those of the definitions."""

import copy
import pickle

import evidence_oracle as oracle
import numpy as np
import pytest
from drawn_pixels import draw, smooth, turned

import screener._core as _core
from screener.errors import HashError
from screener.hashing import evidence, pdq


@pytest.fixture
def rng():
    """Random numbers, the same every time."""
    return np.random.default_rng(34)


@pytest.mark.parametrize("most", [0, 8])
def test_look_returns_the_hashes_and_what_they_are_made_of(rng, most):
    """Values are those of `sketches`, and the codes of the coefficients are the values."""
    for _ in range(150):
        pixels = draw(rng)
        found = evidence.look(pixels, most=most)
        assert found[:3] == pdq.sketches(pixels, most=most)
        codes = found.coefficients.weigh().codes
        assert [code.tobytes() for code in codes] == list(found.values)
        if most == 0:
            assert list(found.values) == [one.value for one in pdq.compute_orientations(pixels)]


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (4, 70), (5, 5), (64, 64), (5, 900)])
def test_odd_sizes_are_hashed_as_ever(rng, shape):
    """Tiny and thin pictures have coefficients, zeros where the hash is zero."""
    pixels = rng.integers(0, 256, shape, np.uint8)
    found = evidence.look(pixels, most=0)
    codes = found.coefficients.weigh().codes
    assert [code.tobytes() for code in codes] == list(found.values)
    assert bool(found.coefficients.values.any()) == (min(shape) >= 5)
    assert found.samples.values.shape == (64, 64)


def test_coefficients_and_samples_are_those_of_the_definitions(rng):
    """They are, within a thousandth of a grey, of the picture in each orientation."""
    for shape in ((200, 300), (129, 130), (512, 384)):
        pixels = smooth(rng, shape)
        found = evidence.look(pixels, most=8)
        assert np.allclose(found.samples.values, oracle.samples(pixels), atol=1e-3)
        assert found.samples.aspect == shape[0] / shape[1]
        for number, view in enumerate(turned(pixels)):
            wanted = oracle.coefficients(oracle.samples(view))
            got = found.coefficients.values[number].reshape(16, 16)
            assert np.allclose(got, wanted, atol=1e-2)


def test_weights_are_the_logarithms_of_the_odds(rng):
    """Each within a sixteenth, the ceiling within half a bit, evidence within a bit."""
    values = (rng.normal(size=(50, 16, 16)) * rng.uniform(0.1, 300, (50, 1, 1))).astype(np.float32)
    variances = rng.uniform(0, 3, (50, 256)) * rng.integers(0, 2, (50, 1))
    found = evidence.Queries(*_core.pdq_weigh(values.reshape(-1, 256), variances))
    for number in range(len(values)):
        one = values[number].astype(float)
        ones = oracle.probabilities(one, variances[number].reshape(16, 16))
        odds = oracle.in_code_order(np.log2(ones / (1 - ones)))
        assert np.abs(found.weights[number] - 16 * np.abs(odds)).max() <= 1
        bits = np.unpackbits(found.codes[number])
        assert (bits[np.abs(odds) > 0.1] == (odds > 0)[np.abs(odds) > 0.1]).all()
        ceiling = np.log2(2 * np.maximum(ones, 1 - ones)).sum()
        assert abs(found.ceilings[number] / 16 - ceiling) < 0.5
        other = bits ^ (rng.random(256) < 0.2)
        likely = oracle.in_code_order(ones)
        wanted = np.log2(2 * np.where(other == 1, likely, 1 - likely)).sum()
        distance = int(found.weights[number][other != bits].sum())
        assert abs(found.evidence(number, distance) - wanted) < 1


def test_ceilings_are_those_of_the_weights(rng):
    """Exactly, so that others are known to be wrong; and the evidence of the code itself."""
    values = rng.normal(size=(3_000, 256)) * rng.uniform(0.01, 5, (3_000, 256))
    variances = rng.uniform(0, 30, (3_000, 256)) * rng.integers(0, 2, (3_000, 1))
    found = evidence.Queries(*_core.pdq_weigh(values.astype(np.float32), variances))
    assert len(np.unique(found.weights)) > 130
    assert (evidence.find_ceilings(found.weights) == found.ceilings).all()
    assert evidence.find_ceilings(np.zeros((2, 256), np.uint8)).tolist() == [0, 0]


def test_flat_pictures_have_no_evidence():
    """A picture of one grey, or with the noise of a rounding, has next to no ceiling."""
    for value in (0, 200, 255):
        pixels = np.full((300, 400), value, np.uint8)
        queries = evidence.look(pixels, most=8).coefficients.weigh()
        assert not queries.weights.any()
        assert not queries.ceilings.any()
        assert (queries.budgets(1) < 0).all()


def test_a_budget_is_the_largest_distance_at_which_evidence_suffices():
    """At the budget evidence reaches the threshold, a sixteenth further it does not."""
    queries = evidence.Queries(
        np.zeros((2, 32), np.uint8), np.ones((2, 256), np.uint8), np.array([2000, 40], np.int32)
    )
    for threshold in (0.0, 60.0, 80.03, 100.0):
        budget = int(queries.budgets(threshold)[0])
        assert queries.evidence(0, budget) >= threshold > queries.evidence(0, budget + 1)
    assert queries.budgets(80)[1] < 0


def test_blurred_pictures_are_neither_printed_nor_pickled(rng):
    """No repr shows a value, and neither pickle nor copy takes them."""
    found = evidence.look(smooth(rng, (200, 200)), most=8)
    for secret in (found.coefficients, found.samples):
        assert not any(letter.isdigit() for letter in repr(secret))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="not pickled"):
                pickle.dumps(secret, protocol)
        with pytest.raises(TypeError, match="not pickled"):
            copy.copy(secret)
    assert repr(found.coefficients.weigh()) == "<Queries: 8>"


def test_look_refuses_what_is_no_picture():
    """Another type or shape raises HashError."""
    for wrong in (np.zeros((8, 8)), np.zeros((8, 8, 4), np.uint8), [[1]]):
        with pytest.raises(HashError):
            evidence.look(wrong, most=8)


def test_charts_are_not_busy_and_photos_are(screens, scene):
    """Pies of one place agree in many sure bits, and are left out as mostly paper."""

    def busy(pixels):
        return evidence.look(np.ascontiguousarray(pixels), most=0).samples.busy

    pies = [screens.draw("chart", seed) for seed in (4000, 4004, 4008, 4016)]
    queries, listed = evidence.look(pies[0], most=0).coefficients.weigh(), pdq.compute(pies[2])
    differ = np.unpackbits(queries.codes, axis=1) ^ np.unpackbits(
        np.frombuffer(listed.value, np.uint8)
    )
    most = queries.ceilings - (queries.weights.astype(int) * differ).sum(axis=1)
    assert most.max() >= 80 * evidence.SIXTEENTHS
    assert max(map(busy, pies)) < evidence.BUSY < min(busy(np.asarray(scene(7))), 1)
    assert busy(np.full((100, 100), 7, np.uint8)) == 0


def test_the_aspect_of_a_picture_that_lacks_rows_can_be_stated(rng):
    """Views turn it by its own shape."""
    pixels = smooth(rng, (300, 200))
    assert evidence.look(pixels[::3], most=0).samples.aspect == 0.5
    assert evidence.look(pixels[::3], most=0, aspect=1.5).samples.aspect == 1.5
