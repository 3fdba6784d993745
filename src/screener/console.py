"""What a person at a terminal sees: progress and summaries, on standard error."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from screener import standard_streams
from screener.audit import Verification as AuditVerification
from screener.calibrate import Calibration
from screener.calibration_page import in_a_million
from screener.extras import install
from screener.finished import Finished
from screener.lists.importing import ImportReport
from screener.lists.info import ListInfo
from screener.lists.verifying import Verification
from screener.measure import Report
from screener.result import Match, Result, Verdict

# Up to so many results a summary shows every file; beyond, matches and unscreened only, and so
# many of each.
_ALL = 40
_SOME = 20


class _Console(Console):
    """One whose reader may go away: Rich would end the process with 1, which says a match."""

    def on_broken_pipe(self) -> None:
        """Leave it to the command line, which knows its exit codes."""
        raise BrokenPipeError(errno.EPIPE, "whoever read the output has gone")


def to_stderr() -> Console:
    """A console on standard error: plain text in long lines where that is not a terminal."""
    width = None if sys.stderr.isatty() else 200
    return _Console(stderr=True, highlight=False, width=width)


def to_stdout() -> Console:
    """A console on standard output, for what was asked to be shown."""
    width = None if sys.stdout.isatty() else 200
    return _Console(highlight=False, width=width)


def fill_standard_streams() -> None:
    """Put nothing where a standard stream was closed, and let no name stop what is printed."""
    standard_streams.fill()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _Told(logging.Handler):
    """Tells a person each warning of the library once; names in it cannot command the terminal."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._texts: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it on standard error as that is now: a bar of progress may stand there."""
        text = printable(record.getMessage())
        if text not in self._texts:
            self._texts.add(text)
            print(f"screener: {text}", file=sys.stderr, flush=True)


_TOLD = _Told()


def tell_warnings() -> None:
    """From here on tell what the library warns of; without, nobody at a terminal hears of it."""
    logging.getLogger("screener").addHandler(_TOLD)


class Tally:
    """Counts the results of a scan, those of an earlier run with them, and keeps the few lines that
    its summary shows.
    """

    def __init__(self, finished: Finished | None = None) -> None:
        self._before = finished
        self._verdicts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._extras: Counter[str] = Counter()
        self._first: list[Result] = []

    def add(self, result: Result) -> None:
        """Count one result, in the place of what an earlier run said of its input."""
        if self._before is not None:
            self._before.replace(result)
        self._verdicts[result.verdict] += 1
        if result.reason is not None:
            self._reasons[result.reason] += 1
        if result.extra is not None:
            self._extras[result.extra] += 1
        few = self.total <= _ALL
        told = result.verdict != Verdict.NO_MATCH and self._verdicts[result.verdict] <= _SOME
        if few or told:
            self._first.append(result)

    @property
    def verdicts(self) -> Counter[str]:
        """How many of each verdict."""
        return self._verdicts + (Counter() if self._before is None else self._before.verdicts)

    @property
    def reasons(self) -> Counter[str]:
        """How many of each reason."""
        return self._reasons + (Counter() if self._before is None else self._before.reasons)

    @property
    def extras(self) -> Counter[str]:
        """How many are unsupported without which extra."""
        return self._extras + (Counter() if self._before is None else self._before.extras)

    @property
    def total(self) -> int:
        """Results counted."""
        return self._verdicts.total() + (0 if self._before is None else len(self._before))

    @property
    def exit_code(self) -> int:
        """1: a match; 3: no match, but something was not screened; 0: all screened, no match."""
        if self.verdicts[Verdict.MATCH]:
            return 1
        return 3 if self.verdicts[Verdict.UNSCREENED] else 0

    def print(self, console: Console) -> None:
        """The summary: a line per file where there are few, then the counts."""
        few = self.total <= _ALL
        shown = [one for one in self._first if few or one.verdict != Verdict.NO_MATCH]
        if shown:
            console.print(_result_table(shown))
        hidden = sum(n for v, n in self.verdicts.items() if v != Verdict.NO_MATCH) - len(shown)
        if not few and hidden > 0:
            console.print(f"… and {hidden} more that matched or were not screened")
        if not self.total:
            console.print("nothing to screen was found")
        counts = ", ".join(f"{self.verdicts[verdict]} {verdict}" for verdict in Verdict)
        reasons = ", ".join(f"{n} {reason}" for reason, n in self.reasons.most_common())
        console.print(f"{self.total} screened: {counts}" + (f" ({reasons})" if reasons else ""))
        for extra, number in self.extras.most_common():
            console.print(escape(f"{number} of them need an extra: {install(extra)}"))


def _result_table(results: Iterable[Result]) -> Table:
    table = Table("input", "verdict", "why", box=None, pad_edge=False)
    colours = {Verdict.MATCH: "red", Verdict.NO_MATCH: "green", Verdict.UNSCREENED: "yellow"}
    for result in results:
        colour = colours[result.verdict]
        table.add_row(
            escape(printable(result.input)), f"[{colour}]{result.verdict}[/]", _why(result)
        )
    return table


def printable(name: str | None) -> str:
    """A name without control characters, which could command the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name or "-")


def _why(result: Result) -> str:
    if result.matches:
        first = result.matches[0]
        more = f", and {len(result.matches) - 1} more" if len(result.matches) > 1 else ""
        near = f"at {first.distance} of {first.radius} bits" if first.radius else "exactly"
        timed = any(one.part_kind == first.part_kind for one in result.timeline)
        when = _when(first, moving=timed and first.radius > 0)
        turned = "" if first.orientation == "upright" else f", {first.orientation}"
        entry = escape(printable(f"{first.list}: {first.entry}"))
        return f"{entry} ({first.state}) by {first.kind} {near}{turned}{when}{more}"
    return escape(f"{result.reason}: {result.detail}") if result.reason else ""


def _when(match: Match, *, moving: bool) -> str:
    """When a match is seen in an input; of a listed video also which seconds of it."""
    inside = "" if match.part_kind == "frame" else f" in what is hidden there ({match.part_kind})"
    if match.video is None:
        return (f" at {match.time:.1f} s" if moving else "") + inside
    (begin, end), (first, last) = match.video.input_span, match.video.listed_span
    span = f" from {begin:.1f} to {end:.1f} s{inside}"
    return f"{span}, which are {first:.1f} to {last:.1f} s of it"


def print_import(console: Console, name: str, report: ImportReport) -> None:
    """What an import did, and where the bad rows are; never a value."""
    console.print(
        f"{escape(name)}: {report.rows} rows read, {report.added} added, {report.changed} changed, "
        f"{report.unchanged} unchanged, {report.withdrawn} withdrawn; "
        f"generation {report.generation}"
    )
    for what, number in (
        ("further rows of an entry, joined or put in order", report.repeated),
        ("entries of which the file has older rows than are held, left", report.outdated),
        ("entries that matched and match no more, withdrawn or of another state", report.stopped),
        (
            "entries withdrawn that the source had not listed here: nothing goes by that",
            report.missed,
        ),
        ("entries that the file no longer names, withdrawn", report.absent),
        ("digests of an empty file, dropped", report.dropped),
        ("values with too little information, never searched", report.low_information),
        (
            "placeholders that stand for many files, not searched for this source",
            report.placeholders,
        ),
        ("hashes of a quality below the usual floor", report.low_quality),
        ("entries of which others say otherwise by the same hash: see `show`", report.conflicting),
    ):
        if number:
            console.print(f"  {number} {what}")
    if report.unknown_columns:
        columns = ", ".join(report.unknown_columns)
        console.print(f"  columns kept as labels: {escape(printable(columns))}")
    if report.quarantined:
        console.print(f"  [yellow]{sum(report.quarantined.values())} rows quarantined[/]:")
        for line, reason in report.first_bad:
            console.print(f"    {report.unit} {line}: {escape(printable(reason))}")
    for note in report.notes:
        console.print(f"  [yellow]{escape(printable(note))}[/]")


def print_hubs(console: Console, hubs: Mapping[str, int]) -> None:
    """Which kinds of a list have codes that are near very many others."""
    for kind, count in hubs.items():
        console.print(
            f"  [yellow]{count} {kind} codes of the list are near one in fifty of its others[/], as"
            " those of blank pictures are"
        )


def print_info(console: Console, info: ListInfo) -> None:
    """What a list holds, and which of its records no hash that we make can reach."""
    console.print(f"{escape(info.name)}: generation {info.generation}, {info.age_s:.0f} s old")
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
    console.print(table)


def print_report(console: Console, report: Report) -> None:
    """How fast a list answers: a line for each kind, radius and number of threads."""
    console.print(
        f"{escape(report.list)}: generation {report.generation}, {report.cores} cores, "
        f"kernel {report.versions['kernel']}; microseconds a query"
    )
    if not report.figures:
        console.print("the list holds nothing to search for")
        return
    first = ("kind", "values", "radius", "way", "p50", "p99")
    batch = ("batch", "threads", "way", "a query", "queries/s")
    table = Table(*first, *batch, box=None, pad_edge=False)
    for line in _figure_lines(report):
        table.add_row(*line)
    console.print(table)


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


def print_verification(console: Console, found: Verification) -> None:
    """What was checked of a list, kind by kind, and how many pairs were compared; never a value."""
    held = " ".join(found.database)
    console.print(f"{escape(printable(found.name))}: generation {found.generation}; {held}")
    columns = ("kind", "files", "values", "bytes", "checks", "pairs compared", "differences")
    table = Table(*columns, box=None, pad_edge=False)
    for kind in found.kinds:
        numbers = (kind.files, kind.values, kind.bytes)
        compared = (kind.pairs, kind.differences)
        table.add_row(kind.kind, *map(str, numbers), " ".join(kind.checks), *map(str, compared))
    console.print(table)
    console.print(f"{found.pairs} pairs compared with brute force, {found.differences} differences")


def print_calibration(console: Console, told: Calibration, *, names: bool = False) -> None:
    """What each kind would match of ordinary pictures, at the policy's radius and around it."""
    console.print(
        f"{escape(printable(told.list))}: generation {told.generation}; {told.pictures:,} pictures"
        f" compared, {told.listed:,} named by a digest, {sum(told.left_out.values()):,} left out"
    )
    console.print(f"by any kind, in a million pictures: {in_a_million(told.together)}")
    columns = ("kind", "radius", "match", "in a million, with 95 % bounds", "found again")
    table = Table(*columns, box=None, pad_edge=False)
    for curve in told.curves:
        for radius in sorted({0, curve.radius // 2, curve.radius, len(curve.false_matches) - 1}):
            count = curve.false_matches[radius]
            again = f"{curve.recall[radius].share:.1%}" if curve.recall else "-"
            own = "*" if radius == curve.radius else ""
            table.add_row(
                curve.kind, f"{radius}{own}", f"{count.hits:,}", in_a_million(count), again
            )
    console.print(table)
    console.print("* the policy's radius")
    if told.edited or told.not_edited:
        failed = ", ".join(f"{count} {reason}" for reason, count in told.not_edited.items())
        console.print(f"{told.edited:,} pictures were edited" + (f"; not: {failed}" * bool(failed)))
    for name in told.matching if names else ():
        console.print(f"matches: {escape(printable(name))}", soft_wrap=True)


def print_audit(console: Console, name: str, found: AuditVerification) -> None:
    """What an audit log holds, and how far it is proved."""
    console.print(
        f"{escape(printable(name))}: {found.lines} lines, {found.decisions} decisions of "
        f"{found.runs} runs; head {found.head}"
    )
    signature = {
        "none": "nobody signed it, and whoever can write to it can write it anew",
        "unchecked": "signed, and not checked: give --key",
        "good": "signed with the key",
        "bad": "not signed with the key",
    }
    console.print(f"  {signature[found.signature]}")
    if found.unclosed:
        begun = ", ".join(map(str, found.unclosed[:_SOME]))
        more = f" and {len(found.unclosed) - _SOME} more" if len(found.unclosed) > _SOME else ""
        console.print(
            f"  [yellow]runs that did not end by themselves, so that lines of them may be missing:"
            f" those that begin at line {begun}{more}[/]"
        )
    if not found.closed:
        console.print("  [yellow]not closed by its last run: its end may be missing[/]")
