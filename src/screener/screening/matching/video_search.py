"""Inputs against the videos of a list: the frames are searched, then each video that may match is
compared as a whole.

A match holds for one way of turning and cutting the input: its frames do not agree each in another.
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
_FIRST: Final = 32  # frames searched at once, until it is known how many hits they have
_HITS: Final = 1 << 21  # that one search is to have at most
_ROWS: Final = 1 << 40  # more than any index has
_VIDEOS: Final = 16  # read from the list at once
_RANK: Final = (Rule.WHOLE, Rule.RUN, Rule.ALIKE)

_Group = tuple[bool, int, str, str]  # hidden or not, track, orientation, region
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Clip:
    """All frames of an input, turned and cut in one way; `item` is its number among the inputs, and
    `hidden` says that they are of a clip hidden in it.
    """

    item: int
    orientation: str
    region: str
    frames: Frames
    hidden: bool = False


def clips_of(item: HashedInput, number: int = 0) -> list[Clip]:
    """The clips that an input's hashes make: the PDQs of its frames, and vPDQs made elsewhere.

    A picture is a clip of one frame. Beside a vPDQ, PDQs are its frames once more.
    """
    made = [
        Clip(number, one.orientation, one.region, Frames.of_value(one.hash.value))
        for one in item.hashes
        if one.hash.kind.video
    ]
    return made or _hashed_clips(item, number)


def _hashed_clips(item: HashedInput, number: int) -> list[Clip]:
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
        # A part that stands for what follows it is another frame at each of these times.
        _, places = np.unique(np.array([times, parts]), axis=1, return_inverse=True)
        ordered = Frames.ordered(times, qualities, codes, places.ravel())
        clips.append(Clip(number, orientation, region, ordered, hidden))
    return clips


def located(hash: Hash) -> list[LocatedHash]:
    """A hash made elsewhere as a place of it in an input; of a vPDQ its frames' PDQs as well."""
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
    """Whether an input has frames at several times, or says that it is a video."""
    return item.video or any(
        len(np.unique(clip.frames.times)) > 1 for clip in clips_of(item) if not clip.hidden
    )


def is_comparable(item: HashedInput, policy: Policy) -> bool:
    """Whether an input is compared with listed videos so that it can be cleared: whether it has
    usable frames at two times or more in all orientations, and they are the share of a video's that
    the policy wants.
    """
    least = max(2, Criteria(policy).least_moments(item))
    ways: dict[str, dict[str, bool]] = defaultdict(partial(defaultdict, bool))
    for clip in clips_of(item):
        if not clip.hidden:
            times = clip.frames.usable(policy.floor[KIND]).times
            ways[clip.region][clip.orientation] |= len(np.unique(times)) >= least
    return any(all(orientations.values()) for orientations in ways.values())


def search(
    one: HashList, items: Sequence[HashedInput], policy: Policy
) -> Iterator[tuple[int, Match]]:
    """The videos of a list that each input agrees with: its number and a Match, one a record."""
    clips = [clip for number, item in enumerate(items) for clip in clips_of(item, number)]
    reach = Criteria(policy)
    radii = {state: reach.radius(state, KINDS[KIND]) for state in one.states}
    hits = _hits(one, clips, radius=max(radii.values(), default=0), floor=policy.floor[KIND])
    best: dict[tuple[int, str, str], tuple[Clip, ListedVideo, Agreement]] = {}
    wanted = _candidates(one, hits, policy.floor[KIND])
    numbers = sorted(wanted)
    for start in range(0, len(numbers), _VIDEOS):
        for number, video in one.videos(numbers[start : start + _VIDEOS]):
            listed = Frames.of_value(video.value)
            for clip in (clips[place] for place in wanted[number]):
                radius, floor = radii[video.record.state], policy.floor[KIND]
                agreement = compare(clip.frames, listed, radius=radius, floor=floor)
                key = clip.item, video.record.source, video.record.entry
                if agreement is not None and (
                    key not in best or _rank(agreement) < _rank(best[key][2])
                ):
                    best[key] = clip, video, agreement
    for clip, video, agreement in best.values():
        yield clip.item, _match(one, clip, video, agreement, radii[video.record.state])


def _rank(agreement: Agreement) -> tuple[int, float, int]:
    """By which the least is told of a record that agrees in several ways."""
    share = agreement.found / agreement.listed
    return _RANK.index(agreement.rule), -share, agreement.distance


@dataclass(frozen=True, eq=False)
class _Hits:
    """Which listed frames the frames of each clip are near: `clips` and `rows`, each pair once, and
    `counts`, of how many frames of the clip. `usable` are the frames that each clip has.
    """

    clips: Ints
    rows: Ints
    counts: Ints
    usable: Ints


def _hits(one: HashList, clips: Sequence[Clip], *, radius: int, floor: int) -> _Hits:
    """Search all frames of all clips, so many at once as the memory for their hits allows."""
    frames = [
        np.unique(clip.frames.usable(floor).codes, axis=0, return_counts=True) for clip in clips
    ]
    usable = np.array([clip.frames.usable(floor).count for clip in clips], np.int64)
    owners = np.repeat(np.arange(len(clips)), [len(codes) for codes, _ in frames])
    often = np.concatenate([np.empty(0, np.int64), *(often for _, often in frames)])
    codes = np.concatenate([np.empty((0, 32), np.uint8), *(codes for codes, _ in frames)])
    found = _Tally()
    start, at_once = 0, _FIRST
    while start < len(codes):
        stop = min(start + at_once, len(codes))
        offsets, rows, _ = one.search(KIND, codes[start:stop], radius=radius)
        hits = np.diff(offsets)
        keys = np.repeat(owners[start:stop], hits) * _ROWS + rows
        found.add(keys, np.repeat(often[start:stop], hits))
        most = _HITS * (stop - start) // max(1, len(rows))
        start, at_once = stop, max(1, min(8 * at_once, most))
    keys, counts = found.total()
    return _Hits(keys // _ROWS, keys % _ROWS, counts, usable)


class _Tally:
    """How often each of many numbers came; in memory for the different ones only."""

    def __init__(self) -> None:
        """None came yet."""
        self._parts: list[tuple[Ints, Ints]] = []
        self._held = 0

    def add(self, numbers: Ints, often: Ints) -> None:
        """Count some, each so often."""
        if numbers.size:
            distinct, places = np.unique(numbers, return_inverse=True)
            self._parts.append((distinct, np.bincount(places, often).astype(np.int64)))
            self._held += len(self._parts[-1][0])
            if self._held > 2 * _HITS:
                self._parts = [self.total()]
                self._held = len(self._parts[0][0]) // 2  # lest all come again and again

    def total(self) -> tuple[Ints, Ints]:
        """The different numbers, ascending, and how often each came."""
        none = np.empty(0, np.int64)
        numbers = np.concatenate([none, *(part[0] for part in self._parts)])
        often = np.concatenate([none, *(part[1] for part in self._parts)])
        distinct, places = np.unique(numbers, return_inverse=True)
        return distinct, np.bincount(places, often, minlength=len(distinct)).astype(np.int64)


def _candidates(one: HashList, hits: _Hits, floor: int) -> dict[int, list[int]]:
    """The videos that each may match, and the clips, by what the rule needs at the least."""
    wanted: dict[int, list[int]] = defaultdict(list)
    if not hits.rows.size:
        return wanted
    rows = np.unique(hits.rows)
    holders = one.frame_holders(rows)
    for clip in np.unique(hits.clips).tolist():
        mine = hits.clips == clip
        often = np.zeros(len(rows), np.int64)
        often[np.searchsorted(rows, hits.rows[mine])] = hits.counts[mine]
        usable = int(hits.usable[clip])
        for video in _possible(holders, often[holders.places], usable, floor):
            wanted[video].append(clip)
    return wanted


def _possible(holders: FrameHolders, often: Ints, usable: int, floor: int) -> list[int]:
    """The videos that a clip of so many usable frames may agree with, where `often` says how many
    of these are near each frame that is held.

    What is held are frames of a quality of `FLOOR` or more. By a higher floor a video may have any
    number fewer, and one that is found can be all that it has.
    """
    near = often > 0
    videos, places = np.unique(holders.videos[near], return_inverse=True)
    found = np.bincount(places, holders.counts[near])  # of the video's frames
    agreeing = np.bincount(places, often[near])  # of the clip's, or more
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
    one: HashList, clip: Clip, video: ListedVideo, agreement: Agreement, radius: int
) -> Match:
    record = video.record
    return Match(
        list=one.name,
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
