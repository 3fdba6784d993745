"""Sample searches compared with brute force, which uses no tables.

Queries are listed values changed in 0, 1, … radius bits, so that each has a neighbour at that
distance, and some removed and random values. Each is searched alone and in a batch, and compared
with every value: in NumPy for a short list and for the first queries of a long one, by the core's
flat scan for the others. Fewer queries are drawn if each hits very many values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

import screener._core as _core
from screener.index.snapshot import Snapshot
from screener.index.values import Codes, Rows, contains, values_of

_PAIRS: Final = 1 << 31  # of a query and a value: some seconds
_FEWEST: Final = 320  # queries, so that each distance occurs in lists of any length
_MOST: Final = 4_096
_FIRST: Final = 16  # queries of the first batch, before the number of hits is known
_HITS: Final = 1 << 21  # some 60 bytes each; at most twice as many, or those of the first batch
_WITHOUT_CORE: Final = 1 << 26  # pairs; the core compares the others, much faster
_BLOCK: Final = 1 << 14  # values at once, so that results stay in the cache

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Comparison:
    """How many queries were searched, pairs of query and value compared, and hits differed."""

    queries: int
    pairs: int
    differences: int


def compare_distances(snapshot: Snapshot, *, radius: int, seed: int) -> Comparison:
    """Compare searches for codes within a radius with the distances of all codes."""
    rng = np.random.default_rng(seed)
    queries = _queries(snapshot, rng)
    planted = _draw(snapshot, rng, len(queries) * 7 // 8)
    for distance, query in zip(np.arange(len(planted)) % (radius + 1), planted, strict=True):
        _flip(query, rng.choice(query.size * 8, distance, replace=False))
    queries[: len(planted)] = planted
    queries, expected = _expected(snapshot, rng.permutation(queries), radius)
    together = _hits(snapshot, [snapshot.search(queries, radius=radius)])
    alone = _hits(snapshot, (snapshot.search(query, radius=radius) for query in queries))
    return _compared(snapshot, queries, expected, together, alone)


def compare_equality(snapshot: Snapshot, *, seed: int) -> Comparison:
    """Compare look-ups of digests, listed and similar ones, with all digests."""
    rng = np.random.default_rng(seed)
    queries = _queries(snapshot, rng)
    listed = _draw(snapshot, rng, len(queries) * 7 // 8)
    for query in listed[::2]:
        _flip(query, rng.integers(0, query.size * 8, 1))
    queries[: len(listed)] = listed
    queries, expected = _expected(snapshot, rng.permutation(queries), 0)
    together = _hits(snapshot, [snapshot.lookup(queries)])
    alone = _hits(snapshot, (snapshot.lookup(query) for query in queries))
    return _compared(snapshot, queries, expected, together, alone)


def _queries(snapshot: Snapshot, rng: np.random.Generator) -> Codes:
    """Return random queries, as many as the list needs; the last are removed values."""
    values = max(1, sum(map(len, snapshot.parts)))
    count = min(max(_PAIRS // values, _FEWEST), _MOST)
    queries = rng.integers(0, 256, (count, snapshot.size), np.uint8)
    removed = snapshot.removed
    if removed.size:
        last = snapshot.codes(rng.choice(removed, count // 16))
        queries[count - len(last) :] = last
    return queries


def _draw(snapshot: Snapshot, rng: np.random.Generator, count: int) -> Codes:
    """Return random values that are not removed, with repetition; none if there are none."""
    rows = np.setdiff1d(
        rng.integers(0, max(1, sum(map(len, snapshot.parts))), 4 * count), snapshot.removed
    )
    if not len(snapshot) or not rows.size:
        return np.empty((0, snapshot.size), np.uint8)
    return snapshot.codes(rng.choice(rows, count))


def _flip(query: Codes, bits: npt.NDArray[np.integer[Any]]) -> None:
    for bit in bits.tolist():
        query[bit // 8] ^= np.uint8(1 << bit % 8)


def _expected(snapshot: Snapshot, queries: Codes, radius: int) -> tuple[Codes, Rows]:
    """Return the first queries, as many as do not hit too much, and their hits by brute force."""
    expected, done, hits = [], 0, 0
    values = sum(map(len, snapshot.parts))
    while done < len(queries) and hits < _HITS:
        some = queries[done : done + max(done, _FIRST)]
        # The core itself may be wrong, so the first queries are compared without it.
        find = _scanned if radius and done and done * values > _WITHOUT_CORE else _brute_force
        expected.append(find(snapshot, some, radius, first=done))
        done += len(some)
        hits += expected[-1].size
    return queries[:done], np.concatenate(expected)


def _brute_force(snapshot: Snapshot, queries: Codes, radius: int, *, first: int) -> Rows:
    """Return hits as `_keys` by comparing all pairs; `first` is the first query's number."""
    wanted = _words(queries)
    half = max(1, wanted.shape[1] // 2)  # of the words, enough to exclude most values
    found, base = [np.empty(0, np.int64)], 0
    for part in snapshot.parts:
        values = values_of(part)
        for start in range(0, len(values), _BLOCK):
            words = np.ascontiguousarray(_words(values[start : start + _BLOCK]).T)
            for number, query in enumerate(wanted, first):
                near = _near(words[:half], query[:half], radius)
                if near.size:
                    differ = np.bitwise_count(words[:, near] ^ query[:, np.newaxis])
                    distances = differ.sum(axis=0, dtype=np.int64)
                    rows = near[distances <= radius] + base + start
                    rows_at = distances[distances <= radius]
                    found.append(_keys(snapshot, np.full(rows.size, number), rows, rows_at))
        base += len(values)
    keys = np.sort(np.concatenate(found))
    return keys[~contains(snapshot.removed, keys // 1024 % max(1, base))]


def _near(words: Words, query: Words, radius: int) -> Rows:
    if not radius:
        return np.flatnonzero(words[0] == query[0])
    bits = np.bitwise_count(words[0] ^ query[0])
    for word, other in zip(words[1:], query[1:], strict=True):
        bits += np.bitwise_count(word ^ other)
    return np.flatnonzero(bits <= radius)


def _scanned(snapshot: Snapshot, queries: Codes, radius: int, *, first: int) -> Rows:
    """Return the hits as `_brute_force`, by the core's flat scan, which uses no tables."""
    keys, base = [np.empty(0, np.int64)], 0
    for part in snapshot.parts:
        offsets, rows, distances = _core.scan(values_of(part), queries, radius)
        owners = np.repeat(np.arange(first, first + len(queries)), np.diff(offsets))
        keys.append(_keys(snapshot, owners, rows + base, distances.astype(np.int64)))
        base += len(part)
    found = np.sort(np.concatenate(keys))
    return found[~contains(snapshot.removed, found // 1024 % max(1, base))]


def _words(values: Codes) -> Words:
    """Return values as numbers of eight bytes, the last one filled with zeros."""
    padded = np.zeros((len(values), -(-values.shape[1] // 8) * 8), np.uint8)
    padded[:, : values.shape[1]] = values
    return padded.view(np.uint64)


def _keys(snapshot: Snapshot, queries: Rows, rows: Rows, distances: Rows) -> Rows:
    """Return query, row and distance as one number, which sorts like hits."""
    return (queries * sum(map(len, snapshot.parts)) + rows) * 1024 + distances


def _hits(snapshot: Snapshot, answers: Iterable[tuple[npt.NDArray[Any], ...]]) -> Rows:
    """Return the hits of all answers, in their order, as `_keys`."""
    found, number = [np.empty(0, np.int64)], 0
    for offsets, rows, *distances in answers:
        if rows.size or len(offsets) > 2:
            owners = np.repeat(np.arange(number, number + len(offsets) - 1), np.diff(offsets))
            at = distances[0] if distances else np.zeros(len(rows), np.int64)
            found.append(_keys(snapshot, owners, rows, at.astype(np.int64)))
        number += len(offsets) - 1
    return np.concatenate(found)


def _compared(
    snapshot: Snapshot, queries: Codes, expected: Rows, together: Rows, alone: Rows
) -> Comparison:
    pairs = len(queries) * sum(map(len, snapshot.parts))
    differences = 0
    for hits in (together, alone):
        if not np.array_equal(hits, expected):  # another order is wrong as well
            differences += max(1, np.setxor1d(hits, expected).size)
    return Comparison(len(queries), pairs, differences)
