"""The vPDQ of an input: the hashes of its frames as one value, which others read too."""

from __future__ import annotations

from screener.hashed import Hashed, Located
from screener.hashing.hash import KINDS, Hash
from screener.hashing.video import VideoFrame, pack_vpdq
from screener.media.sampling import Sampling
from screener.policy import Policy


def sampling(every: float) -> Sampling:
    """How vPDQ samples: each so many frames as make `every` seconds at the file's average rate, all
    of them where that is 0; alike ones too.
    """
    if every == 0:
        return Sampling(mode="all", distinct=False)
    return Sampling(mode="frames", every=every, distinct=False)


def policy(every: float) -> Policy:
    """A policy that samples so. Raises PolicyError."""
    return Policy(sampling=sampling(every))


def vpdq_of(item: Hashed) -> Hash | None:
    """The vPDQ made of the PDQs of an input's upright, whole frames; None where it has none, or is
    a still.

    Times are rounded to milliseconds, as the text layouts have them, so that these give the value
    back. Frames of any quality are in it.
    """
    frames = [frame for located in item.hashes for frame in _frames(located)]
    if not frames or not (item.video or len({frame.time for frame in frames}) > 1):
        return None
    return Hash(KINDS["vpdq"], pack_vpdq(sorted(frames, key=lambda one: one.time)))


def _frames(located: Located) -> list[VideoFrame]:
    hash = located.hash
    if hash.kind.name != "pdq" or located.part_kind != "frame":
        return []
    if (located.orientation, located.region) != ("upright", "full"):
        return []
    quality = 0 if hash.quality is None else hash.quality
    first = VideoFrame(located.part, round(located.time, 3), quality, hash.value)
    return [first, *(VideoFrame(-1, round(time, 3), quality, hash.value) for time in located.again)]
