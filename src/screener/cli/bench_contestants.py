"""The contestants of `bench --synthetic`, which take turns: our searches, FAISS's, the floor's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from screener.index.floor import HINTS, LINE_GROUP, Floor
from screener.index.hamming import HammingIndex
from screener.system.progress import Steps

ROUNDS: Final = 3
BATCHES: Final = (10_000, 100_000)  # docs/benchmarks.md shows the same sizes

_MIN_BATCH: Final = 16
_MIN_P99_CALLS: Final = 200  # in a turn

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Speed:
    """The speed of one way to look up, or of a floor.

    Attributes:
        engine: `screener`, `faiss` or `floor`.
        what: `single`, `batch` or `scan`; of the floor `lines` or `codes`.
        queries: `miss`, `hit`, or None if it makes no difference.
        batch: The number of queries in a call.
        threads: The number of threads.
        way: `flat`, `lookup` or `join`, or None if it is not our search.
        per_s: The look-ups in a second, of all threads together.
        us: Microseconds for each of them: 1e6 / `per_s`.
        p50_us, p99_us: Percentiles of single calls in microseconds, or None; p99 also if a turn had
            fewer than 200 calls.
    """

    engine: str
    what: str
    queries: str | None
    batch: int
    threads: int
    way: str | None
    per_s: float
    us: float
    p50_us: float | None = None
    p99_us: float | None = None


@dataclass(frozen=True)
class Run:
    """One turn of a contestant: look-ups a second, and the seconds of each single call."""

    per_s: float
    times: Sequence[float] = ()


@dataclass(frozen=True)
class Contestant:
    """`run` takes its turn, which has a number and lasts some seconds."""

    engine: str
    what: str
    queries: str | None
    batch: int
    threads: int
    way: str | None
    run: Callable[[int, float], Run]


class Faiss:
    """FAISS's exact search: every code is compared, with hits strictly below its radius."""

    def __init__(self, module: Any, codes: Codes, radius: int) -> None:
        self.version = str(module.__version__)
        self._module, self._radius = module, radius
        self._index = module.IndexBinaryFlat(8 * codes.shape[1])
        self._index.add(codes)

    def search(self, queries: Codes, threads: int = 1) -> Any:
        """Return offsets, distances and rows."""
        self._module.omp_set_num_threads(threads)
        return self._index.range_search(queries, self._radius + 1)


def list_own(
    index: HammingIndex, floor: Floor, queries: dict[str, Codes], radius: int, cores: int,
    seconds: float,
) -> list[Contestant]:  # fmt: skip
    """Return our own searches: single, in batches, and by a linear scan."""
    threads = sorted({1, cores})
    ask = partial(index.search, radius=radius)
    made = []
    for name, codes in queries.items():
        way = index.explain(radius=radius).way
        run = partial(_run_singles, ask, list(codes))
        made += [
            Contestant("screener", "single", name, 1, number, way, partial(run, number))
            for number in threads
        ]
    for size in BATCHES:
        for name, codes in queries.items():
            plan = index.explain(radius=radius, queries=size)
            each = plan.flat if plan.way == "flat" else plan.tables
            fitting = _fit_batch(each, size, seconds)
            if fitting < size and size != BATCHES[0]:
                continue  # it would be the smaller one again
            way = index.explain(radius=radius, queries=fitting).way
            for number in threads:
                run_batch = partial(
                    _run_batches, partial(ask, threads=number), _split(codes, fitting)
                )
                made.append(Contestant("screener", "batch", name, fitting, number, way, run_batch))
    scan = partial(_run_singles, floor.scan, list(queries["miss"][::-1]), 1)
    return [*made, Contestant("screener", "scan", None, 1, 1, "flat", scan)]


def list_faiss(faiss: Faiss, codes: Codes, cores: int, seconds: float) -> list[Contestant]:
    """Return FAISS's searches. It compares every code, so hits and misses take equally long."""
    single = partial(_run_singles, lambda query: faiss.search(query[np.newaxis]), list(codes), 1)
    made = [Contestant("faiss", "single", None, 1, 1, None, single)]
    best = max(_repeat(lambda _: faiss.search(codes[:1]), 0, 0.0) for _ in range(3))
    size = _fit_batch(1 / best, BATCHES[0], seconds)
    for number in sorted({1, cores}):
        run = partial(_run_batches, partial(faiss.search, threads=number), _split(codes, size))
        made.append(Contestant("faiss", "batch", None, size, number, None, run))
    return made


def _fit_batch(each: float, size: int, seconds: float) -> int:
    """Return the size of a batch that fits into a turn, of queries that take `each` seconds."""
    return int(min(size, max(_MIN_BATCH, seconds / 60 / each)))


def _split(codes: Codes, size: int) -> list[Codes]:
    return [codes[first : first + size] for first in range(0, len(codes) - size + 1, size)]


def _run_singles(
    ask: Callable[[Codes], Any], queries: list[Codes], threads: int, turn: int, seconds: float
) -> Run:
    """Answer one query after another, on each thread others, until the time is over."""
    clock = time.perf_counter
    share = len(queries) // ROUNDS
    mine = queries[turn * share : (turn + 1) * share]

    def work(number: int) -> list[float]:
        times, end = [], clock() + seconds
        for query in mine[number::threads]:
            start = clock()
            ask(query)
            now = clock()
            times.append(now - start)
            if now > end:
                break
        return times

    with ThreadPoolExecutor(threads) as pool:
        ask(queries[-1])
        begin = clock()
        times = [one for some in pool.map(work, range(threads)) for one in some]
        return Run(len(times) / (clock() - begin), times)


def _run_batches(
    ask: Callable[[Codes], Any], batches: list[Codes], turn: int, seconds: float
) -> Run:
    """Answer batches until the time is over."""
    return Run(
        len(batches[0]) * _repeat(lambda number: ask(batches[number % len(batches)]), turn, seconds)
    )


def _repeat(call: Callable[[int], Any], turn: int, seconds: float) -> float:
    """Return the calls a second, by the median; the first one warms up."""
    clock = time.perf_counter
    call(turn)
    times: list[float] = []
    end = clock() + seconds
    while not times or clock() < end:
        start = clock()
        call(turn + len(times) + 1)
        times.append(clock() - start)
    return 1 / max(float(np.median(times)), 1e-9)


def list_floor(floor: Floor, cores: int) -> list[Contestant]:
    """Return the floors in the form of contestants."""
    made = []
    if floor.groups:
        run_lines = partial(_run_lines, floor)
        made.append(Contestant("floor", "lines", None, 1, 1, None, run_lines))
    for number in sorted({1, cores}):
        run = partial(_run_codes, floor, number)
        made.append(Contestant("floor", "codes", None, 1, number, None, run))
    return made


def _run_lines(floor: Floor, turn: int, seconds: float) -> Run:
    """Read with each prefetch hint; the best one counts."""

    def read(hint: str, ahead: int, number: int) -> None:
        floor.read_lines(number % floor.groups, hint, ahead)

    rates = [_repeat(partial(read, *hint), turn, seconds / len(HINTS)) for hint in HINTS]
    return Run(max(rates) * LINE_GROUP)


def _run_codes(floor: Floor, threads: int, turn: int, seconds: float) -> Run:
    def read(part: int) -> int:
        return floor.read_codes(part, threads)

    with ThreadPoolExecutor(threads) as pool:
        return Run(_repeat(lambda _: list(pool.map(read, range(threads))), turn, seconds))


def take_turns(contestants: Sequence[Contestant], seconds: float, steps: Steps) -> list[Speed]:
    """Let each contestant take its turns in equal shares of the time; return their speeds."""
    runs: list[list[Run]] = [[] for _ in contestants]
    share = seconds / ROUNDS / len(contestants)
    for turn in range(ROUNDS):
        for contestant, own in zip(contestants, runs, strict=True):
            own.append(contestant.run(turn, share))
            steps.add()
    return [_summarise(*pair) for pair in zip(contestants, runs, strict=True)]


def _summarise(contestant: Contestant, runs: Sequence[Run]) -> Speed:
    """Return the medians of the runs."""
    per_s = float(np.median([run.per_s for run in runs]))
    calls = min(len(run.times) for run in runs)
    percentiles: list[float | None] = [None, None]
    for place, (percent, needed) in enumerate(((50, 1), (99, _MIN_P99_CALLS))):
        if calls >= needed:
            each = [np.percentile(run.times, percent) for run in runs]
            percentiles[place] = round(float(np.median(each)) * 1e6, 2)
    fields = {name: value for name, value in vars(contestant).items() if name != "run"}
    return Speed(
        **fields,
        per_s=float(f"{per_s:.5g}"),
        us=float(f"{1e6 / per_s:.4g}"),
        p50_us=percentiles[0],
        p99_us=percentiles[1],
    )
