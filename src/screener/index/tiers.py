"""Tiers: what a change makes of the parts of a snapshot, and when parts are merged.

A change writes one new part behind the others and names the rows of older parts that no longer
count. So that a search has few parts to visit, the newest ones are merged into the new part while
they are small beside it: part sizes fall by `FACTOR` or more, and each value is copied only a few
times for each tier that it climbs. A merge inside a change stops at `AT_ONCE` values, so that a
small change stays quick; where that leaves too many parts, or too many rows that do not count, more
is merged: by the change that tips it over, or, where others would have to wait for it, right after
(`step` with `at_once`, and then `overdue`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from screener.index.snapshot import Snapshot
from screener.index.values import Rows, Values, contains, merged

FACTOR = 8
SMALLEST = 4_096  # values; a part below this is merged into whatever follows it
AT_ONCE = 1 << 18  # values that a small change copies at most
MOST = 8  # parts


@dataclass(frozen=True)
class Step:
    """The next state of a snapshot: so many of its oldest parts, then one of the `fresh` values.

    `fresh` are sorted and each once, and there may be none; `removed` are rows of the parts kept.
    """

    kept: int
    fresh: Values
    removed: Rows


def step(snapshot: Snapshot, gained: Values, gone: Values, *, at_once: bool = False) -> Step | None:
    """What gaining and losing values makes of a snapshot; None where it is the same after all.

    Both are sorted, each once; what is in both is gone. With `at_once` no more than `AT_ONCE`
    values are written, or twice those gained, and what more there is to merge becomes `overdue`.
    """
    gained = gained[~contains(gone, gained)]
    at, lost = snapshot.find(gained), snapshot.find(gone)
    fresh = gained[at < 0]
    removed = np.setdiff1d(snapshot.removed, at[at >= 0], assume_unique=True)
    removed = np.union1d(removed, lost[lost >= 0])
    if not fresh.size and np.array_equal(removed, snapshot.removed):
        return None
    after = Snapshot(snapshot.parts, removed)
    sizes = [len(part) for part in snapshot.parts]
    kept = kept_parts(sizes, fresh.size, removed.size)
    if at_once and fresh.size + sum(sizes[kept:]) > max(AT_ONCE, 2 * fresh.size):
        kept = _kept_beside(sizes, fresh.size)
    return _merging(after, kept, fresh)


def overdue(snapshot: Snapshot) -> Step | None:
    """The merging that is due whatever it costs; None where none is."""
    sizes = [len(part) for part in snapshot.parts]
    kept = kept_when_due(sizes, snapshot.removed.size)
    return None if kept == len(sizes) else _merging(snapshot, kept, np.empty(0, _type(snapshot)))


def compacted(snapshot: Snapshot) -> Step | None:
    """All of a snapshot in one part; None where it is in one already."""
    if len(snapshot.parts) == 1 and not snapshot.removed.size:
        return None
    return _merging(snapshot, 0, np.empty(0, _type(snapshot)))


def _type(snapshot: Snapshot) -> str:
    return f"S{snapshot.size}"


def _merging(snapshot: Snapshot, kept: int, fresh: Values) -> Step:
    if kept < len(snapshot.parts):
        fresh = merged([snapshot.live(kept), fresh], snapshot.size)
    bound = sum(len(part) for part in snapshot.parts[:kept])
    return Step(kept, fresh, snapshot.removed[: np.searchsorted(snapshot.removed, bound)])


def kept_parts(sizes: Sequence[int], fresh: int, removed: int) -> int:
    """How many of the oldest parts a change that adds `fresh` values leaves as they are."""
    if removed * 4 > sum(sizes):
        return 0
    kept = _kept_beside(sizes, fresh)
    return min(kept, kept_when_due([*sizes[:kept], fresh + sum(sizes[kept:])], 0))


def kept_when_due(sizes: Sequence[int], removed: int) -> int:
    """How many of the oldest parts need no merging: all of them, as a rule."""
    if removed * 4 > sum(sizes):
        return 0  # more than a quarter of what is searched would be in vain
    kept = len(sizes)
    if kept > MOST:
        # Leave half of them, and none that is smaller than what comes of the others.
        kept = MOST // 2
        total = sum(sizes[kept:])
        while kept and sizes[kept - 1] < total:
            kept -= 1
            total += sizes[kept]
    return kept


def _kept_beside(sizes: Sequence[int], fresh: int) -> int:
    """How many of the oldest parts are large beside `fresh` values and the parts behind them."""
    kept, total = len(sizes), fresh
    while kept and sizes[kept - 1] < max(SMALLEST, FACTOR * total):
        if total + sizes[kept - 1] > max(AT_ONCE, 2 * fresh):
            break
        kept -= 1
        total += sizes[kept]
    return kept
