"""The packets of an ASF file: whether those that were read hold whole frames.

FFmpeg goes on with the next packet, or the next frame, where one makes no sense, and says nothing.
What is not whole to this is not to FFmpeg either; where several short frames are packed as one, and
where the last one of a file ends, nothing is known.
"""

from __future__ import annotations

from typing import NamedTuple

_WIDTHS = (0, 1, 2, 4)  # bytes of a number, by two bits
_TIMES = 6  # bytes: when a packet is sent, and for how long
_PACKED, _FACTS = 1, 8  # bytes beside a part: of frames packed as one, and of such as tell a size


class _Frame(NamedTuple):
    """A frame of which parts were met: its number, where the next begins, and its bytes."""

    number: int
    next: int
    size: int


class Packets:
    """Packets, one after the other."""

    def __init__(self) -> None:
        self._frames: dict[int, _Frame] = {}  # the last one of each track

    def are_whole(self, packet: bytes) -> bool:
        """Whether the next one has the parts that it says, and these are of whole frames."""
        read = _Numbers(packet)
        read.at = 1 + (packet[0] & 0x0F)
        lengths, fields = read.number(1), read.number(1)
        length = read.number(_WIDTHS[lengths >> 5 & 3]) or len(packet)
        read.at += _WIDTHS[lengths >> 1 & 3]  # a number of its own, which nobody uses
        end = length - read.number(_WIDTHS[lengths >> 3 & 3])
        read.at += _TIMES
        several = read.number(1) if lengths & 1 else None
        for _ in range(1 if several is None else several & 0x3F):
            track = read.number(1) & 0x7F
            number = read.number(_WIDTHS[fields >> 4 & 3])
            begins = read.number(_WIDTHS[fields >> 2 & 3])
            beside = read.number(_WIDTHS[fields & 3])
            size = int.from_bytes(packet[read.at : read.at + 4], "little")
            read.at += beside
            wide = None if several is None else _WIDTHS[several >> 6]
            long = end - read.at if wide is None else read.number(wide)
            read.at += long
            if long < 0 or read.at > end or _PACKED < beside < _FACTS:
                return False
            if beside >= _FACTS and not self._follows(track, _Frame(number, begins, size), long):
                return False
        return end <= len(packet)

    def _follows(self, track: int, part: _Frame, long: int) -> bool:
        """Whether a part of a frame is the next one of its track."""
        last = self._frames.get(track)
        self._frames[track] = part._replace(next=part.next + long)
        if part.next + long > part.size:
            return False
        return last is None or part == last or (part.next == 0 and last.next == last.size)


class _Numbers:
    """Numbers that stand one behind the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def number(self, wide: int) -> int:
        """The next one, of so many bytes."""
        self.at += wide
        return int.from_bytes(self._data[self.at - wide : self.at], "little")
