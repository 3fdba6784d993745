"""Rows of a file as columns, as fast readers yield them and imports store them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import repeat
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from screener.hashing.hash import Hash, HashKind
from screener.lists.states import State
from screener.lists.store.records import (
    EMPTY_INPUT,
    Category,
    Row,
    derive_entry,
    get_min_bits,
)
from screener.lists.store.stored_rows import encode_categories, encode_labels

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

    def select(self, rows: npt.NDArray[np.int64]) -> HashColumn:
        """Return the hashes of some rows."""
        return HashColumn(
            self.kind,
            self.codes[rows],
            None if self.present is None else self.present[rows],
            None if self.quality is None else self.quality[rows],
        )

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
    def compared(self) -> Mask:
        """Which rows have a compared hash."""
        return ~self.low if self.present is None else self.present & ~self.low

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

    def format_parts(self) -> list[Iterable[str]]:
        """Return the text of each row's hash for its fingerprint, as columns to be joined."""
        name, size = self.kind.name, 2 * self.kind.size
        text = self.codes.tobytes().hex()
        digits = [text[offset : offset + size] for offset in range(0, len(text), size)]
        if self.present is None and self.quality is None:
            return [repeat(f"\0{name}\0None\0"), digits]
        qualities = repeat(-1) if self.quality is None else self.quality.tolist()
        present = repeat(True) if self.present is None else self.present.tolist()
        return [
            [
                f"\0{name}\0{None if quality < 0 else quality}\0{value}" if has_hash else ""
                for has_hash, quality, value in zip(present, qualities, digits, strict=False)
            ]
        ]


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

    def select(self, rows: npt.NDArray[np.int64]) -> Columns:
        """Return some of the rows, without their lines."""
        if len(rows) == len(self):
            return self
        indexes = rows.tolist()
        entries, states, categories, labels, updated = (
            [column[index] for index in indexes]
            for column in (self.entries, self.states, self.categories, self.labels, self.updated)
        )
        hashes = tuple([column.select(rows) for column in self.hashes])
        return Columns(self.line, entries, hashes, states, categories, labels, updated)

    def replace_states(self, states: Mapping[State, State]) -> Columns:
        """Return the rows with some states replaced."""
        return replace(self, states=[states.get(state, state) for state in self.states])

    @cached_property
    def withdrawn(self) -> Mask:
        """Which rows withdraw their entry."""
        count = len(self)
        if self.shared is not None:
            return np.full(count, self.shared[0] == State.WITHDRAWN)
        return np.fromiter((state is State.WITHDRAWN for state in self.states), bool, count)

    @cached_property
    def shared(self) -> tuple[str, str, str, str | None] | None:
        """The stored fields that all rows share, or None if they differ or are not empty.

        They are the state, and empty categories, labels and time.
        """
        if any(self.categories) or any(self.labels) or any(self.updated):
            return None
        states = set(self.states)
        return (str(states.pop()), "[]", "{}", None) if len(states) == 1 else None

    @cached_property
    def stored(self) -> list[tuple[str, str, str, str | None]]:
        """State, categories, labels and time of each row in their stored form."""
        return list(
            zip(
                map(str, self.states),
                map(encode_categories, self.categories),
                map(encode_labels, self.labels),
                self.updated,
                strict=True,
            )
        )

    def fingerprints(self) -> list[bytes]:
        """Return the fingerprint of each row: see `stored_rows.to_version`."""
        shared = self.shared
        head: Iterable[str] = (
            repeat("\0".join(map(str, shared)))
            if shared is not None
            else [
                f"{state}\0{codes}\0{labels}\0{time}" for state, codes, labels, time in self.stored
            ]
        )
        parts: list[Iterable[str]] = [head]
        for column in self.hashes:
            parts += column.format_parts()
        blake2b = hashlib.blake2b
        return [
            blake2b("".join(texts).encode(), digest_size=16).digest()
            for texts in zip(*parts, strict=False)
        ]


def derive_entries(hashes: Sequence[HashColumn], count: int) -> list[str]:
    """Return entry ids for rows that name none."""
    return [
        derive_entry([hash_ for column in hashes if (hash_ := column.get_hash(row)) is not None])
        for row in range(count)
    ]
