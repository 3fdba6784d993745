"""Scenes: how many different ones frames show, so that one picture is not taken for a video."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from screener.hashing.video_frames import Codes, Frames

SCENES: Final = 3
"""So many that do not agree with each other are enough, and more are not counted."""

NEARER: Final = 1.3
"""So many times nearer a frame is to its own than to others, if these are told apart."""

ONE_PICTURE: Final = 2
"""Times the radius: frames that are further apart cannot both agree with one picture."""

FAR: Final = 999
"""Bits, where there is nothing to be near."""

_SAMENESS: Final = 0.36  # of frames of much detail; most title cards have more


def scenes_of(frames: Frames, radius: int) -> int:
    """How many scenes frames are, up to `SCENES`.

    Two are of two scenes where they cannot both agree with one picture; where both have much detail
    and are no lines of text, beyond the radius.
    """
    plain = apart(frames.codes, ONE_PICTURE * radius)
    return max(plain, apart(frames.detailed(_SAMENESS).codes, radius))


def seen_of(ours: Frames, theirs: Frames, radius: int) -> int:
    """How many scenes frames that agree are, on the side that has fewer. Where less than twice the
    radius is between them they are told apart as well: each is nearer to its own than to the other.
    """
    plain = min(apart(one.codes, ONE_PICTURE * radius) for one in (ours, theirs))
    detailed = [one.detailed(_SAMENESS).codes for one in (ours, theirs)]
    return max(plain, _told_apart(detailed[0], detailed[1], radius))


def _told_apart(ours: Codes, theirs: Codes, radius: int) -> int:
    """How many scenes there are in both, up to `SCENES`: frames of theirs that are further than the
    radius from each other, as those of ours are that are nearest to them, and much nearer than to
    the others. What noise makes of one picture is as near to one as to another.
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


def apart(codes: Codes, bits: int) -> int:
    """How many codes there are that are further than so many bits from each other, up to
    `SCENES`.
    """
    return len(_far_apart(codes, bits))


def _far_apart(codes: Codes, bits: int) -> list[int]:
    """The places of up to `SCENES` codes that are further than so many bits from each other."""
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
    """Codes, (n, 32), as four words of 64 bits each."""
    return np.ascontiguousarray(codes).view(np.uint64)


def distances(one: Codes, other: Codes) -> npt.NDArray[np.uint16]:
    """Bits between each of one and each of the other; between pairs where the shapes agree so."""
    bits: npt.NDArray[np.uint16] = np.bitwise_count(words(one) ^ words(other)).sum(
        axis=-1, dtype=np.uint16
    )
    return bits
