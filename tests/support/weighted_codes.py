"""Weights and budgets for searches by weighted distance, and brute force over integers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from drawn_codes import Codes, Numbers

Weights = npt.NDArray[np.uint8]


def weighted_distances(codes: Codes, queries: Codes, weights: Weights) -> Numbers:
    """The oracle: each query (row) to each code (column), the sum of weights that differ.

    Integers below 2**24 are exact in float32, whose matrix product is fast.
    """
    bits = np.unpackbits(codes, axis=1).astype(np.float32)
    own = np.unpackbits(queries, axis=1).astype(np.float32)
    costs = weights.astype(np.float32)
    # A bit costs its weight where code and query differ: w (q + c - 2 q c).
    found = (costs * own).sum(axis=1)[:, np.newaxis] + (costs * (1 - 2 * own)) @ bits.T
    return found.astype(np.int64)


def evidence_like(rng: np.random.Generator, count: int, bits: int) -> Weights:
    """As sure as coefficients of a picture: most little, few very much."""
    return np.minimum(np.abs(rng.normal(0, 60, (count, bits))), 134).astype(np.uint8)


def any_weights(rng: np.random.Generator, count: int, bits: int) -> Weights:
    """From 0 to 255."""
    return rng.integers(0, 256, (count, bits), np.uint8)


def all_equal(rng: np.random.Generator, count: int, bits: int) -> Weights:
    """One weight for all bits of a query: a distance in bits, many times over."""
    return np.repeat(rng.choice([1, 7, 100, 255], (count, 1)), bits, axis=1).astype(np.uint8)


def one_huge(rng: np.random.Generator, count: int, bits: int) -> Weights:
    """A bit that outweighs most of the others together."""
    weights = rng.integers(0, 3, (count, bits), np.uint8)
    weights[np.arange(count), rng.integers(0, bits, count)] = 255
    return weights


def mostly_zero(rng: np.random.Generator, count: int, bits: int) -> Weights:
    """Bits that count nothing, whole chunks of them, or all."""
    weights = any_weights(rng, count, bits)
    weights[rng.random((count, bits)) < rng.choice([0.5, 0.9, 1.0], (count, 1))] = 0
    return weights


def mirrored(
    rng: np.random.Generator, queries: Codes, weights: Weights, size: int | None = None
) -> tuple[Codes, Weights]:
    """Make every two or four queries relatives of the first, as hashes of mirror images are.

    In every other bit of a byte they are equal or opposite, but for one bit in a hundred, and their
    weights differ by at most 1.
    """
    count, bits = weights.shape
    size = size or int(rng.choice([2, 4]))
    first, place = np.arange(count) // size * size, np.arange(count) % size
    classes = rng.permuted(np.tile(np.arange(bits // 4) % 4, (count, 1)), axis=1)[first]
    turned = np.stack([classes * 0, classes & 1, classes >> 1, classes & 1 ^ classes >> 1])
    mine = turned[place, np.arange(count)].reshape(count, bits // 8, 2)
    opposite = np.tile(mine, 4).reshape(count, bits)
    opposite ^= (rng.random((count, bits)) < 0.01) & (place > 0)[:, np.newaxis]
    own = np.unpackbits(queries, axis=1)[first] ^ opposite.astype(np.uint8)
    lighter = np.minimum(weights[first], rng.integers(0, 2, weights.shape, np.uint8))
    return np.packbits(own, axis=1), weights[first] - lighter


MAKERS = (evidence_like, any_weights, all_equal, one_huge, mostly_zero)


def budgets_at(rng: np.random.Generator, distances: Numbers, weights: Weights) -> Numbers:
    """Budgets at a distance of some code and one to each side, and that find none, few or all."""
    count = len(weights)
    sums = weights.sum(axis=1, dtype=np.int64)
    choices = [np.zeros(count, np.int64), np.full(count, -1), sums // 16, sums // 8, sums + 1]
    if distances.shape[1]:
        ordered = np.sort(distances, axis=1)
        for place in (0, min(3, distances.shape[1] - 1)):
            near = ordered[:, place]
            choices += [near, near - 1, near + 1]
    return np.stack(choices)[rng.integers(0, len(choices), count), np.arange(count)]
