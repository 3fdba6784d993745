"""What there is to tell of a list: counts only, never a value."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from screener.hashing.hash import KINDS
from screener.lists import times
from screener.lists.database import SEGMENTS, in_order, of_generation
from screener.lists.generations import Generation
from screener.lists.naming import name_of
from screener.lists.states import MATCHING

_CAN_MATCH = f"r.state IN ({', '.join(repr(str(s)) for s in MATCHING)})"
_COMPUTED = [name for name, kind in KINDS.items() if kind.computed]
_WEAK = [name for name in _COMPUTED if KINDS[name].weak]
_STRONG = [name for name in _COMPUTED if not KINDS[name].weak]


@dataclass(frozen=True)
class ListInfo:
    """A list in counts.

    `created` is when the list was made, `made` when this generation was, in ISO 8601; `age_s`
    seconds since that or since an import confirmed it. `states` and `sources` count records.
    `values` are the distinct values that can be searched, by kind, `not_searched` those that
    are kept only. `reached`: for each kind that this library computes, how many confirmed or
    disputed records a search by it can reach; `by_none`: how many none can; `by_weak`: how many
    only weak kinds can, which make no match alone unless a policy says so. `quarantined` are
    rows set aside by the last import, by reason. `files` are index files and their bytes.
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
        """All of it in plain dicts, strings and numbers."""
        return asdict(self)


def gather(connection: sqlite3.Connection, folder: Path, generation: Generation) -> ListInfo:
    """Count a generation, in one transaction."""
    number = generation.number
    created, made, library, form = connection.execute(
        "SELECT (SELECT min(time) FROM generations), time, library,"
        " (SELECT value FROM meta WHERE name = 'format')"
        " FROM generations WHERE number = ?",
        (number,),
    ).fetchone()
    reached, by_none, by_weak = _reached(connection, number)
    return ListInfo(
        name=name_of(folder),
        generation=generation.number,
        created=times.shown(created),
        made=times.shown(made),
        age_s=max(0.0, time.time() - generation.time),
        format=int(form),
        library=library,
        states=dict(generation.states),
        sources=_sources(connection, number),
        values={kind: n.rows for kind, n in sorted(generation.segments.items()) if n.rows},
        not_searched=_not_searched(connection, number),
        reached=reached,
        by_none=by_none,
        by_weak=by_weak,
        quarantined=_quarantined(connection, number),
        files={
            name: (folder / SEGMENTS / name).stat().st_size
            for one in generation.segments.values()
            for name in one.names
        },
    )


def _sources(connection: sqlite3.Connection, number: int) -> dict[str, dict[str, int]]:
    sources: dict[str, dict[str, int]] = {}
    for source, state, count in connection.execute(
        f"SELECT source, state, count(*) FROM records r WHERE {of_generation(number)} GROUP BY 1, 2"
    ):
        sources.setdefault(source, {})[state] = count
    return sources


def _not_searched(connection: sqlite3.Connection, number: int) -> dict[str, int]:
    found = connection.execute(
        "SELECT h.kind, count(DISTINCT h.value) FROM records r CROSS JOIN hashes h"
        f" ON h.record = r.id WHERE h.why_not IS NOT NULL AND {of_generation(number)}"
        " AND r.state <> 'withdrawn' GROUP BY 1"
    )
    return dict(found.fetchall())


def _reached(connection: sqlite3.Connection, number: int) -> tuple[dict[str, int], int, int]:
    """Count the records that can match, by each computed kind; those that none of these reaches;
    and those that only weak kinds reach.
    """
    # One pass: each record's hashes lie together.
    columns = ", ".join(f"max(h.kind = '{kind}') AS {kind}" for kind in _COMPUTED)
    sums = ", ".join(f"sum({kind})" for kind in _COMPUTED)
    weak = f"({' OR '.join(_WEAK)}) AND NOT ({' OR '.join(_STRONG)})"
    counts = connection.execute(
        f"SELECT {sums}, sum(NOT coalesce({' OR '.join(_COMPUTED)}, 0)), sum({weak})"
        f" FROM (SELECT {columns}"
        " FROM records r LEFT JOIN hashes h ON h.record = r.id AND h.why_not IS NULL"
        f" WHERE {in_order(number)} AND {_CAN_MATCH} GROUP BY r.id)"
    ).fetchone()
    *reached, by_none, by_weak = (count or 0 for count in counts)
    return dict(zip(_COMPUTED, reached, strict=True)), by_none, by_weak


def _quarantined(connection: sqlite3.Connection, number: int) -> dict[str, int]:
    last = connection.execute(
        "SELECT counts FROM imports WHERE generation <= ? ORDER BY id DESC LIMIT 1", (number,)
    ).fetchone()
    return {} if last is None else json.loads(last[0])["quarantined"]
