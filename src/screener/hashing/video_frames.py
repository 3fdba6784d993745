"""Frames: the hashed frames of one video as arrays, and which of them can tell anything."""

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
    (n, 32), contiguous; `places` say which frame each is of, int64 (n,): a frame may have several,
    as where it may end in two ways.
    """

    times: npt.NDArray[np.float64]
    qualities: npt.NDArray[np.uint8]
    codes: Codes
    places: npt.NDArray[np.int64]

    @classmethod
    def of_value(cls, value: bytes) -> Frames:
        """The frames of a vPDQ value, whatever their order in it."""
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
        """Frames by their times, in whatever order they are given; each has one PDQ unless `places`
        says otherwise.
        """
        seconds = np.asarray(times, np.float64)
        order = np.argsort(seconds, kind="stable")
        quality = np.asarray(qualities, np.uint8)
        frame = np.arange(len(seconds)) if places is None else np.asarray(places, np.int64)
        ordered = np.ascontiguousarray(codes[order])
        return cls(seconds[order], quality[order], ordered, frame[order])

    def __len__(self) -> int:
        """How many PDQs."""
        return len(self.times)

    @property
    def count(self) -> int:
        """How many frames."""
        return len(np.unique(self.places))

    def only(self, which: Flags | npt.NDArray[np.int64] | slice) -> Frames:
        """Those that an index, flags or a slice chooses."""
        return Frames(
            self.times[which], self.qualities[which], self.codes[which], self.places[which]
        )

    def usable(self, floor: int = FLOOR) -> Frames:
        """Those with enough detail to be compared: of a quality of at least `floor`, and whose hash
        is not one of those of blank pictures.
        """
        weights = np.bitwise_count(self.codes).sum(axis=1)
        informed = (weights >= _LEAST) & (weights <= _BITS - _LEAST)
        return self.only((self.qualities >= floor) & informed)

    def detailed(self, most: float) -> Frames:
        """Those of much detail, and of no more `sameness` than that."""
        enough = self.usable(_DETAILED)
        return enough.only(sameness(enough.codes) <= most)

    @property
    def step(self) -> float:
        """Seconds from one frame to the next, as a rule: their median; 0.0 for fewer than two."""
        times = np.unique(self.times)
        return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def sameness(codes: Codes) -> npt.NDArray[np.float64]:
    """How much the rows of a PDQ are each other's likeness or opposite, 0 to 1, for each code.

    A line of text, a bar or a gradient is a product of what it is across and what it is down, and
    so are the coefficients that its PDQ is made of: their signs repeat from row to row. Photographs
    have about 0.22.
    """
    signs = np.unpackbits(codes, axis=1).reshape(-1, 16, 16).astype(np.float32) * 2 - 1
    above = np.triu_indices(16, 1)
    found = []
    for rows in (signs, signs.transpose(0, 2, 1)):
        alike = np.abs(rows @ rows.transpose(0, 2, 1))[:, above[0], above[1]]
        found.append(alike.mean(axis=1) / 16)
    most: npt.NDArray[np.float64] = np.maximum(*found).astype(np.float64)
    return most
