"""The neutral CSV: a header names the kinds of hash, and every other column is kept.

Columns known by name, whatever their case, spaces, hyphens and quotes:

    id, entry, entry_id        the source's own id of the item
    pdq, md5, sha256, ...      a hash of the kind named; so are `pdq hash`, `hash_md5`
    pdq_quality, quality       its detail score (`quality` is PDQ's)
    category, category_scheme  the category, and whose it is (`operator:SOURCE` without one)
    status, state              active, confirmed, disputed, seed, known_good, withdrawn, ...
    updated, updated_at        the source's own time, kept as written
    tlp, share_level, expires, redistribution
                               labels that bind what may go on of the row: `terms.parse_labels`

The delimiter is a comma, semicolon or tab, told from the header. A row that withdraws an entry
by its id is honoured even where its hashes are damaged. `mapping.py` reads other columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import cast, get_args

import numpy as np

from screener.errors import ListError, counted, some
from screener.hashing.hash import KINDS, Hash
from screener.lists.formats.cells import (
    MAX_ENTRY_CHARS,
    PLAIN_QUALITIES,
    SURROUNDINGS,
    BadCell,
    clean_cell,
    find_id_fault,
    is_hash_length,
    read_hash,
    read_quality,
)
from screener.lists.formats.content import Content, Lines
from screener.lists.formats.csv_rows import (
    CAREFUL_LINES,
    Block,
    CsvRows,
    Delimiter,
    find_first_row,
    is_skipped,
)
from screener.lists.formats.header import Header, check_text, names_of
from screener.lists.formats.kind_names import BY_NAME, folded
from screener.lists.formats.options import Options
from screener.lists.redaction import may_hold_hash
from screener.lists.states import State
from screener.lists.store.columns import NO_LABELS, Columns, HashColumn, derived_entries
from screener.lists.store.records import BadRow, Category, Row

NAME = "csv"
# What a cell that says nothing may begin with; asked first, since most begin with a digit.
_EMPTY_STARTS = frozenset(f"={SURROUNDINGS}")
_MOST_CACHED = 10_000  # categories that are made once

_ROLES = {
    **dict.fromkeys(("id", "entry", "entryid"), "entry"),
    **dict.fromkeys(("status", "state"), "state"),
    **dict.fromkeys(("updated", "updatedat"), "updated"),
    "category": "category",
    "categoryscheme": "category_scheme",
    "quality": "pdq_quality",
    **BY_NAME,
    **{f"{name}quality": f"{name}_quality" for name, kind in KINDS.items() if kind.perceptual},
}
# Names by which others say that an entry counts no more, or does, in words that nobody told us.
_LIKE_A_STATE = frozenset(
    ("deleted", "isdeleted", "shoulddelete", "withdrawn", "removed", "retracted", "revoked",
     "disabled", "enabled", "active", "isactive", "inactive")
)  # fmt: skip
_JUDGED = 100  # filled cells that tell what a column of labels holds


def _are_plain_ids(cells: Sequence[str]) -> bool:
    """Return whether cells are ids as they stand: filled, not long, and not to be cleaned or
    judged.
    """
    return (
        all(cells)
        and len(max(cells, key=len)) <= MAX_ENTRY_CHARS
        and "+" not in "".join(cells)
        and list(map(str.strip, cells, repeat(SURROUNDINGS))) == list(cells)
    )


def recognises(lines: list[str]) -> bool:
    """Return whether the first lines of a text are of this format: the first is a header."""
    for line in lines:
        if not is_skipped(line):
            return header_of(line) is not None
    return False


def header_of(line: str) -> Header | None:
    """Read a header; None if a line names no kind of hash, or holds what may be a hash."""
    found = [header for mark in get_args(Delimiter) if (header := _header(line, mark)) is not None]
    return max(found, key=lambda header: header.known, default=None)


def has_meaning(name: str) -> bool:
    """Return whether a column of that name is more than a label."""
    return folded(name) in _ROLES


def _header(line: str, delimiter: Delimiter) -> Header | None:
    names = names_of(line, delimiter)
    if names is None:
        return None
    roles: dict[str, int] = {}
    labels: dict[str, int] = {}
    for column, name in enumerate(names):
        role = _ROLES.get(folded(name))
        known, key = (labels, name or f"column {column + 1}") if role is None else (roles, role)
        if key in known:
            raise ListError(
                f"columns {known[key] + 1} and {column + 1} have the same meaning;"
                " remove or rename one of them"
            )
        known[key] = column
    return _planned(delimiter, names, roles, labels)


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
    stray = [
        column
        for role, column in roles.items()
        if role.endswith("_quality") and role.removesuffix("_quality") not in roles
    ]
    labels = labels | {names[column]: column for column in stray}
    category = roles.get("category")
    return Header(
        delimiter if len(names) > 1 else None,
        len(names),
        hashes,
        tuple(sorted(labels.items(), key=lambda label: label[1])),
        roles.get("entry"),
        roles.get("state"),
        roles.get("updated"),
        () if category is None else ((category, None, roles.get("category_scheme")),),
        known=len(roles) - len(stray),
        names=tuple(map(folded, names)),
    )


class NeutralCsv:
    """The rows of a neutral CSV file, or of one whose columns a mapping names."""

    unit = "line"

    def __init__(self, content: Content, options: Options) -> None:
        """Read the header; raises ListError if there is none."""
        lines = Lines(content)
        self._file = content.name
        self._scheme = options.scheme or f"operator:{options.source}"
        try:
            self._header = self._header_in(lines, options)
        except ListError as error:
            raise ListError(f"{content.name}: {error}") from None
        self._rows = CsvRows(lines, delimiter=self._header.delimiter, width=self._header.width)
        self._made: dict[tuple[str, str], tuple[Category, ...]] = {}
        self.unknown_columns = tuple(name for name, _ in self._header.labels)
        self._unjudged = set(self.unknown_columns)
        self._filled: Counter[str] = Counter()
        self._hashlike: Counter[str] = Counter()

    def _header_in(self, lines: Lines, options: Options) -> Header:
        if options.mapping is not None and options.mapping.columns:
            return options.mapping.header_in(lines)
        first = find_first_row(lines)
        header = None if first is None else header_of(first[1])
        if header is None:
            check_text("" if first is None else first[1])
            raise ListError(
                "its first line does not name a kind of hash; write a header such as"
                " `id,pdq,md5,category`"
            )
        return header

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Yield each row that is neither blank nor a comment, in order."""
        for found in self._rows:
            yield found if isinstance(found, BadRow) else self._judged(self._row(*found))

    def parts(self, most: int) -> Iterator[Columns | Row | BadRow]:
        """Yield the same rows; those that need no closer look as columns of up to `most` rows."""
        for found in self._rows.parts(most):
            if isinstance(found, Block):
                yield from self._part(found)
            else:
                yield found if isinstance(found, BadRow) else self._judged(self._row(*found))

    def _part(self, block: Block) -> Iterator[Columns | Row | BadRow]:
        columns, count = self._columns(block), len(block.columns[0])
        if columns is not None:
            yield columns
        elif count > CAREFUL_LINES:
            for start in range(0, count, CAREFUL_LINES):
                some = [column[start : start + CAREFUL_LINES] for column in block.columns]
                yield from self._part(Block(block.line + start, some))
        else:
            for number, cells in enumerate(zip(*block.columns, strict=True), block.line):
                yield self._judged(self._row(number, list(cells)))

    def _columns(self, block: Block) -> Columns | None:
        """Read a block; None if a cell of it needs a closer look."""
        header, cells = self._header, block.columns
        count = len(cells[0])
        hashes = self._hash_columns(block)
        if hashes is None:
            return None
        states: list[State] = [State.CONFIRMED] * count
        if header.state is not None:
            said = [header.states.get(cell) for cell in cells[header.state]]
            if None in said:
                return None
            states = cast(list[State], said)
        entries = derived_entries(hashes, count) if header.entry is None else cells[header.entry]
        if header.entry is not None and not _are_plain_ids(entries):
            return None
        categories: list[tuple[Category, ...]] = [()] * count
        if header.categories:
            categories = list(map(self._categories, zip(*cells, strict=True)))
        labels: list[Mapping[str, str]] = [NO_LABELS] * count
        if header.labels:
            names = [name for name, _ in header.labels]
            rows = zip(*[cells[column] for _, column in header.labels], strict=True)
            labels = [
                {name: cell for name, cell in zip(names, row, strict=True) if cell} for row in rows
            ]
            for some in labels:
                self._judge(some)
        updated: list[str | None] = [None] * count
        if header.updated is not None:
            updated = [clean_cell(cell) or None for cell in cells[header.updated]]
        return Columns(block.line, entries, hashes, states, categories, labels, updated)

    def _hash_columns(self, block: Block) -> tuple[HashColumn, ...] | None:
        """Read the hashes of a block; None unless each row has one and all are plain hex."""
        found: list[HashColumn] = []
        for kind, place, quality_place in self._header.hashes:
            cells = block.columns[place]
            if not any(cells):
                continue
            quality = None
            if quality_place is not None:
                read = list(map(PLAIN_QUALITIES.get, block.columns[quality_place]))
                if None in read:
                    return None
                quality = np.array(read, np.int16)
            column = (
                HashColumn.read(kind, cells, quality) if kind.digest or kind.perceptual else None
            )
            if column is None or column.has_empty_input:
                return None
            found.append(column)
        filled = np.zeros(len(block.columns[0]), bool)
        for column in found:
            filled |= True if column.present is None else column.present
        if not filled.all():
            return None
        return tuple(found)

    def _judged(self, row: Row | BadRow) -> Row | BadRow:
        """Return a row, with its labels noted."""
        if isinstance(row, Row):
            self._judge(row.labels)
        return row

    def _judge(self, labels: Mapping[str, str]) -> None:
        """Note which labels look like hashes, of each until it was filled often enough."""
        if self._unjudged.isdisjoint(labels):
            return
        for name in self._unjudged.intersection(labels):
            cell = clean_cell(labels[name])
            self._filled[name] += bool(cell)
            self._hashlike[name] += is_hash_length(cell)
            if self._filled[name] == _JUDGED:
                self._unjudged.discard(name)

    @property
    def notes(self) -> tuple[str, ...]:
        """Which labels look like hashes, or like a state: a column whose name is not known may be
        of a known kind, and nothing would be compared with it, or take its row back.
        """
        return tuple(self._notes())

    def _notes(self) -> Iterator[str]:
        hashes = [
            name
            for name in self.unknown_columns
            if 0 < self._filled[name] <= 2 * self._hashlike[name]
        ]
        if hashes:
            named = some([name for name in hashes if not may_hold_hash(name)])
            yield (
                f"{counted(len(hashes), 'column')} kept as labels may hold hashes, which are not"
                f" compared{named and f': {named}'}; name their kind in the header, as in `pdq`,"
                " or use a mapping file"
            )
        states = [name for name in self.unknown_columns if folded(name) in _LIKE_A_STATE]
        if states:
            yield (
                "columns kept as labels may take rows back, which they do not:"
                f" {some(states)}; call such a column `status`, or tell its words by a"
                " mapping file"
            )

    def _row(self, number: int, cells: list[str]) -> Row | BadRow:
        header = self._header
        entry = "" if header.entry is None else clean_cell(cells[header.entry])
        why = find_id_fault(entry) if entry else None
        if why is not None:
            return BadRow(number, "entry", why)
        state = State.CONFIRMED
        if header.state is not None:
            said = self._state(cells[header.state])
            if said is None:
                return BadRow(number, "state", "unknown state")
            state = said
        hashes, bad = self._hashes(number, cells)
        row = Row(
            number,
            entry or None,
            state,
            hashes,
            self._categories(cells) if header.categories else (),
            {name: cells[column] for name, column in header.labels if cells[column]},
            None if header.updated is None else clean_cell(cells[header.updated]) or None,
        )
        if not bad or (entry and state is State.WITHDRAWN):
            return row
        row = row._replace(damaged=tuple(kind for kind, *_ in bad))
        # What is left of a withdrawal without an id may be all the hashes of another entry.
        of_use = hashes and state is not State.WITHDRAWN
        return BadRow(number, *bad[0][1:], row if of_use else None)

    def _state(self, cell: str) -> State | None:
        found = self._header.states.get(cell)
        if found is not None:
            return found
        word = clean_cell(cell).casefold()
        return self._header.states.get(word.replace(" ", "_").replace("-", "_"))

    def _hashes(
        self, number: int, cells: list[str]
    ) -> tuple[tuple[Hash, ...], list[tuple[str, str, str]]]:
        """Return the hashes that can be read, and the kind, field and reason of those that
        cannot.
        """
        hashes = []
        damaged: list[tuple[str, str, str]] = []
        for kind, column, quality_column in self._header.hashes:
            cell = cells[column]
            if not cell or (cell[0] in _EMPTY_STARTS and not clean_cell(cell)):
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
                if self._header.is_another(cells, column):
                    raise ListError(
                        f"{self._file}, line {number}: a header in another order, under which the"
                        " rows that follow may stand; import the files that were put together one"
                        " by one"
                    ) from None
                damaged.append((kind.name, field, str(bad)))
        return tuple(hashes), damaged

    def _categories(self, cells: Sequence[str]) -> tuple[Category, ...]:
        found: tuple[Category, ...] = ()
        for column, scheme, scheme_column in self._header.categories:
            code = clean_cell(cells[column])
            if code:
                said = "" if scheme_column is None else clean_cell(cells[scheme_column])
                found += self._category(said or scheme or self._scheme, code)
        return found

    def _category(self, scheme: str, code: str) -> tuple[Category, ...]:
        made = self._made.get((scheme, code))
        if made is None:
            made = (Category(scheme, code),)
            if len(self._made) < _MOST_CACHED:
                self._made[scheme, code] = made
        return made
