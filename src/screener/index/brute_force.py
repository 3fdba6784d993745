"""Comparison: a sample of searches against brute force, which knows nothing of tables.

Queries are drawn from what is listed, changed in 0 bits, in 1, and so on to the radius, so that
each has a neighbour at that distance; some are removed values, some are random. Each is searched
alone and with all others, and compared with every value there is: all queries of a short list and
some of a long one in NumPy, in blocks, the others by the core's flat scan. Of values that lie near
each other each query hits very many, and fewer are drawn.
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

_PAIRS: Final = 1 << 31  # of a query and a value, as many as take some seconds
_FEWEST: Final = 320  # queries, so that every distance has some however long the list
_MOST: Final = 4_096
_FIRST: Final = 16  # queries, before it is known how much they hit
_HITS: Final = 1 << 21  # some 60 bytes each; twice as many at most, or those of the first queries
_WITHOUT_CORE: Final = 1 << 26  # pairs, after which the core compares the others, much faster
_BLOCK: Final = 1 << 14  # values at once, so that what is made of them stays in the cache

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Comparison:
    """How many queries were searched, pairs of query and value compared, hits that differed."""

    queries: int
    pairs: int
    differences: int


def compare_distances(snapshot: Snapshot, *, radius: int, seed: int) -> Comparison:
    """Search codes at that radius, and compare with the distances of all of them."""
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
    """Look up digests, listed ones and others that begin like them, and compare with all."""
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
    """So many random queries as the list is compared by, the last ones removed values."""
    values = max(1, sum(map(len, snapshot.parts)))
    count = min(max(_PAIRS // values, _FEWEST), _MOST)
    queries = rng.integers(0, 256, (count, snapshot.size), np.uint8)
    removed = snapshot.removed
    if removed.size:
        last = snapshot.codes(rng.choice(removed, count // 16))
        queries[count - len(last) :] = last
    return queries


def _draw(snapshot: Snapshot, rng: np.random.Generator, count: int) -> Codes:
    """Values that are listed and not removed, with repetition; none where there is none."""
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
    """As many of the queries as do not hit too much, and their hits by brute force."""
    found, done, hits = [], 0, 0
    values = sum(map(len, snapshot.parts))
    while done < len(queries) and hits < _HITS:
        some = queries[done : done + max(done, _FIRST)]
        # The kernels may be what is wrong: the first queries, in no order, are compared without.
        find = _scanned if radius and done and done * values > _WITHOUT_CORE else _brute_force
        found.append(find(snapshot, some, radius, first=done))
        done += len(some)
        hits += found[-1].size
    return queries[:done], np.concatenate(found)


def _brute_force(snapshot: Snapshot, queries: Codes, radius: int, *, first: int) -> Rows:
    """The hits, as `_keys` makes them, of comparing each query with each value; `first` is the
    number of the first query.
    """
    wanted = _words(queries)
    half = max(1, wanted.shape[1] // 2)  # of the words, by which most values are out already
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
    """Which values, word by word, differ from a query in no more bits of these words."""
    if not radius:
        return np.flatnonzero(words[0] == query[0])
    bits = np.bitwise_count(words[0] ^ query[0])
    for word, other in zip(words[1:], query[1:], strict=True):
        bits += np.bitwise_count(word ^ other)
    return np.flatnonzero(bits <= radius)


def _scanned(snapshot: Snapshot, queries: Codes, radius: int, *, first: int) -> Rows:
    """The same hits, found by the core, which compares with each value too and reads no tables."""
    keys, base = [np.empty(0, np.int64)], 0
    for part in snapshot.parts:
        offsets, rows, distances = _core.scan(values_of(part), queries, radius)
        owners = np.repeat(np.arange(first, first + len(queries)), np.diff(offsets))
        keys.append(_keys(snapshot, owners, rows + base, distances.astype(np.int64)))
        base += len(part)
    found = np.sort(np.concatenate(keys))
    return found[~contains(snapshot.removed, found // 1024 % max(1, base))]


def _words(values: Codes) -> Words:
    """Values as numbers of eight bytes, the last one filled with zeros."""
    padded = np.zeros((len(values), -(-values.shape[1] // 8) * 8), np.uint8)
    padded[:, : values.shape[1]] = values
    return padded.view(np.uint64)


def _keys(snapshot: Snapshot, queries: Rows, rows: Rows, distances: Rows) -> Rows:
    """Query, row and distance as one number, ascending as hits are."""
    return (queries * sum(map(len, snapshot.parts)) + rows) * 1024 + distances


def _hits(snapshot: Snapshot, answers: Iterable[tuple[npt.NDArray[Any], ...]]) -> Rows:
    """The hits of the answers to all queries, in their order, as `_keys` makes them."""
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
        if not np.array_equal(hits, expected):  # the same in another order is wrong as well
            differences += max(1, np.setxor1d(hits, expected).size)
    return Comparison(len(queries), pairs, differences)
