"""Build rows from the items of a JSON text and collect their unreadable fields."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from screener.hashing.hash import KINDS, Hash
from screener.lists import terms
from screener.lists.formats import paging
from screener.lists.formats.cells import (
    MAX_ENTRY_CHARS,
    BadCell,
    clean_cell,
    may_be_hash,
    read_hash,
)
from screener.lists.formats.content import Content
from screener.lists.formats.json_text import JsonText
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row

_MAX_LABEL_CHARS = 65_536
_MAX_LABEL_NAMES = 1_000  # names of labels in a report


class RecordBuilder:
    """A record under construction: its hashes, labels and unreadable fields.

    A record of these formats may have several hashes. A damaged hash is quarantined without the
    others, so that they can still match.
    """

    def __init__(self, number: int) -> None:
        """Start the record with that number in the file."""
        self.number = number
        self.hashes: list[Hash] = []
        self.labels: dict[str, str] = {}
        self.bad_rows: list[BadRow] = []
        self._unstorable: dict[str, BadRow] = {}  # faults of labels that bind the record

    def add_hash(self, kind: str, value: object) -> None:
        """Add the hash in a field, unless it is empty."""
        if value is None or (isinstance(value, str) and not clean_cell(value)):
            return
        try:
            if not isinstance(value, str):
                raise BadCell("not a text")
            self.hashes.append(read_hash(KINDS[kind], value))
        except BadCell as fault:
            self.bad_rows.append(BadRow(self.number, kind, str(fault)))

    def add_label(self, name: str, value: object) -> None:
        """Add a field as a label, as JSON unless it is text; ignore null."""
        if value is None:
            return
        try:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        except RecursionError:
            self._drop_label(name, "nested too deeply")
            return
        if len(text) > _MAX_LABEL_CHARS or len(name) > MAX_ENTRY_CHARS:
            self._drop_label(name, "field too long")
        elif text:
            self.labels[name] = text

    def _drop_label(self, name: str, reason: str) -> None:
        """Record a label as unreadable, by its term if it binds the record."""
        term = terms.find_field(name)
        if term is None:
            self.bad_rows.append(BadRow(self.number, None, reason))
        else:
            self._unstorable[term] = BadRow(self.number, term, reason)

    def build_rows(
        self,
        entry: str | None,
        state: State,
        categories: tuple[Category, ...] = (),
        updated: object = None,
    ) -> list[Row | BadRow]:
        """Return the record as a row, then its unreadable fields; a withdrawal needs no hash.

        If the row's own terms cannot be stored, it is quarantined. Once released, the narrowest
        terms bind it. They bind a withdrawal at once.
        """
        if entry is not None and len(entry) > MAX_ENTRY_CHARS:
            return [BadRow(self.number, "entry", "field too long")]
        is_withdrawal = state is State.WITHDRAWN and entry is not None
        if not self.hashes and not is_withdrawal:
            return [*self.bad_rows] or [BadRow(self.number, None, "no usable hash")]
        self.labels.update(dict.fromkeys(self._unstorable, terms.UNREADABLE))
        updated_text = None if updated is None else str(updated) or None
        hashes = tuple(self.hashes)
        fields = (bad_row.field for bad_row in self.bad_rows if bad_row.field is not None)
        damaged = tuple(dict.fromkeys(name for name in fields if name in KINDS))
        row = Row(self.number, entry, state, hashes, categories, self.labels, updated_text, damaged)
        if self._unstorable and not is_withdrawal:
            (bad_row, *_) = self._unstorable.values()
            return [replace(bad_row, row=row), *self.bad_rows]
        return [row] if is_withdrawal else [row, *self.bad_rows]


class JsonRows:
    """The rows of a JSON text; `read` makes them from its items."""

    unit = "record"

    def __init__(
        self,
        content: Content,
        keys: Collection[str] | None,
        read: Callable[[RecordBuilder, Mapping[str, Any]], list[Row | BadRow]],
        *,
        notes: Callable[[], tuple[str, ...]] = tuple,
        check: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        """Prepare the text.

        `keys`, `check`: see `JsonText.read_items`.
        `read`: builds rows from an item.
        `notes`: returns notes to the user on the rows read so far.
        """
        self._text = JsonText(content)
        self._keys = keys
        self._read = read
        self._notes = notes
        self._check = check
        self._names: dict[str, None] = {}

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """The labels of the rows read so far, without names that may be a hash."""
        return tuple(name for name in self._names if not may_be_hash(name))

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes to the user on the rows read so far."""
        paging_notes = (paging.NEXT_PAGE_NOTE,) if paging.has_next_page(self._text.root) else ()
        return (*self._notes(), *paging_notes)

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Yield each record; raise ListError if the text cannot be read to its end."""
        for number, value, fault in self._text.read_items(self._keys, self._check):
            if fault is None and not isinstance(value, dict):
                fault = "not an object"
            if fault is not None:
                yield BadRow(number, None, fault)
                continue
            builder = RecordBuilder(number)
            yield from self._read(builder, value)
            if builder.labels and len(self._names) < _MAX_LABEL_NAMES:
                self._names.update(dict.fromkeys(builder.labels))


def fold_fields(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object's fields by folded name; of equal names the first counts."""
    fields: dict[str, Any] = {}
    for name, value in item.items():
        fields.setdefault(name.casefold(), value)
    return fields


def has_duplicate(item: Mapping[str, Any], names: Collection[str]) -> bool:
    """Return whether an object has one of these fields twice, in different cases."""
    folded_names = [name.casefold() for name in item]
    if len(set(folded_names)) == len(folded_names):  # the usual case
        return False
    counts = Counter(folded_names)
    return any(counts[name] > 1 for name in names)


def to_text(value: object) -> str:
    """Return a field as cleaned text, or "" if it is absent, null or nested."""
    return "" if value is None or isinstance(value, (dict, list)) else clean_cell(str(value))


def parse_truth(value: object) -> bool | None:
    """Return the truth value of a field or of a word such as "no", or None."""
    if isinstance(value, bool):
        return value
    return {
        **dict.fromkeys(("true", "yes", "y", "t", "1"), True),
        **dict.fromkeys(("false", "no", "n", "f", "0"), False),
    }.get(to_text(value).casefold())
