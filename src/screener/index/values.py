"""The values in indexes, as rows of bytes or as byte strings that compare as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from screener.index.digests import DigestIndex
from screener.index.hamming import HammingIndex

Index: TypeAlias = HammingIndex | DigestIndex
Codes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
Values = npt.NDArray[np.bytes_]  # of dtype S<size>: compared as bytes, all of one length


def values_of(index: Index) -> Codes:
    """Return the values of an index by row, (n, size)."""
    return index.codes if isinstance(index, HammingIndex) else index.values


def as_values(codes: Codes) -> Values:
    """Return codes (n, size) as byte strings; contiguous codes are not copied."""
    values: Values = np.ascontiguousarray(codes).reshape(-1).view(f"S{codes.shape[1]}")
    return values


def as_codes(values: Values) -> Codes:
    """Return byte strings as codes (n, size), read-only; contiguous ones are not copied."""
    codes = np.ascontiguousarray(values).view(np.uint8).reshape(-1, values.dtype.itemsize)
    codes.flags.writeable = False
    return codes


def merged(pieces: Sequence[Values], size: int) -> Values:
    """Return the distinct values of sorted arrays as one sorted array."""
    values: Values = np.concatenate([np.empty(0, f"S{size}"), *pieces])
    # A stable sort finds the sorted runs and merges them.
    values.sort(kind="stable")
    return values[np.concatenate(([True], values[1:] != values[:-1]))] if values.size else values


def places_in(
    where: npt.NDArray[Any], what: npt.NDArray[Any]
) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """Return the place of each of `what` in the sorted `where`, and whether it is there."""
    if not where.size:
        return np.zeros(what.size, np.int64), np.zeros(what.size, dtype=bool)
    places = np.minimum(np.searchsorted(where, what), where.size - 1)
    return places, np.asarray(where[places] == what)


def contains(where: npt.NDArray[Any], what: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return which of `what` are in the sorted `where`."""
    return places_in(where, what)[1]
