"""Holders: the records that hold a hash, as one generation has them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import lru_cache
from operator import attrgetter

from screener.hashing.frames import FLOOR, Frames
from screener.hashing.hash import HashKind
from screener.lists.database import of_generation, some_at_once
from screener.lists.records import COLUMNS, Record, record_of
from screener.lists.states import MATCHING

_ORDER = attrgetter("source", "entry")


def can_match(connection: sqlite3.Connection, kind: HashKind, floor: int, generation: int) -> bool:
    """Whether a confirmed or disputed record of a generation holds a hash of that kind that is
    compared at that floor; of a video, one with a frame that is. Ends at the first one found: of a
    value the newest versions go first.
    """
    # What is compared of a video has a frame of the least floor.
    by_frames = kind.video and floor > FLOOR
    found = connection.execute(
        "SELECT h.value FROM hashes h JOIN records r ON r.id = h.record"
        " WHERE h.kind = ? AND h.why_not IS NULL AND (h.quality IS NULL OR h.quality >= ?)"
        f" AND r.state IN ({', '.join('?' * len(MATCHING))})"
        f" AND {of_generation(generation)} ORDER BY h.value DESC, h.record DESC"
        f" LIMIT {-1 if by_frames else 1}",
        (kind.name, 0 if kind.video else floor, *map(str, MATCHING)),
    )
    return any(not by_frames or len(Frames.of_value(value).usable(floor)) for (value,) in found)


def of(
    connection: sqlite3.Connection, kind: HashKind, values: Iterable[bytes], generation: int
) -> dict[bytes, tuple[Record, ...]]:
    """The records of a generation that hold each value and can be hit, by source and entry."""
    wanted = list(dict.fromkeys(values))
    found: dict[bytes, list[Record]] = {value: [] for value in wanted}
    for some, marks in some_at_once(wanted):
        rows = connection.execute(_question(marks, generation), (kind.name, *some))
        for value, quality, *facts in rows:
            found[value].append(record_of(connection, facts, generation, quality=quality))
    # For the few records that most values have, sooner than by SQLite.
    return {value: tuple(sorted(records, key=_ORDER)) for value, records in found.items()}


@lru_cache(maxsize=64)
def _question(marks: str, generation: int) -> str:
    return (
        f"SELECT h.value, h.quality, {COLUMNS} FROM hashes h JOIN records r ON r.id = h.record"
        f" WHERE h.kind = ? AND h.value IN ({marks})"
        f" AND h.why_not IS NULL AND r.state <> 'withdrawn' AND {of_generation(generation)}"
    )
