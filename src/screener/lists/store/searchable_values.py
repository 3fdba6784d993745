"""Find the searchable values of each kind, and collect their changes.

They are the distinct values of compared hashes, and for videos the PDQs of their frames, of records
that are not withdrawn. `segments` writes them to files.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from screener.hashing.hash import KINDS, Hash, HashKind
from screener.hashing.video_frames import FLOOR, Frames
from screener.index.values import Codes, Values, as_values
from screener.lists.states import MATCHING
from screener.lists.store.database import MAX_PARAMETERS, is_in_generation, split_values
from screener.lists.store.generations import Generation
from screener.lists.store.records import RECORD_COLUMNS, Record, build_record
from screener.lists.store.version_counts import count_versions

Ints = npt.NDArray[np.int64]
_SORT_KEY = attrgetter("source", "entry")


def can_match(connection: sqlite3.Connection, kind: HashKind, floor: int, generation: int) -> bool:
    """Return whether a search by a kind can match a generation at a detail floor.

    It can if a confirmed or disputed record has a compared hash, or for videos a frame, with at
    least that quality.
    """
    # Compared videos have a frame with at least the quality `FLOOR`.
    by_frames = kind.video and floor > FLOOR
    rows = connection.execute(
        "SELECT h.value FROM hashes h JOIN records r ON r.id = h.record"
        " WHERE h.kind = ? AND h.why_not IS NULL AND (h.quality IS NULL OR h.quality >= ?)"
        f" AND r.state IN ({', '.join('?' * len(MATCHING))})"
        f" AND {is_in_generation(generation)} ORDER BY h.value DESC, h.record DESC"
        f" LIMIT {-1 if by_frames else 1}",
        (kind.name, 0 if kind.video else floor, *map(str, MATCHING)),
    )
    return any(not by_frames or len(Frames.of_value(value).usable(floor)) for (value,) in rows)


def find_records(
    connection: sqlite3.Connection, kind: HashKind, values: Iterable[bytes], generation: int
) -> dict[bytes, tuple[Record, ...]]:
    """Return the searchable records of a generation with each value, by source and entry."""
    distinct = list(dict.fromkeys(values))
    by_value: dict[bytes, list[Record]] = {value: [] for value in distinct}
    for batch, marks in split_values(distinct):
        rows = connection.execute(_build_record_query(marks, generation), (kind.name, *batch))
        for value, quality, *columns in rows:
            by_value[value].append(build_record(connection, columns, generation, quality=quality))
    # Most values have few records, which Python sorts faster than SQLite.
    return {value: tuple(sorted(records, key=_SORT_KEY)) for value, records in by_value.items()}


@lru_cache(maxsize=64)
def _build_record_query(marks: str, generation: int) -> str:
    return (
        f"SELECT h.value, h.quality, {RECORD_COLUMNS}"
        " FROM hashes h JOIN records r ON r.id = h.record"
        f" WHERE h.kind = ? AND h.value IN ({marks})"
        f" AND h.why_not IS NULL AND r.state <> 'withdrawn' AND {is_in_generation(generation)}"
    )


_CURRENT = "AND r.until IS NULL AND r.state <> 'withdrawn'"


class Changes:
    """The searchable values that a change of a list affects, by kind, as packed bytes."""

    def __init__(self) -> None:
        """Begin with none."""
        self._gained: dict[str, bytearray] = defaultdict(bytearray)
        self._doubtful: dict[str, bytearray] = defaultdict(bytearray)

    def gain(self, hashes: Iterable[Hash]) -> None:
        """Add searchable hashes that a current record gained."""
        for hash_ in hashes:
            self._gained[hash_.kind.name] += hash_.codes

    def gain_packed(self, kind: HashKind, values: bytes | memoryview) -> None:
        """Add packed searchable values of a kind that current records gained."""
        self._gained[kind.name] += values

    def doubt(self, hashes: Iterable[Hash]) -> None:
        """Add searchable hashes that a record lost, and that other records may have."""
        for hash_ in hashes:
            self._doubtful[hash_.kind.name] += hash_.codes

    def kinds(self) -> list[HashKind]:
        """Return the changed kinds, the largest last, when the memory of the others is free."""
        changed = self._gained.keys() | self._doubtful.keys()
        kinds = [kind for name, kind in KINDS.items() if name in changed]
        return sorted(kinds, key=lambda kind: len(self._gained.get(kind.name, b"")))

    def gained(self, kind: HashKind) -> Values:
        """Remove and return the gained values, sorted and distinct."""
        return _distinct(self._gained.pop(kind.name, bytearray()), kind)

    def doubtful(self, kind: HashKind) -> Values:
        """Remove and return the doubtful values, sorted and distinct."""
        return _distinct(self._doubtful.pop(kind.name, bytearray()), kind)


def find_stored(
    connection: sqlite3.Connection, kind: HashKind, values: Values, current: Generation
) -> Values:
    """Return the given values that current records have, sorted.

    If there are many, it returns all searchable values of the kind instead, which is faster.
    """
    if not count_versions(connection, current.states).favours_lookup(values.size):
        return read_all(connection, kind)
    stored: list[bytes] = []
    raw, size = values.tobytes(), kind.code_size
    for start in range(0, len(raw), MAX_PARAMETERS * size):
        piece = raw[start : start + MAX_PARAMETERS * size]
        batch = [piece[offset : offset + size] for offset in range(0, len(piece), size)]
        marks = ",".join("?" * len(batch))
        stored += (
            value
            for (value,) in connection.execute(
                f"SELECT DISTINCT h.value {_build_from(kind)} {_CURRENT} AND h.value IN ({marks})",
                (kind.name, *batch),
            )
        )
    return _distinct(bytearray().join(stored), kind)


def read_all(connection: sqlite3.Connection, kind: HashKind) -> Values:
    """Return all searchable values of a kind in current records, sorted."""
    packed = bytearray()
    for (value,) in connection.execute(build_query(kind, "r.until IS NULL")):
        if len(value) != kind.code_size:  # it would shift all later values
            raise ValueError("no value")
        packed += value
    return _distinct(packed, kind)


def _build_from(kind: HashKind) -> str:
    """Return SQL (FROM, WHERE) for the searchable values `h.value` of a kind (parameter 1)."""
    if kind.video:
        return "FROM frames h JOIN records r ON r.id = h.record WHERE ? = 'vpdq'"
    return "FROM hashes h JOIN records r ON r.id = h.record WHERE h.kind = ? AND h.why_not IS NULL"


def build_query(
    kind: HashKind, condition: str, *, columns: str = "h.value", by_record: bool = True
) -> str:
    """Return the SQL query for the searchable values of a kind in records `r`.

    Parameters:
        kind: the kind of hash
        condition: an SQL condition on the records `r`
        columns: the columns to select
        by_record: whether to go through the records, whose hashes are stored together, or through
            the hashes, which is faster if there are very few of the kind
    """
    table = "frames h" if kind.video else "hashes h"
    compared = "" if kind.video else f"AND h.kind = '{kind.name}' AND h.why_not IS NULL"
    tables = ("records r", table) if by_record else (table, "records r")
    return (
        f"SELECT {columns} FROM {' CROSS JOIN '.join(tables)} ON h.record = r.id"
        f" WHERE r.state <> 'withdrawn' AND {condition} {compared}"
    )


def _distinct(packed: bytearray, kind: HashKind) -> Values:
    """Return packed values sorted and distinct."""
    values, _ = sort_codes(np.frombuffer(packed, np.uint8).reshape(-1, kind.code_size), None, kind)
    repeats = values[1:] == values[:-1]
    return values[np.concatenate(([True], ~repeats))] if repeats.any() else values


def sort_codes(codes: Codes, records: Ints | None, kind: HashKind) -> tuple[Values, Ints]:
    """Return the values of codes (n, size) sorted, and their records in the same order.

    Without `records`, the second array has row numbers, or is empty if the codes were sorted. The
    values are sorted by their first eight bytes as integers, which is many times faster than as
    bytes. The few that agree in these are then sorted by all bytes, and by record.
    """
    values: Values = as_values(codes)
    heads = codes[:, :8].copy().view(">u8").ravel().astype(np.uint64)
    if records is None and bool((heads[1:] > heads[:-1]).all()):
        return values, np.empty(0, np.int64)
    order = np.argsort(heads, kind="stable")
    heads, values = heads[order], values[order]
    records = order if records is None else records[order]
    same_head = np.zeros(len(values) + 1, bool)  # whether a value begins like the previous one
    same_head[1:-1] = heads[1:] == heads[:-1]
    ties = np.flatnonzero(same_head[:-1] | same_head[1:])
    if ties.size:
        # Sorting all ties at once leaves each run of equal heads in its position.
        inner = np.lexsort((records[ties], values[ties]))
        values[ties], records[ties] = values[ties][inner], records[ties][inner]
    return values, records
