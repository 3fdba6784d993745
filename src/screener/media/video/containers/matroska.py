"""Read the EBML elements of Matroska and WebM files: tracks and attachments.

Functions here do not raise on broken input.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from screener.media.files.chunks import MAX_CHUNKS, read_at
from screener.media.files.sniff import MATROSKA_SIGNATURE
from screener.media.video.containers.file_reading import find_bodies, restore_position

Sides = tuple[int, int, int, int]
"""Pixels at the top, right, bottom and left."""

SEGMENT_ID = 0x18538067
ATTACHED_FILES_PATH = (SEGMENT_ID, 0x1941A469, 0x61A7)  # Segment, Attachments, AttachedFile
FILE_DATA_ID = 0x465C
TRACKS_ID, CLUSTER_ID = 0x1654AE6B, 0x1F43B675
TRACK_ENTRY_ID, _VIDEO_ID = 0xAE, 0xE0
# From Tracks: TrackEntry, ContentEncodings, ContentEncoding, ContentEncryption.
_ENCRYPTION_PATH = (TRACK_ENTRY_ID, 0x6D80, 0x6240, 0x5035)
_TYPE_ID, _CODEC_ID = 0x83, 0x86  # children of a TrackEntry
_ALPHA_ID, _CROP_IDS = 0x53C0, (0x54BB, 0x54DD, 0x54AA, 0x54CC)  # children of Video
BLOCK_GROUP_ID = 0xA0
_ADDITIONS_ID = 0x75A1  # a block's additions, such as an alpha channel
_HEADER_ID, VOID_ID, CHECKSUM_ID = 0x1A45DFA3, 0xEC, 0xBF

_TOP_LEVEL_IDS = {_HEADER_ID, SEGMENT_ID, VOID_ID, CHECKSUM_ID}

_VIDEO_TYPE = 1  # TrackType of video
_MAX_VALUE_SIZE = 64  # bytes


class Track(NamedTuple):
    """A track: whether it declares an alpha channel, and the `crop` that players remove."""

    type: int
    codec: bytes
    alpha: bool
    crop: Sides


def read_number(data: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """Return the number at the start of `data` and its length, or (0, 0).

    `keep_marker`: include the bit that marks the length, as in an identifier but not in a size.
    """
    if not data or not data[0]:
        return 0, 0
    length = 9 - data[0].bit_length()
    if len(data) < length:
        return 0, 0
    value = int.from_bytes(data[:length], "big")
    return (value if keep_marker else value & (1 << 7 * length) - 1), length


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
        element_id, id_length = read_number(header, keep_marker=True)
        size, size_length = read_number(header[id_length:], keep_marker=False)
        if not id_length or not size_length:
            return
        body = offset + id_length + size_length
        body_end = end if size == (1 << 7 * size_length) - 1 else body + size
        yield element_id, body, body_end
        offset = body if element_id in nested_ids else body_end


def find_element_ends(stream: BinaryIO, size: int) -> Iterator[int]:
    """Yield the end of each element that belongs to the file."""
    for element_id, _, body_end in read_elements(stream, 0, size):
        if element_id not in _TOP_LEVEL_IDS:
            return
        yield body_end


def is_cut_short(stream: BinaryIO, size: int) -> bool:
    """Return whether an element declares an end past the file's."""
    return any(body_end > size for _, _, body_end in read_elements(stream, 0, size))


def is_encrypted(stream: BinaryIO, size: int) -> bool:
    """Return whether a track listed before the first cluster is encrypted."""
    for segment in find_bodies(read_elements, stream, 0, size, SEGMENT_ID):
        for element_id, body, body_end in read_elements(stream, *segment):
            if element_id == CLUSTER_ID:
                break
            if element_id == TRACKS_ID:
                end = min(body_end, segment[1])
                if any(find_bodies(read_elements, stream, body, end, *_ENCRYPTION_PATH)):
                    return True
        return False  # later segments are not played
    return False


def read_tracks(stream: BinaryIO) -> list[Track]:
    """Return the tracks of a Matroska or WebM file; none for other formats."""
    with restore_position(stream) as size:
        if read_at(stream, 0, 4) != MATROSKA_SIGNATURE:
            return []
        spans = find_bodies(read_elements, stream, 0, size, SEGMENT_ID, TRACKS_ID, TRACK_ENTRY_ID)
        return [_read_track(stream, *span) for span in spans]


def read_video_tracks(stream: BinaryIO) -> list[Track]:
    """Return the video tracks, in FFmpeg's order."""
    return [track for track in read_tracks(stream) if track.type == _VIDEO_TYPE]


def read_alpha_and_crop(
    stream: BinaryIO, track_index: int, width: int, height: int
) -> tuple[bool, Sides | None]:
    """Return whether a video track has an alpha channel, and the `Sides` that players crop.

    `width` and `height` are the stored size. The crop is None if it removes nothing or everything.
    The alpha channel must be declared, and a block must have additions, since Chromium declares an
    alpha channel for everything that it records.
    """
    videos = read_video_tracks(stream)
    if track_index >= len(videos):
        return False, None
    top, right, bottom, left = crop = videos[track_index].crop
    leaves_pixels = top + bottom < height and left + right < width
    alpha = videos[track_index].alpha and _has_additions(stream)
    return alpha, crop if any(crop) and leaves_pixels else None


def _read_track(stream: BinaryIO, offset: int, end: int) -> Track:
    fields = _read_values(stream, offset, end)
    video: dict[int, bytes] = {}
    for span in find_bodies(read_elements, stream, offset, end, _VIDEO_ID):
        video = _read_values(stream, *span)
    top, right, bottom, left = (
        int.from_bytes(video.get(element_id, b""), "big") for element_id in _CROP_IDS
    )
    return Track(
        int.from_bytes(fields.get(_TYPE_ID, b""), "big"),
        fields.get(_CODEC_ID, b""),
        any(video.get(_ALPHA_ID, b"")),
        (top, right, bottom, left),
    )


def _read_values(stream: BinaryIO, offset: int, end: int) -> dict[int, bytes]:
    element_ids = {_TYPE_ID, _CODEC_ID, _ALPHA_ID, *_CROP_IDS}
    return {
        element_id: read_at(stream, body, min(body_end - body, _MAX_VALUE_SIZE))
        for element_id, body, body_end in read_elements(stream, offset, end)
        if element_id in element_ids
    }


def _has_additions(stream: BinaryIO) -> bool:
    """Return whether a block has additions, or damage prevents finding out.

    A cluster of unknown size ends where the next one begins, so the elements of all levels are
    read as one sequence.
    """
    reached, nested = 0, frozenset({SEGMENT_ID, CLUSTER_ID, BLOCK_GROUP_ID})
    with restore_position(stream) as size:
        for element_id, body, body_end in read_elements(stream, 0, size, nested):
            if element_id == _ADDITIONS_ID:
                return True
            reached = body if element_id in nested else body_end
        return reached < size
