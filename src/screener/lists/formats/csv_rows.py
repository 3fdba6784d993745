"""The rows of a delimited text: split into cells, quotes honoured, damage confined to its row."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import repeat
from typing import Literal, NamedTuple, cast

from screener.lists.formats.cells import SURROUNDINGS, may_be_hash
from screener.lists.formats.content import Lines, find_text_fault
from screener.lists.store.records import BadRow

MAX_CELL_CHARS = 524_288  # characters: a TMK value in base64 is 351 thousand
MAX_QUOTED_LINES = 100  # that one row may span in quotes
CAREFUL_LINES = 64  # lines that are read one by one if one of them is no plain row

Delimiter = Literal[",", ";", "\t"]

# Python's own bound is shorter than a TMK value. It is one for the whole process, so that it is
# only ever raised, and ours is checked on top.
csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL_CHARS))


def is_skipped(line: str) -> bool:
    """Blank lines, comments, and the hint that some spreadsheets write before the header."""
    return not line.strip() or line.startswith("#") or (line[:4] == "sep=" and len(line) == 5)


def find_first_row(lines: Lines) -> tuple[int, str] | None:
    """Return the number and text of the first line that is not skipped, the header as a rule;
    None where there is none, or if it is too long to be one.
    """
    for number, line in lines:
        if line is None:
            return None
        if not is_skipped(line):
            return number, line
    return None


def split_line(line: str, delimiter: Delimiter) -> list[str] | None:
    """Return the cells of one line that is whole by itself; None if its quotes are not."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


class Block(NamedTuple):
    """Rows that follow each other: the line of the first, and their cells by column."""

    line: int
    columns: list[list[str]]


class CsvRows:
    """The rows of a delimited text after its header: (line, cells), or a BadRow."""

    def __init__(
        self, lines: Lines, *, delimiter: Delimiter | None, width: int, ragged: bool = False
    ) -> None:
        """`delimiter` is None if there is one column; `ragged` rows may have any width."""
        self._lines = lines
        self._delimiter = delimiter
        self._width = width
        self._ragged = ragged
        # Spreadsheets write rows of nothing but delimiters below their last: no others are blank,
        # as a faulty export may have emptied them, and a full list withdraws what it has not.
        self._blank = f"{SURROUNDINGS}{delimiter or ''}"
        self._by_line = 0  # how many of the next lines are no part of a block
        self._careful = 0  # how many of them are tried a few at a time, as one is no plain row

    def __iter__(self) -> Iterator[tuple[int, list[str]] | BadRow]:
        """Yield each row that is neither blank nor a comment, in order. Rows of nothing but
        delimiters are blank behind the last row; before another row, the first is a BadRow.
        """
        for found in self.parts(0):
            if not isinstance(found, Block):
                yield found

    def parts(self, most: int) -> Iterator[Block | tuple[int, list[str]] | BadRow]:
        """Yield the same rows; those that need no closer look as blocks of up to `most` rows."""
        emptied: int | None = None  # the first line of delimiters behind the last row
        while True:
            found: Block | tuple[int, list[str]] | BadRow | None = self._block(most)
            if found is None:
                try:
                    number, line = next(self._lines)
                except StopIteration:
                    return
                found = self._row(number, line)
                if found is None:
                    continue
                if isinstance(found, tuple) and not found[1]:
                    emptied = emptied or number
                    continue
            if emptied is not None:
                yield BadRow(emptied, None, "only delimiters")
                emptied = None
            yield found

    def _block(self, most: int) -> Block | None:
        """Return the next lines as a block if all of them are plain rows."""
        if self._by_line:
            self._by_line -= 1
            return None
        while most:
            number, some = self._lines.take(CAREFUL_LINES if self._careful > 0 else most)
            if not some:
                return None
            self._careful -= len(some)
            columns = self._columns(some)
            if columns is not None:
                return Block(number, columns)
            self._lines.untake(len(some))
            if len(some) <= CAREFUL_LINES:
                self._by_line = len(some) - 1
                return None
            self._careful = len(some)
        return None

    def _columns(self, some: list[str | None]) -> list[list[str]] | None:
        """Return the cells of lines by column; None unless each line is a plain row."""
        if None in some:
            return None
        lines = cast(list[str], some)
        delimiter, width = self._delimiter or "\n", self._width
        if max(map(len, lines)) > MAX_CELL_CHARS:
            return None
        text = delimiter.join(lines)
        if '"' in text or find_text_fault(text) is not None:
            return None
        if not all(map(str.strip, map(str.strip, lines, repeat(self._blank)))):
            return None
        if self._delimiter is None:
            return [lines]
        if set(map(str.count, lines, repeat(delimiter))) != {width - 1}:
            return None
        cells = text.split(delimiter)
        return [cells[column::width] for column in range(width)]

    def _row(self, number: int, line: str | None) -> tuple[int, list[str]] | BadRow | None:
        """Return what a line holds: without cells where it has nothing but delimiters."""
        if line is not None and '"' not in line and len(line) <= MAX_CELL_CHARS:
            if not line.strip(self._blank).strip():
                return None if self._is_blank(line) else (number, [])
            cells = [line] if self._delimiter is None else line.split(self._delimiter)
            if len(cells) == self._width:  # the usual row, on the shortest way
                reason = find_text_fault(line)
                return (number, cells) if reason is None else BadRow(number, None, reason)
        return self._unusual(number, line)

    def _unusual(self, number: int, line: str | None) -> tuple[int, list[str]] | BadRow | None:
        if line is None:
            return BadRow(number, None, "line too long")
        if self._is_blank(line):
            return None
        cells = self._cells(number, line)
        if isinstance(cells, BadRow):
            return cells
        if not "".join(cells).strip(SURROUNDINGS).strip():
            return number, []
        if line.startswith("#") and self._is_comment(cells):
            return None
        if not self._fits(cells):
            return BadRow(number, None, "wrong number of columns")
        return number, cells

    def _is_blank(self, line: str) -> bool:
        """Return whether a line has no cells: white space alone, unless that delimits some, as
        tabs do.
        """
        return not line.strip() and (self._delimiter is None or self._delimiter not in line)

    def _is_comment(self, cells: list[str]) -> bool:
        """Return whether a line with the mark of a comment is one: an id may begin with it too.

        It is none if it has the columns of a row, or a cell behind the first that may be a hash.
        """
        is_row = len(cells) == self._width or (not self._ragged and self._fits(cells))
        return not is_row and not any(map(may_be_hash, cells[1:]))

    def _cells(self, number: int, line: str) -> list[str] | BadRow:
        if self._delimiter is None:
            cells = [line]
        elif '"' in line:
            quoted = self._quoted(number, line, self._delimiter)
            if isinstance(quoted, BadRow):
                return quoted
            cells = quoted
        else:
            cells = line.split(self._delimiter)
        text = line if len(line) <= MAX_CELL_CHARS and '"' not in line else "".join(cells)
        reason = find_text_fault(text)
        if reason is None and len(text) > MAX_CELL_CHARS and max(map(len, cells)) > MAX_CELL_CHARS:
            reason = "field too long"
        return cells if reason is None else BadRow(number, None, reason)

    def _quoted(self, number: int, line: str, delimiter: Delimiter) -> list[str] | BadRow:
        """Return the cells of a row with quotes, which may run over several lines.

        If they do not make a good row, or two of them are rows by themselves, only the first line
        is bad and the others are read again: a stray quote must not swallow the rows after it.
        """
        taken: list[tuple[int, str | None]] = []
        reader = csv.reader(self._feed(line, taken), delimiter=delimiter, strict=True)
        reason = "wrong number of columns"
        try:
            cells = next(reader)
            lines = [line, *(text for _, text in taken if text is not None)]
            if not taken:
                return cells
            if self._fits(cells):
                if sum(self._is_row(text, delimiter) for text in lines) < 2:
                    return cells
                reason = "bad quoting"
        except csv.Error:
            reason = "field too long" if len(line) > MAX_CELL_CHARS else "bad quoting"
        self._lines.put_back(taken)
        return BadRow(number, None, reason)

    def _is_row(self, line: str, delimiter: Delimiter) -> bool:
        """Return whether a line is a row with a hash if its quotes mean nothing."""
        cells = line.split(delimiter)
        return len(cells) > 1 and self._fits(cells) and any(map(may_be_hash, cells))

    def _feed(self, line: str, taken: list[tuple[int, str | None]]) -> Iterator[str]:
        yield line + "\n"
        for number, following in self._lines:
            taken.append((number, following))
            if following is None or len(taken) >= MAX_QUOTED_LINES:
                return
            yield following + "\n"

    def _fits(self, cells: list[str]) -> bool:
        width = self._width
        return (
            self._ragged or len(cells) == width or (len(cells) > width and not any(cells[width:]))
        )
