"""Agreement: whether the frames of a video agree with those of a listed one: the rule.

Two frames agree where their PDQs differ in at most `radius` bits and both have detail enough. The
rule is stated, and compared with that of others, in docs/internals/video-matching.md. Nothing here
knows of lists or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from screener.hashing.video_frames import FLOOR, Frames
from screener.screening.video_rule.alignment import SAME_PICTURE, Pairs, best_run, moves, span_of
from screener.screening.video_rule.scenes import scenes_of, seen_of

RADIUS: Final = 31

# What a video of one scene, all of whose frames agree with each other, must have beyond the rest.
_PICTURE: Final = 0.25  # its `sameness`: most photographs have less, and lines of text more

_MOST: Final = 10_000  # PDQs of a video that are compared; of longer ones every n-th


class Rule(StrEnum):
    """What follows from the frames that agree.

    `whole`: at least 80 % of the listed video's usable frames are found. `run`: for five seconds
    or more, at one offset in time, 80 % of the frames agree. `alike`: what agrees is too little, or
    too much like itself, to make a match: pictures of the listed video are seen, no more.
    """

    WHOLE = "whole"
    RUN = "run"
    ALIKE = "alike"


@dataclass(frozen=True)
class Agreement:
    """How the frames of an input agree with those of a listed video.

    `distance` is the median, over the frames that agree, of each one's least distance in bits.
    `found` of the listed video's `listed` usable frames agree with one of the input's, and
    `agreeing` of the input's `usable` ones with one of the listed video's. The spans are in
    seconds, from the first to the last frame that agrees, in each of both: of the aligned run where
    there is one, of all of them otherwise.
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
    """How a video agrees with a listed one; None where not even `alike` is to be told.

    Both are given with all their frames, also those without detail. The time is that of comparing
    each frame with each, and the memory is bounded.
    """
    ours, theirs = _thinned(query.usable(floor)), _thinned(listed.usable(floor))
    if not len(ours) or not len(theirs):
        return None
    pairs = Pairs(ours, theirs, radius)
    run = best_run(pairs)
    found, agreeing = pairs.listed_near <= radius, pairs.query_near <= radius
    counts = int(found.sum()), len(theirs), ours.only(agreeing).count, ours.count
    enough = _most(*counts[:2])
    if enough and _tells_enough(pairs, listed):
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
    """Every n-th frame with all its PDQs, so that these are no more than can be compared."""
    every = -(-len(frames) // _MOST)
    if every <= 1:
        return frames
    return frames.only(np.isin(frames.places, np.unique(frames.places)[::every]))


def _most(some: int, of: int) -> bool:
    """Whether so many are 80 %."""
    return 5 * some >= 4 * of


def _tells_enough(pairs: Pairs, listed: Frames) -> bool:
    """Whether frames that agree tell of this video, and not of something that many have.

    Where it has three scenes or more, three must be found, where it has two, both. Where fewer are,
    each frame must be nearest to its own, or all be detailed photographs, as no title card is.
    """
    agreeing = pairs.query.only(pairs.query_near <= pairs.radius)
    found = pairs.listed.only(pairs.listed_near <= pairs.radius)
    return (
        1 < scenes_of(pairs.listed, pairs.radius) <= seen_of(agreeing, found, pairs.radius)
        or moves(pairs)
        or _same_picture(pairs, agreeing, listed)
    )


def _same_picture(pairs: Pairs, agreeing: Frames, listed: Frames) -> bool:
    """Whether a video shows, at two times or more, the detailed pictures that a listed one is of,
    one as a rule.

    All frames of the listed one count here, also those without detail: a title between dark frames
    is not what the video is of.
    """
    if min(len(np.unique(one.times)) for one in (agreeing, listed)) < 2:
        return False
    near = pairs.query_near[pairs.query_near <= pairs.radius]
    same = 2 * int((near <= SAME_PICTURE).sum()) >= len(near)
    return same and all(_most(len(one.detailed(_PICTURE)), len(one)) for one in (listed, agreeing))
