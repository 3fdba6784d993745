"""Split a delimited text into rows of cells; damage stays within its row."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import repeat
from typing import Literal, NamedTuple, cast

from screener.lists.formats.cells import STRIPPED_CHARS, may_be_hash
from screener.lists.formats.content import Lines, find_text_fault
from screener.lists.store.records import BadRow

MAX_CELL_CHARS = 524_288  # a TMK value in base64 has 351 thousand
MAX_QUOTED_LINES = 100  # lines that one row may span by quoting
# Size of the smaller blocks that are tried after a block with a row that is not plain.
SMALL_BLOCK_LINES = 64

Delimiter = Literal[",", ";", "\t"]

# Python's own limit is shorter than a TMK value. It applies to the whole process, so it is never
# lowered; `MAX_CELL_CHARS` is checked separately.
csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL_CHARS))


def is_before_header(line: str) -> bool:
    """Return whether a line before the header is blank, a comment or a spreadsheet's `sep=;`."""
    return not line.strip() or line.startswith("#") or (line[:4] == "sep=" and len(line) == 5)


def find_first_row(lines: Lines) -> tuple[int, str] | None:
    """Return the number and text of the first line that is not skipped.

    Returns None if there is no such line or it is too long.
    """
    for number, line in lines:
        if line is None:
            return None
        if not is_before_header(line):
            return number, line
    return None


def split_line(line: str, delimiter: Delimiter) -> list[str] | None:
    """Return the cells of a line, or None if its quotes are not closed."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


class Block(NamedTuple):
    """Consecutive rows: the number of the first line, and the cells by column."""

    first_line_number: int
    columns: list[list[str]]


class CsvRows:
    """The rows of a delimited text after its header: (line, cells), or a BadRow."""

    def __init__(
        self, lines: Lines, *, delimiter: Delimiter | None, width: int, ragged: bool = False
    ) -> None:
        """Prepare to read rows of `width` cells.

        `delimiter`: None if there is only one column.
        `ragged`: whether rows may have any number of cells.
        """
        self._lines = lines
        self._delimiter = delimiter
        self._width = width
        self._ragged = ragged
        # Rows of delimiters alone are blank only after the last row, as spreadsheets write them.
        # Elsewhere a faulty export may have emptied them, and a full list would withdraw entries.
        self._blank_chars = f"{STRIPPED_CHARS}{delimiter or ''}"
        self._single_lines = 0  # number of next lines to read one by one
        # Number of next lines to read in small blocks: one of them is not a plain row.
        self._small_block_lines = 0

    def __iter__(self) -> Iterator[tuple[int, list[str]] | BadRow]:
        """Yield each row that is neither blank nor a comment, in order.

        Rows that contain only delimiters are skipped at the end of the text. If another row
        follows, they are reported as one BadRow.
        """
        for part in self.read_parts(0):
            if not isinstance(part, Block):
                yield part

    def read_parts(self, max_rows: int) -> Iterator[Block | tuple[int, list[str]] | BadRow]:
        """Yield the rows as `__iter__` does, but plain rows in blocks of up to `max_rows`.

        A plain row has `width` cells, is not blank, and contains neither quotes nor damage.
        """
        first_delimiters_line: int | None = None  # the first line of delimiters after the last row
        while True:
            part: Block | tuple[int, list[str]] | BadRow | None = self._read_block(max_rows)
            if part is None:
                try:
                    number, line = next(self._lines)
                except StopIteration:
                    return
                part = self._parse_row(number, line)
                if part is None:
                    continue
                if isinstance(part, tuple) and not part[1]:
                    first_delimiters_line = first_delimiters_line or number
                    continue
            if first_delimiters_line is not None:
                yield BadRow(first_delimiters_line, None, "only delimiters")
                first_delimiters_line = None
            yield part

    def _read_block(self, max_rows: int) -> Block | None:
        """Return the next lines as a block if all of them are plain rows."""
        if self._single_lines:
            self._single_lines -= 1
            return None
        while max_rows:
            number, lines = self._lines.take(
                SMALL_BLOCK_LINES if self._small_block_lines > 0 else max_rows
            )
            if not lines:
                return None
            self._small_block_lines -= len(lines)
            columns = self._split_columns(lines)
            if columns is not None:
                return Block(number, columns)
            self._lines.untake(len(lines))
            if len(lines) <= SMALL_BLOCK_LINES:
                self._single_lines = len(lines) - 1
                return None
            self._small_block_lines = len(lines)
        return None

    def _split_columns(self, lines: list[str | None]) -> list[list[str]] | None:
        """Return the cells by column, or None unless each line is a plain row."""
        if None in lines:
            return None
        texts = cast(list[str], lines)
        delimiter, width = self._delimiter or "\n", self._width
        if max(map(len, texts)) > MAX_CELL_CHARS:
            return None
        text = delimiter.join(texts)
        if '"' in text or find_text_fault(text) is not None:
            return None
        if not all(map(str.strip, map(str.strip, texts, repeat(self._blank_chars)))):
            return None
        if self._delimiter is None:
            return [texts]
        if set(map(str.count, texts, repeat(delimiter))) != {width - 1}:
            return None
        cells = text.split(delimiter)
        return [cells[column::width] for column in range(width)]

    def _parse_row(self, number: int, line: str | None) -> tuple[int, list[str]] | BadRow | None:
        """Return a row's cells (none if it has only delimiters), or None for a blank line."""
        if line is not None and '"' not in line and len(line) <= MAX_CELL_CHARS:
            if not line.strip(self._blank_chars).strip():
                return None if self._is_blank(line) else (number, [])
            cells = [line] if self._delimiter is None else line.split(self._delimiter)
            if len(cells) == self._width:  # the usual row
                fault = find_text_fault(line)
                return (number, cells) if fault is None else BadRow(number, None, fault)
        return self._parse_unusual(number, line)

    def _parse_unusual(
        self, number: int, line: str | None
    ) -> tuple[int, list[str]] | BadRow | None:
        if line is None:
            return BadRow(number, None, "line too long")
        if self._is_blank(line):
            return None
        cells = self._split_cells(number, line)
        if isinstance(cells, BadRow):
            return cells
        if not "".join(cells).strip(STRIPPED_CHARS).strip():
            return number, []
        if line.startswith("#") and self._is_comment(cells):
            return None
        if not self._fits(cells):
            return BadRow(number, None, "wrong number of columns")
        return number, cells

    def _is_blank(self, line: str) -> bool:
        """Return whether a line is white space alone, without delimiters (a tab may be one)."""
        return not line.strip() and (self._delimiter is None or self._delimiter not in line)

    def _is_comment(self, cells: list[str]) -> bool:
        """Return whether a line that begins with `#` is a comment.

        An id may begin with it too: the line is a row if it has the width of one, or if a cell
        after the first may be a hash.
        """
        is_row = len(cells) == self._width or (not self._ragged and self._fits(cells))
        return not is_row and not any(map(may_be_hash, cells[1:]))

    def _split_cells(self, number: int, line: str) -> list[str] | BadRow:
        if self._delimiter is None:
            cells = [line]
        elif '"' in line:
            quoted_cells = self._split_quoted(number, line, self._delimiter)
            if isinstance(quoted_cells, BadRow):
                return quoted_cells
            cells = quoted_cells
        else:
            cells = line.split(self._delimiter)
        text = line if len(line) <= MAX_CELL_CHARS and '"' not in line else "".join(cells)
        fault = find_text_fault(text)
        if fault is None and len(text) > MAX_CELL_CHARS and max(map(len, cells)) > MAX_CELL_CHARS:
            fault = "field too long"
        return cells if fault is None else BadRow(number, None, fault)

    def _split_quoted(self, number: int, line: str, delimiter: Delimiter) -> list[str] | BadRow:
        """Return the cells of a row with quotes, which may span several lines.

        If the lines are not a valid row, or two of them are rows by themselves, only the first line
        is bad and the others are read again: a stray quote must not swallow the rows after it.
        """
        following_lines: list[tuple[int, str | None]] = []
        reader = csv.reader(
            self._record_following_lines(line, following_lines), delimiter=delimiter, strict=True
        )
        fault = "wrong number of columns"
        try:
            cells = next(reader)
            lines = [line, *(text for _, text in following_lines if text is not None)]
            if not following_lines:
                return cells
            if self._fits(cells):
                if sum(self._is_row(text, delimiter) for text in lines) < 2:
                    return cells
                fault = "bad quoting"
        except csv.Error:
            fault = "field too long" if len(line) > MAX_CELL_CHARS else "bad quoting"
        self._lines.put_back(following_lines)
        return BadRow(number, None, fault)

    def _is_row(self, line: str, delimiter: Delimiter) -> bool:
        """Return whether a line, with its quotes ignored, would be a row with a hash."""
        cells = line.split(delimiter)
        return len(cells) > 1 and self._fits(cells) and any(map(may_be_hash, cells))

    def _record_following_lines(
        self, line: str, following_lines: list[tuple[int, str | None]]
    ) -> Iterator[str]:
        yield line + "\n"
        for number, text in self._lines:
            following_lines.append((number, text))
            if text is None or len(following_lines) >= MAX_QUOTED_LINES:
                return
            yield text + "\n"

    def _fits(self, cells: list[str]) -> bool:
        width = self._width
        return (
            self._ragged or len(cells) == width or (len(cells) > width and not any(cells[width:]))
        )
