"""Read the objects of ASF files and check their packets.

FFmpeg skips damaged packets and frames without reporting it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from screener.media.files.chunks import MAX_CHUNKS, read_at

HEADER_ID = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
PROPERTIES_ID = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
DATA_ID = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_INDEX_IDS = {
    bytes.fromhex("90080033b1e5cf1189f400a0c90349cb"),
    bytes.fromhex("d329e2d6da35d111903400a0c90349be"),
    bytes.fromhex("f803b1fead12644c840f2a1d2f7ad48c"),
    bytes.fromhex("d03fb73c4a0c0348953dedf7b6228f0c"),
}

_PACKET_START = 0x82  # the first byte of packets by all known writers
_PACKETS_PER_READ = 1000
_NUMBER_SIZES = (0, 1, 2, 4)  # bytes, by two bits
_TIMES_SIZE = 6  # bytes: the time at which a packet is sent, and its duration
# Bytes of the fields before a part of a frame: 1 if short frames are packed together, else 8 or
# more, with the frame's size.
_PACKED_FIELDS_SIZE, _MIN_FIELDS_SIZE = 1, 8


def read_objects(
    stream: BinaryIO, offset: int, end: int
) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield the objects from `offset` on: identifier, and start and end of the body.

    Packets of unknown total size end with the file.
    """
    for _ in range(MAX_CHUNKS):
        if offset + 24 > end:
            return
        header = read_at(stream, offset, 24)
        length = int.from_bytes(header[16:], "little")
        if header[:16] == DATA_ID and length < 50:
            length = end - offset
        if length < 24:
            return
        yield header[:16], (offset + 24, offset + length)
        offset += length


def find_object_ends(stream: BinaryIO, size: int) -> Iterator[int]:
    """Yield the end of each object that belongs to the file: header, packets, indexes."""
    for number, (identifier, (_, body_end)) in enumerate(read_objects(stream, 0, size)):
        if number and identifier != DATA_ID and identifier not in _INDEX_IDS:
            return
        yield body_end


def find_damage(stream: BinaryIO, size: int) -> str | None:
    """Return `undecodable` if a packet is damaged, `truncated` if one is missing, else None.

    All packets have one size; each must start as the first does and contain complete frames.
    """
    top_level = dict(read_objects(stream, 0, size))
    header, data = top_level.get(HEADER_ID), top_level.get(DATA_ID)
    if header is None or data is None:
        return None
    properties = dict(read_objects(stream, header[0] + 6, min(header[1], size))).get(PROPERTIES_ID)
    if properties is None:
        return None
    min_size, packet_size = (
        int.from_bytes(read_at(stream, properties[0] + offset, 4), "little") for offset in (68, 72)
    )
    if not packet_size:
        return None
    if min_size != packet_size:
        return "undecodable"
    offset, end, remaining = data[0] + 26, min(data[1], size), MAX_CHUNKS
    packets, starts = PacketChecker(), set[int]()
    while (count := min((end - offset) // packet_size, _PACKETS_PER_READ, remaining)) > 0:
        piece = read_at(stream, offset, count * packet_size)
        offset, remaining = offset + count * packet_size, remaining - count
        starts.update(piece[::packet_size])
        if _PACKET_START not in starts:
            return None  # packets of an unknown kind
        split = (piece[start : start + packet_size] for start in range(0, len(piece), packet_size))
        if len(starts) > 1 or not all(map(packets.is_complete, split)):
            return "undecodable"
    return "truncated" if data[1] > size else None


class _FramePart(NamedTuple):
    """A part of a frame; `next` is the start of the next part."""

    number: int
    next: int
    size: int


class PacketChecker:
    """Check packets one after the other.

    Short frames that are packed together and the end of the last frame are not checked.
    """

    def __init__(self) -> None:
        self._last: dict[int, _FramePart] = {}  # by track

    def is_complete(self, packet: bytes) -> bool:
        """Return whether the next packet has its declared parts, each following the last one."""
        numbers = _NumberReader(packet)
        numbers.offset = 1 + (packet[0] & 0x0F)
        lengths, fields = numbers.read(1), numbers.read(1)
        length = numbers.read(_NUMBER_SIZES[lengths >> 5 & 3]) or len(packet)
        numbers.offset += _NUMBER_SIZES[lengths >> 1 & 3]  # an unused sequence number
        end = length - numbers.read(_NUMBER_SIZES[lengths >> 3 & 3])
        numbers.offset += _TIMES_SIZE
        part_count = numbers.read(1) if lengths & 1 else None
        for _ in range(1 if part_count is None else part_count & 0x3F):
            track = numbers.read(1) & 0x7F
            number = numbers.read(_NUMBER_SIZES[fields >> 4 & 3])
            start = numbers.read(_NUMBER_SIZES[fields >> 2 & 3])
            fields_size = numbers.read(_NUMBER_SIZES[fields & 3])
            size = int.from_bytes(packet[numbers.offset : numbers.offset + 4], "little")
            numbers.offset += fields_size
            if part_count is None:
                part_size = end - numbers.offset
            else:
                part_size = numbers.read(_NUMBER_SIZES[part_count >> 6])
            numbers.offset += part_size
            if (
                part_size < 0
                or numbers.offset > end
                or _PACKED_FIELDS_SIZE < fields_size < _MIN_FIELDS_SIZE
            ):
                return False
            part = _FramePart(number, start, size)
            if fields_size >= _MIN_FIELDS_SIZE and not self._follows(track, part, part_size):
                return False
        return end <= len(packet)

    def _follows(self, track: int, part: _FramePart, length: int) -> bool:
        last = self._last.get(track)
        self._last[track] = part._replace(next=part.next + length)
        if part.next + length > part.size:
            return False
        return last is None or part == last or (part.next == 0 and last.next == last.size)


class _NumberReader:
    """A reader of consecutive little-endian numbers."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.offset = 0

    def read(self, size: int) -> int:
        self.offset += size
        return int.from_bytes(self._data[self.offset - size : self.offset], "little")
