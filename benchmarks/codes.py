"""Codes and queries for searches: uniform, and clustered as lists of pictures are; brute force.

A clustered list holds families of near-duplicates (sizes by Zipf, 1 to 1,000, within 24 bits of
each other); one code in twenty in ten big clusters around the PDQ of near-blank pictures; and the
PDQ of photos after everyday edits, in at most a tenth of its places.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from screener.hashing import pdq

SEED = 20260102
Codes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
Pairs = npt.NDArray[np.int64]  # sorted (query, row, distance)


def uniform(count: int, *, size: int = 32, seed: int | list[int] = SEED) -> Codes:
    """Return random codes of `size` bytes."""
    return np.random.default_rng(seed).integers(0, 256, (count, size), np.uint8)


def flip(rng: np.random.Generator, codes: Codes, most: int) -> Codes:
    """Return each code with 0 to `most` of its bits changed."""
    flips = rng.integers(0, most + 1, len(codes))
    changed = codes.copy()
    for step in range(most):
        rows = np.flatnonzero(flips > step)
        bits = rng.integers(0, codes.shape[1] * 8, len(rows))
        changed[rows, bits // 8] ^= np.uint8(1) << (bits % 8).astype(np.uint8)
    return changed


def clustered(count: int, photos: Codes) -> tuple[Codes, Rows]:
    """Return a clustered list of 256-bit codes, and the rows of it that have company."""
    rng = np.random.default_rng(SEED + 1)
    sizes = np.minimum(rng.zipf(2.0, count), 1000)
    families = int(np.searchsorted(np.cumsum(sizes), count)) + 1
    family = np.repeat(np.arange(families), sizes[:families])[:count]
    members = np.flatnonzero(np.bincount(family)[family] > 1)
    centres = rng.integers(0, 256, (families, 32), np.uint8)
    codes = flip(rng, centres[family], 12)
    big = rng.choice(count, count // 20, replace=False)
    blank = near_blank()
    codes[big] = flip(rng, blank[rng.integers(0, len(blank), len(big))], 12)
    some = photos[rng.permutation(len(photos))][: count // 10]
    places = rng.choice(count, len(some), replace=False)
    codes[places] = some
    return codes, np.unique(np.concatenate([members, big, places]))


def near_blank() -> Codes:
    """Return the PDQ of ten pictures with faint gradients, a little noise and nothing else."""
    rng = np.random.default_rng(SEED + 3)
    across, down = np.meshgrid(np.linspace(-1, 1, 256), np.linspace(-1, 1, 256))
    made = []
    for number in range(10):
        slope = np.cos(number) * across + np.sin(number) * down + 0.3 * number * across * down
        grey = 200 + 4 * slope + rng.integers(0, 2, slope.shape)
        made.append(pdq.compute(grey.astype(np.uint8)).value)
    return np.frombuffer(b"".join(made), np.uint8).reshape(-1, 32)


def queries_for(
    codes: Codes, count: int, *, radius: int, near: Rows | None = None, every: int = 0
) -> Codes:
    """Return distinct queries: random ones, and some within `radius` and 31 bits of a code.

    These are every hundredth, or, if rows `near` are given, every second, made from these rows.
    `every` sets another share.
    """
    rng = np.random.default_rng(SEED + 2)
    queries = rng.integers(0, 256, (count, codes.shape[1]), np.uint8)
    places = np.arange(0, count, every or (100 if near is None else 2))
    if near is None:
        rows = rng.integers(0, len(codes), len(places))
    else:
        rows = near[rng.integers(0, len(near), len(places))]
    # In order, since the codes may lie on a disk.
    queries[places] = flip(rng, codes[np.sort(rows)], min(radius, 31))
    return rng.permutation(queries)


def as_pairs(offsets: Any, rows: Any, distances: Any) -> Pairs:
    """Return the hits of a search as pairs."""
    owners = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets.astype(np.int64)))
    pairs = np.stack([owners, rows.astype(np.int64), distances.astype(np.int64)], axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def brute_force(codes: Codes, queries: Codes, radius: int) -> Pairs:
    """Return all pairs within the radius by NumPy, a million codes at a time.

    A temporary array as large as the list would not fit beside a large one.
    """
    found = []
    for first in range(0, max(1, len(codes)), 10**6):
        wide = codes[first : first + 10**6].view(np.uint64)
        for number, query in enumerate(queries.view(np.uint64)):
            distances = np.bitwise_count(wide ^ query).sum(axis=1, dtype=np.uint16)
            rows = np.flatnonzero(distances <= radius)
            found.append(np.stack([np.full_like(rows, number), rows + first, distances[rows]], 1))
    pairs = np.concatenate(found).astype(np.int64)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
