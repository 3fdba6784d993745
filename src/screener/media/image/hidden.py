"""The pictures and clips that are hidden in a file, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from screener.errors import MediaError, ShortOfMemory
from screener.media.files.limits import Limits, check_pixels
from screener.media.files.picture import Frame, Picture
from screener.media.image import frames as sequence
from screener.media.image import pillow
from screener.media.image.embedded import Embedded
from screener.media.image.frame_budget import FrameBudget
from screener.media.image.structure import headers

_HIDDEN = 16
"""So many places of one file that look like a hidden picture or clip are looked into."""

_UNSEEN = ("too_large", "timeout", "unsupported", "encrypted")
"""Why a hidden picture or clip that is one was not looked at; for all other reasons it is none, or
broken.
"""

Clips = Callable[[bytes], Picture]
"""How a clip that is hidden in a file is opened."""


def frames(
    found: Iterable[Embedded], limits: Limits, clips: Clips | None, *, alone: bool = False
) -> Iterator[Frame]:
    """The frames of what was found hidden in a file, as far as they decode; their parts are
    counted from 0, and those that have times have tracks, counted from 1. Where the file has no
    picture beside, they are looked at `alone`, as many as a file may have of its own.

    What is broken or cut is no trouble of the file, whose own pictures may be sound. What is over
    a limit is, and what is of a kind that cannot be decoded: there is a picture, and nobody has
    looked at it.
    """
    budget = FrameBudget(limits) if alone else FrameBudget(limits, factor=1)
    most, over, part, track = limits.frames if alone else _HIDDEN, None, 0, 0
    for number, one in enumerate(found):
        if number >= most:
            raise MediaError("too_large", f"more than {most} pictures hidden in the file")
        part_before, track_before = part, track
        try:
            for frame in _of_clip(one, clips) if one.clip else _of_picture(one, limits, budget):
                told = track_before + frame.track if frame.track else 0
                part, track = part_before + frame.part + 1, max(track, told)
                yield replace(frame, part=part - 1, part_kind=one.kind, track=told)
                del frame
        except MediaError as error:
            one.whole = False
            unseen = error.reason in _UNSEEN and (one.clip or _is_picture(one.data))
            if unseen and (over is None or isinstance(error, ShortOfMemory)):
                over = _hidden(error)
    if over is not None:
        raise over


def _hidden(error: MediaError) -> MediaError:
    """That trouble, said not to be of what the file shows."""
    if isinstance(error, ShortOfMemory):
        return error.alone()
    return MediaError(error.reason, f"hidden in the file: {error.detail}", error.extra)


def _of_clip(one: Embedded, clips: Clips | None) -> Iterator[Frame]:
    """The frames of a clip, with its tracks counted from 1."""
    for frame in clips(one.data).frames() if clips else ():
        yield replace(frame, track=frame.track + 1)
        del frame


def _of_picture(one: Embedded, limits: Limits, budget: FrameBudget) -> Iterator[Frame]:
    """The frames of a picture; those of an animation are a track."""
    check_pixels(*headers.largest(one.data), limits)
    image = pillow.open_image(one.data)
    count = sequence.count(image, one.data, limits)
    track = int(count > 1 and image.format in sequence.ANIMATED)
    for frame in sequence.frames(image, one.data, count, budget):
        yield replace(frame, track=track)
        del frame


def _is_picture(data: bytes) -> bool:
    """Whether what cannot be decoded is more than a beginning: whether a file of boxes or chunks
    has one that says what it shows. Other kinds have been opened when that is asked.
    """
    if data[4:8] == b"ftyp":
        return any(name in (b"meta", b"moov") for name, _, _ in headers.boxes(data, 0))
    return data[:4] != b"RIFF" or data[12:15] == b"VP8"
