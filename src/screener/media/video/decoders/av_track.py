"""Read a video track with PyAV: its declared properties, its packets and their times."""

from __future__ import annotations

import contextlib
import errno
import math
from collections.abc import Iterator
from typing import Any, BinaryIO

import av
from av.container import InputContainer
from av.error import FFmpegError

from screener.errors import MediaError, ShortOfMemory
from screener.media.files.allowance import Allowance
from screener.media.video.containers import matroska
from screener.media.video.decoders import luma, threads
from screener.media.video.decoders.stream import Length

# FFmpeg's names of the containers. It must not guess, since it would also open playlists and the
# files that they list.
_DEMUXERS = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/3gpp": "mov",
    "audio/mp4": "mov",
    "video/x-matroska": "matroska",
    "video/webm": "matroska",
    "video/x-msvideo": "avi",
    "video/x-flv": "flv",
    "video/mp2t": "mpegts",
    "video/mpeg": "mpeg",
    "video/mpeg-es": "mpegvideo",
    "video/x-ms-asf": "asf",
    "application/ogg": "ogg",
}

# PyAV 18 refuses a title that is not UTF-8 without this option; 19 does not know the option.
_METADATA_OPTIONS: dict[str, Any] = (
    {"metadata_errors": "replace"} if av.__version__.startswith("18.") else {}
)

_BUFFER_SIZE = 1 << 17

# Decoders of an alpha channel that is coded separately; FFmpeg's own ignore it.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_IMAGE_SUBTITLE_DECODERS = {
    "pgssub",
    "dvdsub",
    "dvbsub",
    "xsub",
}  # decoders of subtitles that are images

# FFmpeg's flags for a cover, and for a track of thumbnails, one per chapter.
_ATTACHED_FLAG, _TIMED_FLAG = 0x400, 0x800
_DEFAULT_FRAME_RATE = 25.0  # frames per second
_MAX_READINGS = 100  # per track; FFmpeg ends a reading at damage, and may resume after it


class AvTrack:
    """A video track, open to be read once and decoded by one thread.

    Attributes in addition to those of `Stream`:

    - `number`: the track's number in the file.
    - `indexed`: the file lists all frames.
    - `tick`: seconds per unit of timestamps.
    - `crop`: the `Sides` that players crop, or None.
    """

    def __init__(
        self,
        file: BinaryIO,
        mime: str,
        track: int,
        *,
        ignore_edits: bool,
        duration: float | None = None,
    ) -> None:
        """Open video track number `track`; covers are the last tracks.

        `ignore_edits`: also read the frames that edit lists hide. `duration` is used if the file
        declares none. Raises MediaError if the track cannot be opened.
        """
        self.container = _open_container(file, mime, ignore_edits=ignore_edits)
        self.ends: float | None = None
        tracks = sorted(self.container.streams.video, key=_is_cover)
        if not tracks:
            raise MediaError("no_video", "the file has no video track")
        self.stream: Any = tracks[track]
        self.codec = self.stream.codec_context
        if self.codec is None:
            raise MediaError("unsupported", "the video has an unknown codec")
        size = self.stream.width, self.stream.height
        alpha, self.crop = matroska.read_alpha_and_crop(file, track, *size)
        alpha_decoder = _create_alpha_decoder(self.stream) if alpha else None
        self.codec = alpha_decoder or self.codec
        # The frames of other codecs contain their alpha channel.
        layout = self.codec.pix_fmt
        self.alpha_lost = alpha and not alpha_decoder and not (layout and luma.has_alpha(layout))
        threads.use_one_thread(self.codec)
        self.tracks, self.covers = len(tracks), sum(map(_is_cover, tracks))
        self.cover = _is_cover(self.stream)
        self.number = int(self.stream.id)
        self.ids = frozenset(int(stream.id) for stream in self.container.streams)
        codecs = (stream.codec_context for stream in self.container.streams.subtitles)
        self.subtitles = any(
            codec is not None and codec.name in _IMAGE_SUBTITLE_DECODERS for codec in codecs
        )
        self.format = self.container.format.name
        self.indexed = self.format.startswith("mov")
        self._read_properties(duration)

    def _read_properties(self, duration: float | None) -> None:
        track = self.stream
        rate = float(track.average_rate or track.guessed_rate or 0)
        self.frames: int = max(track.frames, 0)
        self.width: int = track.width
        self.height: int = track.height
        self.frame_seconds: float = 1 / rate if rate > 0 else 1 / _DEFAULT_FRAME_RATE
        self.tick = float(track.time_base) if track.time_base else None
        self._start: int | None = track.start_time
        self.duration: float | None = None
        track_ticks, file_ticks = track.duration or 0, self.container.duration or 0
        if track_ticks > 0 and self.tick:
            self.duration = track_ticks * self.tick
        elif file_ticks > 0:
            self.duration = file_ticks / av.time_base
        if self.frames > 1 and self.duration and self.frame_seconds > self.duration:
            self.frame_seconds = self.duration / self.frames  # the rate is damaged
        longest = max(track_ticks * (self.tick or 0), file_ticks / av.time_base)
        self.shown_until = longest if longest > 0 else None
        self.duration = self.duration or duration

    def count_hidden_seconds(self) -> float:
        """Return the seconds that FFmpeg hides because of edits, by the average frame duration.

        If times are damaged, these may be nearly all frames.
        """
        if not self.indexed or not self.frames:
            return 0.0
        shown = sum(not entry.is_discard for entry in self.stream.index_entries)
        return max(self.frames - shown, 0) * self.frame_seconds

    def count_indexed(self, trimmed: float) -> int:
        """Return the number of frames to read by the index, 0 without an index."""
        if not self.indexed or not self.frames:
            return 0
        # Empty entries repeat the last frame.
        empty = sum(not entry.size for entry in self.stream.index_entries)
        return max(self.frames - math.ceil(trimmed / self.frame_seconds) - empty, 0)

    def measure(self, declared: int, allowance: Allowance, max_count: int) -> Length:
        """Return the track's length by its packets, without decoding, and close the file.

        Frames are not counted if the allowance ends first, or if there are more than `max_count`.
        """
        end, count = 0.0, 0
        with contextlib.suppress(FFmpegError, OSError), self.container:
            for packet in self.read_packets(declared):
                if count >= max_count or allowance.over:
                    break
                if packet is not None and packet.size:
                    time = self.to_seconds(packet.pts)
                    start = count * self.frame_seconds if time is None else time
                    end = max(end, start + self.frame_seconds)
                    count += 1
            else:
                return Length(end or None, count if self.ends is None else 0)
        return Length(end or None)

    def read_packets(self, declared: int) -> Iterator[Any]:
        """Yield the packets, of which `declared` are expected, and finally an empty packet.

        Yields None for unreadable data that is followed by packets. The empty packet drains the
        decoder.
        """
        count, failed = 0, False
        may_repeat_first = bool(int(self.stream.disposition) & _TIMED_FLAG)
        for reading in range(_MAX_READINGS):
            before, failed = count, False
            try:
                for packet in self.container.demux(self.stream):
                    if not packet.size:  # added by PyAV at the end of a reading
                        continue
                    # The first packet comes once as a cover and once at its time.
                    if may_repeat_first and packet.pts is None:
                        may_repeat_first = False
                        continue
                    if reading and count == before:
                        yield None
                    count += 1
                    yield packet
            except IndexError:
                # At the end PyAV drains all decoders, and fails at tracks that were found late, as
                # in files without a header.
                pass
            except MemoryError:
                raise
            except FFmpegError:
                failed = True
            if count == before and not failed and count >= declared:
                break
        else:
            self.ends = self.duration or (math.inf if failed else None)
            if self.indexed and len(self.stream.index_entries) < declared:
                self.ends = math.inf  # whole fragments are missing
        empty = av.Packet()
        empty.stream = self.stream
        yield empty

    def to_seconds(self, stamp: int | None) -> float | None:
        """Return a timestamp's seconds from the start of the track, or None."""
        if stamp is None or self.tick is None:
            return None
        if self._start is None:
            self._start = stamp
        return max((stamp - self._start) * self.tick, 0.0)


def _open_container(file: BinaryIO, mime: str, *, ignore_edits: bool) -> InputContainer:
    try:
        container: InputContainer = av.open(
            file,
            mode="r",
            format=_DEMUXERS[mime],
            buffer_size=_BUFFER_SIZE,
            options={"ignore_editlist": "1"} if ignore_edits else {},
            **_METADATA_OPTIONS,
        )
        return container
    except MemoryError:
        raise ShortOfMemory("not enough memory to open it") from None
    except (FFmpegError, ValueError) as error:
        raise MediaError("undecodable", f"cannot be opened ({type(error).__name__})") from None
    except OSError as error:
        raise as_media_error(error) from None


def as_media_error(error: OSError) -> MediaError:
    """Return the MediaError for a file that the system cannot read."""
    if error.errno == errno.EINVAL:  # an impossible offset, which only a damaged file causes
        return MediaError("undecodable", "it refers to an impossible offset")
    return MediaError("unreadable", error.strerror or "cannot be read")


def _create_alpha_decoder(stream: Any) -> Any:
    """Return a decoder of the alpha channel that Matroska stores separately, or None."""
    name = _ALPHA_DECODERS.get(stream.codec_context.name)
    if name is None or name not in av.codecs_available:
        return None
    codec = av.CodecContext.create(name, "r")
    codec.extradata = stream.codec_context.extradata
    return codec


def _is_cover(track: Any) -> bool:
    return int(track.disposition) & (_ATTACHED_FLAG | _TIMED_FLAG) == _ATTACHED_FLAG
