"""Decode the frames of pictures and clips that are hidden in a file."""

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

_MAX_HIDDEN = 16  # supposed pictures and clips that are tried per file

# Reasons why a hidden picture was not screened. For any other reason it is broken, or no picture.
_UNSCREENED_REASONS = ("too_large", "timeout", "unsupported", "encrypted")

ClipOpener = Callable[[bytes], Picture]
"""A function that opens a hidden clip."""


def decode_frames(
    embedded: Iterable[Embedded],
    limits: Limits,
    open_clip: ClipOpener | None,
    *,
    is_only_content: bool = False,
) -> Iterator[Frame]:
    """Yield the frames of hidden pictures and clips as far as they decode.

    Parts are counted from 0, tracks of clips and animations from 1. If `is_only_content`, the file
    has no picture of its own, and as many hidden ones are tried as a file may have frames.

    A broken hidden picture is no error, since the file's own pictures may be sound. Raises
    MediaError at the end if one is over a limit or unsupported, and so was not screened.
    """
    budget = FrameBudget(limits) if is_only_content else FrameBudget(limits, factor=1)
    max_count = limits.frames if is_only_content else _MAX_HIDDEN
    unscreened: MediaError | None = None
    part = track = 0
    for index, hidden in enumerate(embedded):
        if index >= max_count:
            raise MediaError("too_large", f"more than {max_count} pictures hidden in the file")
        part_before, track_before = part, track
        try:
            if hidden.clip:
                frames = _decode_clip(hidden, open_clip)
            else:
                frames = _decode_picture(hidden, limits, budget)
            for frame in frames:
                frame_track = track_before + frame.track if frame.track else 0
                part, track = part_before + frame.part + 1, max(track, frame_track)
                yield replace(frame, part=part - 1, part_kind=hidden.kind, track=frame_track)
                del frame
        except MediaError as error:
            hidden.complete = False
            if error.reason not in _UNSCREENED_REASONS:
                continue
            is_first = unscreened is None or isinstance(error, ShortOfMemory)
            if is_first and (hidden.clip or _is_picture(hidden.data)):
                unscreened = _as_hidden_error(error)
    if unscreened is not None:
        raise unscreened


def _as_hidden_error(error: MediaError) -> MediaError:
    if isinstance(error, ShortOfMemory):
        return error.alone()
    return MediaError(error.reason, f"hidden in the file: {error.detail}", error.extra)


def _decode_clip(hidden: Embedded, open_clip: ClipOpener | None) -> Iterator[Frame]:
    for frame in open_clip(hidden.data).frames() if open_clip else ():
        yield replace(frame, track=frame.track + 1)
        del frame


def _decode_picture(hidden: Embedded, limits: Limits, budget: FrameBudget) -> Iterator[Frame]:
    check_pixels(*headers.find_largest_size(hidden.data), limits)
    image = pillow.open_image(hidden.data)
    count = sequence.count_frames(image, hidden.data, limits)
    track = int(count > 1 and image.format in sequence.ANIMATED_FORMATS)
    for frame in sequence.decode_frames(image, hidden.data, count, budget):
        yield replace(frame, track=track)
        del frame


def _is_picture(data: bytes) -> bool:
    """Return whether data that cannot be decoded are more than a picture's first bytes.

    A file of boxes or chunks must contain one with a picture. Files of other types have been opened
    already.
    """
    if data[4:8] == b"ftyp":
        return any(
            box_type in (b"meta", b"moov") for box_type, _, _ in headers.read_file_boxes(data, 0)
        )
    return data[:4] != b"RIFF" or data[12:15] == b"VP8"
