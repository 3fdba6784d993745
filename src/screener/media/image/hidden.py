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
    for number, embedded_file in enumerate(embedded):
        if number >= max_count:
            raise MediaError("too_large", f"more than {max_count} pictures hidden in the file")
        part_before, track_before = part, track
        try:
            for frame in (
                _decode_clip(embedded_file, open_clip)
                if embedded_file.clip
                else _decode_picture(embedded_file, limits, budget)
            ):
                frame_track = track_before + frame.track if frame.track else 0
                part, track = part_before + frame.part + 1, max(track, frame_track)
                yield replace(frame, part=part - 1, part_kind=embedded_file.kind, track=frame_track)
                del frame
        except MediaError as error:
            embedded_file.complete = False
            is_unscreened = error.reason in _UNSCREENED_REASONS and (
                embedded_file.clip or _is_picture(embedded_file.data)
            )
            if is_unscreened and (unscreened is None or isinstance(error, ShortOfMemory)):
                unscreened = _as_hidden_error(error)
    if unscreened is not None:
        raise unscreened


def _as_hidden_error(error: MediaError) -> MediaError:
    if isinstance(error, ShortOfMemory):
        return error.alone()
    return MediaError(error.reason, f"hidden in the file: {error.detail}", error.extra)


def _decode_clip(embedded_file: Embedded, open_clip: ClipOpener | None) -> Iterator[Frame]:
    for frame in open_clip(embedded_file.data).frames() if open_clip else ():
        yield replace(frame, track=frame.track + 1)
        del frame


def _decode_picture(
    embedded_file: Embedded, limits: Limits, budget: FrameBudget
) -> Iterator[Frame]:
    check_pixels(*headers.find_largest_size(embedded_file.data), limits)
    image = pillow.open_image(embedded_file.data)
    count = sequence.count_frames(image, embedded_file.data, limits)
    track = int(count > 1 and image.format in sequence.ANIMATED_FORMATS)
    for frame in sequence.decode_frames(image, embedded_file.data, count, budget):
        yield replace(frame, track=track)
        del frame


def _is_picture(data: bytes) -> bool:
    """Return whether data that cannot be decoded are more than a picture's first bytes.

    A file of boxes or chunks must contain one with a picture. Files of other types have been opened
    already.
    """
    if data[4:8] == b"ftyp":
        return any(name in (b"meta", b"moov") for name, _, _ in headers.read_file_boxes(data, 0))
    return data[:4] != b"RIFF" or data[12:15] == b"VP8"
