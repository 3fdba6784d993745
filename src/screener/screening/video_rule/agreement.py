"""Whether a video agrees with a listed one: the rule.

Two frames agree if their PDQs differ in at most `radius` bits and both have enough detail.
docs/internals/video-matching.md states the rule and compares it with others.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from screener.hashing.video_frames import FLOOR, Frames
from screener.screening.video_rule.alignment import (
    SAME_PICTURE,
    Pairs,
    best_run,
    is_aligned,
    span_of,
)
from screener.screening.video_rule.scenes import scenes_of, seen_of

RADIUS: Final = 31

# The most `sameness` of a picture that identifies a video by itself: most photographs have less,
# lines of text more.
_PICTURE: Final = 0.25

_MOST: Final = 10_000  # PDQs of a video that are compared; of more, every n-th


class Rule(StrEnum):
    """What the agreeing frames prove.

    - `whole`: at least 80 % of the listed video's usable frames agree with the input's.
    - `run`: for five seconds or more, at one offset in time, 80 % of the frames agree.
    - `alike`: too few frames agree, or they are too similar, for a match: the input shows pictures
      of the listed video.
    """

    WHOLE = "whole"
    RUN = "run"
    ALIKE = "alike"


@dataclass(frozen=True)
class Agreement:
    """How the frames of an input agree with those of a listed video.

    - `distance`: the median, over the agreeing frames, of each one's least distance in bits.
    - `found`, `listed`: how many of the listed video's usable frames agree, of how many.
    - `agreeing`, `usable`: the same of the input's.
    - `input_span`, `listed_span`: seconds of the first and the last agreeing frame in each, of the
      aligned run if there is one.
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
    """Return how a video agrees with a listed one; None if it is not even `alike`.

    Pass all frames of both, including those without detail. Every frame is compared with every
    other, in bounded memory.
    """
    ours, theirs = _thinned(query.usable(floor)), _thinned(listed.usable(floor))
    if not len(ours) or not len(theirs):
        return None
    pairs = Pairs(ours, theirs, radius)
    run = best_run(pairs)
    found, agreeing = pairs.listed_near <= radius, pairs.query_near <= radius
    counts = int(found.sum()), len(theirs), ours.only(agreeing).count, ours.count
    enough = _most(*counts[:2])
    if enough and _identifies(pairs, listed):
        rule = Rule.WHOLE
    elif run is not None:
        rule = Rule.RUN
    elif enough or _most(*counts[2:]):
        rule = Rule.ALIKE
    else:
        return None
    near = pairs.listed_near[found] if rule is Rule.WHOLE else pairs.query_near[agreeing]
    if run is None:
        spans = span_of(ours.times[agreeing]), span_of(theirs.times[found])
    else:
        spans = run.input_span, run.listed_span
        if rule is Rule.RUN:
            near = run.distances
    return Agreement(rule, int(np.sort(near)[(len(near) - 1) // 2]), *counts, *spans)


def _thinned(frames: Frames) -> Frames:
    """Return every n-th frame with all its PDQs, for at most `_MOST` of them."""
    every = -(-len(frames) // _MOST)
    if every <= 1:
        return frames
    return frames.only(np.isin(frames.places, np.unique(frames.places)[::every]))


def _most(some: int, of: int) -> bool:
    """Return whether `some` are 80 % of all."""
    return 5 * some >= 4 * of


def _identifies(pairs: Pairs, listed: Frames) -> bool:
    """Return whether the agreeing frames identify the video, not something that many contain.

    If it has three scenes or more, three must agree; if it has two, both. Otherwise each frame must
    be nearest to its own, or all must be detailed photographs, which title cards are not.
    """
    agreeing = pairs.query.only(pairs.query_near <= pairs.radius)
    found = pairs.listed.only(pairs.listed_near <= pairs.radius)
    return (
        1 < scenes_of(pairs.listed, pairs.radius) <= seen_of(agreeing, found, pairs.radius)
        or is_aligned(pairs)
        or _same_picture(pairs, agreeing, listed)
    )


def _same_picture(pairs: Pairs, agreeing: Frames, listed: Frames) -> bool:
    """Return whether a video shows the detailed picture of a listed one, at two times or more.

    All frames of the listed one count, also those without detail: a title between dark frames does
    not identify it.
    """
    if min(len(np.unique(video.times)) for video in (agreeing, listed)) < 2:
        return False
    near = pairs.query_near[pairs.query_near <= pairs.radius]
    same = 2 * int((near <= SAME_PICTURE).sum()) >= len(near)
    return same and all(
        _most(len(video.detailed(_PICTURE)), len(video)) for video in (listed, agreeing)
    )
