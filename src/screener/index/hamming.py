"""HammingIndex: which codes lie within a radius of a query. Exact, immutable, one width."""

from __future__ import annotations

import operator
import os
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from screener import _core
from screener.errors import HashError, IndexFileError
from screener.index.layout import Sections, open_sections, write_sections

WIDTHS: Final = (8, 16, 32, 64)
CONTENT: Final = "hamming"

Codes = npt.NDArray[np.uint8]
Found = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint16]]


class HammingIndex:
    """Codes of 64, 128, 256 or 512 bits, and exact search by Hamming distance among them.

    Make one with `build` or `open`. It never changes, so threads may share it; processes that
    open the same file share its memory.
    """

    __slots__ = ("_codes", "_sections")

    def __init__(self, codes: Codes, sections: Sections | None = None) -> None:
        """Take over an array that nobody else may change; `build` and `open` see to that."""
        self._codes = codes
        self._sections = sections

    @classmethod
    def build(cls, codes: Codes) -> HammingIndex:
        """An index of a copy of `codes`, uint8 of shape (n, 8), (n, 16), (n, 32) or (n, 64).

        n may be 0. A row of a result is a row of `codes`. Raises HashError for another type
        or shape.
        """
        _check_codes(codes, "codes")
        own = np.array(codes, order="C", copy=True, subok=False)
        own.flags.writeable = False
        return cls(own)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> HammingIndex:
        """Map a saved index; nothing but its directory is read, so it is ready at once.

        Raises IndexFileError for a file that is damaged as far as this shows, is not a Hamming
        index, or was written by a newer version; OSError where it cannot be read. `verify`
        checks the rest. Do not cut the file short while it is open.
        """
        sections = open_sections(path, CONTENT)
        codes = sections.array("codes", dtype="u1", dimensions=2)
        if codes.shape[1] not in WIDTHS:
            raise IndexFileError(f"{path}: codes of {codes.shape[1]} bytes")
        return cls(codes, sections)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to a file that appears whole or not at all, readable by its owner."""
        write_sections(path, CONTENT, {"codes": self._codes})

    def verify(self) -> None:
        """Read the whole file that it was opened from; IndexFileError if a byte has changed."""
        if self._sections is not None:
            self._sections.verify()

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

    def search(self, queries: Codes, *, radius: int) -> Found:
        """All codes within `radius` bits (`<=`) of each query.

        `queries` is uint8 of shape (q, bits / 8), or (bits / 8,) for one; `radius` is 0 to
        `bits`. Returns `(offsets, rows, distances)`, int64, int64 and uint16: query i hit
        `rows[offsets[i]:offsets[i + 1]]`, ascending, at those `distances`. Raises HashError for
        another type, shape or radius. The interpreter lock is released meanwhile.
        """
        batch = _check_queries(queries, self._codes.shape[1])
        offsets, rows, distances = _core.scan(self._codes, batch, self._check_radius(radius))
        return offsets, rows, distances

    def _check_radius(self, radius: int) -> int:
        try:
            whole = operator.index(radius)
        except TypeError:
            raise HashError(f"a radius is a whole number of bits, not {radius!r}") from None
        if not 0 <= whole <= self.bits:
            raise HashError(f"radius {whole} is not within 0 to {self.bits} bits")
        return whole


def _check_codes(codes: Any, what: str) -> None:
    """HashError unless it is a two-dimensional uint8 array of a width that there is."""
    if not isinstance(codes, np.ndarray) or codes.dtype != np.uint8:
        found = codes.dtype if isinstance(codes, np.ndarray) else type(codes).__name__
        raise HashError(f"{what} are a uint8 array, not {found}")
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
