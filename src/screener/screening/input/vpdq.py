"""The vPDQ of a video: the hashes of its frames as one value that other tools read."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from screener.arguments import as_float
from screener.errors import MediaError
from screener.hashing import pdq
from screener.hashing.hash import KINDS, Hash
from screener.hashing.video_frames import Frames
from screener.hashing.vpdq_value import VideoFrame, pack_vpdq
from screener.media import opening, source
from screener.media.files.limits import Limits
from screener.media.files.picture import Frame
from screener.media.files.sniff import CONTAINERS
from screener.media.source import Item
from screener.media.video.sampling.settings import Sampling

_MAY_LACK_ONE = 5  # usable frames: a copy with four of them has the 80 % that a match takes


def compute(item: Item, *, every: float = 1.0) -> tuple[Hash | None, MediaError | None]:
    """Return the vPDQ of a video as far as it decodes, and the trouble; None for either.

    Frames are chosen by vPDQ's rule: one every `every` seconds by the file's average rate, or all
    if that is 0. If two of them are further apart than that, the frame on screen in between is
    added, which vPDQ leaves out. Frames are upright and of any quality; times are rounded to
    milliseconds, as in the text layouts. A still has no vPDQ (`no_video`). Raises ValueError for an
    `every` below 0.
    """
    if not 0 <= as_float(every) < math.inf:
        raise ValueError(f"every must be a number of seconds from 0, not {every!r}")
    frames: list[VideoFrame] = []
    trouble: MediaError | None = None
    try:
        for frame in _frames(item, every):
            made = pdq.compute(frame.pixels)
            frames.append(
                VideoFrame(frame.part, round(frame.time, 3), made.quality or 0, made.value)
            )
    except MediaError as error:
        trouble = error.alone()
    return (Hash(KINDS["vpdq"], pack_vpdq(frames)) if frames else None), trouble


def matches(made: Hash) -> bool:
    """Return whether anything can match a listed video with this vPDQ."""
    return _usable(made) > 1


def too_short(made: Hash) -> str | None:
    """Return a sentence if a listed video with this vPDQ would match few copies or none.

    Returns None if it has so many usable frames that a copy may lack one.
    """
    usable = _usable(made)
    if not matches(made):
        return "a listed video with no more than one frame that shows enough detail matches nothing"
    if usable < _MAY_LACK_ONE:
        return (
            f"a listed video with {usable} frames that show enough detail matches no copy that"
            " lacks one of them, for instance because a moment was cut off"
        )
    return None


def _usable(made: Hash) -> int:
    return len(np.unique(Frames.of_value(made.value).usable().times))


def _frames(item: Item, every: float) -> Iterator[Frame]:
    if every == 0:
        sampling = Sampling(mode="all", distinct=False)
    else:
        sampling = Sampling(mode="frames", every=every, distinct=False)
    limits = Limits()
    with source.read(item, limit=limits.bytes, video_limit=limits.video_bytes) as read:
        if read.content is None:
            raise MediaError("too_large", f"more than {limits.bytes} bytes")
        picture = opening.open(read.content, limits=limits, sampling=sampling)
        if picture.media.type not in CONTAINERS and picture.media.frames < 2:
            raise MediaError("no_video", "a picture that does not move")
        # vPDQ has no further tracks and no hidden clips. Trouble with the first track is raised
        # after the last, so read to the end.
        for frame in picture.frames():
            if frame.track == 0 and frame.part_kind == "frame":
                yield frame
