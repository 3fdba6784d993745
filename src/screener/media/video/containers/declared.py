"""Read a video file's declarations: encryption, tracks, codecs, subtitles that are images.

Functions here do not raise on broken input: unreadable parts count as not declared. Streams keep
their position.
"""

from __future__ import annotations

from typing import BinaryIO

from screener.media.files.chunks import read_at
from screener.media.files.sniff import MATROSKA_SIGNATURE
from screener.media.video.containers import flv, iso_boxes, matroska, mpeg_streams, riff
from screener.media.video.containers.file_reading import restore_position
from screener.media.video.containers.iso_boxes import is_iso

_MATROSKA_SUBTITLE_CODECS = (b"S_HDMV/PGS", b"S_VOBSUB", b"S_DVBSUB", b"S_IMAGE/")
_AVI_SUBTITLE_CODECS = (b"DXSB", b"DXSA")
_ISO_SUBTITLE_HANDLER = b"subp"


def is_encrypted(stream: BinaryIO) -> bool:
    """Return whether a video track is encrypted, and would be decoded to noise."""
    with restore_position(stream) as size:
        header = read_at(stream, 0, 12)
        if header[:4] == MATROSKA_SIGNATURE:
            return matroska.is_encrypted(stream, size)
        return is_iso(header) and iso_boxes.is_encrypted(stream, size)


def has_fragments(stream: BinaryIO) -> bool:
    """Return whether the file is an ISO file in fragments, each with its own time."""
    with restore_position(stream) as size:
        return is_iso(read_at(stream, 0, 12)) and iso_boxes.has_fragments(stream, size)


def has_time_restart(stream: BinaryIO) -> bool:
    """Return whether fragments of an ISO file go back in time, as joined recordings do."""
    with restore_position(stream) as size:
        return is_iso(read_at(stream, 0, 12)) and iso_boxes.has_time_restart(stream, size)


def has_codec_change(stream: BinaryIO) -> bool:
    """Return whether a video track of an ISO or FLV file has several codecs.

    FFmpeg decodes only the first codec.
    """
    with restore_position(stream) as size:
        header = read_at(stream, 0, 12)
        if header[:3] == b"FLV":
            return len(flv.read_video_codecs(stream)) > 1
        return is_iso(header) and any(
            len(codecs) > 1 for codecs in iso_boxes.read_sample_entries(stream, size)
        )


def count_video_tracks(stream: BinaryIO) -> int:
    """Return the number of video tracks that an ISO or Matroska file declares."""
    with restore_position(stream) as size:
        if is_iso(read_at(stream, 0, 12)):
            return sum(handler == b"vide" for handler in iso_boxes.read_handlers(stream, size))
    return len(matroska.read_video_tracks(stream))


def has_image_subtitles(stream: BinaryIO, mime: str) -> bool:
    """Return whether a file declares subtitles that are images: PGS, VobSub, DVB or XSUB."""
    if mime in ("video/mp2t", "video/mpeg"):
        return mpeg_streams.has_image_subtitles(stream, program=mime == "video/mpeg")
    with restore_position(stream) as size:
        header = read_at(stream, 0, 12)
        if header[:4] == b"RIFF":
            return any(
                codec in _AVI_SUBTITLE_CODECS for codec in riff.read_codecs(stream, 12, size)
            )
        if is_iso(header):
            return _ISO_SUBTITLE_HANDLER in iso_boxes.read_handlers(stream, size)
    return any(
        track.codec.startswith(_MATROSKA_SUBTITLE_CODECS) for track in matroska.read_tracks(stream)
    )
