"""The CSV of `tx dataset --csv`: `signal_type,signal_str,collab,category,tags`."""

from __future__ import annotations

from collections.abc import Iterator

from screener.errors import ListError
from screener.hashing.hash import KINDS
from screener.lists.formats.cells import BadCell, clean_cell, read_hash
from screener.lists.formats.content import Content, Lines
from screener.lists.formats.csv_rows import CsvRows, find_first_row
from screener.lists.formats.header import split_names
from screener.lists.formats.options import Options
from screener.lists.formats.threatexchange import SIGNAL_TYPES
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row

NAME = "tx-csv"
_HEADER_NAMES = ["signal_type", "signal_str", "collab", "category", "tags"]
_STATE_BY_CATEGORY = {
    "POSITIVE_CLASS": State.CONFIRMED,
    "DISPUTED": State.DISPUTED,
    "INVESTIGATION_SEED": State.SEED,
    "NEGATIVE_CLASS": State.KNOWN_GOOD,
}


def recognises(lines: list[str]) -> bool:
    """Return whether the first line is the header."""
    return any(_is_header(line) for line in lines[:1])


def _is_header(line: str) -> bool:
    return [name.casefold() for name in split_names(line, ",") or ()] == _HEADER_NAMES


class TxCsv:
    """The rows of a `tx` CSV."""

    unit = "line"
    notes: tuple[str, ...] = ()
    unknown_columns = ("collab", "tags")

    def __init__(self, content: Content, options: Options) -> None:
        lines = Lines(content)
        first = find_first_row(lines)
        if first is None or not _is_header(first[1]):
            raise ListError(f"{content.name}: its first line is not {','.join(_HEADER_NAMES)}")
        self._rows = CsvRows(lines, delimiter=",", width=len(_HEADER_NAMES))

    def __iter__(self) -> Iterator[Row | BadRow]:
        for row in self._rows:
            yield row if isinstance(row, BadRow) else _parse_row(*row)


def _parse_row(number: int, cells: list[str]) -> Row | BadRow:
    signal = SIGNAL_TYPES.get(clean_cell(cells[0]).casefold())
    if signal is None:
        return BadRow(number, "signal_type", "unsupported type")
    category = clean_cell(cells[3]).upper()
    if category not in _STATE_BY_CATEGORY:
        return BadRow(number, "category", "unknown state")
    try:
        hash_ = read_hash(KINDS[signal[0]], cells[1])
    except BadCell as fault:
        return BadRow(number, signal[0], str(fault))
    labels = {"collab": cells[2], "tags": cells[4], "media": signal[1] or ""}
    labels = {name: value for name, value in labels.items() if value}
    categories = (Category("te-opinion", category),)
    return Row(number, None, _STATE_BY_CATEGORY[category], (hash_,), categories, labels)
