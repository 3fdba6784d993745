"""Tiers: the next parts of a snapshot after a change, and when parts are merged.

A change writes one new part and removes rows of older parts. To leave a search few parts to visit,
the newest parts are merged into the new one while they are small beside it: sizes fall by `FACTOR`
or more from part to part, and each value is copied only a few times per tier. A merge within a
change stops at `AT_ONCE` values, so that small changes are quick. If that leaves too many parts or
removed rows, the change merges more; or, with `at_once`, `overdue` does so after it, so that nobody
waits.
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
    """The next state of a snapshot: the `kept` oldest parts, then one of the `fresh` values.

    `fresh` values are sorted and distinct, and may be empty; `removed` are rows of kept parts.
    """

    kept: int
    fresh: Values
    removed: Rows


def step(snapshot: Snapshot, gained: Values, gone: Values, *, at_once: bool = False) -> Step | None:
    """Return the next state after gaining and losing values; None if the set stays the same.

    Both are sorted and distinct; a value in both is lost. With `at_once` at most `AT_ONCE` values,
    or twice those gained, are written; further merging becomes `overdue`.
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
    """Return the merge that is due whatever it costs; None if there is none."""
    sizes = [len(part) for part in snapshot.parts]
    kept = kept_when_due(sizes, snapshot.removed.size)
    return None if kept == len(sizes) else _merging(snapshot, kept, np.empty(0, _type(snapshot)))


def compacted(snapshot: Snapshot) -> Step | None:
    """Return a snapshot merged into one part; None if it is one part already."""
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
    """Return how many of the oldest parts a change that adds `fresh` values does not merge."""
    if removed * 4 > sum(sizes):
        return 0
    kept = _kept_beside(sizes, fresh)
    return min(kept, kept_when_due([*sizes[:kept], fresh + sum(sizes[kept:])], 0))


def kept_when_due(sizes: Sequence[int], removed: int) -> int:
    """Return how many of the oldest parts need no merge: usually all."""
    if removed * 4 > sum(sizes):
        return 0  # more than a quarter of what is searched would be wasted
    kept = len(sizes)
    if kept > MOST:
        # Keep half of them, but none that is smaller than the merged part.
        kept = MOST // 2
        total = sum(sizes[kept:])
        while kept and sizes[kept - 1] < total:
            kept -= 1
            total += sizes[kept]
    return kept


def _kept_beside(sizes: Sequence[int], fresh: int) -> int:
    """Return how many of the oldest parts are large beside the values that follow them."""
    kept, total = len(sizes), fresh
    while kept and sizes[kept - 1] < max(SMALLEST, FACTOR * total):
        if total + sizes[kept - 1] > max(AT_ONCE, 2 * fresh):
            break
        kept -= 1
        total += sizes[kept]
    return kept
