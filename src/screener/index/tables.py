"""The tables of a HammingIndex: arrays, built by the core, stored as sections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

import screener._core as _core
from screener.errors import IndexFileError
from screener.index.layout import Array, Sections

LEAST_CODES: Final = 20_000  # with fewer, comparing all is faster than tables
FEW_CODES: Final = 1_000  # fewer codes beside the balanced ones need no tables
BUCKETS: Final = 1 << 16
WEIGHTS: Final = 16  # of a sketch, besides 0
LARGE_CODES: Final = 1 << 24  # from here on a bucket has many lines
_TYPES: Final = {1: "u1", 2: "u2", 4: "u4"}
_REST: Final = "rest-"
_OF_TABLES: Final = ("directory", "sketches", "links", "rows", "weights")
_SECTIONS: Final = frozenset(
    (
        *("codes", "chunks", "rest", "rest-codes", "heads", "repeat-starts", "repeats"),
        *(prefix + name for prefix in ("", _REST) for name in _OF_TABLES),
    )
)

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Tables:
    """The tables of some of the codes: see `docs/internals/format.md` for each section."""

    directory: npt.NDArray[np.uint32]
    sketches: npt.NDArray[np.uint16]
    links: npt.NDArray[Any]
    rows: npt.NDArray[np.uint32]
    weights: npt.NDArray[np.uint8]  # empty unless the tables are large

    @classmethod
    def built(
        cls,
        directory: npt.NDArray[np.uint32],
        sketches: npt.NDArray[np.uint16],
        links: npt.NDArray[np.uint8],
        link_bytes: int,
        rows: npt.NDArray[np.uint32],
        weights: npt.NDArray[np.uint8],
    ) -> Self:
        """Return tables of the arrays that the core has built."""
        typed = links.view("u2").reshape(-1, 2) if len(weights) else links.view(_TYPES[link_bytes])
        return cls(directory, sketches, typed, rows, weights.reshape(-1, WEIGHTS))

    @classmethod
    def read(cls, sections: Sections, prefix: str = "") -> Self | None:
        """Return the tables in sections with this prefix; None if there are none."""
        if prefix + "directory" not in sections.directory:
            return None
        links = sections.directory.get(prefix + "links")
        link_type = links.dtype.str[1:] if links is not None else "u1"
        large = prefix + "weights" in sections.directory
        tables = cls(
            sections.array(prefix + "directory", dtype="u4", dimensions=2).reshape(-1),
            sections.array(prefix + "sketches", dtype="u2", dimensions=1),
            sections.array(prefix + "links", dtype=link_type, dimensions=1 + large),
            sections.array(prefix + "rows", dtype="u4", dimensions=1),
            sections.array(prefix + "weights", dtype="u1", dimensions=2)
            if large
            else np.empty((0, WEIGHTS), np.uint8),
        )
        if tables.weights.shape[1:] != (WEIGHTS,) or tables.links.shape[1:] != (2,) * large:
            raise IndexFileError(f"{sections.path}: {prefix}weights or {prefix}links: their shape")
        return tables

    @property
    def large(self) -> bool:
        """Return whether links contain a sketch, and buckets are in order of weights."""
        return len(self.weights) > 0

    def sections(self, prefix: str = "") -> dict[str, Array]:
        """Return the arrays by the names of their sections."""
        return {
            prefix + "directory": self.directory.reshape(-1, BUCKETS + 1),
            prefix + "sketches": self.sketches,
            prefix + "links": self.links,
            prefix + "rows": self.rows,
            **({prefix + "weights": self.weights} if self.large else {}),
        }

    def bind(self) -> _core.Tables:
        """Return the core's view of the tables."""
        return _core.Tables(
            self.directory,
            self.sketches,
            self.links.reshape(-1).view(np.uint8),
            4 if self.large else self.links.dtype.itemsize,
            self.rows,
            self.weights.reshape(-1),
        )


@dataclass(frozen=True)
class IndexTables:
    """All tables of an index.

    `main` are the tables of all codes or, if the index is `balanced`, of those with exactly half of
    their bits set. Then `rest` are the tables of the others; if these are few, they are `few_rows`
    and `few_codes` instead, in order of set bits. All is empty if there are no tables.
    """

    main: Tables | None
    balanced: bool
    rest: Tables | None
    few_rows: npt.NDArray[np.uint32]
    few_codes: Codes
    heads: npt.NDArray[np.uint32]
    repeat_starts: npt.NDArray[np.uint64]
    repeats: npt.NDArray[np.uint32]

    @classmethod
    def none(cls, size: int) -> Self:
        """Return no tables for codes of `size` bytes: each search compares every code."""
        four = np.empty(0, np.uint32)
        few = np.empty((0, size), np.uint8)
        return cls(None, False, None, four, few, four, np.empty(0, np.uint64), four)

    @classmethod
    def build(cls, codes: Codes, *, threads: int) -> Self:
        """Return the tables of `codes`, the same for any number of threads."""
        if len(codes) < max(1, LEAST_CODES) or not _core.can_build_tables(*codes.shape):
            return cls.none(codes.shape[1])
        main, balanced, rest, few_rows, few_codes, heads, repeat_starts, repeats = (
            _core.build_tables(codes, min(FEW_CODES, LEAST_CODES), LARGE_CODES, threads)
        )
        tables = cls(
            Tables.built(*main),
            balanced,
            None if rest is None else Tables.built(*rest),
            few_rows,
            few_codes.reshape(-1, codes.shape[1]),
            heads,
            repeat_starts,
            repeats,
        )
        for array in tables.sections(codes.shape[1] * 8).values():
            array.flags.writeable = False
        return tables

    @classmethod
    def read(cls, sections: Sections, bits: int) -> Self:
        """Return the tables in a file; IndexFileError if they do not fit codes of this width."""
        main = Tables.read(sections)
        for name in sections.directory:
            if name not in _SECTIONS or (main is None and name != "codes"):
                raise IndexFileError(f"{sections.path}: section {name!r} is not known here")
        if main is None:
            return cls.none(bits // 8)
        permutation = sections.array("chunks", dtype="u2", dimensions=2)
        if not np.array_equal(permutation.reshape(-1), _core.chunk_bits(bits // 8)):
            raise IndexFileError(f"{sections.path}: its bits are in an order unknown here")
        rest = Tables.read(sections, _REST)
        few = "rest" in sections.directory
        if rest is not None and few:
            raise IndexFileError(f"{sections.path}: codes are both in tables and in none")
        nothing = cls.none(bits // 8)
        return cls(
            main,
            few or rest is not None,
            rest,
            sections.array("rest", dtype="u4", dimensions=1) if few else nothing.few_rows,
            sections.array("rest-codes", dtype="u1", dimensions=2) if few else nothing.few_codes,
            sections.array("heads", dtype="u4", dimensions=1),
            sections.array("repeat-starts", dtype="u8", dimensions=1),
            sections.array("repeats", dtype="u4", dimensions=1),
        )

    def sections(self, bits: int) -> dict[str, Array]:
        """Return the arrays by the names of their sections, none if there are no tables."""
        if self.main is None:
            return {}
        sections = {"chunks": _core.chunk_bits(bits // 8).reshape(-1, 16), **self.main.sections()}
        if self.rest is not None:
            sections |= self.rest.sections(_REST)
        elif self.balanced:
            sections |= {"rest": self.few_rows, "rest-codes": self.few_codes}
        return sections | {
            "heads": self.heads,
            "repeat-starts": self.repeat_starts,
            "repeats": self.repeats,
        }

    def bind(self, codes: Codes) -> _core.Index:
        """Return the core's view of tables and codes; ValueError if they do not fit."""
        return _core.Index(
            codes,
            [tables.bind() for tables in (self.main, self.rest) if tables is not None],
            self.balanced,
            self.few_rows,
            self.few_codes,
            self.heads,
            self.repeat_starts,
            self.repeats,
        )
