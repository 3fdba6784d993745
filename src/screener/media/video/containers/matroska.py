"""Matroska and WebM files: the EBML elements that they are made of, tracks, damage.

Nothing here raises on broken input.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from screener.media.files.chunks import MOST, read
from screener.media.files.sniff import MATROSKA
from screener.media.video.containers.file_reading import bodies, position_restored

Sides = tuple[int, int, int, int]
"""Pixels at the top, right, bottom and left."""

SEGMENT = 0x18538067
ATTACHED_FILES = (SEGMENT, 0x1941A469, 0x61A7)  # Segment, Attachments, AttachedFile
FILE_DATA = 0x465C
_TRACKS, _CLUSTER = 0x1654AE6B, 0x1F43B675
_TRACK, _VIDEO = 0xAE, 0xE0
_ENCRYPTION = (_TRACK, 0x6D80, 0x6240, 0x5035)  # in Tracks; ContentEncodings and so on
_NUMBER, _KIND, _CODEC = 0xD7, 0x83, 0x86  # of a track
_ALPHA, _CROP = 0x53C0, (0x54BB, 0x54DD, 0x54AA, 0x54CC)  # of Video
_GROUP, _BLOCK, _SIMPLE_BLOCK = 0xA0, 0xA1, 0xA3
_ADDITIONS = 0x75A1  # to a block, such as its alpha channel
_HEAD, _VOID, _CHECKSUM = 0x1A45DFA3, 0xEC, 0xBF

_TOP_LEVEL = {_HEAD, SEGMENT, _VOID, _CHECKSUM}
_IN_SEGMENT = {
    0x114D9B74, 0x1549A966, _TRACKS, _CLUSTER, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367,
}  # fmt: skip
_IN_CLUSTER = {0xE7, _SIMPLE_BLOCK, _GROUP, 0xA7, 0xAB, 0x5854, 0xAF}
_ANYWHERE = {_VOID, _CHECKSUM}

_VIDEO_TRACK = 1  # a kind of track
_LONGEST = 64  # bytes of a value that are read
_NO_END = 1 << 62  # of an element of unknown size, which only a cluster may have
_PIECE = 1 << 20  # bytes read at once


class Track(NamedTuple):
    """A track: its kind, codec, whether it declares an alpha channel, what players crop."""

    kind: int
    codec: bytes
    alpha: bool
    crop: Sides


def number(data: bytes, *, marked: bool) -> tuple[int, int]:
    """Return the number at the start of `data` and its length; (0, 0) if there is none.

    An identifier keeps the bit that marks its length (`marked`); a size does not.
    """
    if not data or not data[0]:
        return 0, 0
    length = 9 - data[0].bit_length()
    if len(data) < length:
        return 0, 0
    value = int.from_bytes(data[:length], "big")
    return (value if marked else value & (1 << 7 * length) - 1), length


def elements(
    stream: BinaryIO, at: int, end: int, into: frozenset[int] = frozenset()
) -> Iterator[tuple[int, int, int]]:
    """Yield the elements from `at`: identifier, start and end of the body.

    An element of unknown size ends at `end`; a declared end may lie beyond it. Those named in
    `into` are followed by their children.
    """
    for _ in range(MOST):
        if at >= end:
            return
        head = read(stream, at, 12)
        name, long = number(head, marked=True)
        size, wide = number(head[long:], marked=False)
        if not long or not wide:
            return
        body = at + long + wide
        after = end if size == (1 << 7 * wide) - 1 else body + size
        yield name, body, after
        at = body if name in into else after


def file_ends(stream: BinaryIO, size: int) -> Iterator[int]:
    """Yield the end of each element that belongs to the file."""
    for name, _, after in elements(stream, 0, size):
        if name not in _TOP_LEVEL:
            return
        yield after


def is_cut_short(stream: BinaryIO, size: int) -> bool:
    """Return whether an element declares an end beyond the file's."""
    return any(after > size for _, _, after in elements(stream, 0, size))


def encrypted(stream: BinaryIO, size: int) -> bool:
    """Return whether a track is encrypted, by the tracks before the first cluster."""
    for segment in bodies(elements, stream, 0, size, SEGMENT):
        for name, body, after in elements(stream, *segment):
            if name == _CLUSTER:
                break
            if name == _TRACKS and any(
                bodies(elements, stream, body, min(after, segment[1]), *_ENCRYPTION)
            ):
                return True
        return False  # later segments are not played
    return False


def tracks(stream: BinaryIO) -> list[Track]:
    """Return the tracks of a Matroska or WebM file; none of another."""
    with position_restored(stream) as size:
        if read(stream, 0, 4) != MATROSKA:
            return []
        spans = bodies(elements, stream, 0, size, SEGMENT, _TRACKS, _TRACK)
        return [_read_track(stream, *span) for span in spans]


def video_tracks(stream: BinaryIO) -> list[Track]:
    """Return the video tracks, in FFmpeg's order."""
    return [track for track in tracks(stream) if track.kind == _VIDEO_TRACK]


def alpha_and_crop(
    stream: BinaryIO, track: int, width: int, height: int
) -> tuple[bool, Sides | None]:
    """Return whether a video track has an alpha channel, and the `Sides` that players crop.

    `width` and `height` are the stored size; a crop of nothing or of everything is None. The alpha
    channel must be declared and some block have additions, since Chromium declares one of all that
    it records.
    """
    videos = video_tracks(stream)
    if track >= len(videos):
        return False, None
    top, right, bottom, left = crop = videos[track].crop
    leaves = top + bottom < height and left + right < width
    alpha = videos[track].alpha and _has_additions(stream)
    return alpha, crop if any(crop) and leaves else None


def _read_track(stream: BinaryIO, at: int, end: int) -> Track:
    fields = _values(stream, at, end)
    video: dict[int, bytes] = {}
    for span in bodies(elements, stream, at, end, _VIDEO):
        video = _values(stream, *span)
    top, right, bottom, left = (int.from_bytes(video.get(name, b""), "big") for name in _CROP)
    return Track(
        int.from_bytes(fields.get(_KIND, b""), "big"),
        fields.get(_CODEC, b""),
        any(video.get(_ALPHA, b"")),
        (top, right, bottom, left),
    )


def _values(stream: BinaryIO, at: int, end: int) -> dict[int, bytes]:
    wanted = {_KIND, _CODEC, _ALPHA, *_CROP}
    return {
        name: read(stream, body, min(after - body, _LONGEST))
        for name, body, after in elements(stream, at, end)
        if name in wanted
    }


def _has_additions(stream: BinaryIO) -> bool:
    """Return whether a block has additions, or damage hides whether one has.

    Clusters of unknown size end where the next begins, so all levels are read as one.
    """
    last, nested = 0, frozenset({SEGMENT, _CLUSTER, _GROUP})
    with position_restored(stream) as size:
        for name, body, after in elements(stream, 0, size, nested):
            if name == _ADDITIONS:
                return True
            last = body if name in nested else after
        return last < size


def damage(stream: BinaryIO, size: int) -> str | None:
    """Return `undecodable` or `truncated` if a segment is damaged; else None."""
    for name, body, after in elements(stream, 0, size):
        if name == SEGMENT and (reason := _segment_damage(stream, body, min(after, size))):
            return reason
    return None


def _segment_damage(stream: BinaryIO, at: int, end: int) -> str | None:
    """Return `undecodable` or `truncated` if a segment is damaged; else None.

    Checked: that each element may be where it is and ends within its parent, that the tracks of
    blocks exist, and the checksums of tracks and clusters.
    """
    allowed, until, declared = _IN_SEGMENT, end, set[int]()
    for _ in range(MOST):
        if at >= until:
            allowed, until = _IN_SEGMENT, end
        if at >= end:
            return None
        name, body, after = next(elements(stream, at, _NO_END), (0, at, at))
        if name in _IN_SEGMENT and allowed is _IN_CLUSTER and until == end:
            allowed = _IN_SEGMENT  # it ends a cluster of unknown size
        if name not in allowed and name not in _ANYWHERE:
            return "undecodable"
        if name == _CLUSTER and after == _NO_END:
            after = end
        elif after > until:
            return "truncated" if until == end and after != _NO_END else "undecodable"
        elif name in (_TRACKS, _CLUSTER) and not _checksum_fits(stream, body, after):
            return "undecodable"
        if name == _TRACKS:
            declared = _track_numbers(stream, body, after)
        elif declared and not declared.issuperset(_block_tracks(stream, name, body, after)):
            return "undecodable"
        if name == _CLUSTER:
            allowed, until, after = _IN_CLUSTER, after, body
        at = after
    return None


def _checksum_fits(stream: BinaryIO, at: int, end: int) -> bool:
    """Return whether the body from `at` to `end` has no checksum, or the right one."""
    name, body, after = next(elements(stream, at, end), (0, at, at))
    if name != _CHECKSUM:
        return True
    checksum = 0
    for place in range(after, end, _PIECE):
        checksum = zlib.crc32(read(stream, place, min(_PIECE, end - place)), checksum)
    return read(stream, body, min(after - body, 5)) == checksum.to_bytes(4, "little")


def _track_numbers(stream: BinaryIO, at: int, end: int) -> set[int]:
    return {
        int.from_bytes(read(stream, start, min(after - start, 8)), "big")
        for start, after in bodies(elements, stream, at, end, _TRACK, _NUMBER)
    }


def _block_tracks(stream: BinaryIO, name: int, body: int, after: int) -> list[int]:
    """Return the track number of a block or group, 0 if it has none; nothing for other elements."""
    if name not in (_GROUP, _SIMPLE_BLOCK):
        return []
    if name == _GROUP:
        body, _ = next(bodies(elements, stream, body, after, _BLOCK), (after, after))
    return [number(read(stream, body, 8), marked=False)[0]]
