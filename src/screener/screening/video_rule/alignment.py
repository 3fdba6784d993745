"""The agreeing frames of two videos, and their runs at one offset in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from screener.hashing.code_distances import compute_distances, view_words
from screener.hashing.video_frames import Codes, Flags, Frames
from screener.screening.video_rule.scenes import (
    MAX_SCENES,
    MIN_DISTANCE_RATIO,
    NO_DISTANCE,
    ONE_PICTURE_RADII,
    count_common_scenes,
    count_distant_codes,
)

MIN_RUN_SECONDS: Final = 5.0
SAME_PICTURE_BITS: Final = 10  # two PDQs this near are of one picture

# `MIN_DISTANCE_RATIO` of frames that agree within `SAME_PICTURE_BITS`, not only within the radius.
_MIN_CLOSE_RATIO: Final = 2.0
_MAX_RATIO_FRAMES: Final = 64  # frames whose ratio is computed

_BLOCK_PAIRS: Final = 1 << 19  # pairs of frames that are compared at once
_MAX_OFFSETS: Final = 8  # offsets that are tried
_MAX_OFFSET_BINS: Final = 1 << 20
_MAX_STRETCHES: Final = 16  # stretches of one alignment that are tried
_MAX_STEP_SECONDS: Final = 1.0  # that one frame adds to a run
_MIN_TOLERANCE_SECONDS: Final = 0.1
_MAX_TOLERANCE_SECONDS: Final = 5.0

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Pairs:
    """The agreeing frames of two videos, and each frame's least distance."""

    def __init__(self, query: Frames, listed: Frames, radius: int) -> None:
        self.query, self.listed, self.radius = query, listed, radius
        self.query_distances = np.full(len(query), NO_DISTANCE, np.uint16)
        self.listed_distances = np.full(len(listed), NO_DISTANCE, np.uint16)
        # For each block its first query frame, and one bit per pair.
        self._agreeing: list[tuple[int, npt.NDArray[np.uint8]]] = []
        height = max(1, _BLOCK_PAIRS // len(listed))
        listed_words = np.ascontiguousarray(view_words(listed.codes).T)
        for start in range(0, len(query), height):
            query_words = view_words(query.codes[start : start + height])
            distances = np.zeros((len(query_words), len(listed)), np.uint16)
            for word in range(4):
                distances += np.bitwise_count(query_words[:, word, None] ^ listed_words[word])
            self.query_distances[start : start + height] = distances.min(axis=1)
            np.minimum(self.listed_distances, distances.min(axis=0), out=self.listed_distances)
            agreeing = distances <= radius
            if agreeing.any():
                self._agreeing.append((start, np.packbits(agreeing, axis=1)))

    def select_closer(self, radius: int) -> Pairs | None:
        """Return the pairs within a smaller radius, or None if there are none."""
        queries, listed = self.query_distances <= radius, self.listed_distances <= radius
        if not queries.any():
            return None
        return Pairs(self.query.only(queries), self.listed.only(listed), radius)

    def blocks(self) -> Iterator[tuple[Ints, Ints]]:
        """Yield the agreeing pairs of each block, as indices of query and of listed frames."""
        for start, packed in self._agreeing:
            queries, listed = np.nonzero(np.unpackbits(packed, axis=1, count=len(self.listed)))
            yield queries + start, listed


@dataclass(frozen=True)
class Run:
    """A run in which two videos agree at one offset, with the agreeing frames' distances."""

    seconds: float
    input_span: tuple[float, float]
    listed_span: tuple[float, float]
    distances: npt.NDArray[np.uint16]


def find_longest_run(pairs: Pairs) -> Run | None:
    """Return the longest run of the likeliest alignments, or None if there is no run."""
    longest: Run | None = None
    for alignment in _find_alignments(pairs):
        for run in alignment.find_runs():
            if longest is None or run.seconds > longest.seconds:
                longest = run
    return longest


def is_aligned(pairs: Pairs) -> bool:
    """Return whether each frame agrees with its counterpart at some offset.

    Strong compression may move frames up to twice the radius apart.
    """
    return any(
        alignment.fits_no_other_time(
            np.flatnonzero(alignment.distances <= ONE_PICTURE_RADII * alignment.radius), 2
        )
        for alignment in _find_alignments(pairs)
    )


def _find_alignments(pairs: Pairs) -> Iterator[_Alignment]:
    """Yield the two videos at the likeliest offsets.

    Offsets of all agreeing pairs come first, then those of the closest pairs. Footage that hardly
    moves agrees with itself at every offset, except within few bits.
    """
    agreeing = (
        pairs.query.codes[pairs.query_distances <= pairs.radius],
        pairs.listed.codes[pairs.listed_distances <= pairs.radius],
    )
    if min(count_distant_codes(codes, SAME_PICTURE_BITS) for codes in agreeing) < 2:
        return  # a single picture fits at any offset
    # Each frame of the video with fewer frames per second has a frame of the other near its time;
    # the reverse need not be so.
    coarse, fine = pairs.query, pairs.listed
    is_listed_coarse = coarse.step < fine.step
    if is_listed_coarse:
        coarse, fine = fine, coarse
    tolerance = min(max(coarse.step, _MIN_TOLERANCE_SECONDS), _MAX_TOLERANCE_SECONDS)
    offsets = _find_offsets(pairs, tolerance)
    close_pairs = pairs.select_closer(SAME_PICTURE_BITS)
    if close_pairs is not None:
        offsets += _find_offsets(close_pairs, tolerance)
    for offset in dict.fromkeys(offsets):
        shift = offset if is_listed_coarse else -offset  # from times in `coarse` to times in `fine`
        alignment = _Alignment.at_shift(
            coarse, fine, shift, tolerance, pairs.radius, is_listed_coarse=is_listed_coarse
        )
        if alignment is not None:
            yield alignment


def _find_offsets(pairs: Pairs, tolerance: float) -> list[float]:
    """Return the likeliest differences in seconds from a listed time to a query time.

    Each agreeing pair votes. The more pairs its frames are in, the less its vote weighs: a title
    shown for a minute must not outvote moving pictures.
    """
    lowest = pairs.query.times[0] - pairs.listed.times[-1]
    extent = pairs.query.times[-1] - pairs.listed.times[0] - lowest
    width = max(tolerance / 2, float(extent) / _MAX_OFFSET_BINS)
    votes = np.zeros(int(extent / width) + 3)
    query_counts = np.zeros(len(pairs.query), np.int64)
    listed_counts = np.zeros(len(pairs.listed), np.int64)
    for queries, listed in pairs.blocks():
        query_counts += np.bincount(queries, minlength=len(pairs.query))
        listed_counts += np.bincount(listed, minlength=len(pairs.listed))
    for queries, listed in pairs.blocks():
        differences = pairs.query.times[queries] - pairs.listed.times[listed] - lowest
        weights = 1.0 / (query_counts[queries] * listed_counts[listed])
        bins = (differences / width).astype(np.int64) + 1
        votes += np.bincount(bins, weights, minlength=len(votes))
    sums = votes.copy()  # each bin with its neighbours
    sums[1:] += votes[:-1]
    sums[:-1] += votes[1:]
    offsets = []
    for _ in range(_MAX_OFFSETS):
        peak = int(sums.argmax())
        if sums[peak] <= 0:
            break
        offsets.append(float(lowest + (peak - 0.5) * width))
        sums[max(0, peak - 2) : peak + 3] = 0
    return offsets


@dataclass(frozen=True, eq=False)
class _Alignment:
    """Two videos at one offset.

    `coarse`: frames of the video with fewer per second, as far as the other one lasts; `times`:
    their times in `fine`, the other one. `nearest`: for each of them the index of the nearest frame
    of `fine` within the tolerance of its time; `distances`: their distances in bits.
    """

    coarse: Frames
    times: Floats
    fine: Frames
    nearest: Ints
    distances: npt.NDArray[np.uint16]
    tolerance: float
    radius: int
    is_listed_coarse: bool

    @classmethod
    def at_shift(
        cls,
        coarse: Frames,
        fine: Frames,
        shift: float,
        tolerance: float,
        radius: int,
        *,
        is_listed_coarse: bool,
    ) -> _Alignment | None:
        """Return the aligned videos, or None if no frames are at the same time."""
        times = coarse.times + shift
        low, high = fine.times[0] - tolerance, fine.times[-1] + tolerance
        inside = np.flatnonzero((times >= low) & (times <= high))
        if not inside.size:
            return None
        nearest, distances = _find_nearest(coarse.codes[inside], times[inside], fine, tolerance)
        best = _choose_nearest_hashes(coarse.places[inside], distances)
        inside, nearest, distances = inside[best], nearest[best], distances[best]
        return cls(
            coarse.only(inside), times[inside], fine, nearest, distances, tolerance, radius,
            is_listed_coarse,
        )  # fmt: skip

    def find_runs(self) -> Iterator[Run]:
        """Yield runs that agree at no other offset and do not overlap."""
        is_agreeing = self.distances <= self.radius
        step = min(self.coarse.step, _MAX_STEP_SECONDS)
        stretches = [(0, len(is_agreeing))]
        for _ in range(_MAX_STRETCHES):
            if not stretches:
                return
            low, high = stretches.pop()
            first, last = _find_longest_stretch(is_agreeing[low:high], self.times[low:high])
            if last < first:
                continue
            first, last = first + low, last + low
            indices = first + np.flatnonzero(is_agreeing[first : last + 1])
            seconds = float(self.times[last] - self.times[first]) + step
            if seconds + 1e-3 < MIN_RUN_SECONDS:
                continue  # all other runs in it are shorter
            if self.fits_no_other_time(indices, MAX_SCENES):
                yield self._make_run(indices, seconds)
            stretches += [(low, first), (last + 1, high)]

    def _make_run(self, indices: Ints, seconds: float) -> Run:
        coarse_span = find_span(self.coarse.times[indices])
        fine_span = find_span(self.fine.times[self.nearest[indices]])
        spans = (fine_span, coarse_span) if self.is_listed_coarse else (coarse_span, fine_span)
        return Run(seconds, *spans, self.distances[indices])

    def fits_no_other_time(self, indices: Ints, min_scenes: int) -> bool:
        """Return whether agreeing frames would not agree at another time as well.

        They show `min_scenes` scenes; or each is much nearer to its counterpart than to other
        frames.
        """
        coarse, fine = self.coarse.only(indices), self.fine.only(self.nearest[indices])
        return (
            count_common_scenes(coarse, fine, self.radius) >= min_scenes
            or self._keeps_time(indices, SAME_PICTURE_BITS, min_scenes, _MIN_CLOSE_RATIO)
            or self._keeps_time(indices, self.radius, min_scenes, MIN_DISTANCE_RATIO)
        )

    def _keeps_time(self, indices: Ints, bits: int, min_distant: int, min_ratio: float) -> bool:
        """Return whether frames that agree within `bits` are further from frames at other times.

        They must be at least `min_ratio` times further. At least `min_distant` frames of each video
        must be more than `bits` apart. Noise fails, since it is as near to other frames.
        """
        indices = indices[self.distances[indices] <= bits]
        coarse, fine = self.coarse.codes[indices], self.fine.codes[self.nearest[indices]]
        distant = min(count_distant_codes(coarse, bits), count_distant_codes(fine, bits))
        if len(indices) < MAX_SCENES or distant < min_distant:
            return False
        own_distances, other_distances = [], []
        for index in indices[:: -(-len(indices) // _MAX_RATIO_FRAMES)].tolist():
            is_elsewhere = np.abs(self.fine.times - self.times[index]) > self.tolerance
            if is_elsewhere.any():
                own_distances.append(int(self.distances[index]))
                others = compute_distances(self.coarse.codes[index], self.fine.codes[is_elsewhere])
                other_distances.append(int(others.min()))
        if len(own_distances) < MAX_SCENES:
            return False
        return min_ratio * float(np.median(own_distances)) < float(np.median(other_distances))


def _choose_nearest_hashes(frames: Ints, distances: npt.NDArray[np.uint16]) -> Ints:
    order = np.lexsort((distances, frames))
    is_first = np.ones(len(order), bool)
    is_first[1:] = frames[order][1:] != frames[order][:-1]
    return np.sort(order[is_first])


def _find_nearest(
    codes: Codes, times: Floats, fine: Frames, tolerance: float
) -> tuple[Ints, npt.NDArray[np.uint16]]:
    """Return each code's nearest frame within the tolerance of its time, and the distance.

    Of equally near frames, the nearest in time is chosen. The distance is `NO_DISTANCE` if no frame
    is within the tolerance.
    """
    low = np.searchsorted(fine.times, times - tolerance, side="left")
    high = np.searchsorted(fine.times, times + tolerance, side="right")
    nearest = np.zeros(len(codes), np.int64)
    distances = np.full(len(codes), NO_DISTANCE, np.uint16)
    gaps = np.zeros(len(codes))
    for step in range(int((high - low).max(initial=0))):
        queries = np.flatnonzero(low + step < high)
        frames = low[queries] + step
        bits = compute_distances(codes[queries], fine.codes[frames])
        gap = np.abs(fine.times[frames] - times[queries])
        is_nearer = (bits < distances[queries]) | (
            (bits == distances[queries]) & (gap < gaps[queries])
        )
        for best, new in ((distances, bits), (nearest, frames), (gaps, gap)):
            best[queries[is_nearer]] = new[is_nearer]
    return nearest, distances


def _find_longest_stretch(flags: Flags, times: Floats) -> tuple[int, int]:
    """Return the first and last index of the longest stretch of time.

    In it 80 % of the flags are set, those at both ends too. Returns (0, -1) if no flag is set.
    """
    indices = np.flatnonzero(flags)
    if not indices.size:
        return 0, -1
    # A set flag counts 1, any other -4: a stretch has 80 % if its sum is at least 0, that is,
    # if the sum before it is at most the sum at its end. The least sum up to an index only falls,
    # so a binary search finds the first start for each end.
    sums = np.concatenate(([0], np.cumsum(np.where(flags, 1, -4))))
    lowest = np.minimum.accumulate(sums[indices])
    starts = indices[np.searchsorted(-lowest, -sums[indices + 1], side="left")]
    longest = int(np.argmax(times[indices] - times[starts]))
    return int(starts[longest]), int(indices[longest])


def find_span(times: Floats) -> tuple[float, float]:
    """Return the first and the last time."""
    return float(times.min()), float(times.max())
