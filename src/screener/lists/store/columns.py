"""Rows of a file as columns, as fast readers yield them and imports store them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import repeat
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from screener.hashing.hash import Hash, HashKind
from screener.lists.states import State
from screener.lists.store.records import (
    EMPTY_INPUT,
    LOW_INFORMATION,
    Category,
    Row,
    derive_entry,
    get_min_bits,
)
from screener.lists.store.stored_rows import (
    encode_categories,
    encode_labels,
    format_hash,
    format_head,
    make_digest,
    to_version,
)

Mask = npt.NDArray[np.bool_]
NO_LABELS: Mapping[str, str] = MappingProxyType({})
_BIT_COUNTS = np.array([number.bit_count() for number in range(256)], np.uint8)


@dataclass(frozen=True)
class HashColumn:
    """The hashes of one kind, one row each.

    `codes`: the values (n, size), zeros in rows without a hash.
    `present`: which rows have a hash, or None if all have one.
    `quality`: the qualities, -1 for a hash without one, or None if no hash has one.
    """

    kind: HashKind
    codes: npt.NDArray[np.uint8]
    present: Mask | None = None
    quality: npt.NDArray[np.int16] | None = None

    @classmethod
    def parse(
        cls, kind: HashKind, cells: Sequence[str], quality: npt.NDArray[np.int16] | None
    ) -> HashColumn | None:
        """Parse cells of hex, which may be empty; return None if a cell is anything else."""
        present = None
        if "" in cells:
            present = np.array(list(map(bool, cells)))
            cells = list(filter(None, cells))
        if set(map(len, cells)) - {2 * kind.size}:
            return None
        try:
            raw = bytes.fromhex("".join(cells))
        except ValueError:
            return None
        if len(raw) != kind.size * len(cells):  # white space between digits
            return None
        codes = np.frombuffer(raw, np.uint8).reshape(-1, kind.size)
        if present is not None:
            all_codes = np.zeros((present.size, kind.size), np.uint8)
            all_codes[present] = codes
            codes = all_codes
            quality = None if quality is None else np.where(present, quality, -1).astype(np.int16)
        return cls(kind, codes, present, quality)

    @cached_property
    def values(self) -> list[bytes]:
        """The value of each row, zeros for a row without a hash."""
        raw, size = self.codes.tobytes(), self.kind.size
        return [raw[offset : offset + size] for offset in range(0, len(raw), size)]

    @cached_property
    def low(self) -> Mask:
        """Which hashes are of blank pictures, and so never compared."""
        min_bits = get_min_bits(self.kind)
        if not min_bits:
            return np.zeros(len(self.codes), bool)
        ones = _BIT_COUNTS[self.codes].sum(axis=1, dtype=np.int32)
        low: Mask = (ones < min_bits) | (ones > self.kind.bits - min_bits)
        return low if self.present is None else low & self.present

    @property
    def has_empty_input(self) -> bool:
        """Whether a hash is the digest of no bytes."""
        empty = EMPTY_INPUT.get(self.kind.name)
        return empty is not None and bool(
            (self.codes == np.frombuffer(empty, np.uint8)).all(axis=1).any()
        )

    def get_hash(self, row: int) -> Hash | None:
        """Return the hash of a row, or None."""
        if self.present is not None and not self.present[row]:
            return None
        quality = -1 if self.quality is None else int(self.quality[row])
        return Hash.of_checked(self.kind, self.values[row], None if quality < 0 else quality)

    def build_stored(self) -> StoredColumn:
        """Return the stored form of the hashes."""
        count = len(self.codes)
        rows = range(count) if self.present is None else np.flatnonzero(self.present).tolist()
        values, low = self.values, self.low.tolist()
        qualities = [-1] * count if self.quality is None else self.quality.tolist()
        if len(rows) < count:
            values = [values[row] for row in rows]
            qualities = [qualities[row] for row in rows]
            low = [low[row] for row in rows]
        return StoredColumn(
            self.kind.name,
            rows,
            values,
            [None if quality < 0 else quality for quality in qualities],
            [LOW_INFORMATION if is_low else None for is_low in low],
        )


class StoredColumn(NamedTuple):
    """The stored hashes of one kind: their rows, values, qualities and reasons not to compare."""

    kind: str
    rows: Sequence[int]
    values: Sequence[bytes]
    qualities: Sequence[int | None]
    why_not: Sequence[str | None]

    def format_cells(self, count: int) -> Sequence[str]:
        """Return the text of the hash of each of `count` rows for its digest, or ""."""
        texts = list(map(format_hash, repeat(self.kind), self.values, self.qualities))
        if len(texts) == count:
            return texts
        cells = [""] * count
        for row, text in zip(self.rows, texts, strict=True):
            cells[row] = text
        return cells


@dataclass(frozen=True)
class Batch:
    """Rows of a file in their stored form, as columns.

    `hashes`: the hashes, a column of each kind. `damaged`: the rows with an unreadable value.
    `get_row`: returns the row with an index.
    """

    entries: Sequence[str]
    states: Sequence[State]
    categories: Sequence[str]
    labels: Sequence[str]
    updated: Sequence[str | None]
    digests: Sequence[bytes]
    hashes: Sequence[StoredColumn]
    damaged: Collection[int]
    get_row: Callable[[int], Row]

    @classmethod
    def of_rows(cls, rows: Sequence[Row]) -> Batch:
        """Return rows as a batch."""
        versions = list(map(to_version, rows))
        cells: dict[str, list[tuple[int, bytes, int | None, str | None]]] = defaultdict(list)
        for index, version in enumerate(versions):
            for kind, value, quality, why_not in version.hashes:
                cells[kind].append((index, value, quality, why_not))
        return cls(
            [row.entry or derive_entry(row.hashes) for row in rows],
            [row.state for row in rows],
            [version.categories for version in versions],
            [version.labels for version in versions],
            [row.updated for row in rows],
            [version.digest for version in versions],
            [StoredColumn(kind, *zip(*cells_, strict=True)) for kind, cells_ in cells.items()],
            {index for index, row in enumerate(rows) if row.damaged},
            rows.__getitem__,
        )

    def count_low(self, rows: Iterable[int]) -> int:
        """Return the number of hashes of blank pictures in some rows."""
        low = Counter(
            row
            for column in self.hashes
            if LOW_INFORMATION in column.why_not
            for row, why_not in zip(column.rows, column.why_not, strict=True)
            if why_not == LOW_INFORMATION
        )
        return sum(low[row] for row in rows) if low else 0


@dataclass(frozen=True)
class Columns:
    """Consecutive valid rows of a file, each with a hash; the first is from `line`.

    `hashes` are in the order of `KINDS`, and only of kinds whose values have one length.
    """

    line: int
    entries: Sequence[str]
    hashes: tuple[HashColumn, ...]
    states: Sequence[State]
    categories: Sequence[tuple[Category, ...]]
    labels: Sequence[Mapping[str, str]]
    updated: Sequence[str | None]

    def __len__(self) -> int:
        return len(self.entries)

    def get_row(self, index: int) -> Row:
        """Return one of the rows."""
        hashes = (column.get_hash(index) for column in self.hashes)
        return Row(
            self.line + index,
            self.entries[index],
            self.states[index],
            tuple([hash_ for hash_ in hashes if hash_ is not None]),
            self.categories[index],
            self.labels[index],
            self.updated[index],
        )

    def replace_states(self, states: Mapping[State, State]) -> Columns:
        """Return the rows with some states replaced."""
        return replace(self, states=[states.get(state, state) for state in self.states])

    def build_batch(self) -> Batch:
        """Return the rows in their stored form."""
        categories = list(map(encode_categories, self.categories))
        labels = list(map(encode_labels, self.labels))
        hashes = [column.build_stored() for column in self.hashes]
        heads = map(format_head, self.states, categories, labels, self.updated)
        texts = [column.format_cells(len(self)) for column in hashes]
        digests = list(map(make_digest, zip(heads, *texts, strict=True)))
        return Batch(
            self.entries,
            self.states,
            categories,
            labels,
            self.updated,
            digests,
            hashes,
            (),
            self.get_row,
        )


def derive_entries(hashes: Sequence[HashColumn], count: int) -> list[str]:
    """Return entry ids for rows that name none."""
    return [
        derive_entry([hash_ for column in hashes if (hash_ := column.get_hash(row)) is not None])
        for row in range(count)
    ]
