"""INTERPOL's ICSE set: a CSV with semicolons, whose rows may be shorter or longer.

Every row is notable. `Baseline` states whether the image met the INTERPOL Baseline, and becomes a
category; false does not mean innocent. A further column named after a kind of hash contains such
hashes.
"""

from __future__ import annotations

from collections.abc import Iterator

from screener.errors import ListError
from screener.lists.formats.cells import clean_cell, find_id_fault
from screener.lists.formats.content import Content, Lines
from screener.lists.formats.csv_rows import CsvRows, find_first_row, is_before_header
from screener.lists.formats.header import split_names
from screener.lists.formats.json_rows import RecordBuilder, parse_truth
from screener.lists.formats.kind_names import find_kind
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row

NAME = "icse"
SCHEME = "interpol-baseline"
_FLAG_COLUMNS = ("is distributed", "victim identified", "offender identified", "file available")


def recognises(lines: list[str]) -> bool:
    """Return whether one of the first lines is the header of an ICSE set."""
    return any(_column_names(line) is not None for line in lines[:10] if not is_before_header(line))


def _column_names(line: str) -> list[str] | None:
    names = split_names(line, ";")
    folded = {name.casefold() for name in names or ()}
    return names if {"md5", "image id", "baseline"} <= folded else None


class IcseCsv:
    """The rows of an ICSE set."""

    unit = "line"
    notes: tuple[str, ...] = ()

    def __init__(self, content: Content, options: Options) -> None:
        lines = Lines(content)
        first = find_first_row(lines)
        names = None if first is None else _column_names(first[1])
        if names is None:
            raise ListError(f"{content.name}: its first line is not the header of an ICSE set")
        self._column_names = names
        self._rows = CsvRows(lines, delimiter=";", width=len(names), ragged=True)
        self._kinds = {name: kind for name in names if (kind := find_kind(name)) is not None}
        self.unknown_columns = tuple(
            name
            for name in names
            if name not in self._kinds and name.casefold() not in ("image id", "baseline")
        )

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Yield each row; missing cells are empty, surplus ones become labels."""
        for row in self._rows:
            if isinstance(row, BadRow):
                yield row
            else:
                yield self._parse_row(*row)

    def _parse_row(self, number: int, cells: list[str]) -> Row | BadRow:
        builder = RecordBuilder(number)
        entry: str | None = None
        categories: tuple[Category, ...] = ()
        for index, cell in enumerate(cells):
            name = (
                self._column_names[index]
                if index < len(self._column_names)
                else f"column {index + 1}"
            )
            folded = name.casefold()
            text = clean_cell(cell)
            if name in self._kinds:
                builder.add_hash(self._kinds[name], cell)
            elif folded == "image id":
                entry = text or None
            elif folded == "baseline" and text:
                categories = (Category(SCHEME, _normalise_flag(text)),)
            else:
                builder.add_label(name, _normalise_flag(text) if folded in _FLAG_COLUMNS else text)
        # Formats of lines quarantine a row as a whole.
        fault = None if entry is None else find_id_fault(entry)
        if fault is not None:
            return BadRow(number, "entry", fault)
        if builder.bad_rows:
            return builder.bad_rows[0]
        return builder.build_rows(entry, State.CONFIRMED, categories)[0]


def _normalise_flag(text: str) -> str:
    truth = parse_truth(text)
    return text if truth is None else str(truth).lower()
