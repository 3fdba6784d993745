"""Which values of a kind can be hit in a generation, and the index file that holds them.

A segment holds the distinct searchable values of one kind over the records that are not
withdrawn, in ascending order. An import makes a new one from the last and what changed, so that
a small change costs one copy of the file; where the last cannot be read, from the database.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from screener.errors import ScreenerError
from screener.hashing.hash import KINDS, Hash, HashKind
from screener.index.digests import DigestIndex
from screener.index.hamming import HammingIndex
from screener.lists.database import SEGMENTS
from screener.lists.generations import Segment, new_segment_name

_AT_ONCE = 500
_HELD = (
    "FROM hashes h JOIN records r ON r.id = h.record WHERE h.kind = ?"
    " AND h.why_not IS NULL AND r.until IS NULL AND r.state <> 'withdrawn'"
)

Values = NDArray[np.bytes_]  # of dtype S<size>: compared as bytes, all of one length


def open_index(path: Path, kind: HashKind) -> HammingIndex | DigestIndex:
    """The index in a segment file."""
    return HammingIndex.open(path) if kind.perceptual else DigestIndex.open(path)


def codes_of(index: HammingIndex | DigestIndex) -> NDArray[np.uint8]:
    """The values of an index, by row."""
    return index.codes if isinstance(index, HammingIndex) else index.values


class Changes:
    """What an import did to the searchable values, kind by kind: packed, 32 bytes for a PDQ."""

    def __init__(self) -> None:
        """Begin with none."""
        self._gained: dict[str, bytearray] = defaultdict(bytearray)
        self._doubtful: dict[str, bytearray] = defaultdict(bytearray)

    def gain(self, hashes: Iterable[Hash]) -> None:
        """Note searchable hashes that a visible record now holds."""
        for item in hashes:
            self._gained[item.kind.name] += item.value

    def doubt(self, hashes: Iterable[Hash]) -> None:
        """Note searchable hashes that a record no longer holds, though others may."""
        for item in hashes:
            self._doubtful[item.kind.name] += item.value

    def kinds(self) -> list[HashKind]:
        """The kinds with a change."""
        changed = self._gained.keys() | self._doubtful.keys()
        return [kind for name, kind in KINDS.items() if name in changed]

    def gained(self, kind: HashKind) -> Values:
        """The gained values, sorted, each once."""
        return _distinct(self._gained[kind.name], kind)

    def doubtful(self, kind: HashKind) -> Values:
        """The doubtful values, sorted, each once."""
        return _distinct(self._doubtful[kind.name], kind)


def _distinct(packed: bytearray, kind: HashKind) -> Values:
    values: Values = np.frombuffer(bytes(packed), dtype=f"S{kind.size}")
    return np.unique(values)


def write_changed(
    connection: sqlite3.Connection,
    folder: Path,
    current: Mapping[str, Segment],
    changes: Changes,
    number: int,
) -> None:
    """Write a new segment for each kind whose values changed, and name it in the transaction.

    A kind whose set of values is the same after all keeps its file.
    """
    for kind in changes.kinds():
        old = _stored(folder, current.get(kind.name), kind)
        intact = old is not None
        if old is None:
            old = held_values(connection, kind)
        new = _changed(connection, old, changes, kind)
        if new is None and intact:
            continue
        values = old if new is None else new
        connection.execute(
            "UPDATE segments SET until = ? WHERE kind = ? AND until IS NULL", (number, kind.name)
        )
        if values.size:
            _write(connection, folder, kind, values, number)


def _stored(folder: Path, segment: Segment | None, kind: HashKind) -> Values | None:
    """The values of a segment, sorted; None where its file is lost or damaged."""
    if segment is None:
        return np.empty(0, dtype=f"S{kind.size}")
    try:
        codes = codes_of(open_index(folder / SEGMENTS / segment.file, kind))
    except (ScreenerError, OSError, ValueError):
        return None
    if codes.shape != (segment.rows, kind.size):
        return None
    values: Values = np.ascontiguousarray(codes).reshape(-1).view(f"S{kind.size}")
    return values if bool(np.all(values[1:] > values[:-1])) else None


def _changed(
    connection: sqlite3.Connection, old: Values, changes: Changes, kind: HashKind
) -> Values | None:
    """The new values, or None where they are the old ones."""
    gained = changes.gained(kind)
    gained = gained[~_contains(old, gained)]
    doubtful = changes.doubtful(kind)
    gone = doubtful[~_contains(_held_among(connection, kind, doubtful), doubtful)]
    if not gained.size and not _contains(old, gone).any():
        return None
    new = np.insert(old, np.searchsorted(old, gained), gained)
    return new[~_contains(gone, new)] if gone.size else new


def _contains(where: Values, what: Values) -> NDArray[np.bool_]:
    """Which of `what` are in the sorted `where`."""
    if not where.size:
        return np.zeros(what.size, dtype=bool)
    places = np.minimum(np.searchsorted(where, what), where.size - 1)
    return np.asarray(where[places] == what)


def _held_among(connection: sqlite3.Connection, kind: HashKind, values: Values) -> Values:
    """Those of the values that a visible record holds still, sorted."""
    held: list[bytes] = []
    raw = values.tobytes()
    for start in range(0, len(raw), _AT_ONCE * kind.size):
        piece = raw[start : start + _AT_ONCE * kind.size]
        some = [piece[at : at + kind.size] for at in range(0, len(piece), kind.size)]
        marks = ",".join("?" * len(some))
        held += (
            value
            for (value,) in connection.execute(
                f"SELECT DISTINCT h.value {_HELD} AND h.value IN ({marks})", (kind.name, *some)
            )
        )
    return _distinct(bytearray().join(held), kind)


def held_values(connection: sqlite3.Connection, kind: HashKind) -> Values:
    """Every searchable value of a kind that a visible record holds, from the database."""
    rows: Iterator[tuple[bytes]] = connection.execute(f"SELECT h.value {_HELD}", (kind.name,))
    packed = bytearray()
    for (value,) in rows:
        packed += value
    return _distinct(packed, kind)


def _write(
    connection: sqlite3.Connection, folder: Path, kind: HashKind, values: Values, number: int
) -> None:
    path = folder / SEGMENTS / new_segment_name(kind.name, number)
    codes = np.frombuffer(values.tobytes(), dtype=np.uint8).reshape(-1, kind.size)
    index = HammingIndex.build(codes) if kind.perceptual else DigestIndex.build(codes)
    index.save(path)  # synced, as its folder is, and readable by its owner only
    connection.execute(
        "INSERT INTO segments(file, kind, rows, since) VALUES (?, ?, ?, ?)",
        (path.name, kind.name, values.size, number),
    )
