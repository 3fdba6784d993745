"""The nearest hits of one input, and the times at which records were seen."""

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
_Position = tuple[str, int]  # ("part", number) in a still, ("clip", number) in a video

# Of equally near hits the strongest kind comes first, since readers may show the first match only:
# digests, then the longest hashes, of which PDQ is the first.
_RANKS = {
    kind.name: rank
    for rank, kind in enumerate(
        sorted(KINDS.values(), key=lambda kind: (not kind.digest, -kind.code_size))
    )
}


class HitSummary(NamedTuple):
    """The hits of an input as in its Result, nearest first.

    `timeline` has the times at which each record was seen, earliest first. It is empty for a still.
    """

    matches: tuple[Match, ...] = ()
    other_hits: tuple[Match, ...] = ()
    timeline: tuple[Appearance, ...] = ()


class InputHits:
    """The hits of one input's hashes, collected from all searches.

    A `video` has times even if only one frame was hashed. The input is not compared with the lists
    named in `excluded`. `unsure`: bits in doubt of a hash decide
    whether a record matches, or how near it is. Matches are made only by `summarize`: a hash may
    have a hundred thousand records, and many inputs are searched together.
    """

    def __init__(
        self,
        hashes: Sequence[LocatedHash],
        *,
        video: bool = False,
        excluded: frozenset[str] = frozenset(),
    ) -> None:
        self.hashes = hashes
        self.excluded = excluded
        self._video = video
        self.unsure = False
        self._hits: list[tuple[Iterable[Match], LocatedHash | None]] = []

    @cached_property
    def _moments(self) -> dict[int, list[_Moment]]:
        """The sorted moments of each clip; clip 0 is the input itself."""
        by_clip: dict[int, set[_Moment]] = defaultdict(set)
        for located in self.hashes:
            if _has_time(located):
                by_clip[located.hidden_clip].update(located.moments)
        return {clip: sorted(moments) for clip, moments in by_clip.items()}

    @cached_property
    def _moment_numbers(self) -> dict[int, dict[_Moment, int]]:
        return {
            clip: {moment: number for number, moment in enumerate(moments)}
            for clip, moments in self._moments.items()
        }

    def _is_moving(self, located: LocatedHash) -> bool:
        if len(self.hashes) == 1 and not (self._video or located.again or located.track):
            return False  # as in most cases, and faster
        if not _has_time(located):
            return False
        return self._video or located.hidden_clip > 0 or len(self._moments.get(0, ())) > 1

    def add(self, hits: Iterable[Match], located: LocatedHash) -> None:
        """Add the matches of one hash of the input."""
        self._hits.append((hits, located))

    def has_match(self, list_name: str) -> bool:
        """Return whether a hit of a kind that is not weak makes a match on a list by itself.

        By distance it does in shadow too, so that a list in shadow is searched as if it were
        enforced.
        """
        return any(
            match.list == list_name
            and match.would_match
            and (match.evidence is None or not match.shadow)
            and not KINDS[match.kind].weak
            for hits, _ in self._hits
            for match in hits
        )

    def add_video(self, match: Match) -> None:
        """Add the match of a listed video, of which each record has at most one."""
        self._hits.append(([match], None))

    def summarize(self) -> HitSummary:
        """Return the nearest hit of each record and kind.

        In a still, each part has its own nearest hit. Of equally near hits the first counts, which
        is the upright one.
        """
        if not self._hits:
            return HitSummary()
        nearest: dict[tuple[_Key, _Position], Match] = {}
        # One bit per moment, since very many records may be seen in many frames.
        seen: dict[tuple[_Key, int], int] = defaultdict(int)
        for hits, located in self._hits:
            clip = 0 if located is None else located.hidden_clip
            is_moving = located is not None and self._is_moving(located)
            moment_bits = self._moment_bits(located) if located is not None and is_moving else 0
            for match in hits:
                key = (match.list, match.source, match.entry, match.kind)
                part = 0 if located is None else match.part
                keyed_position = (key, ("clip", clip) if is_moving else ("part", part))
                best = nearest.get(keyed_position)
                if best is None or match.nearness < best.nearness:
                    nearest[keyed_position] = match
                if is_moving:
                    seen[key, clip] |= moment_bits
        _corroborate(nearest, seen)
        matches: list[Match] = []
        other_hits: list[Match] = []
        ordered = sorted(nearest.values(), key=_nearness) if len(nearest) > 1 else nearest.values()
        for match in ordered:
            (matches if match.makes_match else other_hits).append(match)
        return HitSummary(tuple(matches), tuple(other_hits), self._build_timeline(nearest, seen))

    def _build_timeline(
        self,
        nearest: Mapping[tuple[_Key, _Position], Match],
        seen: Mapping[tuple[_Key, int], int],
    ) -> tuple[Appearance, ...]:
        if not seen:
            return ()
        find_spans = cache(self._find_spans)  # records seen together have the same spans
        timeline = [
            Appearance(
                list=match.list,
                source=match.source,
                entry=match.entry,
                state=match.state,
                kind=match.kind,
                distance=match.distance,
                frames=seen[key, clip].bit_count(),
                spans=find_spans(seen[key, clip], clip),
                part_kind=match.part_kind,
            )
            for (key, (position_kind, clip)), match in nearest.items()
            if position_kind == "clip"
        ]
        timeline.sort(key=_timeline_order)
        return tuple(timeline)

    def _moment_bits(self, located: LocatedHash) -> int:
        numbers = self._moment_numbers[located.hidden_clip]
        return sum(1 << number for number in {numbers[moment] for moment in located.moments})

    def _find_spans(self, moment_bits: int, clip: int) -> tuple[tuple[float, float], ...]:
        runs: list[list[_Moment]] = []
        last_track: int | None = None  # the previous frame's track, if its bit is set
        for bit, moment in zip(reversed(f"{moment_bits:b}"), self._moments[clip], strict=False):
            if bit == "0":
                last_track = None
                continue
            if last_track != moment[0]:
                runs.append([moment, moment])
            runs[-1][1] = moment
            last_track = moment[0]
        return tuple(sorted({(first[1], last[1]) for first, last in runs}))


def _corroborate(
    nearest: dict[tuple[_Key, _Position], Match], seen: Mapping[tuple[_Key, int], int]
) -> None:
    """Clear `uncorroborated` of a hit if a kind that is not weak hit the same record.

    The other hit must be in the same picture, in a common frame, or of the whole file. A hit in
    shadow counts only for hits in shadow.
    """
    uncorroborated = [keyed for keyed, match in nearest.items() if match.uncorroborated]
    if not uncorroborated:
        return

    def find_moments(key: _Key, position: _Position) -> int:
        position_kind, clip = position
        return seen.get((key, clip), 0) if position_kind == "clip" else 1

    file_records: set[tuple[_Record, bool]] = set()
    picture_moments: dict[tuple[_Record, bool, _Position], int] = defaultdict(int)
    for (key, position), match in nearest.items():
        if match.would_identify and (match.video is not None or KINDS[match.kind].digest):
            file_records.add((key[:3], match.shadow))
        elif match.would_identify:
            picture_moments[key[:3], match.shadow, position] |= find_moments(key, position)
    for key, position in uncorroborated:
        shadow = nearest[key, position].shadow
        moments = picture_moments.get((key[:3], shadow, position), 0)
        if (key[:3], shadow) in file_records or moments & find_moments(key, position):
            nearest[key, position] = replace(nearest[key, position], uncorroborated=False)


def _has_time(located: LocatedHash) -> bool:
    is_frame = located.part_kind == "frame" or located.hidden_clip > 0
    return located.hash.kind.perceptual and is_frame


def _nearness(match: Match) -> tuple[tuple[int, float], int, str, str, str, int]:
    rank = _RANKS[match.kind]
    return (match.nearness, rank, match.list, match.source, match.entry, match.part)


def _timeline_order(appearance: Appearance) -> tuple[object, ...]:
    # The kind is a key too, since the order of searches depends on the other items of a batch.
    is_hidden = appearance.part_kind != "frame"
    record = appearance.list, appearance.source, appearance.entry
    return is_hidden, appearance.spans, *record, _RANKS[appearance.kind]
