"""A video decoded by PyAV: from memory or a file object, with the timestamps of the file."""

from __future__ import annotations

import contextlib
import errno
import math
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import cached_property, partial
from time import monotonic
from typing import Any, BinaryIO

import av
from av.container import InputContainer
from av.error import DecoderNotFoundError, FFmpegError, InvalidDataError

from screener.errors import MediaError, ShortOfMemory
from screener.media.timing import BACK, Grid
from screener.media.video import containers, crew, following, fragments, luma
from screener.media.video.order import Order
from screener.media.video.stream import Length, Lost, Still

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

# FFmpeg's flags of a cover picture, and beside it of the pictures of chapters, which are many.
_ATTACHED, _TIMED = 0x400, 0x800
_RATE = 25.0  # where a file tells none
_READINGS = 100  # of one track: FFmpeg ends one at what it cannot read, and may go on behind it
_VP8_SHOWN, _VP8_SIZE = 0x10, 5  # a bit of a frame's tag, and where in it a length begins
_SLIGHTLY = 1.0  # seconds: what more than that has of frames, their mean rate does not tell
_NOTHING_NEW = 16  # bytes: MPEG-4 says in fewer that a frame shows what the last one did

_LONG = 1 << 20  # packets: half a day and more; what is longer still is looked at as if it were not
_FEW = 10_000  # packets that are read to see whether a file is as long as it says


class AvStream:
    """An open video: see `Stream` of `media.video.stream`. Raises MediaError if it cannot be."""

    duration: float | None
    ends: float | None

    def __init__(
        self,
        file: BinaryIO,
        mime: str,
        *,
        track: int = 0,
        keyframes: bool = False,
        grid: Callable[[float | None, int], Grid] | None = None,
        trimmed: float = 0.0,
        whole: bool = False,
        once: bool = False,
        until: float = math.inf,
    ) -> None:
        """`track` counts those of pictures from 0, cover pictures last. `keyframes` decodes these
        alone. With `grid`, which makes of the length what tells when frames are sampled, those are
        left out that are not, and that no other one needs. Edit lists of the file leave out
        `trimmed` seconds; with `whole` these are given too, and all are at their times in the file.
        Nobody looks for them if a file is walked over but `once`: all else left out is lost then.
        `until` that time, by the monotonic clock, it is read for its length.
        """
        self._keyframes, self._file = keyframes, file
        self._asked = mime, track, whole
        self._open()
        # AVI numbers frames as they are decoded, whenever they are shown.
        self._as_decoded = self._container.format.name == "avi"
        self.left = self._left_out()
        left = 0.0 if whole else max(trimmed, 0.0 if once else self.left)
        self._declared = self._in_index(left) if left < _SLIGHTLY else 0
        in_fragments = 0
        if self._is_indexed():
            in_fragments = fragments.declared(file).samples[int(self._track.id)]
        self._declared += in_fragments
        known = self.frames if self._is_indexed() and not in_fragments else 0
        self.length = Length(self.duration, known)
        if not (known or self.cover or (keyframes and self.duration)):
            told = self.duration
            found = self._read_through(until, _FEW if told else _LONG)
            file.seek(0)
            self._open()
            self.duration = told or found.seconds
            self.length = found if found.frames else Length(self.duration)
        if self._as_decoded and not keyframes:
            # FFmpeg goes by its index, and leaves out what a damaged one does not lead to.
            self.ends = following.frames_of_avi(file, self._track.index) * self.frame_seconds
        self._sampled = None if grid is None or keyframes else partial(grid, *self.length)

    def _open(self) -> None:
        self._begin()
        tracks = self._container.streams.video
        self.tracks, self.covers = len(tracks), sum(map(_is_cover, tracks))
        ids = (int(one.id) for one in self._container.streams)
        self.ids: frozenset[int] | None = frozenset(ids)
        self.cover = _is_cover(self._track)
        self._read_facts()

    def _begin(self) -> None:
        """Open the file, to be decoded by one thread."""
        mime, track, whole = self._asked
        self._container = _opened(self._file, mime, whole=whole)
        self.ends = None  # whatever is lost on the way is told, unless nothing follows it
        tracks = sorted(self._container.streams.video, key=_is_cover)
        if not tracks:
            raise MediaError("no_video", "no pictures among what it holds")
        self._track = tracks[track]
        coded = self._track.codec_context
        if coded is None:
            raise MediaError("unsupported", "its pictures are coded in a way not known here")
        crew.alone(coded)
        self._crew = 0

    def _read_through(self, until: float, most: int) -> Length:
        """What the track has, read without decoding: what a file says of it may be false, and what
        recorders write while they record says nothing. Where that takes longer, or has more frames,
        nobody knows how many they are.
        """
        last, count = 0.0, 0
        with contextlib.suppress(FFmpegError, OSError), self._container:
            for packet in self._packets():
                if count >= most or monotonic() > until:
                    break
                if packet is not None and packet.size:
                    time = self._seconds(packet.pts)
                    begins = count * self.frame_seconds if time is None else time
                    last = max(last, begins + self.frame_seconds)
                    count += 1
            else:
                return Length(last or None, count if self.ends is None else 0)
        return Length(last or None)

    def _left_out(self) -> float:
        """Seconds of the frames that FFmpeg leaves out of an MP4 or QuickTime file by its edits,
        each as long as frames are on average: where times are damaged nearly all of them, whatever
        the edit lists say.
        """
        if not self._is_indexed() or not self.frames:
            return 0.0
        given = sum(not one.is_discard for one in self._track.index_entries)
        return max(self.frames - given, 0) * self.frame_seconds

    def _is_indexed(self) -> bool:
        """Whether the file tells of all frames at once; AVI does, and counts what is left out."""
        return bool(self._container.format.name.startswith("mov"))

    def _in_index(self, trimmed: float) -> int:
        """How many frames of the track are to be read, by the file's index; 0 where it has none."""
        if not self._is_indexed() or not self.frames:
            return 0
        empty = sum(not one.size for one in self._track.index_entries)  # they show nothing new
        return max(self.frames - math.ceil(trimmed / self.frame_seconds) - empty, 0)

    def _read_facts(self) -> None:
        track = self._track
        rate = float(track.average_rate or track.guessed_rate or 0)
        self.frames = max(track.frames, 0)
        self.width, self.height = track.width, track.height
        self.frame_seconds = 1 / rate if rate > 0 else 1 / _RATE
        base = track.time_base
        self._tick = float(base) if base else None
        self._start = track.start_time
        self.duration = None
        lasts, all_lasts = track.duration or 0, self._container.duration or 0
        if lasts > 0 and self._tick:
            self.duration = lasts * self._tick
        elif all_lasts > 0:
            self.duration = all_lasts / av.time_base
        if self.frames > 1 and self.duration and self.frame_seconds > self.duration:
            self.frame_seconds = self.duration / self.frames  # what the rate is of is broken

    def steps(self) -> Iterator[Still | Lost | None]:
        """Each frame in the order shown, or each key frame; what is lost; None between packets.

        A crew decodes it, until a thread fails or finds damage. What they had read meanwhile, and
        how many they are, would change what is told of it: one begins again then.
        """
        given = 0
        if not self._as_decoded:
            self._crew = crew.put_to(self._track.codec_context)
        with contextlib.closing(self._decode()) as steps:
            for step in steps:
                if self._crew and not _is_sound(step):
                    break
                given += isinstance(step, Still)
                yield step
            else:
                return
        self._file.seek(0)
        self._begin()
        with contextlib.closing(self._decode()) as steps:
            for step in steps:
                if isinstance(step, Still) and given > 0:
                    given -= 1
                    yield None if step.sound else step
                else:
                    yield step

    def _decode(self) -> Generator[Still | Lost | None, None, None]:
        self._grid = None if self._sampled is None else self._sampled()
        order = Order(BACK / self._tick if self._tick else math.inf)
        # Until the next key frame all depend on the last one, and on what failed: on the next that
        # is read. One that was read before may still have been in the decoder.
        sound, before = True, frozenset[int]()
        behind: float | None = None  # when what follows all that was read would be shown
        try:
            for packet in self._packets():
                frames = None if packet is None else self._decoded(packet, order)
                if packet is None or frames is None:
                    sound, before = False, order.waiting()
                    yield Lost(behind if packet is None else self._seconds(packet.pts))
                    continue
                behind = self._behind(packet, behind)
                for frame in frames:
                    number = order.number(frame.pts)
                    begins = bool(frame.key_frame) and frame.pts not in before
                    sound = (sound or begins) and not frame.is_corrupt
                    yield from self._lost(order.missed())
                    time = self._seconds(frame.pts)
                    yield Still(
                        number,
                        time,
                        partial(luma.upright, frame),
                        partial(luma.stored, frame),
                        sound,
                    )
                if self.cover and frames:
                    return
                yield None
            yield from self._lost(order.rest())
        except MemoryError:
            raise ShortOfMemory("not enough memory to read it") from None
        except OSError as error:
            raise _unreadable(error) from None
        finally:
            # Without Python's lock, which threads need that still have something to log: to close
            # the decoder under them waits for them with it.
            self._track.codec_context.flush_buffers()
            self._container.close()

    def _behind(self, packet: Any, before: float | None) -> float | None:
        """When the frame would be shown that follows all that have been read, which may be still in
        the decoder: `before` is what it was without the packet.
        """
        time = self._seconds(packet.pts)
        if time is None:
            return before
        time += self.frame_seconds
        return time if before is None or time < before - BACK else max(time, before)

    def _decoded(self, packet: Any, order: Order) -> list[Any] | None:
        """The frames that come out of the decoder with a packet; None where it fails."""
        wanted = self._is_wanted(packet)
        if packet.size and not self._is_left_out(packet):
            wanted = wanted and self._is_shown(packet)
            order.read(packet.pts, decoded=packet.dts, wanted=wanted)
        if self._keyframes and packet.size and not packet.is_keyframe:
            return []
        try:
            frames = self._given(packet)
        except DecoderNotFoundError:
            raise MediaError("unsupported", "no decoder for its pictures") from None
        except MemoryError:
            if self._crew:  # one thread needs less, and FFmpeg says so of damaged AV1 as well
                return None
            raise ShortOfMemory("not enough memory to decode it") from None
        except FFmpegError:
            return None
        if self.cover and packet.size:
            # It is alone, and comes first: the rest of the file need not be read for it.
            frames += packet.stream.codec_context.decode(None)
        return frames

    def _given(self, packet: Any) -> list[Any]:
        """What the decoder gives when it takes a packet. That of AV1 may take nothing more behind a
        failure, not even what stands by itself: there it begins anew.
        """
        coded = self._track.codec_context
        try:
            ended = [] if packet.size else crew.finished(coded, self._crew)
            frames: list[Any] = ended + self._to_decode(packet).decode()
        except InvalidDataError:
            if coded.name != "libdav1d" or not packet.is_keyframe or self._crew:
                raise
            coded.flush_buffers()
            frames = self._to_decode(packet).decode()
        return frames

    def _is_left_out(self, packet: Any) -> bool:
        """Whether its frame is left out by edit lists. FFmpeg marks so as well what a fragment
        tells to be shown at times that have passed, as where recordings were joined.
        """
        return bool(packet.is_discard) and not self._in_fragments

    @cached_property
    def _in_fragments(self) -> bool:
        return containers.in_fragments(self._file)

    def _to_decode(self, packet: Any) -> Any:
        """The packet, or a copy without the mark by which a decoder keeps its frame to itself.

        The copy has memory of FFmpeg's, with the bytes behind the data that decoders read: Python's
        has none, and what else holds it could only let go of it with Python's lock.
        """
        if not packet.is_discard or self._is_left_out(packet):
            return packet
        copy = av.Packet(packet.size)
        copy.update(packet)
        copy.stream, copy.time_base = packet.stream, packet.time_base
        copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
        copy.is_keyframe = packet.is_keyframe
        for beside in packet.iter_sidedata():
            copy.set_sidedata(beside)
        return copy

    def _is_shown(self, packet: Any) -> bool:
        """Whether a frame with a packet's own timestamp comes of it, if it can be decoded."""
        coded = self._track.codec_context
        if self._as_decoded and coded.has_b_frames:
            return False
        if coded.name == "vp8":
            tag = int.from_bytes(bytes(packet)[:3], "little")
            if tag >> _VP8_SIZE and not tag & _VP8_SHOWN:
                return False  # it is there for others to refer to
        return bool(packet.size > _NOTHING_NEW)

    def _packets(self) -> Iterator[Any]:
        """The packets of the track, None for what cannot be read, behind which there may be more,
        and at last one that empties the decoder.
        """
        read, broken = 0, False
        first_twice = bool(int(self._track.disposition) & _TIMED)
        for reading in range(_READINGS):
            before, broken = read, False
            try:
                for packet in self._container.demux(self._track):
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
            if read == before and not broken and read >= self._declared:
                break
        else:
            self.ends = self.duration or (math.inf if broken else None)
            if self._is_indexed() and len(self._track.index_entries) < self._declared:
                self.ends = math.inf  # whole fragments are missing, and nobody knows which
        last = av.Packet()
        last.stream = self._track
        yield last

    def _is_wanted(self, packet: Any) -> bool:
        """Whether a packet's frame is to be decoded. The decoder is told if it may leave it out
        where no other frame refers to it.
        """
        if self._keyframes:
            return bool(packet.is_keyframe)
        if self._grid is None or not packet.size:
            return True
        time = self._seconds(packet.pts)
        needed = time is None or self._grid.needs(time, key=packet.is_keyframe)
        self._track.codec_context.skip_frame = "DEFAULT" if needed else "NONREF"
        return needed

    def _lost(self, stamps: Iterable[int]) -> Iterator[Lost]:
        return (Lost(self._seconds(stamp)) for stamp in stamps)

    def _seconds(self, stamp: int | None) -> float | None:
        if stamp is None or self._tick is None:
            return None
        if self._start is None:
            self._start = stamp
        return max((stamp - self._start) * self._tick, 0.0)


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
        raise _unreadable(error) from None


def _unreadable(error: OSError) -> MediaError:
    if error.errno == errno.EINVAL:  # of places that no file has, to which only a broken one leads
        return MediaError("undecodable", "it leads to a place that no file has")
    return MediaError("unreadable", error.strerror or "cannot be read")


def _is_sound(step: Still | Lost | None) -> bool:
    return step is None or (isinstance(step, Still) and step.sound)


def _is_cover(track: Any) -> bool:
    return int(track.disposition) & (_ATTACHED | _TIMED) == _ATTACHED
