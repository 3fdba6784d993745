"""Compares search with brute force, on every kernel that this machine has.

    python tests/programs/differential.py --small         seconds, as CI does
    python tests/programs/differential.py --receipt FILE  a thousand million pairs on each kernel
    python tests/programs/differential.py --only hot_buckets --kernel avx2 --width 32

Each case is a list of one kind (tests/support/hard_codes.py), queries around its codes, and radii:
those at which thresholds step and a share of all others, so that each round takes every radius from
0 to the width, for every width. Every way of searching, with one thread and two, on a fresh index
and on one that was saved and opened, must give the rows and distances that NumPy gives: the
distance of every pair is computed here, by `brute_force`, and by no code of the library. Each case
is searched by weight too, with weights of every kind (tests/support/weighted_codes.py).

A difference is told by what makes the case again, never by a code, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))
import drawn_codes
import hard_codes
import numpy as np
import numpy.typing as npt
import weighted_codes
from drawn_codes import Codes, Numbers
from hard_codes import Maker

import screener._core as _core
from screener.index import tables
from screener.index.hamming import WIDTHS, HammingIndex
from screener.system.installation import __version__

Distances = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
Answer = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Distances]

MOST_CODES = 100_000
MOST_QUERIES = 400_000  # more than are joined at once; in one case of twenty
WEIGHTED_SHARE = 4  # of the pairs of a case, for each kind of weights
MOST_WEIGHTED = 2_000  # queries
RELEASED_LEAST_CODES = tables.LEAST_CODES
RELEASED_LARGE_CODES = tables.LARGE_CODES


@dataclass
class Tally:
    """What one kernel was put through."""

    kernel: str
    pairs: int = 0  # each query with each code, once a case
    comparisons: int = 0  # the same, once for each search
    searches: int = 0
    hits: int = 0
    cases: int = 0
    seconds: float = 0
    differences: list[str] = field(default_factory=list)
    radii: dict[int, set[int]] = field(default_factory=lambda: {8 * w: set() for w in WIDTHS})
    ways: dict[str, int] = field(default_factory=dict)
    weighted_pairs: int = 0
    weighted_searches: int = 0
    weighted_hits: int = 0


@dataclass(frozen=True)
class Case:
    """One list with its queries; the same again for the same values."""

    maker: Maker
    width: int
    round: int
    seed: int
    radii: tuple[int, ...]  # its share of all radii
    pairs: int

    @property
    def work(self) -> int:
        """How many buckets may be visited in one search, about."""
        return min(4 * self.pairs, 24_000_000)

    @property
    def hits(self) -> int:
        """Return how many queries take part: fewer if a search could find too much."""
        return min(max(self.pairs // 20, 20_000), 300_000)

    @property
    def name(self) -> str:
        """Return the name of this case among others."""
        return f"{self.maker.__name__} --width {self.width} --round {self.round}"

    def generator(self) -> np.random.Generator:
        """Random numbers that depend on nothing but this case."""
        mark = zlib.crc32(self.maker.__name__.encode())
        return np.random.default_rng([self.seed, self.round, self.width, mark])


def brute_force(codes: Codes, queries: Codes) -> Distances:
    """The oracle: the distance of each query (row) to each code (column), by NumPy alone."""
    if len(queries) > len(codes):
        return np.ascontiguousarray(brute_force(queries, codes).T)
    columns = np.ascontiguousarray(codes.view("<u8").T)
    found = np.zeros((len(queries), len(codes)), np.uint16)
    for row, words in zip(found, queries.view("<u8"), strict=True):
        for column, word in zip(columns, words, strict=True):
            row += np.bitwise_count(column ^ word)
    return found


def buckets_visited(width: int, radius: int) -> int:
    """How many buckets a query visits in the tables, as thresholds are dealt round the ring."""
    shares = drawn_codes.spread(width // 2, radius)
    return sum(math.comb(16, flips) for share in shares for flips in range(min(int(share), 17)))


def taking_part(case: Case, distances: Distances, radius: int) -> int:
    """How many of the queries are searched within this radius, so that no search takes long."""
    visits = buckets_visited(case.width, radius) if used(case, radius) else 1
    found = (distances[: max(20, case.work // visits)] <= radius).sum(axis=1, dtype=np.int64)
    few = int(np.searchsorted(np.cumsum(found), case.hits, "right"))
    return max(few, min(1, len(found)))


def answer(distances: Distances, radius: int) -> Answer:
    """What a search of these queries must return."""
    within = distances <= radius
    ends = np.cumsum(within.sum(axis=1, dtype=np.int64))
    owners, rows = np.nonzero(within)
    offsets = np.concatenate([[0], ends]).astype(np.int64)
    return offsets, rows.astype(np.int64), distances[owners, rows]


def differs(found: Answer | None, right: Answer) -> str | None:
    """Describe what is wrong with an answer, in numbers that reveal no code."""
    if found is None:
        return f"{len(right[1])} hits missing" if len(right[1]) else None
    for name, ours, theirs in zip(("offsets", "rows", "distances"), found, right, strict=True):
        if ours.dtype != theirs.dtype:
            return f"{name} of {ours.dtype}"
        if not np.array_equal(ours, theirs):
            return f"{name} differ: {len(found[1])} hits, not {len(right[1])}"
    return None


def used(case: Case, radius: int) -> bool:
    """Whether tables may serve this radius; beyond it all ways are one."""
    return radius < 5 * (case.width // 2)


def searches(
    case: Case, radius: int, aim: int, rng: np.random.Generator
) -> Iterator[tuple[str, int]]:
    """(way, threads) for one radius: all but the join near the one aimed at, else some."""
    if not used(case, radius):
        yield from (("", int(rng.integers(1, 3))), (("flat", "lookup", "join")[radius % 3], 1))
        return
    for way in ("lookup", "flat", ""):
        for threads in (1, 2) if abs(radius - aim) <= 1 else (int(rng.integers(1, 3)),):
            yield way, threads


def make(case: Case, aim: int, rng: np.random.Generator) -> tuple[Codes, Codes, HammingIndex]:
    """Codes, queries and an index: some with tables however few the codes, some from a file."""
    sizes = (0, 1, 2, 31, 33, 500, 19_999, 20_000, 20_001, 50_000, MOST_CODES, MOST_CODES)
    count = int(rng.choice(sizes)) if rng.random() < 0.7 else int(10 ** rng.uniform(0, 5))
    codes, centres = case.maker(rng, min(count, case.pairs // 20), case.width, aim)
    most = MOST_QUERIES if rng.random() < 0.05 else 20_000
    amount = min(max(8, case.pairs // max(1, len(codes))), most)
    queries = hard_codes.aimed(rng, centres, amount, case.width, aim)
    if rng.random() < 0.2:  # few different ones, each again and again: they crowd their buckets
        queries = queries[rng.integers(0, 3, len(queries))]
    tables.LEAST_CODES = (0, RELEASED_LEAST_CODES)[int(rng.integers(0, 2))]
    if case.pairs < 20 * RELEASED_LEAST_CODES and len(codes) < RELEASED_LEAST_CODES - 1:
        tables.LEAST_CODES = 0  # a small run has few cases to spend on lists without tables
    tables.LARGE_CODES = (0, RELEASED_LARGE_CODES)[int(rng.integers(0, 2))]
    index = HammingIndex.build(codes, threads=int(rng.integers(1, 4)))
    if rng.random() < 0.7:
        return codes, queries, index
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder) / "codes.idx")
        hugepages = bool(rng.integers(0, 2))
        return codes, queries, HammingIndex.open(Path(folder) / "codes.idx", hugepages=hugepages)


def run(case: Case, tally: Tally) -> None:
    """Make the case, search it in all ways, and note what differs."""
    rng = case.generator()
    edges = [step + by for step in drawn_codes.steps(case.width)[:4] for by in (-1, 0, 1)]
    aim = int(rng.choice(edges))
    codes, queries, index = make(case, aim, rng)
    distances = brute_force(codes, queries)
    radii = sorted({*case.radii, 0, aim - 1, aim, aim + 1, *rng.choice(edges, 2).tolist()})
    tally.cases += 1
    most = 0
    for radius in radii:
        tally.radii[8 * case.width].add(radius)
        count = taking_part(case, distances, radius)
        right = answer(distances[:count], radius)
        most = max(most, count)
        ways = list(searches(case, radius, aim, rng))
        # A join visits all buckets from all others near them, however few the queries.
        visits = buckets_visited(case.width, radius) * min(len(codes) + 1, 65536)
        if used(case, radius) and rng.random() < case.work / visits:
            ways.append(("join", int(rng.integers(1, 3))))
        for way, threads in ways:
            found = index._index.search(queries[:count], radius, threads, way)
            tally.searches += 1
            tally.comparisons += count * len(codes)
            tally.hits += len(right[1])
            tally.ways[way or "planned"] = tally.ways.get(way or "planned", 0) + 1
            if wrong := differs(found, right):
                tally.differences.append(
                    f"--only {case.name} --seed {case.seed} --case-pairs {case.pairs}:"
                    f" {len(codes)} codes, {count} queries, radius {radius}, way {way!r},"
                    f" {threads} threads: {wrong}"
                )
    tally.pairs += most * len(codes)
    run_weighted(case, tally, codes, queries, index)


def run_weighted(
    case: Case, tally: Tally, codes: Codes, queries: Codes, index: HammingIndex
) -> None:
    """Search some of the queries by weight, in all ways, and note what differs."""
    rng = np.random.default_rng([case.seed, case.round, case.width, len(codes)])
    share = max(1, case.pairs // WEIGHTED_SHARE // max(1, len(codes)))
    drawn = queries[: min(len(queries), share, MOST_WEIGHTED)]
    kinds = [(maker, False) for maker in weighted_codes.MAKERS]
    kinds += [(weighted_codes.evidence_like, True), (weighted_codes.any_weights, True)]
    if case.pairs < 1_000_000:  # a small run has no time for all
        kinds = [kinds[int(rng.integers(len(kinds)))]]
    for weigh, mirrored in kinds:
        some = drawn
        weights = weigh(rng, len(some), 8 * case.width)
        if mirrored:
            some, weights = weighted_codes.mirrored(rng, some, weights)
        distances = weighted_codes.weighted_distances(codes, some, weights)
        budgets = weighted_codes.budgets_at(rng, distances, weights)
        if mirrored:  # many fours are narrow: a plan looks these up and scans the others
            budgets[rng.random(len(some))[np.arange(len(some)) // 4] < 0.5] //= 16
        right = weighted_answer(distances, budgets)
        tally.weighted_pairs += distances.size
        for way, threads in (("flat", 1), ("lookup", 2), ("join", 1), ("join", 2), ("", 1)):
            found = index._index.search_weighted(some, weights, budgets, threads, way)
            tally.weighted_searches += 1
            tally.weighted_hits += len(right[1])
            if wrong := differs(found, right):
                tally.differences.append(
                    f"--only {case.name} --seed {case.seed} --case-pairs {case.pairs}:"
                    f" {len(codes)} codes, {len(some)} queries, weights {weigh.__name__}"
                    f"{mirrored * ' mirrored'}, way {way!r}, {threads} threads: {wrong}"
                )


def weighted_answer(distances: Numbers, budgets: Numbers) -> Answer:
    """What a search of these queries within these budgets must return."""
    within = distances <= budgets[:, np.newaxis]
    owners, rows = np.nonzero(within)
    offsets = np.concatenate([[0], np.cumsum(within.sum(axis=1))]).astype(np.int64)
    return offsets, rows.astype(np.int64), distances[owners, rows].astype(np.uint32)


def cases(seed: int, number: int, pairs: int, widths: list[int]) -> Iterator[Case]:
    """One round: every maker at every width, with all radii dealt out among them."""
    for width in widths:
        rng = np.random.default_rng([seed, number, width])
        hands = np.array_split(rng.permutation(width * 8 + 1), len(hard_codes.MAKERS))
        for maker, hand in zip(hard_codes.MAKERS, hands, strict=True):
            radii = tuple(int(radius) for radius in hand)
            yield Case(maker, width, number, seed, radii, pairs)


def chosen(options: argparse.Namespace) -> Iterator[Case]:
    """The cases of a run, round after round without end, or those asked for."""
    number = options.round or 0
    while options.round is None or number == options.round:
        for case in cases(options.seed, number, options.case_pairs, options.width):
            if options.only in (None, case.maker.__name__):
                yield case
        number += 1


def put_through(options: argparse.Namespace) -> Tally:
    """A whole round, then more until there were enough pairs, on the kernel of this process."""
    tally, start = Tally(_core.KERNEL), time.monotonic()
    for case in chosen(options):
        if case.round > 0 and tally.pairs >= options.pairs and options.round is None:
            break
        run(case, tally)
        if options.verbose:
            print(f"{case.name}: {time.monotonic() - start:.1f} s", file=sys.stderr)
    tally.seconds = round(time.monotonic() - start, 1)
    return tally


def as_row(tally: Tally) -> dict[str, Any]:
    """The tally as JSON holds it: which radii were left out, rather than which were not."""
    left_out = {
        str(bits): sorted(set(range(bits + 1)) - taken) for bits, taken in tally.radii.items()
    }
    return {**asdict(tally), "radii": {"left_out": left_out}}


def on_kernel(kernel: str, arguments: list[str]) -> dict[str, Any]:
    """Run a child process with that kernel and return its output."""
    command = [sys.executable, __file__, "--child", *arguments]
    environment = {**os.environ, "SCREENER_KERNEL": kernel}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout)
    if row["kernel"] != kernel:
        raise SystemExit(f"asked for the kernel {kernel}, got {row['kernel']}")
    return row


def told(row: dict[str, Any]) -> str:
    """One line for people."""
    return (
        f"{row['kernel']}: {row['pairs']:,} pairs in {row['cases']} cases, {row['searches']:,}"
        f" searches ({row['comparisons']:,} comparisons, {row['hits']:,} hits);"
        f" by weight {row['weighted_pairs']:,} pairs, {row['weighted_searches']:,} searches,"
        f" {row['weighted_hits']:,} hits;"
        f" {len(row['differences'])} differences, {row['seconds']:.0f} s"
    )


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """The options, filled in."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="one short round")
    parser.add_argument("--pairs", type=int, help="pairs on each kernel, at least")
    parser.add_argument("--case-pairs", type=int, help="pairs in a case, about")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--round", type=int, help="this round only")
    parser.add_argument("--only", help="one kind of list", metavar="NAME")
    parser.add_argument("--width", type=int, action="append", choices=WIDTHS, help="bytes")
    parser.add_argument("--kernel", action="append", choices=_core.kernels())
    parser.add_argument("--receipt", type=Path, help="write what was compared to this file")
    parser.add_argument("--verbose", action="store_true", help="tell each case")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.pairs = options.pairs or (1 if options.small else 10**9)
    options.case_pairs = options.case_pairs or (10_000 if options.small else 20_000_000)
    options.width = options.width or list(WIDTHS)
    if options.only and options.round is None:
        options.round = 0
    return options


def main(arguments: list[str]) -> int:
    """Run on each kernel; return 1 if anything differs."""
    options = read_arguments(arguments)
    if options.child:
        print(json.dumps(as_row(put_through(options))))
        return 0
    kernels = options.kernel or _core.kernels()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = list(pool.map(lambda kernel: on_kernel(kernel, arguments), kernels))
    for row in rows:
        print(told(row))
        for difference in row["differences"][:20]:
            print(f"  {difference} --kernel {row['kernel']}")
    if options.receipt:
        versions = {"python": platform.python_version(), "numpy": np.__version__}
        about = {"question": __doc__.partition("\n")[0], "arguments": arguments}
        content = {**about, "screener": __version__, "versions": versions, "rows": rows}
        options.receipt.write_text(json.dumps(content, indent=2) + "\n")
    return 1 if any(row["differences"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
