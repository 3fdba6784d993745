"""The counts of a file of results, read line by line."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screener.errors import OutputError
from screener.hashing.hash import KINDS
from screener.reporting.pages.result_file import archive_of, counting, facts_of, moment, older_lines
from screener.screening.result import is_counted_line
from screener.system.installation import EXTRAS

_SLOWEST = 20
_HITS = 500  # matches named one by one, and as many other hits
_UNSCREENED = 100  # inputs named for each reason
_REASONS = 40  # reasons with named inputs: more than exist
_LONGEST_DETAIL = 300  # characters
_LARGEST = 1 << 63  # bytes: larger than any file


@dataclass(frozen=True)
class Input:
    """An input that the page names, and its outcome."""

    input: str
    input_base64: str | None
    archive: str | None
    same: tuple[int, ...]
    verdict: str
    reason: str | None
    detail: str

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Input:
        """Return the input of a line.

        Raises KeyError, TypeError, ValueError or AttributeError if the line is damaged.
        """
        return cls(
            input=str(facts["input"]),
            input_base64=facts.get("input_base64"),
            archive=archive_of(facts),
            same=tuple(map(int, facts.get("same") or ())),
            verdict=facts["verdict"],
            reason=None if facts["reason"] is None else _text(facts, "reason"),
            detail=str(facts.get("detail") or "")[:_LONGEST_DETAIL],
        )


@dataclass(frozen=True)
class Hit:
    """A match or another hit. For a listed video, `spans` are seconds of the input and of it."""

    of: Input
    list: str
    source: str
    entry: str
    state: str
    kind: str
    distance: int
    radius: int
    orientation: str
    region: str
    part: int
    part_kind: str
    time: float
    spans: tuple[tuple[float, ...], tuple[float, ...]] | None

    @classmethod
    def made(cls, input: Input, match: Mapping[str, Any]) -> Hit:
        """Return a hit of an input from its line.

        Raises KeyError, TypeError, ValueError or AttributeError if the line is damaged.
        """
        kind, radius, distance = KINDS[match["kind"]], int(match["radius"]), int(match["distance"])
        if not 0 <= distance <= radius <= 8 * kind.code_size:
            raise ValueError
        video = match.get("video")
        spans = video and (tuple(video["input_span"]), tuple(video["listed_span"]))
        return cls(
            of=input,
            list=_text(match, "list"),
            source=_text(match, "source"),
            entry=_text(match, "entry"),
            state=_text(match, "state"),
            kind=kind.name,
            distance=distance,
            radius=radius,
            orientation=_text(match, "orientation"),
            region=_text(match, "region"),
            part=int(match["part"]),
            part_kind=match.get("part_kind", "frame"),
            time=float(match["time"]),
            spans=spans or None,
        )


@dataclass(frozen=True)
class _Line:
    """The facts that are counted; `changed` is when a matching input was last changed."""

    input: Input
    counts: bool
    extra: str | None
    bytes: int
    seconds: float
    type: str
    policy: str
    versions: str
    lists: list[tuple[str, int, str]]
    matches: list[Hit]
    other_hits: list[Hit]
    changed: datetime | None

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> _Line:
        """Return the facts of a line.

        Raises KeyError, TypeError, ValueError, AttributeError or OverflowError if it is damaged.
        """
        input = Input.of(facts)
        matches, other_hits = (
            [Hit.made(input, hit) for hit in facts[name]] for name in ("matches", "other_hits")
        )
        media, extra, size = facts["media"] or {}, facts.get("extra"), int(facts["bytes"] or 0)
        if not 0 <= size < _LARGEST:
            raise ValueError
        return cls(
            input=input,
            counts=is_counted_line(facts),
            extra=extra if extra in EXTRAS else None,
            bytes=size,
            seconds=float(facts.get("seconds") or 0),
            type=str(media.get("type") or "unknown"),
            policy=_text(facts, "policy"),
            versions=", ".join(f"{k} {v}" for k, v in facts["versions"].items()),
            lists=[
                (str(one["name"]), int(one["generation"]), str(one.get("stamp") or ""))
                for one in facts["lists"]
            ],
            matches=matches,
            other_hits=other_hits,
            changed=moment(facts["mtime_ns"]) if matches else None,
        )


@dataclass
class Summary:
    """Counts of results by the newest line of each input.

    `older` has the places of the other lines; `matched_before` counts inputs that match only by
    one of those. Memory grows with these places and the days of matches, not with results.
    """

    total: int = 0
    unread: int = 0
    older: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    matched_before: int = 0
    bytes: int = 0
    seconds: float = 0.0
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    extras: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    other_states: Counter[str] = field(default_factory=Counter)
    # (kind, radius) → distance → matches
    distances: dict[tuple[str, int], Counter[int]] = field(default_factory=dict)
    days: Counter[str] = field(default_factory=Counter)
    undated: int = 0
    # How many lines each list generation, policy and set of versions decided.
    lists: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    policies: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    matches: list[Hit] = field(default_factory=list)
    other_hits: list[Hit] = field(default_factory=list)
    unscreened: dict[str, list[Input]] = field(default_factory=dict)  # by the reason
    slow: list[tuple[float, int, str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path) -> Summary:
        """Read a file. Raises OutputError if it cannot be read or has no result."""
        older, matched_before = older_lines(path)
        summary = cls(older=older, matched_before=matched_before)
        for facts in map(facts_of, counting(path, summary.older)):
            try:
                if facts is None:
                    raise TypeError
                summary._add(_Line.of(facts))
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
                summary.unread += 1
        if summary.unread and not summary.total:
            raise OutputError(f"{path} is not a file of results")
        return summary

    @property
    def slowest(self) -> list[tuple[float, str, str]]:
        """Seconds, input and verdict of the slowest files, the slowest first."""
        return [(s, name, verdict) for s, _, name, verdict in sorted(self.slow, reverse=True)]

    def _add(self, line: _Line) -> None:
        self.other_states.update(one.state for one in line.other_hits)
        self.other_hits += line.other_hits[: max(0, _HITS - len(self.other_hits))]
        if not line.counts:
            return
        self.total += 1
        self.bytes += line.bytes
        self.seconds += line.seconds
        self.verdicts[line.input.verdict] += 1
        self.types[line.type] += 1
        self.policies[line.policy] += 1
        self.versions[line.versions] += 1
        self.lists.update(line.lists)
        if line.input.reason is not None:
            self._add_unscreened(line.input, line.input.reason)
        if line.extra is not None:
            self.extras[line.extra] += 1
        if line.changed is not None:
            self.days[line.changed.date().isoformat()] += 1
        elif line.matches:
            self.undated += 1
        for one in line.matches:
            self.distances.setdefault((one.kind, one.radius), Counter())[one.distance] += 1
            self.states[one.state] += 1
        self.matches += line.matches[: max(0, _HITS - len(self.matches))]
        of = line.input
        heapq.heappush(self.slow, (line.seconds, -self.total, of.input, of.verdict))
        if len(self.slow) > _SLOWEST:
            heapq.heappop(self.slow)

    def _add_unscreened(self, input: Input, reason: str) -> None:
        self.reasons[reason] += 1
        if reason in self.unscreened or len(self.unscreened) < _REASONS:
            named = self.unscreened.setdefault(reason, [])
            if len(named) < _UNSCREENED:
                named.append(input)


def _text(facts: Mapping[str, Any], name: str) -> str:
    value = facts[name]
    if not isinstance(value, str):
        raise TypeError
    return value
