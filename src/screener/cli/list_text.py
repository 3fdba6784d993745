"""List text: what a person sees of a list in a terminal: imports, what it holds, whether it is
whole, entries, quarantine, exports, the log. A value is shown only where it was asked for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from screener.cli.console import ALL
from screener.errors import SOME, counted, printable, some
from screener.lists import times
from screener.lists.importing.report import COUNTS, FULL, TERMS, ImportReport

if TYPE_CHECKING:  # a command loads what it tells of
    from screener.lists.exporting.export import ExportReport
    from screener.lists.importing.quarantine import NotCompared, SetAside
    from screener.lists.inspecting.entry import Shown, ShownHash
    from screener.lists.inspecting.info import ListInfo
    from screener.lists.inspecting.verify import Verification
    from screener.lists.store.change_log import LogEntry
    from screener.lists.store.match_counts import Flood

_Told = TypeVar("_Told")


def _safe(text: object) -> str:
    return escape(printable(text))


def _counts(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{number} {_safe(what)}" for what, number in counts) or "nothing"


def print_import(console: Console, name: str, report: ImportReport) -> None:
    """What an import did, and where the bad rows are; never a value."""
    console.print(
        f"{_safe(name)}: {counted(report.rows, 'row')} read, {report.added:,} added,"
        f" {report.changed:,} changed, {report.unchanged:,} unchanged,"
        f" {report.withdrawn:,} withdrawn; "
        f"generation {report.generation}"
    )
    entry, row = ("entry", "entries"), ("row", "rows")
    for number, noun, what in (
        (report.repeated, ("further row", "further rows"), "of an entry, joined or put in order"),
        (report.outdated, entry, "left as is: the file's rows are older than what is stored"),
        (report.untimed, row, "without a time to compare: the later import counts"),
        (report.stopped, entry, "no longer matching: withdrawn or of another state"),
        (report.missed, ("withdrawal", "withdrawals"), "ignored: never listed by this source"),
        (report.absent, entry, "no longer named by the file, withdrawn"),
        (report.dropped, ("digest", "digests"), "of an empty file, dropped"),
        (report.low_information, ("value", "values"), "with too little information, not searched"),
        (
            report.placeholders,
            ("placeholder", "placeholders"),
            "for many files, not searched for this source",
        ),
        (report.low_quality, ("hash", "hashes"), "of a quality below the usual floor"),
        (report.conflicting, entry, "contradicted by others with the same hash: see `show`"),
    ):
        if number:
            console.print(f"  {counted(number, *noun)} {what}")
    if report.unknown_columns:
        console.print(f"  columns kept as labels: {escape(some(report.unknown_columns))}")
    if report.quarantined:
        bad = counted(sum(report.quarantined.values()), "row")
        console.print(f"  [yellow]{bad} quarantined[/]:")
        for line, reason in report.first_bad:
            console.print(f"    {report.unit} {line}: {_safe(reason)}")
    for note in report.notes:
        console.print(f"  [yellow]{_safe(note)}[/]")


def print_hubs(console: Console, hubs: Mapping[str, int]) -> None:
    """Which kinds of a list have codes that are near very many others."""
    for kind, count in hubs.items():
        console.print(
            f"  [yellow]{counted(count, f'{kind} code')} near one in fifty of the list's others[/],"
            " as those of blank pictures are"
        )


def print_info(console: Console, info: ListInfo) -> None:
    """What a list holds, and which of its records no hash that we make can reach."""
    console.print(f"{_safe(info.name)}: generation {info.generation}, {info.age_s:.0f} s old")
    table = Table("records", "", box=None, pad_edge=False)
    for state, number in info.states.items():
        table.add_row(state, str(number))
    for kind, number in info.values.items():
        what = "frames of listed videos" if kind == "vpdq" else f"{kind} values"
        table.add_row(what, str(number))
    for kind, number in info.reached.items():
        if number or kind in info.values:
            table.add_row(f"reached by {kind}", str(number))
    table.add_row("reached by none that is computed here", str(info.by_none))
    if info.by_weak:
        table.add_row("reached by weak kinds alone, no match", str(info.by_weak))
    console.print(table)


def print_verification(console: Console, found: Verification) -> None:
    """What was checked of a list, kind by kind, and how many pairs were compared; never a value."""
    held = " ".join(found.database)
    console.print(f"{_safe(found.name)}: generation {found.generation}; {held}")
    columns = ("kind", "files", "values", "bytes", "checks", "pairs compared", "differences")
    table = Table(*columns, box=None, pad_edge=False)
    for kind in found.kinds:
        numbers = (kind.files, kind.values, kind.bytes)
        compared = (kind.pairs, kind.differences)
        table.add_row(kind.kind, *map(str, numbers), " ".join(kind.checks), *map(str, compared))
    console.print(table)
    console.print(
        f"{counted(found.pairs, 'pair')} compared with brute force,"
        f" {counted(found.differences, 'difference')}"
    )


def print_entry(console: Console, shown: Shown) -> None:
    """All that is known of an entry; of many hashes, and of many others that hold one, some."""
    console.print(f"{_safe(shown.source)}: {_safe(shown.entry)} is [bold]{_safe(shown.state)}[/]")
    if shown.said != shown.state:
        console.print(f"  its source says {_safe(shown.said)}")
    for one in shown.opinions:
        said = f"{one.state} ({times.format_time(one.time)}): {_safe(one.reason)}"
        console.print(f"  {_safe(one.by)} says {said}")
    for category in shown.categories:
        console.print(f"  category {_safe(category.code)} of {_safe(category.scheme)}")
    for name, value in shown.labels.items():
        console.print(f"  {_safe(name)}: {_safe(value)}")
    if shown.updated is not None:
        console.print(f"  its source's time: {_safe(shown.updated)}")
    for name, value in shown.terms.items():
        console.print(f"  terms: {name} {_safe(value)}")
    hashes = _few(shown.hashes)
    for item in hashes:
        quality = "" if item.quality is None else f", quality {_safe(item.quality)}"
        value = "" if item.value is None else f" {item.value}"
        console.print(f"  {_safe(item.kind)}{value}{quality}{_safe(_why_not(item))}")
        others = _few(item.also_by)
        for source, entry, state in others:
            console.print(f"    the same as {_safe(source)}: {_safe(entry)} ({_safe(state)})")
        states = (state for *_, state in item.also_by)
        _print_rest(console, states, len(item.also_by) - len(others), indent=4)
    kinds = (f"{item.kind}{_why_not(item)}" for item in shown.hashes)
    _print_rest(console, kinds, len(shown.hashes) - len(hashes), indent=2)
    for one_ in shown.versions:
        until = "now" if one_.until is None else f"generation {_safe(one_.until)}"
        by = "" if one_.by is None else f" by {_safe(one_.by)}"
        console.print(
            f"  from generation {one_.since} to {until}: {_safe(one_.state)}, from"
            f" {_safe(one_.file)} ({_safe(one_.format)}),"
            f" imported {times.format_time(one_.time)}{by}"
        )
    for kind, days in shown.matched.items():
        last, total = max(days), sum(days.values())
        console.print(f"  matched by {_safe(kind)}: {total}, last on {_safe(last)}: {days[last]}")
    if shown.flood:
        console.print("  [yellow]it matches far more often than others of its kind[/]")


def _why_not(item: ShownHash) -> str:
    return "" if item.why_not is None else f", not compared: {item.why_not}"


def print_quarantine(
    console: Console, rows: Sequence[SetAside], values: Sequence[NotCompared]
) -> None:
    """Rows set aside, and values not compared: all where they are few, or else some, those first
    that nobody has released, and how many there are of each trouble.
    """
    table = Table("row", "file", "line", "source", "why", "release", box=None, pad_edge=False)
    shown = _few(sorted(rows, key=lambda row: row.released is not None))
    for row in shown:
        can = "possible" if row.releasable else "-"
        done = can if row.released is None else f"generation {_safe(row.released)}"
        why = _safe(_trouble(row))
        table.add_row(str(row.id), _safe(row.file), _safe(row.line), _safe(row.source), why, done)
    console.print(table if rows else "no rows were set aside")
    _print_rest(console, map(_trouble, rows), len(rows) - len(shown))
    shown_values = _few(values)
    for one in shown_values:
        console.print(f"{_safe(one.source)}: {_safe(one.entry)}: {_safe(_not_compared(one))}")
    _print_rest(console, map(_not_compared, values), len(values) - len(shown_values))


def _few(several: Sequence[_Told]) -> Sequence[_Told]:
    return several if len(several) <= ALL else several[:SOME]


def _print_rest(console: Console, sorts: Iterable[str], hidden: int, *, indent: int = 0) -> None:
    """What is not shown of many, by how many there are of each sort in all."""
    if hidden:
        space = " " * indent
        console.print(f"{space}… and {hidden} more: --json has all. Of each there are:")
        by_sort = Counter(sorts)
        for sort, number in by_sort.most_common(SOME):
            console.print(f"{space}  {number} {_safe(sort)}")
        if len(by_sort) > SOME:
            console.print(f"{space}  … and {len(by_sort) - SOME} more sorts")


def _trouble(row: SetAside) -> str:
    return row.reason if row.field is None else f"{row.field}: {row.reason}"


def _not_compared(one: NotCompared) -> str:
    return f"{one.kind} is not compared: {one.reason}"


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
            records = counted(number, "record")
            console.print(f"  withheld: {records} of {_safe(source)}: {_safe(reason)}")
    for reason, number in report.left_out.items():
        console.print(f"  left out: {_safe(reason)}: {number}")
    if not report.hashes:
        console.print(
            "  [yellow]no hash is in it: no confirmed or disputed record may go to this audience[/]"
        )
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
            terms = f"; {one.counts[TERMS]}" if one.counts.get(TERMS) else ""
            told = f"{one.file} ({one.source}{full}): {', '.join(numbers)}{terms}"
        table.add_row(
            str(one.generation),
            times.format_time(one.time),
            _safe(one.what),
            _safe(one.by or "-"),
            _safe(told),
        )
    console.print(table)


def print_floods(console: Console, name: str, floods: Sequence[Flood]) -> None:
    """Entries that matched far too often."""
    for one in floods:
        console.print(
            f"[yellow]{_safe(name)}: {_safe(one.entry)} of {_safe(one.source)} matched"
            f" {counted(one.count, 'time')} on {_safe(one.day)} by {_safe(one.kind)};"
            f" {one.usual:g} is usual: its hash may be that of something harmless[/]"
        )
