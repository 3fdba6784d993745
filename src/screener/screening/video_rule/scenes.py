"""How many different scenes frames show, so that one picture is not taken for a video."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from screener.hashing.video_frames import Codes, Frames

SCENES: Final = 3
"""Scenes up to which are counted: more are not needed."""

NEARER: Final = 1.3
"""How many times nearer a frame must be to its own scene than to others."""

ONE_PICTURE: Final = 2
"""Radii: frames that are further apart cannot both agree with one picture."""

FAR: Final = 999
"""Bits: a distance if there is nothing to compare."""

_SAMENESS: Final = 0.36  # of frames with much detail; most title cards have more


def scenes_of(frames: Frames, radius: int) -> int:
    """Return how many scenes frames show, up to `SCENES`.

    Two frames are two scenes if they cannot both agree with one picture. If both have much detail
    and are not lines of text, it is enough that they are further apart than the radius.
    """
    count = count_apart(frames.codes, ONE_PICTURE * radius)
    return max(count, count_apart(frames.detailed(_SAMENESS).codes, radius))


def seen_of(ours: Frames, theirs: Frames, radius: int) -> int:
    """Return how many scenes agreeing frames show, on the side that has fewer.

    Frames nearer than twice the radius count too if each is much nearer to its own than to the
    other.
    """
    count = min(count_apart(side.codes, ONE_PICTURE * radius) for side in (ours, theirs))
    detailed = [side.detailed(_SAMENESS).codes for side in (ours, theirs)]
    return max(count, _count_distinct(detailed[0], detailed[1], radius))


def _count_distinct(ours: Codes, theirs: Codes, radius: int) -> int:
    """Return how many scenes are in both, up to `SCENES`.

    Frames of a scene are further than the radius from those of others on either side, and much
    nearer to their own than to the others; noise over one picture is not.
    """
    if not len(ours) or not len(theirs):
        return 0
    scenes = theirs[_far_apart(theirs, radius)]
    across = distances(ours[:, None], scenes)
    nearest = across.argmin(axis=0)
    own, across = across.min(axis=0), across[nearest]
    within = distances(ours[nearest][:, None], ours[nearest])
    chosen: list[int] = []
    for place in range(len(scenes)):
        if own[place] <= radius and all(
            within[place, other] > radius
            and min(across[place, other], across[other, place])
            >= NEARER * max(own[place], own[other])
            for other in chosen
        ):
            chosen.append(place)
    return len(chosen)


def count_apart(codes: Codes, bits: int) -> int:
    """Return how many codes are further apart than `bits`, up to `SCENES`."""
    return len(_far_apart(codes, bits))


def _far_apart(codes: Codes, bits: int) -> list[int]:
    """Return the places of up to `SCENES` codes that are further apart than `bits`."""
    if not len(codes):
        return []
    nearest = np.full(len(codes), FAR, np.uint16)
    places = [0]
    while len(places) < SCENES:
        nearest = np.minimum(nearest, distances(codes, codes[places[-1]][None]))
        place = int(nearest.argmax())
        if nearest[place] <= bits:
            break
        places.append(place)
    return places


def words(codes: Codes) -> npt.NDArray[np.uint64]:
    """Return codes, (n, 32), as four words of 64 bits each."""
    return np.ascontiguousarray(codes).view(np.uint64)


def distances(codes: Codes, others: Codes) -> npt.NDArray[np.uint16]:
    """Return the distances in bits between codes, broadcast over all axes but the last."""
    bits: npt.NDArray[np.uint16] = np.bitwise_count(words(codes) ^ words(others)).sum(
        axis=-1, dtype=np.uint16
    )
    return bits
