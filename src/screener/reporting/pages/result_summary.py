"""The counts of a file of results."""

from __future__ import annotations

import heapq
import math
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
from screener.reporting.pages.result_file import (
    find_archive,
    find_older_lines,
    parse_line,
    parse_mtime,
    read_newest_lines,
)
from screener.reporting.pages.shadow_counts import ShadowCounts
from screener.screening.result import Box, Match, is_counted_line, would_match_in_line
from screener.system.installation import EXTRAS

_MAX_SLOWEST = 20
_MAX_HITS = 500  # matches that are listed, and as many other hits
_MAX_UNSCREENED = 100  # inputs that are listed for each reason
_MAX_REASONS = 40  # reasons with listed inputs, more than exist
_MAX_DETAIL_LENGTH = 300
_SIZE_LIMIT = 1 << 63  # bytes, more than any file has
_SIDE_LIMIT = 1 << 31  # pixels, more than any picture has


@dataclass(frozen=True)
class Input:
    """An input that the page lists, and its outcome."""

    input: str
    input_base64: str | None
    archive: str | None
    same: tuple[int, ...]
    verdict: str
    reason: str | None
    detail: str

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Input:
        """Return the input of a line.

        Raises KeyError, TypeError, ValueError or AttributeError if the line is damaged.
        """
        return cls(
            input=str(fields["input"]),
            input_base64=fields.get("input_base64"),
            archive=find_archive(fields),
            same=tuple(map(int, fields.get("same") or ())),
            verdict=fields["verdict"],
            reason=None if fields["reason"] is None else _parse_text(fields, "reason"),
            detail=str(fields.get("detail") or "")[:_MAX_DETAIL_LENGTH],
        )


@dataclass(frozen=True)
class Hit:
    """A match or another hit of an input.

    `spans` are the seconds in the input and in the listed video, or None if no video is listed.
    `would_match`: the hit makes a match, or would if it were not in shadow. `size` is the picture's
    width and height if the match has a box and they are known.
    """

    input: Input
    match: Match
    spans: tuple[tuple[float, ...], tuple[float, ...]] | None
    size: tuple[int, int] | None = None
    would_match: bool = True

    @classmethod
    def parse(
        cls, input: Input, fields: Mapping[str, Any], media: Mapping[str, Any] | None = None
    ) -> Hit:
        """Return a hit of an input from the fields of its match and of its media.

        Raises KeyError, TypeError, ValueError or AttributeError if the line is damaged.
        """
        kind = KINDS[fields["kind"]]
        found: dict[str, Any] = {"distance": None, "radius": None}
        if fields.get("by") == "evidence":
            evidence, threshold = float(fields["evidence"]), int(fields["threshold"])
            if not 0 < threshold <= evidence < math.inf:
                raise ValueError
            view = None if fields["view"] is None else _parse_text(fields, "view")
            found |= {"evidence": evidence, "threshold": threshold, "view": view}
        else:
            radius, distance = int(fields["radius"]), int(fields["distance"])
            if not 0 <= distance <= radius <= 8 * kind.code_size:
                raise ValueError
            found = {"distance": distance, "radius": radius}
        match = Match(
            list=_parse_text(fields, "list"),
            source=_parse_text(fields, "source"),
            entry=_parse_text(fields, "entry"),
            state=_parse_text(fields, "state"),
            kind=kind.name,
            **found,
            orientation=_parse_text(fields, "orientation"),
            region=_parse_text(fields, "region"),
            part=int(fields["part"]),
            part_kind=fields.get("part_kind", "frame"),
            time=float(fields["time"]),
            category=(),
            box=_parse_box(fields.get("box")),
            shadow=fields.get("shadow") is True,
            derived=fields.get("derived") is True,
        )
        video = fields.get("video")
        spans = video and (tuple(video["input_span"]), tuple(video["listed_span"]))
        would_match = would_match_in_line(fields)
        return cls(input, match, spans or None, _find_size(match, media), would_match)


def _parse_box(value: Any) -> Box | None:
    if value is None:
        return None
    left, top, right, bottom = value
    if not all(type(side) is int and 0 <= side < _SIDE_LIMIT for side in value):
        raise ValueError
    if not (left < right and top < bottom):
        raise ValueError
    return left, top, right, bottom


def _find_size(match: Match, media: Mapping[str, Any] | None) -> tuple[int, int] | None:
    """Return the size of the picture that a match's box is in, if it is the input's first."""
    if match.box is None or media is None or match.part or match.part_kind != "frame":
        return None
    width, height = int(media["width"]), int(media["height"])
    if not (match.box[2] <= width < _SIDE_LIMIT and match.box[3] <= height < _SIDE_LIMIT):
        raise ValueError
    return width, height


@dataclass(frozen=True)
class _Line:
    """The fields that are counted; `mtime` is the last change of a matching input."""

    input: Input
    is_counted: bool
    extra: str | None
    bytes: int
    seconds: float
    type: str
    effort: str
    policy: str
    versions: str
    lists: list[tuple[str, int, str, str]]
    matches: list[Hit]
    other_hits: list[Hit]
    mtime: datetime | None

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> _Line:
        """Return the counted fields of a line.

        Raises KeyError, TypeError, ValueError, AttributeError or OverflowError if it is damaged.
        """
        input = Input.parse(fields)
        media, extra, size = fields["media"] or {}, fields.get("extra"), int(fields["bytes"] or 0)
        matches, other_hits = (
            [Hit.parse(input, match, media or None) for match in fields[name]]
            for name in ("matches", "other_hits")
        )
        if not 0 <= size < _SIZE_LIMIT:
            raise ValueError
        return cls(
            input=input,
            is_counted=is_counted_line(fields),
            extra=extra if extra in EXTRAS else None,
            bytes=size,
            seconds=float(fields.get("seconds") or 0),
            type=str(media.get("type") or "unknown"),
            effort=_parse_text({"effort": "distance", **fields}, "effort"),
            policy=_parse_text(fields, "policy"),
            versions=", ".join(f"{name} {value}" for name, value in fields["versions"].items()),
            lists=[
                (
                    str(state["name"]),
                    int(state["generation"]),
                    str(state.get("stamp") or ""),
                    _parse_text({"mode": "enforce", **state}, "mode"),
                )
                for state in fields["lists"]
            ],
            matches=matches,
            other_hits=other_hits,
            mtime=parse_mtime(fields["mtime_ns"]) if matches else None,
        )


@dataclass
class Summary:
    """Counts of results by the newest line of each input.

    `older` has the numbers of the other lines, and `matched_before` counts inputs that match only
    by one of those. Memory grows with these numbers and the days of matches, not with results.
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
    # Number of matches by (kind, radius) and by distance.
    distances: dict[tuple[str, int], Counter[int]] = field(default_factory=dict)
    days: Counter[str] = field(default_factory=Counter)
    undated: int = 0
    shadow: ShadowCounts = field(default_factory=ShadowCounts)
    # Number of lines by effort, and that each list generation, policy and set of versions decided.
    efforts: Counter[str] = field(default_factory=Counter)
    lists: Counter[tuple[str, int, str, str]] = field(default_factory=Counter)
    policies: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    matches: list[Hit] = field(default_factory=list)
    other_hits: list[Hit] = field(default_factory=list)
    unscreened: dict[str, list[Input]] = field(default_factory=dict)  # by reason
    # A heap of seconds, negative line number, input and verdict.
    slow: list[tuple[float, int, str, str]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Summary:
        """Read a file. Raises OutputError if it cannot be read or has no result."""
        older, matched_before = find_older_lines(path)
        summary = cls(older=older, matched_before=matched_before)
        for fields in map(parse_line, read_newest_lines(path, summary.older)):
            try:
                if fields is None:
                    raise TypeError
                summary._add(_Line.parse(fields))
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
                summary.unread += 1
        if summary.unread and not summary.total:
            raise OutputError(
                f"{path} is not a file of results, or one of another version: use the version that"
                " wrote it"
            )
        return summary

    @property
    def slowest(self) -> list[tuple[float, str, str]]:
        """Seconds, input and verdict of the slowest files, the slowest first."""
        return [
            (seconds, name, verdict)
            for seconds, _, name, verdict in sorted(self.slow, reverse=True)
        ]

    def _add(self, line: _Line) -> None:
        self.other_states.update(hit.match.state for hit in line.other_hits)
        self.other_hits += line.other_hits[: max(0, _MAX_HITS - len(self.other_hits))]
        self.shadow.add(
            line.input.verdict,
            [(name, mode) for name, _, _, mode in line.lists],
            [hit.match for hit in line.other_hits if hit.match.shadow and hit.would_match],
            line.is_counted,
        )
        if not line.is_counted:
            return
        self.total += 1
        self.bytes += line.bytes
        self.seconds += line.seconds
        self.verdicts[line.input.verdict] += 1
        self.types[line.type] += 1
        self.efforts[line.effort] += 1
        self.policies[line.policy] += 1
        self.versions[line.versions] += 1
        self.lists.update(line.lists)
        if line.input.reason is not None:
            self._add_unscreened(line.input, line.input.reason)
        if line.extra is not None:
            self.extras[line.extra] += 1
        if line.mtime is not None:
            self.days[line.mtime.date().isoformat()] += 1
        elif line.matches:
            self.undated += 1
        for match in (hit.match for hit in line.matches):
            if match.distance is not None and match.radius is not None:
                distances = self.distances.setdefault((match.kind, match.radius), Counter())
                distances[match.distance] += 1
            self.states[match.state] += 1
        self.matches += line.matches[: max(0, _MAX_HITS - len(self.matches))]
        entry = line.seconds, -self.total, line.input.input, line.input.verdict
        heapq.heappush(self.slow, entry)
        if len(self.slow) > _MAX_SLOWEST:
            heapq.heappop(self.slow)

    def _add_unscreened(self, input: Input, reason: str) -> None:
        self.reasons[reason] += 1
        if reason in self.unscreened or len(self.unscreened) < _MAX_REASONS:
            inputs = self.unscreened.setdefault(reason, [])
            if len(inputs) < _MAX_UNSCREENED:
                inputs.append(input)


def _parse_text(fields: Mapping[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str):
        raise TypeError
    return value
