"""Searchable: which values of a kind can be hit in a generation, as its records have them; and what
a change of a list does to them.

They are the distinct values of hashes that are compared, and of videos the PDQs of their frames,
over the records that are not withdrawn. `segments` has them in files.
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
_ORDER = attrgetter("source", "entry")


def can_match(connection: sqlite3.Connection, kind: HashKind, floor: int, generation: int) -> bool:
    """Return whether a confirmed or disputed record of a generation holds a hash of that kind
    that is compared at that floor; of a video, one with a frame that is. Ends at the first
    one found: of a value the newest versions go first.
    """
    # What is compared of a video has a frame of the least floor.
    by_frames = kind.video and floor > FLOOR
    found = connection.execute(
        "SELECT h.value FROM hashes h JOIN records r ON r.id = h.record"
        " WHERE h.kind = ? AND h.why_not IS NULL AND (h.quality IS NULL OR h.quality >= ?)"
        f" AND r.state IN ({', '.join('?' * len(MATCHING))})"
        f" AND {is_in_generation(generation)} ORDER BY h.value DESC, h.record DESC"
        f" LIMIT {-1 if by_frames else 1}",
        (kind.name, 0 if kind.video else floor, *map(str, MATCHING)),
    )
    return any(not by_frames or len(Frames.of_value(value).usable(floor)) for (value,) in found)


def find_records(
    connection: sqlite3.Connection, kind: HashKind, values: Iterable[bytes], generation: int
) -> dict[bytes, tuple[Record, ...]]:
    """Return the records of a generation that hold each value and can be hit, by source and
    entry.
    """
    wanted = list(dict.fromkeys(values))
    found: dict[bytes, list[Record]] = {value: [] for value in wanted}
    for some, marks in split_values(wanted):
        rows = connection.execute(_question(marks, generation), (kind.name, *some))
        for value, quality, *facts in rows:
            found[value].append(build_record(connection, facts, generation, quality=quality))
    # For the few records that most values have, sooner than by SQLite.
    return {value: tuple(sorted(records, key=_ORDER)) for value, records in found.items()}


@lru_cache(maxsize=64)
def _question(marks: str, generation: int) -> str:
    return (
        f"SELECT h.value, h.quality, {RECORD_COLUMNS}"
        " FROM hashes h JOIN records r ON r.id = h.record"
        f" WHERE h.kind = ? AND h.value IN ({marks})"
        f" AND h.why_not IS NULL AND r.state <> 'withdrawn' AND {is_in_generation(generation)}"
    )


_NOW = "AND r.until IS NULL AND r.state <> 'withdrawn'"


class Changes:
    """What a change of a list did to the searchable values, kind by kind: packed, 32 bytes for a
    PDQ.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._gained: dict[str, bytearray] = defaultdict(bytearray)
        self._doubtful: dict[str, bytearray] = defaultdict(bytearray)

    def gain(self, hashes: Iterable[Hash]) -> None:
        """Note searchable hashes that a visible record now holds."""
        for item in hashes:
            self._gained[item.kind.name] += item.codes

    def gain_packed(self, kind: HashKind, values: bytes | memoryview) -> None:
        """Note searchable values of a kind, packed, that visible records now hold."""
        self._gained[kind.name] += values

    def doubt(self, hashes: Iterable[Hash]) -> None:
        """Note searchable hashes that a record no longer holds, though others may."""
        for item in hashes:
            self._doubtful[item.kind.name] += item.codes

    def kinds(self) -> list[HashKind]:
        """Return the kinds with a change, those with the fewest gained bytes first: each is handed
        over in turn, so that the largest has the most memory.
        """
        changed = self._gained.keys() | self._doubtful.keys()
        kinds = [kind for name, kind in KINDS.items() if name in changed]
        return sorted(kinds, key=lambda kind: len(self._gained.get(kind.name, b"")))

    def gained(self, kind: HashKind) -> Values:
        """Return the gained values, sorted, each once; handed over, and forgotten here."""
        return _distinct(self._gained.pop(kind.name, bytearray()), kind)

    def doubtful(self, kind: HashKind) -> Values:
        """Return the doubtful values, sorted, each once; handed over, and forgotten here."""
        return _distinct(self._doubtful.pop(kind.name, bytearray()), kind)


def find_stored(
    connection: sqlite3.Connection, kind: HashKind, values: Values, current: Generation
) -> Values:
    """Return those of the values that a visible record holds still, sorted; or if they are many,
    all values of the kind that one holds.
    """
    if not count_versions(connection, current.states).few(values.size):
        return read_all(connection, kind)
    found: list[bytes] = []
    raw, size = values.tobytes(), kind.code_size
    for start in range(0, len(raw), MAX_PARAMETERS * size):
        piece = raw[start : start + MAX_PARAMETERS * size]
        some = [piece[at : at + size] for at in range(0, len(piece), size)]
        marks = ",".join("?" * len(some))
        found += (
            value
            for (value,) in connection.execute(
                f"SELECT DISTINCT h.value {_held(kind)} {_NOW} AND h.value IN ({marks})",
                (kind.name, *some),
            )
        )
    return _distinct(bytearray().join(found), kind)


def read_all(connection: sqlite3.Connection, kind: HashKind) -> Values:
    """Return every searchable value of a kind that a visible record holds, sorted."""
    packed = bytearray()
    for (value,) in connection.execute(build_query(kind, "r.until IS NULL")):
        if len(value) != kind.code_size:  # all behind it would be other values
            raise ValueError("no value")
        packed += value
    return _distinct(packed, kind)


def _held(kind: HashKind) -> str:
    """Return the tables and conditions of a question for searchable values, `h.value`, of
    records `r`; the kind's name is its first parameter.
    """
    if kind.video:
        return "FROM frames h JOIN records r ON r.id = h.record WHERE ? = 'vpdq'"
    return "FROM hashes h JOIN records r ON r.id = h.record WHERE h.kind = ? AND h.why_not IS NULL"


def build_query(
    kind: HashKind, which: str, *, columns: str = "h.value", by_record: bool = True
) -> str:
    """Return the SQL for all searchable values of a kind that records `r` under a condition hold.

    It goes from record to record, whose hashes lie together, and passes over other versions; not
    `by_record`, from hash to hash, for a kind of which there is next to nothing.
    """
    of_kind = "frames h" if kind.video else "hashes h"
    compared = "" if kind.video else f"AND h.kind = '{kind.name}' AND h.why_not IS NULL"
    tables = ("records r", of_kind) if by_record else (of_kind, "records r")
    return (
        f"SELECT {columns} FROM {' CROSS JOIN '.join(tables)} ON h.record = r.id"
        f" WHERE r.state <> 'withdrawn' AND {which} {compared}"
    )


def _distinct(packed: bytearray, kind: HashKind) -> Values:
    """Return packed values sorted, each once."""
    values, _ = sort_codes(np.frombuffer(packed, np.uint8).reshape(-1, kind.code_size), None, kind)
    again = values[1:] == values[:-1]
    return values[np.concatenate(([True], ~again))] if again.any() else values


def sort_codes(codes: Codes, records: Ints | None, kind: HashKind) -> tuple[Values, Ints]:
    """Return the values of codes (n, size) sorted, and what goes with each in the same order.

    They are sorted by their first eight bytes as numbers, which is many times faster than as
    texts, and the few that agree in these by the rest, and by record.
    """
    values: Values = as_values(codes)
    heads = codes[:, :8].copy().view(">u8").ravel().astype(np.uint64)
    if records is None and bool((heads[1:] > heads[:-1]).all()):
        return values, np.empty(0, np.int64)
    order = np.argsort(heads, kind="stable")
    heads, values = heads[order], values[order]
    with_each = order if records is None else records[order]
    again = np.zeros(len(values) + 1, bool)  # whether a value begins as the one before does
    again[1:-1] = heads[1:] == heads[:-1]
    alike = np.flatnonzero(again[:-1] | again[1:])
    if alike.size:
        # Each run of equal heads stays in its place, since its values compare as its head does.
        inner = np.lexsort((with_each[alike], values[alike]))
        values[alike], with_each[alike] = values[alike][inner], with_each[alike][inner]
    return values, with_each
