"""The steps of the soak's writers, and what must be there after each step.

Everything follows from the number of a step, so that a reader in another process knows the set of
every state. An item is an integer from which its code follows. Items 2n and 2n + 1 are neighbours,
a few bits apart.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

SIZE = 32  # bytes of a code
_MOST = 200  # items that a step adds
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@dataclass(frozen=True)
class Change:
    """A step: items that come, items that go, or, with neither, a compaction."""

    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()


class Schedule:
    """The states one after the other, beginning with `first` items after step 0."""

    def __init__(self, *, first: int, most: int = _MOST) -> None:
        """At step 0."""
        self._first = first
        self._most = most
        self._batches: dict[int, list[int]] = {0: list(range(first))}
        self.step = 0
        self.items = set(range(first))

    def copy(self) -> Schedule:
        """Another at the same step."""
        other = Schedule(first=0, most=self._most)
        other._first, other.step, other.items = self._first, self.step, set(self.items)
        other._batches = {step: list(batch) for step, batch in self._batches.items()}
        return other

    def next(self) -> Change:
        """What the next step changes; this does not take it."""
        step = self.step + 1
        if step % 10 == 4:
            return Change()
        if step % 10 in (2, 6):
            recent = range(max(1, step - 8), step)
            return Change(removed=self._chosen(recent, thirds=True))
        if step % 10 == 9:
            return Change(removed=self._chosen(range(max(1, step - 30), max(1, step - 20))))
        count = 2 * random.Random(step).randint(1, self._most // 2)
        start = self._first + step * self._most
        return Change(added=tuple(range(start, start + count)))

    def _chosen(self, steps: range, *, thirds: bool = False) -> tuple[int, ...]:
        some = [item for step in steps for item in self._batches.get(step, ())]
        return tuple(item for item in some if item in self.items and not (thirds and item % 3))

    def advance(self) -> Change:
        """Take the next step; what it changed."""
        change = self.next()
        self.step += 1
        self.items |= set(change.added)
        self.items -= set(change.removed)
        if change.added:
            self._batches[self.step] = list(change.added)
        return change

    def to(self, step: int) -> Schedule:
        """Take steps until that one; this object."""
        if step < self.step:
            raise ValueError(f"at step {self.step} already, beyond {step}")
        while self.step < step:
            self.advance()
        return self


def codes_of(items: object) -> np.ndarray:
    """The codes of items, uint8 (n, SIZE)."""
    numbers = np.fromiter(items, np.uint64)  # type: ignore[call-overload]
    words = np.empty((len(numbers), SIZE // 8), np.uint64)
    for column in range(SIZE // 8):
        mixed = (numbers >> np.uint64(1)) * np.uint64(8) + np.uint64(column + 1)
        mixed = mixed * _MIX[0]
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX[1]
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX[2]
        words[:, column] = mixed ^ (mixed >> np.uint64(31))
    # The odd one of a pair has one to eight of the low bits of its second word turned.
    turned = (
        np.uint64(1) << (np.uint64(1) + (numbers >> np.uint64(1)) % np.uint64(8))
    ) - np.uint64(1)
    words[:, 1] ^= np.where(numbers % np.uint64(2) == 1, turned, np.uint64(0))
    return words.view(np.uint8).reshape(-1, SIZE)


def near(
    codes: np.ndarray, items: np.ndarray, query: np.ndarray, radius: int
) -> set[tuple[int, int]]:
    """The (item, distance) pairs within the radius of a query, by comparing with every code."""
    distances = np.bitwise_count(codes.view(np.uint64) ^ query.view(np.uint64)).sum(axis=1)
    hit = np.flatnonzero(distances <= radius)
    return {(int(items[at]), int(distances[at])) for at in hit}
