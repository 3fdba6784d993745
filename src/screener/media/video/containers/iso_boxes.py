"""Read the boxes of ISO files (MP4, QuickTime, 3GP): tracks, codecs, fragments.

Functions here do not raise on broken input. Callers use `restore_position`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from screener.media.files.chunks import read_at, read_boxes
from screener.media.files.sniff import sniff
from screener.media.video.containers.file_reading import find_bodies

_TRACK_BOXES = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_ENCRYPTED_ENTRIES = (b"encv", b"drmi")


def is_iso(header: bytes) -> bool:
    """Return whether a file that begins with `header` consists of ISO boxes."""
    return sniff(header) in ("video/mp4", "audio/mp4", "video/3gpp", "video/quicktime")


def find_in_tracks(
    stream: BinaryIO, offset: int, end: int, name: bytes, depth: int = 0
) -> Iterator[tuple[int, int]]:
    """Yield start and end of each box `name` at any level of a track."""
    for box_type, body, body_end in read_boxes(stream, offset, end):
        if box_type in _TRACK_BOXES and depth < len(_TRACK_BOXES):
            yield from find_in_tracks(stream, body, min(body_end, end), name, depth + 1)
        elif box_type == name and depth:
            yield body, min(body_end, end)


def read_handlers(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the four letters of each track's type."""
    for body, _ in find_in_tracks(stream, 0, size, b"hdlr"):
        yield read_at(stream, body + 8, 4)


def read_sample_entries(stream: BinaryIO, size: int) -> Iterator[set[bytes]]:
    """Yield the codecs of each track, by their four letters."""
    for start, end in find_in_tracks(stream, 0, size, b"stsd"):
        yield {entry for entry, _, _ in read_boxes(stream, start + 8, end)}


def is_encrypted(stream: BinaryIO, size: int) -> bool:
    """Return whether a video track is encrypted."""
    return any(
        not entries.isdisjoint(_ENCRYPTED_ENTRIES) for entries in read_sample_entries(stream, size)
    )


def has_fragments(stream: BinaryIO, size: int) -> bool:
    """Return whether the file has fragments, each with its own time."""
    return any(box_type == b"moof" for box_type, _, _ in read_boxes(stream, 0, size))


def has_time_restart(stream: BinaryIO, size: int) -> bool:
    """Return whether a fragment of a track starts no later than its predecessor.

    This happens in joined recordings.
    """
    latest: dict[bytes, int] = {}
    for start, end in find_bodies(read_boxes, stream, 0, size, b"moof", b"traf"):
        track = b""
        for box_type, body, _ in read_boxes(stream, start, end):
            if box_type == b"tfhd":
                track = read_at(stream, body + 4, 4)
            elif box_type == b"tfdt":
                field = read_at(stream, body, 12)
                time = int.from_bytes(field[4:] if field[:1] == b"\1" else field[4:8], "big")
                if time <= latest.get(track, -1):
                    return True
                latest[track] = time
    return False
