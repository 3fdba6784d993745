"""Whether the frames of a video agree with those of a listed one: the rule, and nothing else.

Two frames agree where their PDQs differ in at most `radius` bits and both have detail enough. The
rule is stated, and compared with that of others, in docs/video-matching.md. Nothing here knows of
lists or files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from screener.hashing.frames import FLOOR, Codes, Flags, Frames, sameness

SECONDS: Final = 5.0  # how long an aligned run lasts at least
SCENES: Final = 3  # that do not agree with each other, in an aligned run
RADIUS: Final = 31

# What a video of one scene, all of whose frames agree with each other, must have beyond the rest.
_SAME_PICTURE: Final = 10  # bits: within them, two PDQ of one picture are said to be the same
_DETAILED: Final = 80  # quality of such pictures
_SAMENESS: Final = 0.3  # most photographs have less, and lines of text more

_MOST: Final = 8_000  # frames of a video that are compared; of longer ones every n-th
_BLOCK: Final = 1 << 19  # pairs of frames at once
_OFFSETS: Final = 8  # alignments that are looked at
_STEP: Final = 1.0  # seconds that a frame stands for at most, in the length of a run
_TOLERANCE: Final = 5.0  # seconds, at most
_BINS: Final = 1 << 20
_TRIES: Final = 16  # stretches of one alignment that are looked at

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Rule(StrEnum):
    """What follows from the frames that agree.

    `whole`: at least 80 % of the listed video's usable frames are found. `run`: for five seconds
    or more, at one offset in time, 80 % of the frames agree. `alike`: what agrees is too little, or
    too much like itself, to make a match: pictures of the listed video are seen, no more.
    """

    WHOLE = "whole"
    RUN = "run"
    ALIKE = "alike"


@dataclass(frozen=True)
class Agreement:
    """How the frames of an input agree with those of a listed video.

    `distance` is the median, over the frames that agree, of each one's least distance in bits.
    `found` of the listed video's `listed` usable frames agree with one of the input's, and
    `agreeing` of the input's `usable` ones with one of the listed video's. The spans are in
    seconds, from the first to the last frame that agrees, in each of both: of the aligned run where
    there is one, of all of them otherwise.
    """

    rule: Rule
    distance: int
    found: int
    listed: int
    agreeing: int
    usable: int
    input_span: tuple[float, float]
    listed_span: tuple[float, float]


def compare(
    query: Frames, listed: Frames, *, radius: int = RADIUS, floor: int = FLOOR
) -> Agreement | None:
    """How a video agrees with a listed one; None where not even `alike` is to be told.

    Both are given with all their frames, also those without detail. The time is that of comparing
    each frame with each, and the memory is bounded.
    """
    ours, theirs = _thinned(query.usable(floor)), _thinned(listed.usable(floor))
    if not len(ours) or not len(theirs):
        return None
    pairs = _Pairs(ours, theirs, radius)
    run = _best_run(pairs)
    found, agreeing = pairs.listed_near <= radius, pairs.query_near <= radius
    counts = int(found.sum()), len(theirs), ours.only(agreeing).count, ours.count
    enough = _most(*counts[:2])
    if enough and _tells_enough(pairs, listed):
        rule = Rule.WHOLE
    elif run is not None:
        rule = Rule.RUN
    elif enough or _most(*counts[2:]):
        rule = Rule.ALIKE
    else:
        return None
    near = pairs.listed_near[found] if rule is Rule.WHOLE else pairs.query_near[agreeing]
    if run is None:
        spans = _span(ours.times[agreeing]), _span(theirs.times[found])
    else:
        spans = run.input_span, run.listed_span
        if rule is Rule.RUN:
            near = run.distances
    return Agreement(rule, int(np.sort(near)[(len(near) - 1) // 2]), *counts, *spans)


def _thinned(frames: Frames) -> Frames:
    return frames.only(slice(None, None, -(-len(frames) // _MOST) or 1))


def _most(some: int, of: int) -> bool:
    """Whether so many are 80 %."""
    return 5 * some >= 4 * of


def _span(times: Floats) -> tuple[float, float]:
    return float(times.min()), float(times.max())


def _words(codes: Codes) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(codes).view(np.uint64)


def _distances(one: Codes, other: Codes) -> npt.NDArray[np.uint16]:
    """Bits between each of one and each of the other; between pairs where the shapes agree so."""
    bits: npt.NDArray[np.uint16] = np.bitwise_count(_words(one) ^ _words(other)).sum(
        axis=-1, dtype=np.uint16
    )
    return bits


class _Pairs:
    """Which frames of two videos agree, and how near each is to its nearest."""

    def __init__(self, query: Frames, listed: Frames, radius: int) -> None:
        self.query, self.listed, self.radius = query, listed, radius
        self.query_near = np.full(len(query), 999, np.uint16)
        self.listed_near = np.full(len(listed), 999, np.uint16)
        self._agree: list[tuple[int, npt.NDArray[np.uint8]]] = []  # packed, a bit for each pair
        height = max(1, _BLOCK // len(listed))
        theirs = np.ascontiguousarray(_words(listed.codes).T)
        for start in range(0, len(query), height):
            ours = _words(query.codes[start : start + height])
            bits = np.zeros((len(ours), len(listed)), np.uint16)
            for word in range(4):
                bits += np.bitwise_count(ours[:, word, None] ^ theirs[word])
            self.query_near[start : start + height] = bits.min(axis=1)
            np.minimum(self.listed_near, bits.min(axis=0), out=self.listed_near)
            near = bits <= radius
            if near.any():
                self._agree.append((start, np.packbits(near, axis=1)))

    def blocks(self) -> Iterator[tuple[Ints, Ints]]:
        """The pairs that agree, as places in the query and in the listed video, block by block."""
        for start, packed in self._agree:
            ours, theirs = np.nonzero(np.unpackbits(packed, axis=1, count=len(self.listed)))
            yield ours + start, theirs


@dataclass(frozen=True)
class _Run:
    """A run in which two videos agree at one offset; `distances` of the frames that do."""

    seconds: float
    input_span: tuple[float, float]
    listed_span: tuple[float, float]
    distances: npt.NDArray[np.uint16]


def _best_run(pairs: _Pairs) -> _Run | None:
    """The longest aligned run of the likeliest alignments."""
    best: _Run | None = None
    # Of two videos sampled differently, each frame of the coarser one has one near its time in the
    # finer one; the other way round it need not.
    coarse, fine = pairs.query, pairs.listed
    turned = coarse.step < fine.step
    if turned:
        coarse, fine = fine, coarse
    tolerance = min(max(coarse.step, 0.1), _TOLERANCE)
    for offset in _offsets(pairs, tolerance):
        shift = offset if turned else -offset  # from the coarser one's times to the finer one's
        for run in _runs(coarse, fine, shift, tolerance, pairs.radius):
            spans = (
                (run.listed_span, run.input_span) if turned else (run.input_span, run.listed_span)
            )
            if best is None or run.seconds > best.seconds:
                best = _Run(run.seconds, *spans, run.distances)
    return best


def _offsets(pairs: _Pairs, tolerance: float) -> list[float]:
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


def _runs(
    coarse: Frames, fine: Frames, shift: float, tolerance: float, radius: int
) -> Iterator[_Run]:
    """The runs of one alignment; `input_span` is that of the coarser video."""
    at = coarse.times + shift
    inside = np.flatnonzero((at >= fine.times[0] - tolerance) & (at <= fine.times[-1] + tolerance))
    if not inside.size:
        return
    nearest, near = _nearest(coarse.codes[inside], at[inside], fine, tolerance)
    best = _best_of_each(coarse.places[inside], near)
    inside, nearest, near = inside[best], nearest[best], near[best]
    agree = near <= radius
    step = min(coarse.step, _STEP)
    waiting = [(0, len(inside))]
    for _ in range(_TRIES):
        if not waiting:
            return
        low, high = waiting.pop()
        first, last = _longest(agree[low:high], at[inside[low:high]])
        if last < first:
            continue
        first, last = first + low, last + low
        where = first + np.flatnonzero(agree[first : last + 1])
        ours, theirs = coarse.only(inside[where]), fine.only(nearest[where])
        seconds = float(ours.times[-1] - ours.times[0]) + step
        if seconds + 1e-3 < SECONDS:
            continue  # no other run of this stretch is longer
        same = near[where] <= _SAME_PICTURE
        if _moves(ours, theirs, radius) or _moves(
            ours.only(same), theirs.only(same), _SAME_PICTURE
        ):
            yield _Run(seconds, _span(ours.times), _span(theirs.times), near[where])
        waiting += [(low, first), (last + 1, high)]


def _best_of_each(places: Ints, near: npt.NDArray[np.uint16]) -> Ints:
    """Of several PDQs of one frame the nearest, as indices in order."""
    order = np.lexsort((near, places))
    first = np.ones(len(order), bool)
    first[1:] = places[order][1:] != places[order][:-1]
    return np.sort(order[first])


def _moves(ours: Frames, theirs: Frames, radius: int) -> bool:
    """Whether the frames of a run are not one or two scenes, which would fit at any offset."""
    return min(_scenes(ours.codes, radius), _scenes(theirs.codes, radius)) >= SCENES


def _nearest(
    codes: Codes, times: Floats, fine: Frames, tolerance: float
) -> tuple[Ints, npt.NDArray[np.uint16]]:
    """For each code at a time the frame that is nearest in bits among those within the tolerance
    of its time, and of equals the one nearest in time; and how near it is in bits: 999 where there
    is none.
    """
    low = np.searchsorted(fine.times, times - tolerance, side="left")
    high = np.searchsorted(fine.times, times + tolerance, side="right")
    best = np.zeros(len(codes), np.int64)
    near = np.full(len(codes), 999, np.uint16)
    away = np.zeros(len(codes))
    for place in range(int((high - low).max(initial=0))):
        which = np.flatnonzero(low + place < high)
        other = low[which] + place
        bits = _distances(codes[which], fine.codes[other])
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


def _scenes(codes: Codes, radius: int) -> int:
    """How many codes there are that do not agree with each other, up to `SCENES`."""
    if not len(codes):
        return 0
    nearest = np.full(len(codes), 999, np.uint16)
    place = 0
    for count in range(1, SCENES):
        nearest = np.minimum(nearest, _distances(codes, codes[place : place + 1]))
        place = int(nearest.argmax())
        if nearest[place] <= radius:
            return count
    return SCENES


def _tells_enough(pairs: _Pairs, listed: Frames) -> bool:
    """Whether frames that agree tell of this video, and not of something that many have.

    Where it has three scenes or more, three must be found, where it has two, both. Where what is
    found agrees with itself, it must hold within much fewer bits, or be one picture, and one that
    no title card has.
    """
    agreeing = pairs.query_near <= pairs.radius
    found = pairs.listed_near <= pairs.radius
    scenes = _scenes(pairs.listed.codes, pairs.radius)
    seen = min(
        _scenes(pairs.query.codes[agreeing], pairs.radius),
        _scenes(pairs.listed.codes[found], pairs.radius),
    )
    if 1 < scenes <= seen:
        return True
    same = (
        pairs.query.codes[pairs.query_near <= _SAME_PICTURE],
        pairs.listed.codes[pairs.listed_near <= _SAME_PICTURE],
    )
    if min(_scenes(codes, _SAME_PICTURE) for codes in same) > 1:
        return True
    return _same_picture(pairs, pairs.query.only(agreeing), listed)


def _same_picture(pairs: _Pairs, agreeing: Frames, listed: Frames) -> bool:
    """Whether a video shows, at two times or more, the detailed picture that a listed one is of.

    All frames of the listed one count here, also those without detail: a title between dark frames
    is not what the video is of.
    """
    if min(len(np.unique(one.times)) for one in (agreeing, listed)) < 2:
        return False
    near = pairs.query_near[pairs.query_near <= pairs.radius]
    same = 2 * int((near <= _SAME_PICTURE).sum()) >= len(near)
    return same and all(_most(len(_detailed(one)), len(one)) for one in (listed, agreeing))


def _detailed(frames: Frames) -> Frames:
    enough = frames.usable(_DETAILED)
    return enough.only(sameness(enough.codes) <= _SAMENESS)
