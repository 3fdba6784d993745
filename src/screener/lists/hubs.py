"""Hubs: codes of a list that lie within the radius of very many of its others.

A picture that is like one in fifty of a list's is like innocent ones too, as a rule: a blank
page, a frame, a mark laid over everything. Hubs are told, not removed: many pictures of one
scene are hubs too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from screener.index.snapshot import Snapshot

LEAST = 2_000  # codes of which it can be told at all
SHARE = 0.02  # of the others
_SAMPLE = 400
_SEED = 20260102


def hubs(snapshot: Snapshot, *, radius: int) -> npt.NDArray[np.int64]:
    """The rows of codes within the radius of a fiftieth of the others, in order.

    Judged by a sample of the others, the same each time: whoever is near many of all is near many
    of the sample. The time is that of a search for each of the sample, whatever else is done.
    """
    if len(snapshot) < LEAST:
        return np.empty(0, np.int64)
    rows_of_all = len(snapshot) + len(snapshot.removed)
    drawn = np.random.default_rng(_SEED).integers(0, rows_of_all, 4 * _SAMPLE)
    live = drawn[~np.isin(drawn, snapshot.removed)]
    sample = np.unique(live[:_SAMPLE])
    _, rows, _ = snapshot.search(snapshot.codes(sample), radius=radius)
    near, counts = np.unique(rows, return_counts=True)
    counts = counts - np.isin(near, sample)  # each is near itself
    found: npt.NDArray[np.int64] = near[counts >= SHARE * len(sample)].astype(np.int64)
    return found
