"""Search for inputs among a list's videos: first by their frames, then video by video.

A match holds for one orientation and region of the input, in which all frames agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from screener.hashing.hash import KINDS, Hash
from screener.hashing.pdq import ORIENTATIONS, derive_orientations
from screener.hashing.video_frames import FLOOR, Frames
from screener.hashing.vpdq_value import vpdq_frames
from screener.lists.hashlist import HashList
from screener.lists.store.video_frames import FrameHolders, ListedVideo
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import INSET, LocatedHash
from screener.screening.matching.criteria import Criteria
from screener.screening.policy import Policy
from screener.screening.result import Match
from screener.screening.video_rule.agreement import Agreement, Rule, compare
from screener.screening.video_rule.scenes import MAX_SCENES

KIND: Final = "vpdq"
_FIRST_SEARCH_FRAMES: Final = 32  # later searches adapt to the number of hits
_TARGET_HITS: Final = 1 << 21  # per search
_ROW_LIMIT: Final = 1 << 40  # more rows than any index has
_VIDEOS_PER_READ: Final = 16
_RULES_BY_RANK: Final = (Rule.WHOLE, Rule.RUN, Rule.ALIKE)

_ClipKey = tuple[bool, int, str, str]  # hidden, track, orientation, region
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Clip:
    """All frames of an input in one orientation and region.

    `item` is the input's number. A `hidden` clip is appended to a picture, a `derived` one turned.
    """

    item: int
    orientation: str
    region: str
    frames: Frames
    hidden: bool = False
    derived: bool = False


def build_clips(item: HashedInput, number: int = 0) -> list[Clip]:
    """Return the clips of an input.

    These are its vPDQs or, without a vPDQ, the PDQs of its frames. A picture is a clip of one
    frame.
    """
    clips = [
        Clip(number, located.orientation, located.region, Frames.of_value(located.hash.value))
        for located in item.hashes
        if located.hash.kind.video
    ]
    return clips or _build_pdq_clips(item, number)


def _build_pdq_clips(item: HashedInput, number: int) -> list[Clip]:
    groups: dict[_ClipKey, list[tuple[float, int, int, bytes]]] = defaultdict(list)
    for located in item.hashes:
        hash_, hidden = located.hash, located.hidden_clip > 0
        is_whole = located.region != INSET and (hidden or located.part_kind == "frame")
        if hash_.kind.name == "pdq" and is_whole:
            quality = 100 if hash_.quality is None else hash_.quality
            groups[hidden, located.track, located.orientation, located.region] += (
                (time, located.part, quality, hash_.value)
                for time in (located.time, *located.again)
            )
    clips = []
    for (hidden, _, orientation, region), frames in groups.items():
        times, parts, qualities, values = zip(*frames, strict=True)
        codes = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)
        # A part that stands for repeats is another frame at each of their times.
        _, frame_numbers = np.unique(np.array([times, parts]), axis=1, return_inverse=True)
        ordered = Frames.ordered(times, qualities, codes, frame_numbers.ravel())
        clips.append(Clip(number, orientation, region, ordered, hidden))
    return clips


def locate_hash(hash_: Hash) -> list[LocatedHash]:
    """Return an item's bare hash as an input's, with the PDQs of a vPDQ's frames."""
    if not hash_.kind.video:
        return [LocatedHash(hash_)]
    return [
        LocatedHash(hash_),
        *(
            LocatedHash(
                Hash(KINDS["pdq"], frame.pdq, frame.quality),
                part=max(frame.number, 0),
                time=frame.time,
            )
            for frame in vpdq_frames(hash_.value)
        ),
    ]


def is_video(item: HashedInput) -> bool:
    """Return whether an input is a video file or has frames at several times."""
    return item.video or any(
        len(np.unique(clip.frames.times)) > 1 for clip in build_clips(item) if not clip.hidden
    )


def is_comparable(item: HashedInput, policy: Policy) -> bool:
    """Return whether comparing an input with listed videos can clear it.

    It needs usable frames at two times or more in all orientations, and at the share of its samples
    that the policy requires.
    """
    min_times = max(2, Criteria(policy).min_moments(item))
    has_enough: dict[str, dict[str, bool]] = defaultdict(partial(defaultdict, bool))
    for clip in build_clips(item):
        if not clip.hidden:
            times = clip.frames.usable(policy.floor[KIND]).times
            has_enough[clip.region][clip.orientation] |= len(np.unique(times)) >= min_times
    return any(all(orientations.values()) for orientations in has_enough.values())


def match_videos(
    hash_list: HashList, items: Sequence[HashedInput], policy: Policy
) -> Iterator[tuple[int, Match]]:
    """Yield the best Match of each input with each listed video, after the input's number."""
    clips = []
    for number, item in enumerate(items):
        for clip in build_clips(item, number):
            clips += [clip, *_derive_clips(clip)] if item.derive else [clip]
    criteria, floor = Criteria(policy), policy.floor[KIND]
    name = hash_list.name
    radii = {state: criteria.radius(name, state, KINDS[KIND]) for state in hash_list.states}
    hits = _search_frames(hash_list, clips, radius=max(radii.values(), default=0), floor=floor)
    best: dict[tuple[int, str, str], tuple[Clip, ListedVideo, Agreement]] = {}
    candidates = _find_candidates(hash_list, hits, floor)
    numbers = sorted(candidates)
    for start in range(0, len(numbers), _VIDEOS_PER_READ):
        for number, video in hash_list.videos(numbers[start : start + _VIDEOS_PER_READ]):
            listed = Frames.of_value(video.value)
            for clip in (clips[index] for index in candidates[number]):
                radius = radii[video.record.state]
                agreement = compare(clip.frames, listed, radius=radius, floor=floor)
                key = clip.item, video.record.source, video.record.entry
                if agreement is not None and (
                    key not in best or _rank(agreement) < _rank(best[key][2])
                ):
                    best[key] = clip, video, agreement
    for clip, video, agreement in best.values():
        radius = radii[video.record.state]
        match = _make_match(name, clip, video, agreement, radius)
        yield clip.item, replace(match, shadow=criteria.is_shadow(name))


def _derive_clips(clip: Clip) -> Iterator[Clip]:
    codes = derive_orientations(clip.frames.codes)
    for number, orientation in enumerate(ORIENTATIONS[1:], 1):
        frames = replace(clip.frames, codes=np.ascontiguousarray(codes[:, number]))
        yield replace(clip, orientation=orientation, frames=frames, derived=True)


def _rank(agreement: Agreement) -> tuple[int, float, int]:
    """Return a sort key: the best of several agreements with a record comes first."""
    share = agreement.found / agreement.listed
    return _RULES_BY_RANK.index(agreement.rule), -share, agreement.distance


@dataclass(frozen=True, eq=False)
class _FrameHits:
    """The listed frames that the clips' frames hit.

    `clips` and `rows`: each pair once; `counts`: the clip's frames that hit the row. `usable`: the
    number of usable frames of each clip.
    """

    clips: Ints
    rows: Ints
    counts: Ints
    usable: Ints


def _search_frames(
    hash_list: HashList, clips: Sequence[Clip], *, radius: int, floor: int
) -> _FrameHits:
    frames = [
        np.unique(clip.frames.usable(floor).codes, axis=0, return_counts=True) for clip in clips
    ]
    usable = np.array([clip.frames.usable(floor).count for clip in clips], np.int64)
    owners = np.repeat(np.arange(len(clips)), [len(codes) for codes, _ in frames])
    repeats = np.concatenate([np.empty(0, np.int64), *(counts for _, counts in frames)])
    codes = np.concatenate([np.empty((0, 32), np.uint8), *(codes for codes, _ in frames)])
    tally = _Tally()
    start, batch_size = 0, _FIRST_SEARCH_FRAMES
    while start < len(codes):
        stop = min(start + batch_size, len(codes))
        offsets, rows, _ = hash_list.search(KIND, codes[start:stop], radius=radius)
        hits = np.diff(offsets)
        keys = np.repeat(owners[start:stop], hits) * _ROW_LIMIT + rows
        tally.add(keys, np.repeat(repeats[start:stop], hits))
        target_size = _TARGET_HITS * (stop - start) // max(1, len(rows))
        start, batch_size = stop, max(1, min(8 * batch_size, target_size))
    keys, counts = tally.total()
    return _FrameHits(keys // _ROW_LIMIT, keys % _ROW_LIMIT, counts, usable)


class _Tally:
    """Counts of numbers. Its memory grows with the distinct numbers only."""

    def __init__(self) -> None:
        self._parts: list[tuple[Ints, Ints]] = []
        self._size = 0

    def add(self, numbers: Ints, counts: Ints) -> None:
        if numbers.size:
            distinct, indices = np.unique(numbers, return_inverse=True)
            self._parts.append((distinct, np.bincount(indices, counts).astype(np.int64)))
            self._size += len(self._parts[-1][0])
            if self._size > 2 * _TARGET_HITS:
                self._parts = [self.total()]
                self._size = len(self._parts[0][0]) // 2  # halved, so that totals are rarely made

    def total(self) -> tuple[Ints, Ints]:
        """Return the distinct numbers, ascending, and their counts."""
        empty = np.empty(0, np.int64)
        numbers = np.concatenate([empty, *(part[0] for part in self._parts)])
        counts = np.concatenate([empty, *(part[1] for part in self._parts)])
        distinct, indices = np.unique(numbers, return_inverse=True)
        totals = np.bincount(indices, counts, minlength=len(distinct))
        return distinct, totals.astype(np.int64)


def _find_candidates(hash_list: HashList, hits: _FrameHits, floor: int) -> dict[int, list[int]]:
    candidates: dict[int, list[int]] = defaultdict(list)
    if not hits.rows.size:
        return candidates
    rows = np.unique(hits.rows)
    holders = hash_list.frame_holders(rows)
    for clip in np.unique(hits.clips).tolist():
        is_of_clip = hits.clips == clip
        counts = np.zeros(len(rows), np.int64)
        counts[np.searchsorted(rows, hits.rows[is_of_clip])] = hits.counts[is_of_clip]
        usable = int(hits.usable[clip])
        for video in _select_possible(holders, counts[holders.places], usable, floor):
            candidates[video].append(clip)
    return candidates


def _select_possible(holders: FrameHolders, counts: Ints, usable: int, floor: int) -> list[int]:
    """Return the videos that a clip may agree with.

    `usable` is the number of the clip's usable frames. `counts` has the number of the clip's frames
    that hit each listed frame. Lists index frames of quality `FLOOR` or more. A higher floor may
    leave a video any number of frames, so every video with a hit is then possible.
    """
    is_hit = counts > 0
    videos, indices = np.unique(holders.videos[is_hit], return_inverse=True)
    video_frames = np.bincount(indices, holders.counts[is_hit])
    clip_frames = np.bincount(indices, counts[is_hit])  # or more, if a frame hits several
    totals = np.array([holders.totals[video] for video in videos.tolist()], np.int64)
    is_possible = (
        (floor > FLOOR)
        | (5 * video_frames >= 4 * totals)
        | (5 * clip_frames >= 4 * usable)
        | (np.bincount(indices) >= MAX_SCENES)
    )
    possible: list[int] = videos[is_possible].tolist()
    return possible


def _make_match(
    list_name: str, clip: Clip, video: ListedVideo, agreement: Agreement, radius: int
) -> Match:
    record = video.record
    return Match(
        list=list_name,
        source=record.source,
        entry=record.entry,
        state=str(record.state),
        kind=KIND,
        distance=agreement.distance,
        radius=radius,
        orientation=clip.orientation,
        region=clip.region,
        part=0,
        part_kind="appended" if clip.hidden else "frame",
        time=agreement.input_span[0],
        category=record.categories,
        source_state=None if record.said is None else str(record.said),
        opinions=record.opinions,
        video=agreement,
        derived=clip.derived,
    )
