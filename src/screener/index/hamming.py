"""HammingIndex: which codes lie within a radius of a query. Exact, immutable, one width."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

import screener._core as _core
from screener import arguments
from screener.arguments import checked as checked_threads
from screener.arguments import whole
from screener.errors import HashError, IndexFileError
from screener.index.invariants import check_codes
from screener.index.layout import (
    Identity,
    Sections,
    check_index,
    open_sections,
    write_sections,
)
from screener.index.tables import IndexTables

WIDTHS: Final = (8, 16, 32, 64)
CONTENT: Final = "hamming"

Codes = npt.NDArray[np.uint8]
Found = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint16]]


def _no_hits() -> Found:
    nothing = np.zeros(2, np.int64), np.empty(0, np.int64), np.empty(0, np.uint16)
    for array in nothing:
        array.flags.writeable = False
    return nothing


_NOTHING: Final = _no_hits()  # what most lone queries find, made once

_INT64: Final = np.dtype(np.int64)
_UINT16: Final = np.dtype(np.uint16)


def _unpacked(found: bytearray) -> Found:
    """The arrays in what the core says of a lone query that finds little."""
    hits = (len(found) - 16) // 10
    return (
        np.frombuffer(found, _INT64, 2),
        np.frombuffer(found, _INT64, hits, 16),
        np.frombuffer(found, _UINT16, hits, 16 + 8 * hits),
    )


@dataclass(frozen=True)
class Plan:
    """The way a search goes: what is estimated for a query, in seconds, with and without tables.

    `way` is "flat" (every code is compared, by its leading bits first), "lookup" (the tables,
    query by query) or "join" (the tables, bucket by bucket for all queries together).
    """

    way: str
    flat: float
    tables: float

    def __str__(self) -> str:
        """One sentence that says which and why."""
        if self.way == "flat":
            if self.tables == float("inf"):
                return (
                    f"flat: about {self.flat:.1e} s a query; no tables serve this size and radius"
                )
            return f"flat: about {self.flat:.1e} s a query; the tables would take {self.tables:.1e}"
        return (
            f"{self.way}: about {self.tables:.1e} s a query; every code would take {self.flat:.1e}"
        )


class HammingIndex:
    """Codes of 64, 128, 256 or 512 bits, and exact search by Hamming distance among them.

    Make one with `build` or `open`. It never changes, so threads may share it; processes that
    open the same file share its memory. A pickle of an opened one is its path and what tells the
    file from others, which is mapped where it is read; one that was built is to be saved first.
    """

    __slots__ = ("_codes", "_index", "_sections", "_tables")

    def __init__(
        self, codes: Codes, tables: IndexTables | None = None, sections: Sections | None = None
    ) -> None:
        """Take over arrays that nobody else may change; `build` and `open` see to that."""
        self._codes = codes
        self._tables = IndexTables.none(codes.shape[1]) if tables is None else tables
        self._sections = sections
        self._index = self._tables.bind(codes)

    @classmethod
    def build(
        cls, codes: Codes | Iterable[Codes], *, threads: int = 2, copy: bool = True
    ) -> HammingIndex:
        """An index of a copy of `codes`, uint8 of shape (n, 8), (n, 16), (n, 32) or (n, 64).

        n may be 0, and codes may repeat. A row of a result is a row of `codes`. Instead of one
        array there may be an iterable of them, one behind the other, so that not all need to be
        in memory twice. Ten million codes of 256 bits take seconds; at its peak, memory holds for
        each code its bytes, once more its bytes, 24 bytes, and the index: some 100 bytes of a
        256-bit code, 130 from 16,777,216 codes on. Without `copy` one array is taken over as it
        is: nobody may change it any more. Raises HashError for another type or shape.
        """
        count = checked_threads(threads)
        if not copy and isinstance(codes, np.ndarray):
            _check_codes(codes, "codes")
            codes.flags.writeable = False
            return cls(codes, IndexTables.build(codes, threads=count))
        own = _copy(codes) if isinstance(codes, np.ndarray) else _gathered(codes)
        return cls(own, IndexTables.build(own, threads=count))

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, hugepages: bool = False) -> HammingIndex:
        """Map a saved index; nothing but its directory is read, so it is ready at once.

        With `hugepages` it is copied into memory of this process instead, in pages that make a
        search up to twice as fast, which takes the time of reading the file. Raises
        IndexFileError for a file that is damaged as far as this shows, is not a Hamming index,
        or was written by a newer version; OSError where it cannot be read. `verify` checks the
        rest. Do not cut the file short while it is open.
        """
        sections = open_sections(path, CONTENT)
        if hugepages:
            sections = sections.copied_to(_core.pages(sections.size))
        codes = sections.array("codes", dtype="u1", dimensions=2)
        if codes.shape[1] not in WIDTHS:
            raise IndexFileError(f"{path}: codes of {codes.shape[1]} bytes")
        try:
            return cls(codes, IndexTables.read(sections, codes.shape[1] * 8), sections)
        except ValueError as error:
            raise IndexFileError(f"{path}: {error}") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to a file that appears whole or not at all, readable by its owner.

        IndexFileError where a folder, a device or a pipe is there; OSError where it cannot be
        written.
        """
        tables = self._tables.sections(self.bits)
        write_sections(path, CONTENT, {"codes": self._codes, **tables})

    def verify(self) -> None:
        """Check every array that a search relies on against the codes, and the file's checksums.

        Raises IndexFileError with a sentence that says which section is wrong, and how. Checked is
        what this process holds: of an index in huge pages the copy. Serves a built index as well
        as an opened one. Ten million codes of 256 bits take under a minute and some 40 bytes of
        memory a code.
        """
        tables = self._tables.sections(self.bits)
        check_index(self._sections, partial(check_codes, self._codes, tables))

    def __reduce__(self) -> tuple[Callable[..., HammingIndex], tuple[str, Identity]]:
        """A pickle opens the same file again; IndexFileError where another index is there."""
        if self._sections is None:
            raise TypeError(
                "an index that was built is in the memory of this process alone: for others, save"
                " it and open the file, whose path is what a pickle has"
            )
        return _again, (self._sections.whole, self._sections.identity)

    def __copy__(self) -> HammingIndex:
        """It never changes, so it is its own copy."""
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> HammingIndex:
        return self

    def __len__(self) -> int:
        """How many codes."""
        return int(self._codes.shape[0])

    def __repr__(self) -> str:
        """Size and width, never a code."""
        return f"<HammingIndex of {len(self)} codes of {self.bits} bits>"

    @property
    def bits(self) -> int:
        """The width of the codes."""
        return int(self._codes.shape[1]) * 8

    @property
    def codes(self) -> Codes:
        """The codes, (n, bits / 8), read-only."""
        return self._codes

    def search(self, queries: Codes, *, radius: int, threads: int = 1) -> Found:
        """All codes within `radius` bits (`<=`) of each query.

        `queries` is uint8 of shape (q, bits / 8), or (bits / 8,) for one; `radius` is 0 to
        `bits`. Returns `(offsets, rows, distances)`, int64, int64 and uint16: query i hit
        `rows[offsets[i]:offsets[i + 1]]`, ascending, at those `distances`, whatever the number
        of `threads`; arrays without a hit may be read-only. Raises HashError for another type,
        shape, radius or number, IndexFileError where a damaged file leads astray. The interpreter
        lock is released meanwhile.
        """
        # A lone query takes so little that looking at it closely first would double its time: the
        # core refuses what is not as it should be, and only then we look what that was.
        if type(queries) is not np.ndarray:  # whatever has a buffer would do for the core
            queries = _check_queries(queries, self._codes.shape[1])
        # The core takes what is true for 1.
        if type(radius) is not int:
            radius = self._check_radius(radius)
        if type(threads) is not int:
            threads = checked_threads(threads)
        try:
            found = self._index.search(queries, radius, threads)
        except (TypeError, ValueError):
            queries = _check_queries(queries, self._codes.shape[1])
            found = self._search_checked(
                queries, self._check_radius(radius), checked_threads(threads)
            )
        if type(found) is bytearray:
            return _unpacked(found)
        if found is not None:
            return cast("Found", found)
        if queries.ndim == 1:
            return _NOTHING
        return np.zeros(len(queries) + 1, np.int64), _NOTHING[1], _NOTHING[2]

    def _search_checked(self, queries: Codes, radius: int, threads: int) -> Any:
        try:
            return self._index.search(queries, radius, threads)
        except ValueError as error:
            raise IndexFileError(str(error)) from None

    def explain(self, *, queries: int = 1, radius: int) -> Plan:
        """How a batch of so many queries would be searched, and what each is expected to cost.

        The plan is made for codes and queries like random ones. A query that meets far longer
        buckets is searched in another way by itself, so that no query takes much longer than
        comparing it with every code.
        """
        bits = self._check_radius(radius)
        try:
            way, flat, tables = self._index.plan(whole(queries), bits)
        except TypeError:
            raise HashError(f"queries are a whole number from 0, not {queries!r}") from None
        return Plan(way, flat / 1e9, tables / 1e9)

    def _check_radius(self, radius: int) -> int:
        try:
            bits = whole(radius)
        except TypeError:
            raise HashError(f"a radius is a whole number of bits, not {radius!r}") from None
        if not 0 <= bits <= self.bits:
            raise HashError(f"radius {bits} is not within 0 to {self.bits} bits")
        return bits


def _again(path: str, identity: Identity) -> HammingIndex:
    """The same index, opened once more where a pickle of it is read."""
    index = HammingIndex.open(path)
    if index._sections is None or index._sections.identity != identity:
        raise IndexFileError(f"{path}: is another index than the one that was pickled")
    return index


def _copy(codes: Codes) -> Codes:
    """The codes in pages of their own, read-only."""
    _check_codes(codes, "codes")
    own: Codes = _core.pages(codes.nbytes).reshape(codes.shape)
    own[:] = codes
    own.flags.writeable = False
    return own


def _gathered(arrays: Iterable[Codes]) -> Codes:
    """The codes of all arrays in pages of their own, read-only; each array goes when copied."""
    waiting: deque[Codes] = deque()
    try:
        if isinstance(arrays, bytes | bytearray | memoryview):  # which give numbers, if anything
            raise TypeError
        iterator = iter(arrays)
    except TypeError:
        raise HashError(
            f"codes are a uint8 array or an iterable of them, not {type(arrays).__name__}"
        ) from None
    for number, codes in enumerate(iterator, start=1):
        _check_codes(codes, f"codes of array {number}")
        if waiting and codes.shape[1] != waiting[0].shape[1]:
            raise HashError(
                f"codes of array {number} have {codes.shape[1] * 8} bits,"
                f" those before {waiting[0].shape[1] * 8}"
            )
        # A caller may fill the same array again and again.
        waiting.append(codes.copy())
    if not waiting:
        raise HashError("no array of codes, so nothing says how wide they are")
    width = waiting[0].shape[1]
    own: Codes = _core.pages(sum(codes.nbytes for codes in waiting)).reshape(-1, width)
    at = 0
    while waiting:
        codes = waiting.popleft()
        own[at : at + len(codes)] = codes
        at += len(codes)
    own.flags.writeable = False
    return own


def _check_codes(codes: Any, what: str) -> None:
    """HashError unless it is a two-dimensional uint8 array of a width that there is."""
    if not arguments.is_bytes(codes):
        raise HashError(f"{what} are a uint8 array, not {arguments.named(codes)}")
    if codes.ndim != 2 or codes.shape[1] not in WIDTHS:
        raise HashError(
            f"{what} have the shape (n, 8), (n, 16), (n, 32) or (n, 64), not {codes.shape}"
        )


def _check_queries(queries: Any, width: int) -> Codes:
    """The queries as a contiguous batch; HashError where they do not fit codes of `width`."""
    if isinstance(queries, np.ndarray) and queries.ndim == 1:
        queries = queries[np.newaxis, :]
    _check_codes(queries, "queries")
    if queries.shape[1] != width:
        raise HashError(f"queries of {queries.shape[1] * 8} bits, codes of {width * 8}")
    return np.ascontiguousarray(queries)
