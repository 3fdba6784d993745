"""Store the frames of listed videos, and find the videos that have given frames.

The table `frames` has, for each version of a record, the distinct PDQs of the usable frames of its
compared vPDQ values, with the number of frames. They belong to the version like its hashes.
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
    """A record with videos in one generation, and one of its vPDQ values."""

    record: Record
    value: bytes


class FrameHolders(NamedTuple):
    """The videos that have the queried frames, one row per frame and video.

    `places`: the index of the frame in the query.
    `videos`: the id of the version of the video's record.
    `counts`: the number of frames of the video with this PDQ.
    `totals`: all frames by video, or 0 if it has several vPDQ values, which the table does not
    distinguish.
    """

    places: Ints
    videos: Ints
    counts: Ints
    totals: dict[int, int]


def build_rows(record: int, values: Iterable[bytes]) -> list[FrameRow]:
    """Return the rows of the table `frames` for a version with these vPDQ values."""
    counts: Counter[bytes] = Counter()
    for value in values:
        packed = Frames.of_value(value).usable().codes.tobytes()
        offsets = range(0, len(packed), PDQ_BYTES)
        counts.update(packed[offset : offset + PDQ_BYTES] for offset in offsets)
    return [(record, pdq, count) for pdq, count in counts.items()]


def renew(connection: sqlite3.Connection, record: int) -> None:
    """Rewrite the rows of a version after a change of which values are compared."""
    connection.execute("DELETE FROM frames WHERE record = ?", (record,))
    connection.executemany(
        "INSERT INTO frames VALUES (?, ?, ?)", build_rows(record, _read_values(connection, record))
    )


def copy(connection: sqlite3.Connection, old: int, fresh: int) -> None:
    """Copy the rows of a version to another one with the same values."""
    connection.execute(
        "INSERT INTO frames SELECT ?, value, count FROM frames WHERE record = ?", (fresh, old)
    )


def count_damaged(connection: sqlite3.Connection, number: int) -> int:
    """Return the number of versions of a generation whose rows do not fit their values."""
    damaged = 0
    for (record,) in connection.execute(
        "SELECT r.id FROM records r WHERE r.id IN (SELECT record FROM frames UNION"
        f" SELECT record FROM hashes WHERE kind = 'vpdq') AND {is_in_generation(number)}"
    ).fetchall():
        rows = connection.execute(
            "SELECT record, value, count FROM frames WHERE record = ?", (record,)
        ).fetchall()
        damaged += sorted(rows) != sorted(build_rows(record, _read_values(connection, record)))
    return damaged


def _read_values(connection: sqlite3.Connection, record: int) -> Iterator[bytes]:
    rows = connection.execute(
        "SELECT value FROM hashes WHERE record = ? AND kind = 'vpdq' AND why_not IS NULL", (record,)
    )
    return (value for (value,) in rows)


def find_holders(
    connection: sqlite3.Connection, values: Sequence[bytes], generation: int
) -> FrameHolders:
    """Return the videos of a generation that have each of the PDQs."""
    indexes = {value: index for index, value in enumerate(values)}
    rows: list[tuple[int, int, int]] = []
    for batch, marks in split_values(values):
        rows += (
            (indexes[value], record, count)
            for value, record, count in connection.execute(
                "SELECT h.value, h.record, h.count FROM frames h JOIN records r ON r.id = h.record"
                f" WHERE h.value IN ({marks}) AND r.state <> 'withdrawn'"
                f" AND {is_in_generation(generation)}",
                batch,
            )
        )
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    if (columns[2] < 1).any():  # a video would seem to share fewer frames than it does
        raise ValueError("no count")
    totals = {video: _count_frames(connection, video) for video in np.unique(columns[1]).tolist()}
    return FrameHolders(columns[0], columns[1], columns[2], totals)


def _count_frames(connection: sqlite3.Connection, record: int) -> int:
    total, values = connection.execute(
        "SELECT (SELECT sum(count) FROM frames WHERE record = :record), (SELECT count(*)"
        " FROM hashes WHERE record = :record AND kind = 'vpdq' AND why_not IS NULL)",
        {"record": record},
    ).fetchone()
    return int(total) if values == 1 else 0


def read_videos(
    connection: sqlite3.Connection, numbers: Sequence[int], generation: int
) -> Iterator[tuple[int, ListedVideo]]:
    """Yield the compared vPDQ values of records of a generation, with the record and its id.

    `numbers` are ids of versions; those that are not in the generation are skipped.
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
        for value in _read_values(connection, number):
            yield number, ListedVideo(record, value)
