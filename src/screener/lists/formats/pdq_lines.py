"""Output of PDQ's own tools: `hash,quality,file`, or `hash=…,norm=…,delta=…,quality=…,filename=…`.

Only these lines and the header `FilePath,Hash` of its web page are recognised. A value with only a
file name does not identify itself as PDQ, and needs the format named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from screener.hashing.hash import KINDS, Hash
from screener.lists.formats.cells import BadCell, clean_cell, read_hash, read_quality
from screener.lists.formats.content import Content, Lines
from screener.lists.formats.csv_rows import split_line
from screener.lists.formats.filled_lines import filled_lines, half_are
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Row

NAME = "pdq-lines"
_VALUE = r"(?P<hash>[0-9a-f]{64})"
_PLAIN = re.compile(rf"{_VALUE},(?P<quality>\d{{1,3}}),(?P<file>.*)", re.I | re.A | re.S)
_NAMED = re.compile(
    rf"hash={_VALUE},norm=[^,]*,delta=[^,]*,quality=(?P<quality>[^,]*)(?:,filename=(?P<file>.*))?",
    re.I | re.A | re.S,
)
_HEADER = "filepath,hash"


def recognises(lines: list[str]) -> bool:
    """Return whether half of the first lines are such a tool's, with a valid quality."""
    return half_are(lines, _is_known)


def _is_known(line: str) -> bool:
    match = _PLAIN.fullmatch(line) or _NAMED.fullmatch(line)
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
        for row in filled_lines(self._lines, comments=False):
            if isinstance(row, BadRow):
                yield row
                continue
            number, line = row[0], row[1].strip()
            if line.casefold().replace('"', "") == _HEADER:
                self._hash_last = True
            elif self._hash_last or not line.startswith("#"):
                yield self._row(number, line)

    def _row(self, number: int, line: str) -> Row | BadRow:
        try:
            item, name = self._parts(line)
        except BadCell as bad:
            return BadRow(number, "pdq", str(bad))
        labels = {"file": name} if name else {}
        return Row(number, None, State.CONFIRMED, (item,), labels=labels)

    def _parts(self, line: str) -> tuple[Hash, str]:
        pdq = KINDS["pdq"]
        if self._hash_last:
            cells = split_line(line, ",") or [""]
            return read_hash(pdq, cells[-1]), ",".join(cells[:-1])
        named = _NAMED.fullmatch(line)
        if named is not None:
            return read_hash(pdq, named["hash"], read_quality(named["quality"])), named[
                "file"
            ] or ""
        value, _, rest = line.removeprefix("hash=").partition(",")
        if not clean_cell(value):
            raise BadCell("no usable hash")  # the tools print this for an image without detail
        head, comma, file = rest.partition(",")
        if comma and re.fullmatch(r"\d{1,3}", head.strip(), re.A):
            return read_hash(pdq, value, read_quality(head)), file
        return read_hash(pdq, value), rest
