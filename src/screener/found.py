"""Found: what the searches reached for one input, the nearest of each record, and when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from screener.located import Located
from screener.result import Appearance, Match

_Key = tuple[str, str, str, str]
_Moment = tuple[int, float]  # a track, and a time in it
_Place = tuple[str, int]  # of a still a "part" by its number, of what moves a "clip"


class Found:
    """Collects the hits of one input; made of its hashes, filled by the searches. A `video` has
    times even if one frame of it was looked at.

    `unsure` where a record is so near that the bits in doubt of a hash decide.
    """

    def __init__(self, hashes: Sequence[Located], *, video: bool = False) -> None:
        self._hashes = hashes
        self._video = video
        self.unsure = False
        self._nearest: dict[tuple[_Key, _Place], Match] = {}
        self._seen: dict[tuple[_Key, int], set[_Moment]] = {}

    @cached_property
    def _moments(self) -> dict[int, list[_Moment]]:
        """When something is shown, by the clip: the input itself, 0, and those hidden in it."""
        shown: dict[int, set[_Moment]] = defaultdict(set)
        for one in self._hashes:
            if _has_time(one):
                shown[one.hidden_clip].update(_moments(one))
        return {clip: sorted(moments) for clip, moments in shown.items()}

    @property
    def empty(self) -> bool:
        """Whether there was no hit."""
        return not self._nearest

    def _moving(self, located: Located) -> bool:
        """Whether it is of something that has times: a video, an animation or a hidden clip."""
        if not _has_time(located):
            return False
        return self._video or located.hidden_clip > 0 or len(self._moments.get(0, ())) > 1

    def add(self, match: Match, located: Located) -> None:
        """Keep a hit: the nearest per record and kind, of a still also per part; the upright one
        among equals. Its time is noted.
        """
        key, clip = (match.list, match.source, match.entry, match.kind), located.hidden_clip
        moving = self._moving(located)
        place = (key, ("clip", clip) if moving else ("part", match.part))
        known = self._nearest.get(place)
        if known is None or match.distance < known.distance:
            self._nearest[place] = match
        if moving:
            self._seen.setdefault((key, clip), set()).update(_moments(located))

    def add_video(self, match: Match) -> None:
        """Keep a listed video, which says itself when it was seen; there is one for a record."""
        key = (match.list, match.source, match.entry, match.kind)
        self._nearest[key, ("part", 0)] = match

    def matches(self) -> list[Match]:
        """The hits that make a match, nearest first."""
        return sorted((one for one in self._nearest.values() if one.makes_match), key=_nearness)

    def beside(self) -> list[Match]:
        """The hits that stand beside a match, nearest first."""
        return sorted((one for one in self._nearest.values() if not one.makes_match), key=_nearness)

    def timeline(self) -> tuple[Appearance, ...]:
        """When each record was seen, in the order of its first time; empty for a still."""
        told = [
            Appearance(
                list=match.list,
                source=match.source,
                entry=match.entry,
                state=match.state,
                kind=match.kind,
                distance=match.distance,
                frames=len(self._seen[key, clip]),
                spans=self._spans(self._seen[key, clip], clip),
                part_kind=match.part_kind,
            )
            for (key, (what, clip)), match in self._nearest.items()
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


def _moments(one: Located) -> Iterator[_Moment]:
    return ((one.track, time) for time in (one.time, *one.again))


def _has_time(located: Located) -> bool:
    """Whether it is a hash of a frame that is shown, or of a hidden clip; not of the file or of a
    hidden picture.
    """
    of_frame = located.part_kind == "frame" or located.hidden_clip > 0
    return located.hash.kind.perceptual and of_frame


def _nearness(match: Match) -> tuple[int, str, str, str, str, int]:
    return (match.distance, match.list, match.source, match.entry, match.kind, match.part)
