"""What the commands print about a list. A hash value is printed only if the user asked for it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from screener.cli.streams import ALL
from screener.errors import SOME, counted, printable, some
from screener.lists import times
from screener.lists.importing.report import COUNT_FIELDS, FULL_KEY, TERMS_KEY, ImportReport

if TYPE_CHECKING:  # each command loads what it prints
    from screener.lists.exporting.export import ExportReport
    from screener.lists.importing.quarantine import QuarantinedRow, UncomparedHash
    from screener.lists.inspecting.info import ListInfo
    from screener.lists.inspecting.shown_entry import Shown, ShownHash
    from screener.lists.inspecting.verify import Verification
    from screener.lists.store.change_log import LogEntry
    from screener.lists.store.match_counts import Flood

_Row = TypeVar("_Row")

# How `log` names the counts of an import whose own name is not plain enough.
_LOGGED = {
    "rows": ("row", "rows"),
    "repeated": ("further row", "further rows"),
    "untimed": ("row without time", "rows without time"),
    "stopped": ("no longer matching", "no longer matching"),
    "missed": ("withdrawal without entry", "withdrawals without entry"),
    "absent": ("omitted", "omitted"),
    "dropped": ("digest of an empty file", "digests of an empty file"),
    "low_information": ("value with too little information", "values with too little information"),
    "low_quality": ("hash of low quality", "hashes of low quality"),
    "placeholders": ("placeholder", "placeholders"),
}


def _safe(text: object) -> str:
    return escape(printable(text))


def _counts(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{number} {_safe(noun)}" for noun, number in counts) or "nothing"


def print_import(console: Console, name: str, report: ImportReport) -> None:
    """Print what an import did, and where the bad rows are."""
    console.print(
        f"{_safe(name)}: {counted(report.rows, 'row')} read, {report.added:,} added,"
        f" {report.changed:,} changed, {report.unchanged:,} unchanged,"
        f" {report.withdrawn:,} withdrawn; "
        f"generation {report.generation}"
    )
    entry, row = ("entry", "entries"), ("row", "rows")
    placeholder = ("placeholder", "placeholders")
    for number, noun, what in (
        (report.repeated, ("further row", "further rows"), "of an entry: the latest counts"),
        (report.outdated, entry, "unchanged, as the file is older than the list"),
        (report.untimed, row, "without a comparable time: the later import counts"),
        (report.stopped, entry, "no longer matching: withdrawn or in another state"),
        (report.missed, ("withdrawal", "withdrawals"),
         "ignored: this source never listed that entry"),
        (report.absent, entry, "withdrawn, as the full file omits them"),
        (report.dropped, ("digest", "digests"), "of an empty file, dropped"),
        (report.low_information, ("value", "values"), "with too little information, not compared"),
        (report.placeholders, placeholder, "for many files, not compared for this source"),
        (report.low_quality, ("hash", "hashes"), "of a quality below the usual floor"),
        (report.conflicting, entry, "contradicted by others with the same hash: see `show`"),
    ):  # fmt: skip
        if number:
            console.print(f"  {counted(number, *noun)} {what}")
    if report.unknown_columns:
        console.print(f"  columns stored as labels: {escape(some(report.unknown_columns))}")
    if report.quarantined:
        bad = counted(sum(report.quarantined.values()), "row")
        console.print(f"  [yellow]{bad} quarantined[/]:")
        for line, reason in report.first_bad:
            console.print(f"    {report.unit} {line}: {_safe(reason)}")
    for note in report.notes:
        console.print(f"  [yellow]{_safe(note)}[/]")


def print_hubs(console: Console, hubs: Mapping[str, int]) -> None:
    """Print which kinds have hubs, codes near very many others of the list."""
    for kind, count in hubs.items():
        console.print(
            f"  [yellow]{counted(count, f'{kind} code')} near at least 2 % of the list's codes[/],"
            " like those of blank pictures"
        )


def print_info(console: Console, info: ListInfo) -> None:
    """Print what a list holds, and how many records each kind of hash can match."""
    console.print(f"{_safe(info.name)}: generation {info.generation}, {info.age_s:.0f} s old")
    table = Table("records", "", box=None, pad_edge=False)
    for state, number in info.states.items():
        table.add_row(state, str(number))
    for kind, number in info.values.items():
        noun = "frames of listed videos" if kind == "vpdq" else f"{kind} values"
        table.add_row(noun, str(number))
    for kind, number in info.reached.items():
        if number or kind in info.values:
            table.add_row(f"can be matched by {kind}", str(number))
    table.add_row("cannot be matched by any hash computed here:", str(info.by_none))
    if info.by_weak:
        table.add_row("can be hit by weak kinds only, no match", str(info.by_weak))
    console.print(table)


def print_verification(console: Console, verification: Verification) -> None:
    """Print which files of each kind were checked, and how many pairs were compared."""
    checks = " ".join(verification.database)
    console.print(f"{_safe(verification.name)}: generation {verification.generation}; {checks}")
    columns = ("kind", "files", "values", "bytes", "checks", "pairs compared", "differences")
    table = Table(*columns, box=None, pad_edge=False)
    for kind in verification.kinds:
        numbers = (kind.files, kind.values, kind.bytes)
        compared = (kind.pairs, kind.differences)
        table.add_row(kind.kind, *map(str, numbers), " ".join(kind.checks), *map(str, compared))
    console.print(table)
    console.print(
        f"{counted(verification.pairs, 'pair')} compared with brute force,"
        f" {counted(verification.differences, 'difference')}"
    )


def print_entry(console: Console, shown: Shown) -> None:
    """Print an entry with its hashes and versions; of many hashes, some."""
    console.print(f"{_safe(shown.source)}: {_safe(shown.entry)} is [bold]{_safe(shown.state)}[/]")
    if shown.said != shown.state:
        console.print(f"  state by its source: {_safe(shown.said)}")
    for opinion in shown.opinions:
        console.print(
            f"  opinion of {_safe(opinion.by)}: {opinion.state}"
            f" ({times.format_time(opinion.time)}): {_safe(opinion.reason)}"
        )
    for category in shown.categories:
        console.print(f"  category {_safe(category.code)} of {_safe(category.scheme)}")
    for name, value in shown.labels.items():
        console.print(f"  {_safe(name)}: {_safe(value)}")
    if shown.updated is not None:
        console.print(f"  updated by its source: {_safe(shown.updated)}")
    for name, value in shown.terms.items():
        console.print(f"  terms: {name} {_safe(value)}")
    _print_hashes(console, shown.hashes)
    for version in shown.versions:
        until = "now" if version.until is None else f"generation {_safe(version.until)}"
        by = "" if version.by is None else f" by {_safe(version.by)}"
        console.print(
            f"  from generation {version.since} to {until}: {_safe(version.state)}, from"
            f" {_safe(version.file)} ({_safe(version.format)}),"
            f" imported {times.format_time(version.time)}{by}"
        )
    for kind, days in shown.matched.items():
        last, total = max(days), sum(days.values())
        console.print(f"  matches by {_safe(kind)}: {total}, last on {_safe(last)}: {days[last]}")
    if shown.flood:
        console.print("  [yellow]it matches far more often than others of its kind[/]")


def _print_hashes(console: Console, hashes: Sequence[ShownHash]) -> None:
    first = _first(hashes)
    for item in first:
        quality = "" if item.quality is None else f", quality {_safe(item.quality)}"
        value = "" if item.value is None else f" {item.value}"
        console.print(f"  {_safe(item.kind)}{value}{quality}{_safe(_why_not(item))}")
        others = _first(item.also_by)
        for source, entry, state in others:
            console.print(f"    also of {_safe(source)}: {_safe(entry)} ({_safe(state)})")
        states = (state for *_, state in item.also_by)
        _print_rest(console, states, len(item.also_by) - len(others), indent=4)
    kinds = (f"{item.kind}{_why_not(item)}" for item in hashes)
    _print_rest(console, kinds, len(hashes) - len(first), indent=2)


def _why_not(item: ShownHash) -> str:
    return "" if item.why_not is None else f", not compared: {item.why_not}"


def print_quarantine(
    console: Console, rows: Sequence[QuarantinedRow], values: Sequence[UncomparedHash]
) -> None:
    """Print quarantined rows and values that are not compared.

    Of many, print some, first those that nobody has released, and counts by reason.
    """
    table = Table("row", "file", "line", "source", "why", "release", box=None, pad_edge=False)
    shown = _first(sorted(rows, key=lambda row: row.released is not None))
    for row in shown:
        open_ = "possible" if row.releasable else "-"
        release = open_ if row.released is None else f"generation {_safe(row.released)}"
        why, line = _safe(_reason(row)), _safe(row.line)
        table.add_row(str(row.id), _safe(row.file), line, _safe(row.source), why, release)
    console.print(table if rows else "no rows are quarantined")
    _print_rest(console, map(_reason, rows), len(rows) - len(shown))
    shown_values = _first(values)
    for value in shown_values:
        console.print(f"{_safe(value.source)}: {_safe(value.entry)}: {_safe(_not_compared(value))}")
    _print_rest(console, map(_not_compared, values), len(values) - len(shown_values))


def _first(rows: Sequence[_Row]) -> Sequence[_Row]:
    return rows if len(rows) <= ALL else rows[:SOME]


def _print_rest(console: Console, reasons: Iterable[str], hidden: int, *, indent: int = 0) -> None:
    """Print how many rows are hidden, and the counts of all by reason."""
    if hidden:
        space = " " * indent
        console.print(f"{space}… and {hidden} more: --json lists all. By reason:")
        by_reason = Counter(reasons)
        for reason, number in by_reason.most_common(SOME):
            console.print(f"{space}  {number} {_safe(reason)}")
        if len(by_reason) > SOME:
            console.print(f"{space}  … and {len(by_reason) - SOME} more reasons")


def _reason(row: QuarantinedRow) -> str:
    return row.reason if row.field is None else f"{row.field}: {row.reason}"


def _not_compared(value: UncomparedHash) -> str:
    return f"{value.kind} is not compared: {value.reason}"


def quarantine_json(rows: Sequence[QuarantinedRow], values: Sequence[UncomparedHash]) -> str:
    """Return the same as one JSON object."""
    facts = {"rows": [asdict(row) for row in rows], "values": [asdict(value) for value in values]}
    return json.dumps(facts, ensure_ascii=False)


def print_export(console: Console, report: ExportReport) -> None:
    """Print what was exported, and what was left out."""
    signed = "signed" if report.signed else "not signed"
    console.print(
        f"{_safe(report.file)}: {_counts(report.records.items())};"
        f" {_counts(report.hashes.items())}; generation {report.generation}; {signed}"
    )
    for source, reasons in report.withheld.items():
        for reason, number in reasons.items():
            records = counted(number, "record")
            console.print(f"  withheld: {records} of {_safe(source)}: {_safe(reason)}")
    for reason, number in report.left_out.items():
        console.print(f"  left out: {_safe(reason)}: {number}")
    if not report.hashes:
        console.print(
            "  [yellow]the file holds no hash: this audience may receive no confirmed or disputed"
            " record[/]"
        )
    if report.lost:
        console.print(f"  fields that the format lacks: {_safe(', '.join(report.lost))}")


def print_log(console: Console, entries: Iterable[LogEntry]) -> None:
    """Print one line for each change of a list."""
    table = Table("generation", "time", "what", "by", "", box=None, pad_edge=False)
    for entry in entries:
        table.add_row(
            str(entry.generation),
            times.format_time(entry.time),
            _safe(entry.what),
            _safe(entry.by or "-"),
            _safe(_logged(entry)),
        )
    console.print(table)


def _logged(entry: LogEntry) -> str:
    if entry.counts is None:
        return entry.note or ""
    numbers = [
        counted(entry.counts[name], *_LOGGED.get(name, (name, name)))
        for name in COUNT_FIELDS
        if entry.counts.get(name)
    ]
    if quarantined := sum((entry.counts.get("quarantined") or {}).values()):
        numbers.append(f"{quarantined:,} quarantined")
    full = ", a full list" if entry.counts.get(FULL_KEY) else ""
    terms = f"; {entry.counts[TERMS_KEY]}" if entry.counts.get(TERMS_KEY) else ""
    return f"{entry.file} ({entry.source}{full}): {', '.join(numbers)}{terms}"


def print_floods(console: Console, name: str, floods: Sequence[Flood]) -> None:
    """Print the entries that matched far too often."""
    for flood in floods:
        console.print(
            f"[yellow]{_safe(name)}: {_safe(flood.entry)} of {_safe(flood.source)} matched"
            f" {counted(flood.count, 'time')} on {_safe(flood.day)} by {_safe(flood.kind)};"
            f" {flood.usual:g} is usual: its hash may be that of something harmless[/]"
        )
