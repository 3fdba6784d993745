"""The video tracks of an MPEG transport or program stream, found in its packets.

A track may begin anywhere in such a file; FFmpeg knows only those that it found on opening it.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from screener.media.video.containers.file_reading import position_restored

_SIZES = (188, 192, 204)  # bytes of a packet: bare, with a time before it, with a check behind it
_SYNC = 0x47  # its first byte
_BEGINS, _HAS_DATA, _HAS_FIELD = 0x40, 0x10, 0x20  # flags of its second byte, and of its fourth
_LARGEST = 180  # the last place in a packet at which a payload can hold the start of a frame

_PROGRAM = 2  # the number of a program map table
_TABLE_HEAD, _TRACK, _CHECKSUM = 12, 5, 4  # bytes of its head, an entry and its checksum

_CHUNK = 4 << 20  # bytes read at once
_OVER = _SIZES[-1] + 1  # bytes of overlap, for packets that begin in the last chunk

_HEAD = 6  # bytes of a program stream's packet: start code and length
_FARTHEST = _HEAD + 0xFFFF + 4  # to the end of the next start code
_CODES = 0x100  # FFmpeg adds it to the number of a program stream's track
_PRIVATE = 0xBD  # a start code; the first byte of its payload says what it holds:
_SUBTITLES = 0x20  # its upper three bits, for subtitles
_LONGEST_HEAD = 6 + 0xFF  # from the start code to that byte

_PGS, _DVB = 0x90, 0x59  # a codec and a descriptor of subtitles that are images


class Tracks(NamedTuple):
    """Video tracks of a stream: their numbers, and whether a table gives one several codecs.

    FFmpeg may decode only the first.
    """

    ids: Set[int] = frozenset()
    codec_changes: bool = False


def program_tracks(stream: BinaryIO) -> Tracks:
    """Return all video tracks of a program stream, with FFmpeg's numbers. Reads all of it."""
    with position_restored(stream):
        return Tracks(set().union(*map(_video_of_program, _chunks(stream, _FARTHEST))))


def transport_tracks(stream: BinaryIO) -> Tracks:
    """Return all video tracks of a transport stream, by PID. Reads all of it."""
    started, codecs = set[int](), set[tuple[int, int]]()
    with position_restored(stream):
        for data in _chunks(stream, _OVER):
            at, starts = _payload_starts(data)
            started |= _video_pids(data, at, starts)
            codecs |= {(pid, codec) for pid, codec, _ in _table_entries(data, at, starts)}
    pids = [pid for pid, _ in codecs if pid in started]
    return Tracks(started, codec_changes=len(pids) > len(set(pids)))


def image_subtitles(stream: BinaryIO, *, program: bool) -> bool:
    """Return whether a transport or `program` stream has subtitles that are images."""
    with position_restored(stream):
        if program:
            return any(map(_has_program_subtitles, _chunks(stream, _FARTHEST)))
        return any(
            codec == _PGS or _has_descriptor(descriptors, _DVB)
            for data in _chunks(stream, _OVER)
            for _, codec, descriptors in _table_entries(data, *_payload_starts(data))
        )


def _chunks(stream: BinaryIO, over: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the stream in chunks, each with the last `over` bytes of the one before."""
    stream.seek(0)
    rest = b""
    while piece := stream.read(_CHUNK):
        data = np.frombuffer(rest + piece, np.uint8)
        yield data
        rest = data[-over:].tobytes()


def _video_of_program(data: NDArray[np.uint8]) -> set[int]:
    at = _start_codes(data)
    return {_CODES + number for number in np.unique(data[at]).tolist() if number & 0xF0 == 0xE0}


def _has_program_subtitles(data: NDArray[np.uint8]) -> bool:
    at = _start_codes(data)
    at = at[(data[at] == _PRIVATE) & (at + _LONGEST_HEAD < len(data))]
    head = data[at + 3]
    # An MPEG-2 header states its length; an MPEG-1 header is one time, two, or none.
    kinds = (head & 0xC0 == 0x80, head & 0xF0 == 0x20, head & 0xF0 == 0x30)
    begins = np.select(kinds, (6 + data[at + 5].astype(np.int64), 8, 13), 4)
    return bool((data[at + begins] & 0xE0 == _SUBTITLES).any())


def _start_codes(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return where a start code's packet is followed by another: one alone may be chance."""
    at = np.flatnonzero(data[: max(len(data) - _HEAD, 0)] == 1)
    at = at[at >= 2]
    at = at[(data[at - 1] == 0) & (data[at - 2] == 0) & (data[at + 1] >= _PRIVATE)]
    after = at + 4 + (data[at + 2].astype(np.int64) << 8 | data[at + 3])
    at, after = at[after + 4 <= len(data)], after[after + 4 <= len(data)]
    next_code = data[after[:, np.newaxis] + np.arange(4)]
    follows = (next_code[:, :3] == (0, 0, 1)).all(axis=1) & (next_code[:, 3] >= 0xB9)
    codes: NDArray[np.int64] = at[follows] + 1
    return codes


def _payload_starts(data: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the packets are in which a payload starts, and its offset in each.

    Damage shifts packets, so they may begin at any byte; another must follow in the chunk.
    """
    at = np.flatnonzero(data[: max(len(data) - _OVER, 0)] == _SYNC)
    at = at[(data[at + 1] & _BEGINS != 0) & (data[at + 3] & _HAS_DATA != 0)]
    at = at[np.logical_or.reduce([data[at + size] == _SYNC for size in _SIZES])]
    # Behind four bytes there may be a field, whose first byte is its length.
    starts = np.where(data[at + 3] & _HAS_FIELD != 0, 5 + data[at + 4].astype(np.int64), 4)
    return at[starts <= _LARGEST], starts[starts <= _LARGEST]


def _video_pids(
    data: NDArray[np.uint8], at: NDArray[np.int64], starts: NDArray[np.int64]
) -> set[int]:
    code = data[(at + starts)[:, np.newaxis] + np.arange(4)]
    at = at[(code[:, :3] == (0, 0, 1)).all(axis=1) & (code[:, 3] & 0xF0 == 0xE0)]
    pids = (data[at + 1].astype(np.int64) & 0x1F) << 8 | data[at + 2]
    return set(np.unique(pids).tolist())


def _table_entries(
    data: NDArray[np.uint8], at: NDArray[np.int64], starts: NDArray[np.int64]
) -> Iterator[tuple[int, int, bytes]]:
    """Yield the tracks of the program map tables: PID, codec, descriptors."""
    tables = (data[at + starts] == 0) & (data[at + starts + 1] == _PROGRAM)
    for packet, start in zip(at[tables].tolist(), (at + starts)[tables].tolist(), strict=True):
        table = data[start + 1 : packet + _SIZES[0]].tobytes()
        end = 3 + (int.from_bytes(table[1:3], "big") & 0xFFF) - _CHECKSUM
        place = _TABLE_HEAD + (int.from_bytes(table[10:12], "big") & 0xFFF)
        while place + _TRACK <= min(end, len(table)):
            pid, more = (int.from_bytes(table[place + n : place + n + 2], "big") for n in (1, 3))
            after = place + _TRACK + (more & 0xFFF)
            yield pid & 0x1FFF, table[place], table[place + _TRACK : after]
            place = after


def _has_descriptor(descriptors: bytes, wanted: int) -> bool:
    at = 0
    while at + 2 <= len(descriptors) and descriptors[at] != wanted:
        at += 2 + descriptors[at + 1]
    return at + 2 <= len(descriptors)
