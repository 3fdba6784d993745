"""The index of hashes by value, built at once for a list's first import.

SQLite builds an index by sorting all its entries, which takes most of the time of an import. NumPy
sorts them many times faster; but SQLite fills no index from sorted entries. It does fill a table:
one WITHOUT ROWID, of the columns that the index has, is the same B-tree to the byte. So the entries
are appended to such a table in order, and then the schema is made to call it the index. Everything
is one transaction; `verify` has SQLite compare each entry of the index with its row.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict

import numpy as np
import numpy.typing as npt

from screener.hashing.hash import KINDS, HashKind
from screener.index.values import Codes, Values, as_values
from screener.lists.store import database, schema
from screener.lists.store.searchable_values import Changes, sort_codes

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_MOST = 5_000_000  # hashes that are sorted in memory, some 100 bytes each
_LARGEST = 160  # bytes of a value
_AT_ONCE = 1 << 15  # entries appended by one statement
_AS_TABLE = (
    "CREATE TABLE hashes_by_value(kind TEXT NOT NULL, value BLOB NOT NULL,"
    " record INTEGER NOT NULL, PRIMARY KEY(kind, value, record)) WITHOUT ROWID"
)
_AS_INDEX = (
    "UPDATE sqlite_master SET type = 'index', tbl_name = 'hashes', sql = ?"
    " WHERE name = 'hashes_by_value'"
)


class FirstIndex:
    """The hashes of a list's first import, which drops the index of the empty list."""

    def __init__(self, connection: sqlite3.Connection, changes: Changes) -> None:
        """Begin; what can be searched is noted in `changes` in the end."""
        self._connection = connection
        self._changes = changes
        self._values: dict[str, bytearray] | None = defaultdict(bytearray)
        self._records: dict[str, list[Ints]] = defaultdict(list)  # twice the number, + 1: searched
        self._count = 0
        connection.execute("DROP INDEX hashes_by_value")
        # What is left to write is appended, which takes few pages.
        connection.execute("PRAGMA cache_size = -8192")

    def add(self, kind: HashKind, values: bytes, records: Ints, searched: Mask) -> bool:
        """Note values of a kind, packed, the records that have them, and which can be searched.

        Returns False, now and from now on, if there are too many, or some too large.
        """
        self._count += len(records)
        if not (0 < kind.size <= _LARGEST and self._count <= _MOST):
            self._give_up()
        if self._values is None:
            return False
        self._values[kind.name] += values
        self._records[kind.name].append(records << 1 | searched)
        return True

    def _give_up(self) -> None:
        for name in list(self._values or ()):
            kind = KINDS[name]
            rows, with_each = self._take(kind)
            self._gain(kind, as_values(rows), with_each)
        self._values = None

    def _take(self, kind: HashKind) -> tuple[Codes, Ints]:
        packed = self._values.pop(kind.name) if self._values is not None else b""
        rows = np.frombuffer(packed, np.uint8).reshape(-1, kind.size)
        return rows, np.concatenate(self._records.pop(kind.name))

    def _gain(self, kind: HashKind, values: Values, with_each: Ints) -> None:
        if kind.searched:
            searched = with_each & 1 == 1
            values = values if searched.all() else values[searched]
            self._changes.gain_packed(kind, values.view(np.uint8).data)

    def build(self, removed: Ints) -> list[tuple[str, bytes]] | None:
        """Build the index; `removed` are records that are no more.

        Returns the values that several records have, or None if that is not known.
        """
        if self._values is None or not _may_write_schema(self._connection):
            self._give_up()
            database.index_hashes(self._connection)
            return None
        self._connection.execute(_AS_TABLE)
        shared: list[tuple[str, bytes]] = []
        for name in sorted(self._values):  # in the order of the index
            kind = KINDS[name]
            rows, with_each = self._take(kind)
            if removed.size:
                there = ~np.isin(with_each >> 1, removed)
                rows, with_each = rows[there], with_each[there]
            values, with_each = sort_codes(rows, with_each, kind)
            del rows
            self._append(kind, values, with_each >> 1)
            self._gain(kind, values, with_each)
            again = np.unique(values[1:][values[1:] == values[:-1]]).tobytes()
            shared += [(name, again[at : at + kind.size]) for at in range(0, len(again), kind.size)]
        self._connection.execute(_AS_INDEX, (schema.VALUE_INDEX,))
        (version,) = self._connection.execute("PRAGMA schema_version").fetchone()
        self._connection.execute(f"PRAGMA schema_version = {version + 1}")
        self._connection.execute("PRAGMA writable_schema = RESET")
        return shared

    def _append(self, kind: HashKind, values: Values, records: Ints) -> None:
        size = kind.size
        for start in range(0, len(records), _AT_ONCE):
            some = records[start : start + _AT_ONCE]
            self._connection.execute(
                "INSERT INTO hashes_by_value SELECT :kind,"
                " substr(:values, key * :size + 1, :size), value FROM json_each(:records)",
                {"kind": kind.name, "values": values[start : start + _AT_ONCE].tobytes(),
                 "size": size, "records": str(some.tolist())},
            )  # fmt: skip


def _may_write_schema(connection: sqlite3.Connection) -> bool:
    """Turn writing to the schema on; return whether this SQLite allows it."""
    connection.execute("PRAGMA writable_schema = ON")
    return bool(connection.execute("PRAGMA writable_schema").fetchone()[0])
