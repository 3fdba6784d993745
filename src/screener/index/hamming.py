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
from screener.arguments import check_threads, integer
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

# Rows that `pairs` searches at once: a join costs less a row in large batches.
_PAIRS_BATCH: Final = 65_536

Codes = npt.NDArray[np.uint8]
Hits = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint16]]
WeightedHits = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint32]]

_INT64: Final = np.dtype(np.int64)
_UINT16: Final = np.dtype(np.uint16)
_UINT32: Final = np.dtype(np.uint32)


def _no_hits(distance: np.dtype[Any]) -> tuple[npt.NDArray[Any], ...]:
    nothing = np.zeros(2, np.int64), np.empty(0, np.int64), np.empty(0, distance)
    for array in nothing:
        array.flags.writeable = False
    return nothing


# The answers to most single queries, made once.
_NOTHING: Final = cast("Hits", _no_hits(_UINT16))
_NOTHING_WEIGHTED: Final = cast("WeightedHits", _no_hits(_UINT32))


def _unpacked(packed: bytearray, distance: np.dtype[Any]) -> tuple[npt.NDArray[Any], ...]:
    """Return the arrays that the core packs into one buffer for a single query with few hits."""
    count = (len(packed) - 16) // (8 + distance.itemsize)
    return (
        np.frombuffer(packed, _INT64, 2),
        np.frombuffer(packed, _INT64, count, 16),
        np.frombuffer(packed, distance, count, 16 + 8 * count),
    )


@dataclass(frozen=True)
class Plan:
    """The method of a search, and the estimated seconds per query without and with tables.

    `way` is "flat" (compare every code, by its leading bits first), "lookup" (use the tables, query
    by query) or "join" (use the tables, bucket by bucket for all queries together).
    """

    way: str
    flat: float
    tables: float

    def __str__(self) -> str:
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
    """An index of codes of 64, 128, 256 or 512 bits, searched exactly by Hamming distance.

    Make one with `build` or `open`. It never changes, so threads may share it; processes that open
    the same file share its memory. A pickle of an opened index contains path and identity of the
    file and maps it again; save a built index before you pickle it.
    """

    __slots__ = ("_codes", "_index", "_sections", "_tables")

    def __init__(
        self, codes: Codes, tables: IndexTables | None = None, sections: Sections | None = None
    ) -> None:
        """Take over arrays that nobody else may change: use `build` or `open`."""
        self._codes = codes
        self._tables = IndexTables.none(codes.shape[1]) if tables is None else tables
        self._sections = sections
        self._index = self._tables.bind(codes)

    @classmethod
    def build(
        cls, codes: Codes | Iterable[Codes], *, threads: int = 2, copy: bool = True
    ) -> HammingIndex:
        """Return an index of a copy of `codes`, uint8 of shape (n, 8), (n, 16), (n, 32) or (n, 64).

        n may be 0, and codes may repeat. Results contain rows of `codes`. An iterable of arrays
        saves memory, since each is released when it is copied. Ten million codes of 256 bits take
        seconds. The peak of memory is twice the bytes of the codes, 24 bytes for each, and the
        index: some 100 bytes per 256-bit code, 130 from 16,777,216 codes on. Without `copy` the
        index uses the array itself, which nobody may change any more. Raises HashError for another
        type or shape.
        """
        count = check_threads(threads)
        if not copy and isinstance(codes, np.ndarray):
            _check_codes(codes, "codes")
            codes.flags.writeable = False
            return cls(codes, IndexTables.build(codes, threads=count))
        own = _copy(codes) if isinstance(codes, np.ndarray) else _gathered(codes)
        return cls(own, IndexTables.build(own, threads=count))

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, hugepages: bool = False) -> HammingIndex:
        """Map a saved index; it is ready at once, because only its directory is read.

        With `hugepages` the file is read and copied into large pages of this process, which makes a
        search up to twice as fast. Raises IndexFileError for a file whose directory is damaged,
        that is not a Hamming index, or that a newer version wrote; OSError if it cannot be read.
        `verify` checks the rest. Do not truncate the file while it is open.
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
        """Write the index to a file atomically, readable by its owner only.

        Raises IndexFileError if the path is a folder, a device or a pipe, OSError if it cannot be
        written.
        """
        tables = self._tables.sections(self.bits)
        write_sections(path, CONTENT, {"codes": self._codes, **tables})

    def verify(self) -> None:
        """Check all arrays that a search uses against the codes, and an opened file's checksums.

        With `hugepages`, checks the copy in memory. Raises IndexFileError that names the wrong
        section and its fault. Ten million codes of 256 bits take under a minute and some 40 bytes
        of memory per code.
        """
        tables = self._tables.sections(self.bits)
        check_index(self._sections, partial(check_codes, self._codes, tables))

    def __reduce__(self) -> tuple[Callable[..., HammingIndex], tuple[str, Identity]]:
        """Pickle the path; reading raises IndexFileError if another index is there."""
        if self._sections is None:
            raise TypeError(
                "a built index is in the memory of this process only: save it, open the file, and"
                " pickle the opened index"
            )
        return _again, (self._sections.absolute, self._sections.identity)

    def __copy__(self) -> HammingIndex:
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> HammingIndex:
        return self

    def __len__(self) -> int:
        return int(self._codes.shape[0])

    def __repr__(self) -> str:
        return f"<HammingIndex of {len(self)} codes of {self.bits} bits>"

    @property
    def bits(self) -> int:
        """Return the width of the codes."""
        return int(self._codes.shape[1]) * 8

    @property
    def codes(self) -> Codes:
        """Return the codes, (n, bits / 8), read-only."""
        return self._codes

    @property
    def nbytes(self) -> int:
        """Return the bytes of codes and tables, in memory or in the mapped file."""
        tables = self._tables.sections(self.bits).values()
        return int(self._codes.nbytes) + sum(int(array.nbytes) for array in tables)

    def search(self, queries: Codes, *, radius: int, threads: int = 1) -> Hits:
        """Return all codes within `radius` bits (`<=`) of each query.

        `queries` is uint8 of shape (q, bits / 8), or (bits / 8,) for one; `radius` is 0 to `bits`.
        Returns `(offsets, rows, distances)`, int64, int64 and uint16: query i hit
        `rows[offsets[i]:offsets[i + 1]]`, ascending, at those `distances`, whatever the number of
        `threads`. Arrays without a hit may be read-only. Raises HashError for another type, shape,
        radius or number, IndexFileError if a damaged file leads astray. Releases the GIL.
        """
        # Checking a single query first would double its time, so it is checked only after the core
        # has refused it.
        if type(queries) is not np.ndarray:  # the core would take anything with a buffer
            queries = _check_queries(queries, self._codes.shape[1])
        # The core would take True for 1.
        if type(radius) is not int:
            radius = self._check_radius(radius)
        if type(threads) is not int:
            threads = check_threads(threads)
        try:
            hits = self._index.search(queries, radius, threads)
        except (TypeError, ValueError):
            queries = _check_queries(queries, self._codes.shape[1])
            hits = self._search_checked(queries, self._check_radius(radius), check_threads(threads))
        if type(hits) is bytearray:
            return cast("Hits", _unpacked(hits, _UINT16))
        if hits is not None:
            return cast("Hits", hits)
        if queries.ndim == 1:
            return _NOTHING
        return np.zeros(len(queries) + 1, np.int64), _NOTHING[1], _NOTHING[2]

    def _search_checked(self, queries: Codes, radius: int, threads: int) -> Any:
        try:
            return self._index.search(queries, radius, threads)
        except ValueError as error:
            raise IndexFileError(str(error)) from None

    def pairs(
        self, radius: int, *, threads: int = 1
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return all pairs of codes of this index within `radius` bits (`<=`) of each other.

        Returns `(offsets, rows)`, int64: row i is near the later rows
        `rows[offsets[i]:offsets[i + 1]]`, ascending. Each pair stands there once, under its lower
        row, and equal codes are a pair. Memory is in proportion to the pairs: n equal codes have
        n(n - 1) / 2. Raises what `search` raises.
        """
        bits, count = self._check_radius(radius), check_threads(threads)
        offsets = np.zeros(len(self) + 1, np.int64)
        later = [np.empty(0, np.int64)]
        for start in range(0, len(self), _PAIRS_BATCH):
            queries = self._codes[start : start + _PAIRS_BATCH]
            ends, rows, _ = self.search(queries, radius=bits, threads=count)
            owners = np.repeat(np.arange(start, start + len(queries)), np.diff(ends))
            above = rows > owners
            later.append(rows[above])
            hits = np.bincount(owners[above] - start, minlength=len(queries))
            offsets[start + 1 : start + len(queries) + 1] = hits
        return np.cumsum(offsets, out=offsets), np.concatenate(later)

    def search_weighted(
        self,
        codes: Codes,
        weights: npt.NDArray[np.uint8],
        budgets: npt.ArrayLike,
        *,
        threads: int = 1,
    ) -> WeightedHits:
        """Return all codes within its budget (`<=`) of each query, by weighted distance.

        The weighted distance of a code is the sum of the query's weights over the bits in which
        the two differ. `codes` are the queries, uint8 of shape (q, bits / 8); `weights` is uint8 of
        shape (q, bits), in the order of `np.unpackbits(codes, axis=1)`; `budgets` are q integers,
        of which a negative one finds nothing. One query is (bits / 8,), (bits,) and an integer.
        Returns what `search` returns, with weighted distances, uint32, and raises what it raises.
        """
        if type(threads) is not int:
            threads = check_threads(threads)
        # As in `search`, a single query is checked only after the core has refused it.
        if type(budgets) is int and type(codes) is type(weights) is np.ndarray:
            try:
                hits = self._index.search_weighted_one(codes, weights, budgets, threads)
            except (TypeError, ValueError):
                hits = self._search_weighted(codes, weights, budgets, check_threads(threads))
        else:
            hits = self._search_weighted(codes, weights, budgets, check_threads(threads))
        if type(hits) is bytearray:
            return cast("WeightedHits", _unpacked(hits, _UINT32))
        if hits is not None:
            return cast("WeightedHits", hits)
        if np.ndim(codes) == 1:
            return _NOTHING_WEIGHTED
        return np.zeros(len(codes) + 1, np.int64), _NOTHING_WEIGHTED[1], _NOTHING_WEIGHTED[2]

    def _search_weighted(self, codes: Any, weights: Any, budgets: Any, threads: int) -> Any:
        batch = _check_weighted(codes, weights, budgets, self._codes.shape[1])
        try:
            return self._index.search_weighted(*batch, threads)
        except ValueError as error:
            raise IndexFileError(str(error)) from None

    def explain_weighted(
        self, codes: Codes, weights: npt.NDArray[np.uint8], budgets: npt.ArrayLike
    ) -> Plan:
        """Return how these weighted queries would be searched, with estimated times: see `explain`.

        A query whose budget reaches too many codes is searched flat even if the others are not.
        """
        batch = _check_weighted(codes, weights, budgets, self._codes.shape[1])
        way, flat, tables = self._index.plan_weighted(*batch)
        return Plan(way, flat / 1e9, tables / 1e9)

    def explain(self, *, queries: int = 1, radius: int) -> Plan:
        """Return how a batch of that many queries would be searched, with estimated times.

        The plan assumes random codes and queries. A query with far longer buckets is searched flat,
        so that no query takes much longer than comparing it with every code.
        """
        bits = self._check_radius(radius)
        try:
            way, flat, tables = self._index.plan(integer(queries), bits)
        except TypeError:
            raise HashError(f"queries must be an integer from 0, not {queries!r}") from None
        return Plan(way, flat / 1e9, tables / 1e9)

    def _check_radius(self, radius: int) -> int:
        try:
            bits = integer(radius)
        except TypeError:
            raise HashError(f"radius must be an integer, not {radius!r}") from None
        if not 0 <= bits <= self.bits:
            raise HashError(f"radius must be 0 to {self.bits} bits, not {bits}")
        return bits


def _again(path: str, identity: Identity) -> HammingIndex:
    index = HammingIndex.open(path)
    if index._sections is None or index._sections.identity != identity:
        raise IndexFileError(f"{path}: is not the index that was pickled")
    return index


def _copy(codes: Codes) -> Codes:
    _check_codes(codes, "codes")
    own: Codes = _core.pages(codes.nbytes).reshape(codes.shape)
    own[:] = codes
    own.flags.writeable = False
    return own


def _gathered(arrays: Iterable[Codes]) -> Codes:
    """Return the codes of all arrays, copied; each array is released after it is copied."""
    waiting: deque[Codes] = deque()
    try:
        if isinstance(arrays, bytes | bytearray | memoryview):  # iterate over numbers
            raise TypeError
        iterator = iter(arrays)
    except TypeError:
        raise HashError(
            f"codes must be a uint8 array or an iterable of them, not {type(arrays).__name__}"
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
        raise HashError("codes must be at least one array, which gives their width")
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
    if not arguments.is_bytes(codes):
        raise HashError(f"{what} must be a uint8 array, not {arguments.type_name(codes)}")
    if codes.ndim != 2 or codes.shape[1] not in WIDTHS:
        raise HashError(
            f"{what} must have the shape (n, 8), (n, 16), (n, 32) or (n, 64), not {codes.shape}"
        )


def _check_queries(queries: Any, width: int) -> Codes:
    """Return queries as a contiguous batch; HashError if they do not fit codes of `width`."""
    if isinstance(queries, np.ndarray) and queries.ndim == 1:
        queries = queries[np.newaxis, :]
    _check_codes(queries, "queries")
    if queries.shape[1] != width:
        raise HashError(f"queries must have {width * 8} bits, not {queries.shape[1] * 8}")
    return np.ascontiguousarray(queries)


def _check_weighted(
    codes: Any, weights: Any, budgets: Any, width: int
) -> tuple[Codes, npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return weighted queries as contiguous batches; HashError if they do not fit each other."""
    queries = _check_queries(codes, width)
    if not arguments.is_bytes(weights):
        raise HashError(f"weights must be a uint8 array, not {arguments.type_name(weights)}")
    if weights.shape != (*codes.shape[:-1], width * 8):
        raise HashError(
            f"weights must have the shape {(*codes.shape[:-1], width * 8)}, one for each bit of"
            f" each query, not {weights.shape}"
        )
    return (
        queries,
        np.ascontiguousarray(weights.reshape(len(queries), width * 8)),
        _check_budgets(budgets, len(queries), 255 * 8 * width),
    )


def _check_budgets(budgets: Any, count: int, most: int) -> npt.NDArray[np.int64]:
    """Return budgets as an array, each from -1 to `most`, beyond which all are alike."""
    limits = np.asarray(budgets)
    if limits.dtype.kind not in "iu":
        try:
            limits = np.array([max(-1, min(integer(one), most)) for one in limits.flat], np.int64)
        except TypeError:
            raise HashError(f"budgets must be integers, not {limits.dtype}") from None
    if limits.size != count or limits.ndim > 1:
        raise HashError(f"budgets must be {count}, one for each query, not {limits.size}")
    capped: npt.NDArray[np.int64] = np.minimum(limits, most).astype(np.int64).reshape(-1)
    capped[capped < -1] = -1
    return capped
