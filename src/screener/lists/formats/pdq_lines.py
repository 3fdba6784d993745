"""Output of PDQ's own tools: `hash,quality,file`, or `hash=…,norm=…,delta=…,quality=…,filename=…`.

Only these lines and the header `FilePath,Hash` of its web page are recognised. A value with only a
file name does not identify itself as PDQ; the user must name the format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from screener.hashing.hash import KINDS, Hash
from screener.lists.formats.cells import BadCell, clean_cell, read_hash, read_quality
from screener.lists.formats.content import Content, Lines
from screener.lists.formats.csv_rows import split_line
from screener.lists.formats.filled_lines import is_half_known, read_filled_lines
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Row

NAME = "pdq-lines"
_VALUE_PATTERN = r"(?P<hash>[0-9a-f]{64})"
_PLAIN_LINE = re.compile(
    rf"{_VALUE_PATTERN},(?P<quality>\d{{1,3}}),(?P<file>.*)", re.I | re.A | re.S
)
_NAMED_LINE = re.compile(
    rf"hash={_VALUE_PATTERN},norm=[^,]*,delta=[^,]*,quality=(?P<quality>[^,]*)(?:,filename=(?P<file>.*))?",
    re.I | re.A | re.S,
)
_HEADER_LINE = "filepath,hash"


def recognises(lines: list[str]) -> bool:
    """Return whether half of the first lines have this form, with a valid quality."""
    return is_half_known(lines, _is_tool_line)


def _is_tool_line(line: str) -> bool:
    match = _PLAIN_LINE.fullmatch(line) or _NAMED_LINE.fullmatch(line)
    quality = "" if match is None else match["quality"]
    return len(quality) <= 3 and quality.isdecimal() and int(quality) <= 100


class PdqLines:
    """The rows of a PDQ tool's output."""

    unit = "line"
    notes: tuple[str, ...] = ()
    unknown_columns = ("file",)

    def __init__(self, content: Content, options: Options) -> None:
        self._lines = Lines(content)
        self._hash_last = False

    def __iter__(self) -> Iterator[Row | BadRow]:
        for row in read_filled_lines(self._lines, comments=False):
            if isinstance(row, BadRow):
                yield row
                continue
            number, line = row[0], row[1].strip()
            if line.casefold().replace('"', "") == _HEADER_LINE:
                self._hash_last = True
            elif self._hash_last or not line.startswith("#"):
                yield self._parse_row(number, line)

    def _parse_row(self, number: int, line: str) -> Row | BadRow:
        try:
            hash_, name = self._split_line(line)
        except BadCell as fault:
            return BadRow(number, "pdq", str(fault))
        labels = {"file": name} if name else {}
        return Row(number, None, State.CONFIRMED, (hash_,), labels=labels)

    def _split_line(self, line: str) -> tuple[Hash, str]:
        pdq = KINDS["pdq"]
        if self._hash_last:
            cells = split_line(line, ",") or [""]
            return read_hash(pdq, cells[-1]), ",".join(cells[:-1])
        match = _NAMED_LINE.fullmatch(line)
        if match is not None:
            hash_ = read_hash(pdq, match["hash"], read_quality(match["quality"]))
            return hash_, match["file"] or ""
        value, _, remaining = line.removeprefix("hash=").partition(",")
        if not clean_cell(value):
            raise BadCell("no usable hash")  # the tools print this for an image without detail
        head, comma, file = remaining.partition(",")
        if comma and re.fullmatch(r"\d{1,3}", head.strip(), re.A):
            return read_hash(pdq, value, read_quality(head)), file
        return read_hash(pdq, value), remaining
