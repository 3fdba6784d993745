"""The output of the commands on a list. Hash values are printed only if the user asks for them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from screener.cli.streams import MAX_ROWS
from screener.errors import MAX_LISTED_NAMES, counted, printable, some
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

# Names in the output of `log` for counts of an import whose own names are not clear.
_COUNT_NOUNS = {
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


def _escape(text: object) -> str:
    return escape(printable(text))


def _format_counts(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{number} {_escape(noun)}" for noun, number in counts) or "nothing"


def print_import(console: Console, name: str, report: ImportReport) -> None:
    """Print the counts of an import, and the lines of bad rows."""
    console.print(
        f"{_escape(name)}: {counted(report.rows, 'row')} read, {report.added:,} added,"
        f" {report.changed:,} changed, {report.unchanged:,} unchanged,"
        f" {report.withdrawn:,} withdrawn; "
        f"generation {report.generation}"
    )
    entry, row = ("entry", "entries"), ("row", "rows")
    placeholder = ("placeholder", "placeholders")
    for number, noun, meaning in (
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
            console.print(f"  {counted(number, *noun)} {meaning}")
    if report.unknown_columns:
        console.print(f"  columns stored as labels: {escape(some(report.unknown_columns))}")
    if report.quarantined:
        bad = counted(sum(report.quarantined.values()), "row")
        console.print(f"  [yellow]{bad} quarantined[/]:")
        for line, reason in report.first_bad:
            console.print(f"    {report.unit} {line}: {_escape(reason)}")
    for note in report.notes:
        console.print(f"  [yellow]{_escape(note)}[/]")


def print_hubs(console: Console, hubs: Mapping[str, int]) -> None:
    """Print the kinds that have hubs: codes near very many others of the list."""
    for kind, count in hubs.items():
        console.print(
            f"  [yellow]{counted(count, f'{kind} code')} near at least 2 % of the list's codes[/],"
            " like those of blank pictures"
        )


def print_info(console: Console, info: ListInfo) -> None:
    """Print the counts of a list, and the number of records that each kind can match."""
    console.print(f"{_escape(info.name)}: generation {info.generation}, {info.age_s:.0f} s old")
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
    """Print the checked files of each kind, and the number of compared pairs."""
    checks = " ".join(verification.database)
    console.print(f"{_escape(verification.name)}: generation {verification.generation}; {checks}")
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
    """Print an entry with its versions and hashes, or some of its hashes if there are many."""
    console.print(
        f"{_escape(shown.source)}: {_escape(shown.entry)} is [bold]{_escape(shown.state)}[/]"
    )
    if shown.said != shown.state:
        console.print(f"  state by its source: {_escape(shown.said)}")
    for opinion in shown.opinions:
        console.print(
            f"  opinion of {_escape(opinion.by)}: {opinion.state}"
            f" ({times.format_time(opinion.time)}): {_escape(opinion.reason)}"
        )
    for category in shown.categories:
        console.print(f"  category {_escape(category.code)} of {_escape(category.scheme)}")
    for name, value in shown.labels.items():
        console.print(f"  {_escape(name)}: {_escape(value)}")
    if shown.updated is not None:
        console.print(f"  updated by its source: {_escape(shown.updated)}")
    for name, value in shown.terms.items():
        console.print(f"  terms: {name} {_escape(value)}")
    _print_hashes(console, shown.hashes)
    for version in shown.versions:
        until = "now" if version.until is None else f"generation {_escape(version.until)}"
        by = "" if version.by is None else f" by {_escape(version.by)}"
        console.print(
            f"  from generation {version.since} to {until}: {_escape(version.state)}, from"
            f" {_escape(version.file)} ({_escape(version.format)}),"
            f" imported {times.format_time(version.time)}{by}"
        )
    for kind, days in shown.matched.items():
        last, total = max(days), sum(days.values())
        console.print(
            f"  matches by {_escape(kind)}: {total}, last on {_escape(last)}: {days[last]}"
        )
    if shown.flood:
        console.print("  [yellow]it matches far more often than others of its kind[/]")


def _print_hashes(console: Console, hashes: Sequence[ShownHash]) -> None:
    first = _first(hashes)
    for hash_ in first:
        quality = "" if hash_.quality is None else f", quality {_escape(hash_.quality)}"
        value = "" if hash_.value is None else f" {hash_.value}"
        console.print(f"  {_escape(hash_.kind)}{value}{quality}{_escape(_exclusion(hash_))}")
        others = _first(hash_.also_by)
        for source, entry, state in others:
            console.print(f"    also of {_escape(source)}: {_escape(entry)} ({_escape(state)})")
        states = (state for *_, state in hash_.also_by)
        _print_hidden(console, states, len(hash_.also_by) - len(others), indent=4)
    kinds = (f"{hash_.kind}{_exclusion(hash_)}" for hash_ in hashes)
    _print_hidden(console, kinds, len(hashes) - len(first), indent=2)


def _exclusion(hash_: ShownHash) -> str:
    return "" if hash_.why_not is None else f", not compared: {hash_.why_not}"


def print_quarantine(
    console: Console, rows: Sequence[QuarantinedRow], values: Sequence[UncomparedHash]
) -> None:
    """Print quarantined rows and values that are not compared.

    If there are many, print some, unreleased ones first, and counts by reason.
    """
    table = Table("row", "file", "line", "source", "why", "release", box=None, pad_edge=False)
    shown = _first(sorted(rows, key=lambda row: row.released is not None))
    for row in shown:
        if row.released is not None:
            release = f"generation {_escape(row.released)}"
        else:
            release = "possible" if row.releasable else "-"
        reason, line = _escape(_format_reason(row)), _escape(row.line)
        table.add_row(str(row.id), _escape(row.file), line, _escape(row.source), reason, release)
    console.print(table if rows else "no rows are quarantined")
    _print_hidden(console, map(_format_reason, rows), len(rows) - len(shown))
    shown_values = _first(values)
    for value in shown_values:
        console.print(
            f"{_escape(value.source)}: {_escape(value.entry)}: {_escape(_format_exclusion(value))}"
        )
    _print_hidden(console, map(_format_exclusion, values), len(values) - len(shown_values))


def _first(rows: Sequence[_Row]) -> Sequence[_Row]:
    return rows if len(rows) <= MAX_ROWS else rows[:MAX_LISTED_NAMES]


def _print_hidden(
    console: Console, reasons: Iterable[str], hidden: int, *, indent: int = 0
) -> None:
    """Print the number of hidden rows, and the counts of all rows by reason."""
    if hidden:
        space = " " * indent
        console.print(f"{space}… and {hidden} more: --json lists all. By reason:")
        by_reason = Counter(reasons)
        for reason, number in by_reason.most_common(MAX_LISTED_NAMES):
            console.print(f"{space}  {number} {_escape(reason)}")
        if len(by_reason) > MAX_LISTED_NAMES:
            console.print(f"{space}  … and {len(by_reason) - MAX_LISTED_NAMES} more reasons")


def _format_reason(row: QuarantinedRow) -> str:
    return row.reason if row.field is None else f"{row.field}: {row.reason}"


def _format_exclusion(value: UncomparedHash) -> str:
    return f"{value.kind} is not compared: {value.reason}"


def quarantine_json(rows: Sequence[QuarantinedRow], values: Sequence[UncomparedHash]) -> str:
    """Return quarantined rows and values that are not compared as one JSON object."""
    content = {"rows": [asdict(row) for row in rows], "values": [asdict(value) for value in values]}
    return json.dumps(content, ensure_ascii=False)


def print_export(console: Console, report: ExportReport) -> None:
    """Print the counts of an export, and of what was left out."""
    signed = "signed" if report.signed else "not signed"
    console.print(
        f"{_escape(report.file)}: {_format_counts(report.records.items())};"
        f" {_format_counts(report.hashes.items())}; generation {report.generation}; {signed}"
    )
    for source, reasons in report.withheld.items():
        for reason, number in reasons.items():
            records = counted(number, "record")
            console.print(f"  withheld: {records} of {_escape(source)}: {_escape(reason)}")
    for reason, number in report.left_out.items():
        console.print(f"  left out: {_escape(reason)}: {number}")
    if not report.hashes:
        console.print(
            "  [yellow]the file holds no hash: this audience may receive no confirmed or disputed"
            " record[/]"
        )
    if report.lost:
        console.print(f"  fields that the format lacks: {_escape(', '.join(report.lost))}")


def print_log(console: Console, entries: Iterable[LogEntry]) -> None:
    """Print one line per change of a list."""
    table = Table("generation", "time", "what", "by", "", box=None, pad_edge=False)
    for entry in entries:
        table.add_row(
            str(entry.generation),
            times.format_time(entry.time),
            _escape(entry.what),
            _escape(entry.by or "-"),
            _escape(_format_import(entry)),
        )
    console.print(table)


def _format_import(entry: LogEntry) -> str:
    if entry.counts is None:
        about = "/".join(filter(None, (entry.source, entry.entry)))
        return ": ".join(filter(None, (about, entry.note)))
    counts = [
        counted(entry.counts[name], *_COUNT_NOUNS.get(name, (name, name)))
        for name in COUNT_FIELDS
        if entry.counts.get(name)
    ]
    if quarantined := sum((entry.counts.get("quarantined") or {}).values()):
        counts.append(f"{quarantined:,} quarantined")
    full = ", a full list" if entry.counts.get(FULL_KEY) else ""
    terms = f"; {entry.counts[TERMS_KEY]}" if entry.counts.get(TERMS_KEY) else ""
    return f"{entry.file} ({entry.source}{full}): {', '.join(counts)}{terms}"


def print_floods(console: Console, name: str, floods: Sequence[Flood]) -> None:
    """Print the entries that matched far more often than usual."""
    for flood in floods:
        console.print(
            f"[yellow]{_escape(name)}: {_escape(flood.entry)} of {_escape(flood.source)} matched"
            f" {counted(flood.count, 'time')} on {_escape(flood.day)} by {_escape(flood.kind)};"
            f" {flood.usual:g} is usual: its hash may be that of something harmless[/]"
        )
