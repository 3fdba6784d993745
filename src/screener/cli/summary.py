"""The counts of a scan, and its summary for a person at a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from screener.cli.streams import ALL
from screener.errors import SOME, counted, printable
from screener.scanning.resume import Finished
from screener.screening.result import Match, Result, Verdict
from screener.system.installation import format_install


class _Row(NamedTuple):
    input: str | None
    verdict: Verdict
    why: str


class Tally:
    """Counts of the results of a scan and of the run that it resumes, and its summary."""

    def __init__(self, finished: Finished | None = None) -> None:
        self._before = finished
        self._verdicts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._extras: Counter[str] = Counter()
        # Rows only: a Result may have a hundred thousand matches.
        self._rows: list[_Row] = []

    def add(self, result: Result) -> None:
        """Count a result, in place of an earlier run's result of the same input."""
        if self._before is not None:
            self._before.replace(result)
        if not result.counts:
            return
        self._verdicts[result.verdict] += 1
        if result.reason is not None:
            self._reasons[result.reason] += 1
        if result.extra is not None:
            self._extras[result.extra] += 1
        # Of more than ALL inputs, the table shows the first that matched or were not screened.
        notable = result.verdict != Verdict.NO_MATCH and self._verdicts[result.verdict] <= SOME
        if self.total <= ALL or notable:
            self._rows.append(_Row(result.input, result.verdict, _why(result)))

    @property
    def verdicts(self) -> Counter[str]:
        """How many results have each verdict."""
        return self._verdicts + (Counter() if self._before is None else self._before.verdicts)

    @property
    def reasons(self) -> Counter[str]:
        """How many results have each reason."""
        return self._reasons + (Counter() if self._before is None else self._before.reasons)

    @property
    def extras(self) -> Counter[str]:
        """How many inputs each missing extra would decode."""
        return self._extras + (Counter() if self._before is None else self._before.extras)

    @property
    def total(self) -> int:
        """How many results were counted."""
        return self._verdicts.total() + (0 if self._before is None else len(self._before))

    @property
    def exit_code(self) -> int:
        """Return 1 for a match, 0 if all inputs were screened, else 3; 3 also without any input.

        No input may mean a folder that is not mounted, or a `find` that failed.
        """
        if self.verdicts[Verdict.MATCH]:
            return 1
        return 3 if self.verdicts[Verdict.UNSCREENED] or not self.total else 0

    def print(self, console: Console) -> None:
        """Print a row per input if there are few, then the counts."""
        few = self.total <= ALL
        rows = [row for row in self._rows if few or row.verdict != Verdict.NO_MATCH]
        if rows:
            console.print(_table(rows))
        hidden = sum(n for v, n in self.verdicts.items() if v != Verdict.NO_MATCH) - len(rows)
        if not few and hidden > 0:
            console.print(f"… and {hidden} more that matched or were not screened")
        if not self.total:
            console.print("nothing to screen was found")
        counts = ", ".join(f"{self.verdicts[verdict]} {verdict}" for verdict in Verdict)
        reasons = ", ".join(f"{n} {reason}" for reason, n in self.reasons.most_common())
        console.print(f"{self.total} screened: {counts}" + (f" ({reasons})" if reasons else ""))
        for extra, number in self.extras.most_common():
            missing = f"{counted(number, 'input')} not screened because an extra is missing"
            console.print(escape(f"{missing}: {format_install(extra)}"))


def _table(rows: Iterable[_Row]) -> Table:
    table = Table("input", "verdict", "why", box=None, pad_edge=False)
    colours = {Verdict.MATCH: "red", Verdict.NO_MATCH: "green", Verdict.UNSCREENED: "yellow"}
    for row in rows:
        colour = colours[row.verdict]
        name = escape(printable(row.input or "-"))
        table.add_row(name, f"[{colour}]{row.verdict}[/]", row.why)
    return table


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
    return escape(printable(f"{result.reason}: {result.detail}")) if result.reason else ""


def _when(match: Match, *, moving: bool) -> str:
    """Return the time of a match in its input; for a listed video also the seconds of that."""
    hidden = "" if match.part_kind == "frame" else f" in a hidden part ({match.part_kind})"
    if match.video is None:
        return (f" at {match.time:.1f} s" if moving else "") + hidden
    (begin, end), (first, last) = match.video.input_span, match.video.listed_span
    own, listed = f"{begin:.1f} to {end:.1f} s", f"{first:.1f} to {last:.1f} s"
    return f" from {own}{hidden}, like {listed} of the entry"
