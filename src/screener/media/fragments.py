"""Fragments: what those of an ISO file declare, of which FFmpeg leaves out what it does not make
sense of, and says nothing.

Nothing here raises on broken input. Streams are left where they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple

import numpy as np

from screener.media.containers import MOST, boxes, is_iso, kept, read

_WITHIN = {b"": (b"moov", b"moof"), b"moov": (b"mvex",), b"moof": (b"traf",)}
_LONGEST = 1 << 26  # bytes of a run that are read: four million samples
_PIECE = 1 << 20  # bytes that are searched at once

# Flags of the head of a track's part, of which each says that a field is there, and how long it is.
_BEFORE_SIZE = ((0x1, 8), (0x2, 4), (0x8, 4))
_HAS_SIZE = 0x10
# The same of a run: of its head, and of each sample.
_RUN_HEAD, _OF_SAMPLE, _OWN_SIZE = (0x1, 0x4), (0x100, 0x200, 0x400, 0x800), 0x200


class Fragments(NamedTuple):
    """What fragments declare: `samples` of each track, by its number in the file, without those
    of no bytes; `unlike` where media data stand behind the first fragment that none declares, all
    there are in the file are less than is declared, or a fragment is where none belongs.
    """

    samples: Counter[int]
    unlike: bool


def declared(stream: BinaryIO) -> Fragments:
    """What the fragments of a file declare; nothing where there are none, nor where the file has
    more boxes than are looked at.
    """
    sizes: dict[int, int] = {}  # of each sample of a track that has none of its own
    samples: Counter[int] = Counter()
    track = default = told = held = before = ends = 0
    begun = hidden = False
    with kept(stream) as size:
        if not is_iso(read(stream, 0, 12)):
            return Fragments(samples, unlike=False)
        found = _boxes(stream, size)
        for within, kind, body, after in islice(found, MOST):
            begun = begun or kind == b"moof"
            ends = ends if within else after
            if kind == b"trex":
                what = read(stream, body, 20)
                sizes[_number(what[4:8])] = _number(what[16:20])
            elif kind == b"traf":
                track = 0
            elif kind == b"tfhd":
                track, default = _head(read(stream, body, 40), sizes)
            elif kind == b"trun" and track in sizes:
                what = read(stream, body, min(after - body, _LONGEST))
                full, long = _run(what, default)
                samples[track] += full
                told += long
            elif kind == b"mdat" and begun:
                held += after - body
                hidden = hidden or within == b"moof"
            elif kind == b"mdat":
                before += after - body
            elif sizes and not within and kind != b"moof":
                hidden = hidden or _holds_fragment(stream, body, after)
        if not (begun or hidden) or next(found, None) is not None:
            return Fragments(Counter(), unlike=False)
        hidden = hidden or _holds_fragment(stream, ends, size)  # where the next box is none
        return Fragments(samples, unlike=hidden or not held <= told <= before + held)


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


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _head(told: bytes, sizes: dict[int, int]) -> tuple[int, int]:
    """The number of a track, and the size of each of its samples that tells none."""
    flags, track = _number(told[1:4]), _number(told[4:8])
    at = 8 + sum(long for flag, long in _BEFORE_SIZE if flags & flag)
    return track, _number(told[at : at + 4]) if flags & _HAS_SIZE else sizes.get(track, 0)


def _run(told: bytes, default: int) -> tuple[int, int]:
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


def _holds_fragment(stream: BinaryIO, body: int, after: int) -> bool:
    """Whether a fragment is there, where none belongs, as where a name or a length is damaged."""
    last = b""
    for at in range(body, after, _PIECE):
        piece = last + read(stream, at, min(_PIECE, after - at))
        if b"tfhd" in piece:
            return True
        last = piece[-3:]
    return False
