"""Alignment: which frames of two videos agree, and the run at one offset in which they do."""

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
    apart,
    distances,
    seen_of,
    words,
)

SECONDS: Final = 5.0  # how long an aligned run lasts at least
SAME_PICTURE: Final = 10  # bits: within them, two PDQs of one picture are said to be the same

# How many times nearer a frame is to its own than to others, where they are not scenes: within few
# bits, and within the radius.
_MUCH_NEARER: Final = 2.0

_ASKED: Final = 64  # frames of which that is found out

_BLOCK: Final = 1 << 19  # pairs of frames at once
_OFFSETS: Final = 8  # alignments that are looked at
_STEP: Final = 1.0  # seconds that a frame stands for at most, in the length of a run
_TOLERANCE: Final = 5.0  # seconds, at most
_BINS: Final = 1 << 20
_TRIES: Final = 16  # stretches of one alignment that are looked at

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Pairs:
    """Which frames of two videos agree, and how near each is to its nearest."""

    def __init__(self, query: Frames, listed: Frames, radius: int) -> None:
        self.query, self.listed, self.radius = query, listed, radius
        self.query_near = np.full(len(query), FAR, np.uint16)
        self.listed_near = np.full(len(listed), FAR, np.uint16)
        self._agree: list[tuple[int, npt.NDArray[np.uint8]]] = []  # packed, a bit for each pair
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
        """The same within fewer bits; None where nothing agrees within these."""
        ours, theirs = self.query_near <= radius, self.listed_near <= radius
        return (
            Pairs(self.query.only(ours), self.listed.only(theirs), radius) if ours.any() else None
        )

    def blocks(self) -> Iterator[tuple[Ints, Ints]]:
        """The pairs that agree, as places in the query and in the listed video, block by block."""
        for start, packed in self._agree:
            ours, theirs = np.nonzero(np.unpackbits(packed, axis=1, count=len(self.listed)))
            yield ours + start, theirs


@dataclass(frozen=True)
class Run:
    """A run in which two videos agree at one offset; `distances` of the frames that do."""

    seconds: float
    input_span: tuple[float, float]
    listed_span: tuple[float, float]
    distances: npt.NDArray[np.uint16]


def best_run(pairs: Pairs) -> Run | None:
    """The longest run of the likeliest alignments in which the frames move."""
    best: Run | None = None
    for aligned in _alignments(pairs):
        for run in aligned.runs():
            if best is None or run.seconds > best.seconds:
                best = run
    return best


def moves(pairs: Pairs) -> bool:
    """Whether frames, hardly different as they are, agree each with its own at some offset, or may
    be of one picture with it, as where compression took one too far. What else lies beside those
    that agree is of two videos, and says nothing.
    """
    return any(
        aligned.moves(np.flatnonzero(aligned.near <= ONE_PICTURE * aligned.radius), 2)
        for aligned in _alignments(pairs)
    )


def _alignments(pairs: Pairs) -> Iterator[_Aligned]:
    """The two videos at the likeliest offsets: by all pairs that agree, and by those alone that
    agree within few bits, since footage that hardly moves agrees with itself at every offset.
    """
    agreeing = (
        pairs.query.codes[pairs.query_near <= pairs.radius],
        pairs.listed.codes[pairs.listed_near <= pairs.radius],
    )
    if min(apart(codes, SAME_PICTURE) for codes in agreeing) < 2:
        return  # one picture, which fits at any offset
    # Of two videos sampled differently, each frame of the coarser one has one near its time in the
    # finer one; the other way round it need not.
    coarse, fine = pairs.query, pairs.listed
    turned = coarse.step < fine.step
    if turned:
        coarse, fine = fine, coarse
    tolerance = min(max(coarse.step, 0.1), _TOLERANCE)
    close = pairs.closer(SAME_PICTURE)
    found = [*_offsets(pairs, tolerance), *(_offsets(close, tolerance) if close else ())]
    for offset in dict.fromkeys(found):
        shift = offset if turned else -offset  # from the coarser one's times to the finer one's
        aligned = _Aligned.of(coarse, fine, shift, tolerance, pairs.radius, turned=turned)
        if aligned is not None:
            yield aligned


def _offsets(pairs: Pairs, tolerance: float) -> list[float]:
    """The likeliest differences between a time in the query and one in the listed video.

    Each pair that agrees votes, with the less weight the more pairs its frames are in: a title that
    stands for a minute agrees with itself at every offset, and would drown what moves.
    """
    width = tolerance / 2
    lowest = pairs.query.times[0] - pairs.listed.times[-1]
    extent = pairs.query.times[-1] - pairs.listed.times[0] - lowest
    width = max(width, float(extent) / _BINS)
    votes = np.zeros(int(extent / width) + 3)
    often = np.zeros(len(pairs.query), np.int64), np.zeros(len(pairs.listed), np.int64)
    for ours, theirs in pairs.blocks():
        often[0][:] += np.bincount(ours, minlength=len(pairs.query))
        often[1][:] += np.bincount(theirs, minlength=len(pairs.listed))
    for ours, theirs in pairs.blocks():
        apart = pairs.query.times[ours] - pairs.listed.times[theirs] - lowest
        weights = 1.0 / (often[0][ours] * often[1][theirs])
        bins = (apart / width).astype(np.int64) + 1
        votes += np.bincount(bins, weights, minlength=len(votes))
    around = votes.copy()
    around[1:] += votes[:-1]
    around[:-1] += votes[1:]
    found = []
    for _ in range(_OFFSETS):
        peak = int(around.argmax())
        if around[peak] <= 0:
            break
        found.append(float(lowest + (peak - 0.5) * width))
        around[max(0, peak - 2) : peak + 3] = 0
    return found


@dataclass(frozen=True, eq=False)
class _Aligned:
    """Two videos at one offset: the frames of the coarser one that fall within the finer one, `at`
    its times, and for each the nearest frame in bits among those within the tolerance of it.
    `turned` says that the coarser one is the listed one.
    """

    coarse: Frames
    at: Floats
    fine: Frames
    nearest: Ints
    near: npt.NDArray[np.uint16]
    tolerance: float
    radius: int
    turned: bool

    @classmethod
    def of(
        cls,
        coarse: Frames,
        fine: Frames,
        shift: float,
        tolerance: float,
        radius: int,
        *,
        turned: bool,
    ) -> _Aligned | None:
        """Align them; None where none falls within."""
        at = coarse.times + shift
        low, high = fine.times[0] - tolerance, fine.times[-1] + tolerance
        inside = np.flatnonzero((at >= low) & (at <= high))
        if not inside.size:
            return None
        nearest, near = _nearest(coarse.codes[inside], at[inside], fine, tolerance)
        best = _best_of_each(coarse.places[inside], near)
        inside, nearest, near = inside[best], nearest[best], near[best]
        return cls(coarse.only(inside), at[inside], fine, nearest, near, tolerance, radius, turned)

    def runs(self) -> Iterator[Run]:
        """The runs in which they agree and move, of those that do not overlap."""
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
                continue  # no other run of this stretch is longer
            if self.moves(where, SCENES):
                yield self._run(where, seconds)
            waiting += [(low, first), (last + 1, high)]

    def _run(self, where: Ints, seconds: float) -> Run:
        spans = span_of(self.coarse.times[where]), span_of(self.fine.times[self.nearest[where]])
        return Run(seconds, *(spans[::-1] if self.turned else spans), self.near[where])

    def moves(self, where: Ints, scenes: int) -> bool:
        """Whether frames that agree are so many scenes; or each is nearest to its own, by much,
        within few bits or, more loosely, within the radius.
        """
        seen = seen_of(self.coarse.only(where), self.fine.only(self.nearest[where]), self.radius)
        return (
            seen >= scenes
            or self._keeps_time(where, SAME_PICTURE, scenes, _MUCH_NEARER)
            or self._keeps_time(where, self.radius, scenes, NEARER)
        )

    def _keeps_time(self, where: Ints, bits: int, scenes: int, nearer: float) -> bool:
        """Whether frames agree within so many bits, further from each other than that, and each is
        so many times nearer to its own than to any at another time. Noise is not: it is as near to
        others.
        """
        where = where[self.near[where] <= bits]
        ours, theirs = self.coarse.codes[where], self.fine.codes[self.nearest[where]]
        if len(where) < SCENES or min(apart(ours, bits), apart(theirs, bits)) < scenes:
            return False
        own, others = [], []
        for place in where[:: -(-len(where) // _ASKED)].tolist():
            away = np.abs(self.fine.times - self.at[place]) > self.tolerance
            if away.any():
                own.append(int(self.near[place]))
                bits_away = distances(self.coarse.codes[place], self.fine.codes[away])
                others.append(int(bits_away.min()))
        return len(own) >= SCENES and nearer * float(np.median(own)) < float(np.median(others))


def _best_of_each(places: Ints, near: npt.NDArray[np.uint16]) -> Ints:
    """Of several PDQs of one frame the nearest, as indices in order."""
    order = np.lexsort((near, places))
    first = np.ones(len(order), bool)
    first[1:] = places[order][1:] != places[order][:-1]
    return np.sort(order[first])


def _nearest(
    codes: Codes, times: Floats, fine: Frames, tolerance: float
) -> tuple[Ints, npt.NDArray[np.uint16]]:
    """For each code at a time the frame that is nearest in bits among those within the tolerance
    of its time, and of equals the one nearest in time; and how near it is in bits, `FAR` where
    there is none.
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
        apart = np.abs(fine.times[other] - times[which])
        nearer = (bits < near[which]) | ((bits == near[which]) & (apart < away[which]))
        for kept, new in ((near, bits), (best, other), (away, apart)):
            kept[which[nearer]] = new[nearer]
    return best, near


def _longest(agree: Flags, times: Floats) -> tuple[int, int]:
    """The longest stretch of time that begins and ends with a flag that is set and has 80 % of its
    flags set: the places of both; (0, -1) where none is set.
    """
    places = np.flatnonzero(agree)
    if not places.size:
        return 0, -1
    # One for each that is set against four for each that is not: a stretch has 80 % where its sum
    # is not below 0, that is, where the sum before it is not above the sum at its end. The least
    # sum up to a place only falls, so that the first start for each end is found by halving.
    sums = np.concatenate(([0], np.cumsum(np.where(agree, 1, -4))))
    lowest = np.minimum.accumulate(sums[places])
    starts = places[np.searchsorted(-lowest, -sums[places + 1], side="left")]
    longest = int(np.argmax(times[places] - times[starts]))
    return int(starts[longest]), int(places[longest])


def span_of(times: Floats) -> tuple[float, float]:
    """The first and the last of some times."""
    return float(times.min()), float(times.max())
