"""The number of different scenes that frames show."""

from __future__ import annotations

from typing import Final

import numpy as np

from screener.hashing.code_distances import compute_distances
from screener.hashing.video_frames import Codes, Frames

# Counting stops at this number of scenes, which is enough for every rule.
MAX_SCENES: Final = 3

# Minimum ratio between a frame's distance to other scenes and its distance to its counterpart.
MIN_DISTANCE_RATIO: Final = 1.3

# In radii: two frames further apart than this cannot both match one picture.
ONE_PICTURE_RADII: Final = 2

# The distance in bits that stands for "nothing to compare".
NO_DISTANCE: Final = 999

# Maximum sameness of a detailed frame; most title cards exceed it.
_MAX_SAMENESS: Final = 0.36


def count_scenes(frames: Frames, radius: int) -> int:
    """Return the number of scenes that frames show, at most `MAX_SCENES`.

    Frames show different scenes if they cannot both match one picture. Detailed frames that are not
    lines of text only need to be more than the radius apart.
    """
    count = count_distant_codes(frames.codes, ONE_PICTURE_RADII * radius)
    return max(count, count_distant_codes(frames.detailed(_MAX_SAMENESS).codes, radius))


def count_common_scenes(query: Frames, listed: Frames, radius: int) -> int:
    """Return the number of scenes in agreeing frames of two videos, at most `MAX_SCENES`.

    The video with fewer scenes decides. Detailed frames less than two radii apart also show
    different scenes if each is much nearer to its counterpart than to the other frame.
    """
    videos = query, listed
    count = min(count_distant_codes(video.codes, ONE_PICTURE_RADII * radius) for video in videos)
    query_codes, listed_codes = (video.detailed(_MAX_SAMENESS).codes for video in videos)
    return max(count, _count_distinct_pairs(query_codes, listed_codes, radius))


def _count_distinct_pairs(query: Codes, listed: Codes, radius: int) -> int:
    """Return the number of listed scenes that the query shows too, at most `MAX_SCENES`.

    Two scenes differ if their frames are more than a radius apart in both videos and each is much
    nearer to its counterpart. Noise over one picture fails the second test.
    """
    if not len(query) or not len(listed):
        return 0
    scenes = listed[_find_distant_codes(listed, radius)]
    cross_distances = compute_distances(query[:, None], scenes)
    nearest = cross_distances.argmin(axis=0)
    own_distances, cross_distances = cross_distances.min(axis=0), cross_distances[nearest]
    query_distances = compute_distances(query[nearest][:, None], query[nearest])
    chosen: list[int] = []
    for index in range(len(scenes)):
        if own_distances[index] <= radius and all(
            query_distances[index, other] > radius
            and min(cross_distances[index, other], cross_distances[other, index])
            >= MIN_DISTANCE_RATIO * max(own_distances[index], own_distances[other])
            for other in chosen
        ):
            chosen.append(index)
    return len(chosen)


def count_distant_codes(codes: Codes, bits: int) -> int:
    """Return the number of codes more than `bits` apart from one another, at most `MAX_SCENES`."""
    return len(_find_distant_codes(codes, bits))


def _find_distant_codes(codes: Codes, bits: int) -> list[int]:
    if not len(codes):
        return []
    nearest = np.full(len(codes), NO_DISTANCE, np.uint16)
    indices = [0]
    while len(indices) < MAX_SCENES:
        nearest = np.minimum(nearest, compute_distances(codes, codes[indices[-1]][None]))
        index = int(nearest.argmax())
        if nearest[index] <= bits:
            break
        indices.append(index)
    return indices
