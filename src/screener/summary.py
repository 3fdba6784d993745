"""Summary: what a file of results says in all, read line by line."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screener import result_lines
from screener.errors import OutputError
from screener.extras import EXTRAS
from screener.newest import SEEN, Seen, name_in, superseded
from screener.result import SCHEMA, Verdict

_SLOWEST = 20
_MATCHES = 500  # that are named one by one


def lines_of(path: Path) -> Iterator[dict[str, Any] | None]:
    """The result lines of a file, all of them; None for one that cannot be read, as a crash may
    leave it. OutputError as `result_lines.read`.
    """
    try:
        for line in result_lines.read(path):
            try:
                facts = json.loads(line)
                known = facts["schema"] == SCHEMA and isinstance(facts["verdict"], str)
            except (ValueError, KeyError, TypeError, RecursionError):
                known = False
            yield facts if known else None
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from error


def counting(path: Path, older: NDArray[np.int64]) -> Iterator[dict[str, Any] | None]:
    """The lines of a file but those at `older` places, which `older_lines` gives."""
    places = iter(older.tolist())
    skipped = next(places, None)
    for number, facts in enumerate(lines_of(path)):
        if number == skipped:
            skipped = next(places, None)
        else:
            yield facts


def older_lines(path: Path) -> tuple[NDArray[np.int64], int]:
    """The places of the lines of inputs that were screened again later, counted from 0; and how
    many inputs match by one of these lines and by none that counts. Takes 25 bytes a line
    meanwhile, and gives these places alone.
    """
    seen, matched = bytearray(), bytearray()
    for number, facts in enumerate(lines_of(path)):
        matched.append(facts is not None and facts["verdict"] == Verdict.MATCH)
        try:
            if facts is None or facts["input"] is None:
                raise ValueError
            seen += Seen.of(facts).hashes()
        except (ValueError, KeyError, TypeError, AttributeError):
            # One of its own, that no other is of.
            seen += number.to_bytes(8, "little") + bytes(SEEN.itemsize - 8)
    lines, match = np.frombuffer(seen, SEEN), np.frombuffer(matched, np.bool_)
    older = superseded(lines)
    counts = match.copy()
    counts[older] = False
    before = lines["input"][older[match[older]]]
    return older, len(np.setdiff1d(before, lines["input"][counts]))


def archive_of(facts: Mapping[str, Any]) -> str | None:
    """The file that a line's input is a member of; None where it is a file itself."""
    archives = facts.get("archives")
    if not archives:
        return None
    return name_in(facts)[: archives[0]].decode("utf-8", "replace")


@dataclass
class Summary:
    """Counts of results, of each input by its newest line: `older` are the places of the others.
    `matched_before` counts inputs that match by one of these only. Holds no more than the places,
    the matches' days and some lines to be named.
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
    # (kind, radius) → distance → matches
    distances: dict[tuple[str, int], Counter[int]] = field(default_factory=dict)
    days: Counter[str] = field(default_factory=Counter)
    undated: int = 0
    # What decided, and how many lines each.
    lists: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    policies: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    matches: list[dict[str, Any]] = field(default_factory=list)
    slow: list[tuple[float, int, str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path) -> Summary:
        """That of a file; OutputError where it cannot be read, or none of its lines is a result."""
        older, matched_before = older_lines(path)
        found = cls(older=older, matched_before=matched_before)
        for facts in counting(path, found.older):
            try:
                if facts is None:
                    raise TypeError
                found._add(facts)
            except (KeyError, TypeError, ValueError, AttributeError):
                found.unread += 1
        if found.unread and not found.total:
            raise OutputError(f"{path} is no file of results")
        return found

    @property
    def slowest(self) -> list[tuple[float, str, str]]:
        """Seconds, input and verdict of the files that took longest, the slowest first."""
        return [(s, name, verdict) for s, _, name, verdict in sorted(self.slow, reverse=True)]

    def _add(self, facts: dict[str, Any]) -> None:
        verdict, reason, matches = facts["verdict"], facts["reason"], facts["matches"]
        named = [self._match(facts, match) for match in matches]
        media, seconds = facts["media"] or {}, float(facts.get("seconds") or 0)
        lists = [
            (one["name"], int(one["generation"]), one.get("stamp") or "") for one in facts["lists"]
        ]
        self.policies[facts["policy"]] += 1
        self.versions[", ".join(f"{k} {v}" for k, v in facts["versions"].items())] += 1
        self.lists.update(lists)
        self.total += 1
        self.bytes += int(facts["bytes"] or 0)
        self.seconds += seconds
        self.verdicts[verdict] += 1
        self.types[media.get("type") or "unknown"] += 1
        if reason is not None:
            self.reasons[reason] += 1
        if facts.get("extra") in EXTRAS:
            self.extras[facts["extra"]] += 1
        if matches:
            self._date(facts["mtime_ns"])
        self.matches += named[: max(0, _MATCHES - len(self.matches))]
        heapq.heappush(self.slow, (seconds, -self.total, str(facts["input"]), verdict))
        if len(self.slow) > _SLOWEST:
            heapq.heappop(self.slow)

    def _match(self, facts: dict[str, Any], match: dict[str, Any]) -> dict[str, Any]:
        kind, radius, distance = match["kind"], int(match["radius"]), int(match["distance"])
        self.distances.setdefault((kind, radius), Counter())[distance] += 1
        self.states[match["state"]] += 1
        names = {name: facts.get(name) for name in ("input_base64", "same")}
        return {"input": str(facts["input"]), "archive": archive_of(facts), **names, **match}

    def _date(self, mtime_ns: int | None) -> None:
        """Count a match on the day of its file."""
        try:
            if mtime_ns is None:
                raise ValueError
            self.days[datetime.fromtimestamp(mtime_ns / 1e9, UTC).date().isoformat()] += 1
        except (ValueError, OverflowError, OSError):
            self.undated += 1
