"""The vPDQ of a video: the hashes of its frames as one value."""

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

# A copy with four of five usable frames has the 80 % that a match requires.
_MIN_USABLE_FRAMES = 5


def compute(item: Item, *, every: float = 1.0) -> tuple[Hash | None, MediaError | None]:
    """Return the vPDQ of a video, and the error that ended decoding.

    The vPDQ of a damaged video has the frames before the damage; it is None without a frame. vPDQ's
    rule chooses the frames: one per `every` seconds by the file's average rate, or all if `every`
    is 0. If two of them are further apart, the frame on screen in between is added, which vPDQ
    leaves out. Frames are upright and of any quality. Times are rounded to milliseconds, as in the
    text layouts. A still has no vPDQ (`no_video`). Raises ValueError if `every` is negative.
    """
    if not 0 <= as_float(every) < math.inf:
        raise ValueError(f"every must be a number of seconds from 0, not {every!r}")
    frames: list[VideoFrame] = []
    error: MediaError | None = None
    try:
        for frame in _read_frames(item, every):
            hash_ = pdq.compute(frame.pixels)
            frames.append(
                VideoFrame(frame.part, round(frame.time, 3), hash_.quality or 0, hash_.value)
            )
    except MediaError as media_error:
        error = media_error.alone()
    return (Hash(KINDS["vpdq"], pack_vpdq(frames)) if frames else None), error


def can_match(vpdq: Hash) -> bool:
    """Return whether anything can match a listed video with this vPDQ."""
    return _count_usable(vpdq) > 1


def explain_shortness(vpdq: Hash) -> str | None:
    """Return a warning if this vPDQ, once listed, would match few copies or none.

    Returns None if it has enough usable frames for a copy to lack one.
    """
    usable = _count_usable(vpdq)
    if not can_match(vpdq):
        return "a listed video with no more than one frame that shows enough detail matches nothing"
    if usable < _MIN_USABLE_FRAMES:
        return (
            f"a listed video with {usable} frames that show enough detail matches no copy that"
            " lacks one of them, for instance because a moment was cut off"
        )
    return None


def _count_usable(vpdq: Hash) -> int:
    return len(np.unique(Frames.of_value(vpdq.value).usable().times))


def _read_frames(item: Item, every: float) -> Iterator[Frame]:
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
        # vPDQ ignores other tracks and hidden clips. An error in the first track is raised after
        # the last track, so read to the end.
        for frame in picture.frames():
            if frame.track == 0 and frame.part_kind == "frame":
                yield frame
