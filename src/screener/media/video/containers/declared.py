"""What a video's file declares: encryption, video tracks, codecs, subtitles that are images.

Nothing here raises on broken input: what cannot be read counts as not declared. Streams stay at
their position.
"""

from __future__ import annotations

from typing import BinaryIO

from screener.media.files.chunks import read
from screener.media.files.sniff import MATROSKA
from screener.media.video.containers import flv, iso_boxes, matroska, mpeg_streams, riff
from screener.media.video.containers.file_reading import position_restored
from screener.media.video.containers.iso_boxes import is_iso

# Codecs of Matroska and AVI tracks, and the handler of an ISO track.
_MATROSKA_SUBTITLES = (b"S_HDMV/PGS", b"S_VOBSUB", b"S_DVBSUB", b"S_IMAGE/")
_AVI_SUBTITLES = (b"DXSB", b"DXSA")
_ISO_SUBTITLES = b"subp"


def encrypted(stream: BinaryIO) -> bool:
    """Return whether a video track is encrypted, so that it could only be decoded to noise."""
    with position_restored(stream) as size:
        head = read(stream, 0, 12)
        if head[:4] == MATROSKA:
            return matroska.encrypted(stream, size)
        return is_iso(head) and iso_boxes.encrypted(stream, size)


def has_fragments(stream: BinaryIO) -> bool:
    """Return whether the file is an ISO file in fragments, each with its own time."""
    with position_restored(stream) as size:
        return is_iso(read(stream, 0, 12)) and iso_boxes.has_fragments(stream, size)


def times_restart(stream: BinaryIO) -> bool:
    """Return whether fragments of an ISO file go back in time, as joined recordings do."""
    with position_restored(stream) as size:
        return is_iso(read(stream, 0, 12)) and iso_boxes.times_restart(stream, size)


def codec_changes(stream: BinaryIO) -> bool:
    """Return whether a video track of an ISO or FLV file has several codecs.

    FFmpeg decodes only the first.
    """
    with position_restored(stream) as size:
        head = read(stream, 0, 12)
        if head[:3] == b"FLV":
            return len(flv.video_codecs(stream)) > 1
        return is_iso(head) and any(len(one) > 1 for one in iso_boxes.sample_entries(stream, size))


def count_video_tracks(stream: BinaryIO) -> int:
    """Return how many video tracks an ISO or Matroska file declares; 0 of all others."""
    with position_restored(stream) as size:
        if is_iso(read(stream, 0, 12)):
            return sum(handler == b"vide" for handler in iso_boxes.handlers(stream, size))
    return len(matroska.video_tracks(stream))


def image_subtitles(stream: BinaryIO, mime: str) -> bool:
    """Return whether a file declares subtitles that are images: PGS, VobSub, DVB or XSUB."""
    if mime in ("video/mp2t", "video/mpeg"):
        return mpeg_streams.image_subtitles(stream, program=mime == "video/mpeg")
    with position_restored(stream) as size:
        head = read(stream, 0, 12)
        if head[:4] == b"RIFF":
            return any(codec in _AVI_SUBTITLES for codec in riff.codecs(stream, 12, size))
        if is_iso(head):
            return _ISO_SUBTITLES in iso_boxes.handlers(stream, size)
    return any(track.codec.startswith(_MATROSKA_SUBTITLES) for track in matroska.tracks(stream))
