"""The meaning of the columns of a delimited text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from screener.errors import ListError
from screener.hashing.hash import HashKind
from screener.lists import terms
from screener.lists.formats.cells import clean_cell, may_be_hash
from screener.lists.formats.content import find_text_fault
from screener.lists.formats.csv_rows import Delimiter, split_line
from screener.lists.formats.kind_names import KIND_BY_NAME, fold_name
from screener.lists.redaction import may_hold_hash
from screener.lists.states import State
from screener.lists.store import pixel_versions

STATES: Mapping[str, State] = {
    "": State.CONFIRMED,
    **dict.fromkeys(("active", "confirmed"), State.CONFIRMED),
    "disputed": State.DISPUTED,
    "seed": State.SEED,
    **dict.fromkeys(("known", "known_good"), State.KNOWN_GOOD),
    **dict.fromkeys(("withdrawn", "removed", "deleted"), State.WITHDRAWN),
}


@dataclass(frozen=True)
class Header:
    """The meaning of each column; `delimiter` is None if there is only one column."""

    delimiter: Delimiter | None
    width: int
    hashes: tuple[
        tuple[HashKind, int, int | None], ...
    ]  # the kind, its column, the column of its quality
    labels: tuple[tuple[str, int], ...]
    entry: int | None = None
    state: int | None = None
    updated: int | None = None
    # For each category: its column, its scheme, and the column of its scheme.
    categories: tuple[tuple[int, str | None, int | None], ...] = ()
    states: Mapping[str, State] = field(default_factory=lambda: STATES)
    meaning_count: int = 0  # number of columns with a meaning
    names: tuple[str, ...] = ()  # folded names of all columns; empty without a header line
    columns: tuple[str, ...] = ()  # names of all columns as written
    unknown: tuple[str, ...] = ()  # label columns that neither this library nor a mapping names
    dates: Mapping[int, str] = field(default_factory=dict)  # columns and their date formats

    def is_other_header(self, cells: list[str], column: int) -> bool:
        """Return whether a row is another header, as in concatenated files.

        It is if the cell in `column`, where a hash is expected, and another cell are column names.
        """
        cell_names = tuple(fold_name(clean_cell(cell)) for cell in cells[: len(self.names)])
        is_name = [
            name != "" and (name in self.names or name in KIND_BY_NAME) for name in cell_names
        ]
        return cell_names not in ((), self.names) and is_name[column] and sum(is_name) > 1


def check_text(line: str) -> None:
    """Raise ListError if a header line is not readable text."""
    if fault := find_text_fault(line):
        raise ListError(f"its first line cannot be read: {fault}; save the file as UTF-8")


def split_names(line: str, delimiter: Delimiter) -> list[str] | None:
    """Return the column names in a line, or None if it is unreadable or may contain a hash."""
    cells = split_line(line, delimiter)
    names = [] if cells is None else [clean_cell(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    return None if not names or any(map(may_be_hash, names)) or find_text_fault(line) else names


def is_known_label(name: str) -> bool:
    """Return whether a label has a meaning: terms, or a version of the pixel pipeline."""
    return name == pixel_versions.LABEL or terms.find_field(name) is not None


def name_columns(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of columns: nameless ones have their number."""
    return tuple(name or f"column {number}" for number, name in enumerate(names, 1))


def same_name(first: str, second: str) -> bool:
    """Return whether two names of columns are equal except for case and spaces around them."""
    return clean_cell(first).casefold() == clean_cell(second).casefold()


def show_names(names: Iterable[str]) -> str:
    """Return the names of columns for a message; those that may contain a hash are hidden."""
    return ", ".join("a hidden name" if may_hold_hash(name) else repr(name) for name in names)


def describe_missing(missing: Iterable[str], columns: Sequence[str]) -> str:
    """Return a message on columns that were named and do not exist."""
    hint = "" if len(columns) > 1 else ": separate columns by a comma, semicolon or tab"
    return f"it has no column {show_names(missing)}; its columns are {show_names(columns)}{hint}"


@lru_cache(maxsize=4096)
def read_date(cell: str, date_format: str) -> str:
    """Return the date or time of a cell in ISO 8601; raise ValueError if it has another form."""
    if not (text := clean_cell(cell)):
        return ""
    time = datetime.strptime(text, date_format)
    has_hour = "%H" in date_format or "%I" in date_format
    return time.isoformat() if has_hour else time.date().isoformat()
