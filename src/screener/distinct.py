"""Distinct: which frames of one file differ enough from those hashed before to be hashed too."""

from __future__ import annotations

from screener.hashing.hash import Hash

NEAR = 4
"""Bits of PDQ: a frame at most so far from one that was hashed is left out, so that what it would
reach at distance d is reached at d + NEAR at most.
"""


class Distinct:
    """The frames of one file that are hashed, by their PDQ."""

    def __init__(self) -> None:
        self._known: list[tuple[int, int]] = []

    def add(self, made: Hash) -> bool:
        """Whether a frame of that PDQ is a new one, which is then remembered.

        A frame of more detail than its equal is new: only by it may the two be compared at all.
        """
        near = self.find(made) is not None
        if not near:
            self._known.append((int.from_bytes(made.value), made.quality or 0))
        return not near

    def find(self, made: Hash) -> int | None:
        """Which of the frames remembered, from 0, stands for one of that PDQ; None if none does."""
        value, quality = int.from_bytes(made.value), made.quality or 0
        for number, (other, best) in enumerate(self._known):
            if (value ^ other).bit_count() <= NEAR and quality <= best:
                return number
        return None
