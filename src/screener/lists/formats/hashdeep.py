"""hashdeep's files: a magic line, a line of column names, `#` comments, no quotes.

Commas in the last column belong to the file's name.
"""

from __future__ import annotations

from collections.abc import Iterator

from screener.errors import ListError
from screener.hashing.hash import KINDS
from screener.lists.formats.cells import BadCell, clean_cell, may_be_hash, read_hash
from screener.lists.formats.content import Content, Lines, find_text_fault
from screener.lists.formats.filled_lines import read_filled_lines
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Row

NAME = "hashdeep"
_MAGIC_PREFIX = "%%%% HASHDEEP-1."
_HEADER_PREFIX = "%%%%"


def recognises(lines: list[str]) -> bool:
    """Return whether the first line is hashdeep's."""
    return bool(lines) and lines[0].startswith(_MAGIC_PREFIX)


class Hashdeep:
    """The rows of a hashdeep file."""

    unit = "line"
    notes: tuple[str, ...] = ()

    def __init__(self, content: Content, options: Options) -> None:
        self._lines = Lines(content)
        first = next(self._lines, (0, ""))[1] or ""
        second = next(self._lines, (0, ""))[1] or ""
        names = [
            clean_cell(name).casefold() for name in second.removeprefix(_HEADER_PREFIX).split(",")
        ]
        if not first.startswith(_MAGIC_PREFIX) or not second.startswith(_HEADER_PREFIX):
            raise ListError(f"{content.name} does not begin with hashdeep's two header lines")
        if not set(names) & set(KINDS):
            raise ListError(f"{content.name} has no column of a supported kind")
        if find_text_fault(second) or any(map(may_be_hash, names)):
            raise ListError(f"{content.name} has column names that are damaged or may be hashes")
        self._names = names
        self.unknown_columns = tuple(name for name in names if name not in KINDS)

    def __iter__(self) -> Iterator[Row | BadRow]:
        for line in read_filled_lines(self._lines):
            yield line if isinstance(line, BadRow) else self._parse_row(*line)

    def _parse_row(self, number: int, line: str) -> Row | BadRow:
        cells = line.split(",", len(self._names) - 1)
        if len(cells) < len(self._names):
            return BadRow(number, None, "wrong number of columns")
        hashes = []
        labels = {}
        for name, cell in zip(self._names, cells, strict=True):
            if name not in KINDS:
                labels[name] = cell
            elif clean_cell(cell):
                try:
                    hashes.append(read_hash(KINDS[name], cell))
                except BadCell as fault:
                    return BadRow(number, name, str(fault))
        if not hashes:
            return BadRow(number, None, "no usable hash")
        return Row(number, None, State.CONFIRMED, tuple(hashes), labels=labels)
