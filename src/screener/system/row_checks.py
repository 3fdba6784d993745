"""Check the values in SQLite files of this library, and find the damaged rows.

A failing disk or another program may leave values that SQLite accepts and that no version of this
library writes. The condition of each column is defined once, as SQL. It is used to trace an error
of a reader to the row that caused it, and `screener verify` lists all damaged rows.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from screener.errors import counted

# Errors that a damaged value may cause in the code that uses it.
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

_MAX_CACHED_VALUES = 32  # a value may be a megabyte
_CASE_REFERENCE = re.compile("C-[A-Z2-7]{8}")  # random, so safe to print


def or_null(condition: str) -> str:
    """Return the condition of a column that may be NULL."""
    return f"({{c}} IS NULL OR {condition})"


def one_of(names: Iterable[object]) -> str:
    """Return the condition of a column that contains one of these words."""
    return f"{{c}} IN ({', '.join(repr(str(name)) for name in names)})"


def fits(name: str) -> str:
    """Return the condition of a column that the function `name` of `Forms` can read."""
    # Text that is not UTF-8 would make the whole query fail in Python.
    return f"CASE WHEN {TEXT} THEN {name}({{c}}) END"


class Table(NamedTuple):
    """The condition of each column of a table, with `{c}` for the name of the column.

    `row` is a column of integers or case references that identifies a row, or None.
    """

    name: str
    columns: Mapping[str, str]
    row: str | None = "id"


class Forms(NamedTuple):
    """The tables of a file, and the functions that their conditions name with `fits`.

    A function raises one of `DAMAGE_ERRORS` if it cannot read the text.
    """

    tables: Sequence[Table]
    functions: Mapping[str, Callable[[Any], object]]


@contextlib.contextmanager
def report_damage(
    connection: sqlite3.Connection, forms: Forms, damaged: Callable[[str], Exception]
) -> Iterator[None]:
    """Raise `damaged` with a description of the row if a damaged row explains an error.

    Other errors of the body are raised unchanged. The rows are checked only after an error.
    """
    try:
        yield
    except (*DAMAGE_ERRORS, sqlite3.OperationalError) as error:
        # Python's error for text that it cannot decode is an OperationalError without a code.
        if getattr(error, "sqlite_errorcode", None) is not None:
            raise
        if (row := next(find_damaged_rows(connection, forms), None)) is None:
            raise
        raise damaged(row) from None


def find_damaged_rows(connection: sqlite3.Connection, forms: Forms) -> Iterator[str]:
    """Yield a description of the damaged rows of each table, without their values."""
    with contextlib.suppress(sqlite3.OperationalError):  # a running query uses a function
        for name, read in {"is_utf8": bytes.decode, **forms.functions}.items():
            # Values repeat, and calling Python is slow.
            check = lru_cache(_MAX_CACHED_VALUES)(_make_check(read))
            connection.create_function(name, 1, check, deterministic=True)
    for table in forms.tables:
        yield from _find_in_table(connection, table)


def _find_in_table(connection: sqlite3.Connection, table: Table) -> Iterator[str]:
    checks = [
        f"({condition.format(c=f't.{name}')}) IS TRUE" for name, condition in table.columns.items()
    ]
    # Python might not be able to read a damaged row number.
    readable = f"CASE WHEN typeof({{c}}) = 'integer' OR {TEXT} THEN {{c}} END"
    number_column = "NULL" if table.row is None else readable.format(c=f"t.{table.row}")
    rows = connection.execute(
        f"SELECT {number_column}, {', '.join(checks)} FROM {table.name} t"
        f" WHERE NOT ({' AND '.join(checks)})"
    )
    first = rows.fetchone()
    if first is not None:
        number, *sound = first
        columns = [name for name, passed in zip(table.columns, sound, strict=True) if not passed]
        is_safe = type(number) is int or (type(number) is str and _CASE_REFERENCE.fullmatch(number))
        row = f", {table.row} {number}" if is_safe else ""
        more = sum(1 for _ in rows)
        yield (
            f"the table {table.name}{row}: no version of screener writes such a value of"
            f" {', '.join(columns)}" + (f"; {counted(more, 'more row')} like that" if more else "")
        )


def _make_check(read: Callable[[Any], object]) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        try:
            read(value)
        except DAMAGE_ERRORS:
            return False
        return True

    return check
