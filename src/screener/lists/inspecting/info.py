"""Count the records and values of a list; no value is shown."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from screener.hashing.hash import KINDS
from screener.index.snapshot import Snapshot
from screener.lists import times
from screener.lists.states import MATCHING, State
from screener.lists.store.counts import Counts
from screener.lists.store.database import SEGMENTS, get_list_name, is_in_generation
from screener.lists.store.generations import Generation
from screener.system.progress import Progress, Steps

MIN_CODES = 2_000  # for a meaningful share
MIN_SHARE = 0.02  # of the other codes, within the radius of a hub
_SAMPLE_SIZE = 400
_SEED = 20260102


def find_hubs(snapshot: Snapshot, *, radius: int) -> npt.NDArray[np.int64]:
    """Return the sorted rows of hubs: codes within the radius of `MIN_SHARE` of the others.

    The share is estimated from a sample with a fixed seed, at the cost of one search per code of
    the sample.
    """
    if len(snapshot) < MIN_CODES:
        return np.empty(0, np.int64)
    row_count = len(snapshot) + len(snapshot.removed)
    drawn = np.random.default_rng(_SEED).integers(0, row_count, 4 * _SAMPLE_SIZE)
    live = drawn[~np.isin(drawn, snapshot.removed)]
    sample = np.unique(live[:_SAMPLE_SIZE])
    _, rows, _ = snapshot.search(snapshot.codes(sample), radius=radius)
    near, counts = np.unique(rows, return_counts=True)
    counts = counts - np.isin(near, sample)  # a code is near itself
    hub_rows: npt.NDArray[np.int64] = near[counts >= MIN_SHARE * len(sample)].astype(np.int64)
    return hub_rows


_COMPUTED = [name for name, kind in KINDS.items() if kind.computed]
_WEAK = {name for name in _COMPUTED if KINDS[name].weak}


@dataclass(frozen=True)
class ListInfo:
    """A list in counts.

    `created`: when the list was made; `made`: when this generation was (ISO 8601).
    `age_s`: seconds since then, or since an import confirmed it.
    `states`, `sources`: numbers of records.
    `values`: distinct searchable values, by kind; `not_searched`: values that are only stored.
    `reached`: confirmed or disputed records that a search by each computed kind can match.
    `by_none`: records that no computed kind can match; `by_weak`: those that only weak kinds can,
    which make no match alone unless a policy says so.
    `quarantined`: rows quarantined by the last import, by reason.
    `files`: index files and their sizes in bytes.
    """

    name: str
    generation: int
    created: str
    made: str
    age_s: float
    format: int
    library: str
    states: Mapping[str, int]
    sources: Mapping[str, Mapping[str, int]]
    values: Mapping[str, int]
    not_searched: Mapping[str, int]
    reached: Mapping[str, int]
    by_none: int
    by_weak: int
    quarantined: Mapping[str, int]
    files: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


def gather(
    connection: sqlite3.Connection,
    folder: Path,
    generation: Generation,
    progress: Progress | None = None,
) -> ListInfo:
    """Count the records and values of a generation; call it in one transaction."""
    steps = Steps(progress, 2)
    number = generation.number
    created, made, library, format = connection.execute(
        "SELECT (SELECT min(time) FROM generations), time, library,"
        " (SELECT value FROM meta WHERE name = 'format')"
        " FROM generations WHERE number = ?",
        (number,),
    ).fetchone()
    groups = generation.counts
    reached, by_none, by_weak = _count_matchable(groups)
    steps.add()
    not_searched = _count_not_searched(connection, number, groups)
    steps.add()
    return ListInfo(
        name=get_list_name(folder),
        generation=generation.number,
        created=times.format_time(created),
        made=times.format_time(made),
        age_s=max(0.0, time.time() - generation.time),
        format=int(format),
        library=library,
        states=dict(generation.states),
        sources=_count_by_source(groups),
        values={
            kind: parts.rows for kind, parts in sorted(generation.segments.items()) if parts.rows
        },
        not_searched=not_searched,
        reached=reached,
        by_none=by_none,
        by_weak=by_weak,
        quarantined=_read_quarantined(connection, number),
        files={
            part.file: (folder / SEGMENTS / part.file).stat().st_size
            for parts in generation.segments.values()
            for part in parts.files
        },
    )


def _count_by_source(counts: Counts) -> dict[str, dict[str, int]]:
    sources: dict[str, Counter[str]] = {}
    for group, count in sorted(counts.items()):
        sources.setdefault(group.source, Counter())[group.state] += count
    return {source: dict(states) for source, states in sources.items()}


def _count_not_searched(
    connection: sqlite3.Connection, number: int, counts: Counts
) -> dict[str, int]:
    """Return the number of distinct values by kind; skip the slow query if there are none."""
    if not any(group.aside and group.state != State.WITHDRAWN for group in counts):
        return {}
    values = connection.execute(
        "SELECT h.kind, count(DISTINCT h.value) FROM records r CROSS JOIN hashes h"
        f" ON h.record = r.id WHERE h.why_not IS NOT NULL AND {is_in_generation(number)}"
        " AND r.state <> 'withdrawn' GROUP BY 1"
    )
    return dict(values.fetchall())


def _count_matchable(counts: Counts) -> tuple[dict[str, int], int, int]:
    """Return the records matchable by each computed kind, by none, and only by weak kinds."""
    reached, by_none, by_weak = dict.fromkeys(_COMPUTED, 0), 0, 0
    for group, count in counts.items():
        if group.state in MATCHING:
            kinds = reached.keys() & group.kinds
            for kind in kinds:
                reached[kind] += count
            by_none += 0 if kinds else count
            by_weak += count if kinds and kinds <= _WEAK else 0
    return reached, by_none, by_weak


def _read_quarantined(connection: sqlite3.Connection, number: int) -> dict[str, int]:
    last = connection.execute(
        "SELECT counts FROM imports WHERE generation <= ? ORDER BY id DESC LIMIT 1", (number,)
    ).fetchone()
    return {} if last is None else json.loads(last[0])["quarantined"]
