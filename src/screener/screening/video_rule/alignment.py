"""Which frames of two videos agree, and the runs in which they do so at one offset in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from screener.hashing.video_frames import Codes, Flags, Frames
from screener.screening.video_rule.scenes import (
    FAR,
    NEARER,
    ONE_PICTURE,
    SCENES,
    count_apart,
    distances,
    seen_of,
    words,
)

SECONDS: Final = 5.0  # the shortest aligned run
SAME_PICTURE: Final = 10  # bits within which two PDQs are of one picture

# How many times nearer a frame within few bits must be to its own than to others, if the frames are
# not different scenes; within the radius it is `NEARER`.
_MUCH_NEARER: Final = 2.0

_TESTED: Final = 64  # frames that are tested for it

_BLOCK: Final = 1 << 19  # pairs of frames compared at once
_OFFSETS: Final = 8  # offsets that are tried
_STEP: Final = 1.0  # seconds: the longest time that one frame adds to a run
_TOLERANCE: Final = 5.0  # seconds: the largest
_BINS: Final = 1 << 20
_TRIES: Final = 16  # stretches of one alignment that are tried

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Pairs:
    """Which frames of two videos agree, and how near each is to its nearest."""

    def __init__(self, query: Frames, listed: Frames, radius: int) -> None:
        self.query, self.listed, self.radius = query, listed, radius
        self.query_near = np.full(len(query), FAR, np.uint16)
        self.listed_near = np.full(len(listed), FAR, np.uint16)
        self._agree: list[tuple[int, npt.NDArray[np.uint8]]] = []  # bits, one a pair
        height = max(1, _BLOCK // len(listed))
        theirs = np.ascontiguousarray(words(listed.codes).T)
        for start in range(0, len(query), height):
            ours = words(query.codes[start : start + height])
            bits = np.zeros((len(ours), len(listed)), np.uint16)
            for word in range(4):
                bits += np.bitwise_count(ours[:, word, None] ^ theirs[word])
            self.query_near[start : start + height] = bits.min(axis=1)
            np.minimum(self.listed_near, bits.min(axis=0), out=self.listed_near)
            near = bits <= radius
            if near.any():
                self._agree.append((start, np.packbits(near, axis=1)))

    def closer(self, radius: int) -> Pairs | None:
        """Return the pairs within fewer bits; None if there are none."""
        ours, theirs = self.query_near <= radius, self.listed_near <= radius
        return (
            Pairs(self.query.only(ours), self.listed.only(theirs), radius) if ours.any() else None
        )

    def blocks(self) -> Iterator[tuple[Ints, Ints]]:
        """Yield the agreeing pairs block by block, as places in the query and the listed video."""
        for start, packed in self._agree:
            ours, theirs = np.nonzero(np.unpackbits(packed, axis=1, count=len(self.listed)))
            yield ours + start, theirs


@dataclass(frozen=True)
class Run:
    """A run in which two videos agree at one offset; `distances` are of the agreeing frames."""

    seconds: float
    input_span: tuple[float, float]
    listed_span: tuple[float, float]
    distances: npt.NDArray[np.uint16]


def best_run(pairs: Pairs) -> Run | None:
    """Return the longest run, of the likeliest alignments, whose frames fit only there."""
    best: Run | None = None
    for aligned in _alignments(pairs):
        for run in aligned.runs():
            if best is None or run.seconds > best.seconds:
                best = run
    return best


def is_aligned(pairs: Pairs) -> bool:
    """Return whether frames agree each with its own at some offset, however little they differ.

    Strong compression may take frames up to twice the radius apart.
    """
    return any(
        aligned.fits_only_here(np.flatnonzero(aligned.near <= ONE_PICTURE * aligned.radius), 2)
        for aligned in _alignments(pairs)
    )


def _alignments(pairs: Pairs) -> Iterator[_Aligned]:
    """Yield the two videos at the likeliest offsets: by all agreeing pairs, then by the closest.

    Footage that hardly moves agrees with itself at every offset, except within few bits.
    """
    agreeing = (
        pairs.query.codes[pairs.query_near <= pairs.radius],
        pairs.listed.codes[pairs.listed_near <= pairs.radius],
    )
    if min(count_apart(codes, SAME_PICTURE) for codes in agreeing) < 2:
        return  # one picture, which fits at any offset
    # Each frame of the coarser sampled video has one near its time in the finer one; the reverse
    # need not be so.
    coarse, fine = pairs.query, pairs.listed
    swapped = coarse.step < fine.step
    if swapped:
        coarse, fine = fine, coarse
    tolerance = min(max(coarse.step, 0.1), _TOLERANCE)
    close = pairs.closer(SAME_PICTURE)
    offsets = [*_offsets(pairs, tolerance), *(_offsets(close, tolerance) if close else ())]
    for offset in dict.fromkeys(offsets):
        shift = offset if swapped else -offset  # from the coarser one's times to the finer one's
        aligned = _Aligned.of(coarse, fine, shift, tolerance, pairs.radius, swapped=swapped)
        if aligned is not None:
            yield aligned


def _offsets(pairs: Pairs, tolerance: float) -> list[float]:
    """Return the likeliest differences between a time in the query and one in the listed video.

    Each agreeing pair votes, with less weight the more pairs its frames are in: a title shown for a
    minute must not outvote what moves.
    """
    width = tolerance / 2
    lowest = pairs.query.times[0] - pairs.listed.times[-1]
    extent = pairs.query.times[-1] - pairs.listed.times[0] - lowest
    width = max(width, float(extent) / _BINS)
    votes = np.zeros(int(extent / width) + 3)
    counts = np.zeros(len(pairs.query), np.int64), np.zeros(len(pairs.listed), np.int64)
    for ours, theirs in pairs.blocks():
        counts[0][:] += np.bincount(ours, minlength=len(pairs.query))
        counts[1][:] += np.bincount(theirs, minlength=len(pairs.listed))
    for ours, theirs in pairs.blocks():
        differences = pairs.query.times[ours] - pairs.listed.times[theirs] - lowest
        weights = 1.0 / (counts[0][ours] * counts[1][theirs])
        bins = (differences / width).astype(np.int64) + 1
        votes += np.bincount(bins, weights, minlength=len(votes))
    around = votes.copy()
    around[1:] += votes[:-1]
    around[:-1] += votes[1:]
    offsets = []
    for _ in range(_OFFSETS):
        peak = int(around.argmax())
        if around[peak] <= 0:
            break
        offsets.append(float(lowest + (peak - 0.5) * width))
        around[max(0, peak - 2) : peak + 3] = 0
    return offsets


@dataclass(frozen=True, eq=False)
class _Aligned:
    """Two videos at one offset.

    `coarse`: the frames of the coarser sampled one within the finer one, `at` their times in it;
    `nearest`: for each the nearest frame of `fine` within the tolerance of its time, `near` the
    distance in bits. `swapped`: the coarser one is the listed one.
    """

    coarse: Frames
    at: Floats
    fine: Frames
    nearest: Ints
    near: npt.NDArray[np.uint16]
    tolerance: float
    radius: int
    swapped: bool

    @classmethod
    def of(
        cls,
        coarse: Frames,
        fine: Frames,
        shift: float,
        tolerance: float,
        radius: int,
        *,
        swapped: bool,
    ) -> _Aligned | None:
        """Return the videos aligned by `shift`; None if no frame falls within the finer one."""
        at = coarse.times + shift
        low, high = fine.times[0] - tolerance, fine.times[-1] + tolerance
        inside = np.flatnonzero((at >= low) & (at <= high))
        if not inside.size:
            return None
        nearest, near = _nearest(coarse.codes[inside], at[inside], fine, tolerance)
        best = _best_of_each(coarse.places[inside], near)
        inside, nearest, near = inside[best], nearest[best], near[best]
        return cls(coarse.only(inside), at[inside], fine, nearest, near, tolerance, radius, swapped)

    def runs(self) -> Iterator[Run]:
        """Yield runs that agree and fit only here, none overlapping another."""
        agree = self.near <= self.radius
        step = min(self.coarse.step, _STEP)
        waiting = [(0, len(agree))]
        for _ in range(_TRIES):
            if not waiting:
                return
            low, high = waiting.pop()
            first, last = _longest(agree[low:high], self.at[low:high])
            if last < first:
                continue
            first, last = first + low, last + low
            where = first + np.flatnonzero(agree[first : last + 1])
            seconds = float(self.at[last] - self.at[first]) + step
            if seconds + 1e-3 < SECONDS:
                continue  # the stretch has no longer run
            if self.fits_only_here(where, SCENES):
                yield self._run(where, seconds)
            waiting += [(low, first), (last + 1, high)]

    def _run(self, where: Ints, seconds: float) -> Run:
        spans = span_of(self.coarse.times[where]), span_of(self.fine.times[self.nearest[where]])
        return Run(seconds, *(spans[::-1] if self.swapped else spans), self.near[where])

    def fits_only_here(self, where: Ints, scenes: int) -> bool:
        """Return whether frames that agree would not agree at another time as well.

        They show so many scenes; or each is nearest to its own, by much if within few bits, by less
        within the radius.
        """
        seen = seen_of(self.coarse.only(where), self.fine.only(self.nearest[where]), self.radius)
        return (
            seen >= scenes
            or self._keeps_time(where, SAME_PICTURE, scenes, _MUCH_NEARER)
            or self._keeps_time(where, self.radius, scenes, NEARER)
        )

    def _keeps_time(self, where: Ints, bits: int, scenes: int, nearer: float) -> bool:
        """Return whether frames agree within `bits`, each `nearer` times more than at another time.

        Enough of them must be further apart than `bits`. Noise is as near to other frames.
        """
        where = where[self.near[where] <= bits]
        ours, theirs = self.coarse.codes[where], self.fine.codes[self.nearest[where]]
        if len(where) < SCENES or min(count_apart(ours, bits), count_apart(theirs, bits)) < scenes:
            return False
        own, others = [], []
        for place in where[:: -(-len(where) // _TESTED)].tolist():
            away = np.abs(self.fine.times - self.at[place]) > self.tolerance
            if away.any():
                own.append(int(self.near[place]))
                other = distances(self.coarse.codes[place], self.fine.codes[away])
                others.append(int(other.min()))
        return len(own) >= SCENES and nearer * float(np.median(own)) < float(np.median(others))


def _best_of_each(places: Ints, near: npt.NDArray[np.uint16]) -> Ints:
    """Return the index of the nearest PDQ of each frame, in order."""
    order = np.lexsort((near, places))
    first = np.ones(len(order), bool)
    first[1:] = places[order][1:] != places[order][:-1]
    return np.sort(order[first])


def _nearest(
    codes: Codes, times: Floats, fine: Frames, tolerance: float
) -> tuple[Ints, npt.NDArray[np.uint16]]:
    """Return for each code the nearest frame within the tolerance of its time, and its distance.

    Of equally near ones it is the nearest in time. The distance is `FAR` if there is none.
    """
    low = np.searchsorted(fine.times, times - tolerance, side="left")
    high = np.searchsorted(fine.times, times + tolerance, side="right")
    best = np.zeros(len(codes), np.int64)
    near = np.full(len(codes), FAR, np.uint16)
    away = np.zeros(len(codes))
    for place in range(int((high - low).max(initial=0))):
        which = np.flatnonzero(low + place < high)
        other = low[which] + place
        bits = distances(codes[which], fine.codes[other])
        gap = np.abs(fine.times[other] - times[which])
        nearer = (bits < near[which]) | ((bits == near[which]) & (gap < away[which]))
        for best_so_far, new in ((near, bits), (best, other), (away, gap)):
            best_so_far[which[nearer]] = new[nearer]
    return best, near


def _longest(agree: Flags, times: Floats) -> tuple[int, int]:
    """Return the first and last place of the longest stretch of time with 80 % of its flags set.

    Both ends are set. Returns (0, -1) if no flag is.
    """
    places = np.flatnonzero(agree)
    if not places.size:
        return 0, -1
    # A set flag counts 1, any other -4: a stretch has 80 % if its sum is at least 0, that is,
    # if the sum before it is at most the sum at its end. The least sum up to a place only falls, so
    # a binary search finds the first start for each end.
    sums = np.concatenate(([0], np.cumsum(np.where(agree, 1, -4))))
    lowest = np.minimum.accumulate(sums[places])
    starts = places[np.searchsorted(-lowest, -sums[places + 1], side="left")]
    longest = int(np.argmax(times[places] - times[starts]))
    return int(starts[longest]), int(places[longest])


def span_of(times: Floats) -> tuple[float, float]:
    """Return the first and the last time."""
    return float(times.min()), float(times.max())
