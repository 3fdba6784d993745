"""The tracks of pictures of an MPEG transport or program stream, found among its packets.

Such a file has no head that names its tracks: one may begin anywhere in it, as where recordings
were joined, and FFmpeg knows those alone that it met while it opened the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from screener.media.video.containers.boxes import kept

_SIZES = (188, 192, 204)  # bytes of a packet: plain, with a time before it, with a check behind it
_SYNC = 0x47  # their first byte
_BEGINS, _HAS_DATA, _HAS_FIELD = 0x40, 0x10, 0x20  # flags of the second byte, and of the fourth
_LARGEST = 180  # where the data of a packet may begin, to have the start of a picture's

_PROGRAM = 2  # the number of a table that tells of the tracks of a program
_TABLE_HEAD, _TRACK, _CHECKSUM = 12, 5, 4  # bytes of it, of what it tells of a track, at its end

_CHUNK = 4 << 20  # bytes looked at together
_OVER = _SIZES[-1] + 1  # and behind them, for packets that begin within

_HEAD = 6  # bytes of a program stream's packet: its code, and how many follow
_FARTHEST = _HEAD + 0xFFFF + 4  # to the code of the next
_CODES = 0x100  # what FFmpeg adds to the number of a program stream's track
_PRIVATE = 0xBD  # a code of packets whose data begin with a byte that says what they are:
_SUBTITLES = 0x20  # its upper three bits, of subtitles
_LONGEST_HEAD = 6 + 0xFF  # from the code to that byte

_PGS, _DVB = 0x90, 0x59  # how a track is coded, and a descriptor of one: subtitles as pictures


class Tracks(NamedTuple):
    """Tracks of pictures that were met in a stream: their numbers, and whether its tables tell of
    one of them that it is coded in several ways, of which FFmpeg may give the first.
    """

    ids: Set[int] = frozenset()
    changes: bool = False


def program_tracks(stream: BinaryIO) -> Tracks:
    """All tracks of pictures of a program stream, as FFmpeg counts them. All of it is read, once,
    and it stays where it was.
    """
    with kept(stream):
        return Tracks(set().union(*map(_of_program, _chunks(stream, _FARTHEST))))


def _of_program(data: NDArray[np.uint8]) -> set[int]:
    """The tracks of a chunk's packets of pictures."""
    at = _packets(data)
    return {_CODES + number for number in np.unique(data[at]).tolist() if number & 0xF0 == 0xE0}


def _subtitles_of_program(data: NDArray[np.uint8]) -> bool:
    """Return whether a chunk has a packet of subtitles that are pictures, as those of a DVD."""
    at = _packets(data)
    at = at[(data[at] == _PRIVATE) & (at + _LONGEST_HEAD < len(data))]
    head = data[at + 3]
    # Of MPEG-2 the head says how long it is; of MPEG-1 it is one time, two, or none.
    kinds = (head & 0xC0 == 0x80, head & 0xF0 == 0x20, head & 0xF0 == 0x30)
    begins = np.select(kinds, (6 + data[at + 5].astype(np.int64), 8, 13), 4)
    return bool((data[at + begins] & 0xE0 == _SUBTITLES).any())


def _packets(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Where the codes are of the packets of a chunk behind which another code stands: the bytes of
    sound may spell one code by chance.
    """
    at = np.flatnonzero(data[: max(len(data) - _HEAD, 0)] == 1)
    at = at[at >= 2]
    at = at[(data[at - 1] == 0) & (data[at - 2] == 0) & (data[at + 1] >= _PRIVATE)]
    after = at + 4 + (data[at + 2].astype(np.int64) << 8 | data[at + 3])
    at, after = at[after + 4 <= len(data)], after[after + 4 <= len(data)]
    next_code = data[after[:, np.newaxis] + np.arange(4)]
    follows = (next_code[:, :3] == (0, 0, 1)).all(axis=1) & (next_code[:, 3] >= 0xB9)
    codes: NDArray[np.int64] = at[follows] + 1
    return codes


def picture_tracks(stream: BinaryIO) -> Tracks:
    """All tracks of pictures of a transport stream, by their PIDs. All of it is read, once, and it
    stays where it was.
    """
    met, told = set[int](), set[tuple[int, int]]()
    with kept(stream):
        for data in _chunks(stream, _OVER):
            at, starts = _begun(data)
            met |= _beginning(data, at, starts)
            told |= _told(data, at, starts)
    pids = [pid for pid, _ in told if pid in met]
    return Tracks(met, changes=len(pids) > len(set(pids)))


def picture_subtitles(stream: BinaryIO, *, program: bool) -> bool:
    """Return whether a transport or `program` stream has subtitles that are pictures.

    All of it is read, once, unless some are found. It stays where it was.
    """
    with kept(stream):
        if program:
            return any(map(_subtitles_of_program, _chunks(stream, _FARTHEST)))
        return any(
            coded == _PGS or _is_described(described, _DVB)
            for data in _chunks(stream, _OVER)
            for _, coded, described in _tracks_told(data, *_begun(data))
        )


def _is_described(descriptors: bytes, wanted: int) -> bool:
    at = 0
    while at + 2 <= len(descriptors) and descriptors[at] != wanted:
        at += 2 + descriptors[at + 1]
    return at + 2 <= len(descriptors)


def _chunks(stream: BinaryIO, over: int) -> Iterator[NDArray[np.uint8]]:
    """The stream chunk by chunk, each behind so many bytes of the last: wherever packets begin,
    since of a damaged file some are shifted.
    """
    stream.seek(0)
    rest = b""
    while piece := stream.read(_CHUNK):
        data = np.frombuffer(rest + piece, np.uint8)
        yield data
        rest = data[-over:].tobytes()


def _begun(data: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the packets of a chunk are in which something begins, and how far behind that it does;
    less those that are not followed by another in it.
    """
    at = np.flatnonzero(data[: max(len(data) - _OVER, 0)] == _SYNC)
    at = at[(data[at + 1] & _BEGINS != 0) & (data[at + 3] & _HAS_DATA != 0)]
    at = at[np.logical_or.reduce([data[at + size] == _SYNC for size in _SIZES])]
    # Behind four bytes may be a field, of as many bytes as its first one says.
    starts = np.where(data[at + 3] & _HAS_FIELD != 0, 5 + data[at + 4].astype(np.int64), 4)
    return at[starts <= _LARGEST], starts[starts <= _LARGEST]


def _beginning(
    data: NDArray[np.uint8], at: NDArray[np.int64], starts: NDArray[np.int64]
) -> set[int]:
    """The PIDs of those packets of a chunk in which data of pictures begin."""
    code = data[(at + starts)[:, np.newaxis] + np.arange(4)]
    at = at[(code[:, :3] == (0, 0, 1)).all(axis=1) & (code[:, 3] & 0xF0 == 0xE0)]
    pids = (data[at + 1].astype(np.int64) & 0x1F) << 8 | data[at + 2]
    return set(np.unique(pids).tolist())


def _told(
    data: NDArray[np.uint8], at: NDArray[np.int64], starts: NDArray[np.int64]
) -> set[tuple[int, int]]:
    """The PID of each track that those packets of a chunk tell of, and how it is coded."""
    return {(pid, coded) for pid, coded, _ in _tracks_told(data, at, starts)}


def _tracks_told(
    data: NDArray[np.uint8], at: NDArray[np.int64], starts: NDArray[np.int64]
) -> Iterator[tuple[int, int, bytes]]:
    """What those packets of a chunk that are tables of programs tell of tracks: the PID, how it is
    coded, and what describes it.
    """
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
