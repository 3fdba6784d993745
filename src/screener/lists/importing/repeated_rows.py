"""Rows of entries that a file names several times, until all of its rows are read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from screener.lists.store.records import Row
from screener.lists.store.stored_rows import decode_row, encode_row

_MARKS = 1 << 27  # bits, 16 MiB


class RepeatedRows:
    """Rows in a table of the list's database, which is made for the first and dropped at the end.

    So memory is bounded by the rows of one entry.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._made = False

    def put_first(self, entry: str, row: Row) -> None:
        """Store the first row of an entry, of which the stored version does not say all."""
        self._put([(entry, 0, encode_row(row))])

    def put(self, entry: str, rows: Iterable[Row]) -> None:
        """Store further rows of an entry."""
        self._put((entry, 1, encode_row(row)) for row in rows)

    def _put(self, rows: Iterable[tuple[str, int, str]]) -> None:
        if not self._made:
            self._connection.execute(
                "CREATE TABLE repeated_rows(entry TEXT NOT NULL, further INTEGER NOT NULL,"
                " number INTEGER PRIMARY KEY, row TEXT NOT NULL)"
            )
            # Now, as sorting all later would write entries into a file for temporary data.
            self._connection.execute(
                "CREATE INDEX repeated_entries ON repeated_rows(entry, number)"
            )
            self._made = True
        self._connection.executemany(
            "INSERT INTO repeated_rows(entry, further, row) VALUES (?, ?, ?)", rows
        )

    def take(self) -> Iterator[tuple[str, list[Row]]]:
        """Yield each entry with further rows, and its rows in the order of the file; then forget
        all of them.
        """
        if not self._made:
            return
        rows = self._connection.execute(
            "SELECT r.entry, r.row FROM repeated_rows r WHERE EXISTS (SELECT 1 FROM repeated_rows f"
            " WHERE f.entry = r.entry AND f.further) ORDER BY r.entry, r.number"
        )
        for entry, some in groupby(rows, itemgetter(0)):
            yield entry, [decode_row(text) for _, text in some]
        self._connection.execute("DROP TABLE repeated_rows")
        self._made = False


class Newcomers:
    """The entries of one file, of a source of which the list has nothing."""

    def __init__(self) -> None:
        self._marks = np.zeros(_MARKS // 8, np.uint8)

    def seen(self, entries: list[str]) -> npt.NDArray[np.bool_]:
        """Return which entries were seen in an earlier call, and a few more; note all of them."""
        places = np.fromiter(map(hash, entries), np.int64, len(entries)) % _MARKS
        at, bits = places >> 3, np.left_shift(1, places & 7).astype(np.uint8)
        found: npt.NDArray[np.bool_] = (self._marks[at] & bits) != 0
        np.bitwise_or.at(self._marks, at, bits)
        return found
