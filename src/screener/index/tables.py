"""The tables by which an index finds codes, as arrays: built, and as sections of a file."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from screener import _core
from screener.errors import IndexFileError
from screener.index.layout import Array, Sections

LEAST_CODES: Final = 20_000  # fewer are compared one and all in less time than tables are worth
BUCKETS: Final = 1 << 16
_LINK_TYPES: Final = {1: "u1", 2: "u2", 4: "u4"}

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Tables:
    """What `docs/format.md` says of each section; all empty where there are no tables."""

    directory: npt.NDArray[np.uint32]
    sketches: npt.NDArray[np.uint16]
    links: npt.NDArray[Any]
    rows: npt.NDArray[np.uint32]
    heads: npt.NDArray[np.uint32]
    repeat_starts: npt.NDArray[np.uint64]
    repeats: npt.NDArray[np.uint32]

    @classmethod
    def none(cls) -> Self:
        """No tables: every search compares with every code."""
        four = np.empty(0, np.uint32)
        eight = np.empty(0, np.uint64)
        return cls(four, np.empty(0, np.uint16), np.empty(0, np.uint8), four, four, eight, four)

    @classmethod
    def build(cls, codes: Codes, *, threads: int) -> Self:
        """The tables of `codes`, the same for any number of threads."""
        if len(codes) < max(1, LEAST_CODES) or not _core.can_build_tables(*codes.shape):
            return cls.none()
        directory, sketches, links, link_bytes, rows, heads, repeat_starts, repeats = (
            _core.build_tables(codes, threads)
        )
        links_of_width = links.view(_LINK_TYPES[link_bytes])
        tables = cls(directory, sketches, links_of_width, rows, heads, repeat_starts, repeats)
        for field in fields(tables):
            getattr(tables, field.name).flags.writeable = False
        return tables

    @classmethod
    def read(cls, sections: Sections, bits: int) -> Self:
        """The tables in a file; IndexFileError where they are not for codes of this width."""
        if "directory" not in sections.directory:
            return cls.none()
        permutation = sections.array("chunks", dtype="u2", dimensions=2)
        if not np.array_equal(permutation.reshape(-1), _core.chunk_bits(bits // 8)):
            raise IndexFileError(f"{sections.path}: its bits are in an order unknown here")
        links = sections.directory.get("links")
        link_type = links.dtype.str[1:] if links is not None else "u1"
        return cls(
            sections.array("directory", dtype="u4", dimensions=2).reshape(-1),
            sections.array("sketches", dtype="u2", dimensions=1),
            sections.array("links", dtype=link_type, dimensions=1),
            sections.array("rows", dtype="u4", dimensions=1),
            sections.array("heads", dtype="u4", dimensions=1),
            sections.array("repeat-starts", dtype="u8", dimensions=1),
            sections.array("repeats", dtype="u4", dimensions=1),
        )

    def sections(self, bits: int) -> dict[str, Array]:
        """The arrays by the names of their sections; nothing where there are no tables."""
        if not len(self.directory):
            return {}
        return {
            "chunks": _core.chunk_bits(bits // 8).reshape(-1, 16),
            "directory": self.directory.reshape(-1, BUCKETS + 1),
            "sketches": self.sketches,
            "links": self.links,
            "rows": self.rows,
            "heads": self.heads,
            "repeat-starts": self.repeat_starts,
            "repeats": self.repeats,
        }

    def bind(self, codes: Codes) -> _core.Index:
        """The core's view of these tables and the codes; ValueError where they do not fit."""
        return _core.Index(
            codes,
            self.directory,
            self.sketches,
            self.links.view(np.uint8),
            self.links.dtype.itemsize,
            self.rows,
            self.heads,
            self.repeat_starts,
            self.repeats,
        )
