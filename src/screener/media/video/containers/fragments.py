"""Fragments of an ISO file: the samples that they declare.

FFmpeg skips samples that make no sense without reporting it. Nothing here raises on broken input.
Streams stay at their position.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple

import numpy as np

from screener.media.files.chunks import MOST, boxes, read
from screener.media.video.containers.file_reading import position_restored
from screener.media.video.containers.iso_boxes import is_iso

_PARENTS = {
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

# Flags of a track fragment's header; each adds a field, of so many bytes: base offset, sample
# description, default duration, default size.
_OFFSET, _DESCRIPTION, _SIZE = 0x1, 0x2, 0x10
_FIELDS = ((_OFFSET, 8), (_DESCRIPTION, 4), (0x8, 4), (_SIZE, 4))
_FROM_FRAGMENT = 0x20000  # the base offset is that of the fragment
# Flags of a run, for fields of its header and of each sample.
_RUN_OFFSET, _RUN_HEAD = 0x1, (0x1, 0x4)
_SAMPLE_FIELDS, _SAMPLE_SIZE = (0x100, 0x200, 0x400, 0x800), 0x200


class Fragments(NamedTuple):
    """The samples that fragments declare.

    `samples` counts the non-empty samples of each track, by track number. `inconsistent`: media
    data behind the first fragment is not declared, declared data lies elsewhere or overlaps, a
    fragment has two parts of one track, a sample description does not exist, or a fragment is
    where none belongs.
    """

    samples: Counter[int]
    inconsistent: bool


def read_fragments(stream: BinaryIO) -> Fragments:
    """Return what a file's fragments declare; nothing if it has none, or too many boxes."""
    with position_restored(stream) as size:
        if is_iso(read(stream, 0, 12)):
            unread = _boxes(stream, size)
            reader = _Reader(stream, size)
            for parent, kind, body, after in islice(unread, MOST):
                reader.add(parent, kind, body, after)
            if next(unread, None) is None:
                return reader.result()
    return Fragments(Counter(), inconsistent=False)


def _boxes(stream: BinaryIO, end: int) -> Iterator[tuple[bytes, bytes, int, int]]:
    """Yield the boxes that lead to fragments, and those in them: parent, type, start, end."""
    levels = [(b"", boxes(stream, 0, end), end)]
    while levels:
        parent, inside, until = levels[-1]
        for kind, body, after in inside:
            after = max(body, min(after, until))
            yield parent, kind, body, after
            if kind in _PARENTS.get(parent, ()):
                levels.append((kind, boxes(stream, body, after), after))
                break
        else:
            levels.pop()


class _Reader:
    """Collects what boxes declare."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._size = stream, size
        self._default_sizes: dict[int, int] = {}  # of a sample, by track
        self._descriptions = 1  # of the track that has most
        self._samples: Counter[int] = Counter()
        self._media: list[tuple[int, int]] = []  # starts and ends of media data
        self._runs = array("q")  # starts and ends of declared data, alternating
        self._media_bytes = 0  # behind the first fragment
        self._has_fragment = self._inconsistent = False
        self._file_end = 0
        # Of the current fragment: where it starts, where its last run ended, tracks with a part.
        self._fragment, self._next, self._parts = 0, 0, set[int]()
        # Of the current part.
        self._track, self._default_size, self._base = 0, 0, 0

    def add(self, parent: bytes, kind: bytes, body: int, after: int) -> None:
        if not parent:
            self._file_end = after
        if kind == b"moof":
            self._has_fragment = True
            # FFmpeg counts from there even if the header is longer.
            self._fragment = self._next = body - _SHORT_HEAD
            self._parts = set()
        elif kind == b"stsd":
            self._descriptions = max(self._descriptions, _number(read(self._stream, body + 4, 4)))
        elif kind == b"trex":
            fields = read(self._stream, body, 20)
            self._default_sizes[_number(fields[4:8])] = _number(fields[16:20])
            self._check_description(_number(fields[8:12]))
        elif kind == b"traf":
            self._track = 0
        elif kind == b"tfhd":
            self._add_header(read(self._stream, body, 40))
        elif kind == b"trun" and self._track in self._default_sizes:
            self._add_run(read(self._stream, body, min(after - body, _LONGEST)))
        elif kind == b"mdat":
            self._media.append((body, after))
            self._media_bytes += after - body if self._has_fragment else 0
            self._inconsistent = self._inconsistent or parent == b"moof"
        elif self._default_sizes and not parent:
            self._inconsistent = self._inconsistent or self._contains_fragment(body, after)

    def result(self) -> Fragments:
        if not (self._has_fragment or self._inconsistent):
            return Fragments(Counter(), inconsistent=False)
        inconsistent = self._inconsistent or not self._covers_media()
        # Behind the last box, damage may hide another.
        inconsistent = inconsistent or self._contains_fragment(self._file_end, self._size)
        return Fragments(self._samples, inconsistent)

    def _check_description(self, number: int) -> None:
        self._inconsistent = self._inconsistent or not 1 <= number <= self._descriptions

    def _add_header(self, data: bytes) -> None:
        flags, self._track = _number(data[1:4]), _number(data[4:8])
        fields, at = dict[int, int](), 8
        for flag, long in _FIELDS:
            if flags & flag:
                fields[flag] = _number(data[at : at + long])
                at += long
        self._default_size = fields.get(_SIZE, self._default_sizes.get(self._track, 0))
        base = self._fragment if flags & _FROM_FRAGMENT else self._next
        self._base = fields.get(_OFFSET, base)
        self._check_description(fields.get(_DESCRIPTION, 1))
        # A damaged track number is as a rule that of another part.
        self._inconsistent = self._inconsistent or self._track in self._parts
        self._parts.add(self._track)

    def _add_run(self, data: bytes) -> None:
        """Add contiguous samples. Without an offset FFmpeg reads them at the part's base."""
        flags = _number(data[1:4])
        offset = int.from_bytes(data[8:12], "big", signed=True) if flags & _RUN_OFFSET else 0
        count, length = _count_samples(data, self._default_size)
        start = self._base + offset
        self._next = start + length
        self._samples[self._track] += count
        if not 0 <= start <= self._next <= self._size:
            self._inconsistent = True
        elif length:
            self._runs.extend((start, self._next))

    def _covers_media(self) -> bool:
        """Return whether declared data is in media data and covers it behind the first fragment."""
        runs = np.frombuffer(self._runs, np.int64).reshape(-1, 2)
        starts, ends = runs[np.argsort(runs[:, 0])].T
        if (ends - starts).sum() < self._media_bytes or (starts[1:] < ends[:-1]).any():
            return False
        media = np.array([(0, 0), *self._media])
        last = np.searchsorted(media[:, 0], starts, side="right") - 1
        return bool((ends <= media[last, 1]).all())

    def _contains_fragment(self, body: int, after: int) -> bool:
        last = b""
        for at in range(body, after, _PIECE):
            piece = last + read(self._stream, at, min(_PIECE, after - at))
            if b"tfhd" in piece:
                return True
            last = piece[-3:]
        return False


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _count_samples(data: bytes, default_size: int) -> tuple[int, int]:
    """Return how many samples of a run are not empty, and the bytes of all."""
    flags, count = _number(data[1:4]), _number(data[4:8])
    if not flags & _SAMPLE_SIZE:
        return count if default_size else 0, count * default_size
    at = 8 + sum(4 for flag in _RUN_HEAD if flags & flag)
    fields = [flag for flag in _SAMPLE_FIELDS if flags & flag]
    count = min(count, max(len(data) - at, 0) // (4 * len(fields)))
    if not count:
        return 0, 0
    table = np.frombuffer(data, ">u4", count * len(fields), at).reshape(count, -1)
    sizes = table[:, fields.index(_SAMPLE_SIZE)]
    return int(np.count_nonzero(sizes)), int(sizes.sum(dtype=np.uint64))
