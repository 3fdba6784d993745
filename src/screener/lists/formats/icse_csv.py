"""INTERPOL's ICSE set: a CSV with semicolons, whose rows may be shorter or longer.

Every row is notable. `Baseline` states whether the image met the INTERPOL Baseline, and is stored
as a category; false does not mean innocent. Further columns may follow; one named after a kind of
hash contains such hashes.
"""

from __future__ import annotations

from collections.abc import Iterator

from screener.errors import ListError
from screener.lists.formats.cells import clean_cell, find_id_fault
from screener.lists.formats.content import Content, Lines
from screener.lists.formats.csv_rows import CsvRows, find_first_row, is_skipped
from screener.lists.formats.header import names_of
from screener.lists.formats.json_rows import Gathered, truth_of
from screener.lists.formats.kind_names import kind_of_field
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row

NAME = "icse"
SCHEME = "interpol-baseline"
_FLAGS = ("is distributed", "victim identified", "offender identified", "file available")


def recognises(lines: list[str]) -> bool:
    """Return whether one of the first lines is the header of an ICSE set."""
    return any(_names(line) is not None for line in lines[:10] if not is_skipped(line))


def _names(line: str) -> list[str] | None:
    names = names_of(line, ";")
    folded = {name.casefold() for name in names or ()}
    return names if {"md5", "image id", "baseline"} <= folded else None


class IcseCsv:
    """The rows of an ICSE set."""

    unit = "line"
    notes: tuple[str, ...] = ()

    def __init__(self, content: Content, options: Options) -> None:
        lines = Lines(content)
        first = find_first_row(lines)
        names = None if first is None else _names(first[1])
        if names is None:
            raise ListError(f"{content.name}: its first line is not the header of an ICSE set")
        self._names = names
        self._rows = CsvRows(lines, delimiter=";", width=len(names), ragged=True)
        self._kinds = {name: kind for name in names if (kind := kind_of_field(name)) is not None}
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
                yield self._row(*row)

    def _row(self, number: int, cells: list[str]) -> Row | BadRow:
        gathered = Gathered(number)
        entry: str | None = None
        categories: tuple[Category, ...] = ()
        for place, cell in enumerate(cells):
            name = self._names[place] if place < len(self._names) else f"column {place + 1}"
            folded = name.casefold()
            text = clean_cell(cell)
            if name in self._kinds:
                gathered.hash(self._kinds[name], cell)
            elif folded == "image id":
                entry = text or None
            elif folded == "baseline" and text:
                categories = (Category(SCHEME, _flag(text)),)
            else:
                gathered.label(name, _flag(text) if folded in _FLAGS else text)
        # In formats of lines, a row is read or quarantined in full.
        why = None if entry is None else find_id_fault(entry)
        if why is not None:
            return BadRow(number, "entry", why)
        if gathered.bad:
            return gathered.bad[0]
        return gathered.rows(entry, State.CONFIRMED, categories)[0]


def _flag(text: str) -> str:
    truth = truth_of(text)
    return text if truth is None else str(truth).lower()
