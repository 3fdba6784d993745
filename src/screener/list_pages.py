"""What a person sees of a list's keeping: entries, quarantine, exports, the log. Never a value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from screener.console import printable
from screener.lists.exporting import ExportReport
from screener.lists.history import LogEntry
from screener.lists.importing import COUNTS, FULL
from screener.lists.matches import Flood
from screener.lists.quarantine import NotCompared, SetAside
from screener.lists.showing import Shown


def _safe(text: object) -> str:
    return escape(printable(str(text)))


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _counts(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{number} {_safe(what)}" for what, number in counts) or "nothing"


def print_entry(console: Console, shown: Shown) -> None:
    """All that is known of an entry."""
    console.print(f"{_safe(shown.source)}: {_safe(shown.entry)} is [bold]{shown.state}[/]")
    if shown.said != shown.state:
        console.print(f"  its source says {shown.said}")
    for one in shown.opinions:
        said = f"{one.state} ({_when(one.time)}): {_safe(one.reason)}"
        console.print(f"  {_safe(one.by)} says {said}")
    for category in shown.categories:
        console.print(f"  category {_safe(category.code)} of {_safe(category.scheme)}")
    for name, value in shown.labels.items():
        console.print(f"  {_safe(name)}: {_safe(value)}")
    if shown.updated is not None:
        console.print(f"  its source's time: {_safe(shown.updated)}")
    for name, value in shown.terms.items():
        console.print(f"  terms: {name} {_safe(value)}")
    for item in shown.hashes:
        quality = "" if item.quality is None else f", quality {item.quality}"
        why = "" if item.why_not is None else f", not compared: {_safe(item.why_not)}"
        value = "" if item.value is None else f" {item.value}"
        console.print(f"  {item.kind}{value}{quality}{why}")
        for source, entry, state in item.also_by:
            console.print(f"    the same as {_safe(source)}: {_safe(entry)} ({state})")
    for one_ in shown.versions:
        until = "now" if one_.until is None else f"generation {one_.until}"
        by = "" if one_.by is None else f" by {_safe(one_.by)}"
        console.print(
            f"  from generation {one_.since} to {until}: {one_.state}, from {_safe(one_.file)}"
            f" ({one_.format}), imported {_when(one_.time)}{by}"
        )
    for kind, days in shown.matched.items():
        last = max(days)
        console.print(f"  matched by {kind}: {sum(days.values())}, last on {last}: {days[last]}")
    if shown.flood:
        console.print("  [yellow]it matches far more often than others of its kind[/]")


def print_quarantine(
    console: Console, rows: Sequence[SetAside], values: Sequence[NotCompared]
) -> None:
    """Rows set aside, and values not compared."""
    table = Table("row", "file", "line", "source", "why", "release", box=None, pad_edge=False)
    for row in rows:
        why = row.reason if row.field is None else f"{row.field}: {row.reason}"
        can = "possible" if row.releasable else "-"
        done = can if row.released is None else f"generation {row.released}"
        table.add_row(
            str(row.id), _safe(row.file), str(row.line), _safe(row.source), _safe(why), done
        )
    console.print(table if rows else "no rows were set aside")
    for one in values:
        console.print(
            f"{_safe(one.source)}: {_safe(one.entry)}: {one.kind} is not compared:"
            f" {_safe(one.reason)}"
        )


def quarantine_json(rows: Sequence[SetAside], values: Sequence[NotCompared]) -> str:
    """The same as one JSON object."""
    found = {"rows": [asdict(one) for one in rows], "values": [asdict(one) for one in values]}
    return json.dumps(found, ensure_ascii=False)


def print_export(console: Console, report: ExportReport) -> None:
    """What went on, and what did not."""
    signed = "signed" if report.signed else "not signed"
    console.print(
        f"{_safe(report.file)}: {_counts(report.records.items())};"
        f" {_counts(report.hashes.items())}; generation {report.generation}; {signed}"
    )
    for source, reasons in report.withheld.items():
        for reason, number in reasons.items():
            console.print(f"  withheld: {number} records of {_safe(source)}: {_safe(reason)}")
    for reason, number in report.left_out.items():
        console.print(f"  left out: {number} {_safe(reason)}")
    if report.lost:
        console.print(f"  not said: {_safe(', '.join(report.lost))}")


def print_log(console: Console, entries: Iterable[LogEntry]) -> None:
    """One line for each thing that was done."""
    table = Table("generation", "time", "what", "by", "", box=None, pad_edge=False)
    for one in entries:
        told = one.note or ""
        if one.counts is not None:
            numbers = [f"{one.counts[k]} {k}" for k in COUNTS if one.counts.get(k)]
            if aside := sum((one.counts.get("quarantined") or {}).values()):
                numbers.append(f"{aside} quarantined")
            full = ", a full list" if one.counts.get(FULL) else ""
            told = f"{one.file} ({one.source}{full}): {', '.join(numbers)}"
        table.add_row(
            str(one.generation), _when(one.time), one.what, _safe(one.by or "-"), _safe(told)
        )
    console.print(table)


def print_floods(console: Console, name: str, floods: Sequence[Flood]) -> None:
    """Entries that matched far too often."""
    for one in floods:
        console.print(
            f"[yellow]{_safe(name)}: {_safe(one.entry)} of {_safe(one.source)} matched {one.count}"
            f" times on {one.day} by {one.kind}; {one.usual:g} is usual: its hash may be that of"
            " something harmless[/]"
        )
