"""Find damage in Matroska and WebM files.

Functions here do not raise on broken input.
"""

from __future__ import annotations

import zlib
from typing import BinaryIO

from screener.media.files.chunks import MAX_CHUNKS, read_at
from screener.media.video.containers.file_reading import find_bodies
from screener.media.video.containers.matroska import (
    BLOCK_GROUP_ID,
    CHECKSUM_ID,
    CLUSTER_ID,
    SEGMENT_ID,
    TRACK_ENTRY_ID,
    TRACKS_ID,
    VOID_ID,
    read_elements,
    read_number,
)

_BLOCK_ID, _SIMPLE_BLOCK_ID = 0xA1, 0xA3
_TRACK_NUMBER_ID = 0xD7
_GLOBAL_IDS = {VOID_ID, CHECKSUM_ID}
# SeekHead, Info, Tracks, Cluster, Cues, Attachments, Chapters, Tags
_SEGMENT_CHILD_IDS = {
    0x114D9B74, 0x1549A966, TRACKS_ID, CLUSTER_ID, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367,
}  # fmt: skip
# Timestamp, SimpleBlock, BlockGroup, Position, PrevSize, SilentTracks, EncryptedBlock
_CLUSTER_CHILD_IDS = {0xE7, _SIMPLE_BLOCK_ID, BLOCK_GROUP_ID, 0xA7, 0xAB, 0x5854, 0xAF}

# The end given to an element of unknown size. In a segment, only clusters may be of unknown size.
_UNKNOWN_END = 1 << 62
_PIECE_SIZE = 1 << 20


def find_damage(stream: BinaryIO, size: int) -> str | None:
    """Return `undecodable` or `truncated` if a segment is damaged, else None."""
    for element_id, body, body_end in read_elements(stream, 0, size):
        if element_id == SEGMENT_ID and (
            reason := _find_segment_damage(stream, body, min(body_end, size))
        ):
            return reason
    return None


def _find_segment_damage(stream: BinaryIO, offset: int, end: int) -> str | None:
    """Return `undecodable` or `truncated` if a segment is damaged, else None.

    Each element must be allowed in its parent and end within it. The tracks of blocks must exist,
    and the checksums of tracks and clusters must be right.
    """
    allowed_ids, parent_end, track_numbers = _SEGMENT_CHILD_IDS, end, set[int]()
    for _ in range(MAX_CHUNKS):
        if offset >= parent_end:
            allowed_ids, parent_end = _SEGMENT_CHILD_IDS, end
        if offset >= end:
            return None
        elements = read_elements(stream, offset, _UNKNOWN_END)
        element_id, body, body_end = next(elements, (0, offset, offset))
        if (
            element_id in _SEGMENT_CHILD_IDS
            and allowed_ids is _CLUSTER_CHILD_IDS
            and parent_end == end
        ):
            allowed_ids = _SEGMENT_CHILD_IDS  # this element ends a cluster of unknown size
        if element_id not in allowed_ids and element_id not in _GLOBAL_IDS:
            return "undecodable"
        if element_id == CLUSTER_ID and body_end == _UNKNOWN_END:
            body_end = end
        elif body_end > parent_end:
            return "truncated" if parent_end == end and body_end != _UNKNOWN_END else "undecodable"
        elif element_id in (TRACKS_ID, CLUSTER_ID) and _has_wrong_checksum(stream, body, body_end):
            return "undecodable"
        if element_id == TRACKS_ID:
            track_numbers = _read_track_numbers(stream, body, body_end)
        elif track_numbers and not track_numbers.issuperset(
            _read_block_tracks(stream, element_id, body, body_end)
        ):
            return "undecodable"
        if element_id == CLUSTER_ID:
            allowed_ids, parent_end, body_end = _CLUSTER_CHILD_IDS, body_end, body
        offset = body_end
    return None


def _has_wrong_checksum(stream: BinaryIO, offset: int, end: int) -> bool:
    """Return whether the body from `offset` to `end` does not match its checksum, if it has one."""
    element_id, body, body_end = next(read_elements(stream, offset, end), (0, offset, offset))
    if element_id != CHECKSUM_ID:
        return False
    checksum = 0
    for start in range(body_end, end, _PIECE_SIZE):
        checksum = zlib.crc32(read_at(stream, start, min(_PIECE_SIZE, end - start)), checksum)
    return read_at(stream, body, min(body_end - body, 5)) != checksum.to_bytes(4, "little")


def _read_track_numbers(stream: BinaryIO, offset: int, end: int) -> set[int]:
    return {
        int.from_bytes(read_at(stream, start, min(body_end - start, 8)), "big")
        for start, body_end in find_bodies(
            read_elements, stream, offset, end, TRACK_ENTRY_ID, _TRACK_NUMBER_ID
        )
    }


def _read_block_tracks(stream: BinaryIO, element_id: int, body: int, body_end: int) -> list[int]:
    """Return the track number of a block or group, and nothing for other elements."""
    if element_id not in (BLOCK_GROUP_ID, _SIMPLE_BLOCK_ID):
        return []
    if element_id == BLOCK_GROUP_ID:
        blocks = find_bodies(read_elements, stream, body, body_end, _BLOCK_ID)
        body, _ = next(blocks, (body_end, body_end))
    return [read_number(read_at(stream, body, 8), keep_marker=False)[0]]
