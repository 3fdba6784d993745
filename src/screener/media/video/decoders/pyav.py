"""Decode a video with PyAV, with the timestamps of the file."""

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
from screener.media.video.containers import declared, fragments, riff
from screener.media.video.decoders import luma, threads
from screener.media.video.decoders.av_track import AvTrack, as_media_error
from screener.media.video.decoders.display_order import DisplayOrder
from screener.media.video.decoders.stream import DecodedFrame, Length, Lost
from screener.media.video.timing import MAX_BACK_SECONDS, Grid

_VP8_SHOWN_FLAG, _VP8_LENGTH_SHIFT = 0x10, 5  # in a frame's tag
# If edits hide more, the average frame duration does not suffice to count frames.
_MAX_HIDDEN_SECONDS = 1.0
_MAX_REPEAT_SIZE = 16  # bytes; MPEG-4 packets up to this size repeat the last frame

# Packets that are read to measure the length: more than half a day if none is declared, else enough
# to check the declared length.
_MAX_PACKETS, _MAX_CHECKED_PACKETS = 1 << 20, 10_000


class AvStream:
    """An open video: see `Stream`."""

    def __init__(
        self,
        file: BinaryIO,
        mime: str,
        *,
        track: int = 0,
        keyframes: bool = False,
        grid: Callable[[float | None, int], Grid] | None = None,
        trimmed: float = 0.0,
        ignore_edits: bool = False,
        single_pass: bool = False,
        allowance: Allowance | None = None,
    ) -> None:
        """Open a video track. Raises MediaError if it cannot be opened.

        Parameters:
            file: The video's file.
            mime: Its type by content.
            track: Number of the track; covers are the last tracks.
            keyframes: Decode only key frames.
            grid: Creates the sampling times from the length. Frames that are neither sampled nor
                referenced are not decoded.
            trimmed: Seconds that edit lists hide.
            ignore_edits: Read hidden frames too, all at their times in the file.
            single_pass: The track will not be read again with `ignore_edits`, so every other frame
                that FFmpeg hides counts as lost.
            allowance: Limits the time for measuring the length.
        """
        self._keyframes, self._file = keyframes, file
        self._mime, self._number, self._ignore_edits = mime, track, ignore_edits
        opened = self._track = AvTrack(file, mime, track, ignore_edits=ignore_edits)
        self._threads = 0
        self.trimmed = opened.count_hidden_seconds()
        hidden = 0.0 if ignore_edits else max(trimmed, 0.0 if single_pass else self.trimmed)
        self._measure(hidden, allowance or Allowance())
        opened = self._track
        self.tracks, self.covers, self.cover = opened.tracks, opened.covers, opened.cover
        self.width, self.height, self.frames = opened.width, opened.height, opened.frames
        self.frame_seconds, self.shown_until = opened.frame_seconds, opened.shown_until
        self.ids: frozenset[int] | None = opened.ids
        self.alpha_lost = opened.alpha_lost
        self.subtitles: bool | None = opened.subtitles
        # AVI numbers frames in decoding order.
        self._decoding_order = opened.format == "avi"
        if self._decoding_order and not keyframes:
            # FFmpeg follows the index, and skips frames that a damaged one does not list.
            frames = riff.count_frames(file, opened.stream.index)
            opened.ends = frames * self.frame_seconds
        self._make_grid = None if grid is None or keyframes else partial(grid, *self.length)

    def _measure(self, hidden: float, allowance: Allowance) -> None:
        """Find the length and the number of expected packets, by reading the file if necessary."""
        opened = self._track
        self._declared = opened.count_indexed(hidden) if hidden < _MAX_HIDDEN_SECONDS else 0
        fragment_samples = 0
        if opened.indexed:
            fragment_samples = fragments.read_fragments(self._file).samples[opened.number]
        self._declared += fragment_samples
        counted = opened.frames if opened.indexed and not fragment_samples else 0
        self.length, self.duration = Length(opened.duration, counted), opened.duration
        if counted or opened.cover or (self._keyframes and opened.duration):
            return
        max_count = _MAX_CHECKED_PACKETS if opened.duration else _MAX_PACKETS
        measured = opened.measure(self._declared, allowance, max_count)
        self.duration = opened.duration or measured.seconds
        self.length = measured if measured.frames else Length(self.duration)
        self._reopen()

    def _reopen(self) -> None:
        """Start again at the start of the file, with one thread."""
        self._file.seek(0)
        self._track = AvTrack(
            self._file,
            self._mime,
            self._number,
            ignore_edits=self._ignore_edits,
            duration=self.duration,
        )
        self._threads = 0

    @property
    def ends(self) -> float | None:
        """The declared end of the video in seconds, or None."""
        return self._track.ends

    def steps(self) -> Iterator[DecodedFrame | Lost | None]:
        """Yield frames in display order, losses, and None between packets.

        Several threads decode until one fails or finds damage. Then one thread decodes the track
        again, since the result must not depend on the progress of threads.
        """
        yielded = 0
        if not self._decoding_order:
            self._threads = threads.use_threads(self._track.codec)
        with contextlib.closing(self._decode()) as steps:
            for step in steps:
                if self._threads and not _is_sound(step):
                    break
                yielded += isinstance(step, DecodedFrame)
                yield step
            else:
                return
        self._reopen()
        with contextlib.closing(self._decode()) as steps:
            for step in steps:
                if isinstance(step, DecodedFrame) and yielded > 0:
                    yielded -= 1
                    yield None if step.sound else step
                else:
                    yield step

    def _decode(self) -> Generator[DecodedFrame | Lost | None, None, None]:
        self._grid = None if self._make_grid is None else self._make_grid()
        order = DisplayOrder(MAX_BACK_SECONDS / tick if (tick := self._track.tick) else math.inf)
        # After a loss, frames are unsound until the next key frame that was read after it.
        sound, read_before_loss = True, frozenset[int]()
        next_time: float | None = None  # the time of a frame after all packets read so far
        try:
            for packet in self._look_ahead(self._track.read_packets(self._declared)):
                frames = None if packet is None else self._decode_packet(packet, order)
                if packet is None or frames is None:
                    sound, read_before_loss = False, order.list_waiting()
                    yield Lost(next_time if packet is None else self._track.to_seconds(packet.pts))
                    continue
                next_time = self._find_next_time(packet, next_time)
                for frame in frames:
                    number = order.assign_number(frame.pts)
                    is_new_start = bool(frame.key_frame) and frame.pts not in read_before_loss
                    sound = (sound or is_new_start) and not frame.is_corrupt
                    yield from self._create_losses(order.take_missed())
                    yield self._create_frame(frame, number, order.first, sound)
                if self.cover and frames:
                    return
                yield None
            yield from self._create_losses(order.missing_at_end())
        except MemoryError:
            raise ShortOfMemory("not enough memory to read it") from None
        except OSError as error:
            raise as_media_error(error) from None
        finally:
            # Flushing releases the GIL, which decoder threads need to log. Closing would hold the
            # GIL while it waits for them.
            self._track.codec.flush_buffers()
            self._track.container.close()

    def _create_frame(
        self, frame: Any, number: int, first: int | None, sound: bool
    ) -> DecodedFrame:
        crop = self._track.crop
        time, first_time = map(self._track.to_seconds, (frame.pts, first))
        return DecodedFrame(
            number,
            time,
            partial(luma.read_upright, frame),
            partial(luma.read_visible, frame, crop),
            sound,
            max((time or 0.0) - (first_time or 0.0), 0.0),
            *(() if crop is None else (partial(luma.crop_upright, frame, crop),)),
        )

    def _look_ahead(self, packets: Iterator[Any]) -> Iterator[Any]:
        """Yield the packets, each once the grid has observed the next."""
        previous: list[Any] = []
        for packet in packets:
            if self._grid is not None and packet is not None and packet.size:
                time = self._track.to_seconds(packet.pts)
                if time is not None:
                    self._grid.observe(time, key=packet.is_keyframe)
            yield from previous
            previous = [packet]
        yield from previous

    def _find_next_time(self, packet: Any, before: float | None) -> float | None:
        time = self._track.to_seconds(packet.pts)
        if time is None:
            return before
        time += self.frame_seconds
        return time if before is None or time < before - MAX_BACK_SECONDS else max(time, before)

    def _decode_packet(self, packet: Any, order: DisplayOrder) -> list[Any] | None:
        """Return the frames that the decoder returns for a packet, or None if it fails."""
        wanted = self._is_wanted(packet)
        if packet.size and not self._is_hidden(packet):
            wanted = wanted and self._shows_frame(packet)
            order.read(packet.pts, decoded=packet.dts, wanted=wanted)
        if self._keyframes and packet.size and not packet.is_keyframe:
            return []
        try:
            frames = self._send_packet(packet)
        except DecoderNotFoundError:
            raise MediaError("unsupported", "no decoder for this codec") from None
        except MemoryError:
            if self._threads:  # one thread needs less memory; damaged AV1 raises this too
                return None
            raise ShortOfMemory("not enough memory to decode it") from None
        except FFmpegError:
            return None
        if self.cover and packet.size:
            # A cover is one packet, so the file need not be read further.
            frames += self._track.codec.decode(None)
        return frames

    def _send_packet(self, packet: Any) -> list[Any]:
        """Decode a packet; after a failure, flush the AV1 decoder before a key frame."""
        codec = self._track.codec
        try:
            finished = [] if packet.size else threads.finish_threads(codec, self._threads)
            frames: list[Any] = finished + codec.decode(self._without_discard(packet))
        except InvalidDataError:
            if codec.name != "libdav1d" or not packet.is_keyframe or self._threads:
                raise
            codec.flush_buffers()
            frames = codec.decode(self._without_discard(packet))
        return frames

    def _is_hidden(self, packet: Any) -> bool:
        """Return whether edit lists hide the packet's frame.

        FFmpeg also marks fragments that go back in time, as in joined recordings.
        """
        return bool(packet.is_discard) and not self._has_fragments

    @cached_property
    def _has_fragments(self) -> bool:
        return declared.has_fragments(self._file)

    def _without_discard(self, packet: Any) -> Any:
        """Return the packet without the flag that makes the decoder drop its frame.

        The copy is in FFmpeg's memory, with the padding that decoders read. Python's memory has no
        padding, and a decoder thread could release it only with the GIL.
        """
        if not packet.is_discard or self._is_hidden(packet):
            return packet
        copy = av.Packet(packet.size)
        copy.update(packet)
        copy.stream, copy.time_base = packet.stream, packet.time_base
        copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
        copy.is_keyframe = packet.is_keyframe
        for side_data in packet.iter_sidedata():
            copy.set_sidedata(side_data)
        return copy

    def _shows_frame(self, packet: Any) -> bool:
        """Return whether a decoder should return a frame with the packet's own timestamp."""
        codec = self._track.codec
        if self._decoding_order and codec.has_b_frames:
            return False
        if codec.name in ("vp8", "libvpx"):
            tag = int.from_bytes(bytes(packet)[:3], "little")
            if tag >> _VP8_LENGTH_SHIFT and not tag & _VP8_SHOWN_FLAG:
                return False  # only a reference for other frames
        return bool(packet.size > _MAX_REPEAT_SIZE)

    def _is_wanted(self, packet: Any) -> bool:
        """Return whether a packet's frame is needed; if not, let the decoder skip it."""
        if self._keyframes:
            return bool(packet.is_keyframe)
        if self._grid is None or not packet.size:
            return True
        time = self._track.to_seconds(packet.pts)
        needed = time is None or self._grid.needs(time)
        self._track.codec.skip_frame = "DEFAULT" if needed else "NONREF"
        return needed

    def _create_losses(self, stamps: Iterable[int]) -> Iterator[Lost]:
        return (Lost(self._track.to_seconds(stamp)) for stamp in stamps)


def _is_sound(step: DecodedFrame | Lost | None) -> bool:
    return step is None or (isinstance(step, DecodedFrame) and step.sound)
