"""Find the searchable values of each kind, and those that a generation changed.

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

from screener.hashing.hash import KINDS, HashKind
from screener.hashing.video_frames import FLOOR, Frames
from screener.index.values import Codes, Values, as_values
from screener.lists.states import MATCHING
from screener.lists.store.database import MAX_PARAMETERS, is_in_generation, is_new, split_values
from screener.lists.store.records import RECORD_COLUMNS, Record, build_record
from screener.lists.store.schema import END_COLUMN

_SPAN = 256  # records, whose values SQLite joins
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


def find_gained(connection: sqlite3.Connection, number: int) -> dict[str, bytearray]:
    """Return the packed searchable values of the versions that generation `number` began."""
    return _pack(connection, is_new(connection, number))


def find_doubtful(connection: sqlite3.Connection, number: int) -> dict[str, bytearray]:
    """Return the packed searchable values of the versions that generation `number` ended."""
    return _pack(connection, f"{END_COLUMN.format(rows='r.')} = {number:d} AND r.since < r.until")


def _pack(connection: sqlite3.Connection, condition: str) -> dict[str, bytearray]:
    """Return the searchable values of records `r` that meet a condition, by kind."""
    packed: dict[str, bytearray] = defaultdict(bytearray)
    # One text of many values is faster than a row for each.
    for kind, text in connection.execute(
        "SELECT h.kind, group_concat(hex(h.value), '') FROM records r CROSS JOIN hashes h"
        f" ON h.record = r.id WHERE {condition} AND r.state <> 'withdrawn'"
        f" AND h.why_not IS NULL AND h.kind <> 'vpdq' GROUP BY r.id / {_SPAN}, h.kind"
    ):
        packed[kind] += bytes.fromhex(text)
    for (value,) in connection.execute(build_query(KINDS["vpdq"], condition)):
        packed["vpdq"] += value
    return packed


def find_stored(connection: sqlite3.Connection, kind: HashKind, values: Values) -> Values:
    """Return the given values that current records have, sorted."""
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
    return make_distinct(bytearray().join(stored), kind)


def read_all(connection: sqlite3.Connection, kind: HashKind) -> Values:
    """Return all searchable values of a kind in current records, sorted."""
    packed = bytearray()
    for (value,) in connection.execute(build_query(kind, "r.until IS NULL")):
        if len(value) != kind.code_size:  # it would shift all later values
            raise ValueError("no value")
        packed += value
    return make_distinct(packed, kind)


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


def make_distinct(packed: bytearray, kind: HashKind) -> Values:
    """Return packed values sorted and distinct."""
    values = _sort(np.frombuffer(packed, np.uint8).reshape(-1, kind.code_size))
    repeats = values[1:] == values[:-1]
    return values[np.concatenate(([True], ~repeats))] if repeats.any() else values


def _sort(codes: Codes) -> Values:
    """Return the values of codes (n, size) sorted.

    They are sorted by their first eight bytes as integers, which is many times faster than as
    bytes. The few that agree in these are then sorted by all bytes.
    """
    values: Values = as_values(codes)
    heads = codes[:, :8].copy().view(">u8").ravel().astype(np.uint64)
    if bool((heads[1:] > heads[:-1]).all()):
        return values
    order = np.argsort(heads, kind="stable")
    heads, values = heads[order], values[order]
    same_head = np.zeros(len(values) + 1, bool)  # whether a value begins like the previous one
    same_head[1:-1] = heads[1:] == heads[:-1]
    # Sorting all of these at once leaves each run of equal heads in its position.
    ties = np.flatnonzero(same_head[:-1] | same_head[1:])
    values[ties] = np.sort(values[ties])
    return values
