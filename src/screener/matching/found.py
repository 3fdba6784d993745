"""Found: what the searches reached for one input, the nearest of each record, and when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from screener.located import Located
from screener.result import Appearance, Match

_Key = tuple[str, str, str, str]
_Moment = tuple[int, float]  # a track, and a time in it
_Place = tuple[str, int]  # of a still a "part" by its number, of what moves a "clip"


class Told(NamedTuple):
    """What a Result tells of the hits: those that make a match and those beside, nearest first; and
    when each record was seen, in the order of its first time, empty for a still.
    """

    matches: tuple[Match, ...] = ()
    beside: tuple[Match, ...] = ()
    timeline: tuple[Appearance, ...] = ()


class Found:
    """Collects the hits of one input; made of its hashes, filled by the searches. A `video` has
    times even if one frame of it was looked at.

    Of a hash that very many records hold the matches are made when they are told, and not before:
    many inputs are looked up together. `unsure` where a record is so near that the bits in doubt
    of a hash decide.
    """

    def __init__(self, hashes: Sequence[Located], *, video: bool = False) -> None:
        self._hashes = hashes
        self._video = video
        self.unsure = False
        self._hits: list[tuple[Iterable[Match], Located | None]] = []

    @cached_property
    def _moments(self) -> dict[int, list[_Moment]]:
        """When something is shown, by the clip: the input itself, 0, and those hidden in it."""
        shown: dict[int, set[_Moment]] = defaultdict(set)
        for one in self._hashes:
            if _has_time(one):
                shown[one.hidden_clip].update(one.moments)
        return {clip: sorted(moments) for clip, moments in shown.items()}

    def _moving(self, located: Located) -> bool:
        """Whether it is of something that has times: a video, an animation or a hidden clip."""
        if not _has_time(located):
            return False
        return self._video or located.hidden_clip > 0 or len(self._moments.get(0, ())) > 1

    def add(self, hits: Iterable[Match], located: Located) -> None:
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
        seen: dict[tuple[_Key, int], set[_Moment]] = {}
        for hits, located in self._hits:
            clip = 0 if located is None else located.hidden_clip
            moving = located is not None and self._moving(located)
            moments = located.moments if located is not None and moving else []
            for match in hits:
                key = (match.list, match.source, match.entry, match.kind)
                part = 0 if located is None else match.part
                place = (key, ("clip", clip) if moving else ("part", part))
                known = nearest.get(place)
                if known is None or match.distance < known.distance:
                    nearest[place] = match
                if moving:
                    seen.setdefault((key, clip), set()).update(moments)
        order = sorted(nearest.values(), key=_nearness)
        return Told(
            tuple(one for one in order if one.makes_match),
            tuple(one for one in order if not one.makes_match),
            self._timeline(nearest, seen),
        )

    def _timeline(
        self,
        nearest: Mapping[tuple[_Key, _Place], Match],
        seen: Mapping[tuple[_Key, int], set[_Moment]],
    ) -> tuple[Appearance, ...]:
        told = [
            Appearance(
                list=match.list,
                source=match.source,
                entry=match.entry,
                state=match.state,
                kind=match.kind,
                distance=match.distance,
                frames=len(seen[key, clip]),
                spans=self._spans(seen[key, clip], clip),
                part_kind=match.part_kind,
            )
            for (key, (what, clip)), match in nearest.items()
            if what == "clip"
        ]
        order = sorted(told, key=lambda one: (one.spans, one.list, one.source, one.entry))
        return tuple(sorted(order, key=lambda one: one.part_kind != "frame"))

    def _spans(self, seen: Iterable[_Moment], clip: int) -> tuple[tuple[float, float], ...]:
        """Runs of frames looked at one after the other, in all of which it was seen."""
        numbers = {moment: number for number, moment in enumerate(self._moments[clip])}
        runs: list[list[_Moment]] = []
        for moment in sorted(seen):
            last = runs[-1][-1] if runs else None
            if last and last[0] == moment[0] and numbers[moment] == numbers[last] + 1:
                runs[-1].append(moment)
            else:
                runs.append([moment])
        return tuple(sorted({(run[0][1], run[-1][1]) for run in runs}))


def _has_time(located: Located) -> bool:
    """Whether it is a hash of a frame that is shown, or of a hidden clip; not of the file or of a
    hidden picture.
    """
    of_frame = located.part_kind == "frame" or located.hidden_clip > 0
    return located.hash.kind.perceptual and of_frame


def _nearness(match: Match) -> tuple[int, str, str, str, str, int]:
    return (match.distance, match.list, match.source, match.entry, match.kind, match.part)
