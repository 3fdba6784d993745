"""How many codes a second does the flat scan compare?

Against `faiss.IndexBinaryFlat` and plain NumPy, one thread each, on uniform random codes of 256
bits, one query in a hundred planted within the radius. All answers are compared before anything
is timed; figures are medians of rounds in which the rivals take turns.

What this does not show: real codes, which cluster and so let more pairs through the first
sieve; more than one thread; and searches that find much, whose cost is that of their results.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
import receipt

from screener.index.hamming import HammingIndex

QUESTION = "How many codes a second does the flat scan compare?"
SEED = 20260101
BYTES = 32
Codes = npt.NDArray[np.uint8]
Pairs = npt.NDArray[np.int64]


def make(rng: np.random.Generator, count: int, batch: int, radius: int) -> tuple[Codes, Codes]:
    """Random codes and queries; every hundredth query, and the first, has a near code."""
    codes = rng.integers(0, 256, (count, BYTES), np.uint8)
    queries = rng.integers(0, 256, (batch, BYTES), np.uint8)
    for i in range(0, batch, 100):
        bits = np.zeros(BYTES * 8, np.uint8)
        bits[rng.choice(BYTES * 8, rng.integers(0, radius + 1), replace=False)] = 1
        queries[i] = codes[rng.integers(count)] ^ np.packbits(bits)
    return codes, queries


def as_pairs(offsets: Any, rows: Any, distances: Any) -> Pairs:
    """Hits as sorted (query, row, distance)."""
    owners = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets.astype(np.int64)))
    pairs = np.stack([owners, rows.astype(np.int64), distances.astype(np.int64)], axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def search_numpy(codes: Codes, queries: Codes, radius: int) -> Pairs:
    """The plainest way: a population count of the difference to each code."""
    wide, found = codes.view(np.uint64), []
    for i, query in enumerate(queries.view(np.uint64)):
        distances = np.bitwise_count(wide ^ query).sum(axis=1, dtype=np.uint16)
        rows = np.flatnonzero(distances <= radius)
        found.append(np.stack([np.full_like(rows, i), rows, distances[rows]], axis=1))
    return np.concatenate(found).astype(np.int64)


def medians(contestants: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of each; they take turns, so that a slow spell hits all alike."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def compare(count: int, batch: int, radius: int, rounds: int) -> dict[str, Any]:
    """One row of the table: answers compared, then timed."""
    codes, queries = make(np.random.default_rng(SEED), count, batch, radius)
    index = HammingIndex(codes)  # without tables, which would be faster
    flat = faiss.IndexBinaryFlat(BYTES * 8)
    flat.add(codes)
    few = queries[:3]

    expected = as_pairs(*index.search(queries, radius=radius))
    # FAISS finds what is strictly nearer than its radius.
    limits, distances, rows = flat.range_search(queries, radius + 1)
    np.testing.assert_array_equal(as_pairs(limits, rows, distances), expected)
    np.testing.assert_array_equal(
        search_numpy(codes, few, radius), expected[expected[:, 0] < len(few)]
    )
    if len(expected) < len(range(0, batch, 100)):
        raise SystemExit("a planted code was not found")

    seconds = medians(
        {
            "screener": lambda: index.search(queries, radius=radius),
            "faiss": lambda: flat.range_search(queries, radius + 1),
            "numpy": lambda: search_numpy(codes, few, radius),
        },
        rounds,
    )
    compared = {"screener": batch, "faiss": batch, "numpy": len(few)}
    rates = {name: count * compared[name] / seconds[name] for name in seconds}
    return {
        "codes": count,
        "queries": batch,
        "radius": radius,
        "hits": len(expected),
        "codes_per_second": {name: round(rate) for name, rate in rates.items()},
        "times_faiss": round(rates["screener"] / rates["faiss"], 2),
        "times_numpy": round(rates["screener"] / rates["numpy"], 1),
    }


def main() -> None:
    """Run, print the table and, if asked, write the receipt."""
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--small", action="store_true", help="small sizes, a few seconds")
    parser.add_argument("--receipt", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    large = [
        *((count, batch, 31) for count in (10**6, 10**7) for batch in (1, 8, 100, 1000)),
        (10**6, 100, 64),
        (10**6, 100, 90),
    ]
    cases = [(50_000, 1, 31), (50_000, 100, 31)] if arguments.small else large
    print("     codes  queries  radius   screener      faiss      numpy   (1e9 codes a second)")
    rows = []
    for count, batch, radius in cases:
        row = compare(count, batch, radius, rounds=3 if count * batch > 1e9 else 7)
        rows.append(row)
        rates = "".join(f"{rate / 1e9:11.3f}" for rate in row["codes_per_second"].values())
        print(f"{count:10} {batch:8} {radius:7}{rates}   {row['times_faiss']:.1f} times faiss")
    if arguments.receipt:
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, rows, ("faiss-cpu", "numpy")))


if __name__ == "__main__":
    main()
