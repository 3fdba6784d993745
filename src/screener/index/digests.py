"""DigestIndex: exact look-up of values of one size, such as SHA-256 digests."""

from __future__ import annotations

import os
from functools import partial
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

import screener._core as _core
from screener import arguments
from screener.errors import HashError, IndexFileError
from screener.index.invariants import check_digests
from screener.index.layout import Array, Sections, check_index, open_sections, write_sections

CONTENT: Final = "digests"
_MOST_VALUES: Final = 2**32 - 1

Values = npt.NDArray[np.uint8]
Prefixes = npt.NDArray[np.uint64]
Order = npt.NDArray[np.uint32]
Hits = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def _no_hits() -> Hits:
    nothing = np.zeros(2, np.int64), np.empty(0, np.int64)
    for array in nothing:
        array.flags.writeable = False
    return nothing


_NOTHING: Final = _no_hits()  # the answer to most single queries, made once


class DigestIndex:
    """An index of values of one size, searched by equality. Make one with `build` or `open`.

    It never changes, so threads may share it; processes that open the same file share its memory.
    """

    __slots__ = ("_order", "_prefixes", "_sections", "_table", "_values")

    def __init__(
        self, values: Values, prefixes: Prefixes, order: Order, sections: Sections | None = None
    ) -> None:
        """Take over the values, their sorted first eight bytes, and the row of each of those."""
        self._values = values
        self._prefixes = prefixes
        self._order = order
        self._sections = sections
        self._table = _core.Digests(values, prefixes, order)

    @classmethod
    def build(cls, values: Values) -> DigestIndex:
        """Return an index of a copy of `values`, uint8 of shape (n, size of a value).

        n may be 0, and values may repeat. Results contain rows of `values`. Raises HashError for
        another type or shape.
        """
        _check_values(values, "values")
        if len(values) > _MOST_VALUES:
            raise HashError(f"an index holds at most {_MOST_VALUES} values")
        own = np.array(values, order="C", copy=True, subok=False)
        prefixes = _prefixes(own)
        # Stable, so that the rows of one value stay ascending.
        order = np.argsort(prefixes, kind="stable").astype(np.uint32)
        prefixes = prefixes[order]
        for array in (own, prefixes, order):
            array.flags.writeable = False
        return cls(own, prefixes, order)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> DigestIndex:
        """Map a saved index; it is ready at once, because only its directory is read.

        Raises IndexFileError for a file whose directory is damaged, that is not a digest index, or
        that a newer version wrote; OSError if it cannot be read. `verify` checks the rest. Do not
        truncate the file while it is open.
        """
        sections = open_sections(path, CONTENT)
        values = sections.array("values", dtype="u1", dimensions=2)
        prefixes = sections.array("prefixes", dtype="u8", dimensions=1)
        order = sections.array("order", dtype="u4", dimensions=1)
        if values.shape[1] == 0 or not len(values) == len(prefixes) == len(order):
            raise IndexFileError(f"{path}: the sections differ in length")
        return cls(values, prefixes, order, sections)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to a file atomically, readable by its owner only."""
        arrays: dict[str, Array] = {
            "values": self._values,
            "prefixes": self._prefixes,
            "order": self._order,
        }
        write_sections(path, CONTENT, arrays)

    def verify(self) -> None:
        """Check that search can find each value, and the checksums of an opened file.

        Raises IndexFileError that names the wrong section and its fault.
        """
        arrays = self._values, self._prefixes, self._order
        check_index(self._sections, partial(check_digests, *arrays))

    def __len__(self) -> int:
        return int(self._values.shape[0])

    def __repr__(self) -> str:
        return f"<DigestIndex of {len(self)} values of {self._values.shape[1]} bytes>"

    @property
    def values(self) -> Values:
        """Return the values in the order given to `build`, (n, size), read-only."""
        return self._values

    def search(self, queries: Values) -> Hits:
        """Return the rows that equal each query.

        `queries` is uint8 of shape (q, size), or (size,) for one. Returns `(offsets, rows)`,
        int64: query i equals `values[rows[offsets[i]:offsets[i + 1]]]`, rows ascending. Arrays
        without a hit may be read-only. Raises HashError for another type or size, IndexFileError
        if a damaged file leads astray. The interpreter lock is released meanwhile.
        """
        # The core refuses wrong queries; checking a single one first would double its time.
        if type(queries) is not np.ndarray:  # the core would take anything with a buffer
            queries = _check_queries(queries, self._values.shape[1])
        try:
            hits = self._table.search(queries)
        except (TypeError, ValueError):
            hits = self._search_checked(_check_queries(queries, self._values.shape[1]))
        if hits is not None:
            return cast("Hits", hits)
        if queries.ndim == 1:
            return _NOTHING
        return np.zeros(len(queries) + 1, np.int64), _NOTHING[1]

    def _search_checked(self, queries: Values) -> Any:
        try:
            return self._table.search(queries)
        except ValueError as error:
            raise IndexFileError(str(error)) from None


def _check_queries(queries: Any, size: int) -> Values:
    """Return the queries as a contiguous batch; raise HashError if they do not fit the values."""
    if isinstance(queries, np.ndarray) and queries.ndim == 1:
        queries = queries[np.newaxis, :]
    _check_values(queries, "queries")
    if queries.shape[1] != size:
        raise HashError(f"queries must have {size} bytes, not {queries.shape[1]}")
    return np.ascontiguousarray(queries)


def _check_values(values: Any, what: str) -> None:
    if not arguments.is_bytes(values):
        raise HashError(f"{what} must be a uint8 array, not {arguments.type_name(values)}")
    if values.ndim != 2 or values.shape[1] == 0:
        raise HashError(f"{what} must have the shape (n, size), not {values.shape}")


def _prefixes(values: Values) -> Prefixes:
    """Return the first eight bytes of each value as one number, in the order of the values."""
    padded = np.zeros((len(values), 8), np.uint8)
    size = min(8, values.shape[1])
    padded[:, :size] = values[:, :size]
    return padded.view(">u8").reshape(-1).astype(np.uint64)
