"""The commands about a list as files on this machine: info, verify, compact, bench, upgrade."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from screener.cli import console, list_text, progress
from screener.cli.measure import Report, measure
from screener.cli.open_list import open_list
from screener.cli.options import JSON, LIST
from screener.errors import counted, printable
from screener.lists.hashlist import HashList
from screener.lists.inspecting.verify import DamagedList
from screener.lists.store import upgrade as upgrading
from screener.screening.screener import warn_of_pixel_versions


@click.command()
@LIST
@JSON
def info(path: Path, as_json: bool) -> int:
    """Show what a list holds: records by state, values by kind, and which records no hash that
    is computed here can reach.
    """
    with ExitStack() as stack:
        known = open_list(stack, path)
        warn_of_pixel_versions(known)
        with progress.bar(f"counting {known.name}") as shown:
            found = known.info(progress=shown)
    if as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=False))
    else:
        list_text.print_info(console.to_stdout(), found)
    return 0


@click.command()
@LIST
def compact(path: Path) -> int:
    """Merge the index files of a list into one for each kind.

    Imports keep them few by themselves, so there is seldom a need; it takes as long as building
    the whole index. Scans go on meanwhile; imports wait their turn, and are refused after a while.

    \b
    Example:
      screener compact known.list
    """
    known = HashList.open(path)
    with progress.bar(f"compacting {known.name}") as shown:
        changed = known.compact(progress=shown)
    click.echo("compacted" if changed else "all in one file already", err=True)
    return 0


@click.command()
@LIST
@JSON
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    show_default=True,
    help="About how long it may take, once the list has been read.",
)
@click.option(
    "--radius",
    multiple=True,
    type=click.IntRange(min=0),
    help="Bits; 0, half of a kind's default and its default where left out. Repeatable.",
)
@click.option("--hugepages", is_flag=True, help="Copy the list into memory, in large pages.")
def bench(
    path: Path, as_json: bool, seconds: float, radius: tuple[int, ...], hugepages: bool
) -> int:
    """Measure how fast a list answers on this machine.

    Single queries and batches, by one thread and by all cores, at several radii: random ones and
    neighbours of what is listed. Nothing of the list is shown but sizes. What `flat`, `lookup`
    and `join` mean: docs/benchmarks.md.

    \b
    Examples:
      screener bench known.list
      screener bench known.list --radius 31 --radius 40 --seconds 60 --hugepages --json
    """
    with ExitStack() as stack:
        known = open_list(stack, path, hugepages=hugepages)
        with progress.bar(f"measuring {known.name}") as shown:
            report = measure(known, seconds=seconds, radius=radius, progress=shown)
    if as_json:
        click.echo(json.dumps(report.to_dict(), ensure_ascii=False))
    else:
        _print_speeds(console.to_stdout(), report)
    return 0


@click.command()
@LIST
@JSON
@click.option(
    "--seed", type=click.IntRange(min=0), help="Draw the queries of an earlier run again."
)
def verify(path: Path, as_json: bool, seed: int | None) -> int:
    """Check a list on disk: every byte, every table, the records, and a sample of searches.

    For each kind, hashes of the list are changed in 0 bits, in 1, and so on to the radius, and
    searched; the answers must be those of comparing with every value. No hash is printed.

    \b
    Exit codes:
      0  all is well
      2  something is damaged, and a sentence says what; or the call was wrong

    \b
    Example:
      screener verify known.list
    """
    try:
        known = HashList.open(path)
        with progress.bar(f"verifying {known.name}") as shown:
            found = known.verify(seed=seed, progress=shown)
    except DamagedList as damaged:
        found = damaged.found
    if as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=False))
    else:
        list_text.print_verification(console.to_stdout(), found)
    for sentence in found.damage:
        click.echo(f"screener: {printable(sentence)}", err=True)
    return 2 if found.damage else 0


@click.command()
@LIST
def upgrade(path: Path) -> int:
    """Bring a list that an older version wrote to the format of this one."""
    click.echo("upgraded" if upgrading.upgrade(path) else "of this format already", err=True)
    return 0


def _print_speeds(out: Console, report: Report) -> None:
    """How fast a list answers: a line for each kind, radius and number of threads."""
    out.print(
        f"{escape(printable(report.list))}: generation {report.generation},"
        f" {counted(report.cores, 'core')}, kernel {report.versions['kernel']};"
        " microseconds a query"
    )
    if not report.figures:
        out.print("the list holds nothing to search for")
        return
    first = ("kind", "values", "radius", "way", "p50", "p99")
    batch = ("batch", "threads", "way", "a query", "queries/s")
    table = Table(*first, *batch, box=None, pad_edge=False)
    for line in _figure_lines(report):
        table.add_row(*line)
    out.print(table)


def _figure_lines(report: Report) -> Iterator[tuple[str, ...]]:
    """A line for each batch; what its kind and radius share stands in the first."""
    for one in report.figures:
        radius = "-" if one.radius is None else str(one.radius)
        times = (f"{one.p50_us:,.1f}", f"{one.p99_us:,.1f}")
        shared = (one.kind, f"{one.values:,}", radius, one.way, *times)
        for number, batch in enumerate(one.batches):
            yield (
                *(shared if number == 0 else ("",) * len(shared)),
                f"{batch.queries:,}",
                str(batch.threads),
                batch.way,
                f"{batch.query_us:,.2f}",
                f"{batch.queries_per_s:,}",
            )


COMMANDS = (info, verify, compact, bench, upgrade)
