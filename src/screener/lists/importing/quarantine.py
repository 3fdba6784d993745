"""The quarantine: unreadable rows of imports, and stored hashes that are not compared."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from screener.lists.importing.report import FULL_KEY
from screener.lists.states import State
from screener.lists.store.database import is_in_generation_by_id
from screener.lists.store.records import BadRow, Row
from screener.lists.store.stored_rows import decode_row, encode_row


@dataclass(frozen=True)
class QuarantinedRow:
    """A quarantined row.

    `id`: its number in the list.
    `file`, `line`: where the row was.
    `releasable`: whether part of it is readable, so that it can be imported without the rest.
    `released`: the generation in which it was released, or None.
    """

    id: int
    file: str
    line: int
    field: str | None
    reason: str
    source: str
    releasable: bool
    released: int | None


@dataclass(frozen=True)
class UncomparedHash:
    """A stored hash that is not compared, without its value."""

    source: str
    entry: str
    kind: str
    reason: str


class RowQuarantine:
    """The rows that one import of a source quarantines.

    A source may deliver the same damage every day. A row that an earlier import already quarantined
    and nobody released keeps its number and moves to this import.
    """

    def __init__(
        self, connection: sqlite3.Connection, import_id: int, source: str, *, full: bool
    ) -> None:
        """`full`: the file contains all entries of the source."""
        self._connection = connection
        self._import_id = import_id
        self._source = source
        self._full = full
        self._earlier: dict[bytes, list[int]] | None = None  # read when first needed

    def store(self, bad_rows: Iterable[BadRow]) -> None:
        """Store quarantined rows."""
        if self._earlier is None:
            self._earlier = self._read_earlier()
        repeated_rows, new_rows = [], []
        for bad_row in bad_rows:
            row_text = None if bad_row.row is None else encode_row(bad_row.row)
            fields = (bad_row.line, bad_row.field, bad_row.reason, row_text)
            numbers = self._earlier.get(_hash_content(*fields))
            if numbers:
                repeated_rows.append((self._import_id, bad_row.line, row_text, numbers.pop()))
            else:
                new_rows.append((self._import_id, *fields))
        self._connection.executemany(
            "UPDATE quarantine SET import = ?, line = ?, row = ? WHERE id = ?", repeated_rows
        )
        self._connection.executemany(
            "INSERT INTO quarantine(import, line, field, reason, row) VALUES (?, ?, ?, ?, ?)",
            new_rows,
        )

    def _read_earlier(self) -> dict[bytes, list[int]]:
        """Return the numbers of rows that earlier imports quarantined, by content, newest first.

        Rows of a full list count only if this file is one too: they may explain a withdrawal by
        that list.
        """
        imports = {
            number
            for number, counts in self._connection.execute(
                "SELECT id, counts FROM imports WHERE source = ?", (self._source,)
            )
            if self._full or not json.loads(counts).get(FULL_KEY)
        }
        numbers_by_content: dict[bytes, list[int]] = defaultdict(list)
        for number, import_id, *content in self._connection.execute(
            "SELECT id, import, line, field, reason, row FROM quarantine WHERE released IS NULL"
            " ORDER BY id DESC"
        ):
            if import_id in imports:
                numbers_by_content[_hash_content(*content)].append(number)
        return numbers_by_content


def _hash_content(line: int, field: str | None, reason: str, row_text: str | None) -> bytes:
    """Return a hash of a row's content, or of its line number if nothing is readable."""
    content = str(line) if row_text is None else row_text.partition(",")[2]
    return hashlib.blake2b(f"{field}\0{reason}\0{content}".encode(), digest_size=16).digest()


def list_rows(connection: sqlite3.Connection) -> Iterator[QuarantinedRow]:
    """Yield all quarantined rows, in order."""
    for number, file, line, field, reason, source, has_row, released in connection.execute(
        "SELECT q.id, i.file, q.line, q.field, q.reason, i.source, q.row IS NOT NULL, q.released"
        " FROM quarantine q JOIN imports i ON i.id = q.import ORDER BY q.id"
    ):
        yield QuarantinedRow(number, file, line, field, reason, source, bool(has_row), released)


def list_uncompared(connection: sqlite3.Connection, number: int) -> Iterator[UncomparedHash]:
    """Yield the hashes of a generation that are of a comparable kind but not compared."""
    for fields in connection.execute(
        "SELECT r.source, r.entry, h.kind, h.why_not FROM records r CROSS JOIN hashes h"
        " ON h.record = r.id WHERE h.why_not IS NOT NULL AND h.why_not <> 'opaque'"
        f" AND {is_in_generation_by_id(number)} AND r.state <> ? ORDER BY r.id, h.kind",
        (State.WITHDRAWN,),
    ):
        yield UncomparedHash(*fields)


class ReadableRow(NamedTuple):
    """The readable part of a quarantined row, with its import and source."""

    import_id: int
    source: str
    row: Row


def find_releasable(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, ReadableRow]:
    """Return the rows with these numbers that can be released and were not yet."""
    rows = {}
    for number in ids:
        if number >> 63:  # SQLite cannot bind an integer of more than 63 bits
            continue
        stored_row = connection.execute(
            "SELECT i.id, i.source, q.row FROM quarantine q JOIN imports i"
            " ON i.id = q.import WHERE q.id = ? AND q.row IS NOT NULL AND q.released IS NULL",
            (number,),
        ).fetchone()
        if stored_row is not None:
            import_id, source, row_text = stored_row
            rows[number] = ReadableRow(import_id, source, decode_row(row_text))
    return rows
