"""How fast a list answers on this machine, as `screener bench` tells it.

Half of the queries are random, half lie near a listed value. They and what they find stay here:
a report holds times and counts, never a value or a distance.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from screener.arguments import integer_within
from screener.errors import HashError
from screener.hashing.hash import HashKind, kind_named
from screener.index.snapshot import Snapshot
from screener.lists.hashlist import HashList
from screener.screening.screener import VERSIONS
from screener.system.process import cores
from screener.system.progress import Progress, Steps

_SEED: Final = 20260103
_MOST_QUERIES: Final = 100_000
_LEAST_BATCH: Final = 100

Codes = npt.NDArray[np.uint8]
Ask = Callable[[Codes], Sequence[npt.NDArray[Any]]]  # offsets, rows and perhaps distances


@dataclass(frozen=True)
class Batch:
    """A batch of so many queries by so many threads: microseconds a query, queries a second."""

    queries: int
    threads: int
    way: str
    query_us: float
    queries_per_s: int


@dataclass(frozen=True)
class Figures:
    """One kind at one radius, in bits; digests have none, are looked up, and know one thread.

    `values` can be found, in `files` index files. Single queries, of which there were `queries`,
    took `p50_us` and `p99_us` microseconds, and found `hits` values each on average. `way` is
    what `explain` says of the largest file: `flat`, `lookup` or `join`.
    """

    kind: str
    values: int
    files: int
    radius: int | None
    way: str
    queries: int
    p50_us: float
    p99_us: float
    hits: float
    batches: tuple[Batch, ...]


@dataclass(frozen=True)
class Report:
    """The figures of one generation of a list, and on what they were measured."""

    list: str
    generation: int
    cores: int
    versions: dict[str, str | int]
    figures: tuple[Figures, ...]

    def to_dict(self) -> dict[str, Any]:
        """All of it in plain dicts, lists, strings and numbers."""
        return asdict(self)


def measure(
    known: HashList,
    *,
    seconds: float = 20.0,
    radius: Sequence[int] = (),
    threads: Sequence[int] = (),
    progress: Progress | None = None,
) -> Report:
    """Time searches and look-ups of every kind that a list holds; of `vpdq`, of videos' frames.

    It takes about `seconds`, after the index files were read once; a large list searched at a
    large radius may take longer, since every figure needs some queries. Without `radius` each kind
    but digests is searched at 0, half of its default and its default, without `threads` by one and
    by as many as there are cores for this process. `progress` is called with figures. Raises
    HashError for a radius that no kind has, and for a number of threads or a time that makes no
    sense.
    """
    if not 0 < seconds < float("inf"):
        raise HashError(f"seconds are above 0, not {seconds!r}")
    for bits in radius:
        if integer_within(bits, 0) is None:
            raise HashError(f"a radius is a whole number of bits from 0, not {bits!r}")
    own = cores()
    counts = sorted(set(threads or (1, own)))
    kinds = list(map(kind_named, known.kinds))
    cells = [
        (kind, bits)
        for kind in kinds
        for bits in ((None,) if kind.digest else _radii(kind, radius))
    ]
    widest = max((8 * kind.code_size for kind in kinds if not kind.digest), default=0)
    if max(radius, default=0) > widest:
        raise HashError(f"no kind of the list has a radius of {max(radius)} bits")
    steps = Steps(progress, len(cells))
    known.warm()
    share = seconds / max(1, len(cells))
    figures = []
    for kind, at in cells:
        figures.append(_figures(known, kind, at, counts, share))
        steps.add()
    return Report(known.name, known.generation, own, dict(VERSIONS), tuple(figures))


def _radii(kind: HashKind, asked: Sequence[int]) -> list[int]:
    """The radii to search a kind at, ascending: those that are not wider than it."""
    radii = sorted(set(asked or (0, kind.radius // 2, kind.radius)))
    return [radius for radius in radii if radius <= 8 * kind.code_size]


def _figures(
    known: HashList, kind: HashKind, radius: int | None, threads: Sequence[int], seconds: float
) -> Figures:
    """Single queries for a third of the time, then batches of as many as the rest allows."""
    snapshot = known.snapshot(kind.name)
    queries = _queries(snapshot, radius or 0)
    lone = _asking(known, kind, radius, 1)
    taken, hits = _singles(lone, queries, seconds / 3)
    p50, p99 = np.percentile(taken, [50, 99])
    counts = threads if radius is not None else [1]
    # The mean, since a few queries that find much may cost more than all others.
    fitting = int(seconds / 3 / len(counts) / max(float(np.mean(taken)), 1e-7))
    batch = queries[: min(max(fitting, _LEAST_BATCH), len(queries))]
    return Figures(
        kind=kind.name,
        values=len(snapshot),
        files=len(snapshot.parts),
        radius=radius,
        way=_way(snapshot, 1, radius),
        queries=len(taken),
        p50_us=round(float(p50) * 1e6, 2),
        p99_us=round(float(p99) * 1e6, 2),
        hits=round(hits / len(taken), 3),
        batches=tuple(
            _batch(
                _asking(known, kind, radius, count),
                batch,
                count,
                _way(snapshot, len(batch), radius),
            )
            for count in counts
        ),
    )


def _asking(known: HashList, kind: HashKind, radius: int | None, threads: int) -> Ask:
    if radius is None:
        return partial(known.lookup, kind.name)
    return partial(known.search, kind.name, radius=radius, threads=threads)


def _way(snapshot: Snapshot, queries: int, radius: int | None) -> str:
    """How the largest of the files is searched."""
    if radius is None:
        return "lookup"
    largest = max(range(len(snapshot.parts)), key=lambda part: len(snapshot.parts[part]))
    return snapshot.explain(queries=queries, radius=radius)[largest].way


def _queries(snapshot: Snapshot, radius: int) -> Codes:
    """Random values; every second one is a listed value with at most `radius` bits changed."""
    rng = np.random.default_rng(_SEED)
    queries = rng.integers(0, 256, (_MOST_QUERIES, snapshot.size), np.uint8)
    near = queries[::2]
    rows = len(snapshot) + snapshot.removed.size
    near[:] = snapshot.codes(rng.integers(0, rows, len(near)))
    for flips in range(1, radius + 1):
        some = np.flatnonzero(rng.integers(0, radius + 1, len(near)) >= flips)
        bits = rng.integers(0, snapshot.size * 8, len(some))
        near[some, bits // 8] ^= np.uint8(1) << (bits % 8).astype(np.uint8)
    return queries


def _singles(ask: Ask, queries: Codes, seconds: float) -> tuple[list[float], int]:
    """The seconds of each query that there was time for, and how many values they found."""
    taken: list[float] = []
    hits = 0
    end = time.perf_counter() + seconds
    for query in queries:
        start = time.perf_counter()
        found = ask(query)
        now = time.perf_counter()
        taken.append(now - start)
        hits += len(found[1])
        if now > end:
            break
    return taken, hits


def _batch(ask: Ask, batch: Codes, threads: int, way: str) -> Batch:
    """One batch, timed twice, of which the faster counts: the first may wake threads."""
    fastest = min(_timed(ask, batch) for _ in range(2))
    rate = len(batch) / fastest
    return Batch(len(batch), threads, way, round(1e6 / rate, 3), round(rate))


def _timed(ask: Ask, batch: Codes) -> float:
    start = time.perf_counter()
    ask(batch)
    return time.perf_counter() - start
