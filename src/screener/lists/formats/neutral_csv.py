"""The neutral CSV: a header names the kinds of hash, and every other column is kept.

Columns known by name, whatever their case, spaces, hyphens and quotes:

    id, entry, entry_id        the source's own id of the item
    pdq, md5, sha256, ...      a hash of the kind named
    pdq_quality, quality       its detail score (`quality` is PDQ's)
    category, category_scheme  the category, and whose it is (`operator:SOURCE` without one)
    status, state              active, confirmed, disputed, seed, known_good, withdrawn, ...
    updated, updated_at        the source's own time, kept as written

The delimiter is a comma, semicolon or tab, told from the header. A row that withdraws an entry
by its id is honoured even where its hashes are damaged.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from screener.errors import ListError
from screener.hashing.hash import KINDS, Hash, HashKind
from screener.lists.formats.cells import (
    BadCell,
    cleaned,
    looks_like_a_value,
    read_hash,
    read_quality,
)
from screener.lists.formats.content import Content, Lines, broken
from screener.lists.records import BadRow, Category, Row, State

NAME = "csv"
LONGEST_CELL = 131_072  # characters; also the bound that Python's csv module has of its own
LONGEST_ENTRY = 1_024
_MOST_LINES = 100  # that one row may span in quotes

Delimiter = Literal[",", ";", "\t"]
_STATES = {
    "": State.CONFIRMED,
    **dict.fromkeys(("active", "confirmed"), State.CONFIRMED),
    "disputed": State.DISPUTED,
    "seed": State.SEED,
    **dict.fromkeys(("known", "known_good"), State.KNOWN_GOOD),
    **dict.fromkeys(("withdrawn", "removed", "deleted"), State.WITHDRAWN),
}
_ROLES = {
    **dict.fromkeys(("id", "entry", "entryid"), "entry"),
    **dict.fromkeys(("status", "state"), "state"),
    **dict.fromkeys(("updated", "updatedat"), "updated"),
    "category": "category",
    "categoryscheme": "category_scheme",
    "quality": "pdq_quality",
    **{name: name for name in KINDS},
    **{f"{name}quality": f"{name}_quality" for name, kind in KINDS.items() if kind.perceptual},
}


@dataclass(frozen=True)
class Header:
    """Which column says what; `delimiter` is None where there is one column only."""

    delimiter: Delimiter | None
    width: int
    roles: dict[str, int]
    hashes: tuple[tuple[HashKind, int, int | None], ...]  # the kind, its column, its quality's
    labels: tuple[tuple[str, int], ...]


def recognises(lines: list[str]) -> bool:
    """Whether the first lines of a text are of this format: the first is a header."""
    for line in lines:
        if not _skipped(line):
            return header_of(line) is not None
    return False


def header_of(line: str) -> Header | None:
    """Read a header; None where a line names no kind of hash, or holds what may be a hash."""
    found = [header for mark in get_args(Delimiter) if (header := _header(line, mark)) is not None]
    return max(found, key=lambda header: len(header.roles), default=None)


def has_meaning(name: str) -> bool:
    """Whether a column of that name is more than a label."""
    return name.casefold().translate(_NO_SEPARATORS) in _ROLES


def _header(line: str, delimiter: Delimiter) -> Header | None:
    try:
        names = [cleaned(cell) for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return None
    while names and not names[-1]:
        names.pop()
    if any(map(looks_like_a_value, names)) or broken(line):
        return None
    roles: dict[str, int] = {}
    labels: dict[str, int] = {}
    for column, name in enumerate(names):
        role = _ROLES.get(name.casefold().translate(_NO_SEPARATORS))
        known, key = (labels, name or f"column {column + 1}") if role is None else (roles, role)
        if key in known:
            raise ListError(
                f"columns {known[key] + 1} and {column + 1} have the same meaning;"
                " remove or rename one of them"
            )
        known[key] = column
    return _planned(delimiter, names, roles, labels)


_NO_SEPARATORS = str.maketrans("", "", " -_")


def _planned(
    delimiter: Delimiter,
    names: list[str],
    roles: dict[str, int],
    labels: dict[str, int],
) -> Header | None:
    hashes = tuple(
        (kind, roles[name], roles.get(f"{name}_quality"))
        for name, kind in KINDS.items()
        if name in roles
    )
    if not hashes:
        return None
    # The quality of a kind that the file does not have says nothing: a label like any other.
    for role, column in list(roles.items()):
        if role.endswith("_quality") and role.removesuffix("_quality") not in roles:
            labels[names[column]] = roles.pop(role)
    ordered = tuple(sorted(labels.items(), key=lambda label: label[1]))
    return Header(delimiter if len(names) > 1 else None, len(names), roles, hashes, ordered)


def _skipped(line: str) -> bool:
    """Blank lines, comments, and the hint that some spreadsheets write before the header."""
    return not line.strip() or line.startswith("#") or (line[:4] == "sep=" and len(line) == 5)


class NeutralCsv:
    """The rows of a neutral CSV file."""

    def __init__(self, content: Content, source: str) -> None:
        """Reads the header; ListError where there is none."""
        self._lines = Lines(content)
        self._scheme = f"operator:{source}"
        try:
            self._header = self._read_header()
        except ListError as error:
            raise ListError(f"{content.name}: {error}") from None
        self.unknown_columns = tuple(name for name, _ in self._header.labels)

    def _read_header(self) -> Header:
        for _, line in self._lines:
            if line is None or not _skipped(line):
                header = None if line is None else header_of(line)
                if header is not None:
                    return header
                break
        raise ListError(
            "its first line does not name a kind of hash; write a header such as"
            " `id,pdq,md5,category`"
        )

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Each row that is neither blank nor a comment, in order."""
        for number, line in self._lines:
            if line is None:
                yield BadRow(number, None, "line too long")
            elif line.strip():
                cells = self._cells(number, line)
                if isinstance(cells, BadRow):
                    yield cells
                elif not (line.startswith("#") and len(cells) != self._header.width):
                    yield self._row(number, cells)

    def _cells(self, number: int, line: str) -> list[str] | BadRow:
        delimiter = self._header.delimiter
        if delimiter is None:
            cells = [line]
        elif '"' in line:
            quoted = self._quoted(number, line, delimiter)
            if isinstance(quoted, BadRow):
                return quoted
            cells = quoted
        else:
            cells = line.split(delimiter)
        text = line if len(line) <= LONGEST_CELL and '"' not in line else "".join(cells)
        reason = broken(text)
        if reason is None and len(text) > LONGEST_CELL and max(map(len, cells)) > LONGEST_CELL:
            reason = "field too long"
        return cells if reason is None else BadRow(number, None, reason)

    def _quoted(self, number: int, line: str, delimiter: Delimiter) -> list[str] | BadRow:
        """The cells of a row with quotes, which may run over several lines.

        If they do not make a good row, only the first line is bad and the others are read
        again: a stray quote must not swallow the rows after it.
        """
        taken: list[tuple[int, str | None]] = []
        reader = csv.reader(self._feed(line, taken), delimiter=delimiter, strict=True)
        reason = "wrong number of columns"
        try:
            cells = next(reader)
            if not taken or self._fits(cells):
                return cells
        except csv.Error:
            reason = "field too long" if len(line) > LONGEST_CELL else "bad quoting"
        self._lines.put_back(taken)
        return BadRow(number, None, reason)

    def _feed(self, line: str, taken: list[tuple[int, str | None]]) -> Iterator[str]:
        yield line + "\n"
        for number, following in self._lines:
            taken.append((number, following))
            if following is None or len(taken) >= _MOST_LINES:
                return
            yield following + "\n"

    def _fits(self, cells: list[str]) -> bool:
        width = self._header.width
        return len(cells) == width or (len(cells) > width and not any(cells[width:]))

    def _row(self, number: int, cells: list[str]) -> Row | BadRow:
        if not self._fits(cells):
            return BadRow(number, None, "wrong number of columns")
        roles = self._header.roles
        entry = cleaned(cells[roles["entry"]]) if "entry" in roles else ""
        if len(entry) > LONGEST_ENTRY:
            return BadRow(number, "entry", "field too long")
        word = cleaned(cells[roles["state"]]).casefold() if "state" in roles else ""
        state = _STATES.get(word.replace(" ", "_").replace("-", "_"))
        if state is None:
            return BadRow(number, "state", "unknown state")
        hashes, trouble = self._hashes(cells)
        row = Row(
            number,
            entry or None,
            state,
            hashes,
            self._categories(cells),
            {name: cells[column] for name, column in self._header.labels if cells[column]},
            (cleaned(cells[roles["updated"]]) or None) if "updated" in roles else None,
        )
        if trouble is None or (entry and state is State.WITHDRAWN):
            return row
        return BadRow(number, *trouble, row if hashes else None)

    def _hashes(self, cells: list[str]) -> tuple[tuple[Hash, ...], tuple[str, str] | None]:
        """The hashes that can be read, and the field and reason of the first that cannot."""
        hashes = []
        trouble = None
        for kind, column, quality_column in self._header.hashes:
            cell = cells[column]
            if not cell or not cleaned(cell):
                continue
            field = kind.name
            try:
                quality = None
                if quality_column is not None:
                    field = f"{kind.name}_quality"
                    quality = read_quality(cells[quality_column])
                    field = kind.name
                hashes.append(read_hash(kind, cell, quality))
            except BadCell as bad:
                trouble = trouble or (field, str(bad))
        return tuple(hashes), trouble

    def _categories(self, cells: list[str]) -> tuple[Category, ...]:
        roles = self._header.roles
        code = cleaned(cells[roles["category"]]) if "category" in roles else ""
        if not code:
            return ()
        scheme = cleaned(cells[roles["category_scheme"]]) if "category_scheme" in roles else ""
        return (Category(scheme or self._scheme, code),)
