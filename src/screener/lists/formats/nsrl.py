"""NIST's NSRL reference data set of known files.

Versions 1.5 and 2 are CSV, version 3 is an SQLite database. Known does not mean good: every record
is `known_good`, which cancels no match and is only reported next to one. A file may have hundreds
of rows, one per product; names and products are not stored. A row with a special code may be a
malicious file and is quarantined. The database is opened read-only and immutable, and nothing in it
is executed.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from screener.errors import ListError, cause
from screener.hashing.hash import KINDS, Hash
from screener.lists.formats.cells import BadCell, clean_cell, read_hash
from screener.lists.formats.content import Content, Lines
from screener.lists.formats.csv_rows import CsvRows
from screener.lists.formats.header import split_names
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Row
from screener.system.sqlite_files import STORED

NAME = "nsrl"
MAGIC = b"SQLite format 3\0"
_KIND_BY_COLUMN = {
    "sha-1": "sha1",
    "sha1": "sha1",
    "md5": "md5",
    "sha-256": "sha256",
    "sha256": "sha256",
}
_REQUIRED_COLUMNS = {"sha-1", "md5", "filename", "specialcode"}
# FILE is a view of METADATA; minimal sets have only FILE, as a table. Views are not read: they
# compute their rows, perhaps without end.
_TABLE_NAMES = ("METADATA", "FILE")
_IS_STORED = f"SELECT min({STORED}) FROM sqlite_master WHERE CAST(name AS TEXT) LIKE ?"
_ORDINARY_CODES = ("", "0")  # special codes without meaning
_MAX_VALUE_CHARS = 1_024  # a text in the database


def recognises(lines: list[str]) -> bool:
    """Return whether the first line is the header of an NSRL CSV."""
    names = split_names(lines[0], ",") if lines else None
    return {name.casefold() for name in names or ()} >= _REQUIRED_COLUMNS


def open_rows(content: Content, options: Options) -> NsrlCsv | NsrlDatabase:
    """Return the reader for the CSV or the database."""
    return (NsrlDatabase if content.head.startswith(MAGIC) else NsrlCsv)(content)


class NsrlCsv:
    """The rows of an NSRL CSV."""

    unit = "line"
    notes: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()

    def __init__(self, content: Content) -> None:
        # Latin-1 decodes every byte, so no file name makes its row undecodable; none is stored.
        lines = Lines(content, encoding="latin-1")
        first = next(lines, (0, None))[1]
        if first is None or not recognises([first]):
            raise ListError(f"{content.name}: its first line is not the header of an NSRL set")
        names = [name.casefold() for name in split_names(first, ",") or ()]
        self._columns = [
            (column, _KIND_BY_COLUMN[name])
            for column, name in enumerate(names)
            if name in _KIND_BY_COLUMN
        ]
        self._special = names.index("specialcode")
        self._rows = CsvRows(lines, delimiter=",", width=len(names))

    def __iter__(self) -> Iterator[Row | BadRow]:
        for row in self._rows:
            if isinstance(row, BadRow):
                yield row
                continue
            number, cells = row
            values = {kind: cells[column] for column, kind in self._columns}
            yield _build_row(number, values, clean_cell(cells[self._special]))


class NsrlDatabase:
    """The rows of an NSRL database of version 3."""

    unit = "record"
    notes: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()

    def __init__(self, content: Content) -> None:
        """Open the database; raise ListError if it has no path or is not NSRL's."""
        if content.path is None:
            raise ListError(
                f"{content.name} is an SQLite database; it can only be read from a file"
            )
        self._content = content
        self._size = content.path.stat().st_size
        self._address = f"{content.path.absolute().as_uri()}?mode=ro&immutable=1"
        with self._open() as database:
            self._query = self._build_query(database)

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the database; raise ListError if it cannot be read."""
        try:
            with contextlib.closing(sqlite3.connect(self._address, uri=True)) as database:
                for setting in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON"):
                    database.execute(f"PRAGMA {setting}")
                yield database
        except sqlite3.DatabaseError as error:
            raise ListError(f"{self._content.name} cannot be read: {cause(error)}") from None

    def _build_query(self, database: sqlite3.Connection) -> str:
        for table in _TABLE_NAMES:
            if database.execute(_IS_STORED, (table,)).fetchone() != (1,):
                continue
            columns = {row[1].lower() for row in database.execute(f"PRAGMA table_info({table})")}
            kinds = [kind for kind in ("sha256", "sha1", "md5") if kind in columns]
            if kinds:
                self._kinds = kinds
                return f"SELECT {', '.join(kinds)} FROM {table}"
        raise ListError(f"{self._content.name} is a database, but not one of NSRL's")

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Yield each row; raise ListError if there are more rows than the file has bytes."""
        with self._open() as database:
            for number, values in enumerate(database.execute(self._query), 1):
                if number > self._size:
                    raise ListError(f"{self._content.name} is damaged: it has more rows than bytes")
                yield self._build_row(number, values)
        while self._content.read(1 << 20):  # read the rest for the digest
            pass

    def _build_row(self, number: int, values: tuple[object, ...]) -> Row | BadRow:
        texts = ["" if value is None else str(value)[:_MAX_VALUE_CHARS] for value in values]
        return _build_row(number, dict(zip(self._kinds, texts, strict=True)), "")


def _build_row(number: int, values: dict[str, str], special: str) -> Row | BadRow:
    hashes: list[Hash] = []
    for kind, value in values.items():
        if clean_cell(value):
            try:
                hashes.append(read_hash(KINDS[kind], value))
            except BadCell as fault:
                return BadRow(number, kind, str(fault))
    if not hashes:
        return BadRow(number, None, "no usable hash")
    row = Row(number, None, State.KNOWN_GOOD, tuple(hashes))
    if special not in _ORDINARY_CODES:
        return BadRow(number, "SpecialCode", "a special file, perhaps malicious", row)
    return row
