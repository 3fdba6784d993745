"""Queries: the hashes of one kind, of many items, that are looked up in one batch."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from screener.hashing.hash import HashKind
from screener.located import Located, Turned

Numbers = NDArray[np.int64]


class Batch(NamedTuple):
    """Codes that are searched at once, (n, size), each with so many bits in doubt; `numbers` are
    those of the queries.
    """

    doubt: int
    codes: NDArray[np.uint8]
    numbers: Numbers


class Queries:
    """Filled item by item; then `batches`, and what each query of them is of."""

    def __init__(self, kind: HashKind) -> None:
        self.kind = kind
        self._values: list[bytes] = []
        self._doubts: list[bytes] = []
        self._starts: list[int] = []  # the number of the first query of each group
        self._groups: list[tuple[int, Located | Turned, tuple[int, ...] | None]] = []
        self._count = 0

    def add(self, item: int, group: Located | Turned, chosen: bytes | None = None) -> None:
        """Hashes of the item of a number: all of them, or those of Turned for which there is a 1
        in `chosen`.
        """
        which: tuple[int, ...] | None = None
        if isinstance(group, Located):
            values, doubts = group.hash.value, bytes((group.doubt,))
        elif chosen is None:
            values, doubts = group.values, group.doubts
        else:
            which = tuple(number for number, one in enumerate(chosen) if one)
            size = self.kind.size
            values = b"".join(group.values[size * k : size * (k + 1)] for k in which)
            doubts = bytes(group.doubts[k] for k in which)
        self._starts.append(self._count)
        self._groups.append((item, group, which))
        self._values.append(values)
        self._doubts.append(doubts)
        self._count += len(doubts)

    @cached_property
    def batches(self) -> list[Batch]:
        """All of them, by how many bits are in doubt, since with those they are searched wider."""
        return list(self._batches())

    def _batches(self) -> Iterator[Batch]:
        codes = np.frombuffer(b"".join(self._values), np.uint8).reshape(-1, self.kind.size)
        doubts = b"".join(self._doubts)
        if not any(doubts):
            yield Batch(0, codes, np.arange(len(codes)))
            return
        column = np.frombuffer(doubts, np.uint8)
        for doubt in sorted(set(doubts)):
            numbers = np.flatnonzero(column == doubt)
            yield Batch(doubt, codes[numbers], numbers)

    def of(self, number: int) -> tuple[int, Located]:
        """The item, and the hash, of a query."""
        place = bisect_right(self._starts, number) - 1
        item, group, which = self._groups[place]
        if isinstance(group, Located):
            return item, group
        place = number - self._starts[place]
        return item, tuple(group.each())[place if which is None else which[place]]
