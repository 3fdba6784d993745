"""Open a video and decode its sampled frames.

PyAV decodes if it is installed in a supported version, otherwise OpenCV. Without both, a video is
`unsupported`. `docs/video.md` describes how far their results agree, which frames are sampled, and
when decoding ends early.
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
from screener.system.installation import load_extra, make_missing_error


@dataclass(frozen=True)
class _File:
    """A video's file and the settings; edit lists hide `hidden_seconds` of it."""

    stream: BinaryIO
    mime: str
    hidden_seconds: float
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
    """Open a video without decoding a frame.

    Frames are upright and grey, (H, W), or RGB for attached pictures. `time` counts from the first
    frame, `part` is the frame's number in the file, and `again` are the times of later samples that
    are equal.

    Parameters:
        source: Bytes or a seekable file.
        limits: Limits of pixels, duration and samples; the defaults if None.
        sampling: Selects the frames; the defaults if None.
        seconds: Decoding ends with `timeout` after this processor time, or ten times as much wall
            time; None for no limit.

    Raises:
        MediaError: The video cannot be opened: `encrypted`, `no_video`, `undecodable`,
            `truncated`, `unsupported` or `too_large`.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    limits, sampling = limits or Limits(), sampling or Sampling()
    stream.seek(0)
    mime = sniff(stream.read(4096))
    stream.seek(0)
    if mime not in CONTAINERS:
        raise MediaError("unsupported", f"{mime or 'content of no known type'} is not a video")
    if declared.is_encrypted(stream):
        raise MediaError("encrypted", f"{mime}: the video is encrypted")
    hidden_seconds = edit_lists.sum_hidden_seconds(stream)
    allowance = Allowance() if seconds is None else Allowance(seconds)
    file = _File(stream, mime, hidden_seconds, limits, sampling, allowance)
    try:
        opened = _open_track(file, hidden_seconds)
    except MediaError as error:
        if error.reason != "no_video" or not attachments.find_attached(stream):
            raise
        # FFmpeg did not recognise the cover.
        return Picture(Media(mime, 0, 0, 0), lambda: _decode_audio_covers(stream, limits))
    check_pixels(opened.width, opened.height, limits)
    media = Media(mime, opened.width, opened.height, opened.frames, opened.duration)
    return Picture(media, lambda: _decode_tracks(file, opened))


def _open_track(
    file: _File, hidden_seconds: float, track: int = 0, *, ignore_edits: bool = False
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
                grid=sampling.create_grid if by_grid else None,
                trimmed=hidden_seconds,
                ignore_edits=ignore_edits,
                single_pass=sampling.mode == "frames",
                allowance=file.allowance,
            )
        if sampling.mode == "keyframes":
            raise make_missing_error("video", "keyframes")
        if ignore_edits:
            raise make_missing_error("video", "video that edit lists hide")
        return _open_by_opencv(file, hidden_seconds)
    except MediaError as error:
        if error.reason == "undecodable" and integrity.ended_early(file.stream):
            raise MediaError("truncated", f"{file.mime}: the data ends too early") from None
        raise


def _has_pyav() -> bool:
    return importlib.util.find_spec("av") is not None and load_extra("video")


def _open_by_opencv(file: _File, hidden_seconds: float) -> Stream:
    try:
        from screener.media.video.decoders.opencv import CvStream
    except ModuleNotFoundError as error:
        if error.name != "cv2":
            raise
        raise make_missing_error("video", "a video") from None
    return CvStream(file.stream, trimmed=hidden_seconds)


def _decode_tracks(file: _File, opened: Stream) -> Iterator[Frame]:
    """Yield the sampled frames of all tracks, then those of attached pictures.

    Covers are the last tracks. If edit lists hide frames, all tracks are decoded again without edit
    lists. Raises MediaError at the end if anything was not seen.
    """
    stream, limits, sampling = file.stream, file.limits, file.sampling
    first_error: MediaError | None = None
    earlier_frames = earlier_samples = 0  # of earlier tracks
    tracks, hidden_seconds = opened.tracks, file.hidden_seconds
    attached = attachments.find_attached(stream)
    covers_attached = opened.covers <= len(attached)  # better decoded as images than as tracks
    grid = sampling.create_grid(*opened.length)
    for index in range(2 * tracks):
        try:
            second_pass, track = divmod(index, tracks)
            if second_pass and not _needs_second_pass(grid, sampling, hidden_seconds):
                break
            if index:
                stream.seek(0)
                opened = _open_track(file, hidden_seconds, track, ignore_edits=bool(second_pass))
                check_pixels(opened.width, opened.height, limits)
            hidden_seconds = max(hidden_seconds, opened.trimmed)
            if opened.cover and (second_pass or (index and covers_attached)):
                continue
            choice = FrameChoice(opened, limits, sampling, file.allowance, earlier_samples)
            kind = "appended" if second_pass else "thumbnail" if index and opened.cover else "frame"
            for frame in choice.choose_frames():
                yield replace(frame, part=earlier_frames + frame.part, part_kind=kind, track=index)
            earlier_frames, earlier_samples = earlier_frames + choice.passed, choice.count
            choice.check(stream)
            _check_alpha(opened)
        except MediaError as error:
            first_error = first_error or error
    try:
        for frame in _decode_attached(stream, attached, limits):
            yield replace(frame, part=earlier_frames + frame.part)
    except MediaError as error:
        first_error = first_error or error.alone()
    first_error = first_error or _find_unseen(file, opened)
    if first_error is not None:
        raise first_error


def _check_alpha(opened: Stream) -> None:
    if opened.alpha_lost:
        feature = "the alpha channel of the video"
        if not _has_pyav():
            raise make_missing_error("video", feature)
        raise MediaError("unsupported", f"{feature} cannot be decoded")


def _decode_attached(
    stream: BinaryIO, attached: Sequence[attachments.AttachedFile], limits: Limits
) -> Iterator[Frame]:
    return hidden.decode_frames(
        attachments.read_files(stream, attached, limits), limits, _refuse_attached_video
    )


def _refuse_attached_video(_: bytes) -> Picture:
    """Refuse an attached video: it could have another attached, and so on."""
    raise MediaError("unsupported", "an attached video is not decoded")


def _decode_audio_covers(stream: BinaryIO, limits: Limits) -> Iterator[Frame]:
    """Yield the covers of a file without video, then raise MediaError `no_video`."""
    yield from _decode_attached(stream, attachments.find_attached(stream), limits)
    raise MediaError("no_video", "the file has covers, but no video track")


def _needs_second_pass(grid: Grid, sampling: Sampling, hidden_seconds: float) -> bool:
    """Return whether a sample may lie in the `hidden_seconds` of edit lists.

    The mode `frames` ignores edit lists in its only pass, as vPDQ does.
    """
    if not hidden_seconds or sampling.mode == "frames":
        return False
    return sampling.mode != "seconds" or sampling.scenes or hidden_seconds >= grid.part


def _find_unseen(file: _File, opened: Stream) -> MediaError | None:
    """Return the error for anything that the decoder skipped without reporting it, or None."""
    stream = file.stream
    mpeg_tracks = _find_mpeg_tracks(stream, file.mime)
    anonymous = len(mpeg_tracks.ids) if opened.ids is None else 0
    if opened.tracks < max(declared.count_video_tracks(stream), anonymous):
        return _create_track_error()
    reason = detail = None
    if opened.ids is not None and not mpeg_tracks.ids <= opened.ids:
        detail = "a video track begins within the file"
    elif mpeg_tracks.codec_changes or declared.has_codec_change(stream):
        detail = "a track changes its codec"
    elif opened.ids is None and declared.has_time_restart(stream):
        return make_missing_error("video", "a fragment that goes back in time")
    elif (reason := integrity.find_damage(stream)) is not None:
        detail = f"{file.mime}: its parts do not follow one another to its end"
    elif trailing_data.hides_file(stream):
        detail = "another file is, or may be, after its end"
    elif _has_image_subtitles(file, opened):
        detail = "subtitles that are images"
    return None if detail is None else MediaError(reason or "unsupported", detail)


def _has_image_subtitles(file: _File, opened: Stream) -> bool:
    if opened.subtitles is None:
        return declared.has_image_subtitles(file.stream, file.mime)
    return opened.subtitles


def _find_mpeg_tracks(stream: BinaryIO, mime: str) -> mpeg_streams.Tracks:
    if mime == "video/mp2t":
        return mpeg_streams.find_transport_tracks(stream)
    return (
        mpeg_streams.find_program_tracks(stream) if mime == "video/mpeg" else mpeg_streams.Tracks()
    )


def _create_track_error() -> MediaError:
    """Return the error for a declared track that was not decoded."""
    if _has_pyav():
        detail = "another video track is declared and cannot be reached"
        return MediaError("unsupported", detail)
    return make_missing_error("video", "another video track")
