"""The matches that a list in shadow would have made, counted from results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from screener.screening.list_policy import Mode
from screener.screening.result import Match, Verdict

_DISTANCE_BITS, _EVIDENCE_BITS = 4, 20  # the width of a row


@dataclass
class ListCounts:
    """Counts for one list, in inputs.

    Attributes:
        new: Inputs that would have become `match`.
        also: Inputs that match by another list already.
        nearness: Inputs by kind, by what found the record, and by the lowest number of bits of a
            row; those of `new` and `also`, each at its nearest hit of the kind.
    """

    new: int = 0
    also: int = 0
    nearness: Counter[tuple[str, str, int]] = field(default_factory=Counter)


class ShadowCounts:
    """Counts for each list that is in shadow or has hits in shadow.

    Attributes:
        lists: The counts by list.
        compared: The number of results that were compared with each list, in any mode.
    """

    def __init__(self) -> None:
        self.lists: dict[str, ListCounts] = {}
        self.compared: Counter[str] = Counter()

    def add(
        self, verdict: str, modes: Iterable[tuple[str, str]], matches: Iterable[Match], counts: bool
    ) -> None:
        """Count a result: its lists with their modes, and its matches if nothing were in shadow.

        Without `counts` it is an archive's, which counts only if a list in shadow would match it.
        """
        nearest: dict[tuple[str, str], Match] = {}
        for match in matches:
            key = match.list, match.kind
            if key not in nearest or match.nearness < nearest[key].nearness:
                nearest[key] = match
        if counts or nearest:
            for name, mode in modes:
                if mode == Mode.SHADOW:
                    self.lists.setdefault(name, ListCounts())
                if mode != Mode.OFF:
                    self.compared[name] += 1
        for name in {name for name, _ in nearest}:
            of_list = self.lists.setdefault(name, ListCounts())
            if verdict == Verdict.MATCH:
                of_list.also += 1
            else:
                of_list.new += 1
        for (name, kind), match in nearest.items():
            self.lists[name].nearness[kind, match.by, _find_row(match)] += 1


def _find_row(match: Match) -> int:
    if match.evidence is None:
        return (match.distance or 0) // _DISTANCE_BITS * _DISTANCE_BITS
    return int(match.evidence) // _EVIDENCE_BITS * _EVIDENCE_BITS


def describe_row(by: str, lowest: int) -> str:
    """Return the nearness of a row in words."""
    width = _EVIDENCE_BITS if by == "evidence" else _DISTANCE_BITS
    return f"{by} {lowest} to {lowest + width - 1} bits"
