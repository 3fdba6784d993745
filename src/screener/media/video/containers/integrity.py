"""Whether the parts of a video's file follow one another to its end, as their lengths say.

Where some were overwritten, in a download of which a piece never came, say, FFmpeg looks for the
next part that it knows, or ends, and tells nothing: what was there is missing from what it gives.
Nothing here raises on broken input. Streams are left where they were.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from screener.media.files.chunks import MOST, read
from screener.media.files.sniff import MATROSKA
from screener.media.video.containers import fragments
from screener.media.video.containers.asf import Packets
from screener.media.video.containers.boxes import (
    CLUSTER,
    SEGMENT,
    TRACKS,
    elements,
    flv_end,
    kept,
    matroska_number,
)

# What a Matroska segment, and a cluster in it, hold: all names that there are.
_IN_SEGMENT = {
    0x114D9B74, 0x1549A966, TRACKS, CLUSTER, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367,
}  # fmt: skip
_IN_CLUSTER = {0xE7, 0xA3, 0xA0, 0xA7, 0xAB, 0x5854, 0xAF}
_NO_END = 1 << 62  # of an element of unknown size, which none but a cluster may be
_CHECKSUM = 0xBF  # of what stands behind it in the same element
_ANYWHERE = {0xEC, _CHECKSUM}  # the other is space that is left free
_PIECE = 1 << 20  # bytes that are read at once
_TRACK, _TRACK_NUMBER = 0xAE, 0xD7
_GROUP, _BLOCK = 0xA0, 0xA1
_WITH_DATA = {_GROUP, 0xA3}  # in a cluster: a group, which has a block, and a block alone

# Objects of an ASF file, by the identifiers at their starts.
ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FACTS = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_ASF_PACKET = 0x82  # the first byte of its packets, as all known writers have it
_ASF_TOGETHER = 1000  # packets read at once

# Of a page of an Ogg file: how long its head is at the least and at most, flags in it, and where
# its checksum is, which is zip's of mirrored bits, but that it starts with nothing.
_OGG_HEAD, _OGG_TABLE, _OGG_LAST = 27, 255, 4
_OGG_SUM = slice(22, 26)
_MIRRORED = bytes(int(f"{one:08b}"[::-1], 2) for one in range(256))
_NOTHING = 0xFFFFFFFF


def broken(stream: BinaryIO) -> str | None:
    """A reason, where the parts of a Matroska, AVI, FLV, ASF or Ogg file, or the fragments of an
    MP4, do not follow one another to its end: `undecodable` where some have been overwritten, which
    FFmpeg goes on behind, or ends at, and says nothing; `truncated` where one reaches beyond the
    file, which `ended_early` does not tell of ASF, of Ogg, nor of a Matroska file whose length is
    not known.
    """
    with kept(stream) as size:
        head = read(stream, 0, 4)
        if head[:3] == b"FLV":
            return "undecodable" if flv_end(stream) is None else None
        if head == b"RIFF":
            return "undecodable" if _broken_riff(stream, size) else None
        if head == ASF_HEADER[:4]:
            return _broken_asf(stream, size)
        if head == b"OggS":
            return _broken_ogg(stream, size)
        if head != MATROSKA:
            return "undecodable" if fragments.declared(stream).unlike else None
        for name, body, after in elements(stream, 0, size):
            if name == SEGMENT and (reason := _broken_segment(stream, body, min(after, size))):
                return reason
    return None


def _broken_segment(stream: BinaryIO, at: int, end: int) -> str | None:
    """A reason, where something else than the elements of a segment, and of its clusters, is met,
    one that reaches beyond it, data of a track that there is not, or tracks or a cluster that have
    not the checksum that they tell.
    """
    within, until, tracks = _IN_SEGMENT, end, set[int]()
    for _ in range(MOST):
        if at >= until:
            within, until = _IN_SEGMENT, end
        if at >= end:
            return None
        name, body, after = next(elements(stream, at, _NO_END), (0, at, at))
        if name in _IN_SEGMENT and within is _IN_CLUSTER and until == end:
            within = _IN_SEGMENT  # behind a cluster of unknown size
        if name not in within and name not in _ANYWHERE:
            return "undecodable"
        if name == CLUSTER and after == _NO_END:
            after = end
        elif after > until:
            return "truncated" if until == end and after != _NO_END else "undecodable"
        elif name in (TRACKS, CLUSTER) and not _has_checksum(stream, body, after):
            return "undecodable"
        if name == TRACKS:
            tracks = _track_numbers(stream, body, after)
        elif tracks and name in _WITH_DATA and _track_of(stream, name, body, after) not in tracks:
            return "undecodable"
        if name == CLUSTER:
            within, until, after = _IN_CLUSTER, after, body
        at = after
    return None


def _has_checksum(stream: BinaryIO, at: int, end: int) -> bool:
    """Whether an element has the checksum that it tells, which is zip's, if it tells one."""
    name, body, after = next(elements(stream, at, end), (0, at, at))
    if name != _CHECKSUM:
        return True
    found = 0
    for place in range(after, end, _PIECE):
        found = zlib.crc32(read(stream, place, min(_PIECE, end - place)), found)
    return read(stream, body, min(after - body, 5)) == found.to_bytes(4, "little")


def _track_numbers(stream: BinaryIO, at: int, end: int) -> set[int]:
    return {
        int.from_bytes(read(stream, body, min(after - body, 8)), "big")
        for track, start, until in elements(stream, at, end)
        if track == _TRACK
        for name, body, after in elements(stream, start, min(until, end))
        if name == _TRACK_NUMBER
    }


def _track_of(stream: BinaryIO, name: int, body: int, after: int) -> int:
    """The number of the track that data in a cluster are of; 0 where there are none."""
    if name == _GROUP:
        blocks = (body for inner, body, _ in elements(stream, body, after) if inner == _BLOCK)
        body = next(blocks, after)
    return matroska_number(read(stream, body, 8), marked=False)[0]


def _broken_riff(stream: BinaryIO, size: int) -> bool:
    """Whether something else than chunks is met before the end of the last RIFF."""
    return None in _riff_chunks(stream, size)


def _riff_chunks(stream: BinaryIO, size: int) -> Iterator[tuple[bytes, int] | None]:
    """The name and length of each chunk up to the end of the last RIFF; None, and no more, where
    something else is met.
    """
    at = until = 0
    for _ in range(MOST):
        head = read(stream, at, 12)
        name, length = head[:4], int.from_bytes(head[4:8], "little")
        if at >= until and name != b"RIFF":
            return  # nothing is left, or what stands behind is none of it
        if len(head) < 8 or not all(0x20 <= letter < 0x7F for letter in name):
            yield None
            return
        if name == b"RIFF":
            until = min(at + 8 + length, size)
        if name == b"RIFF" or (name == b"LIST" and head[8:] in (b"movi", b"rec ")):
            at += 12
        elif at + 8 + length > size:
            yield None
            return
        else:
            yield name, length
            at += 8 + length + length % 2


def frames_of_avi(stream: BinaryIO, track: int) -> int:
    """How many frames an AVI has of a track, as far as its chunks follow one another, without those
    of no bytes.
    """
    names = [b"%02d%s" % (track, kind) for kind in (b"dc", b"db")]
    with kept(stream) as size:
        chunks = filter(None, _riff_chunks(stream, size))
        return sum(name in names and length > 0 for name, length in chunks)


def _broken_ogg(stream: BinaryIO, size: int) -> str | None:
    """A reason, where a page has not the checksum that it tells, those of a track are not numbered
    one after the other, or its last one is not there.
    """
    at, numbers = 0, dict[bytes, int]()  # of the tracks that have not ended
    for _ in range(MOST):
        if at >= size:
            return "truncated" if numbers else None
        head = read(stream, at, _OGG_HEAD + _OGG_TABLE)
        if head[:4] != b"OggS" or len(head) < _OGG_HEAD:
            return "undecodable" if numbers else None  # behind the end, it is none of it
        track, number = head[14:18], int.from_bytes(head[18:22], "little")
        if number != numbers.get(track, number - 1) + 1:
            return "undecodable"
        numbers[track] = number
        if head[5] & _OGG_LAST:
            del numbers[track]
        table = head[_OGG_HEAD : _OGG_HEAD + head[26]]
        page = bytearray(read(stream, at, _OGG_HEAD + len(table) + sum(table)))
        at += _OGG_HEAD + len(table) + sum(table)
        if at > size:
            return "truncated"
        page[_OGG_SUM] = bytes(4)
        checksum = zlib.crc32(page.translate(_MIRRORED), _NOTHING) ^ _NOTHING
        if checksum.to_bytes(4, "big").translate(_MIRRORED) != head[_OGG_SUM]:
            return "undecodable"
    return None


def _broken_asf(stream: BinaryIO, size: int) -> str | None:
    """A reason, where its packets, all of one size, do not begin as the first one does, or hold
    parts of frames that are not whole.
    """
    objects = dict(asf_objects(stream, 0, size))
    header, data = objects.get(ASF_HEADER), objects.get(ASF_DATA)
    if header is None or data is None:
        return None
    facts = dict(asf_objects(stream, header[0] + 6, min(header[1], size))).get(_ASF_FACTS)
    if facts is None:
        return None
    least, most = (int.from_bytes(read(stream, facts[0] + at, 4), "little") for at in (68, 72))
    at, end = data[0] + 26, min(data[1], size)
    if not most:
        return None
    if least != most:
        return "undecodable"
    packets, starts, left = Packets(), set[int](), MOST
    while (count := min((end - at) // most, _ASF_TOGETHER, left)) > 0:
        piece = read(stream, at, count * most)
        at, left = at + count * most, left - count
        starts.update(piece[::most])
        if _ASF_PACKET not in starts:
            return None  # of a kind that is not known
        whole = (packets.are_whole(piece[one : one + most]) for one in range(0, len(piece), most))
        if len(starts) > 1 or not all(whole):
            return "undecodable"
    return "truncated" if data[1] > size else None


def asf_objects(stream: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """The objects of an ASF file from `at`: identifier, where the body starts, where it ends. That
    of packets whose size is not known ends with the file.
    """
    for _ in range(MOST):
        if at + 24 > end:
            return
        head = read(stream, at, 24)
        length = int.from_bytes(head[16:], "little")
        if head[:16] == ASF_DATA and length < 50:
            length = end - at
        if length < 24:
            return
        yield head[:16], (at + 24, at + length)
        at += length
