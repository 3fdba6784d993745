"""Snapshot: several immutable indexes searched as one, without the removed rows.

A row of the snapshot is a row of a part plus the lengths of the parts before it, oldest first.
Parts of segments contain distinct values in ascending order, so that `find` is a binary search.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from screener import arguments
from screener.errors import HashError, IndexFileError
from screener.index.digests import DigestIndex
from screener.index.hamming import HammingIndex, Plan
from screener.index.values import (
    Codes,
    Index,
    Rows,
    Values,
    as_values,
    merged,
    places_in,
    values_of,
)

NONE_REMOVED: Final[Rows] = np.empty(0, np.int64)


Distances = npt.NDArray[np.uint16]
Weights = npt.NDArray[np.uint32]  # weighted distances
_Answer = tuple[npt.NDArray[Any], ...]  # offsets, rows, and perhaps distances

_BLOCK: Final = 1 << 18  # values looked for at once


class Snapshot:
    """One consistent state of a set of codes or digests. It never changes; threads may share it.

    `parts` are indexes of one class and width, at least one; `removed` the rows, ascending, that
    are not to be found any more.
    """

    __slots__ = ("_alone", "_bases", "_parts", "_removed", "_starts")

    def __init__(self, parts: Sequence[Index], removed: Rows = NONE_REMOVED) -> None:
        """Take over both; IndexFileError if removed rows are out of order or out of range."""
        self._parts = tuple(parts)
        self._bases = np.cumsum([0, *map(len, self._parts)], dtype=np.int64)
        self._starts = self._bases.tolist()
        self._removed = removed
        self._alone = self._parts[0] if len(self._parts) == 1 and not removed.size else None
        if removed.size and not (
            removed[0] >= 0 and removed[-1] < self._bases[-1] and (removed[1:] > removed[:-1]).all()
        ):
            raise IndexFileError("the removed rows are not those of these indexes")

    def __len__(self) -> int:
        return int(self._bases[-1]) - self._removed.size

    def __repr__(self) -> str:
        return f"<Snapshot of {len(self)} values in {len(self._parts)} parts>"

    @property
    def parts(self) -> tuple[Index, ...]:
        """Return the indexes, oldest first."""
        return self._parts

    @property
    def removed(self) -> Rows:
        """Return the removed rows, ascending."""
        return self._removed

    @property
    def size(self) -> int:
        """Return the bytes of a value."""
        return int(values_of(self._parts[0]).shape[1])

    def search(
        self, queries: Codes, *, radius: int, threads: int = 1
    ) -> tuple[Rows, Rows, Distances]:
        """Search all parts as `HammingIndex.search`; rows are the snapshot's, ascending."""
        if type(self._alone) is HammingIndex:
            return self._alone.search(queries, radius=radius, threads=threads)
        offsets, rows, distances = self._joined(
            [
                part.search(queries, radius=radius, threads=threads)
                for part in self._all(HammingIndex)
            ]
        )
        return offsets, rows, distances

    def search_weighted(
        self,
        codes: Codes,
        weights: npt.NDArray[np.uint8],
        budgets: npt.ArrayLike,
        *,
        threads: int = 1,
    ) -> tuple[Rows, Rows, Weights]:
        """Search all parts as `HammingIndex.search_weighted`; rows are the snapshot's."""
        if type(self._alone) is HammingIndex:
            return self._alone.search_weighted(codes, weights, budgets, threads=threads)
        offsets, rows, distances = self._joined(
            [
                part.search_weighted(codes, weights, budgets, threads=threads)
                for part in self._all(HammingIndex)
            ]
        )
        return offsets, rows, distances

    def explain_weighted(
        self, codes: Codes, weights: npt.NDArray[np.uint8], budgets: npt.ArrayLike
    ) -> tuple[Plan, ...]:
        """Return how each part would be searched: see `HammingIndex.explain_weighted`."""
        return tuple(
            part.explain_weighted(codes, weights, budgets) for part in self._all(HammingIndex)
        )

    def explain(self, *, queries: int = 1, radius: int) -> tuple[Plan, ...]:
        """Return how each part would be searched: see `HammingIndex.explain`."""
        return tuple(
            part.explain(queries=queries, radius=radius) for part in self._all(HammingIndex)
        )

    def lookup(self, queries: Codes) -> tuple[Rows, Rows]:
        """Search all parts as `DigestIndex.search`; rows are the snapshot's, ascending."""
        if type(self._alone) is DigestIndex:
            return self._alone.search(queries)
        offsets, rows = self._joined([part.search(queries) for part in self._all(DigestIndex)])
        return offsets, rows

    def _all(self, wanted: type[Any]) -> Iterable[Any]:
        if not isinstance(self._parts[0], wanted):
            raise HashError("digests are looked up, codes of a perceptual kind are searched")
        return self._parts

    def _joined(self, answers: list[_Answer]) -> _Answer:
        hit = [part for part, answer in enumerate(answers) if len(answer[1])]
        if not hit:
            return answers[0]
        if len(hit) == 1:
            joined = answers[hit[0]]
            if hit[0]:  # the rows of the oldest part are those of the snapshot
                offsets, rows, *others = joined
                joined = (offsets, rows + self._bases[hit[0]], *others)
        else:
            joined = _interleaved([answers[part] for part in hit], self._bases[hit])
        return joined if not self._removed.size else _without(joined, self._removed)

    def codes(self, rows: Sequence[int] | Rows) -> Codes:
        """Return the values of rows, removed ones included, (n, size).

        Raises HashError for a row that is out of range or not an integer.
        """
        wanted = as_rows(rows)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < self._bases[-1]:
            raise HashError("a row is out of range")
        found = np.empty((wanted.size, self.size), np.uint8)
        owners = np.searchsorted(self._bases, wanted, side="right") - 1
        for part in np.unique(owners):
            mine = owners == part
            found[mine] = values_of(self._parts[part])[wanted[mine] - self._bases[part]]
        return found

    def values(self, rows: Iterable[int]) -> list[bytes]:
        """Return the values as byte strings; faster than `codes` for a few rows."""
        found = []
        for row in rows:
            if not 0 <= row < self._starts[-1]:
                raise HashError("a row is out of range")
            part = bisect_right(self._starts, row) - 1
            found.append(values_of(self._parts[part])[row - self._starts[part]].tobytes())
        return found

    def find(self, values: Values) -> Rows:
        """Return the row of each value, removed ones included; -1 if there is none."""
        rows = np.full(values.size, -1, np.int64)
        for part, base in zip(self._parts, self._bases, strict=False):
            places, there = places_in(as_values(values_of(part)), values)
            rows[there] = places[there] + base
        return rows

    def live(self, start: int = 0) -> Values:
        """Return the distinct values of the parts from `start` on, ascending, without removed ones.

        Raises IndexFileError if a part is damaged, so that its values are not in order.
        """
        pieces = []
        for part in range(start, len(self._parts)):
            values = _in_order(self._parts[part])
            low, high = np.searchsorted(self._removed, self._bases[part : part + 2])
            pieces.append(np.delete(values, self._removed[low:high] - self._bases[part]))
        return merged(pieces, self.size)

    def verify(self) -> None:
        """Read all files; IndexFileError if a byte has changed or a value stands in two parts."""
        for number, part in enumerate(self._parts):
            part.verify()
            values, before = _in_order(part), self._parts[:number]
            for start in range(0, len(values) if before else 0, _BLOCK):
                if (Snapshot(before).find(values[start : start + _BLOCK]) >= 0).any():
                    raise IndexFileError("an index file is damaged: two hold the same value")


def _interleaved(answers: list[_Answer], bases: Rows) -> _Answer:
    """Return answers of several parts as one: for each query, the hits of part after part."""
    counts = [np.diff(answer[0]) for answer in answers]
    offsets = np.concatenate(([0], np.cumsum(np.sum(counts, axis=0))))
    columns = [np.empty(offsets[-1], column.dtype) for column in answers[0][1:]]
    starts = offsets[:-1].copy()
    for (inner, rows, *others), count, base in zip(answers, counts, bases, strict=True):
        places = np.arange(len(rows)) + np.repeat(starts - inner[:-1], count)
        for column, values in zip(columns, (rows + base, *others), strict=True):
            column[places] = values
        starts += count
    return (offsets, *columns)


def _without(answer: _Answer, removed: Rows) -> _Answer:
    offsets, rows, *others = answer
    keep = ~places_in(removed, rows)[1]
    kept_before = np.concatenate(([0], np.cumsum(keep)))
    return (kept_before[offsets], rows[keep], *(column[keep] for column in others))


def _in_order(index: Index) -> Values:
    """Return the values of a part; IndexFileError if they are not in order."""
    values = as_values(values_of(index))
    if not bool((values[1:] > values[:-1]).all()):
        raise IndexFileError("an index file is damaged: its values are not in order")
    return values


def as_rows(rows: Sequence[int] | Rows) -> Rows:
    """Return rows as an array; HashError for anything but one dimension of integers."""
    try:
        found = np.asarray(rows)
    except ValueError:
        raise HashError("rows must be a flat list of integers") from None
    if arguments.is_masked(rows):
        raise HashError("rows must not be a masked array")
    if found.size and found.dtype.kind not in "iu":
        raise HashError(f"rows must be integers, not {found.dtype}")
    if found.ndim > 1:
        raise HashError(f"rows must have one dimension, not the shape {found.shape}")
    return found.astype(np.int64)
