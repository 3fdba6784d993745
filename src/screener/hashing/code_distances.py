"""Hamming distances between arrays of codes, computed without an index."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from screener.hashing.video_frames import Codes


def view_words(codes: Codes) -> npt.NDArray[np.uint64]:
    """Return codes as 64-bit words: (n, 32) bytes become (n, 4) words."""
    return np.ascontiguousarray(codes).view(np.uint64)


def compute_distances(codes: Codes, others: Codes) -> npt.NDArray[np.uint16]:
    """Return the distances in bits between codes, broadcast over all axes but the last."""
    differing = view_words(codes) ^ view_words(others)
    distances: npt.NDArray[np.uint16] = np.bitwise_count(differing).sum(axis=-1, dtype=np.uint16)
    return distances
