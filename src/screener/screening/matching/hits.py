"""The hits of one input: the nearest for each record, and when the record was seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from typing import NamedTuple

from screener.hashing.hash import KINDS
from screener.screening.input.located_hash import LocatedHash
from screener.screening.result import Appearance, Match

_Key = tuple[str, str, str, str]
_Moment = tuple[int, float]  # a track, and a time in it
_Record = tuple[str, str, str]
_Place = tuple[str, int]  # ("part", number) in a still, ("clip", number) in a video

# Of equally near hits the strongest kind comes first, since readers may show the first match only:
# digests, then the longest hashes, of which PDQ is the first.
_RANKS = {
    kind.name: rank
    for rank, kind in enumerate(
        sorted(KINDS.values(), key=lambda kind: (not kind.digest, -kind.code_size))
    )
}


class HitSummary(NamedTuple):
    """The hits of an input as its Result states them, nearest first.

    `timeline` states when each record was seen, in the order of the first time; empty for a still.
    """

    matches: tuple[Match, ...] = ()
    other_hits: tuple[Match, ...] = ()
    timeline: tuple[Appearance, ...] = ()


class InputHits:
    """The hits of one input's hashes, collected from all searches.

    A `video` has times even if only one frame was hashed. `unsure`: a record is so near that the
    bits in doubt of a hash decide. Matches are made only by `summary`: a hash may have a hundred
    thousand records, and many inputs are looked up together.
    """

    def __init__(self, hashes: Sequence[LocatedHash], *, video: bool = False) -> None:
        self.hashes = hashes
        self._video = video
        self.unsure = False
        self._hits: list[tuple[Iterable[Match], LocatedHash | None]] = []

    @cached_property
    def _moments(self) -> dict[int, list[_Moment]]:
        """The moments of each clip, sorted: clip 0 is the input itself, the others hide in it."""
        shown: dict[int, set[_Moment]] = defaultdict(set)
        for located in self.hashes:
            if _has_time(located):
                shown[located.hidden_clip].update(located.moments)
        return {clip: sorted(moments) for clip, moments in shown.items()}

    @cached_property
    def _numbers(self) -> dict[int, dict[_Moment, int]]:
        return {
            clip: {moment: number for number, moment in enumerate(moments)}
            for clip, moments in self._moments.items()
        }

    def _is_moving(self, located: LocatedHash) -> bool:
        if not _has_time(located):
            return False
        if self._video or located.hidden_clip > 0:
            return True
        alone = len(self.hashes) == 1 and not located.again  # quicker than `_moments`
        return not alone and len(self._moments.get(0, ())) > 1

    def add(self, hits: Iterable[Match], located: LocatedHash) -> None:
        """Add the matches of one hash of the input."""
        self._hits.append((hits, located))

    def add_video(self, match: Match) -> None:
        """Add a listed video, whose match states its times; there is one for each record."""
        self._hits.append(([match], None))

    def summary(self) -> HitSummary:
        """Return the nearest hit for each record and kind, in a still also for each part.

        Of equally near hits the first counts, which is the upright one.
        """
        if not self._hits:
            return HitSummary()
        nearest: dict[tuple[_Key, _Place], Match] = {}
        # A bit for each moment, since very many records may be seen in many frames.
        seen: dict[tuple[_Key, int], int] = defaultdict(int)
        for hits, located in self._hits:
            clip = 0 if located is None else located.hidden_clip
            moving = located is not None and self._is_moving(located)
            moments = self._bits(located) if located is not None and moving else 0
            for match in hits:
                key = (match.list, match.source, match.entry, match.kind)
                part = 0 if located is None else match.part
                place = (key, ("clip", clip) if moving else ("part", part))
                best = nearest.get(place)
                if best is None or match.distance < best.distance:
                    nearest[place] = match
                if moving:
                    seen[key, clip] |= moments
        _corroborate(nearest, seen)
        matches: list[Match] = []
        other_hits: list[Match] = []
        for match in sorted(nearest.values(), key=_nearness):
            (matches if match.makes_match else other_hits).append(match)
        return HitSummary(tuple(matches), tuple(other_hits), self._timeline(nearest, seen))

    def _timeline(
        self,
        nearest: Mapping[tuple[_Key, _Place], Match],
        seen: Mapping[tuple[_Key, int], int],
    ) -> tuple[Appearance, ...]:
        if not seen:
            return ()
        spans = cache(self._spans)  # records seen together have the same spans
        timeline = [
            Appearance(
                list=match.list,
                source=match.source,
                entry=match.entry,
                state=match.state,
                kind=match.kind,
                distance=match.distance,
                frames=seen[key, clip].bit_count(),
                spans=spans(seen[key, clip], clip),
                part_kind=match.part_kind,
            )
            for (key, (place_kind, clip)), match in nearest.items()
            if place_kind == "clip"
        ]
        # The kind too, since the order of look-ups depends on the other items of a batch.
        timeline.sort(
            key=lambda seen: (
                seen.part_kind != "frame", seen.spans, seen.list, seen.source, seen.entry,
                _RANKS[seen.kind],
            )
        )  # fmt: skip
        return tuple(timeline)

    def _bits(self, located: LocatedHash) -> int:
        numbers = self._numbers[located.hidden_clip]
        return sum(1 << number for number in {numbers[moment] for moment in located.moments})

    def _spans(self, seen: int, clip: int) -> tuple[tuple[float, float], ...]:
        """Return the first and last time of each run of sampled frames in which it was seen."""
        runs: list[list[_Moment]] = []
        before: int | None = None  # the track of the previous frame, if it was seen there
        for bit, moment in zip(reversed(f"{seen:b}"), self._moments[clip], strict=False):
            if bit == "0":
                before = None
                continue
            if before != moment[0]:
                runs.append([moment, moment])
            runs[-1][1] = moment
            before = moment[0]
        return tuple(sorted({(first[1], end[1]) for first, end in runs}))


def _corroborate(
    nearest: dict[tuple[_Key, _Place], Match], seen: Mapping[tuple[_Key, int], int]
) -> None:
    """Mark hits of weak kinds as corroborated if a kind that is not weak hit the same record.

    The other hit has to be in the same picture, in a frame in common, or of the whole file.
    """
    unsure = [place for place, match in nearest.items() if match.uncorroborated]
    if not unsure:
        return

    def moments(key: _Key, place: _Place) -> int:
        place_kind, clip = place
        return seen.get((key, clip), 0) if place_kind == "clip" else 1

    files: set[_Record] = set()
    pictures: dict[tuple[_Record, _Place], int] = defaultdict(int)
    for (key, place), match in nearest.items():
        if match.identifies and (match.video is not None or KINDS[match.kind].digest):
            files.add(key[:3])
        elif match.identifies:
            pictures[key[:3], place] |= moments(key, place)
    for key, place in unsure:
        if key[:3] in files or pictures.get((key[:3], place), 0) & moments(key, place):
            nearest[key, place] = replace(nearest[key, place], uncorroborated=False)


def _has_time(located: LocatedHash) -> bool:
    of_frame = located.part_kind == "frame" or located.hidden_clip > 0
    return located.hash.kind.perceptual and of_frame


def _nearness(match: Match) -> tuple[int, int, str, str, str, int]:
    rank = _RANKS[match.kind]
    return (match.distance, rank, match.list, match.source, match.entry, match.part)
