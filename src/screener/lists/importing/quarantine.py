"""Quarantine: rows that an import set aside, which of them can be released, and values that are not
compared.
"""

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
from screener.lists.store.database import in_order
from screener.lists.store.records import BadRow, Row
from screener.lists.store.stored_rows import packed, unpacked


@dataclass(frozen=True)
class QuarantinedRow:
    """A row that an import set aside. `id` is its number in the list, `file` and `line` where it
    stood; `releasable` whether some of it could be read, so that it can be taken in without the
    rest; `released` the generation that did.
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
    """A hash that is kept and not compared: whose, its kind and why; never its value."""

    source: str
    entry: str
    kind: str
    reason: str


class RowQuarantine:
    """The rows that one import of a source sets aside.

    What an earlier one set aside as well, which nobody has released, stays under its number, and is
    of this import from now on: a source delivers the same damage day after day.
    """

    def __init__(
        self, connection: sqlite3.Connection, import_id: int, source: str, *, full: bool
    ) -> None:
        """Before the first; `full`: the file is all that its source has."""
        self._connection = connection
        self._import_id = import_id
        self._source = source
        self._full = full
        self._earlier: dict[bytes, list[int]] | None = None  # read for the first

    def store(self, bad: Iterable[BadRow]) -> None:
        """Store rows that were set aside."""
        if self._earlier is None:
            self._earlier = self._read_earlier()
        repeated_rows, new_rows = [], []
        for bad_row in bad:
            row_text = None if bad_row.row is None else packed(bad_row.row)
            numbers = self._earlier.get(
                _hash_content(bad_row.line, bad_row.field, bad_row.reason, row_text)
            )
            if numbers:
                repeated_rows.append((self._import_id, bad_row.line, row_text, numbers.pop()))
            else:
                new_rows.append(
                    (self._import_id, bad_row.line, bad_row.field, bad_row.reason, row_text)
                )
        self._connection.executemany(
            "UPDATE quarantine SET import = ?, line = ?, row = ? WHERE id = ?", repeated_rows
        )
        self._connection.executemany(
            "INSERT INTO quarantine(import, line, field, reason, row) VALUES (?, ?, ?, ?, ?)",
            new_rows,
        )

    def _read_earlier(self) -> dict[bytes, list[int]]:
        """Return the numbers of rows that earlier imports set aside, newest first, by content.

        A row of a full list stays with it unless this is one: it may be why its entry is withdrawn.
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
    """Return what a row says, wherever it stands; where it stands, if nothing of it could be
    read.
    """
    content = str(line) if row_text is None else row_text.partition(",")[2]
    return hashlib.blake2b(f"{field}\0{reason}\0{content}".encode(), digest_size=16).digest()


def list_rows(connection: sqlite3.Connection) -> Iterator[QuarantinedRow]:
    """Yield all rows that were set aside, in order."""
    for number, file, line, field, reason, source, has_row, released in connection.execute(
        "SELECT q.id, i.file, q.line, q.field, q.reason, i.source, q.row IS NOT NULL, q.released"
        " FROM quarantine q JOIN imports i ON i.id = q.import ORDER BY q.id"
    ):
        yield QuarantinedRow(number, file, line, field, reason, source, bool(has_row), released)


def list_uncompared(connection: sqlite3.Connection, number: int) -> Iterator[UncomparedHash]:
    """Yield the hashes of a generation that could be compared by their kind and are not."""
    for fields in connection.execute(
        "SELECT r.source, r.entry, h.kind, h.why_not FROM records r CROSS JOIN hashes h"
        " ON h.record = r.id WHERE h.why_not IS NOT NULL AND h.why_not <> 'opaque'"
        f" AND {in_order(number)} AND r.state <> ? ORDER BY r.id, h.kind",
        (State.WITHDRAWN,),
    ):
        yield UncomparedHash(*fields)


class ReadableRow(NamedTuple):
    """What could be read of a row that was set aside: in which import, of which source."""

    import_id: int
    source: str
    row: Row


def find_releasable(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, ReadableRow]:
    """Return the rows of these numbers that can be taken in and were not yet."""
    rows = {}
    for number in ids:
        if number >> 63:  # no row has such a number, and SQLite holds none
            continue
        stored_row = connection.execute(
            "SELECT i.id, i.source, q.field, q.row FROM quarantine q JOIN imports i"
            " ON i.id = q.import WHERE q.id = ? AND q.row IS NOT NULL AND q.released IS NULL",
            (number,),
        ).fetchone()
        if stored_row is not None:
            import_id, source, field, row_text = stored_row
            rows[number] = ReadableRow(import_id, source, unpacked(row_text, field))
    return rows
