"""Random codes with something in common: a weight, a distance, differences dealt to the chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import screener._core as _core

Codes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.integer[Any]]


def random_codes(rng: np.random.Generator, count: int, width: int) -> Codes:
    """Uniform codes."""
    return rng.integers(0, 256, (count, width), np.uint8)


def of_weights(rng: np.random.Generator, weights: Numbers, width: int) -> Codes:
    """For each weight a random code with exactly so many bits set."""
    bits = (np.arange(width * 8) < np.asarray(weights)[:, np.newaxis]).astype(np.uint8)
    return np.packbits(rng.permuted(bits, axis=1), axis=1)


def at_distances(rng: np.random.Generator, codes: Codes, distances: Numbers) -> Codes:
    """Each code with exactly so many random bits changed."""
    return codes ^ of_weights(rng, distances, codes.shape[1])


def swapped(rng: np.random.Generator, code: Codes, swaps: Numbers) -> Codes:
    """Codes of the weight of `code`, at twice so many bits from it."""
    bits = np.unpackbits(code)
    members = np.tile(bits, (len(swaps), 1))
    for value in (0, 1):
        places = np.flatnonzero(bits == value)
        some = np.minimum(swaps, min(bits.sum(), len(bits) - bits.sum()))
        chosen = (np.arange(len(places)) < np.asarray(some)[:, np.newaxis]).astype(np.uint8)
        members[:, places] ^= rng.permuted(chosen, axis=1)
    return np.packbits(members, axis=1)


def tilted(rng: np.random.Generator, codes: Codes, amounts: Numbers) -> Codes:
    """Each code with so many of its clear bits set (or, negative, set bits cleared)."""
    bits = np.unpackbits(codes, axis=1)
    for row, amount in zip(bits, amounts, strict=True):
        places = np.flatnonzero(row == (0 if amount > 0 else 1))
        row[rng.choice(places, min(abs(int(amount)), len(places)), replace=False)] ^= 1
    return np.packbits(bits, axis=1)


def balanced(rng: np.random.Generator, count: int, width: int) -> Codes:
    """Codes with exactly half of their bits set."""
    return of_weights(rng, np.full(count, width * 4), width)


def shuffled(rng: np.random.Generator, *parts: Codes) -> Codes:
    """All of these codes in random order."""
    return rng.permutation(np.concatenate(parts))


def some(rng: np.random.Generator, codes: Codes, count: int = 300) -> Codes:
    """A sample of the codes as centres."""
    return codes[rng.integers(0, len(codes), count)] if len(codes) else codes


def steps(width: int) -> list[int]:
    """The last radii before a threshold grows everywhere: 15, 31, 47, 63 for 256 bits."""
    return [width // 2 * step - 1 for step in range(1, 6)]


def dealt(rng: np.random.Generator, code: Codes, amounts: Numbers) -> Codes:
    """The code with so many bits changed in each of its chunks."""
    places = np.array(_core.chunk_bits(len(code))).reshape(-1, 16)
    bits = np.unpackbits(code, bitorder="little")
    for row, amount in zip(places, amounts, strict=True):
        bits[rng.choice(row, int(amount), replace=False)] ^= 1
    return np.packbits(bits, bitorder="little")


def spread(chunks: int, radius: int) -> Numbers:
    """What the thresholds of a radius are, plus one: it, dealt out evenly round the ring."""
    ends = np.arange(chunks + 1) * (radius + 1) // chunks
    return np.diff(ends)


def chain(rng: np.random.Generator, shares: Numbers, start: int, slack: int) -> Numbers:
    """Differences of the chunks that only the place `start` of the ring can find.

    Their sum is that of the shares less one, and every run from `start` on keeps below its
    bound, by `slack` at most: where a sum is one short, no other place does.
    """
    amounts = np.zeros(len(shares), np.int64)
    level = 0
    for step in range(len(shares)):
        at = (start + step) % len(shares)
        last = step == len(shares) - 1
        wanted = -1 if last else -1 - int(rng.integers(0, slack + 1))
        amounts[at] = min(max(wanted - level + shares[at], 0), 16)
        level += amounts[at] - shares[at]
    return amounts
