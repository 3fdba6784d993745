"""Tiers: what a change makes of the parts of a snapshot, and when parts are merged.

A change writes one new part behind the others and names the rows of older parts that no longer
count. So that a search has few parts to visit, the newest ones are merged into the new part while
they are small beside it: part sizes fall by `FACTOR` or more, and each value is copied only a few
times for each tier that it climbs. A merge inside a change stops at `AT_ONCE` values, so that a
small change stays quick; where that leaves too many parts, the one that tips it over merges more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from screener.index.snapshot import Rows, Snapshot, Values, contains, merged

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


def step(snapshot: Snapshot, gained: Values, gone: Values) -> Step | None:
    """What gaining and losing values makes of a snapshot; None where it is the same after all.

    Both are sorted, each once; what is in both is gone.
    """
    gained = gained[~contains(gone, gained)]
    at, lost = snapshot.find(gained), snapshot.find(gone)
    fresh = gained[at < 0]
    removed = np.setdiff1d(snapshot.removed, at[at >= 0], assume_unique=True)
    removed = np.union1d(removed, lost[lost >= 0])
    if not fresh.size and np.array_equal(removed, snapshot.removed):
        return None
    after = Snapshot(snapshot.parts, removed)
    kept = kept_parts([len(part) for part in snapshot.parts], fresh.size, removed.size)
    return _merging(after, kept, fresh)


def compacted(snapshot: Snapshot) -> Step | None:
    """All of a snapshot in one part; None where it is in one already."""
    if len(snapshot.parts) == 1 and not snapshot.removed.size:
        return None
    return _merging(snapshot, 0, np.empty(0, f"S{snapshot.size}"))


def _merging(snapshot: Snapshot, kept: int, fresh: Values) -> Step:
    if kept < len(snapshot.parts):
        fresh = merged([snapshot.live(kept), fresh], snapshot.size)
    bound = sum(len(part) for part in snapshot.parts[:kept])
    return Step(kept, fresh, snapshot.removed[: np.searchsorted(snapshot.removed, bound)])


def kept_parts(sizes: Sequence[int], fresh: int, removed: int) -> int:
    """How many of the oldest parts a change that adds `fresh` values leaves as they are."""
    if removed * 4 > sum(sizes):
        return 0  # more than a quarter of what is searched would be in vain
    kept, total = len(sizes), fresh
    while kept and sizes[kept - 1] < max(SMALLEST, FACTOR * total):
        if total + sizes[kept - 1] > max(AT_ONCE, 2 * fresh):
            break
        kept -= 1
        total += sizes[kept]
    if kept + 1 > MOST:
        # Too many after all. Leave half of them, and none that is smaller than what comes of it.
        kept = MOST // 2
        total = fresh + sum(sizes[kept:])
        while kept and sizes[kept - 1] < total:
            kept -= 1
            total += sizes[kept]
    return kept
