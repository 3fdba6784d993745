"""Frames of listed videos: which PDQs a search of frames can hit, and whose they are.

A version of a record has, in the table `frames`, the PDQ of each usable frame of those of its vPDQ
values that are compared, once, and in how many frames it is. So a version is hit through its
frames for as long as it counts, as it is through its hashes, and they go when it goes.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from screener.hashing.video_frames import Frames
from screener.hashing.vpdq_value import PDQ_BYTES
from screener.lists.store.database import is_in_generation, split_values
from screener.lists.store.records import RECORD_COLUMNS, Record, build_record

Ints = npt.NDArray[np.int64]
FrameRow = tuple[int, bytes, int]


class ListedVideo(NamedTuple):
    """A record with videos, as one generation has it, and one of its vPDQ values."""

    record: Record
    value: bytes


class FrameHolders(NamedTuple):
    """Who holds frames: `places` of those asked for, the `videos` (numbers of versions of
    records) that hold them, and in how many frames; `totals` are all frames of each such video, 0
    where it has several vPDQ values, of each of which nothing is known here.
    """

    places: Ints
    videos: Ints
    counts: Ints
    totals: dict[int, int]


def build_rows(record: int, values: Iterable[bytes]) -> list[FrameRow]:
    """Return the rows of a version with these vPDQ values."""
    counts: Counter[bytes] = Counter()
    for value in values:
        packed = Frames.of_value(value).usable().codes.tobytes()
        counts.update(packed[at : at + PDQ_BYTES] for at in range(0, len(packed), PDQ_BYTES))
    return [(record, pdq, count) for pdq, count in counts.items()]


def renew(connection: sqlite3.Connection, record: int) -> None:
    """Write the rows of a version anew, by what of it is compared now."""
    connection.execute("DELETE FROM frames WHERE record = ?", (record,))
    connection.executemany(
        "INSERT INTO frames VALUES (?, ?, ?)", build_rows(record, _values(connection, record))
    )


def copy(connection: sqlite3.Connection, old: int, fresh: int) -> None:
    """Give a version the rows of another that says the same."""
    connection.execute(
        "INSERT INTO frames SELECT ?, value, count FROM frames WHERE record = ?", (fresh, old)
    )


def count_damaged(connection: sqlite3.Connection, number: int) -> int:
    """Return how many versions of a generation have other rows than their values call for."""
    found = 0
    for (record,) in connection.execute(
        "SELECT r.id FROM records r WHERE r.id IN (SELECT record FROM frames UNION"
        f" SELECT record FROM hashes WHERE kind = 'vpdq') AND {is_in_generation(number)}"
    ).fetchall():
        rows = connection.execute(
            "SELECT record, value, count FROM frames WHERE record = ?", (record,)
        ).fetchall()
        found += sorted(rows) != sorted(build_rows(record, _values(connection, record)))
    return found


def _values(connection: sqlite3.Connection, record: int) -> Iterator[bytes]:
    rows = connection.execute(
        "SELECT value FROM hashes WHERE record = ? AND kind = 'vpdq' AND why_not IS NULL", (record,)
    )
    return (value for (value,) in rows)


def find_holders(
    connection: sqlite3.Connection, values: Sequence[bytes], generation: int
) -> FrameHolders:
    """Return who holds each of the PDQs, in a generation."""
    places = {value: place for place, value in enumerate(values)}
    found: list[tuple[int, int, int]] = []
    for some, marks in split_values(values):
        found += (
            (places[value], record, count)
            for value, record, count in connection.execute(
                "SELECT h.value, h.record, h.count FROM frames h JOIN records r ON r.id = h.record"
                f" WHERE h.value IN ({marks}) AND r.state <> 'withdrawn'"
                f" AND {is_in_generation(generation)}",
                some,
            )
        )
    columns = np.array(found, np.int64).reshape(-1, 3).T
    if (columns[2] < 1).any():  # a video would seem to share fewer frames than it does
        raise ValueError("no count")
    totals = {video: _total(connection, video) for video in np.unique(columns[1]).tolist()}
    return FrameHolders(columns[0], columns[1], columns[2], totals)


def _total(connection: sqlite3.Connection, record: int) -> int:
    total, values = connection.execute(
        "SELECT (SELECT sum(count) FROM frames WHERE record = :record), (SELECT count(*)"
        " FROM hashes WHERE record = :record AND kind = 'vpdq' AND why_not IS NULL)",
        {"record": record},
    ).fetchone()
    return int(total) if values == 1 else 0


def read_videos(
    connection: sqlite3.Connection, numbers: Sequence[int], generation: int
) -> Iterator[tuple[int, ListedVideo]]:
    """Yield the videos of these numbers that a generation has: each compared vPDQ value with its
    record, one at a time.
    """
    for number in numbers:
        row = connection.execute(
            f"SELECT {RECORD_COLUMNS} FROM records r"
            f" WHERE id = ? AND {is_in_generation(generation)}",
            (number,),
        ).fetchone()
        if row is None:
            continue
        record = build_record(connection, row, generation)
        for value in _values(connection, number):
            yield number, ListedVideo(record, value)
