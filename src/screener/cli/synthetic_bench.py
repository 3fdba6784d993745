"""Measure look-ups in random codes, beside FAISS and beside what the machine's memory allows.

The answers are compared with a full comparison by NumPy, and with FAISS's, before anything is
timed. Contestants take turns, so that a slow spell of the machine hits all of them alike.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

import screener._core as _core
from screener.errors import IndexFileError
from screener.index.hamming import HammingIndex
from screener.screening.screener import VERSIONS
from screener.system.process import count_cores
from screener.system.progress import Progress, Steps

_BYTES: Final = 32  # of a code, as of a PDQ
_SEED: Final = 20260104
_ROUNDS: Final = 3
_SINGLES: Final = 200_000  # distinct queries, which no run asks twice
_BATCHES: Final = (10_000, 100_000)
_MIN_BATCH: Final = 16
_MAX_COMPARED: Final = 200  # queries that are answered by NumPy too
_MAX_COMPARED_CODES: Final = 100_000_000  # in all of them together
_LINE_GROUP: Final = 20  # queries whose cache lines are read in one call
_HINTS: Final = (("t0", 64), ("t1", 128), ("nta", 64))  # and the lines that they are ahead

Codes = npt.NDArray[np.uint8]
Pairs = npt.NDArray[np.int64]  # sorted (query, row, distance)


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
        p50_us, p99_us: Percentiles of single calls in microseconds, or None.
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
class SyntheticReport:
    """The figures of an index of random codes, and of the machine.

    Attributes:
        codes, bits, radius: The number of codes, their width, and the radius.
        machine: The processor, cores, memory and versions.
        load: The number of processes that were running or waiting to run before.
        build_s, build_threads: The time to build the index, and its threads.
        index_bytes: The memory of the index, its codes included.
        peak_bytes: The peak memory of this process, with all contestants.
        compared: The number of queries of which all contestants gave the same answers, half of
            them hits.
        found: The codes in these answers.
        left_out: Why FAISS was not measured, or None.
        code_bytes: The bytes that a linear scan reads.
        lines: The cache lines that a look-up reads on average, or None if it scans.
        speeds: The speeds.
    """

    codes: int
    bits: int
    radius: int
    machine: dict[str, str | int]
    load: float
    build_s: float
    build_threads: int
    index_bytes: int
    peak_bytes: int
    compared: int
    found: int
    left_out: str | None
    code_bytes: int
    lines: float | None
    speeds: tuple[Speed, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return asdict(self)

    def times_faiss(self, speed: Speed) -> float | None:
        """Return the rate as a multiple of FAISS's in the same kind of call, if it was measured."""
        alike = [
            other.per_s
            for other in self.speeds
            if other.engine == "faiss"
            and (other.what, other.threads) == (speed.what, speed.threads)
        ]
        return speed.per_s / alike[0] if alike and speed.engine == "screener" else None


@dataclass(frozen=True)
class _Run:
    """One turn of a contestant: look-ups a second, and the seconds of each single call."""

    per_s: float
    times: Sequence[float] = ()


@dataclass(frozen=True)
class _Contestant:
    """`run` takes its turn, which has a number and lasts some seconds."""

    engine: str
    what: str
    queries: str | None
    batch: int
    threads: int
    way: str | None
    run: Callable[[int, float], _Run]


def measure_synthetic(
    count: int,
    *,
    radius: int = 31,
    seconds: float = 20.0,
    progress: Progress | None = None,
) -> SyntheticReport:
    """Build an index of `count` random codes of 256 bits, and time look-ups in it.

    Parameters:
        count: The number of codes, from 1,000. Each takes some 250 bytes of memory.
        radius: The radius in bits, at most 64: beyond, random codes are near each other.
        seconds: The approximate duration, after the index is built and the answers are compared.
        progress: A function that is called with the progress.

    Raises IndexFileError if an answer differs from that of a full comparison.
    """
    steps = Steps(progress, None)
    cores, load = count_cores(), os.getloadavg()[0]
    rng = np.random.default_rng(_SEED)
    codes = rng.integers(0, 256, (count, _BYTES), np.uint8)
    start = time.perf_counter()
    index = HammingIndex.build(codes, threads=cores)
    build_s = time.perf_counter() - start
    del codes
    steps.add()
    queries = {
        "miss": rng.integers(0, 256, (_SINGLES, _BYTES), np.uint8),
        "hit": _flip(rng, index.codes[rng.integers(0, count, _SINGLES)], radius),
    }
    compared = min(_MAX_COMPARED, max(2, _MAX_COMPARED_CODES // count // 2))
    some = np.concatenate([queries["hit"][:compared], queries["miss"][:compared]])
    found = _check_answers(index, some, radius)
    faiss, left_out = _build_faiss(index, some, radius)
    steps.add()
    floor = _Floor(index, queries["miss"], radius)
    contestants = [
        *_list_own(index, queries, radius, cores, seconds),
        *([] if faiss is None else _list_faiss(faiss, queries["miss"], cores, seconds)),
        *floor.list_contestants(cores),
    ]
    steps.total = len(contestants) * _ROUNDS + 2
    speeds = _take_turns(contestants, seconds, steps)
    return SyntheticReport(
        codes=count,
        bits=8 * _BYTES,
        radius=radius,
        machine=_describe_machine(cores, faiss),
        load=round(load, 2),
        build_s=round(build_s, 3),
        build_threads=cores,
        index_bytes=index.nbytes,
        peak_bytes=_read_peak_bytes(),
        compared=len(some),
        found=found,
        left_out=left_out,
        code_bytes=index.codes.nbytes,
        lines=floor.lines,
        speeds=tuple(speeds),
    )


def _flip(rng: np.random.Generator, codes: Codes, most: int) -> Codes:
    """Return the codes with 0 to `most` of their bits changed."""
    flips = rng.integers(0, most + 1, len(codes))
    for step in range(most):
        rows = np.flatnonzero(flips > step)
        bits = rng.integers(0, 8 * _BYTES, len(rows))
        codes[rows, bits // 8] ^= np.uint8(1) << (bits % 8).astype(np.uint8)
    return codes


def _check_answers(index: HammingIndex, queries: Codes, radius: int) -> int:
    """Compare single and batched answers with a full comparison; return the number of hits."""
    wide = index.codes.view(np.uint64)
    found = []
    for number, query in enumerate(queries.view(np.uint64)):
        distances = np.zeros(len(wide), np.uint16)
        for word in range(wide.shape[1]):
            distances += np.bitwise_count(wide[:, word] ^ query[word])
        rows = np.flatnonzero(distances <= radius)
        found.append(np.stack([np.full_like(rows, number), rows, distances[rows]], axis=1))
    expected = np.concatenate(found)
    single = [_to_pairs(*index.search(query, radius=radius)) for query in queries]
    for number, pairs in enumerate(single):
        pairs[:, 0] = number
    batched = _to_pairs(*index.search(queries, radius=radius, threads=2))
    if not (np.array_equal(np.concatenate(single), expected) and np.array_equal(batched, expected)):
        raise IndexFileError("answers differ from a full comparison: this build cannot be trusted")
    return len(expected)


def _to_pairs(offsets: Any, rows: Any, distances: Any) -> Pairs:
    owners = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets.astype(np.int64)))
    pairs = np.stack([owners, rows.astype(np.int64), distances.astype(np.int64)], axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


class _Faiss:
    """FAISS's exact search: every code is compared, with hits strictly below its radius."""

    def __init__(self, module: Any, codes: Codes, radius: int) -> None:
        self.version = str(module.__version__)
        self._module, self._radius = module, radius
        self._index = module.IndexBinaryFlat(8 * _BYTES)
        self._index.add(codes)

    def search(self, queries: Codes, threads: int = 1) -> Any:
        """Return offsets, distances and rows."""
        self._module.omp_set_num_threads(threads)
        return self._index.range_search(queries, self._radius + 1)


def _build_faiss(
    index: HammingIndex, queries: Codes, radius: int
) -> tuple[_Faiss | None, str | None]:
    """Return FAISS, or None and why it is left out."""
    try:
        import faiss  # type: ignore[import-not-found, import-untyped, unused-ignore]

        built = _Faiss(faiss, index.codes, radius)
        offsets, distances, rows = built.search(queries)
    except ImportError:
        return None, "FAISS is not installed: pip install 'faiss-cpu' to compare with it"
    except Exception as error:  # whatever another library raises
        return None, f"FAISS cannot be used: {type(error).__name__}"
    ours = _to_pairs(*index.search(queries, radius=radius))
    if not np.array_equal(_to_pairs(offsets, rows, distances), ours):
        return None, "FAISS gave other answers, and is left out"
    return built, None


def _list_own(
    index: HammingIndex, queries: dict[str, Codes], radius: int, cores: int, seconds: float
) -> list[_Contestant]:
    """Return our own searches: single, in batches, and by a linear scan."""
    threads = sorted({1, cores})
    ask = partial(index.search, radius=radius)
    made = []
    for name, codes in queries.items():
        way = index.explain(radius=radius).way
        run = partial(_run_singles, ask, list(codes))
        made += [
            _Contestant("screener", "single", name, 1, number, way, partial(run, number))
            for number in threads
        ]
    for size in _BATCHES:
        for name, codes in queries.items():
            plan = index.explain(radius=radius, queries=size)
            each = plan.flat if plan.way == "flat" else plan.tables
            fitting = _fit_batch(each, size, seconds)
            if fitting < size and size != _BATCHES[0]:
                continue  # it would be the smaller one again
            way = index.explain(radius=radius, queries=fitting).way
            for number in threads:
                run_batch = partial(
                    _run_batches, partial(ask, threads=number), _split(codes, fitting)
                )
                made.append(_Contestant("screener", "batch", name, fitting, number, way, run_batch))

    def scan(query: Codes) -> Any:
        return index._index.search(query, radius, 1, "flat")

    run = partial(_run_singles, scan, list(queries["miss"][::-1]), 1)
    return [*made, _Contestant("screener", "scan", None, 1, 1, "flat", run)]


def _list_faiss(faiss: _Faiss, codes: Codes, cores: int, seconds: float) -> list[_Contestant]:
    """Return FAISS's searches. It compares every code, so hits and misses take equally long."""
    single = partial(_run_singles, lambda query: faiss.search(query[np.newaxis]), list(codes), 1)
    made = [_Contestant("faiss", "single", None, 1, 1, None, single)]
    best = max(_repeat(lambda _: faiss.search(codes[:1]), 0, 0.0) for _ in range(3))
    size = _fit_batch(1 / best, _BATCHES[0], seconds)
    for number in sorted({1, cores}):
        run = partial(_run_batches, partial(faiss.search, threads=number), _split(codes, size))
        made.append(_Contestant("faiss", "batch", None, size, number, None, run))
    return made


def _fit_batch(each: float, size: int, seconds: float) -> int:
    """Return the size of a batch that fits into a turn, of queries that take `each` seconds."""
    return int(min(size, max(_MIN_BATCH, seconds / 60 / each)))


def _split(codes: Codes, size: int) -> list[Codes]:
    return [codes[first : first + size] for first in range(0, len(codes) - size + 1, size)]


def _run_singles(
    ask: Callable[[Codes], Any], queries: list[Codes], threads: int, turn: int, seconds: float
) -> _Run:
    """Answer one query after another, on each thread others, until the time is over."""
    clock = time.perf_counter
    share = len(queries) // _ROUNDS
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
        return _Run(len(times) / (clock() - begin), times)


def _run_batches(
    ask: Callable[[Codes], Any], batches: list[Codes], turn: int, seconds: float
) -> _Run:
    """Answer batches until the time is over."""
    return _Run(
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


class _Floor:
    """What reading memory alone takes: the cache lines of look-ups, and all codes.

    `lines` is the average number of lines of a look-up, or None if the search is a scan.
    """

    def __init__(self, index: HammingIndex, queries: Codes, radius: int) -> None:
        tables = index._tables.main
        self._codes = index.codes.reshape(-1)
        self._groups: list[npt.NDArray[np.uint32]] = []
        self.lines: float | None = None
        if tables is None or index.explain(radius=radius).way == "flat":
            return
        self._sketches = tables.sketches.view(np.uint8)
        lines = [index._index.lines(query, radius) for query in queries[:2000]]
        self.lines = round(sum(map(len, lines)) / len(lines), 1)
        self._groups = [
            np.concatenate(lines[first : first + _LINE_GROUP])
            for first in range(0, len(lines), _LINE_GROUP)
        ]

    def list_contestants(self, cores: int) -> list[_Contestant]:
        """Return the floors in the form of contestants."""
        made = []
        if self._groups:
            made.append(_Contestant("floor", "lines", None, 1, 1, None, self._read_lines))
        for number in sorted({1, cores}):
            run = partial(self._read_codes, number)
            made.append(_Contestant("floor", "codes", None, 1, number, None, run))
        return made

    def _read_lines(self, turn: int, seconds: float) -> _Run:
        """Read with each prefetch hint; the best one counts."""

        def read(ahead: int, hint: str, number: int) -> None:
            _core.read_memory(self._sketches, self._groups[number % len(self._groups)], ahead, hint)

        rates = [
            _repeat(partial(read, ahead, hint), turn, seconds / len(_HINTS))
            for hint, ahead in _HINTS
        ]
        return _Run(max(rates) * _LINE_GROUP)

    def _read_codes(self, threads: int, turn: int, seconds: float) -> _Run:
        parts = np.array_split(self._codes, threads)
        with ThreadPoolExecutor(threads) as pool:
            return _Run(_repeat(lambda _: list(pool.map(_core.read_memory, parts)), turn, seconds))


def _take_turns(contestants: Sequence[_Contestant], seconds: float, steps: Steps) -> list[Speed]:
    runs: list[list[_Run]] = [[] for _ in contestants]
    share = seconds / _ROUNDS / len(contestants)
    for turn in range(_ROUNDS):
        for contestant, own in zip(contestants, runs, strict=True):
            own.append(contestant.run(turn, share))
            steps.add()
    return [_summarise(*pair) for pair in zip(contestants, runs, strict=True)]


def _summarise(contestant: _Contestant, runs: Sequence[_Run]) -> Speed:
    """Return the medians of the runs."""
    per_s = float(np.median([run.per_s for run in runs]))
    percentiles: list[float | None] = [None, None]
    if all(len(run.times) for run in runs):
        each = [np.percentile(run.times, [50, 99]) for run in runs]
        percentiles = [round(float(one) * 1e6, 2) for one in np.median(each, axis=0)]
    fields = {name: value for name, value in vars(contestant).items() if name != "run"}
    return Speed(
        **fields,
        per_s=float(f"{per_s:.5g}"),
        us=float(f"{1e6 / per_s:.4g}"),
        p50_us=percentiles[0],
        p99_us=percentiles[1],
    )


def _describe_machine(cores: int, faiss: _Faiss | None) -> dict[str, str | int]:
    described: dict[str, str | int] = {
        "processor": _read_processor(),
        "cores": cores,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    described |= {name: value for name, value in VERSIONS if name != "pixels"}
    return described if faiss is None else described | {"faiss": faiss.version}


def _read_processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _read_peak_bytes() -> int:
    import resource  # POSIX has it

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
