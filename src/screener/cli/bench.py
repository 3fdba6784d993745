"""The command `bench`, which measures how fast a list answers on this machine.

Half of the queries are random, half are near a listed value. The report has times and counts, but
no value and no distance.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from screener.arguments import integer_within
from screener.cli import progress_display, streams
from screener.cli.open_list import open_list
from screener.cli.option_types import LIST_PATH, SuffixedPath
from screener.cli.options import JSON, number_from
from screener.errors import HashError, counted, printable
from screener.hashing.hash import HashKind, kind_named
from screener.index.snapshot import Snapshot
from screener.lists.hashlist import HashList
from screener.screening.screener import VERSIONS
from screener.system.output_file import open_private_text
from screener.system.process import count_cores
from screener.system.progress import Progress, Steps

_SEED: Final = 20260103
_MAX_QUERIES: Final = 100_000
_MIN_BATCH: Final = 100
_MIN_CODES, _MAX_CODES = 1_000, 10_000_000  # of --synthetic
_MAX_RADIUS: Final = 64  # bits; beyond, random codes are near each other

Codes = npt.NDArray[np.uint8]
# Returns offsets and rows; a search returns distances too.
Search = Callable[[Codes], Sequence[npt.NDArray[Any]]]


@dataclass(frozen=True)
class Batch:
    """The speed of a batch of queries on some threads; `way` is that of `Figures`."""

    queries: int
    threads: int
    way: str
    query_us: float
    queries_per_s: int


@dataclass(frozen=True)
class Figures:
    """The speed of one kind at one radius.

    Attributes:
        kind: The kind of hash.
        values: The number of searchable values.
        files: The number of index files.
        radius: The radius in bits, or None for digests, which are looked up.
        way: How the largest file is searched, from `explain`: `flat`, `lookup` or `join`.
        queries: The number of single queries.
        p50_us, p99_us: Percentiles of their times in microseconds.
        hits: The average number of values that a query found.
        batches: The speed of batches.
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
    """The figures of one generation of a list, and of the machine."""

    list: str
    generation: int
    cores: int
    versions: dict[str, str | int]
    figures: tuple[Figures, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return asdict(self)


def measure(
    hash_list: HashList,
    *,
    seconds: float = 20.0,
    radius: Sequence[int] = (),
    threads: Sequence[int] = (),
    progress: Progress | None = None,
) -> Report:
    """Time searches and look-ups of every kind in a list; for `vpdq`, of video frames.

    Parameters:
        hash_list: The list.
        seconds: The approximate duration once the index files have been read. A large list with a
            large radius takes longer.
        radius: The radii in bits; by default 0, half of each kind's default, and its default.
        threads: The numbers of threads for batches; by default one and all cores.
        progress: A function that is called with the progress.

    Raises HashError if `seconds` is not positive or no kind has such a radius.
    """
    if not 0 < seconds < float("inf"):
        raise HashError(f"seconds must be above 0, not {seconds!r}")
    for bits in radius:
        if integer_within(bits, 0) is None:
            raise HashError(f"a radius must be an integer from 0, not {bits!r}")
    core_count = count_cores()
    thread_counts = sorted(set(threads or (1, core_count)))
    kinds = list(map(kind_named, hash_list.kinds))
    cells = [
        (kind, bits)
        for kind in kinds
        for bits in ((None,) if kind.digest else _choose_radii(kind, radius))
    ]
    widest = max((8 * kind.code_size for kind in kinds if not kind.digest), default=0)
    if max(radius, default=0) > widest:
        raise HashError(f"no kind of the list has a radius of {max(radius)} bits")
    steps = Steps(progress, len(cells))
    hash_list.warm()
    share = seconds / max(1, len(cells))
    figures = []
    for kind, cell_radius in cells:
        figures.append(_measure_kind(hash_list, kind, cell_radius, thread_counts, share))
        steps.add()
    return Report(hash_list.name, hash_list.generation, core_count, dict(VERSIONS), tuple(figures))


def _choose_radii(kind: HashKind, requested: Sequence[int]) -> list[int]:
    radii = sorted(set(requested or (0, kind.radius // 2, kind.radius)))
    return [radius for radius in radii if radius <= 8 * kind.code_size]


def _measure_kind(
    hash_list: HashList, kind: HashKind, radius: int | None, threads: Sequence[int], seconds: float
) -> Figures:
    """Time single queries for a third of the time, then batches that fit into the rest."""
    snapshot = hash_list.snapshot(kind.name)
    queries = _draw_queries(snapshot, radius or 0)
    single = _bind_search(hash_list, kind, radius, 1)
    times, hits = _time_singles(single, queries, seconds / 3)
    p50, p99 = np.percentile(times, [50, 99])
    counts = threads if radius is not None else [1]
    # By the mean, since a few queries with many hits may take longer than all others.
    batch_size = int(seconds / 3 / len(counts) / max(float(np.mean(times)), 1e-7))
    batch = queries[: min(max(batch_size, _MIN_BATCH), len(queries))]
    way = _explain_way(snapshot, len(batch), radius)
    return Figures(
        kind=kind.name,
        values=len(snapshot),
        files=len(snapshot.parts),
        radius=radius,
        way=_explain_way(snapshot, 1, radius),
        queries=len(times),
        p50_us=round(float(p50) * 1e6, 2),
        p99_us=round(float(p99) * 1e6, 2),
        hits=round(hits / len(times), 3),
        batches=tuple(
            _time_batch(_bind_search(hash_list, kind, radius, count), batch, count, way)
            for count in counts
        ),
    )


def _bind_search(hash_list: HashList, kind: HashKind, radius: int | None, threads: int) -> Search:
    if radius is None:
        return partial(hash_list.lookup, kind.name)
    return partial(hash_list.search, kind.name, radius=radius, threads=threads)


def _explain_way(snapshot: Snapshot, queries: int, radius: int | None) -> str:
    """Return how the largest index file is searched."""
    if radius is None:
        return "lookup"
    largest = max(range(len(snapshot.parts)), key=lambda part: len(snapshot.parts[part]))
    return snapshot.explain(queries=queries, radius=radius)[largest].way


def _draw_queries(snapshot: Snapshot, radius: int) -> Codes:
    """Return random values; every second one is a listed value with up to `radius` flipped bits."""
    rng = np.random.default_rng(_SEED)
    queries = rng.integers(0, 256, (_MAX_QUERIES, snapshot.size), np.uint8)
    near = queries[::2]
    rows = len(snapshot) + snapshot.removed.size
    near[:] = snapshot.codes(rng.integers(0, rows, len(near)))
    for flips in range(1, radius + 1):
        flipped = np.flatnonzero(rng.integers(0, radius + 1, len(near)) >= flips)
        bits = rng.integers(0, snapshot.size * 8, len(flipped))
        near[flipped, bits // 8] ^= np.uint8(1) << (bits % 8).astype(np.uint8)
    return queries


def _time_singles(search: Search, queries: Codes, seconds: float) -> tuple[list[float], int]:
    """Time each query until the time is over; return the times and the number of hits."""
    times: list[float] = []
    hits = 0
    deadline = time.perf_counter() + seconds
    for query in queries:
        start = time.perf_counter()
        answer = search(query)
        now = time.perf_counter()
        times.append(now - start)
        hits += len(answer[1])
        if now > deadline:
            break
    return times, hits


def _time_batch(search: Search, batch: Codes, threads: int, way: str) -> Batch:
    """Time a batch twice and return the faster run, since the first one may start threads."""

    def run() -> float:
        start = time.perf_counter()
        search(batch)
        return time.perf_counter() - start

    rate = len(batch) / min(run(), run())
    return Batch(len(batch), threads, way, round(1e6 / rate, 3), round(rate))


def _parse_count(value: str) -> int:
    """Return a number of codes, which may be written as 1e6."""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not _MIN_CODES <= number <= _MAX_CODES or number % 1:
        raise click.BadParameter(f"expected an integer from 1e3 to 1e7, not {value}")
    return int(number)


@click.command()
@click.argument("path", metavar="[LIST]", type=LIST_PATH, required=False)
@click.option(
    "--synthetic",
    "count",
    type=_parse_count,
    metavar="N",
    help="Instead of a list, so many random codes of 256 bits: 1e3 to 1e7, 250 bytes each.",
)
@JSON
@click.option(
    "--plot", type=SuffixedPath(".html"), help="With --synthetic: also write a page, NAME.html."
)
@click.option(
    "--seconds",
    type=number_from(0, fraction=True, above=True),
    default=20.0,
    show_default=True,
    help="Approximate duration, after the list has been read or made.",
)
@click.option(
    "--radius",
    multiple=True,
    type=number_from(0),
    help="Bits (default: 0, half of each kind's default, and its default). Repeatable. With"
    f" --synthetic, one from 0 to {_MAX_RADIUS} (default: 31).",
)
@click.option("--hugepages", is_flag=True, help="Copy the list into memory, in large pages.")
def bench(
    path: Path | None, count: int | None, as_json: bool, plot: Path | None, seconds: float,
    radius: tuple[int, ...], hugepages: bool,
) -> int:  # fmt: skip
    """Measure how fast a list answers on this machine.

    It times single queries and batches, with one thread and with all cores, at several radii, for
    random values and for neighbours of listed ones. It shows only sizes of the list.
    docs/benchmarks.md explains `flat`, `lookup` and `join`.

    With --synthetic it needs no list. It compares its answers with FAISS's, if that is installed,
    and its speed with FAISS's and with that of reading memory.

    \b
    Examples:
      screener bench known.list
      screener bench known.list --radius 31 --radius 40 --seconds 60 --hugepages --json
      screener bench --synthetic 1e6 --plot bench.html
    """
    if count is not None:
        if path is not None or hugepages:
            wrong = "LIST" if path is not None else "--hugepages"
            raise click.UsageError(f"--synthetic makes its own codes: leave out {wrong}")
        if len(radius) > 1 or max(radius, default=0) > _MAX_RADIUS:
            raise click.UsageError(f"--synthetic takes one --radius, from 0 to {_MAX_RADIUS}")
        return _bench_synthetic(count, *radius, seconds=seconds, as_json=as_json, plot=plot)
    if path is None:
        raise click.UsageError("Missing argument 'LIST': name a list, or use --synthetic 1e6")
    if plot is not None:
        raise click.UsageError("--plot needs --synthetic")
    with ExitStack() as stack:
        hash_list = open_list(stack, path, hugepages=hugepages)
        with progress_display.show_bar(f"measuring {hash_list.name}") as on_progress:
            report = measure(hash_list, seconds=seconds, radius=radius, progress=on_progress)
    if as_json:
        click.echo(json.dumps(report.to_dict(), ensure_ascii=False))
    else:
        _print_report(streams.to_stdout(), report)
    return 0


def _bench_synthetic(
    count: int, radius: int = 31, *, seconds: float, as_json: bool, plot: Path | None
) -> int:
    from screener.cli import synthetic_bench, synthetic_report

    with ExitStack() as stack:
        page = None
        if plot is not None:  # opened first, since it may be refused
            page = stack.enter_context(open_private_text(plot, synthetic_report.PAGE))
        with progress_display.show_bar("measuring") as on_progress:
            report = synthetic_bench.measure_synthetic(
                count, radius=radius, seconds=seconds, progress=on_progress
            )
        if page is not None:
            page.write(synthetic_report.render_page(report))
    if as_json:
        click.echo(json.dumps(report.to_dict(), ensure_ascii=False))
    else:
        synthetic_report.print_report(streams.to_stdout(), report)
    return 0


def _print_report(out: Console, report: Report) -> None:
    out.print(
        f"{escape(printable(report.list))}: generation {report.generation},"
        f" {counted(report.cores, 'core')}, kernel {report.versions['kernel']};"
        " times in microseconds"
    )
    if not report.figures:
        out.print("the list contains nothing to search for")
        return
    single = ("kind", "values", "radius", "way", "p50", "p99")
    batch = ("batch", "threads", "way", "per query", "queries/s")
    table = Table(*single, *batch, box=None, pad_edge=False)
    for row in _format_rows(report):
        table.add_row(*row)
    out.print(table)


def _format_rows(report: Report) -> Iterator[tuple[str, ...]]:
    """Yield a row per batch; only the first one of a kind and radius shows their cells."""
    for figures in report.figures:
        radius = "-" if figures.radius is None else str(figures.radius)
        times = (f"{figures.p50_us:,.1f}", f"{figures.p99_us:,.1f}")
        shared = (figures.kind, f"{figures.values:,}", radius, figures.way, *times)
        for index, batch in enumerate(figures.batches):
            yield (
                *(shared if index == 0 else ("",) * len(shared)),
                f"{batch.queries:,}",
                str(batch.threads),
                batch.way,
                f"{batch.query_us:,.2f}",
                f"{batch.queries_per_s:,}",
            )
