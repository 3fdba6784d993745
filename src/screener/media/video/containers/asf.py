"""ASF files: the objects and packets that they are made of.

FFmpeg skips packets and frames that make no sense without reporting it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from screener.media.files.chunks import MOST, read

HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_INDEXES = {
    bytes.fromhex("90080033b1e5cf1189f400a0c90349cb"),
    bytes.fromhex("d329e2d6da35d111903400a0c90349be"),
    bytes.fromhex("f803b1fead12644c840f2a1d2f7ad48c"),
    bytes.fromhex("d03fb73c4a0c0348953dedf7b6228f0c"),
}

_FIRST_BYTE = 0x82  # of packets, as all known writers write them
_TOGETHER = 1000  # packets read at once
_WIDTHS = (0, 1, 2, 4)  # bytes of a number, by two bits
_TIMES = 6  # bytes: when a packet is sent, and its duration
# Bytes beside a part of a frame: 1 if several frames are packed as one, 8 or more with a size.
_PACKED, _SIZED = 1, 8


def objects(stream: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield the objects from `at`: identifier, and start and end of the body.

    Packets of unknown total size end with the file.
    """
    for _ in range(MOST):
        if at + 24 > end:
            return
        head = read(stream, at, 24)
        length = int.from_bytes(head[16:], "little")
        if head[:16] == DATA and length < 50:
            length = end - at
        if length < 24:
            return
        yield head[:16], (at + 24, at + length)
        at += length


def object_ends(stream: BinaryIO, size: int) -> Iterator[int]:
    """Yield the end of each object that belongs to the file: header, packets, indexes."""
    for number, (identifier, (_, after)) in enumerate(objects(stream, 0, size)):
        if number and identifier != DATA and identifier not in _INDEXES:
            return
        yield after


def damage(stream: BinaryIO, size: int) -> str | None:
    """Return `undecodable` if a packet is damaged, `truncated` if packets are missing, else None.

    All packets have one size; each must start as the first does and hold complete frames.
    """
    top_level = dict(objects(stream, 0, size))
    header, data = top_level.get(HEADER), top_level.get(DATA)
    if header is None or data is None:
        return None
    properties = dict(objects(stream, header[0] + 6, min(header[1], size))).get(PROPERTIES)
    if properties is None:
        return None
    least, most = (int.from_bytes(read(stream, properties[0] + at, 4), "little") for at in (68, 72))
    if not most:
        return None
    if least != most:
        return "undecodable"
    at, end, left = data[0] + 26, min(data[1], size), MOST
    packets, starts = Packets(), set[int]()
    while (count := min((end - at) // most, _TOGETHER, left)) > 0:
        piece = read(stream, at, count * most)
        at, left = at + count * most, left - count
        starts.update(piece[::most])
        if _FIRST_BYTE not in starts:
            return None  # packets of an unknown kind
        split = (piece[start : start + most] for start in range(0, len(piece), most))
        if len(starts) > 1 or not all(map(packets.is_complete, split)):
            return "undecodable"
    return "truncated" if data[1] > size else None


class _Part(NamedTuple):
    """A part of a frame: the frame's number and size, and where the next part begins."""

    number: int
    next: int
    size: int


class Packets:
    """Check packets one after the other.

    Short frames packed as one are not checked, nor whether the file's last frame is complete.
    """

    def __init__(self) -> None:
        self._last: dict[int, _Part] = {}  # by track

    def is_complete(self, packet: bytes) -> bool:
        """Return whether the next packet has its declared parts, each the next of its frame."""
        numbers = _Numbers(packet)
        numbers.at = 1 + (packet[0] & 0x0F)
        lengths, fields = numbers.read(1), numbers.read(1)
        length = numbers.read(_WIDTHS[lengths >> 5 & 3]) or len(packet)
        numbers.at += _WIDTHS[lengths >> 1 & 3]  # a sequence number that nobody uses
        end = length - numbers.read(_WIDTHS[lengths >> 3 & 3])
        numbers.at += _TIMES
        several = numbers.read(1) if lengths & 1 else None
        for _ in range(1 if several is None else several & 0x3F):
            track = numbers.read(1) & 0x7F
            number = numbers.read(_WIDTHS[fields >> 4 & 3])
            begins = numbers.read(_WIDTHS[fields >> 2 & 3])
            beside = numbers.read(_WIDTHS[fields & 3])
            size = int.from_bytes(packet[numbers.at : numbers.at + 4], "little")
            numbers.at += beside
            long = end - numbers.at if several is None else numbers.read(_WIDTHS[several >> 6])
            numbers.at += long
            if long < 0 or numbers.at > end or _PACKED < beside < _SIZED:
                return False
            if beside >= _SIZED and not self._follows(track, _Part(number, begins, size), long):
                return False
        return end <= len(packet)

    def _follows(self, track: int, part: _Part, long: int) -> bool:
        last = self._last.get(track)
        self._last[track] = part._replace(next=part.next + long)
        if part.next + long > part.size:
            return False
        return last is None or part == last or (part.next == 0 and last.next == last.size)


class _Numbers:
    """Little-endian numbers that follow one another."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def read(self, width: int) -> int:
        self.at += width
        return int.from_bytes(self._data[self.at - width : self.at], "little")
