"""Read the samples that the fragments of an ISO file declare.

FFmpeg skips inconsistent samples without reporting it. Functions here do not raise on broken
input. Streams keep their position.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple

import numpy as np

from screener.media.files.chunks import MAX_CHUNKS, read_at, read_boxes
from screener.media.video.containers.file_reading import restore_position
from screener.media.video.containers.iso_boxes import is_iso

_PARENT_BOXES = {
    b"": (b"moov", b"moof"),
    b"moov": (b"mvex", b"trak"),
    b"trak": (b"mdia",),
    b"mdia": (b"minf",),
    b"minf": (b"stbl",),
    b"moof": (b"traf",),
}
_MAX_RUN_SIZE = 1 << 26  # bytes, of four million samples
_PIECE_SIZE = 1 << 20
_SHORT_HEADER_SIZE = 8  # of a box

# Flags of a track fragment's header; each adds a field (base offset, sample description, default
# duration, default size) of the given number of bytes.
_HAS_BASE_OFFSET, _HAS_DESCRIPTION, _HAS_DEFAULT_SIZE = 0x1, 0x2, 0x10
_HEADER_FIELDS = ((_HAS_BASE_OFFSET, 8), (_HAS_DESCRIPTION, 4), (0x8, 4), (_HAS_DEFAULT_SIZE, 4))
_BASE_IS_FRAGMENT = 0x20000  # the base offset is the fragment's
# Flags of a run, for fields of its header and of each sample.
_RUN_HAS_OFFSET, _RUN_HEADER_FIELDS = 0x1, (0x1, 0x4)
_RUN_SAMPLE_FIELDS, _RUN_HAS_SIZES = (0x100, 0x200, 0x400, 0x800), 0x200


class Fragments(NamedTuple):
    """The samples that fragments declare.

    `samples` counts the non-empty samples by track number. `inconsistent`: media data after the
    first fragment is not declared, declared data lies outside of media data or overlaps, a fragment
    has two parts of one track, a sample description does not exist, or a fragment is misplaced.
    """

    samples: Counter[int]
    inconsistent: bool


def read_fragments(stream: BinaryIO) -> Fragments:
    """Return the declarations of a file's fragments, empty if there are too many boxes."""
    with restore_position(stream) as size:
        if is_iso(read_at(stream, 0, 12)):
            unread = _walk_boxes(stream, size)
            reader = _FragmentReader(stream, size)
            for parent, kind, body, body_end in islice(unread, MAX_CHUNKS):
                reader.add(parent, kind, body, body_end)
            if next(unread, None) is None:
                return reader.build_result()
    return Fragments(Counter(), inconsistent=False)


def _walk_boxes(stream: BinaryIO, end: int) -> Iterator[tuple[bytes, bytes, int, int]]:
    """Yield parent, type, start and end of the boxes around and in fragments."""
    levels = [(b"", read_boxes(stream, 0, end), end)]
    while levels:
        parent, children, parent_end = levels[-1]
        for kind, body, body_end in children:
            body_end = max(body, min(body_end, parent_end))
            yield parent, kind, body, body_end
            if kind in _PARENT_BOXES.get(parent, ()):
                levels.append((kind, read_boxes(stream, body, body_end), body_end))
                break
        else:
            levels.pop()


class _FragmentReader:
    """Collects the declarations of boxes."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._size = stream, size
        self._default_sizes: dict[int, int] = {}  # of a sample, by track
        self._descriptions = 1  # the maximum of all tracks
        self._samples: Counter[int] = Counter()
        self._media: list[tuple[int, int]] = []  # starts and ends of media data
        self._runs = array("q")  # starts and ends of declared data, alternating
        self._media_bytes = 0  # after the first fragment
        self._has_fragment = self._inconsistent = False
        self._file_end = 0
        # The current fragment: its start, the end of its last run, the tracks with a part.
        self._fragment, self._next, self._parts = 0, 0, set[int]()
        # The current part.
        self._track, self._default_size, self._base = 0, 0, 0

    def add(self, parent: bytes, kind: bytes, body: int, body_end: int) -> None:
        if not parent:
            self._file_end = body_end
        if kind == b"moof":
            self._has_fragment = True
            # FFmpeg counts from here even if the header is longer.
            self._fragment = self._next = body - _SHORT_HEADER_SIZE
            self._parts = set()
        elif kind == b"stsd":
            self._descriptions = max(
                self._descriptions, _read_number(read_at(self._stream, body + 4, 4))
            )
        elif kind == b"trex":
            fields = read_at(self._stream, body, 20)
            self._default_sizes[_read_number(fields[4:8])] = _read_number(fields[16:20])
            self._check_description(_read_number(fields[8:12]))
        elif kind == b"traf":
            self._track = 0
        elif kind == b"tfhd":
            self._add_header(read_at(self._stream, body, 40))
        elif kind == b"trun" and self._track in self._default_sizes:
            self._add_run(read_at(self._stream, body, min(body_end - body, _MAX_RUN_SIZE)))
        elif kind == b"mdat":
            self._media.append((body, body_end))
            self._media_bytes += body_end - body if self._has_fragment else 0
            self._inconsistent = self._inconsistent or parent == b"moof"
        elif self._default_sizes and not parent:
            self._inconsistent = self._inconsistent or self._contains_fragment(body, body_end)

    def build_result(self) -> Fragments:
        if not (self._has_fragment or self._inconsistent):
            return Fragments(Counter(), inconsistent=False)
        inconsistent = self._inconsistent or not self._covers_media()
        # After the last box, damage may hide another.
        inconsistent = inconsistent or self._contains_fragment(self._file_end, self._size)
        return Fragments(self._samples, inconsistent)

    def _check_description(self, number: int) -> None:
        self._inconsistent = self._inconsistent or not 1 <= number <= self._descriptions

    def _add_header(self, data: bytes) -> None:
        flags, self._track = _read_number(data[1:4]), _read_number(data[4:8])
        fields, offset = dict[int, int](), 8
        for flag, size in _HEADER_FIELDS:
            if flags & flag:
                fields[flag] = _read_number(data[offset : offset + size])
                offset += size
        self._default_size = fields.get(_HAS_DEFAULT_SIZE, self._default_sizes.get(self._track, 0))
        base = self._fragment if flags & _BASE_IS_FRAGMENT else self._next
        self._base = fields.get(_HAS_BASE_OFFSET, base)
        self._check_description(fields.get(_HAS_DESCRIPTION, 1))
        # A damaged track number is usually another part's.
        self._inconsistent = self._inconsistent or self._track in self._parts
        self._parts.add(self._track)

    def _add_run(self, data: bytes) -> None:
        """Add contiguous samples; without an offset FFmpeg reads them at the part's base."""
        flags = _read_number(data[1:4])
        offset = int.from_bytes(data[8:12], "big", signed=True) if flags & _RUN_HAS_OFFSET else 0
        count, length = _count_samples(data, self._default_size)
        start = self._base + offset
        self._next = start + length
        self._samples[self._track] += count
        if not 0 <= start <= self._next <= self._size:
            self._inconsistent = True
        elif length:
            self._runs.extend((start, self._next))

    def _covers_media(self) -> bool:
        """Return whether media data contains declared data, and is covered after a fragment."""
        runs = np.frombuffer(self._runs, np.int64).reshape(-1, 2)
        starts, ends = runs[np.argsort(runs[:, 0])].T
        if (ends - starts).sum() < self._media_bytes or (starts[1:] < ends[:-1]).any():
            return False
        media = np.array([(0, 0), *self._media])
        last = np.searchsorted(media[:, 0], starts, side="right") - 1
        return bool((ends <= media[last, 1]).all())

    def _contains_fragment(self, body: int, body_end: int) -> bool:
        overlap = b""
        for offset in range(body, body_end, _PIECE_SIZE):
            piece = overlap + read_at(self._stream, offset, min(_PIECE_SIZE, body_end - offset))
            if b"tfhd" in piece:
                return True
            overlap = piece[-3:]
        return False


def _read_number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _count_samples(data: bytes, default_size: int) -> tuple[int, int]:
    """Return the number of a run's non-empty samples, and the bytes of all."""
    flags, count = _read_number(data[1:4]), _read_number(data[4:8])
    if not flags & _RUN_HAS_SIZES:
        return count if default_size else 0, count * default_size
    offset = 8 + sum(4 for flag in _RUN_HEADER_FIELDS if flags & flag)
    fields = [flag for flag in _RUN_SAMPLE_FIELDS if flags & flag]
    count = min(count, max(len(data) - offset, 0) // (4 * len(fields)))
    if not count:
        return 0, 0
    table = np.frombuffer(data, ">u4", count * len(fields), offset).reshape(count, -1)
    sizes = table[:, fields.index(_RUN_HAS_SIZES)]
    return int(np.count_nonzero(sizes)), int(sizes.sum(dtype=np.uint64))
