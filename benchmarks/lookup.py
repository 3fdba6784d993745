"""How long does an exact search within a radius take, one query at a time and in batches?

Against FAISS's flat and multi-index searches, pynear, NumPy and the index of python-threatexchange,
one thread each, on uniform and on clustered lists, and beside what reading as many cache lines in
the same runs takes on this machine (the floor). Answers are compared before anything is timed;
contestants take turns; figures are medians of rounds.

    python benchmarks/lookup.py [--small] [--n 1e6 ...] [--only single,batch] [--radius 31 ...]
        [--seconds S] [--no-rivals] [--folder DIR] [--receipt FILE]
    SCREENER_KERNEL=avx2 python benchmarks/lookup.py --only single,batch --radius 31 --no-rivals
    python benchmarks/lookup.py --n 1e8 --only build,single --radius 31   # 24 GB of memory

Sections: build, single, batch, curve (256 bits, uniform), clustered, bits64, weighted (with the
weights of photos, beside radius 40, and the views of photos). A row replaces that of
the same question in the receipt, if that is of this machine and these versions. All of it takes an
hour or two. `lookup_page.py` writes tables and plots of a receipt.

What this does not show: real lists, a machine with other work, a cold disk, and searches that find
much, whose cost is that of their results.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import receipt
from codes import Codes, as_pairs, uniform
from lists import workplace
from receipt import Row
from rivals import Rival
from tested_list import TestedList
from timing import Single, medians, microseconds_a_query, percentiles, seconds
from weights import Weights, photo_views, photo_weights, weighted_pairs

from screener import _core
from screener.index.hamming import HammingIndex

PACKAGES = ("faiss-cpu", "numpy", "pynear", "threatexchange")
RADII = (0, 8, 16, 31, 40, 52, 63)
BATCHES = (100, 1000, 10_000, 100_000, 1_000_000)
KEYS = ("section", "kernel", "bits", "list", "codes", "radius")  # the fields that identify a row
ALONE_FROM = 50_000_000  # codes, from which memory may not hold a copy beside the mapped file
HINTS = [(hint, ahead) for ahead in (64, 128, 1024) for hint in ("t0", "t1", "nta")]
MOST_LINES = 4_000_000  # of the floor's queries together
MEMORY_CHILD = """
import sys, numpy as np
from screener import HammingIndex
def kilobytes():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty"))
queries = np.random.default_rng(1).integers(0, 256, (1000, int(sys.argv[2])), np.uint8)
HammingIndex.build(queries).search(queries[:1], radius=3)
before = kilobytes()
index = HammingIndex.open(sys.argv[1])
for query in queries:
    index.search(query, radius=31 if index.bits == 256 else 8)
print(kilobytes() - before)
"""


@dataclass(frozen=True)
class Effort:
    """How much goes into a figure: seconds for a contestant, rounds, and distinct queries."""

    limit: float
    rounds: int = 5
    queries: int = 120_000
    largest_batch: int = 1_000_000


class Floor:
    """The cache lines that queries read, read once more by themselves with each prefetch hint."""

    def __init__(self, index: HammingIndex, queries: Codes, radius: int, rounds: int) -> None:
        tables = index._tables.main
        self._memory = np.empty(0, np.uint8) if tables is None else tables.sketches.view(np.uint8)
        self._taken: dict[tuple[str, int], list[float]] = {hint: [] for hint in HINTS}
        if index.explain(radius=radius).way == "flat":
            queries = queries[:0]
        some = [index._index.lines(query, radius) for query in queries[:20]]
        words = self._memory.view(np.uint64).reshape(-1, 8)[:, 0]
        for lines in some:
            if _core.read_memory(self._memory, lines) != words[lines].sum():
                raise SystemExit("the probe reads other lines")
        self.lines = float(np.mean([len(one) for one in some])) if some else 0.0
        # No two calls read the lines of the same queries: these would be in the cache.
        wanted = len(HINTS) * rounds * 200
        count = min(len(queries), wanted, int(MOST_LINES / max(self.lines, 1.0)))
        self._share = count // (len(HINTS) * rounds)
        self._lists = [index._index.lines(query, radius) for query in queries[:count]]

    def read(self, number: int) -> None:
        """Read the lines of one round."""
        for place, (hint, ahead) in enumerate(HINTS):
            first = (number * len(HINTS) + place) * self._share
            # In short calls: their median leaves out those that another program interrupted.
            for start in range(first, first + self._share, 20):
                mine = self._lists[start : min(start + 20, first + self._share)]
                lines = np.concatenate(mine)
                taken = seconds(partial(_core.read_memory, self._memory, lines, ahead, hint))
                self._taken[hint, ahead].append(taken / len(mine))

    def row(self) -> Row:
        """Return microseconds a query with the best hint, and how many lines a query reads."""
        medians = {hint: statistics.median(taken) for hint, taken in self._taken.items() if taken}
        if not medians:
            return {}
        (hint, ahead), least = min(medians.items(), key=lambda item: item[1])
        found = {"lines": round(self.lines), "floor_us": round(least * 1e6, 2)}
        return found | {"floor_hint": f"{hint}, {ahead} lines ahead"}


def build(tested: TestedList) -> Row:
    """Return times of building, saving and opening, bytes on disk, and a process's memory."""
    opening = [seconds(lambda: HammingIndex.open(tested.path)) for _ in range(20)]
    call = [sys.executable, "-c", MEMORY_CHILD, str(tested.path), str(tested.bits // 8)]
    kilobytes = int(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
    return tested.label("build") | {
        "build_s": round(tested.build_s, 3),
        "save_s": round(tested.save_s, 3),
        "bytes_a_code": round(tested.path.stat().st_size / tested.count, 1),
        "open_ms": round(statistics.median(opening) * 1e3, 3),
        "private_bytes": kilobytes * 1024,
        "rivals_build_s": {rival.name: round(rival.build_s, 3) for rival in tested.rivals},
    }


def curve(tested: TestedList, effort: Effort) -> Row:
    """Return the median of single queries at every radius, which shows where the cost jumps."""
    queries = list(tested.queries(2000, 0))
    medians, ways = [], []
    for radius in range(81):
        ours = {"ours": Single(partial(tested.opened.search, radius=radius), queries)}
        medians.append(percentiles(ours, effort.limit / 10, 3)["ours"]["p50"])
        ways.append(tested.opened.explain(radius=radius).way)
    return tested.label("curve") | {"radii": list(range(81)), "single_us": medians, "way": ways}


def single(tested: TestedList, radius: int, effort: Effort) -> Row:
    """Return times of single queries: in large pages, mapped, of the rivals, and the floor."""
    queries = tested.queries(effort.queries, radius)
    taking_part = tested.exact_rivals(radius)
    contestants = {
        "hugepages": Single(partial(tested.opened.search, radius=radius), list(queries)),
        "mapped": Single(partial(tested.mapped.search, radius=radius), list(queries)),
    }
    alone = {"mapped": contestants.pop("mapped")} if tested.count > ALONE_FROM else {}
    contestants |= {rival.name: _one_by_one(rival, queries, radius) for rival in taking_part}
    floor = Floor(tested.opened, queries, radius, effort.rounds)
    times = percentiles(contestants, effort.limit, effort.rounds, floor.read)
    lines = floor.row()
    if alone:
        del contestants, floor
        tested.__dict__.pop("opened")
        times |= percentiles(alone, effort.limit, effort.rounds)
    return tested.label("single", radius=radius) | {
        "way": tested.mapped.explain(radius=radius).way,
        "single_us": {name: times.pop(name) for name in ("hugepages", "mapped")},
        **lines,
        "rivals_us": times,
        "rivals_batch_us": _rival_batches(taking_part, queries, radius, times, effort),
    }


def _one_by_one(rival: Rival, queries: Codes, radius: int) -> Single:
    """Return a rival that answers batches of one, in its own form."""
    forms = [rival.prepare(query[np.newaxis]) for query in queries[:20_000]]
    return Single(lambda form: rival.ask(form, radius), forms)


def _rival_batches(
    taking_part: list[Rival], queries: Codes, radius: int, times: Row, effort: Effort
) -> dict[str, float]:
    """Return microseconds a query of the rivals in batches of 20 to 1,000, as time allows."""
    contestants = {}
    for rival in taking_part:
        fitting = int(effort.limit / effort.rounds / times[rival.name]["p50"] * 1e6)
        some = rival.prepare(queries[: min(max(fitting, 20), 1000)])
        contestants[rival.name] = (lambda batch, ask=rival.ask: ask(batch, radius), some)
    return microseconds_a_query(contestants, min(3, effort.rounds))


def batch(tested: TestedList, radius: int, effort: Effort) -> Row:
    """Return times of batches of all sizes that time allows, by one and two threads; FAISS's."""
    queries = tested.queries(effort.largest_batch, radius)
    taking_part = tested.exact_rivals(radius, ("faiss-flat", "faiss-multihash"))
    lone = {rival.name: _one_by_one(rival, queries[:200], radius) for rival in taking_part}
    times = percentiles(lone, 0.5, 1)
    return tested.label("batch", radius=radius) | {
        "batches": list(_batches(tested, queries, radius, effort, BATCHES)),
        "rivals_us": _rival_batches(taking_part, queries, radius, times, effort),
    }


def _batches(
    tested: TestedList, queries: Codes, radius: int, effort: Effort, sizes: Iterable[int]
) -> Iterator[Row]:
    guess = 0.0
    for size in (size for size in sizes if size <= len(queries)):
        if guess * size > effort.limit * 2e6:
            print(f"  radius {radius}: a batch of {size:,} would take too long, left out")
            return
        contestants = {
            f"threads_{threads}_us": (
                partial(tested.opened.search, radius=radius, threads=threads),
                queries[:size],
            )
            for threads in (1, 2)
        }
        found = microseconds_a_query(contestants, 3)
        guess = found["threads_1_us"]
        way = tested.opened.explain(radius=radius, queries=size).way
        yield {"queries": size, "way": way} | found


def bits64(tested: TestedList, radius: int, effort: Effort) -> Row:
    """Return times of single queries and of one batch of codes of 64 bits."""
    row = single(tested, radius, effort)
    size = min(100_000, effort.largest_batch)
    batches = list(_batches(tested, tested.queries(size, radius), radius, effort, [size]))
    return row | {"section": "bits64", "batches": batches}


def in_clusters(tested: TestedList, radius: int, effort: Effort) -> Row:
    """Return times on a clustered list, and of the slowest queries beside a flat scan of them."""
    queries = tested.queries(effort.queries, radius)
    compared, pairs = tested.checked(radius)
    search = partial(tested.opened.search, radius=radius)
    ours = {"hugepages": Single(search, list(queries))}
    singles = percentiles(ours, effort.limit, effort.rounds)
    times = singles["hugepages"]
    some = queries[: min(100_000, max(100, int(effort.limit * 1e6 / times["p50"] / 4)))]
    return tested.label("clustered", radius=radius) | {
        "way": tested.opened.explain(radius=radius).way,
        "hits_a_query": round(len(pairs) / len(compared), 2),
        "single_us": singles,
        **_slowest(tested.opened, queries[: int(times["queries"])], radius),
        "batch": len(some),
        "batch_us": microseconds_a_query({"ours": (search, some)}, 3)["ours"],
    }


def weighted(tested: TestedList, radius: int, effort: Effort) -> Row:
    """Return times of weighted queries, with weights of photos, beside searches at radius 40."""
    queries = tested.queries(min(effort.queries, 20_000), radius)
    weights, budgets = photo_weights(len(queries))
    _compare_weighted(tested, queries, weights, budgets)
    index, few = tested.opened, len(queries) if tested.count < 10**7 else 4_000
    batch = min(10_000, effort.largest_batch, len(queries))
    forms = list(zip(queries[:few], weights, budgets.tolist(), strict=False))
    singles = percentiles(
        {
            "radius": Single(partial(index.search, radius=radius), list(queries[:few])),
            "weighted": Single(lambda form: index.search_weighted(*form), forms),
        },
        effort.limit,
        effort.rounds,
    )
    some = queries[:batch], weights[:batch], budgets[:batch]
    # Processor time, as one thread does all: a busy machine takes batches from the clock.
    taken = medians(
        {
            "radius": lambda: index.search(some[0], radius=radius),
            "weighted": lambda: index.search_weighted(*some),
        },
        min(5, effort.rounds),
    )
    batches = {name: round(one.processor / batch * 1e6, 2) for name, one in taken.items()}
    flat = [
        seconds(
            lambda i=i: index._index.search_weighted(*_one(queries, weights, budgets, i), 1, "flat")
        )
        for i in range(5)
    ]
    return tested.label("weighted", radius=radius) | {
        "way": index.explain_weighted(*_one(queries, weights, budgets, 0)).way,
        "single_us": singles,
        "batch": batch,
        "batch_us": batches,
        "flat_us": round(statistics.median(flat) * 1e6, 2),
        "times_radius": {
            "single": round(singles["weighted"]["p50"] / singles["radius"]["p50"], 2),
            "batch": round(batches["weighted"] / batches["radius"], 2),
        },
        "views": list(_views(tested, effort)),
    }


def _views(tested: TestedList, effort: Effort) -> Iterator[Row]:
    """Yield times of the views of pictures: those of one in a batch, of five, and in each way."""
    of_each = photo_views(min(10, effort.queries // 50))
    ask, ways = tested.opened._index.search_weighted, ("", "flat", "lookup", "join")
    _compare_views(*of_each[0], ways)
    for pictures in (1, 5):
        batches = [
            tuple(np.concatenate(part) for part in zip(*of_each[i : i + pictures], strict=True))
            for i in range(0, len(of_each), pictures)
        ]
        queries = sum(len(budgets) for *_, budgets in batches)
        taken = medians(
            {way: partial(_ask_all, ask, batches, way) for way in ways}, min(3, effort.rounds)
        )
        yield {
            "pictures": pictures,
            "queries": queries // len(batches),
            "way": tested.opened.explain_weighted(*batches[0]).way,
            "views_us": {
                way or "planned": round(taken[way].processor / queries * 1e6, 2) for way in ways
            },
        }


def _compare_views(queries: Codes, weights: Weights, budgets: Any, ways: tuple[str, ...]) -> None:
    """Compare all ways with NumPy on a list that has codes like some of the views."""
    codes = uniform(20_000)
    codes[: len(queries)] = queries
    codes[: len(queries), ::5] ^= 9
    some = slice(0, 40)
    right = weighted_pairs(codes, queries[some], weights[some], budgets[some])
    index = HammingIndex.build(codes)
    for way in ways:
        found = index._index.search_weighted(queries[some], weights[some], budgets[some], 1, way)
        np.testing.assert_array_equal(right, as_pairs(*found))


def _ask_all(ask: Callable[..., Any], batches: list[Any], way: str) -> None:
    for codes, weights, budgets in batches:
        ask(codes, weights, budgets, 1, way)


def _one(queries: Codes, weights: Weights, budgets: Any, number: int) -> tuple[Any, Any, Any]:
    one = slice(number, number + 1)
    return queries[one], weights[one], budgets[one]


def _compare_weighted(tested: TestedList, queries: Codes, weights: Weights, budgets: Any) -> None:
    """Compare all ways with NumPy, by queries of which some find something."""
    some = tested.mapped.codes[: min(20_000, tested.count)]
    asked = np.concatenate([some[:8], queries[:8]])
    asked[:4, :3] ^= 5
    index = HammingIndex.build(some)
    right = weighted_pairs(some, asked, weights[:16], budgets[:16])
    arguments = asked, weights[:16], budgets[:16]
    for way in ("flat", "lookup", "join"):
        np.testing.assert_array_equal(
            right, as_pairs(*index._index.search_weighted(*arguments, 1, way))
        )
    flat = as_pairs(*tested.opened._index.search_weighted(*arguments, 1, "flat"))
    np.testing.assert_array_equal(flat, as_pairs(*tested.opened.search_weighted(*arguments)))


def _slowest(index: HammingIndex, queries: Codes, radius: int) -> Row:
    """Return the slowest query in a thousand beside a flat scan of the same query.

    Both write out the same hits in the same way, so that the time for it weighs on neither side.
    """
    ask = partial(index.search, radius=radius)

    def flat(query: Codes) -> Any:
        return index._index.search(query, radius, 1, "flat")

    def least(call: Callable[[Codes], Any], some: Codes) -> list[float]:
        # The least of three: what another program took counts neither as ours nor as the scan's.
        return [min(seconds(lambda q=q: call(q)) for _ in "123") * 1e6 for q in some]

    # A first look takes ten times as many, since some are slow for what another program took.
    first = [seconds(lambda q=q: ask(q)) for q in queries]
    slow = queries[np.argsort(first)[-max(30, min(1000, len(first) // 100)) :]]
    worst = slow[np.argsort(least(ask, slow))[-max(3, len(slow) // 10) :]]
    nothing = [q for q in queries[:200] if index.search(q, radius=radius)[0][-1] == 0][:10]
    without = statistics.median(least(flat, nothing)) if nothing else math.nan
    ours, scans = least(ask, worst), least(flat, worst)
    order = np.argsort(ours)
    return {
        "flat_us": round(without, 2),
        "p99.9_us": round(ours[order[0]], 2),
        "p99.9_flat_us": round(scans[order[0]], 2),
        "worst_us": round(ours[order[-1]], 2),
        "worst_of_flat": round(max(mine / scan for mine, scan in zip(ours, scans, strict=True)), 3),
    }


# The list that each section needs: its kind and the bytes of a code.
SECTIONS = {
    "build": ("uniform", 32),
    "single": ("uniform", 32),
    "batch": ("uniform", 32),
    "curve": ("uniform", 32),
    "clustered": ("clustered", 32),
    "bits64": ("uniform", 8),
    "weighted": ("uniform", 32),
}


def run(arguments: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Yield all rows that the arguments ask for."""
    effort = Effort(0.1, 2, 500, 1000) if arguments.small else Effort(arguments.seconds)
    for count in map(int, [30_000] if arguments.small else arguments.n):
        for kind, size in dict.fromkeys(SECTIONS.values()):
            chosen = [s for s in arguments.only if SECTIONS[s] == (kind, size)]
            if not chosen:
                continue
            print(f"{count:,} {kind} codes of {size * 8} bits", flush=True)
            tested = TestedList(folder, kind, count, size, against=not arguments.no_rivals)
            for section in chosen:
                yield from section_rows(section, tested, arguments, effort)
            tested.close()


def section_rows(
    section: str, tested: TestedList, arguments: argparse.Namespace, effort: Effort
) -> Iterator[Row]:
    """Yield the rows of one section."""
    if section == "build":
        yield build(tested)
    elif section == "curve":
        yield curve(tested, effort)
    else:
        measure = {
            "single": single,
            "batch": batch,
            "clustered": in_clusters,
            "bits64": bits64,
            "weighted": weighted,
        }
        radii = arguments.radius
        if section == "weighted":
            radii = (40,)
        if section == "bits64":
            radii = (0, 8) if arguments.small else range(11)
        for radius in radii:
            yield measure[section](tested, radius, effort)


def header() -> Row:
    """Return what all rows of one receipt have in common; each names its kernel itself."""
    return receipt.receipt(__doc__, [], PACKAGES) | {"kernel": "in each row"}


def stored(path: Path | None) -> list[Row]:
    """Return the rows of a receipt if it is of this machine and these versions."""
    if path is None or not path.exists():
        return []
    content = json.loads(path.read_text())
    mine = header()
    same = all(content.get(name) == mine[name] for name in ("cpu", "cores", "versions"))
    return list(content["rows"]) if same else []


def merged(old: list[Row], rows: list[Row]) -> list[Row]:
    """Return all rows, sorted; an older one only if no new one answers the same question."""
    by_key = {tuple(row.get(name) for name in KEYS): row for row in (*old, *rows)}
    return sorted(by_key.values(), key=lambda row: [f"{row.get(k, '')!s:>12}" for k in KEYS])


def show(row: Row) -> None:
    """Print the figures of a row while the benchmark runs."""
    named = " ".join(str(row[name]) for name in ("section", "radius") if name in row)
    figures = {name: value for name, value in row.items() if name not in (*KEYS, "date")}
    print(f"  {named}: " + json.dumps(figures).replace('"', ""), flush=True)


def main() -> None:
    """Measure, print each row, and write the receipt."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--n", type=float, nargs="*", default=[1e5, 1e6, 1e7], help="codes")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas")
    parser.add_argument("--radius", type=int, nargs="*", default=RADII, help="at 256 bits")
    parser.add_argument("--seconds", type=float, default=4.0, help="for one contestant's figure")
    parser.add_argument("--no-rivals", action="store_true")
    parser.add_argument("--folder", type=Path, help="where index files go; 130 bytes a code")
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    if unknown := set(arguments.only) - set(SECTIONS):
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    if arguments.small:
        arguments.radius = (8, 31)
    print(f"kernel {_core.KERNEL}; microseconds a query if nothing else is named", flush=True)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
    old, rows = stored(arguments.receipt), []
    with workplace(arguments.folder) as folder:
        for row in run(arguments, folder):
            rows.append(row | {"kernel": _core.KERNEL, "date": now})
            show(rows[-1])
            # After each row, so that a run cut short is not lost.
            receipt.write(arguments.receipt, header() | {"rows": merged(old, rows)})


if __name__ == "__main__":
    main()
