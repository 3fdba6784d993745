"""Build the index of hashes by value for the first import of a list.

SQLite builds an index by sorting its entries, which takes most of the time of an import. NumPy
sorts them many times faster, but SQLite cannot build an index from sorted entries. It can fill a
table: a WITHOUT ROWID table with the columns of the index is the same B-tree, byte for byte. So the
sorted entries are appended to such a table, and the schema is edited to make it the index. This is
one transaction; `verify` lets SQLite compare each entry of the index with its row.
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

_MAX_HASHES = 5_000_000  # sorted in memory, some 100 bytes each
_MAX_VALUE_BYTES = 160
_BATCH = 1 << 15  # entries per statement
_AS_TABLE = (
    "CREATE TABLE hashes_by_value(kind TEXT NOT NULL, value BLOB NOT NULL,"
    " record INTEGER NOT NULL, PRIMARY KEY(kind, value, record)) WITHOUT ROWID"
)
_AS_INDEX = (
    "UPDATE sqlite_master SET type = 'index', tbl_name = 'hashes', sql = ?"
    " WHERE name = 'hashes_by_value'"
)


class FirstIndex:
    """The hashes of the first import of a list, which drops the index of the empty list."""

    def __init__(self, connection: sqlite3.Connection, changes: Changes) -> None:
        """Drop the index; `build` adds the searchable values to `changes`."""
        self._connection = connection
        self._changes = changes
        self._values: dict[str, bytearray] | None = defaultdict(bytearray)
        self._records: dict[str, list[Ints]] = defaultdict(list)  # twice the id, + 1 if searchable
        self._count = 0
        connection.execute("DROP INDEX hashes_by_value")
        # From now on rows are only appended, which needs few pages.
        connection.execute("PRAGMA cache_size = -8192")

    def add(self, kind: HashKind, values: bytes, records: Ints, searched: Mask) -> bool:
        """Add packed values of a kind, their records, and which of them are searchable.

        Returns False, and does so from then on, if there are too many values, or one is too large.
        """
        self._count += len(records)
        if not (0 < kind.size <= _MAX_VALUE_BYTES and self._count <= _MAX_HASHES):
            self._use_sqlite()
        if self._values is None:
            return False
        self._values[kind.name] += values
        self._records[kind.name].append(records << 1 | searched)
        return True

    def _use_sqlite(self) -> None:
        for name in list(self._values or ()):
            kind = KINDS[name]
            rows, marked_records = self._take(kind)
            self._gain(kind, as_values(rows), marked_records)
        self._values = None

    def _take(self, kind: HashKind) -> tuple[Codes, Ints]:
        packed = self._values.pop(kind.name) if self._values is not None else b""
        rows = np.frombuffer(packed, np.uint8).reshape(-1, kind.size)
        return rows, np.concatenate(self._records.pop(kind.name))

    def _gain(self, kind: HashKind, values: Values, marked_records: Ints) -> None:
        if kind.searched:
            searched = marked_records & 1 == 1
            values = values if searched.all() else values[searched]
            self._changes.gain_packed(kind, values.view(np.uint8).data)

    def build(self, removed: Ints) -> list[tuple[str, bytes]] | None:
        """Build the index without the `removed` records.

        Returns the values that several records have, or None if they are unknown.
        """
        if self._values is None or not _enable_schema_writes(self._connection):
            self._use_sqlite()
            database.index_hashes(self._connection)
            return None
        self._connection.execute(_AS_TABLE)
        shared: list[tuple[str, bytes]] = []
        for name in sorted(self._values):  # in the order of the index
            kind = KINDS[name]
            rows, marked_records = self._take(kind)
            if removed.size:
                remaining = ~np.isin(marked_records >> 1, removed)
                rows, marked_records = rows[remaining], marked_records[remaining]
            values, marked_records = sort_codes(rows, marked_records, kind)
            del rows
            self._append(kind, values, marked_records >> 1)
            self._gain(kind, values, marked_records)
            repeated = np.unique(values[1:][values[1:] == values[:-1]]).tobytes()
            offsets = range(0, len(repeated), kind.size)
            shared += [(name, repeated[offset : offset + kind.size]) for offset in offsets]
        self._connection.execute(_AS_INDEX, (schema.VALUE_INDEX,))
        (version,) = self._connection.execute("PRAGMA schema_version").fetchone()
        self._connection.execute(f"PRAGMA schema_version = {version + 1}")
        self._connection.execute("PRAGMA writable_schema = RESET")
        return shared

    def _append(self, kind: HashKind, values: Values, records: Ints) -> None:
        size = kind.size
        for start in range(0, len(records), _BATCH):
            batch = records[start : start + _BATCH]
            self._connection.execute(
                "INSERT INTO hashes_by_value SELECT :kind,"
                " substr(:values, key * :size + 1, :size), value FROM json_each(:records)",
                {"kind": kind.name, "values": values[start : start + _BATCH].tobytes(),
                 "size": size, "records": str(batch.tolist())},
            )  # fmt: skip


def _enable_schema_writes(connection: sqlite3.Connection) -> bool:
    """Enable writes to the schema; return whether this SQLite allows them."""
    connection.execute("PRAGMA writable_schema = ON")
    return bool(connection.execute("PRAGMA writable_schema").fetchone()[0])
