"""Withdrawals that name no entry, and which of them reach nothing.

A row without an id is known by its hashes, all of them together, and so is its withdrawal. It does
not reach an entry that has an id, or other hashes beside: one hash may be of several entries, and
some of them may be listed still. So whoever imports is told of those that withdraw nothing.
"""

from __future__ import annotations

import re
import sqlite3
from array import array

import numpy as np

from screener.lists.database import of_generation
from screener.lists.records import Row, derived_entry

_DERIVED = re.compile(r"row-([0-9a-f]{16})", re.ASCII)  # see `derived_entry`
_AT_ONCE = 10_000


class Withdrawals:
    """The entries of one file that rows without an id withdraw: eight bytes for each such row."""

    def __init__(self) -> None:
        """Begin with none."""
        self._entries = array("Q")

    def add(self, row: Row) -> None:
        """Note a row that withdraws and has no id."""
        self._entries.append(_number(derived_entry(row.hashes)))

    def missed(self, connection: sqlite3.Connection, source: str, number: int) -> int:
        """How many of the entries the list had not in generation `number`, that before the import,
        neither live nor withdrawn: whatever else the file says of them.
        """
        if not self._entries:
            return 0
        wanted = np.unique(np.frombuffer(self._entries, np.uint64))
        rows = connection.execute(
            "SELECT entry FROM records r WHERE source = ? AND entry LIKE 'row-%'"
            f" AND {of_generation(number)}",
            (source,),
        )
        met = np.zeros(wanted.size, bool)
        while some := rows.fetchmany(_AT_ONCE):
            numbers = [_number(entry) for (entry,) in some if _DERIVED.fullmatch(entry)]
            held = np.array(numbers, np.uint64)
            places = np.minimum(np.searchsorted(wanted, held), wanted.size - 1)
            met[places[wanted[places] == held]] = True
        return int(met.size - met.sum())


def _number(entry: str) -> int:
    return int(entry.removeprefix("row-"), 16)
