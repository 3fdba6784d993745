"""Check that a video's file is complete and its parts are contiguous.

FFmpeg resumes after damage, or stops at it, without reporting it. Functions here do not raise on
broken input. Streams keep their position.
"""

from __future__ import annotations

from typing import BinaryIO

from screener.media.files.chunks import read_at, read_boxes
from screener.media.files.sniff import MATROSKA_SIGNATURE
from screener.media.video.containers import (
    asf,
    flv,
    fragments,
    matroska,
    matroska_damage,
    ogg,
    riff,
)
from screener.media.video.containers.file_reading import restore_position
from screener.media.video.containers.iso_boxes import is_iso


def ended_early(stream: BinaryIO) -> bool:
    """Return whether an ISO, Matroska, AVI or FLV file declares more bytes than it has."""
    with restore_position(stream) as size:
        header = read_at(stream, 0, 12)
        if header[:3] == b"FLV":
            return (flv.find_end_of_tags(stream) or 0) > size
        if header[:4] == b"RIFF":
            return riff.is_cut_short(stream, size)
        if header[:4] == MATROSKA_SIGNATURE:
            return matroska.is_cut_short(stream, size)
        return is_iso(header) and any(end > size for _, _, end in read_boxes(stream, 0, size))


def find_damage(stream: BinaryIO) -> str | None:
    """Return `undecodable` or `truncated` if parts of the file are damaged or missing, else None.

    `undecodable`: parts of a Matroska, AVI, FLV, ASF or Ogg file, or the fragments of an MP4, do
    not follow one another. `truncated`: a part of an ASF, an Ogg or a Matroska file of unknown
    length ends past the file's end; `ended_early` covers other files.
    """
    with restore_position(stream) as size:
        header = read_at(stream, 0, 16)
        if header[:3] == b"FLV":
            return "undecodable" if flv.find_end_of_tags(stream) is None else None
        if header[:4] == b"RIFF":
            return "undecodable" if riff.is_damaged(stream, size) else None
        if header[:4] == asf.HEADER_ID[:4]:
            return asf.find_damage(stream, size)
        if header[:4] == b"OggS":
            return ogg.find_damage(stream, size)
        if header[:4] == MATROSKA_SIGNATURE:
            return matroska_damage.find_damage(stream, size)
        return "undecodable" if fragments.read_fragments(stream).inconsistent else None
