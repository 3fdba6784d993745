"""Videos: frames sampled by time, one at a time, as grey pixels with their times.

`open` takes an open file or bytes and reads its headers. PyAV decodes where it is installed, in a
version that serves, else OpenCV; `docs/video.md` says how far their results agree. A listing of
what is promised stands there too: what is sampled, what is left out, and where a walk over the
frames ends early.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from screener.errors import MediaError
from screener.media.files.allowance import Allowance
from screener.media.files.limits import Limits, check_pixels
from screener.media.files.picture import Frame, Media, Picture
from screener.media.files.sniff import CONTAINERS, sniff
from screener.media.image import hidden
from screener.media.video.containers import (
    attachments,
    boxes,
    declared,
    edit_lists,
    integrity,
    mpeg_streams,
    trailing_data,
)
from screener.media.video.decoders.stream import Stream
from screener.media.video.sampling.rules import Sampling
from screener.media.video.sampling.walk import Walk
from screener.media.video.timing import Grid
from screener.system.installation import load, unsupported_without


@dataclass(frozen=True)
class _File:
    """A file of a video, of the type that its content has, and how it is to be looked at."""

    stream: BinaryIO
    mime: str
    limits: Limits
    sampling: Sampling


def open(
    source: bytes | BinaryIO,
    *,
    limits: Limits | None = None,
    sampling: Sampling | None = None,
    seconds: float | None = None,
) -> Picture:
    """Open a video, from bytes or a seekable file; no frame is decoded yet.

    Its frames are grey (H, W), or RGB those of pictures that it carries, upright, and sampled as
    `sampling` says: `time` counts from the first frame, `part` is the frame's number in the file,
    and `again` are the times of the samples that followed and are equal. After `seconds` of
    processor time, or ten times as much wall time, the walk ends with `timeout`. Raises MediaError:
    `encrypted`, `no_video`, `undecodable`, `truncated`, `unsupported`, `too_large`.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    limits, sampling = limits or Limits(), sampling or Sampling()
    stream.seek(0)
    mime = sniff(stream.read(4096))
    stream.seek(0)
    if mime not in CONTAINERS:
        raise MediaError("unsupported", f"{mime or 'content of no known type'} is no video")
    if boxes.encrypted(stream):
        raise MediaError("encrypted", f"{mime}: the pictures are encrypted")
    file = _File(stream, mime, limits, sampling)
    left = edit_lists.left_out(stream)
    allowance = Allowance() if seconds is None else Allowance(seconds)
    try:
        opened = _decoder(file, left, allowance)
    except MediaError as error:
        if error.reason != "no_video" or not attachments.places(stream):
            raise
        # A cover of a type that FFmpeg does not take for one.
        return Picture(Media(mime, 0, 0, 0), lambda: _covers_of_sound(stream, limits))
    check_pixels(opened.width, opened.height, limits)
    media = Media(mime, opened.width, opened.height, opened.frames, opened.duration)
    return Picture(media, lambda: _walk(file, opened, left, allowance))


def _decoder(
    file: _File, left: float, allowance: Allowance, track: int = 0, *, whole: bool = False
) -> Stream:
    """A track of the file opened by PyAV, or by OpenCV where that is not installed. Edit lists
    leave `left` seconds out of the file; a `whole` track has them as well. It is not read for its
    length once the allowance is over.
    """
    sampling = file.sampling
    try:
        if _has_pyav():
            from screener.media.video.decoders.pyav import AvStream

            every_one = sampling.scenes or sampling.against_videos
            some = sampling.mode == "seconds" and not every_one
            return AvStream(
                file.stream,
                file.mime,
                track=track,
                keyframes=sampling.mode == "keyframes",
                grid=sampling.grid if some else None,
                trimmed=left,
                whole=whole,
                once=sampling.mode == "frames",
                allowance=allowance,
            )
        if sampling.mode == "keyframes":
            raise unsupported_without("video", "keyframes")
        if whole:
            raise unsupported_without("video", "what edit lists leave out")
        from screener.media.video.decoders.opencv import CvStream

        return CvStream(file.stream, trimmed=left)
    except MediaError as error:
        if error.reason == "undecodable" and boxes.ended_early(file.stream):
            raise MediaError("truncated", f"{file.mime}: the data ends too early") from None
        raise


def _has_pyav() -> bool:
    return importlib.util.find_spec("av") is not None and load("video")


def _walk(file: _File, opened: Stream, left: float, allowance: Allowance) -> Iterator[Frame]:
    """The sampled frames, track after track; covers come last of these, as thumbnails. Tracks that
    edit lists trim are walked over once more, whole, since what those leave out is hidden in the
    file. Then come pictures that it carries beside its tracks, and at the end MediaError if a part
    of anything was not looked at.
    """
    stream, limits, sampling = file.stream, file.limits, file.sampling
    trouble: MediaError | None = None
    before = taken = 0  # frames of the tracks before, and those of them that were looked at
    shown = opened.tracks
    attached = attachments.places(stream)
    known = opened.covers <= len(attached)  # more is seen of a cover by its file than as a track
    grid = sampling.grid(*opened.length)
    for track in range(2 * shown):
        try:
            whole = track >= shown
            if whole and not _is_trimmed(grid, sampling, left):
                break
            if track:
                stream.seek(0)
                number = track % shown
                opened = _decoder(file, left, allowance, number, whole=whole)
                check_pixels(opened.width, opened.height, limits)
            left = max(left, opened.left)
            if opened.cover and (whole or (track and known)):
                continue
            walk = Walk(opened, limits, sampling, allowance, taken)
            kind = "appended" if whole else "thumbnail" if track and opened.cover else "frame"
            for frame in walk.frames():
                yield replace(frame, part=before + frame.part, part_kind=kind, track=track)
            before, taken = before + walk.passed, walk.count
            walk.check(stream)
            if opened.alpha_lost:
                what = "the alpha channel of its pictures"
                if not _has_pyav():
                    raise unsupported_without("video", what)
                raise MediaError("unsupported", f"{what} is not decoded here")
        except MediaError as error:
            trouble = trouble or error
    try:
        for frame in _carried(stream, attached, limits):
            yield replace(frame, part=before + frame.part)
    except MediaError as error:
        trouble = trouble or error.alone()
    trouble = trouble or _unseen(file, opened)
    if trouble is not None:
        raise trouble


def _carried(
    stream: BinaryIO, places: Sequence[attachments.Place], limits: Limits
) -> Iterator[Frame]:
    """The frames of pictures that are carried beside the tracks."""
    return hidden.frames(attachments.files(stream, places, limits), limits, _carried_clip)


def _covers_of_sound(stream: BinaryIO, limits: Limits) -> Iterator[Frame]:
    """Those of a file without a track of pictures, then MediaError: they clear nothing."""
    yield from _carried(stream, attachments.places(stream), limits)
    raise MediaError("no_video", "no pictures but covers among what it holds")


def _carried_clip(_: bytes) -> Picture:
    """A clip that a video carries could carry another, and so on."""
    raise MediaError("unsupported", "a video that it carries is not looked at")


def _is_trimmed(grid: Grid, sampling: Sampling, left: float) -> bool:
    """Whether of the `left` seconds that players do not show some are to be looked at: a sample
    may fall into them. vPDQ, as `frames` samples, knows no edit lists.
    """
    if not left or sampling.mode == "frames":
        return False
    return sampling.mode != "seconds" or sampling.scenes or left >= grid.part


def _unseen(file: _File, opened: Stream) -> MediaError | None:
    """What the decoder passed over in silence, now that all tracks of a file were walked over; None
    where it saw everything.
    """
    stream = file.stream
    if opened.tracks < declared.picture_tracks(stream):
        return _further_track()
    met = _tracks_met(stream, file.mime)
    if opened.ids is None and len(met.ids) > opened.tracks:
        return _further_track()
    if opened.ids is not None and not met.ids <= opened.ids:
        return MediaError("unsupported", "a track of pictures begins within the file")
    if met.changes or boxes.coded_in_several_ways(stream):
        return MediaError("unsupported", "a track changes how it is coded")
    if opened.ids is None and boxes.begins_anew(stream):
        return unsupported_without("video", "a fragment of a time that has passed")
    reason = integrity.broken(stream)
    if reason is not None:
        return MediaError(reason, f"{file.mime}: its parts do not follow one another to its end")
    if trailing_data.hides_file(stream):
        return MediaError("unsupported", "another file stands, or may stand, behind it")
    subtitles = opened.subtitles
    if subtitles is None:
        subtitles = declared.picture_subtitles(stream, file.mime)
    return MediaError("unsupported", "subtitles that are pictures") if subtitles else None


def _tracks_met(stream: BinaryIO, mime: str) -> mpeg_streams.Tracks:
    """The tracks of pictures of a file that has no head to name them."""
    if mime == "video/mp2t":
        return mpeg_streams.picture_tracks(stream)
    return mpeg_streams.program_tracks(stream) if mime == "video/mpeg" else mpeg_streams.Tracks()


def _further_track() -> MediaError:
    """Why a track that the file declares was not looked at: OpenCV knows one, and FFmpeg the first
    of two indexes, of MP4 files that were joined.
    """
    if _has_pyav():
        what = "a further track of pictures is declared and cannot be reached"
        return MediaError("unsupported", what)
    return unsupported_without("video", "a further track of pictures")
