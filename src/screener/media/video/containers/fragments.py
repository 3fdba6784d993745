"""Fragments: what those of an ISO file declare, of which FFmpeg leaves out what it does not make
sense of, and says nothing.

Nothing here raises on broken input. Streams are left where they were.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple

import numpy as np

from screener.media.files.chunks import MOST, boxes, read
from screener.media.video.containers.boxes import is_iso, kept

_WITHIN = {
    b"": (b"moov", b"moof"),
    b"moov": (b"mvex", b"trak"),
    b"trak": (b"mdia",),
    b"mdia": (b"minf",),
    b"minf": (b"stbl",),
    b"moof": (b"traf",),
}
_LONGEST = 1 << 26  # bytes of a run that are read: four million samples
_PIECE = 1 << 20  # bytes that are searched at once
_SHORT_HEAD = 8  # bytes of a box before its body

# Flags of the head of a track's part, of which each says that a field is there, and how long it is:
# the place of its data, the way it is coded, how long each sample lasts, how many bytes it has.
_PLACE, _WAY, _SIZE = 0x1, 0x2, 0x10
_FIELDS = ((_PLACE, 8), (_WAY, 4), (0x8, 4), (_SIZE, 4))
_FROM_FRAGMENT = 0x20000  # the place of its data is that of the fragment
# The same of a run: of its head, and of each sample.
_OFFSET, _RUN_HEAD = 0x1, (0x1, 0x4)
_OF_SAMPLE, _OWN_SIZE = (0x100, 0x200, 0x400, 0x800), 0x200


class Fragments(NamedTuple):
    """What fragments declare: `samples` of each track, by its number in the file, without those
    of no bytes; `unlike` where that cannot be all there is: where media data stand behind the first
    fragment that none declares, what is declared lies elsewhere or overlaps, a fragment has two
    parts of one track, a part is coded in a way that there is not, or a fragment is where none
    belongs.
    """

    samples: Counter[int]
    unlike: bool


def declared(stream: BinaryIO) -> Fragments:
    """What the fragments of a file declare; nothing where there are none, nor where the file has
    more boxes than are looked at.
    """
    with kept(stream) as size:
        if is_iso(read(stream, 0, 12)):
            found = _boxes(stream, size)
            reading = _Reading(stream, size)
            for within, kind, body, after in islice(found, MOST):
                reading.meet(within, kind, body, after)
            if next(found, None) is None:
                return reading.told()
    return Fragments(Counter(), unlike=False)


def _boxes(stream: BinaryIO, end: int) -> Iterator[tuple[bytes, bytes, int, int]]:
    """The boxes of a file that lead to its fragments, and those in them: the type of what holds
    each, its own, where its body starts and where it ends.
    """
    levels = [(b"", boxes(stream, 0, end), end)]
    while levels:
        within, inside, until = levels[-1]
        for kind, body, after in inside:
            after = max(body, min(after, until))
            yield within, kind, body, after
            if kind in _WITHIN.get(within, ()):
                levels.append((kind, boxes(stream, body, after), after))
                break
        else:
            levels.pop()


class _Reading:
    """What the boxes of a file declare that were met, one after the other."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._size = stream, size
        self._sizes: dict[int, int] = {}  # of each sample of a track that has none of its own
        self._ways = 1  # in which the track is coded that has most
        self._samples: Counter[int] = Counter()
        self._data: list[tuple[int, int]] = []  # where media data start and end
        self._runs = array("q")  # the same of what is declared, one after the other
        self._held = 0  # bytes of media data behind the first fragment
        self._begun = self._unlike = False
        self._ends = 0  # where the last box of the file does
        # Of the fragment: its place, where the last run ended, and the tracks it has parts of.
        self._fragment, self._next, self._parts = 0, 0, set[int]()
        # Of the part: its track, the size of each sample that tells none, the place of its data.
        self._track, self._default, self._base = 0, 0, 0

    def meet(self, within: bytes, kind: bytes, body: int, after: int) -> None:
        """A box: the type of what holds it, its own, where its body starts and where it ends."""
        if not within:
            self._ends = after
        if kind == b"moof":
            self._begun = True
            # FFmpeg counts from there, also where the head is longer.
            self._fragment = self._next = body - _SHORT_HEAD
            self._parts = set()
        elif kind == b"stsd":
            self._ways = max(self._ways, _number(read(self._stream, body + 4, 4)))
        elif kind == b"trex":
            told = read(self._stream, body, 20)
            self._sizes[_number(told[4:8])] = _number(told[16:20])
            self._see_way(_number(told[8:12]))
        elif kind == b"traf":
            self._track = 0
        elif kind == b"tfhd":
            self._head(read(self._stream, body, 40))
        elif kind == b"trun" and self._track in self._sizes:
            self._run(read(self._stream, body, min(after - body, _LONGEST)))
        elif kind == b"mdat":
            self._data.append((body, after))
            self._held += after - body if self._begun else 0
            self._unlike = self._unlike or within == b"moof"
        elif self._sizes and not within:
            self._unlike = self._unlike or self._holds_fragment(body, after)

    def told(self) -> Fragments:
        """What all of them declare."""
        if not (self._begun or self._unlike):
            return Fragments(Counter(), unlike=False)
        whole = not self._unlike and self._is_whole()
        # Where the next box is none, there may be one behind it.
        unlike = not whole or self._holds_fragment(self._ends, self._size)
        return Fragments(self._samples, unlike)

    def _see_way(self, number: int) -> None:
        """FFmpeg leaves out what is coded in a way that it does not know."""
        self._unlike = self._unlike or not 1 <= number <= self._ways

    def _head(self, told: bytes) -> None:
        """The head of a track's part of a fragment."""
        flags, self._track = _number(told[1:4]), _number(told[4:8])
        fields, at = dict[int, int](), 8
        for flag, long in _FIELDS:
            if flags & flag:
                fields[flag] = _number(told[at : at + long])
                at += long
        self._default = fields.get(_SIZE, self._sizes.get(self._track, 0))
        self._base = fields.get(_PLACE, self._fragment if flags & _FROM_FRAGMENT else self._next)
        self._see_way(fields.get(_WAY, 1))
        # A part that says it is of another track than it is: that one has a part as a rule.
        self._unlike = self._unlike or self._track in self._parts
        self._parts.add(self._track)

    def _run(self, told: bytes) -> None:
        """Samples that stand one behind the other: to FFmpeg at the place of the part, where the
        run tells no other.
        """
        flags = _number(told[1:4])
        offset = int.from_bytes(told[8:12], "big", signed=True) if flags & _OFFSET else 0
        full, long = _samples(told, self._default)
        start = self._base + offset
        self._next = start + long
        self._samples[self._track] += full
        if not 0 <= start <= self._next <= self._size:
            self._unlike = True
        elif long:
            self._runs.extend((start, self._next))

    def _is_whole(self) -> bool:
        """Whether what is declared lies in the media data, nothing of it twice, and all of what is
        behind the first fragment is.
        """
        runs = np.frombuffer(self._runs, np.int64).reshape(-1, 2)
        starts, ends = runs[np.argsort(runs[:, 0])].T
        if (ends - starts).sum() < self._held or (starts[1:] < ends[:-1]).any():
            return False
        data = np.array([(0, 0), *self._data])
        last = np.searchsorted(data[:, 0], starts, side="right") - 1
        return bool((ends <= data[last, 1]).all())

    def _holds_fragment(self, body: int, after: int) -> bool:
        """Whether a fragment is where none belongs, as where a name or a length is damaged."""
        last = b""
        for at in range(body, after, _PIECE):
            piece = last + read(self._stream, at, min(_PIECE, after - at))
            if b"tfhd" in piece:
                return True
            last = piece[-3:]
        return False


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _samples(told: bytes, default: int) -> tuple[int, int]:
    """How many samples of a run have bytes, and how many bytes all have."""
    flags, count = _number(told[1:4]), _number(told[4:8])
    if not flags & _OWN_SIZE:
        return count if default else 0, count * default
    at = 8 + sum(4 for flag in _RUN_HEAD if flags & flag)
    fields = [flag for flag in _OF_SAMPLE if flags & flag]
    count = min(count, max(len(told) - at, 0) // (4 * len(fields)))
    if not count:
        return 0, 0
    table = np.frombuffer(told, ">u4", count * len(fields), at).reshape(count, -1)
    own = table[:, fields.index(_OWN_SIZE)]
    return int(np.count_nonzero(own)), int(own.sum(dtype=np.uint64))
