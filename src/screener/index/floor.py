"""What a search cannot be faster than: reading the same memory and doing nothing else."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

import screener._core as _core
from screener.index.hamming import HammingIndex

LINE_GROUP: Final = 20
"""The queries whose cache lines one `read_lines` reads."""

HINTS: Final = (("t0", 64), ("t1", 128), ("nta", 64))
"""Prefetch hints, and the number of lines that they are ahead."""

Codes = npt.NDArray[np.uint8]


class Floor:
    """The memory that a HammingIndex reads.

    Parameters:
        index: The index.
        queries: The queries whose cache lines are read, of shape (q, bits / 8).
        radius: Their radius in bits.

    Attributes:
        lines: The average number of cache lines of a query, or None if the search is a scan.
        groups: The number of groups of queries.
    """

    def __init__(self, index: HammingIndex, queries: Codes, radius: int) -> None:
        self._index, self._radius = index, radius
        self._groups: list[npt.NDArray[np.uint32]] = []
        self.lines: float | None = None
        tables = index._tables.main
        if tables is not None and index.explain(radius=radius).way != "flat":
            self._sketches = tables.sketches.view(np.uint8)
            lines = [index._index.lines(query, radius) for query in queries]
            self.lines = sum(map(len, lines)) / len(lines)
            self._groups = [
                np.concatenate(lines[first : first + LINE_GROUP])
                for first in range(0, len(lines) - LINE_GROUP + 1, LINE_GROUP)
            ]
        self.groups = len(self._groups)

    def read_lines(self, group: int, hint: str, ahead: int) -> int:
        """Read the cache lines of a group of queries in their order; return a checksum."""
        return int(_core.read_memory(self._sketches, self._groups[group], ahead, hint))

    def read_codes(self, part: int = 0, parts: int = 1) -> int:
        """Read the whole cache lines of one of `parts` parts of all codes; return a checksum."""
        codes = self._index.codes.reshape(-1)
        size = -(-len(codes) // (64 * parts)) * 64
        return int(_core.read_memory(codes[part * size : (part + 1) * size]))

    def scan(self, query: Codes) -> Any:
        """Search without tables: compare every code with one query."""
        return self._index._index.search(query, self._radius, 1, "flat")
