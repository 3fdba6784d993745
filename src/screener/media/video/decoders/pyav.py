"""A video decoded by PyAV: from memory or a file object, with the timestamps of the file."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import cached_property, partial
from typing import Any, BinaryIO

import av
from av.error import DecoderNotFoundError, FFmpegError, InvalidDataError

from screener.errors import MediaError, ShortOfMemory
from screener.media.files.allowance import Allowance
from screener.media.video.containers import boxes, fragments, integrity
from screener.media.video.decoders import luma, threads
from screener.media.video.decoders.av_track import AvTrack, unreadable
from screener.media.video.decoders.display_order import Order
from screener.media.video.decoders.stream import Length, Lost, Still
from screener.media.video.timing import BACK, Grid

_VP8_SHOWN, _VP8_SIZE = 0x10, 5  # a bit of a frame's tag, and where in it a length begins
_SLIGHTLY = 1.0  # seconds: what more than that has of frames, their mean rate does not tell
_NOTHING_NEW = 16  # bytes: MPEG-4 says in fewer that a frame shows what the last one did

_LONG = 1 << 20  # packets: half a day and more; what is longer still is looked at as if it were not
_FEW = 10_000  # packets that are read to see whether a file is as long as it says


class AvStream:
    """An open video: see `Stream` of `media.video.stream`. Raises MediaError if it cannot be."""

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
        allowance: Allowance | None = None,
    ) -> None:
        """`track` counts those of pictures from 0, cover pictures last. `keyframes` decodes these
        alone. With `grid`, which makes of the length what tells when frames are sampled, those are
        left out that are not, and that no other one needs. Edit lists of the file leave out
        `trimmed` seconds; with `whole` these are given too, and all are at their times in the file.
        Nobody looks for them if a file is walked over but `once`: all else left out is lost then.
        It is read for its length until the allowance is over.
        """
        self._keyframes, self._file = keyframes, file
        self._asked = mime, track, whole
        self._track = AvTrack(file, mime, track, whole=whole)
        self._crew = 0
        read = self._track
        self.left = read.left_out()
        left = 0.0 if whole else max(trimmed, 0.0 if once else self.left)
        self._declared = read.in_index(left) if left < _SLIGHTLY else 0
        in_fragments = fragments.declared(file).samples[read.number] if read.indexed else 0
        self._declared += in_fragments
        known = read.frames if read.indexed and not in_fragments else 0
        self.length, self.duration = Length(read.duration, known), read.duration
        if not (known or read.cover or (keyframes and read.duration)):
            allowed, most = allowance or Allowance(), _FEW if read.duration else _LONG
            found = read.gone_through(self._declared, allowed, most)
            self.duration = read.duration or found.seconds
            self.length = found if found.frames else Length(self.duration)
            self._open_again()
            read = self._track
        self.tracks, self.covers, self.cover = read.tracks, read.covers, read.cover
        self.width, self.height, self.frames = read.width, read.height, read.frames
        self.frame_seconds, self.shown_until = read.frame_seconds, read.shown_until
        self.ids: frozenset[int] | None = read.ids
        self.alpha_lost = read.alpha_lost
        self.subtitles: bool | None = read.subtitles
        # AVI numbers frames as they are decoded, whenever they are shown.
        self._as_decoded = read.format == "avi"
        if self._as_decoded and not keyframes:
            # FFmpeg goes by its index, and leaves out what a damaged one does not lead to.
            frames = integrity.frames_of_avi(file, read.stream.index)
            read.ends = frames * self.frame_seconds
        self._sampled = None if grid is None or keyframes else partial(grid, *self.length)

    def _open_again(self) -> None:
        """Begin at the start of the file, to decode it by one thread."""
        mime, track, whole = self._asked
        self._file.seek(0)
        self._track = AvTrack(self._file, mime, track, whole=whole, lasts=self.duration)
        self._crew = 0

    @property
    def ends(self) -> float | None:
        """When its pictures end: known once they were read, or where it is declared apart."""
        return self._track.ends

    def steps(self) -> Iterator[Still | Lost | None]:
        """Each frame in the order shown, or each key frame; what is lost; None between packets.

        A crew decodes it, until a thread fails or finds damage. What they had read meanwhile, and
        how many they are, would change what is told of it: one begins again then.
        """
        given = 0
        if not self._as_decoded:
            self._crew = threads.put_to(self._track.coded)
        with contextlib.closing(self._decode()) as steps:
            for step in steps:
                if self._crew and not _is_sound(step):
                    break
                given += isinstance(step, Still)
                yield step
            else:
                return
        self._open_again()
        with contextlib.closing(self._decode()) as steps:
            for step in steps:
                if isinstance(step, Still) and given > 0:
                    given -= 1
                    yield None if step.sound else step
                else:
                    yield step

    def _decode(self) -> Generator[Still | Lost | None, None, None]:
        self._grid = None if self._sampled is None else self._sampled()
        order = Order(BACK / tick if (tick := self._track.tick) else math.inf)
        # Until the next key frame all depend on the last one, and on what failed: on the next that
        # is read. One that was read before may still have been in the decoder.
        sound, before = True, frozenset[int]()
        crop = self._track.crop
        behind: float | None = None  # when what follows all that was read would be shown
        try:
            for packet in self._looked_ahead(self._track.packets(self._declared)):
                frames = None if packet is None else self._decoded(packet, order)
                if packet is None or frames is None:
                    sound, before = False, order.waiting()
                    yield Lost(behind if packet is None else self._track.seconds(packet.pts))
                    continue
                behind = self._behind(packet, behind)
                for frame in frames:
                    number = order.number(frame.pts)
                    begins = bool(frame.key_frame) and frame.pts not in before
                    sound = (sound or begins) and not frame.is_corrupt
                    yield from self._lost(order.missed())
                    time, first = map(self._track.seconds, (frame.pts, order.first))
                    yield Still(
                        number,
                        time,
                        partial(luma.upright, frame),
                        partial(luma.raw, frame, crop),
                        sound,
                        max((time or 0.0) - (first or 0.0), 0.0),
                        *(() if crop is None else (partial(luma.cropped, frame, crop),)),
                    )
                if self.cover and frames:
                    return
                yield None
            yield from self._lost(order.rest())
        except MemoryError:
            raise ShortOfMemory("not enough memory to read it") from None
        except OSError as error:
            raise unreadable(error) from None
        finally:
            # Without Python's lock, which threads need that still have something to log: to close
            # the decoder under them waits for them with it.
            self._track.coded.flush_buffers()
            self._track.container.close()

    def _looked_ahead(self, packets: Iterator[Any]) -> Iterator[Any]:
        """Yield the packets, each once the next is read: that one may be shown at the due time in
        its place.
        """
        held: list[Any] = []
        for packet in packets:
            if self._grid is not None and packet is not None and packet.size:
                time = self._track.seconds(packet.pts)
                if time is not None:
                    self._grid.meet(time, key=packet.is_keyframe)
            yield from held
            held = [packet]
        yield from held

    def _behind(self, packet: Any, before: float | None) -> float | None:
        """When the frame would be shown that follows all that have been read, which may be still in
        the decoder: `before` is what it was without the packet.
        """
        time = self._track.seconds(packet.pts)
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
            frames += self._track.coded.decode(None)
        return frames

    def _given(self, packet: Any) -> list[Any]:
        """What the decoder gives when it takes a packet. That of AV1 may take nothing more behind a
        failure, not even what stands by itself: there it begins anew.
        """
        coded = self._track.coded
        try:
            ended = [] if packet.size else threads.finished(coded, self._crew)
            frames: list[Any] = ended + coded.decode(self._to_decode(packet))
        except InvalidDataError:
            if coded.name != "libdav1d" or not packet.is_keyframe or self._crew:
                raise
            coded.flush_buffers()
            frames = coded.decode(self._to_decode(packet))
        return frames

    def _is_left_out(self, packet: Any) -> bool:
        """Whether its frame is left out by edit lists. FFmpeg marks so as well what a fragment
        tells to be shown at times that have passed, as where recordings were joined.
        """
        return bool(packet.is_discard) and not self._in_fragments

    @cached_property
    def _in_fragments(self) -> bool:
        return boxes.in_fragments(self._file)

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
        coded = self._track.coded
        if self._as_decoded and coded.has_b_frames:
            return False
        if coded.name in ("vp8", "libvpx"):
            tag = int.from_bytes(bytes(packet)[:3], "little")
            if tag >> _VP8_SIZE and not tag & _VP8_SHOWN:
                return False  # it is there for others to refer to
        return bool(packet.size > _NOTHING_NEW)

    def _is_wanted(self, packet: Any) -> bool:
        """Whether a packet's frame is to be decoded. The decoder is told if it may leave it out
        where no other frame refers to it.
        """
        if self._keyframes:
            return bool(packet.is_keyframe)
        if self._grid is None or not packet.size:
            return True
        time = self._track.seconds(packet.pts)
        needed = time is None or self._grid.needs(time)
        self._track.coded.skip_frame = "DEFAULT" if needed else "NONREF"
        return needed

    def _lost(self, stamps: Iterable[int]) -> Iterator[Lost]:
        return (Lost(self._track.seconds(stamp)) for stamp in stamps)


def _is_sound(step: Still | Lost | None) -> bool:
    return step is None or (isinstance(step, Still) and step.sound)
