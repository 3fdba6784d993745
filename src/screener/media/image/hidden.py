"""The frames of the pictures and clips that are hidden in a file."""

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
"""Places of one file that are tried as a hidden picture or clip."""

_UNSEEN = ("too_large", "timeout", "unsupported", "encrypted")
"""Reasons why a hidden picture or clip was not screened; with others it is none, or broken."""

Clips = Callable[[bytes], Picture]
"""Opens a hidden clip."""


def frames(
    places: Iterable[Embedded], limits: Limits, clips: Clips | None, *, alone: bool = False
) -> Iterator[Frame]:
    """Yield the frames of hidden pictures and clips as far as they decode.

    Parts are counted from 0, tracks of clips and animations from 1. With `alone`, the file has no
    picture of its own, and as many are tried as a file may have frames.

    Broken or cut ones are no trouble of the file, whose own pictures may be sound. Raises
    MediaError at the end if one is over a limit or cannot be decoded: that picture was not
    screened.
    """
    budget = FrameBudget(limits) if alone else FrameBudget(limits, factor=1)
    most, over, part, track = limits.frames if alone else _HIDDEN, None, 0, 0
    for number, one in enumerate(places):
        if number >= most:
            raise MediaError("too_large", f"more than {most} pictures hidden in the file")
        part_before, track_before = part, track
        try:
            for frame in _of_clip(one, clips) if one.clip else _of_picture(one, limits, budget):
                number_of_track = track_before + frame.track if frame.track else 0
                part, track = part_before + frame.part + 1, max(track, number_of_track)
                yield replace(frame, part=part - 1, part_kind=one.kind, track=number_of_track)
                del frame
        except MediaError as error:
            one.complete = False
            unseen = error.reason in _UNSEEN and (one.clip or _is_picture(one.data))
            if unseen and (over is None or isinstance(error, ShortOfMemory)):
                over = _hidden(error)
    if over is not None:
        raise over


def _hidden(error: MediaError) -> MediaError:
    if isinstance(error, ShortOfMemory):
        return error.alone()
    return MediaError(error.reason, f"hidden in the file: {error.detail}", error.extra)


def _of_clip(one: Embedded, clips: Clips | None) -> Iterator[Frame]:
    for frame in clips(one.data).frames() if clips else ():
        yield replace(frame, track=frame.track + 1)
        del frame


def _of_picture(one: Embedded, limits: Limits, budget: FrameBudget) -> Iterator[Frame]:
    check_pixels(*headers.largest(one.data), limits)
    image = pillow.open_image(one.data)
    count = sequence.count(image, one.data, limits)
    track = int(count > 1 and image.format in sequence.ANIMATED)
    for frame in sequence.frames(image, one.data, count, budget):
        yield replace(frame, track=track)
        del frame


def _is_picture(data: bytes) -> bool:
    """Return whether data that cannot be decoded are more than a picture's first bytes.

    A file of boxes or chunks has to have one that holds a picture. Files of other types were opened
    before.
    """
    if data[4:8] == b"ftyp":
        return any(name in (b"meta", b"moov") for name, _, _ in headers.boxes(data, 0))
    return data[:4] != b"RIFF" or data[12:15] == b"VP8"
