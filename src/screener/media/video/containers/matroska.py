"""Read the EBML elements of Matroska and WebM files: tracks, attachments, damage.

Nothing raises on broken input.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from screener.media.files.chunks import MAX_CHUNKS, read_at
from screener.media.files.sniff import MATROSKA
from screener.media.video.containers.file_reading import find_bodies, restore_position

Sides = tuple[int, int, int, int]
"""Pixels at the top, right, bottom and left."""

SEGMENT_ID = 0x18538067
ATTACHED_FILES_PATH = (SEGMENT_ID, 0x1941A469, 0x61A7)  # Segment, Attachments, AttachedFile
FILE_DATA_ID = 0x465C
_TRACKS_ID, _CLUSTER_ID = 0x1654AE6B, 0x1F43B675
_TRACK_ID, _VIDEO_ID = 0xAE, 0xE0
_ENCRYPTION_PATH = (_TRACK_ID, 0x6D80, 0x6240, 0x5035)  # in Tracks; ContentEncodings and so on
_NUMBER_ID, _TYPE_ID, _CODEC_ID = 0xD7, 0x83, 0x86  # in a track
_ALPHA_ID, _CROP_IDS = 0x53C0, (0x54BB, 0x54DD, 0x54AA, 0x54CC)  # in Video
_GROUP_ID, _BLOCK_ID, _SIMPLE_BLOCK_ID = 0xA0, 0xA1, 0xA3
_ADDITIONS_ID = 0x75A1  # a block's additions, such as an alpha channel
_HEADER_ID, _VOID_ID, _CHECKSUM_ID = 0x1A45DFA3, 0xEC, 0xBF

_TOP_LEVEL_IDS = {_HEADER_ID, SEGMENT_ID, _VOID_ID, _CHECKSUM_ID}
_SEGMENT_CHILD_IDS = {
    0x114D9B74, 0x1549A966, _TRACKS_ID, _CLUSTER_ID, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367,
}  # fmt: skip
_CLUSTER_CHILD_IDS = {0xE7, _SIMPLE_BLOCK_ID, _GROUP_ID, 0xA7, 0xAB, 0x5854, 0xAF}
_GLOBAL_IDS = {_VOID_ID, _CHECKSUM_ID}

_VIDEO_TYPE = 1  # a type of track
_MAX_VALUE_SIZE = 64  # bytes
_UNKNOWN_END = 1 << 62  # of an element of unknown size; in a segment, only a cluster may have none
_PIECE_SIZE = 1 << 20


class Track(NamedTuple):
    """A track; `alpha` is true if it declares an alpha channel, and players crop `crop`."""

    type: int
    codec: bytes
    alpha: bool
    crop: Sides


def read_number(data: bytes, *, marked: bool) -> tuple[int, int]:
    """Return the number at the start of `data` and its length, or (0, 0).

    `marked`: include the bit that marks the length, as in an identifier but not in a size.
    """
    if not data or not data[0]:
        return 0, 0
    length = 9 - data[0].bit_length()
    if len(data) < length:
        return 0, 0
    value = int.from_bytes(data[:length], "big")
    return (value if marked else value & (1 << 7 * length) - 1), length


def read_elements(
    stream: BinaryIO, offset: int, end: int, nested_ids: frozenset[int] = frozenset()
) -> Iterator[tuple[int, int, int]]:
    """Yield the elements from `offset`: identifier, start and end of the body.

    An element of unknown size ends at `end`; a declared end may lie past it. Elements named in
    `nested_ids` are followed by their children.
    """
    for _ in range(MAX_CHUNKS):
        if offset >= end:
            return
        header = read_at(stream, offset, 12)
        name, name_size = read_number(header, marked=True)
        size, size_size = read_number(header[name_size:], marked=False)
        if not name_size or not size_size:
            return
        body = offset + name_size + size_size
        body_end = end if size == (1 << 7 * size_size) - 1 else body + size
        yield name, body, body_end
        offset = body if name in nested_ids else body_end


def find_element_ends(stream: BinaryIO, size: int) -> Iterator[int]:
    """Yield the end of each element that belongs to the file."""
    for name, _, body_end in read_elements(stream, 0, size):
        if name not in _TOP_LEVEL_IDS:
            return
        yield body_end


def is_cut_short(stream: BinaryIO, size: int) -> bool:
    """Return whether an element declares an end past the file's."""
    return any(body_end > size for _, _, body_end in read_elements(stream, 0, size))


def is_encrypted(stream: BinaryIO, size: int) -> bool:
    """Return whether a track is encrypted, by the tracks before the first cluster."""
    for segment in find_bodies(read_elements, stream, 0, size, SEGMENT_ID):
        for name, body, body_end in read_elements(stream, *segment):
            if name == _CLUSTER_ID:
                break
            if name == _TRACKS_ID:
                end = min(body_end, segment[1])
                if any(find_bodies(read_elements, stream, body, end, *_ENCRYPTION_PATH)):
                    return True
        return False  # later segments are not played
    return False


def read_tracks(stream: BinaryIO) -> list[Track]:
    """Return the tracks of a Matroska or WebM file; none for other formats."""
    with restore_position(stream) as size:
        if read_at(stream, 0, 4) != MATROSKA:
            return []
        spans = find_bodies(read_elements, stream, 0, size, SEGMENT_ID, _TRACKS_ID, _TRACK_ID)
        return [_read_track(stream, *span) for span in spans]


def read_video_tracks(stream: BinaryIO) -> list[Track]:
    """Return the video tracks, in FFmpeg's order."""
    return [track for track in read_tracks(stream) if track.type == _VIDEO_TYPE]


def read_alpha_and_crop(
    stream: BinaryIO, track: int, width: int, height: int
) -> tuple[bool, Sides | None]:
    """Return whether a video track has an alpha channel, and the `Sides` that players crop.

    `width` and `height` are the stored size. The crop is None if it removes nothing or everything.
    The alpha channel must be declared, and a block must have additions, since Chromium declares an
    alpha channel for everything that it records.
    """
    videos = read_video_tracks(stream)
    if track >= len(videos):
        return False, None
    top, right, bottom, left = crop = videos[track].crop
    leaves_pixels = top + bottom < height and left + right < width
    alpha = videos[track].alpha and _has_additions(stream)
    return alpha, crop if any(crop) and leaves_pixels else None


def _read_track(stream: BinaryIO, offset: int, end: int) -> Track:
    fields = _read_values(stream, offset, end)
    video: dict[int, bytes] = {}
    for span in find_bodies(read_elements, stream, offset, end, _VIDEO_ID):
        video = _read_values(stream, *span)
    top, right, bottom, left = (int.from_bytes(video.get(name, b""), "big") for name in _CROP_IDS)
    return Track(
        int.from_bytes(fields.get(_TYPE_ID, b""), "big"),
        fields.get(_CODEC_ID, b""),
        any(video.get(_ALPHA_ID, b"")),
        (top, right, bottom, left),
    )


def _read_values(stream: BinaryIO, offset: int, end: int) -> dict[int, bytes]:
    names = {_TYPE_ID, _CODEC_ID, _ALPHA_ID, *_CROP_IDS}
    return {
        name: read_at(stream, body, min(body_end - body, _MAX_VALUE_SIZE))
        for name, body, body_end in read_elements(stream, offset, end)
        if name in names
    }


def _has_additions(stream: BinaryIO) -> bool:
    """Return whether a block has additions, or damage prevents finding out.

    Clusters of unknown size end where the next begins, so all levels are read as one.
    """
    last, nested = 0, frozenset({SEGMENT_ID, _CLUSTER_ID, _GROUP_ID})
    with restore_position(stream) as size:
        for name, body, body_end in read_elements(stream, 0, size, nested):
            if name == _ADDITIONS_ID:
                return True
            last = body if name in nested else body_end
        return last < size


def find_damage(stream: BinaryIO, size: int) -> str | None:
    """Return `undecodable` or `truncated` if a segment is damaged, else None."""
    for name, body, body_end in read_elements(stream, 0, size):
        if name == SEGMENT_ID and (
            reason := _find_segment_damage(stream, body, min(body_end, size))
        ):
            return reason
    return None


def _find_segment_damage(stream: BinaryIO, offset: int, end: int) -> str | None:
    """Return `undecodable` or `truncated` if a segment is damaged, else None.

    Each element must be allowed in its parent and end within it. The tracks of blocks must exist,
    and the checksums of tracks and clusters must be right.
    """
    allowed, parent_end, track_numbers = _SEGMENT_CHILD_IDS, end, set[int]()
    for _ in range(MAX_CHUNKS):
        if offset >= parent_end:
            allowed, parent_end = _SEGMENT_CHILD_IDS, end
        if offset >= end:
            return None
        elements = read_elements(stream, offset, _UNKNOWN_END)
        name, body, body_end = next(elements, (0, offset, offset))
        if name in _SEGMENT_CHILD_IDS and allowed is _CLUSTER_CHILD_IDS and parent_end == end:
            allowed = _SEGMENT_CHILD_IDS  # it ends a cluster of unknown size
        if name not in allowed and name not in _GLOBAL_IDS:
            return "undecodable"
        if name == _CLUSTER_ID and body_end == _UNKNOWN_END:
            body_end = end
        elif body_end > parent_end:
            return "truncated" if parent_end == end and body_end != _UNKNOWN_END else "undecodable"
        elif name in (_TRACKS_ID, _CLUSTER_ID) and not _checksum_fits(stream, body, body_end):
            return "undecodable"
        if name == _TRACKS_ID:
            track_numbers = _read_track_numbers(stream, body, body_end)
        elif track_numbers and not track_numbers.issuperset(
            _read_block_tracks(stream, name, body, body_end)
        ):
            return "undecodable"
        if name == _CLUSTER_ID:
            allowed, parent_end, body_end = _CLUSTER_CHILD_IDS, body_end, body
        offset = body_end
    return None


def _checksum_fits(stream: BinaryIO, offset: int, end: int) -> bool:
    """Return whether the body from `offset` to `end` has no checksum or the right one."""
    name, body, body_end = next(read_elements(stream, offset, end), (0, offset, offset))
    if name != _CHECKSUM_ID:
        return True
    checksum = 0
    for start in range(body_end, end, _PIECE_SIZE):
        checksum = zlib.crc32(read_at(stream, start, min(_PIECE_SIZE, end - start)), checksum)
    return read_at(stream, body, min(body_end - body, 5)) == checksum.to_bytes(4, "little")


def _read_track_numbers(stream: BinaryIO, offset: int, end: int) -> set[int]:
    return {
        int.from_bytes(read_at(stream, start, min(body_end - start, 8)), "big")
        for start, body_end in find_bodies(
            read_elements, stream, offset, end, _TRACK_ID, _NUMBER_ID
        )
    }


def _read_block_tracks(stream: BinaryIO, name: int, body: int, body_end: int) -> list[int]:
    """Return the track number of a block or group, and nothing for other elements."""
    if name not in (_GROUP_ID, _SIMPLE_BLOCK_ID):
        return []
    if name == _GROUP_ID:
        blocks = find_bodies(read_elements, stream, body, body_end, _BLOCK_ID)
        body, _ = next(blocks, (body_end, body_end))
    return [read_number(read_at(stream, body, 8), marked=False)[0]]
