"""How long does an exact search within a radius take, one query at a time and in batches?

Against `faiss.IndexBinaryFlat` and the best exact setting of `faiss.IndexBinaryMultiHash` for
256 bits and radius 31, eleven tables of 23 bits and two flips, one thread each. Codes are uniform
random or in families: near-duplicates within 24 bits, sizes by Zipf from 1 to 1,000, and one code
in twenty in ten big clusters; half of the queries are then taken from families. One query in a
hundred is planted within the radius. All answers are compared before anything is timed.

What this does not show: real lists, a machine with other work, and searches that find much, whose
cost is that of their results.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
import receipt
from flat_scan import as_pairs

from screener import _core
from screener.index.hamming import HammingIndex

QUESTION = "How long does an exact search within a radius take?"
SEED = 20260102
BYTES = 32
Codes = npt.NDArray[np.uint8]


def flip(rng: np.random.Generator, codes: Codes, most: int) -> Codes:
    """Each code with 0 to `most` of its bits changed."""
    flips = rng.integers(0, most + 1, len(codes))
    changed = codes.copy()
    for step in range(most):
        rows = np.flatnonzero(flips > step)
        bits = rng.integers(0, BYTES * 8, len(rows))
        changed[rows, bits // 8] ^= np.uint8(1) << (bits % 8).astype(np.uint8)
    return changed


def make_codes(rng: np.random.Generator, count: int, kind: str) -> Codes:
    """Uniform random codes, or families of near-duplicates."""
    codes = rng.integers(0, 256, (count, BYTES), np.uint8)
    if kind == "uniform":
        return codes
    sizes = np.minimum(rng.zipf(2.0, count), 1000)
    family = np.repeat(np.arange(count), sizes)[:count]
    codes = flip(rng, codes[family], 12)
    big = rng.choice(count, count // 20, replace=False)
    centres = rng.integers(0, 256, (10, BYTES), np.uint8)
    codes[big] = flip(rng, centres[rng.integers(0, 10, len(big))], 12)
    return codes


def make_queries(
    rng: np.random.Generator, codes: Codes, batch: int, radius: int, kind: str
) -> Codes:
    """Random queries; every hundredth, or every second one in families, is near a code."""
    queries = rng.integers(0, 256, (batch, BYTES), np.uint8)
    every = 100 if kind == "uniform" else 2
    near = np.arange(0, batch, every)
    queries[near] = flip(rng, codes[rng.integers(0, len(codes), len(near))], min(radius, 31))
    return queries


def seconds(run: Callable[[], Any]) -> float:
    """What one call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def single(index: HammingIndex, queries: Codes, radius: int) -> dict[str, float]:
    """Percentiles of single queries, each a call from Python, in microseconds."""
    taken = [seconds(lambda query=query: index.search(query, radius=radius)) for query in queries]
    points = np.percentile(taken, [50, 99, 99.9]) * 1e6
    return dict(zip(("p50", "p99", "p99.9"), points.round(2).tolist(), strict=True))


def batched(index: HammingIndex, queries: Codes, radius: int, threads: int) -> float:
    """Microseconds a query, the median of three."""
    runs = [seconds(lambda: index.search(queries, radius=radius, threads=threads)) for _ in "123"]
    return round(float(np.median(runs)) / len(queries) * 1e6, 3)


def faiss_indexes(codes: Codes) -> dict[str, tuple[Any, float]]:
    """The rivals, built, with the seconds that building took."""
    flat = faiss.IndexBinaryFlat(BYTES * 8)
    hashed = faiss.IndexBinaryMultiHash(BYTES * 8, 11, 23)
    hashed.nflip = 2
    return {
        "faiss-flat": (flat, seconds(lambda: flat.add(codes))),
        "faiss-multihash": (hashed, seconds(lambda: hashed.add(codes))),
    }


def rival_times(
    rivals: dict[str, tuple[Any, float]], index: HammingIndex, queries: Codes, radius: int
) -> dict[str, float]:
    """Microseconds a query of rivals that are exact at this radius; their answers are compared."""
    few, times = queries[:200], {}
    expected = as_pairs(*index.search(few, radius=radius))
    for name, (rival, _) in rivals.items():
        if name == "faiss-multihash" and radius > 32:
            continue  # not exact there
        # FAISS finds what is strictly nearer than its radius.
        limits, distances, rows = rival.range_search(few, radius + 1)
        np.testing.assert_array_equal(as_pairs(limits, rows, distances), expected)
        taken = seconds(lambda rival=rival: rival.range_search(few, radius + 1))
        times[name] = round(taken / len(few) * 1e6, 2)
    return times


def check_ways(index: HammingIndex, queries: Codes, radius: int) -> None:
    """All ways of our own search give one answer."""
    some = queries[:200]
    expected = index._index.search(some, radius, 1, "flat")
    for way in ("lookup", "join"):
        for part, right in zip(index._index.search(some, radius, 2, way), expected, strict=True):
            np.testing.assert_array_equal(part, right)


def compare(codes: Codes, kind: str, radii: list[int], batch: int, rivals: bool) -> list[Any]:
    """The rows of one list: built, saved, opened, compared, timed."""
    start = time.perf_counter()
    built = HammingIndex.build(codes)
    build_seconds = time.perf_counter() - start
    others = faiss_indexes(codes) if rivals else {}
    rng = np.random.default_rng(SEED + 1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "codes.idx"
        built.save(path)
        del built
        size = os.path.getsize(path) / len(codes)
        mapped = HammingIndex.open(path)
        opened = HammingIndex.open(path, hugepages=True)
        for radius in radii:
            queries = make_queries(rng, codes, batch, radius, kind)
            if opened.explain(radius=radius).way != "flat":
                check_ways(opened, queries, radius)
            times = rival_times(others, opened, queries, radius)
            ones = queries[: min(batch, 20_000)]
            row = {
                "codes": len(codes),
                "kind": kind,
                "radius": radius,
                "way": opened.explain(radius=radius).way,
                "single_us": single(opened, ones, radius),
                "single_mapped_us": single(mapped, ones, radius),
                "batch": batch,
                "batch_us": batched(opened, queries, radius, 1),
                "batch_two_threads_us": batched(opened, queries, radius, 2),
                "rivals_us": times,
                "build_s": round(build_seconds, 2),
                "rivals_build_s": {name: round(taken, 2) for name, (_, taken) in others.items()},
                "bytes_a_code": round(size, 1),
            }
            show(row)
            rows.append(row)
    return rows


def show(row: dict[str, Any]) -> None:
    """One line of the table."""
    best = min(row["rivals_us"].values(), default=float("nan"))
    print(
        f"{row['codes']:10} {row['kind']:8} {row['radius']:4} {row['single_us']['p50']:9}"
        f" {row['single_us']['p99']:9} {row['single_mapped_us']['p50']:9} {row['batch_us']:9}"
        f" {row['batch_two_threads_us']:9} {best:10.1f} {best / row['single_us']['p50']:7.0f}"
        f" {best / row['batch_us']:7.0f}   {row['build_s']} s, {row['bytes_a_code']} bytes a code",
        flush=True,
    )


def main() -> None:
    """Run, print the table and, if asked, write the receipt."""
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--small", action="store_true", help="small sizes, a few seconds")
    parser.add_argument("--codes", type=float, nargs="*", default=[1e5, 1e6, 1e7])
    parser.add_argument("--radius", type=int, nargs="*", default=[0, 8, 16, 31, 40, 52, 63])
    parser.add_argument("--kind", nargs="*", default=["uniform", "families"])
    parser.add_argument("--receipt", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    if arguments.small:
        arguments.codes, arguments.radius = [30_000], [8, 31]
    print(f"kernel {_core.KERNEL}; microseconds a query; best rival and how many times as long")
    print("     codes kind     radius single p50     p99    mapped     batch  2 threads   rival")
    rows = []
    for count in map(int, arguments.codes):
        for kind in arguments.kind:
            codes = make_codes(np.random.default_rng(SEED), count, kind)
            batch = 1000 if arguments.small else 100_000
            rows += compare(codes, kind, arguments.radius, batch, rivals=True)
    if arguments.receipt:
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, rows, ("faiss-cpu", "numpy")))


if __name__ == "__main__":
    main()
