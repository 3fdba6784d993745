"""Rows of a file column by column, as fast readers yield them and imports store them."""

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
_ONES = np.array([number.bit_count() for number in range(256)], np.uint8)


@dataclass(frozen=True)
class HashColumn:
    """The hashes of one kind: `codes` (n, size), zeros in the rows that are not `present`.

    `present` is None if each row has a hash. `quality` is -1 for a hash without one; None: all.
    """

    kind: HashKind
    codes: npt.NDArray[np.uint8]
    present: Mask | None = None
    quality: npt.NDArray[np.int16] | None = None

    @classmethod
    def read(
        cls, kind: HashKind, cells: Sequence[str], quality: npt.NDArray[np.int16] | None
    ) -> HashColumn | None:
        """Read cells of hex, which may be empty; None if one is anything else."""
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
            spread = np.zeros((present.size, kind.size), np.uint8)
            spread[present] = codes
            codes = spread
            quality = None if quality is None else np.where(present, quality, -1).astype(np.int16)
        return cls(kind, codes, present, quality)

    def at(self, rows: npt.NDArray[np.int64]) -> HashColumn:
        """Return the hashes of some rows."""
        return HashColumn(
            self.kind,
            self.codes[rows],
            None if self.present is None else self.present[rows],
            None if self.quality is None else self.quality[rows],
        )

    @cached_property
    def values(self) -> list[bytes]:
        """The value of each row; zeros for a row that has none."""
        raw, size = self.codes.tobytes(), self.kind.size
        return [raw[at : at + size] for at in range(0, len(raw), size)]

    @cached_property
    def low(self) -> Mask:
        """Which hashes are those of blank pictures, and never compared."""
        least = get_min_bits(self.kind)
        if not least:
            return np.zeros(len(self.codes), bool)
        ones = _ONES[self.codes].sum(axis=1, dtype=np.int32)
        low: Mask = (ones < least) | (ones > self.kind.bits - least)
        return low if self.present is None else low & self.present

    @property
    def compared(self) -> Mask:
        """Which rows have a hash that is compared."""
        return ~self.low if self.present is None else self.present & ~self.low

    @property
    def has_empty_input(self) -> bool:
        """Whether a value is the digest of no bytes."""
        empty = EMPTY_INPUT.get(self.kind.name)
        return empty is not None and bool(
            (self.codes == np.frombuffer(empty, np.uint8)).all(axis=1).any()
        )

    def hash_of(self, row: int) -> Hash | None:
        """Return the hash of a row, or None."""
        if self.present is not None and not self.present[row]:
            return None
        quality = -1 if self.quality is None else int(self.quality[row])
        return Hash.of_checked(self.kind, self.values[row], None if quality < 0 else quality)

    def texts(self) -> list[Iterable[str]]:
        """Return what a fingerprint has of the hash of each row, in parts."""
        name, size = self.kind.name, 2 * self.kind.size
        text = self.codes.tobytes().hex()
        digits = [text[at : at + size] for at in range(0, len(text), size)]
        if self.present is None and self.quality is None:
            return [repeat(f"\0{name}\0None\0"), digits]
        qualities = repeat(-1) if self.quality is None else self.quality.tolist()
        present = repeat(True) if self.present is None else self.present.tolist()
        return [
            [
                f"\0{name}\0{None if quality < 0 else quality}\0{value}" if there else ""
                for there, quality, value in zip(present, qualities, digits, strict=False)
            ]
        ]


@dataclass(frozen=True)
class Columns:
    """Sound rows of a file that follow each other, each with a hash, the first from line `line`.

    `hashes` are in the order of `KINDS`, of kinds whose values have one length.
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

    def row(self, place: int) -> Row:
        """Return one of the rows."""
        hashes = (column.hash_of(place) for column in self.hashes)
        return Row(
            self.line + place,
            self.entries[place],
            self.states[place],
            tuple([one for one in hashes if one is not None]),
            self.categories[place],
            self.labels[place],
            self.updated[place],
        )

    def at(self, rows: npt.NDArray[np.int64]) -> Columns:
        """Return some of the rows; their lines are lost."""
        if len(rows) == len(self):
            return self
        places = rows.tolist()
        entries, states, categories, labels, updated = (
            [column[place] for place in places]
            for column in (self.entries, self.states, self.categories, self.labels, self.updated)
        )
        hashes = tuple([column.at(rows) for column in self.hashes])
        return Columns(self.line, entries, hashes, states, categories, labels, updated)

    def restated(self, states: Mapping[State, State]) -> Columns:
        """Return the rows with other states instead of some."""
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
        """The stored facts of all rows, if they are the same for all and say nothing special."""
        if any(self.categories) or any(self.labels) or any(self.updated):
            return None
        states = set(self.states)
        return (str(states.pop()), "[]", "{}", None) if len(states) == 1 else None

    @cached_property
    def stored(self) -> list[tuple[str, str, str, str | None]]:
        """State, categories, labels and time of each row in the form that is stored."""
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
        """Return the fingerprint of each row: see `stored_rows.version_of`."""
        shared = self.shared
        head: Iterable[str] = (
            repeat("\0".join(map(str, shared)))
            if shared is not None
            else [f"{state}\0{some}\0{labels}\0{time}" for state, some, labels, time in self.stored]
        )
        parts: list[Iterable[str]] = [head]
        for column in self.hashes:
            parts += column.texts()
        blake2b = hashlib.blake2b
        return [
            blake2b("".join(said).encode(), digest_size=16).digest()
            for said in zip(*parts, strict=False)
        ]


def derive_entries(hashes: Sequence[HashColumn], count: int) -> list[str]:
    """Return the entry ids of rows that name none."""
    return [
        derive_entry([one for column in hashes if (one := column.hash_of(row)) is not None])
        for row in range(count)
    ]
