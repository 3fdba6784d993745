"""Find all video tracks of an MPEG transport or program stream by its packets.

A track may begin anywhere in such a file; FFmpeg decodes only tracks that it finds on opening.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from screener.media.video.containers.file_reading import restore_position

_PACKET_SIZES = (188, 192, 204)  # bytes: bare, after a time code, before a check sum
_SYNC_BYTE = 0x47  # the first byte of a packet
_STARTS_PAYLOAD = 0x40  # in a packet's second byte
_HAS_PAYLOAD, _HAS_ADAPTATION_FIELD = 0x10, 0x20  # in its fourth byte
_MAX_PAYLOAD_OFFSET = 180  # in a packet, if the payload contains the start of a frame

_PROGRAM_MAP_TABLE = 2  # the number of this type of table
_TABLE_HEADER_SIZE, _TABLE_ENTRY_SIZE, _TABLE_CHECKSUM_SIZE = 12, 5, 4  # bytes

_CHUNK_SIZE = 4 << 20
_TRANSPORT_OVERLAP = _PACKET_SIZES[-1] + 1  # bytes, for packets that begin in the previous chunk

_PACKET_HEADER_SIZE = 6  # bytes of a program stream's packet: start code and length
_PROGRAM_OVERLAP = _PACKET_HEADER_SIZE + 0xFFFF + 4  # bytes, to the end of the next start code
_TRACK_ID_OFFSET = 0x100  # FFmpeg adds it to the number of a program stream's track
_PRIVATE_STREAM = 0xBD  # a start code; the first byte of the payload is the type of its content
_SUBTITLES_ID = 0x20  # in the upper three bits of that byte
_MAX_PES_HEADER_SIZE = 6 + 0xFF  # bytes from the start code to that byte

_PGS_CODEC, _DVB_DESCRIPTOR = 0x90, 0x59  # a codec and a descriptor of subtitles that are images


class Tracks(NamedTuple):
    """The numbers of a stream's video tracks.

    `codec_changes`: a table lists several codecs for a track, of which FFmpeg may decode only one.
    """

    ids: Set[int] = frozenset()
    codec_changes: bool = False


def find_program_tracks(stream: BinaryIO) -> Tracks:
    """Return all video tracks of a program stream, with FFmpeg's numbers. Reads all of it."""
    with restore_position(stream):
        return Tracks(
            set().union(*map(_find_program_video, _read_chunks(stream, _PROGRAM_OVERLAP)))
        )


def find_transport_tracks(stream: BinaryIO) -> Tracks:
    """Return all video tracks of a transport stream, by PID. Reads all of it."""
    started, codecs = set[int](), set[tuple[int, int]]()
    with restore_position(stream):
        for data in _read_chunks(stream, _TRANSPORT_OVERLAP):
            offsets, starts = _find_payloads(data)
            started |= _find_video_pids(data, offsets, starts)
            codecs |= {(pid, codec) for pid, codec, _ in _read_table_entries(data, offsets, starts)}
    pids = [pid for pid, _ in codecs if pid in started]
    return Tracks(started, codec_changes=len(pids) > len(set(pids)))


def has_image_subtitles(stream: BinaryIO, *, program: bool) -> bool:
    """Return whether a transport or `program` stream has subtitles that are images."""
    with restore_position(stream):
        if program:
            return any(map(_has_program_subtitles, _read_chunks(stream, _PROGRAM_OVERLAP)))
        return any(
            codec == _PGS_CODEC or _has_descriptor(descriptors, _DVB_DESCRIPTOR)
            for data in _read_chunks(stream, _TRANSPORT_OVERLAP)
            for _, codec, descriptors in _read_table_entries(data, *_find_payloads(data))
        )


def _read_chunks(stream: BinaryIO, overlap: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the stream in chunks, each with the last `overlap` bytes of the previous one."""
    stream.seek(0)
    previous_end = b""
    while piece := stream.read(_CHUNK_SIZE):
        data = np.frombuffer(previous_end + piece, np.uint8)
        yield data
        previous_end = data[-overlap:].tobytes()


def _find_program_video(data: NDArray[np.uint8]) -> set[int]:
    offsets = _find_start_codes(data)
    return {
        _TRACK_ID_OFFSET + number
        for number in np.unique(data[offsets]).tolist()
        if number & 0xF0 == 0xE0
    }


def _has_program_subtitles(data: NDArray[np.uint8]) -> bool:
    offsets = _find_start_codes(data)
    offsets = offsets[
        (data[offsets] == _PRIVATE_STREAM) & (offsets + _MAX_PES_HEADER_SIZE < len(data))
    ]
    header = data[offsets + 3]
    # An MPEG-2 header states its length; an MPEG-1 header has one time, two or none.
    header_types = (header & 0xC0 == 0x80, header & 0xF0 == 0x20, header & 0xF0 == 0x30)
    payloads = np.select(header_types, (6 + data[offsets + 5].astype(np.int64), 8, 13), 4)
    return bool((data[offsets + payloads] & 0xE0 == _SUBTITLES_ID).any())


def _find_start_codes(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the offsets of start codes whose packet is followed by another start code.

    A single start code may be chance.
    """
    offsets = np.flatnonzero(data[: max(len(data) - _PACKET_HEADER_SIZE, 0)] == 1)
    offsets = offsets[offsets >= 2]
    offsets = offsets[
        (data[offsets - 1] == 0) & (data[offsets - 2] == 0) & (data[offsets + 1] >= _PRIVATE_STREAM)
    ]
    ends = offsets + 4 + (data[offsets + 2].astype(np.int64) << 8 | data[offsets + 3])
    offsets, ends = offsets[ends + 4 <= len(data)], ends[ends + 4 <= len(data)]
    next_code = data[ends[:, np.newaxis] + np.arange(4)]
    follows = (next_code[:, :3] == (0, 0, 1)).all(axis=1) & (next_code[:, 3] >= 0xB9)
    codes: NDArray[np.int64] = offsets[follows] + 1
    return codes


def _find_payloads(data: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the offsets of packets in which a payload starts, and its offset in each.

    Damage shifts packets, so they may begin at any byte; another must follow in the chunk.
    """
    offsets = np.flatnonzero(data[: max(len(data) - _TRANSPORT_OVERLAP, 0)] == _SYNC_BYTE)
    offsets = offsets[
        (data[offsets + 1] & _STARTS_PAYLOAD != 0) & (data[offsets + 3] & _HAS_PAYLOAD != 0)
    ]
    offsets = offsets[
        np.logical_or.reduce([data[offsets + size] == _SYNC_BYTE for size in _PACKET_SIZES])
    ]
    # After four bytes there may be a field, whose first byte is its length.
    starts = np.where(
        data[offsets + 3] & _HAS_ADAPTATION_FIELD != 0, 5 + data[offsets + 4].astype(np.int64), 4
    )
    return offsets[starts <= _MAX_PAYLOAD_OFFSET], starts[starts <= _MAX_PAYLOAD_OFFSET]


def _find_video_pids(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], starts: NDArray[np.int64]
) -> set[int]:
    code = data[(offsets + starts)[:, np.newaxis] + np.arange(4)]
    offsets = offsets[(code[:, :3] == (0, 0, 1)).all(axis=1) & (code[:, 3] & 0xF0 == 0xE0)]
    pids = (data[offsets + 1].astype(np.int64) & 0x1F) << 8 | data[offsets + 2]
    return set(np.unique(pids).tolist())


def _read_table_entries(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], starts: NDArray[np.int64]
) -> Iterator[tuple[int, int, bytes]]:
    """Yield PID, codec and descriptors of each track in the program map tables."""
    tables = (data[offsets + starts] == 0) & (data[offsets + starts + 1] == _PROGRAM_MAP_TABLE)
    for packet, start in zip(
        offsets[tables].tolist(), (offsets + starts)[tables].tolist(), strict=True
    ):
        table = data[start + 1 : packet + _PACKET_SIZES[0]].tobytes()
        end = 3 + (int.from_bytes(table[1:3], "big") & 0xFFF) - _TABLE_CHECKSUM_SIZE
        entry = _TABLE_HEADER_SIZE + (int.from_bytes(table[10:12], "big") & 0xFFF)
        while entry + _TABLE_ENTRY_SIZE <= min(end, len(table)):
            pid, size = (int.from_bytes(table[entry + n : entry + n + 2], "big") for n in (1, 3))
            entry_end = entry + _TABLE_ENTRY_SIZE + (size & 0xFFF)
            yield pid & 0x1FFF, table[entry], table[entry + _TABLE_ENTRY_SIZE : entry_end]
            entry = entry_end


def _has_descriptor(descriptors: bytes, tag: int) -> bool:
    offset = 0
    while offset + 2 <= len(descriptors) and descriptors[offset] != tag:
        offset += 2 + descriptors[offset + 1]
    return offset + 2 <= len(descriptors)
