"""Found: what the searches reached for one input, the nearest of each record, and when."""

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
_Place = tuple[str, int]  # of a still a "part" by its number, of what moves a "clip"

# Of what is equal else those kinds come first that say most, since some tell the first match only:
# the digests, then the longest, of which PDQ is the first.
_RANKS = {
    kind.name: rank
    for rank, kind in enumerate(
        sorted(KINDS.values(), key=lambda kind: (not kind.digest, -kind.code_size))
    )
}


class Told(NamedTuple):
    """What a Result tells of the hits: those that make a match and those beside, nearest first; and
    when each record was seen, in the order of its first time, empty for a still.
    """

    matches: tuple[Match, ...] = ()
    other_hits: tuple[Match, ...] = ()
    timeline: tuple[Appearance, ...] = ()


class Found:
    """Collects the hits of one input; made of its hashes, filled by the searches. A `video` has
    times even if one frame of it was looked at.

    Of a hash that very many records hold the matches are made when they are told, and not before:
    many inputs are looked up together. `unsure` where a record is so near that the bits in doubt
    of a hash decide.
    """

    def __init__(self, hashes: Sequence[LocatedHash], *, video: bool = False) -> None:
        self.hashes = hashes
        self._video = video
        self.unsure = False
        self._hits: list[tuple[Iterable[Match], LocatedHash | None]] = []

    @cached_property
    def _moments(self) -> dict[int, list[_Moment]]:
        """When something is shown, by the clip: the input itself, 0, and those hidden in it."""
        shown: dict[int, set[_Moment]] = defaultdict(set)
        for one in self.hashes:
            if _has_time(one):
                shown[one.hidden_clip].update(one.moments)
        return {clip: sorted(moments) for clip, moments in shown.items()}

    @cached_property
    def _numbers(self) -> dict[int, dict[_Moment, int]]:
        """The places of the moments in that, by the clip."""
        return {
            clip: {moment: number for number, moment in enumerate(moments)}
            for clip, moments in self._moments.items()
        }

    def _moving(self, located: LocatedHash) -> bool:
        """Whether it is of something that has times: a video, an animation or a hidden clip."""
        if not _has_time(located):
            return False
        if self._video or located.hidden_clip > 0:
            return True
        alone = len(self.hashes) == 1 and not located.again  # is shown once: sooner known so
        return not alone and len(self._moments.get(0, ())) > 1

    def add(self, hits: Iterable[Match], located: LocatedHash) -> None:
        """Keep the records that a hash of the input reached."""
        self._hits.append((hits, located))

    def add_video(self, match: Match) -> None:
        """Keep a listed video, which says itself when it was seen; there is one for a record."""
        self._hits.append(([match], None))

    def told(self) -> Told:
        """The nearest hit per record and kind, of a still also per part; the upright one among
        equals. Each time that something was seen is told.
        """
        if not self._hits:
            return Told()
        nearest: dict[tuple[_Key, _Place], Match] = {}
        # The moments by their numbers, a bit each: very many records may be seen in many frames.
        seen: dict[tuple[_Key, int], int] = defaultdict(int)
        for hits, located in self._hits:
            clip = 0 if located is None else located.hidden_clip
            moving = located is not None and self._moving(located)
            moments = self._bits(located) if located is not None and moving else 0
            for match in hits:
                key = (match.list, match.source, match.entry, match.kind)
                part = 0 if located is None else match.part
                place = (key, ("clip", clip) if moving else ("part", part))
                known = nearest.get(place)
                if known is None or match.distance < known.distance:
                    nearest[place] = match
                if moving:
                    seen[key, clip] |= moments
        _corroborate(nearest, seen)
        matches: list[Match] = []
        other_hits: list[Match] = []
        for match in sorted(nearest.values(), key=_nearness):
            (matches if match.makes_match else other_hits).append(match)
        return Told(tuple(matches), tuple(other_hits), self._timeline(nearest, seen))

    def _timeline(
        self,
        nearest: Mapping[tuple[_Key, _Place], Match],
        seen: Mapping[tuple[_Key, int], int],
    ) -> tuple[Appearance, ...]:
        if not seen:
            return ()
        spans = cache(self._spans)  # records that are seen together have the same ones
        told = [
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
            for (key, (what, clip)), match in nearest.items()
            if what == "clip"
        ]
        # By the kind as well: which was looked up first hangs on what else was, in one batch.
        order = sorted(
            told, key=lambda one: (one.spans, one.list, one.source, one.entry, _RANKS[one.kind])
        )
        return tuple(sorted(order, key=lambda one: one.part_kind != "frame"))

    def _bits(self, located: LocatedHash) -> int:
        """When a hash is shown: a bit for each moment of its clip, by its number."""
        numbers = self._numbers[located.hidden_clip]
        return sum(1 << number for number in {numbers[moment] for moment in located.moments})

    def _spans(self, seen: int, clip: int) -> tuple[tuple[float, float], ...]:
        """Runs of frames looked at one after the other, in all of which it was seen."""
        runs: list[list[_Moment]] = []
        before: int | None = None  # the track of the frame before, if it was seen in that
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
    """Replace each uncorroborated hit by a corroborated one if another kind, not a weak one,
    identifies the same record: in the same picture, in a frame in common, or as a whole file.
    """
    unsure = [place for place, match in nearest.items() if match.uncorroborated]
    if not unsure:
        return

    def moments(key: _Key, place: _Place) -> int:
        what, clip = place
        return seen.get((key, clip), 0) if what == "clip" else 1

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
    """Whether it is a hash of a frame that is shown, or of a hidden clip; not of the file or of a
    hidden picture.
    """
    of_frame = located.part_kind == "frame" or located.hidden_clip > 0
    return located.hash.kind.perceptual and of_frame


def _nearness(match: Match) -> tuple[int, int, str, str, str, int]:
    rank = _RANKS[match.kind]
    return (match.distance, rank, match.list, match.source, match.entry, match.part)
