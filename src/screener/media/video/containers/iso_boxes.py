"""ISO files (MP4, QuickTime, 3GP): the boxes that they are made of, and facts read from them.

Nothing here raises on broken input. `position_restored` is up to the caller.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from screener.media.files.chunks import boxes, read
from screener.media.files.sniff import sniff
from screener.media.video.containers.file_reading import bodies

_TRACK_PARTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_ENCRYPTED = (b"encv", b"drmi")  # sample entries


def is_iso(head: bytes) -> bool:
    """Return whether a file that begins with `head` is made of ISO boxes."""
    return sniff(head) in ("video/mp4", "audio/mp4", "video/3gpp", "video/quicktime")


def within_tracks(
    stream: BinaryIO, at: int, end: int, wanted: bytes, depth: int = 0
) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each `wanted` box in a track, at whatever level of it."""
    for kind, body, after in boxes(stream, at, end):
        if kind in _TRACK_PARTS and depth < len(_TRACK_PARTS):
            yield from within_tracks(stream, body, min(after, end), wanted, depth + 1)
        elif kind == wanted and depth:
            yield body, min(after, end)


def handlers(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the four letters that say what each track holds."""
    for body, _ in within_tracks(stream, 0, size, b"hdlr"):
        yield read(stream, body + 8, 4)


def sample_entries(stream: BinaryIO, size: int) -> Iterator[set[bytes]]:
    """Yield the codecs of each track, by their four letters."""
    for start, end in within_tracks(stream, 0, size, b"stsd"):
        yield {entry for entry, _, _ in boxes(stream, start + 8, end)}


def encrypted(stream: BinaryIO, size: int) -> bool:
    """Return whether a video track is encrypted."""
    return any(not entries.isdisjoint(_ENCRYPTED) for entries in sample_entries(stream, size))


def has_fragments(stream: BinaryIO, size: int) -> bool:
    """Return whether the file has fragments, each with its own time."""
    return any(kind == b"moof" for kind, _, _ in boxes(stream, 0, size))


def times_restart(stream: BinaryIO, size: int) -> bool:
    """Return whether a fragment of a track starts no later than the one before it.

    Joined recordings do so.
    """
    latest: dict[bytes, int] = {}
    for start, end in bodies(boxes, stream, 0, size, b"moof", b"traf"):
        track = b""
        for kind, body, _ in boxes(stream, start, end):
            if kind == b"tfhd":
                track = read(stream, body + 4, 4)
            elif kind == b"tfdt":
                field = read(stream, body, 12)
                time = int.from_bytes(field[4:] if field[:1] == b"\1" else field[4:8], "big")
                if time <= latest.get(track, -1):
                    return True
                latest[track] = time
    return False
