"""Tally: the counts of a scan, and the few lines of its summary for a person at a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from screener.cli.console import ALL
from screener.errors import SOME, counted, printable
from screener.scanning.resume import Finished
from screener.screening.result import Match, Result, Verdict
from screener.system.installation import install


class _Line(NamedTuple):
    input: str | None
    verdict: Verdict
    why: str


class Tally:
    """Counts the results of a scan, those of an earlier run with them, and keeps the few lines that
    its summary shows.
    """

    def __init__(self, finished: Finished | None = None) -> None:
        self._before = finished
        self._verdicts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._extras: Counter[str] = Counter()
        # What is shown of each, and no Result: one may have a hundred thousand matches.
        self._first: list[_Line] = []

    def add(self, result: Result) -> None:
        """Count one result, in the place of what an earlier run said of its input."""
        if self._before is not None:
            self._before.replace(result)
        if not result.counts:
            return
        self._verdicts[result.verdict] += 1
        if result.reason is not None:
            self._reasons[result.reason] += 1
        if result.extra is not None:
            self._extras[result.extra] += 1
        # Of few every file is shown; beyond, some of those that matched or were not screened.
        few = self.total <= ALL
        told = result.verdict != Verdict.NO_MATCH and self._verdicts[result.verdict] <= SOME
        if few or told:
            self._first.append(_Line(result.input, result.verdict, _why(result)))

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
        """1: a match; 3: no match, but something was not screened, or nothing came at all, as where
        a folder is not mounted or a `find` failed; 0: all screened, no match.
        """
        if self.verdicts[Verdict.MATCH]:
            return 1
        return 3 if self.verdicts[Verdict.UNSCREENED] or not self.total else 0

    def print(self, console: Console) -> None:
        """The summary: a line per file where there are few, then the counts."""
        few = self.total <= ALL
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
            wanting = f"{counted(number, 'input')} not screened for want of an extra"
            console.print(escape(f"{wanting}: {install(extra)}"))


def _result_table(lines: Iterable[_Line]) -> Table:
    table = Table("input", "verdict", "why", box=None, pad_edge=False)
    colours = {Verdict.MATCH: "red", Verdict.NO_MATCH: "green", Verdict.UNSCREENED: "yellow"}
    for one in lines:
        colour = colours[one.verdict]
        name = escape(printable(one.input or "-"))
        table.add_row(name, f"[{colour}]{one.verdict}[/]", one.why)
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
    """When a match is seen in an input; of a listed video also which seconds of it."""
    inside = "" if match.part_kind == "frame" else f" in what is hidden there ({match.part_kind})"
    if match.video is None:
        return (f" at {match.time:.1f} s" if moving else "") + inside
    (begin, end), (first, last) = match.video.input_span, match.video.listed_span
    span = f" from {begin:.1f} to {end:.1f} s{inside}"
    return f"{span}, which are {first:.1f} to {last:.1f} s of it"
