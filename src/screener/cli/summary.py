"""The counts of a scan, and its summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from screener.cli.streams import MAX_ROWS
from screener.errors import MAX_LISTED_NAMES, counted, printable
from screener.scanning.resume import Finished
from screener.screening.result import Match, Result, Verdict
from screener.system.installation import format_install


class _Row(NamedTuple):
    input: str | None
    verdict: Verdict
    reason: str


class Tally:
    """The counts of the results of a scan and of the run that it resumes."""

    def __init__(self, finished: Finished | None = None) -> None:
        self._earlier = finished
        self._verdicts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._extras: Counter[str] = Counter()
        self._shadow: Counter[str] = Counter()
        # Rows instead of Results, which may have a hundred thousand matches.
        self._rows: list[_Row] = []

    def add(self, result: Result) -> None:
        """Count a result instead of an earlier run's result of the same input."""
        if self._earlier is not None:
            self._earlier.replace(result)
        shadow_hits = (hit for hit in result.other_hits if hit.shadow and hit.would_match)
        self._shadow.update({hit.list for hit in shadow_hits})
        if not result.counts:
            return
        self._verdicts[result.verdict] += 1
        if result.reason is not None:
            self._reasons[result.reason] += 1
        if result.extra is not None:
            self._extras[result.extra] += 1
        # If there are too many rows, the table shows the first that matched or were not screened.
        is_notable = (
            result.verdict != Verdict.NO_MATCH
            and self._verdicts[result.verdict] <= MAX_LISTED_NAMES
        )
        if self.total <= MAX_ROWS or is_notable:
            self._rows.append(_Row(result.input, result.verdict, _describe_reason(result)))

    @property
    def verdicts(self) -> Counter[str]:
        """The number of results by verdict."""
        return self._verdicts + (Counter() if self._earlier is None else self._earlier.verdicts)

    @property
    def reasons(self) -> Counter[str]:
        """The number of results by reason."""
        return self._reasons + (Counter() if self._earlier is None else self._earlier.reasons)

    @property
    def extras(self) -> Counter[str]:
        """The number of inputs that each missing extra would decode."""
        return self._extras + (Counter() if self._earlier is None else self._earlier.extras)

    @property
    def total(self) -> int:
        """The number of counted results."""
        return self._verdicts.total() + (0 if self._earlier is None else len(self._earlier))

    @property
    def exit_code(self) -> int:
        """The exit code: 1 for a match, 0 if all inputs were screened, or 3.

        It is 3 without any input too: a folder may not be mounted, or a `find` may have failed.
        """
        if self.verdicts[Verdict.MATCH]:
            return 1
        return 3 if self.verdicts[Verdict.UNSCREENED] or not self.total else 0

    def print(self, console: Console, counted_as: str = "screened") -> None:
        """Print a row per input if there are few inputs, then the counts."""
        is_short = self.total <= MAX_ROWS
        rows = [row for row in self._rows if is_short or row.verdict != Verdict.NO_MATCH]
        if rows:
            console.print(_table(rows))
        hidden = sum(n for v, n in self.verdicts.items() if v != Verdict.NO_MATCH) - len(rows)
        if not is_short and hidden > 0:
            console.print(f"… and {hidden} more that matched or were not screened")
        if not self.total:
            console.print("nothing to screen was found")
        counts = ", ".join(f"{self.verdicts[verdict]} {verdict}" for verdict in Verdict)
        reasons = ", ".join(f"{n} {reason}" for reason, n in self.reasons.most_common())
        console.print(f"{self.total} {counted_as}: {counts}" + (f" ({reasons})" if reasons else ""))
        for name, number in sorted(self._shadow.items()):
            hits = f"{counted(number, 'input')} of this run with hits that would match"
            console.print(escape(printable(f"in shadow: {name}: {hits}")))
        for extra, number in self.extras.most_common():
            missing = f"{counted(number, 'input')} not screened because an extra is missing"
            console.print(escape(f"{missing}: {format_install(extra)}"))


def _table(rows: Iterable[_Row]) -> Table:
    table = Table("input", "verdict", "why", box=None, pad_edge=False)
    colours = {Verdict.MATCH: "red", Verdict.NO_MATCH: "green", Verdict.UNSCREENED: "yellow"}
    for row in rows:
        colour = colours[row.verdict]
        name = escape(printable(row.input or "-"))
        table.add_row(name, f"[{colour}]{row.verdict}[/]", row.reason)
    return table


def _describe_reason(result: Result) -> str:
    if result.matches:
        first = result.matches[0]
        more = f", and {len(result.matches) - 1} more" if len(result.matches) > 1 else ""
        near = f"at {first.distance} of {first.radius} bits" if first.radius else "exactly"
        if first.evidence is not None:
            undone = "" if first.view is None else f", {first.view}"
            near = (
                f"with {first.evidence:.0f} bits of evidence of at least {first.threshold}{undone}"
            )
        has_times = any(point.part_kind == first.part_kind for point in result.timeline)
        when = _describe_time(first, moving=has_times and first.radius != 0)
        turned = "" if first.orientation == "upright" else f", {first.orientation}"
        entry = escape(printable(f"{first.list}: {first.entry}"))
        return f"{entry} ({first.state}) by {first.kind} {near}{turned}{when}{more}"
    return escape(printable(f"{result.reason}: {result.detail}")) if result.reason else ""


def _describe_time(match: Match, *, moving: bool) -> str:
    """Return the time of a match in its input, and in the listed video if it is one."""
    hidden = "" if match.part_kind == "frame" else f" in a hidden part ({match.part_kind})"
    if match.video is None:
        return (f" at {match.time:.1f} s" if moving else "") + hidden
    (begin, end), (first, last) = match.video.input_span, match.video.listed_span
    input_span, listed_span = f"{begin:.1f} to {end:.1f} s", f"{first:.1f} to {last:.1f} s"
    return f" from {input_span}{hidden}, like {listed_span} of the entry"
