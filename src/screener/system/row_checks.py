"""Rows of an SQLite file of ours: those that hold what no version of this library writes.

A failing disk, a tool, or whoever had the file in hand may leave values that SQLite reads without
complaint and that are none of ours. What columns hold is said once, as conditions in SQL: who
stumbles over a value asks here which one it was, and who verifies asks for all of them.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from screener.errors import counted

# What is raised of a value that is none of ours, by whatever makes something of it.
OF_DAMAGE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)

WHOLE = "typeof({c}) = 'integer' AND {c} >= 0"
TIME = "typeof({c}) = 'real'"
TEXT = "typeof({c}) = 'text' AND is_utf8(CAST({c} AS BLOB))"
BLOB = "typeof({c}) = 'blob'"

_REMEMBERED = 32  # values of which it is known whether they can be read; one may be a megabyte
_REFERENCE = re.compile("C-[A-Z2-7]{8}")  # of a hotline's case: random, and so nothing of a value


def or_null(condition: str) -> str:
    """The condition of a column that may say nothing."""
    return f"({{c}} IS NULL OR {condition})"


def one_of(names: Iterable[object]) -> str:
    """The condition of a column that holds one of some words of ours."""
    return f"{{c}} IN ({', '.join(repr(str(name)) for name in names)})"


def fits(name: str) -> str:
    """The condition of a column whose text a function of that name can read: see `Forms`."""
    # No function is given a text that is no UTF-8: to Python it is an error of the question.
    return f"CASE WHEN {TEXT} THEN {name}({{c}}) END"


class Table(NamedTuple):
    """What the rows of a table hold: a condition for each column, with `{c}` for its name. `row` is
    a column by which they may be told, of numbers or references of cases; None where none is.
    """

    name: str
    columns: Mapping[str, str]
    row: str | None = "id"


class Forms(NamedTuple):
    """What the tables of a file hold, and the functions that conditions name by `fits`: each has to
    return of what it can read, and to raise an error of `OF_DAMAGE` of all else.
    """

    tables: Sequence[Table]
    functions: Mapping[str, Callable[[Any], object]]


@contextlib.contextmanager
def damage_told(
    connection: sqlite3.Connection, forms: Forms, damaged: Callable[[str], Exception]
) -> Iterator[None]:
    """What a row that no version writes makes the body stumble over, as what `damaged` makes of the
    words for that row; what comes of anything else passes through. Looking for it reads all rows.
    """
    try:
        yield
    except (*OF_DAMAGE, sqlite3.OperationalError) as error:
        if getattr(error, "sqlite_errorcode", None) is not None:
            raise  # SQLite's own; a text that it could not read has none
        if (found := next(wrong(connection, forms), None)) is None:
            raise
        raise damaged(found) from None


def wrong(connection: sqlite3.Connection, forms: Forms) -> Iterator[str]:
    """Which rows hold what was never written: a table at a time, in words, and nothing of what they
    hold. Reads all rows.
    """
    with contextlib.suppress(sqlite3.OperationalError):  # it has them, and a question uses one
        for name, reading in {"is_utf8": bytes.decode, **forms.functions}.items():
            # Most rows say the same in some columns, and to ask Python each time takes long.
            reads = lru_cache(_REMEMBERED)(_reads(reading))
            connection.create_function(name, 1, reads, deterministic=True)
    for table in forms.tables:
        yield from _wrong(connection, table)


def _wrong(connection: sqlite3.Connection, table: Table) -> Iterator[str]:
    holds = [f"({it.format(c=f't.{name}')}) IS TRUE" for name, it in table.columns.items()]
    # No value of another type, which Python may not be able to read.
    told = f"CASE WHEN typeof({{c}}) = 'integer' OR {TEXT} THEN {{c}} END"
    number_of = "NULL" if table.row is None else told.format(c=f"t.{table.row}")
    found = connection.execute(
        f"SELECT {number_of}, {', '.join(holds)} FROM {table.name} t"
        f" WHERE NOT ({' AND '.join(holds)})"
    )
    first = found.fetchone()
    if first is not None:
        number, *sound = first
        columns = [name for name, one in zip(table.columns, sound, strict=True) if not one]
        known = type(number) is int or (type(number) is str and _REFERENCE.fullmatch(number))
        row = f", {table.row} {number}" if known else ""
        more = sum(1 for _ in found)
        yield (
            f"the table {table.name}{row}: no version of screener writes such a value of"
            f" {', '.join(columns)}" + (f"; {counted(more, 'more row')} like that" if more else "")
        )


def _reads(reading: Callable[[Any], object]) -> Callable[[Any], bool]:
    def reads(value: Any) -> bool:
        try:
            reading(value)
        except OF_DAMAGE:
            return False
        return True

    return reads
