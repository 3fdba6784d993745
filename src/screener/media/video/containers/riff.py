"""Read the RIFF chunks of AVI files.

Functions here do not raise on broken input.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from screener.media.files.chunks import MAX_CHUNKS, read_at, read_riff_chunks
from screener.media.video.containers.file_reading import restore_position

_RIFF_FORMS = (b"AVI ", b"AVIX")
_FRAME_LISTS = (b"movi", b"rec ")
_MAX_HEADER_DEPTH = 2  # lists: the file's header, and one per track in it
_UNKNOWN_LENGTH = 0xFFFFFFFF  # of a file that was written to a pipe


def is_cut_short(stream: BinaryIO, size: int) -> bool:
    """Return whether the first RIFF declares more bytes than the file has."""
    length = int.from_bytes(read_at(stream, 4, 4), "little")
    return length != _UNKNOWN_LENGTH and length + 8 > size


def find_riff_ends(stream: BinaryIO, size: int) -> Iterator[int]:
    """Yield the end of each RIFF of the AVI, with padding.

    A RIFF without a length (written to a pipe, or unfinished) ends with the file.
    """
    for chunk_type, start, end in read_riff_chunks(stream, 0, size):
        if chunk_type != b"RIFF" or read_at(stream, start, 4) not in _RIFF_FORMS or end == start:
            return
        yield end + (end - start) % 2


def read_codecs(stream: BinaryIO, offset: int, end: int, depth: int = 0) -> Iterator[bytes]:
    """Yield the four letters of each track's codec, from its header and its format."""
    for chunk_type, start, body_end in read_riff_chunks(stream, offset, end):
        form = read_at(stream, start, 4)
        if form == b"movi":
            return
        if chunk_type == b"LIST" and depth < _MAX_HEADER_DEPTH:
            yield from read_codecs(stream, start + 4, min(body_end, end), depth + 1)
        elif chunk_type in (b"strh", b"strf"):
            yield read_at(stream, start + (4 if chunk_type == b"strh" else 16), 4).upper()


def is_damaged(stream: BinaryIO, size: int) -> bool:
    """Return whether the last RIFF ends before its chunks do, or contains other bytes."""
    return None in _read_leaves(stream, size)


def count_frames(stream: BinaryIO, track: int) -> int:
    """Return the number of non-empty frames of a track before any damage."""
    names = [b"%02d%s" % (track, kind) for kind in (b"dc", b"db")]
    with restore_position(stream) as size:
        chunks = filter(None, _read_leaves(stream, size))
        return sum(name in names and length > 0 for name, length in chunks)


def _read_leaves(stream: BinaryIO, size: int) -> Iterator[tuple[bytes, int] | None]:
    """Yield name and length of each chunk outside nested lists, and None at damage.

    The chunks in lists of frames are included, whatever the lengths of the lists.
    """
    offset = riff_end = 0
    for _ in range(MAX_CHUNKS):
        header = read_at(stream, offset, 12)
        name, length = header[:4], int.from_bytes(header[4:8], "little")
        if offset >= riff_end and name != b"RIFF":
            return  # the end, or trailing data
        if len(header) < 8 or not all(0x20 <= letter < 0x7F for letter in name):
            yield None
            return
        if name == b"RIFF":
            riff_end = min(offset + 8 + length, size)
        if name == b"RIFF" or (name == b"LIST" and header[8:] in _FRAME_LISTS):
            offset += 12
        elif offset + 8 + length > size:
            yield None
            return
        else:
            yield name, length
            offset += 8 + length + length % 2
