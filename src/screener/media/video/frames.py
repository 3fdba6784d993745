"""The frames of a video: `open` a file or bytes, then walk over its sampled frames.

PyAV decodes if it is installed in a supported version, else OpenCV; `docs/video.md` says how far
their results agree, which frames are sampled and when a walk ends early.
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
    declared,
    edit_lists,
    integrity,
    mpeg_streams,
    trailing_data,
)
from screener.media.video.decoders.stream import Stream
from screener.media.video.sampling.frame_choice import FrameChoice
from screener.media.video.sampling.settings import Sampling
from screener.media.video.timing import Grid
from screener.system.installation import load, unsupported_without


@dataclass(frozen=True)
class _File:
    """A video's file, its type by content, the seconds that edit lists hide, and the settings."""

    stream: BinaryIO
    mime: str
    trimmed: float
    limits: Limits
    sampling: Sampling
    allowance: Allowance


def open(
    source: bytes | BinaryIO,
    *,
    limits: Limits | None = None,
    sampling: Sampling | None = None,
    seconds: float | None = None,
) -> Picture:
    """Open a video, from bytes or a seekable file; no frame is decoded yet.

    Its frames are upright and grey, (H, W), or RGB for attached pictures, and are sampled by
    `sampling`. `time` counts from the first frame, `part` is the frame's number in the file, and
    `again` are the times of later samples that are equal. After `seconds` of processor time, or ten
    times as much wall time, the walk ends with `timeout`. Raises MediaError: `encrypted`,
    `no_video`, `undecodable`, `truncated`, `unsupported`, `too_large`.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    limits, sampling = limits or Limits(), sampling or Sampling()
    stream.seek(0)
    mime = sniff(stream.read(4096))
    stream.seek(0)
    if mime not in CONTAINERS:
        raise MediaError("unsupported", f"{mime or 'content of no known type'} is not a video")
    if declared.encrypted(stream):
        raise MediaError("encrypted", f"{mime}: the video is encrypted")
    trimmed = edit_lists.trimmed_seconds(stream)
    allowance = Allowance() if seconds is None else Allowance(seconds)
    file = _File(stream, mime, trimmed, limits, sampling, allowance)
    try:
        opened = _open_track(file, trimmed)
    except MediaError as error:
        if error.reason != "no_video" or not attachments.places(stream):
            raise
        # FFmpeg did not recognise its cover.
        return Picture(Media(mime, 0, 0, 0), lambda: _covers_of_audio(stream, limits))
    check_pixels(opened.width, opened.height, limits)
    media = Media(mime, opened.width, opened.height, opened.frames, opened.duration)
    return Picture(media, lambda: _walk(file, opened))


def _open_track(
    file: _File, trimmed: float, track: int = 0, *, ignore_edits: bool = False
) -> Stream:
    sampling = file.sampling
    try:
        if _has_pyav():
            from screener.media.video.decoders.pyav import AvStream

            every_frame = sampling.scenes or sampling.against_videos
            by_grid = sampling.mode == "seconds" and not every_frame
            return AvStream(
                file.stream,
                file.mime,
                track=track,
                keyframes=sampling.mode == "keyframes",
                grid=sampling.grid if by_grid else None,
                trimmed=trimmed,
                ignore_edits=ignore_edits,
                single_pass=sampling.mode == "frames",
                allowance=file.allowance,
            )
        if sampling.mode == "keyframes":
            raise unsupported_without("video", "keyframes")
        if ignore_edits:
            raise unsupported_without("video", "what edit lists hide")
        from screener.media.video.decoders.opencv import CvStream

        return CvStream(file.stream, trimmed=trimmed)
    except MediaError as error:
        if error.reason == "undecodable" and integrity.ended_early(file.stream):
            raise MediaError("truncated", f"{file.mime}: the data ends too early") from None
        raise


def _has_pyav() -> bool:
    return importlib.util.find_spec("av") is not None and load("video")


def _walk(file: _File, opened: Stream) -> Iterator[Frame]:
    """Yield the sampled frames of all tracks, then those of attached pictures.

    Covers are the last tracks. Tracks that edit lists trim are walked over again without these.
    Raises MediaError at the end if anything was not seen.
    """
    stream, limits, sampling = file.stream, file.limits, file.sampling
    trouble: MediaError | None = None
    before = taken = 0  # frames of earlier tracks, and samples of them
    tracks, trimmed = opened.tracks, file.trimmed
    attached = attachments.places(stream)
    covers_attached = opened.covers <= len(attached)  # better decoded as images than as tracks
    grid = sampling.grid(*opened.length)
    for turn in range(2 * tracks):
        try:
            again, track = divmod(turn, tracks)
            if again and not _needs_second_pass(grid, sampling, trimmed):
                break
            if turn:
                stream.seek(0)
                opened = _open_track(file, trimmed, track, ignore_edits=bool(again))
                check_pixels(opened.width, opened.height, limits)
            trimmed = max(trimmed, opened.trimmed)
            if opened.cover and (again or (turn and covers_attached)):
                continue
            walk = FrameChoice(opened, limits, sampling, file.allowance, taken)
            kind = "appended" if again else "thumbnail" if turn and opened.cover else "frame"
            for frame in walk.frames():
                yield replace(frame, part=before + frame.part, part_kind=kind, track=turn)
            before, taken = before + walk.passed, walk.count
            walk.check(stream)
            _check_alpha(opened)
        except MediaError as error:
            trouble = trouble or error
    try:
        for frame in _attached_frames(stream, attached, limits):
            yield replace(frame, part=before + frame.part)
    except MediaError as error:
        trouble = trouble or error.alone()
    trouble = trouble or _unseen(file, opened)
    if trouble is not None:
        raise trouble


def _check_alpha(opened: Stream) -> None:
    if opened.alpha_lost:
        what = "the alpha channel of the video"
        if not _has_pyav():
            raise unsupported_without("video", what)
        raise MediaError("unsupported", f"{what} cannot be decoded")


def _attached_frames(
    stream: BinaryIO, places: Sequence[attachments.Place], limits: Limits
) -> Iterator[Frame]:
    return hidden.frames(attachments.files(stream, places, limits), limits, _attached_video)


def _attached_video(_: bytes) -> Picture:
    """Refuse an attached video: it could have another attached, and so on."""
    raise MediaError("unsupported", "an attached video is not decoded")


def _covers_of_audio(stream: BinaryIO, limits: Limits) -> Iterator[Frame]:
    """Yield the covers of a file without video, then raise MediaError: they clear nothing."""
    yield from _attached_frames(stream, attachments.places(stream), limits)
    raise MediaError("no_video", "the file has covers, but no video track")


def _needs_second_pass(grid: Grid, sampling: Sampling, trimmed: float) -> bool:
    """Return whether a sample may lie in the `trimmed` seconds that players do not show.

    vPDQ, as `frames` samples, ignores edit lists in its only pass.
    """
    if not trimmed or sampling.mode == "frames":
        return False
    return sampling.mode != "seconds" or sampling.scenes or trimmed >= grid.part


def _unseen(file: _File, opened: Stream) -> MediaError | None:
    """Return what the decoder skipped without reporting it, once all tracks were walked over."""
    stream = file.stream
    in_stream = _mpeg_tracks(stream, file.mime)
    anonymous = len(in_stream.ids) if opened.ids is None else 0
    if opened.tracks < max(declared.count_video_tracks(stream), anonymous):
        return _further_track()
    reason = what = None
    if opened.ids is not None and not in_stream.ids <= opened.ids:
        what = "a video track begins within the file"
    elif in_stream.codec_changes or declared.codec_changes(stream):
        what = "a track changes its codec"
    elif opened.ids is None and declared.times_restart(stream):
        return unsupported_without("video", "a fragment that goes back in time")
    elif (reason := integrity.damage(stream)) is not None:
        what = f"{file.mime}: its parts do not follow one another to its end"
    elif trailing_data.hides_file(stream):
        what = "another file is, or may be, behind its end"
    elif _has_image_subtitles(file, opened):
        what = "subtitles that are images"
    return None if what is None else MediaError(reason or "unsupported", what)


def _has_image_subtitles(file: _File, opened: Stream) -> bool:
    if opened.subtitles is None:
        return declared.image_subtitles(file.stream, file.mime)
    return opened.subtitles


def _mpeg_tracks(stream: BinaryIO, mime: str) -> mpeg_streams.Tracks:
    if mime == "video/mp2t":
        return mpeg_streams.transport_tracks(stream)
    return mpeg_streams.program_tracks(stream) if mime == "video/mpeg" else mpeg_streams.Tracks()


def _further_track() -> MediaError:
    """Return why a declared track was not decoded: FFmpeg reads one index of joined MP4 files."""
    if _has_pyav():
        what = "a further video track is declared and cannot be reached"
        return MediaError("unsupported", what)
    return unsupported_without("video", "a further video track")
