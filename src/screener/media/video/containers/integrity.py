"""Whether a video's file is complete and its parts follow one another to its end.

FFmpeg resumes behind damage, or stops at it, without reporting it. Nothing here raises on broken
input. Streams stay at their position.
"""

from __future__ import annotations

from typing import BinaryIO

from screener.media.files.chunks import boxes, read
from screener.media.files.sniff import MATROSKA
from screener.media.video.containers import asf, flv, fragments, matroska, ogg, riff
from screener.media.video.containers.file_reading import position_restored
from screener.media.video.containers.iso_boxes import is_iso


def ended_early(stream: BinaryIO) -> bool:
    """Return whether an ISO, Matroska, AVI or FLV file declares more bytes than it has."""
    with position_restored(stream) as size:
        head = read(stream, 0, 12)
        if head[:3] == b"FLV":
            return (flv.end_of_tags(stream) or 0) > size
        if head[:4] == b"RIFF":
            return riff.is_cut_short(stream, size)
        if head[:4] == MATROSKA:
            return matroska.is_cut_short(stream, size)
        return is_iso(head) and any(end > size for _, _, end in boxes(stream, 0, size))


def damage(stream: BinaryIO) -> str | None:
    """Return a reason if parts of the file are damaged or missing; None if nothing is found.

    `undecodable`: parts of a Matroska, AVI, FLV, ASF or Ogg file, or the fragments of an MP4, do
    not follow one another. `truncated`: a part ends beyond the file, if `ended_early` does not
    cover it: in ASF, Ogg and a Matroska file of unknown length.
    """
    with position_restored(stream) as size:
        head = read(stream, 0, 16)
        if head[:3] == b"FLV":
            return "undecodable" if flv.end_of_tags(stream) is None else None
        if head[:4] == b"RIFF":
            return "undecodable" if riff.is_damaged(stream, size) else None
        if head[:4] == asf.HEADER[:4]:
            return asf.damage(stream, size)
        if head[:4] == b"OggS":
            return ogg.damage(stream, size)
        if head[:4] == MATROSKA:
            return matroska.damage(stream, size)
        return "undecodable" if fragments.read_fragments(stream).inconsistent else None
