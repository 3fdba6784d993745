"""A track of a video's file as PyAV reads it: what it declares, its packets and their times."""

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
from screener.media.video.containers import declared
from screener.media.video.decoders import luma, threads
from screener.media.video.decoders.stream import Length

# What FFmpeg calls the containers. One is always named to it: left to guess, it would also take
# lists of further files to open.
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

# PyAV 18 refuses a file whose title is no UTF-8, unless it is told; 19 takes any, and no such word.
_NAMES: dict[str, Any] = {"metadata_errors": "replace"} if av.__version__.startswith("18.") else {}

_BUFFER = 1 << 17

# FFmpeg's own decoders of these pass over an alpha channel, which is coded apart; these do not.
_OF_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_SUBTITLES = {"pgssub", "dvdsub", "dvbsub", "xsub"}  # those that are pictures, by their decoders

# FFmpeg's flags of a cover picture, and beside it of the pictures of chapters, which are many.
_ATTACHED, _TIMED = 0x400, 0x800
_RATE = 25.0  # where a file tells none
_READINGS = 100  # of one track: FFmpeg ends one at what it cannot read, and may go on behind it


class AvTrack:
    """A track of pictures, open to be read once and decoded by one thread.

    `tracks` says how many of pictures the file has, `covers` how many of them are no more than a
    cover, `cover`, that this one is, and `ids` are the numbers of all tracks. `frames` are as
    declared, 0 where they are not; `frame_seconds` is how long one lasts as a rule, and `duration`
    how long the track does; `shown_until` is when its last frame goes, by the longest duration that
    is declared of the track or of the file. `indexed`: whether the file tells of all frames at
    once; AVI does, and counts what is left out. `tick` is how many seconds a unit of its timestamps
    is. `ends` is when its pictures end, if nobody can tell what follows what was read, or they are
    declared apart. `crop` is what players cut off its pictures; `alpha_lost`: whether no decoder
    here gives the alpha channel that is declared of them; `subtitles`: whether the file has some
    that are pictures.
    """

    def __init__(
        self,
        file: BinaryIO,
        mime: str,
        track: int,
        *,
        whole: bool,
        lasts: float | None = None,
    ) -> None:
        """`track` counts those of pictures from 0, cover pictures last. With `whole` the file's
        edit lists are ignored. `lasts` is the duration where the file may declare none. Raises
        MediaError.
        """
        self.container = _opened(file, mime, whole=whole)
        self.ends: float | None = None  # whatever is lost on the way is told, or nothing follows it
        tracks = sorted(self.container.streams.video, key=_is_cover)
        if not tracks:
            raise MediaError("no_video", "no pictures among what it holds")
        self.stream: Any = tracks[track]
        self.coded = self.stream.codec_context
        if self.coded is None:
            raise MediaError("unsupported", "its pictures are coded in a way not known here")
        alpha, self.crop = declared.hidden_by(file, track, self.stream.width, self.stream.height)
        with_alpha = _decoder_of_alpha(self.stream) if alpha else None
        self.coded = with_alpha or self.coded
        # That of other codecs is in the frames.
        layout = self.coded.pix_fmt
        self.alpha_lost = alpha and not with_alpha and not (layout and luma.has_alpha(layout))
        threads.alone(self.coded)
        self.tracks, self.covers = len(tracks), sum(map(_is_cover, tracks))
        self.cover = _is_cover(self.stream)
        self.number = int(self.stream.id)
        self.ids = frozenset(int(one.id) for one in self.container.streams)
        codecs = (one.codec_context for one in self.container.streams.subtitles)
        self.subtitles = any(one is not None and one.name in _SUBTITLES for one in codecs)
        self.format = self.container.format.name
        self.indexed = self.format.startswith("mov")
        self._read_facts(lasts)

    def _read_facts(self, lasts: float | None) -> None:
        track = self.stream
        rate = float(track.average_rate or track.guessed_rate or 0)
        self.frames: int = max(track.frames, 0)
        self.width: int = track.width
        self.height: int = track.height
        self.frame_seconds: float = 1 / rate if rate > 0 else 1 / _RATE
        base = track.time_base
        self.tick = float(base) if base else None
        self._start: int | None = track.start_time
        self.duration: float | None = None
        told, all_told = track.duration or 0, self.container.duration or 0
        if told > 0 and self.tick:
            self.duration = told * self.tick
        elif all_told > 0:
            self.duration = all_told / av.time_base
        if self.frames > 1 and self.duration and self.frame_seconds > self.duration:
            self.frame_seconds = self.duration / self.frames  # what the rate is of is broken
        declared = max(told * (self.tick or 0), all_told / av.time_base)
        self.shown_until = declared if declared > 0 else None
        self.duration = self.duration or lasts

    def left_out(self) -> float:
        """Seconds of the frames that FFmpeg leaves out of an MP4 or QuickTime file by its edits,
        each as long as frames are on average: where times are damaged nearly all of them, whatever
        the edit lists say.
        """
        if not self.indexed or not self.frames:
            return 0.0
        given = sum(not one.is_discard for one in self.stream.index_entries)
        return max(self.frames - given, 0) * self.frame_seconds

    def in_index(self, trimmed: float) -> int:
        """How many frames of the track are to be read, by the file's index; 0 where it has none."""
        if not self.indexed or not self.frames:
            return 0
        empty = sum(not one.size for one in self.stream.index_entries)  # they show nothing new
        return max(self.frames - math.ceil(trimmed / self.frame_seconds) - empty, 0)

    def gone_through(self, declared: int, allowance: Allowance, most: int) -> Length:
        """What the track has, read without decoding: what a file says of it may be false, and what
        recorders write while they record says nothing. If the allowance is over before, or the
        track has more frames than `most`, nobody knows how many they are. It is closed then.
        """
        last, count = 0.0, 0
        with contextlib.suppress(FFmpegError, OSError), self.container:
            for packet in self.packets(declared):
                if count >= most or allowance.over:
                    break
                if packet is not None and packet.size:
                    time = self.seconds(packet.pts)
                    begins = count * self.frame_seconds if time is None else time
                    last = max(last, begins + self.frame_seconds)
                    count += 1
            else:
                return Length(last or None, count if self.ends is None else 0)
        return Length(last or None)

    def packets(self, declared: int) -> Iterator[Any]:
        """The packets, of which so many are declared; None for what cannot be read, behind which
        there may be more; and at last one that empties the decoder.
        """
        read, broken = 0, False
        first_twice = bool(int(self.stream.disposition) & _TIMED)
        for reading in range(_READINGS):
            before, broken = read, False
            try:
                for packet in self.container.demux(self.stream):
                    if not packet.size:  # PyAV's own, for the end of this reading
                        continue
                    if first_twice and packet.pts is None:  # as a cover, and in its place
                        first_twice = False
                        continue
                    if reading and read == before:
                        yield None
                    read += 1
                    yield packet
            except IndexError:
                # PyAV empties the decoders one by one, those of the tracks it knows first, and
                # trips over tracks that turned up on the way, as in files without a header.
                pass
            except MemoryError:
                raise
            except FFmpegError:
                broken = True
            if read == before and not broken and read >= declared:
                break
        else:
            self.ends = self.duration or (math.inf if broken else None)
            if self.indexed and len(self.stream.index_entries) < declared:
                self.ends = math.inf  # whole fragments are missing, and nobody knows which
        last = av.Packet()
        last.stream = self.stream
        yield last

    def seconds(self, stamp: int | None) -> float | None:
        """The time of a timestamp, from the start of the track; None where it tells none."""
        if stamp is None or self.tick is None:
            return None
        if self._start is None:
            self._start = stamp
        return max((stamp - self._start) * self.tick, 0.0)


def _opened(file: BinaryIO, mime: str, *, whole: bool) -> InputContainer:
    """The container; with `whole`, its edit lists are ignored. Raises MediaError."""
    try:
        container: InputContainer = av.open(
            file,
            mode="r",
            format=_DEMUXERS[mime],
            buffer_size=_BUFFER,
            options={"ignore_editlist": "1"} if whole else {},
            **_NAMES,
        )
        return container
    except MemoryError:
        raise ShortOfMemory("not enough memory to open it") from None
    except (FFmpegError, ValueError) as error:
        raise MediaError("undecodable", f"cannot be opened ({type(error).__name__})") from None
    except OSError as error:  # of the file, not of what is in it
        raise unreadable(error) from None


def unreadable(error: OSError) -> MediaError:
    """What is wrong with a file that the system does not read."""
    if error.errno == errno.EINVAL:  # of places that no file has, to which only a broken one leads
        return MediaError("undecodable", "it leads to a place that no file has")
    return MediaError("unreadable", error.strerror or "cannot be read")


def _decoder_of_alpha(stream: Any) -> Any:
    """A decoder that gives the alpha channel which Matroska has beside the pictures, or None."""
    name = _OF_ALPHA.get(stream.codec_context.name)
    if name is None or name not in av.codecs_available:
        return None
    coded = av.CodecContext.create(name, "r")
    coded.extradata = stream.codec_context.extradata
    return coded


def _is_cover(track: Any) -> bool:
    return int(track.disposition) & (_ATTACHED | _TIMED) == _ATTACHED
