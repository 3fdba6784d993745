"""Search of inputs in a list's videos: first their frames, then each video that may match.

A match holds for one orientation and region of the input: all frames agree in the same one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from screener.hashing.hash import KINDS, Hash
from screener.hashing.video_frames import FLOOR, Frames
from screener.hashing.vpdq_value import vpdq_frames
from screener.lists.hashlist import HashList
from screener.lists.store.video_frames import FrameHolders, ListedVideo
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash
from screener.screening.matching.criteria import Criteria
from screener.screening.policy import Policy
from screener.screening.result import Match
from screener.screening.video_rule.agreement import Agreement, Rule, compare
from screener.screening.video_rule.scenes import SCENES

KIND: Final = "vpdq"
_FIRST: Final = 32  # frames in the first search; later ones adapt to the number of hits
_HITS: Final = 1 << 21  # aimed at in one search
_ROWS: Final = 1 << 40  # more than any index has
_VIDEOS: Final = 16  # read from the list at once
_RANK: Final = (Rule.WHOLE, Rule.RUN, Rule.ALIKE)

_Group = tuple[bool, int, str, str]  # hidden, track, orientation, region
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Clip:
    """All frames of an input in one orientation and region.

    `item` is the number of the input; `hidden` means a clip hidden in it.
    """

    item: int
    orientation: str
    region: str
    frames: Frames
    hidden: bool = False


def clips_of(item: HashedInput, number: int = 0) -> list[Clip]:
    """Return the clips of an input: its vPDQs if it has any, else the PDQs of its frames.

    A picture is a clip of one frame.
    """
    clips = [
        Clip(number, one.orientation, one.region, Frames.of_value(one.hash.value))
        for one in item.hashes
        if one.hash.kind.video
    ]
    return clips or _pdq_clips(item, number)


def _pdq_clips(item: HashedInput, number: int) -> list[Clip]:
    groups: dict[_Group, list[tuple[float, int, int, bytes]]] = defaultdict(list)
    for one in item.hashes:
        hidden = one.hidden_clip > 0
        if one.hash.kind.name == "pdq" and (hidden or one.part_kind == "frame"):
            quality = 100 if one.hash.quality is None else one.hash.quality
            groups[hidden, one.track, one.orientation, one.region] += (
                (time, one.part, quality, one.hash.value) for time in (one.time, *one.again)
            )
    clips = []
    for (hidden, _, orientation, region), frames in groups.items():
        times, parts, qualities, values = zip(*frames, strict=True)
        codes = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)
        # A part that stands for repeats is another frame at each of their times.
        _, places = np.unique(np.array([times, parts]), axis=1, return_inverse=True)
        ordered = Frames.ordered(times, qualities, codes, places.ravel())
        clips.append(Clip(number, orientation, region, ordered, hidden))
    return clips


def located(hash: Hash) -> list[LocatedHash]:
    """Return a hash made elsewhere as one of an input, with the PDQs of a vPDQ's frames."""
    if not hash.kind.video:
        return [LocatedHash(hash)]
    return [
        LocatedHash(hash),
        *(
            LocatedHash(
                Hash(KINDS["pdq"], frame.pdq, frame.quality),
                part=max(frame.number, 0),
                time=frame.time,
            )
            for frame in vpdq_frames(hash.value)
        ),
    ]


def is_video(item: HashedInput) -> bool:
    """Return whether an input is a video's file or has frames at several times."""
    return item.video or any(
        len(np.unique(clip.frames.times)) > 1 for clip in clips_of(item) if not clip.hidden
    )


def is_comparable(item: HashedInput, policy: Policy) -> bool:
    """Return whether comparing an input with listed videos can clear it.

    It needs usable frames at two times or more in all orientations, and at the share of its samples
    that the policy requires.
    """
    least = max(2, Criteria(policy).min_moments(item))
    enough: dict[str, dict[str, bool]] = defaultdict(partial(defaultdict, bool))
    for clip in clips_of(item):
        if not clip.hidden:
            times = clip.frames.usable(policy.floor[KIND]).times
            enough[clip.region][clip.orientation] |= len(np.unique(times)) >= least
    return any(all(orientations.values()) for orientations in enough.values())


def search(
    hash_list: HashList, items: Sequence[HashedInput], policy: Policy
) -> Iterator[tuple[int, Match]]:
    """Yield the videos of a list that inputs agree with: an input's number, and its best Match."""
    clips = [clip for number, item in enumerate(items) for clip in clips_of(item, number)]
    criteria, floor = Criteria(policy), policy.floor[KIND]
    radii = {state: criteria.radius(state, KINDS[KIND]) for state in hash_list.states}
    hits = _search_frames(hash_list, clips, radius=max(radii.values(), default=0), floor=floor)
    best: dict[tuple[int, str, str], tuple[Clip, ListedVideo, Agreement]] = {}
    candidates = _candidates(hash_list, hits, floor)
    numbers = sorted(candidates)
    for start in range(0, len(numbers), _VIDEOS):
        for number, video in hash_list.videos(numbers[start : start + _VIDEOS]):
            listed = Frames.of_value(video.value)
            for clip in (clips[place] for place in candidates[number]):
                radius = radii[video.record.state]
                agreement = compare(clip.frames, listed, radius=radius, floor=floor)
                key = clip.item, video.record.source, video.record.entry
                if agreement is not None and (
                    key not in best or _rank(agreement) < _rank(best[key][2])
                ):
                    best[key] = clip, video, agreement
    for clip, video, agreement in best.values():
        yield clip.item, _match(hash_list, clip, video, agreement, radii[video.record.state])


def _rank(agreement: Agreement) -> tuple[int, float, int]:
    """Return a sort key: the least is the best of several agreements with a record."""
    share = agreement.found / agreement.listed
    return _RANK.index(agreement.rule), -share, agreement.distance


@dataclass(frozen=True, eq=False)
class _FrameHits:
    """The listed frames that each clip's frames hit.

    `clips` and `rows`: each pair once; `counts`: by how many frames of the clip; `usable`: the
    number of usable frames of each clip.
    """

    clips: Ints
    rows: Ints
    counts: Ints
    usable: Ints


def _search_frames(
    hash_list: HashList, clips: Sequence[Clip], *, radius: int, floor: int
) -> _FrameHits:
    """Search all frames of all clips, as many at once as the memory for their hits allows."""
    frames = [
        np.unique(clip.frames.usable(floor).codes, axis=0, return_counts=True) for clip in clips
    ]
    usable = np.array([clip.frames.usable(floor).count for clip in clips], np.int64)
    owners = np.repeat(np.arange(len(clips)), [len(codes) for codes, _ in frames])
    often = np.concatenate([np.empty(0, np.int64), *(often for _, often in frames)])
    codes = np.concatenate([np.empty((0, 32), np.uint8), *(codes for codes, _ in frames)])
    tally = _Tally()
    start, at_once = 0, _FIRST
    while start < len(codes):
        stop = min(start + at_once, len(codes))
        offsets, rows, _ = hash_list.search(KIND, codes[start:stop], radius=radius)
        hits = np.diff(offsets)
        keys = np.repeat(owners[start:stop], hits) * _ROWS + rows
        tally.add(keys, np.repeat(often[start:stop], hits))
        most = _HITS * (stop - start) // max(1, len(rows))
        start, at_once = stop, max(1, min(8 * at_once, most))
    keys, counts = tally.total()
    return _FrameHits(keys // _ROWS, keys % _ROWS, counts, usable)


class _Tally:
    """Counts of numbers; its memory grows with the distinct numbers only."""

    def __init__(self) -> None:
        self._parts: list[tuple[Ints, Ints]] = []
        self._size = 0

    def add(self, numbers: Ints, often: Ints) -> None:
        if numbers.size:
            distinct, places = np.unique(numbers, return_inverse=True)
            self._parts.append((distinct, np.bincount(places, often).astype(np.int64)))
            self._size += len(self._parts[-1][0])
            if self._size > 2 * _HITS:
                self._parts = [self.total()]
                self._size = len(self._parts[0][0]) // 2  # so that totals are not made too often

    def total(self) -> tuple[Ints, Ints]:
        """Return the distinct numbers, ascending, and their counts."""
        none = np.empty(0, np.int64)
        numbers = np.concatenate([none, *(part[0] for part in self._parts)])
        often = np.concatenate([none, *(part[1] for part in self._parts)])
        distinct, places = np.unique(numbers, return_inverse=True)
        return distinct, np.bincount(places, often, minlength=len(distinct)).astype(np.int64)


def _candidates(hash_list: HashList, hits: _FrameHits, floor: int) -> dict[int, list[int]]:
    """Return the videos that may match, each with the clips that it may match."""
    candidates: dict[int, list[int]] = defaultdict(list)
    if not hits.rows.size:
        return candidates
    rows = np.unique(hits.rows)
    holders = hash_list.frame_holders(rows)
    for clip in np.unique(hits.clips).tolist():
        of_clip = hits.clips == clip
        often = np.zeros(len(rows), np.int64)
        often[np.searchsorted(rows, hits.rows[of_clip])] = hits.counts[of_clip]
        usable = int(hits.usable[clip])
        for video in _possible(holders, often[holders.places], usable, floor):
            candidates[video].append(clip)
    return candidates


def _possible(holders: FrameHolders, often: Ints, usable: int, floor: int) -> list[int]:
    """Return the videos that a clip of `usable` frames may agree with, by the rule's least demands.

    `often` states how many frames of the clip hit each listed frame. Lists index frames of a
    quality of `FLOOR` or more; a higher floor may leave a video any number of frames, so then every
    video with a hit is possible.
    """
    near = often > 0
    videos, places = np.unique(holders.videos[near], return_inverse=True)
    found = np.bincount(places, holders.counts[near])  # frames of the video
    agreeing = np.bincount(places, often[near])  # at least as many as frames of the clip
    totals = np.array([holders.totals[video] for video in videos.tolist()], np.int64)
    possible = (
        (floor > FLOOR)
        | (5 * found >= 4 * totals)
        | (5 * agreeing >= 4 * usable)
        | (np.bincount(places) >= SCENES)
    )
    chosen: list[int] = videos[possible].tolist()
    return chosen


def _match(
    hash_list: HashList, clip: Clip, video: ListedVideo, agreement: Agreement, radius: int
) -> Match:
    record = video.record
    return Match(
        list=hash_list.name,
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
    )
