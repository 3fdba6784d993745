"""Values: what indexes hold, as rows of bytes or as byte strings, which compare as a whole."""

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
    """The values of an index, by row, (n, size)."""
    return index.codes if isinstance(index, HammingIndex) else index.values


def as_values(codes: Codes) -> Values:
    """Codes (n, size) as byte strings that compare as a whole; not copied where contiguous."""
    values: Values = np.ascontiguousarray(codes).reshape(-1).view(f"S{codes.shape[1]}")
    return values


def as_codes(values: Values) -> Codes:
    """The other way round: (n, size), read-only."""
    return np.frombuffer(values.tobytes(), np.uint8).reshape(-1, values.dtype.itemsize)


def merged(pieces: Sequence[Values], size: int) -> Values:
    """Sorted values as one sorted array, each once."""
    one: Values = np.concatenate([np.empty(0, f"S{size}"), *pieces])
    # A stable sort finds the sorted runs and merges them.
    one.sort(kind="stable")
    return one[np.concatenate(([True], one[1:] != one[:-1]))] if one.size else one


def places_in(
    where: npt.NDArray[Any], what: npt.NDArray[Any]
) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """Where each of `what` stands, or would stand, in the sorted `where`, and whether it does."""
    if not where.size:
        return np.zeros(what.size, np.int64), np.zeros(what.size, dtype=bool)
    places = np.minimum(np.searchsorted(where, what), where.size - 1)
    return places, np.asarray(where[places] == what)


def contains(where: npt.NDArray[Any], what: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which of `what` are in the sorted `where`."""
    return places_in(where, what)[1]
