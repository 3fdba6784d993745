"""The hashed frames of one video as arrays, and which of them can be compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from screener.hashing.vpdq_value import PACKED

Codes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

FLOOR = 50  # the least quality of a frame that is compared
_DETAILED = 80  # quality of a frame of much detail
_BITS = 256
_LEAST = _BITS // 16  # bits set, and unset, below which a hash is that of a blank picture


@dataclass(frozen=True, eq=False)
class Frames:
    """The hashed frames of one video, in order of time.

    `times` are seconds, float64 (n,); `qualities` 0 to 100, uint8 (n,); `codes` PDQs, uint8
    (n, 32), contiguous; `places` the number of the frame of each PDQ, int64 (n,): a frame may have
    several PDQs.
    """

    times: npt.NDArray[np.float64]
    qualities: npt.NDArray[np.uint8]
    codes: Codes
    places: npt.NDArray[np.int64]

    @classmethod
    def of_value(cls, value: bytes) -> Frames:
        """Return the frames of a vPDQ value, in any order."""
        packed = np.frombuffer(value, PACKED)
        return cls.ordered(packed["time"], packed["quality"], packed["pdq"])

    @classmethod
    def ordered(
        cls,
        times: npt.ArrayLike,
        qualities: npt.ArrayLike,
        codes: Codes,
        places: npt.ArrayLike | None = None,
    ) -> Frames:
        """Return frames sorted by time; each has one PDQ if there are no `places`."""
        seconds = np.asarray(times, np.float64)
        order = np.argsort(seconds, kind="stable")
        quality = np.asarray(qualities, np.uint8)
        frame = np.arange(len(seconds)) if places is None else np.asarray(places, np.int64)
        ordered = np.ascontiguousarray(codes[order])
        return cls(seconds[order], quality[order], ordered, frame[order])

    def __len__(self) -> int:
        return len(self.times)

    @property
    def count(self) -> int:
        """Return how many frames there are."""
        return len(np.unique(self.places))

    def only(self, which: Flags | npt.NDArray[np.int64] | slice) -> Frames:
        """Return the PDQs that indices, flags or a slice select."""
        return Frames(
            self.times[which], self.qualities[which], self.codes[which], self.places[which]
        )

    def usable(self, floor: int = FLOOR) -> Frames:
        """Return the PDQs to compare: of enough quality, and not of a blank picture."""
        weights = np.bitwise_count(self.codes).sum(axis=1)
        informed = (weights >= _LEAST) & (weights <= _BITS - _LEAST)
        return self.only((self.qualities >= floor) & informed)

    def detailed(self, most: float) -> Frames:
        """Return the PDQs with much detail and `sameness` of at most `most`."""
        enough = self.usable(_DETAILED)
        return enough.only(sameness(enough.codes) <= most)

    @property
    def step(self) -> float:
        """Return the median of seconds between frames; 0.0 for fewer than two."""
        times = np.unique(self.times)
        return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def sameness(codes: Codes) -> npt.NDArray[np.float64]:
    """Return for each PDQ how much its rows are alike or opposite, 0 to 1.

    The coefficients of a line of text, a bar or a gradient are the product of a row and a column,
    so their signs repeat from row to row. Photographs have about 0.22.
    """
    signs = np.unpackbits(codes, axis=1).reshape(-1, 16, 16).astype(np.float32) * 2 - 1
    above = np.triu_indices(16, 1)
    found = []
    for rows in (signs, signs.transpose(0, 2, 1)):
        alike = np.abs(rows @ rows.transpose(0, 2, 1))[:, above[0], above[1]]
        found.append(alike.mean(axis=1) / 16)
    most: npt.NDArray[np.float64] = np.maximum(*found).astype(np.float64)
    return most
