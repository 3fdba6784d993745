"""Conditions on the columns of our SQLite files, and the rows that break them.

A failing disk or another program may leave values that SQLite reads without complaint and that no
version of this library writes. Each column's condition stands once, as SQL: an error of a reader is
traced to the row that caused it, and `screener verify` lists all such rows.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from screener.errors import counted

# The errors that a damaged value may cause in the code that uses it.
DAMAGE_ERRORS = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)

COUNT = "typeof({c}) = 'integer' AND {c} >= 0"
TIME = "typeof({c}) = 'real'"
TEXT = "typeof({c}) = 'text' AND is_utf8(CAST({c} AS BLOB))"
BLOB = "typeof({c}) = 'blob'"

_REMEMBERED = 32  # values whose check is cached; one may be a megabyte
_REFERENCE = re.compile("C-[A-Z2-7]{8}")  # of a hotline's case: random, so safe to print


def or_null(condition: str) -> str:
    """Return the condition of a column that may be NULL."""
    return f"({{c}} IS NULL OR {condition})"


def one_of(names: Iterable[object]) -> str:
    """Return the condition of a column that holds one of some words of ours."""
    return f"{{c}} IN ({', '.join(repr(str(name)) for name in names)})"


def fits(name: str) -> str:
    """Return the condition of a column whose text the function `name` of `Forms` can read."""
    # Text that is not UTF-8 would make the whole query fail in Python.
    return f"CASE WHEN {TEXT} THEN {name}({{c}}) END"


class Table(NamedTuple):
    """A condition for each column of a table, with `{c}` for the column's name.

    `row` is a column of numbers or case references that identifies a row, if there is one.
    """

    name: str
    columns: Mapping[str, str]
    row: str | None = "id"


class Forms(NamedTuple):
    """The tables of a file, and the functions that conditions name by `fits`.

    A function returns if it can read the text, and raises one of `OF_DAMAGE` if not.
    """

    tables: Sequence[Table]
    functions: Mapping[str, Callable[[Any], object]]


@contextlib.contextmanager
def report_damage(
    connection: sqlite3.Connection, forms: Forms, damaged: Callable[[str], Exception]
) -> Iterator[None]:
    """Raise `damaged`, which gets the row in words, if a damaged row explains the body's error.

    Any other error passes. Only after an error are the rows read, and then all of them.
    """
    try:
        yield
    except (*DAMAGE_ERRORS, sqlite3.OperationalError) as error:
        # SQLite's own errors have a code; Python's, of text that it cannot decode, has none.
        if getattr(error, "sqlite_errorcode", None) is not None:
            raise
        if (row := next(find_damaged_rows(connection, forms), None)) is None:
            raise
        raise damaged(row) from None


def find_damaged_rows(connection: sqlite3.Connection, forms: Forms) -> Iterator[str]:
    """Yield a description of the damaged rows of each table, without their values."""
    with contextlib.suppress(sqlite3.OperationalError):  # a running query uses a function already
        for name, reading in {"is_utf8": bytes.decode, **forms.functions}.items():
            # Values repeat, and each call of Python takes long.
            reads = lru_cache(_REMEMBERED)(_reads(reading))
            connection.create_function(name, 1, reads, deterministic=True)
    for table in forms.tables:
        yield from _damaged_rows_of(connection, table)


def _damaged_rows_of(connection: sqlite3.Connection, table: Table) -> Iterator[str]:
    checks = [f"({it.format(c=f't.{name}')}) IS TRUE" for name, it in table.columns.items()]
    # A row's number of another type might not be readable in Python.
    readable = f"CASE WHEN typeof({{c}}) = 'integer' OR {TEXT} THEN {{c}} END"
    number_of = "NULL" if table.row is None else readable.format(c=f"t.{table.row}")
    rows = connection.execute(
        f"SELECT {number_of}, {', '.join(checks)} FROM {table.name} t"
        f" WHERE NOT ({' AND '.join(checks)})"
    )
    first = rows.fetchone()
    if first is not None:
        number, *sound = first
        columns = [name for name, fine in zip(table.columns, sound, strict=True) if not fine]
        safe = type(number) is int or (type(number) is str and _REFERENCE.fullmatch(number))
        row = f", {table.row} {number}" if safe else ""
        more = sum(1 for _ in rows)
        yield (
            f"the table {table.name}{row}: no version of screener writes such a value of"
            f" {', '.join(columns)}" + (f"; {counted(more, 'more row')} like that" if more else "")
        )


def _reads(reading: Callable[[Any], object]) -> Callable[[Any], bool]:
    def reads(value: Any) -> bool:
        try:
            reading(value)
        except DAMAGE_ERRORS:
            return False
        return True

    return reads
