"""The neutral CSV: a header names the kinds of hash, the ids and other known columns.

Columns recognised by name, without regard to case, spaces, hyphens and quotes:

    id, entry, entry_id        the source's own id of the item
    pdq, md5, sha256, ...      a hash of that kind; also `pdq hash`, `hash_md5`
    pdq_quality, quality       its detail score (`quality` is PDQ's)
    category, category_scheme  the category and its scheme (default: `operator:SOURCE`)
    status, state              active, confirmed, disputed, seed, known_good, withdrawn, ...
    updated, updated_at        the source's own time, stored as written
    tlp, share_level, expires, redistribution
                               labels that restrict redistribution: see `terms.parse_labels`
    pixels                     the version of the pixel pipeline: see `pixel_versions`

A file with another column is refused, unless the operator ignores the column: it then becomes a
label. So is a file without ids, unless the operator names their column or wants ids from hashes.

The header shows the delimiter: a comma, semicolon or tab. A row that withdraws an entry by its id
takes effect even if its hashes are damaged. `mapping.py` reads other columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from typing import cast, get_args

import numpy as np

from screener.errors import ListError
from screener.hashing.hash import KINDS, Hash
from screener.lists.formats.cells import (
    MAX_ENTRY_CHARS,
    QUALITY_CODES,
    STRIPPED_CHARS,
    BadCell,
    clean_cell,
    find_id_fault,
    read_hash,
    read_quality,
)
from screener.lists.formats.content import Content, Lines
from screener.lists.formats.csv_rows import (
    SMALL_BLOCK_LINES,
    Block,
    CsvRows,
    Delimiter,
    find_first_row,
    is_before_header,
)
from screener.lists.formats.header import (
    Header,
    check_text,
    describe_missing,
    is_known_label,
    name_columns,
    read_date,
    same_name,
    show_names,
    split_names,
)
from screener.lists.formats.kind_names import KIND_BY_NAME, fold_name
from screener.lists.formats.options import Options
from screener.lists.redaction import may_hold_hash
from screener.lists.states import State
from screener.lists.store.columns import NO_LABELS, Columns, HashColumn, derive_entries
from screener.lists.store.records import BadRow, Category, Row

NAME = "csv"
# First characters of cells that may be empty. Checked first, since most cells begin with a digit.
_EMPTY_STARTS = frozenset(f"={STRIPPED_CHARS}")
_MAX_CACHED_CATEGORIES = 10_000
_MAX_SHOWN_STATES = 20  # unknown states of a file that are reported with their words
_MAX_STATE_CHARS = 40

ROLE_BY_NAME = {
    **dict.fromkeys(("id", "entry", "entryid"), "entry"),
    **dict.fromkeys(("status", "state"), "state"),
    **dict.fromkeys(("updated", "updatedat"), "updated"),
    "category": "category",
    "categoryscheme": "category_scheme",
    "quality": "pdq_quality",
    **KIND_BY_NAME,
    **{f"{name}quality": f"{name}_quality" for name, kind in KINDS.items() if kind.perceptual},
}


def _are_plain_ids(cells: Sequence[str]) -> bool:
    """Return whether all cells are ids that need neither cleaning nor a closer look."""
    return (
        all(cells)
        and len(max(cells, key=len)) <= MAX_ENTRY_CHARS
        and "+" not in "".join(cells)
        and list(map(str.strip, cells, repeat(STRIPPED_CHARS))) == list(cells)
    )


def recognises(lines: list[str]) -> bool:
    """Return whether the first line that is not skipped is a header."""
    for line in lines:
        if not is_before_header(line):
            return parse_header(line) is not None
    return False


def parse_header(line: str) -> Header | None:
    """Return the header in a line, or None unless it names a kind of hash."""
    headers = [
        header
        for delimiter in get_args(Delimiter)
        if (header := _parse_columns(line, delimiter)) is not None
    ]
    return max(headers, key=lambda header: header.meaning_count, default=None)


def has_meaning(name: str) -> bool:
    """Return whether a column of that name is not a label."""
    return fold_name(name) in ROLE_BY_NAME


def _parse_columns(line: str, delimiter: Delimiter) -> Header | None:
    names = split_names(line, delimiter)
    if names is None:
        return None
    roles: dict[str, int] = {}
    labels: dict[str, int] = {}
    for column, name in enumerate(names):
        role = ROLE_BY_NAME.get(fold_name(name))
        columns, key = (labels, name or f"column {column + 1}") if role is None else (roles, role)
        if key in columns:
            raise ListError(
                f"columns {columns[key] + 1} and {column + 1} have the same meaning;"
                " remove or rename one of them"
            )
        columns[key] = column
    return _build_header(delimiter, names, roles, labels)


def _build_header(
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
    # The quality column of a kind that the file does not have is an ordinary label.
    stray = [
        column
        for role, column in roles.items()
        if role.endswith("_quality") and role.removesuffix("_quality") not in roles
    ]
    unknown = tuple(name for name in labels if not is_known_label(name))
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
        meaning_count=len(roles) - len(stray),
        names=tuple(map(fold_name, names)),
        columns=name_columns(names),
        unknown=unknown,
    )


def _choose_columns(header: Header, options: Options) -> Header:
    """Return the header with the operator's id column.

    Raises ListError if a column is unknown and not ignored, or if no column has the ids.
    """
    for name in (*options.ignore_columns, *filter(None, (options.id_column,))):
        if not any(same_name(name, label) for label, _ in header.labels):
            raise ListError(
                f"the column {show_names([name])} has a meaning already; a mapping can change it"
                if any(same_name(name, column) for column in header.columns)
                else describe_missing([name], header.columns)
            )
    if options.id_column is not None:
        ids = [label for label in header.labels if same_name(options.id_column, label[0])]
        if header.entry is not None or len(ids) > 1:
            raise ListError("it has two columns of ids; write a mapping file that names one")
        header = replace(
            header,
            entry=ids[0][1],
            labels=tuple(label for label in header.labels if label not in ids),
            unknown=tuple(name for name in header.unknown if name != ids[0][0]),
        )
    ignored = [clean_cell(name).casefold() for name in options.ignore_columns]
    unknown = [name for name in header.unknown if name.casefold() not in ignored]
    faults = []
    if unknown and not options.ignore_unknown_columns:
        faults.append(
            f"no known or mapped column is called {show_names(unknown)}: give each a meaning in a"
            " mapping file (`screener import FILE --mapping-template` prints one to start from), or"
            " store them as labels alone with --ignore-columns NAME,... or --ignore-unknown-columns"
        )
    if header.entry is None and not options.ids_from_hashes:
        faults.append(
            "no column has the ids of the entries: name it with --id-column NAME or in a mapping;"
            " if there are none, pass --ids-from-hashes (a changed hash is then another entry)"
        )
    if faults:
        raise ListError("; ".join(faults))
    return header


class NeutralCsv:
    """The rows of a neutral CSV file, or of one whose columns a mapping defines."""

    unit = "line"
    notes: tuple[str, ...] = ()

    def __init__(self, content: Content, options: Options) -> None:
        """Read the header; raise ListError if there is none."""
        lines = Lines(content)
        self._file = content.name
        self._scheme = options.scheme or f"operator:{options.source}"
        try:
            self._header = _choose_columns(self._read_header(lines, options), options)
        except ListError as error:
            raise ListError(f"{content.name}: {error}") from None
        self._rows = CsvRows(lines, delimiter=self._header.delimiter, width=self._header.width)
        self._category_cache: dict[tuple[str, str], tuple[Category, ...]] = {}
        self.unknown_columns = tuple(name for name, _ in self._header.labels)
        self._unknown_states: set[str] = set()

    def _read_header(self, lines: Lines, options: Options) -> Header:
        if options.mapping is not None and options.mapping.columns:
            return options.mapping.read_header(lines)
        first = find_first_row(lines)
        header = None if first is None else parse_header(first[1])
        if header is None:
            check_text("" if first is None else first[1])
            raise ListError(
                "its first line does not name a kind of hash; write a header such as"
                " `id,pdq,md5,category`"
            )
        return header

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Yield each row that is neither blank nor a comment, in order."""
        for part in self._rows:
            yield part if isinstance(part, BadRow) else self._parse_row(*part)

    def read_parts(self, max_rows: int) -> Iterator[Columns | Row | BadRow]:
        """Yield the same rows, plain ones as columns of up to `max_rows` rows."""
        for part in self._rows.read_parts(max_rows):
            if isinstance(part, Block):
                yield from self._read_block(part)
            else:
                yield part if isinstance(part, BadRow) else self._parse_row(*part)

    def _read_block(self, block: Block) -> Iterator[Columns | Row | BadRow]:
        columns, count = self._read_columns(block), len(block.columns[0])
        if columns is not None:
            yield columns
        elif count > SMALL_BLOCK_LINES:
            for start in range(0, count, SMALL_BLOCK_LINES):
                columns_ = [column[start : start + SMALL_BLOCK_LINES] for column in block.columns]
                yield from self._read_block(Block(block.first_line_number + start, columns_))
        else:
            for number, cells in enumerate(
                zip(*block.columns, strict=True), block.first_line_number
            ):
                yield self._parse_row(number, list(cells))

    def _read_columns(self, block: Block) -> Columns | None:
        """Return a block as columns, or None if one of its cells is not plain."""
        header, cells = self._header, list(block.columns)
        try:
            for column, date_format in header.dates.items():
                cells[column] = [read_date(cell, date_format) for cell in cells[column]]
        except ValueError:
            return None
        count = len(cells[0])
        hashes = self._read_hash_columns(block)
        if hashes is None:
            return None
        states: list[State] = [State.CONFIRMED] * count
        if header.state is not None:
            row_states = [header.states.get(cell) for cell in cells[header.state]]
            if None in row_states:
                return None
            states = cast(list[State], row_states)
        entries = derive_entries(hashes, count) if header.entry is None else cells[header.entry]
        if header.entry is not None and not _are_plain_ids(entries):
            return None
        categories: list[tuple[Category, ...]] = [()] * count
        if header.categories:
            categories = list(map(self._read_categories, zip(*cells, strict=True)))
        labels: list[Mapping[str, str]] = [NO_LABELS] * count
        if header.labels:
            names = [name for name, _ in header.labels]
            rows = zip(*[cells[column] for _, column in header.labels], strict=True)
            labels = [
                {name: cell for name, cell in zip(names, row, strict=True) if cell} for row in rows
            ]
        updated: list[str | None] = [None] * count
        if header.updated is not None:
            updated = [clean_cell(cell) or None for cell in cells[header.updated]]
        return Columns(
            block.first_line_number, entries, hashes, states, categories, labels, updated
        )

    def _read_hash_columns(self, block: Block) -> tuple[HashColumn, ...] | None:
        """Return the hashes of a block in plain hex.

        Returns None if a row has no hash or a hash needs a closer look.
        """
        hash_columns: list[HashColumn] = []
        for kind, column_number, quality_number in self._header.hashes:
            cells = block.columns[column_number]
            if not any(cells):
                continue
            quality = None
            if quality_number is not None:
                qualities = list(map(QUALITY_CODES.get, block.columns[quality_number]))
                if None in qualities:
                    return None
                quality = np.array(qualities, np.int16)
            column = (
                HashColumn.parse(kind, cells, quality) if kind.digest or kind.perceptual else None
            )
            if column is None or column.has_empty_input:
                return None
            hash_columns.append(column)
        filled = np.zeros(len(block.columns[0]), bool)
        for column in hash_columns:
            filled |= True if column.present is None else column.present
        if not filled.all():
            return None
        return tuple(hash_columns)

    def _parse_row(self, number: int, cells: list[str]) -> Row | BadRow:
        header = self._header
        entry = "" if header.entry is None else clean_cell(cells[header.entry])
        fault = find_id_fault(entry) if entry else None
        if fault is not None:
            return BadRow(number, "entry", fault)
        state = State.CONFIRMED
        if header.state is not None:
            stated = self._parse_state(cells[header.state])
            if stated is None:
                return BadRow(number, "state", self._describe_state(cells[header.state]))
            state = stated
        for column, date_format in header.dates.items():
            try:
                cells[column] = read_date(cells[column], date_format)
            except ValueError:
                return BadRow(number, "date", f"not of the form {date_format}")
        hashes, faults = self._read_hashes(number, cells)
        row = Row(
            number,
            entry or None,
            state,
            hashes,
            self._read_categories(cells) if header.categories else (),
            {name: cells[column] for name, column in header.labels if cells[column]},
            None if header.updated is None else clean_cell(cells[header.updated]) or None,
        )
        if not faults or (entry and state is State.WITHDRAWN):
            return row
        row = row._replace(damaged=tuple(kind for kind, *_ in faults))
        # The readable hashes of a withdrawal without an id may be all the hashes of another entry.
        is_usable = hashes and state is not State.WITHDRAWN
        return BadRow(number, *faults[0][1:], row if is_usable else None)

    def _parse_state(self, cell: str) -> State | None:
        state = self._header.states.get(cell)
        if state is not None:
            return state
        word = clean_cell(cell).casefold()
        return self._header.states.get(word.replace(" ", "_").replace("-", "_"))

    def _describe_state(self, cell: str) -> str:
        """Return a reason; with the word if it is short, no hash, and one of a few."""
        word = clean_cell(cell)
        if len(word) > _MAX_STATE_CHARS or may_hold_hash(word):
            return "unknown state"
        if len(self._unknown_states) < _MAX_SHOWN_STATES:
            self._unknown_states.add(word)
        if word not in self._unknown_states:
            return "unknown state"
        return f"unknown state {word!r}; define it in a mapping file"

    def _read_hashes(
        self, number: int, cells: list[str]
    ) -> tuple[tuple[Hash, ...], list[tuple[str, str, str]]]:
        """Return the readable hashes, and the kind, field and reason of the unreadable ones."""
        hashes = []
        faults: list[tuple[str, str, str]] = []
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
            except BadCell as fault:
                if self._header.is_other_header(cells, column):
                    raise ListError(
                        f"{self._file}, line {number}: a second header, with columns in another"
                        " order; the files seem to have been concatenated: import them one by one"
                    ) from None
                faults.append((kind.name, field, str(fault)))
        return tuple(hashes), faults

    def _read_categories(self, cells: Sequence[str]) -> tuple[Category, ...]:
        categories: tuple[Category, ...] = ()
        for column, scheme, scheme_column in self._header.categories:
            code = clean_cell(cells[column])
            if code:
                stated = "" if scheme_column is None else clean_cell(cells[scheme_column])
                categories += self._get_category(stated or scheme or self._scheme, code)
        return categories

    def _get_category(self, scheme: str, code: str) -> tuple[Category, ...]:
        category = self._category_cache.get((scheme, code))
        if category is None:
            category = (Category(scheme, code),)
            if len(self._category_cache) < _MAX_CACHED_CATEGORIES:
                self._category_cache[scheme, code] = category
        return category
