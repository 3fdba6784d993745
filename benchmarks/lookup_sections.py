"""The sections of the benchmark of look-ups: each takes a list under test and gives rows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from lookup_bed import Bed
from lookup_codes import Codes
from lookup_rivals import Rival
from lookup_timing import Lone, batches_in_turn, seconds, take_turns

import screener._core as _core
from screener.index.hamming import HammingIndex

Row = dict[str, Any]
HINTS = [(hint, ahead) for ahead in (64, 128, 1024) for hint in ("t0", "t1", "nta")]
MOST_LINES = 4_000_000  # of the floor's queries together
BATCHES = (100, 1000, 10_000, 100_000, 1_000_000)
CURVE = range(81)


@dataclass(frozen=True)
class Effort:
    """How much is spent on a figure: seconds for each contestant, rounds, distinct queries."""

    limit: float = 4.0
    rounds: int = 5
    queries: int = 100_000


def _searching(index: HammingIndex, radius: int) -> Callable[[Codes], Any]:
    return partial(index.search, radius=radius)


class Floor:
    """The lines that queries read, read once more by themselves, with each prefetch hint."""

    def __init__(self, index: HammingIndex, queries: Codes, radius: int, rounds: int) -> None:
        tables = index._tables.main
        self._memory = np.empty(0, np.uint8) if tables is None else tables.sketches.view(np.uint8)
        self._taken: dict[tuple[str, int], list[float]] = {hint: [] for hint in HINTS}
        if index.explain(radius=radius).way == "flat":
            queries = queries[:0]
        some = [index._index.lines(query, radius) for query in queries[:20]]
        self.lines = float(np.mean([len(one) for one in some])) if some else 0.0
        # No two calls read the lines of the same queries: they would find them in the cache.
        wanted = len(HINTS) * rounds * 200
        count = min(len(queries), wanted, int(MOST_LINES / max(self.lines, 1.0)))
        self._share = count // (len(HINTS) * rounds)
        self._lists = [index._index.lines(query, radius) for query in queries[:count]]

    def read(self, number: int) -> None:
        """One round."""
        for place, (hint, ahead) in enumerate(HINTS):
            first = (number * len(HINTS) + place) * self._share
            # In short calls: their median leaves out those that another program interrupted.
            for start in range(first, first + self._share, 20):
                mine = self._lists[start : min(start + 20, first + self._share)]
                lines = np.concatenate(mine)
                taken = seconds(partial(_read, self._memory, lines, ahead, hint))
                self._taken[hint, ahead].append(taken / len(mine))

    def row(self) -> Row:
        """Microseconds a query with the best hint, and how many lines a query reads."""
        medians = {hint: statistics.median(t) for hint, t in self._taken.items() if t}
        if not medians:
            return {}
        (hint, ahead), least = min(medians.items(), key=lambda item: item[1])
        told = {"lines": round(self.lines), "floor_us": round(least * 1e6, 2)}
        return told | {"floor_hint": f"{hint}, {ahead} lines ahead"}


def _read(memory: Any, lines: Any, ahead: int, hint: str) -> int:
    return _core.read_memory(memory, lines, ahead, hint)


def single(bed: Bed, radii: list[int], effort: Effort) -> Iterator[Row]:
    """One query after another, from Python: in large pages, mapped, the rivals, the floor."""
    for radius in radii:
        queries = bed.queries(effort.queries, radius)
        rivals, recalls = bed.exact_rivals(radius)
        contestants = {"hugepages": Lone(_searching(bed.opened, radius), list(queries))}
        mapped = {"mapped": Lone(_searching(bed.mapped, radius), list(queries))}
        if not bed.alone:
            contestants |= mapped
        contestants |= {rival.name: _lone(rival, queries, radius) for rival in rivals}
        floor = Floor(bed.opened, queries, radius, effort.rounds)
        times = take_turns(contestants, effort.limit, effort.rounds, floor.read)
        told = floor.row()
        del contestants, floor
        if bed.alone:
            bed.forget_copy()
            times |= take_turns(mapped, effort.limit, effort.rounds)
        yield bed.label("single", radius=radius) | {
            "way": bed.mapped.explain(radius=radius).way,
            "single_us": {name: times.pop(name) for name in ("hugepages", "mapped")},
            **told,
            "rivals_us": times,
            "rivals_batch_us": _rival_batches(rivals, queries, radius, times, effort),
            "recall": recalls,
        }


def _lone(rival: Rival, queries: Codes, radius: int) -> Lone:
    """A rival asked batches of one, in its own form; as many as any rival has time for."""
    forms = [rival.prepare(query[np.newaxis]) for query in queries[:20_000]]
    return Lone(lambda form: rival.ask(form, radius), forms)


def _rival_batches(
    rivals: list[Rival], queries: Codes, radius: int, times: Row, effort: Effort
) -> dict[str, float]:
    """Microseconds a query of the rivals in batches of at most a thousand, as time allows."""
    contestants = {}
    for rival in rivals:
        fitting = int(effort.limit / effort.rounds / times[rival.name]["p50"] * 1e6)
        batch = rival.prepare(queries[: min(max(fitting, 20), 1000)])
        contestants[rival.name] = (partial(_ask, rival, radius), batch)
    return batches_in_turn(contestants, min(3, effort.rounds))


def _ask(rival: Rival, radius: int, batch: Any) -> Any:
    return rival.ask(batch, radius)


def batch(
    bed: Bed, radii: list[int], effort: Effort, sizes: tuple[int, ...] = BATCHES
) -> Iterator[Row]:
    """Batches of all sizes that time allows, by one and two threads, and FAISS's."""
    for radius in radii:
        queries = bed.queries(max(sizes), radius)
        names = ("faiss-flat", "faiss-multihash")
        rivals, recalls = bed.exact_rivals(radius, names)
        times = take_turns({r.name: _lone(r, queries[:200], radius) for r in rivals}, 0.5, 1)
        by_size, guess = [], 0.0
        for size in sizes:
            some = queries[:size]
            if guess * size > effort.limit * 2e6:
                print(f"  radius {radius}: a batch of {size:,} would take too long, left out")
                break
            found = batches_in_turn(
                {
                    f"threads_{count}": (
                        partial(bed.opened.search, radius=radius, threads=count),
                        some,
                    )
                    for count in (1, 2)
                },
                3,
            )
            guess = found["threads_1"]
            way = bed.opened.explain(radius=radius, queries=size).way
            by_size.append({"queries": size, "way": way} | {f"{k}_us": v for k, v in found.items()})
        yield bed.label("batch", radius=radius) | {
            "batches": by_size,
            "rivals_us": _rival_batches(rivals, queries, radius, times, effort),
            "recall": recalls,
        }


def clustered(bed: Bed, radii: list[int], effort: Effort) -> Iterator[Row]:
    """Single queries and a batch on a clustered list; the slowest beside a flat scan of them."""
    for radius in radii:
        queries = bed.queries(effort.queries, radius)
        compared, pairs = bed.check_own(radius)
        contestants = {"hugepages": Lone(_searching(bed.opened, radius), list(queries))}
        times = take_turns(contestants, effort.limit, effort.rounds)["hugepages"]
        some = queries[: min(100_000, max(100, int(effort.limit * 1e6 / times["p50"] / 4)))]
        run = partial(bed.opened.search, radius=radius)
        yield bed.label("clustered", radius=radius) | {
            "way": bed.opened.explain(radius=radius).way,
            "hits_a_query": round(len(pairs) / len(compared), 2),
            "single_us": {"hugepages": times},
            **_slowest(bed, queries[: int(times["queries"])], radius, effort),
            "batch": len(some),
            "batch_us": batches_in_turn({"batch": (run, some)}, 3)["batch"],
        }


def _slowest(bed: Bed, queries: Codes, radius: int, effort: Effort) -> Row:
    """The slowest query in a thousand beside a flat scan of the same query.

    Both write out the same hits in the same way, so that the time for it weighs on neither side.
    """
    index = bed.opened
    ask = _searching(index, radius)
    flat = partial(_flat, index, radius)
    taken = np.array([seconds(lambda query=query: ask(query)) for query in queries])
    # A first look takes ten times as many, since some are slow for what another program took.
    slow = np.argsort(taken)[-max(30, min(1000, len(taken) // 100)) :]
    taken = np.array([min(seconds(lambda q=q: ask(q)) for _ in "123") for q in queries[slow]])
    worst = slow[np.argsort(taken)[-max(3, len(slow) // 10) :]]
    nothing = [q for q in queries[:200] if index.search(q, radius=radius)[0][-1] == 0][:10]
    without = _median_us(flat, nothing) if nothing else math.nan
    # The least of three: what another program took must not count as ours, or as the scan's.
    ours = [min(seconds(lambda q=q: ask(q)) for _ in "123") * 1e6 for q in queries[worst]]
    scans = [min(seconds(lambda q=q: flat(q)) for _ in "123") * 1e6 for q in queries[worst]]
    order = np.argsort(ours)
    return {
        "flat_us": round(without, 2),
        "p99.9_us": round(ours[order[0]], 2),
        "p99.9_flat_us": round(scans[order[0]], 2),
        "worst_us": round(ours[order[-1]], 2),
        "worst_of_flat": round(max(mine / scan for mine, scan in zip(ours, scans, strict=True)), 3),
    }


def _flat(index: HammingIndex, radius: int, query: Codes) -> Any:
    return index._index.search(query, radius, 1, "flat")


def _median_us(ask: Callable[[Any], Any], queries: Any) -> float:
    spells = [seconds(lambda query=query: ask(query)) for _ in "123" for query in queries]
    return statistics.median(spells) * 1e6


def bits64(bed: Bed, radii: list[int], effort: Effort) -> Iterator[Row]:
    """Codes of 64 bits: what `single` and `batch` tell, in one row."""
    sizes = tuple(size for size in BATCHES if size <= max(effort.queries, 100))[-1:]
    for row, batches in zip(
        single(bed, radii, effort), batch(bed, radii, effort, sizes), strict=True
    ):
        yield row | {"section": "bits64", "batches": batches["batches"]}


def curve(bed: Bed, effort: Effort) -> Iterator[Row]:
    """The median of single queries at every radius, to show where the cost jumps."""
    medians, ways = [], []
    queries = bed.queries(2000, 0)
    for radius in CURVE:
        lone = {"hugepages": Lone(_searching(bed.opened, radius), list(queries))}
        medians.append(take_turns(lone, effort.limit / 10, 3)["hugepages"]["p50"])
        ways.append(bed.opened.explain(radius=radius).way)
    yield bed.label("curve") | {"radii": list(CURVE), "single_us": medians, "way": ways}


def build(bed: Bed, effort: Effort) -> Iterator[Row]:
    """Building, saving, opening; bytes on disk; memory of a process that has it open."""
    opening = [seconds(lambda: HammingIndex.open(bed.path)) for _ in range(20)]
    yield bed.label("build") | {
        "build_s": round(bed.build_s, 3),
        "save_s": round(bed.save_s, 3),
        "bytes_a_code": round(bed.path.stat().st_size / bed.count, 1),
        "open_ms": round(statistics.median(opening) * 1e3, 3),
        "private_bytes": bed.private_memory(),
        "rivals_build_s": {rival.name: round(rival.build_s, 3) for rival in bed.rivals()},
    }


def floor(effort: Effort) -> Iterator[Row]:
    """What the memory of this machine gives: a stream, and lines at random in runs of 1 and 5."""
    memory = _core.pages(1 << 30)
    memory[::4096] = 1
    stream = [
        len(memory) / seconds(lambda: _core.read_memory(memory)) for _ in range(effort.rounds)
    ]
    row: Row = {"section": "floor", "stream_gb_s": round(statistics.median(stream) / 1e9, 1)}
    rng = np.random.default_rng(5)
    for run in (1, 5):
        starts = rng.integers(
            0, len(memory) // 64 - run, (len(HINTS) * effort.rounds, 100_000 // run)
        )
        best = {}
        for place, (hint, ahead) in enumerate(HINTS):
            spells = []
            for first in starts[place :: len(HINTS)]:
                lines = (first[:, np.newaxis] + np.arange(run)).astype(np.uint32).reshape(-1)
                spells.append(
                    seconds(lambda li=lines, a=ahead, h=hint: _read(memory, li, a, h)) / len(lines)
                )
            best[f"{hint}, {ahead} lines ahead"] = round(statistics.median(spells) * 1e9, 2)
        row[f"line_ns_runs_of_{run}"] = best
    yield row
