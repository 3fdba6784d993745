"""The rule by which a video agrees with a listed one.

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
    SAME_PICTURE_BITS,
    Pairs,
    find_longest_run,
    find_span,
    is_aligned,
)
from screener.screening.video_rule.scenes import count_common_scenes, count_scenes

RADIUS: Final = 31

# Maximum sameness of a picture that identifies a video by itself: most photographs have less, lines
# of text have more.
_MAX_PICTURE_SAMENESS: Final = 0.25

# PDQs of a video that are compared; of a longer video, every n-th frame is.
_MAX_COMPARED_HASHES: Final = 10_000


class Rule(StrEnum):
    """The conclusion from the agreeing frames.

    - `whole`: at least 80 % of the listed video's usable frames agree with the input's.
    - `run`: for five seconds or more, at one offset in time, 80 % of the frames agree.
    - `alike`: the input shows pictures of the listed video, but too few or too similar ones for a
      match.
    """

    WHOLE = "whole"
    RUN = "run"
    ALIKE = "alike"


@dataclass(frozen=True)
class Agreement:
    """The frames that an input and a listed video have in common.

    - `distance`: median of the agreeing frames' distances in bits, each to its nearest frame.
    - `found`, `listed`: the listed video's agreeing frames, and all its usable frames.
    - `agreeing`, `usable`: the same two numbers for the input.
    - `input_span`, `listed_span`: seconds of the first and last agreeing frame in each video, or of
      the aligned run if there is one.
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
    """Return the agreement of a video with a listed one.

    Returns None if it is not even `alike`. Pass all frames of both videos, including those with
    little detail. Every frame is compared with every frame of the other video, in bounded memory.
    """
    query_frames, listed_frames = _thin(query.usable(floor)), _thin(listed.usable(floor))
    if not len(query_frames) or not len(listed_frames):
        return None
    pairs = Pairs(query_frames, listed_frames, radius)
    run = find_longest_run(pairs)
    found, agreeing = pairs.listed_distances <= radius, pairs.query_distances <= radius
    counts = (
        int(found.sum()),
        len(listed_frames),
        query_frames.only(agreeing).count,
        query_frames.count,
    )
    is_most_of_listed = _is_most(*counts[:2])
    if is_most_of_listed and _identifies_video(pairs, listed):
        rule = Rule.WHOLE
    elif run is not None:
        rule = Rule.RUN
    elif is_most_of_listed or _is_most(*counts[2:]):
        rule = Rule.ALIKE
    else:
        return None
    distances = pairs.query_distances[agreeing]
    if rule is Rule.WHOLE:
        distances = pairs.listed_distances[found]
    if run is None:
        spans = find_span(query_frames.times[agreeing]), find_span(listed_frames.times[found])
    else:
        spans = run.input_span, run.listed_span
        if rule is Rule.RUN:
            distances = run.distances
    median = int(np.sort(distances)[(len(distances) - 1) // 2])
    return Agreement(rule, median, *counts, *spans)


def _thin(frames: Frames) -> Frames:
    interval = -(-len(frames) // _MAX_COMPARED_HASHES)
    if interval <= 1:
        return frames
    return frames.only(np.isin(frames.places, np.unique(frames.places)[::interval]))


def _is_most(count: int, total: int) -> bool:
    """Return whether `count` is at least 80 % of `total`."""
    return 5 * count >= 4 * total


def _identifies_video(pairs: Pairs, listed: Frames) -> bool:
    """Return whether the agreeing frames identify the video, not a picture that many contain.

    Three of its scenes must agree, or both if it has two. Otherwise each frame must be nearest to
    its counterpart, or all must be detailed photographs, which title cards are not.
    """
    agreeing = pairs.query.only(pairs.query_distances <= pairs.radius)
    found = pairs.listed.only(pairs.listed_distances <= pairs.radius)
    scenes = count_scenes(pairs.listed, pairs.radius)
    return (
        1 < scenes <= count_common_scenes(agreeing, found, pairs.radius)
        or is_aligned(pairs)
        or _shows_same_picture(pairs, agreeing, listed)
    )


def _shows_same_picture(pairs: Pairs, agreeing: Frames, listed: Frames) -> bool:
    """Return whether two videos show one detailed picture, at two times or more.

    All listed frames count, also those with little detail: a title between dark frames does not
    identify a video.
    """
    if min(len(np.unique(video.times)) for video in (agreeing, listed)) < 2:
        return False
    distances = pairs.query_distances[pairs.query_distances <= pairs.radius]
    is_same = 2 * int((distances <= SAME_PICTURE_BITS).sum()) >= len(distances)
    return is_same and all(
        _is_most(len(video.detailed(_MAX_PICTURE_SAMENESS)), len(video))
        for video in (listed, agreeing)
    )
