"""The tracks that a video's file declares: how many are of pictures, what players cut off these,
which have an alpha channel, and whether there are subtitles that are pictures.

Nothing here raises on broken input: what cannot be read is not declared. Streams are left where
they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from screener.media.files.chunks import MOST, read, riff_chunks
from screener.media.files.sniff import MATROSKA
from screener.media.video.containers import mpeg_streams
from screener.media.video.containers.boxes import (
    CLUSTER,
    SEGMENT,
    TRACKS,
    elements,
    inside,
    is_iso,
    kept,
    matroska_number,
)

Sides = tuple[int, int, int, int]
"""Pixels above, at the right, below and at the left."""

_TRACK, _KIND, _CODEC, _VIDEO = 0xAE, 0x83, 0x86, 0xE0
_PICTURES = 1  # a kind of track
_ALPHA = 0x53C0
_GROUP, _ADDITIONS = 0xA0, 0x75A1  # of a block and what stands beside it, such as alpha
_CROP = (0x54BB, 0x54DD, 0x54AA, 0x54CC)  # above, at the right, below, at the left
_LONGEST = 64  # bytes of a value that are read

# How subtitles that are pictures are declared: by the codec of a Matroska track, the handler of an
# MP4's, the codec of an AVI's.
_MATROSKA_SUBTITLES = (b"S_HDMV/PGS", b"S_VOBSUB", b"S_DVBSUB", b"S_IMAGE/")
_ISO_SUBTITLES = b"subp"
_AVI_SUBTITLES = (b"DXSB", b"DXSA")
_AVI_DEPTH = 2  # lists of an AVI that hold one another: its head, and each of its tracks


class MatroskaTrack(NamedTuple):
    """A track of a Matroska file: what it holds, by number, how that is coded, whether its pictures
    have an alpha channel, and what players cut off them.
    """

    kind: int
    codec: bytes
    alpha: bool
    crop: Sides


def matroska_tracks(stream: BinaryIO) -> list[MatroskaTrack]:
    """Return the tracks of a Matroska or WebM file; none of another."""
    with kept(stream) as size:
        if read(stream, 0, 4) != MATROSKA:
            return []
        return [
            _matroska_track(stream, *one)
            for segment in _bodies(stream, 0, size, SEGMENT)
            for head in _bodies(stream, *segment, TRACKS)
            for one in _bodies(stream, *head, _TRACK)
        ]


def matroska_pictures(stream: BinaryIO) -> list[MatroskaTrack]:
    """Return those of pictures alone, in the order in which FFmpeg has them."""
    return [one for one in matroska_tracks(stream) if one.kind == _PICTURES]


def hidden_by(stream: BinaryIO, track: int, width: int, height: int) -> tuple[bool, Sides | None]:
    """Return whether a track of pictures of a Matroska file has an alpha channel, and what players
    cut off their stored size; None if that is nothing, or leaves nothing.

    The channel is declared, and there are blocks that may hold it: Chromium declares one of all
    that it records in VP8, VP9 and AV1.
    """
    pictures = matroska_pictures(stream)
    if track >= len(pictures):
        return False, None
    above, right, below, left = crop = pictures[track].crop
    leaves = above + below < height and left + right < width
    alpha = pictures[track].alpha and _has_additions(stream)
    return alpha, crop if any(crop) and leaves else None


def cut(whole: NDArray[np.uint8], crop: Sides) -> NDArray[np.uint8]:
    """Return pixels (H, W) without what is cut off; all if that leaves nothing, as it may of a
    frame that is smaller than the track's first.
    """
    above, right, below, left = crop
    height, width = whole.shape
    if above + below >= height or left + right >= width:
        return whole
    return whole[above : height - below, left : width - right]


def picture_tracks(stream: BinaryIO) -> int:
    """Return how many tracks of pictures an ISO or Matroska file declares; 0 of all others."""
    with kept(stream) as size:
        if is_iso(read(stream, 0, 12)):
            handlers = inside(stream, 0, size, 0, b"hdlr")
            return sum(read(stream, body + 8, 4) == b"vide" for body, _ in handlers)
    return len(matroska_pictures(stream))


def picture_subtitles(stream: BinaryIO, mime: str) -> bool:
    """Return whether a file declares subtitles that are pictures: PGS, VobSub, DVB or XSUB."""
    if mime in ("video/mp2t", "video/mpeg"):
        return mpeg_streams.picture_subtitles(stream, program=mime == "video/mpeg")
    with kept(stream) as size:
        head = read(stream, 0, 12)
        if head[:4] == b"RIFF":
            return any(codec in _AVI_SUBTITLES for codec in _avi_codecs(stream, 12, size, 0))
        if is_iso(head):
            handlers = inside(stream, 0, size, 0, b"hdlr")
            return any(read(stream, body + 8, 4) == _ISO_SUBTITLES for body, _ in handlers)
    return any(one.codec.startswith(_MATROSKA_SUBTITLES) for one in matroska_tracks(stream))


def _matroska_track(stream: BinaryIO, at: int, end: int) -> MatroskaTrack:
    facts = _values(stream, at, end)
    shown: dict[int, bytes] = {}
    for video in _bodies(stream, at, end, _VIDEO):
        shown = _values(stream, *video)
    above, right, below, left = (int.from_bytes(shown.get(name, b""), "big") for name in _CROP)
    return MatroskaTrack(
        int.from_bytes(facts.get(_KIND, b""), "big"),
        facts.get(_CODEC, b""),
        any(shown.get(_ALPHA, b"")),
        (above, right, below, left),
    )


def _has_additions(stream: BinaryIO) -> bool:
    """Return whether anything stands beside a block of a Matroska file, or nobody can tell."""
    at = 0
    with kept(stream) as size:
        for _ in range(MOST):
            if at >= size:
                return False
            head = read(stream, at, 12)
            name, long = matroska_number(head, marked=True)
            length, wide = matroska_number(head[long:], marked=False)
            if name == _ADDITIONS or not long or not wide:
                return True
            at += long + wide
            # Clusters of unknown size end where the next begins, so that nothing is nested here.
            if name not in (SEGMENT, CLUSTER, _GROUP):
                at += length
    return True


def _bodies(stream: BinaryIO, at: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    for name, body, after in elements(stream, at, end):
        if name == wanted:
            yield body, min(after, end)


def _values(stream: BinaryIO, at: int, end: int) -> dict[int, bytes]:
    wanted = {_KIND, _CODEC, _ALPHA, *_CROP}
    return {
        name: read(stream, body, min(after - body, _LONGEST))
        for name, body, after in elements(stream, at, end)
        if name in wanted
    }


def _avi_codecs(stream: BinaryIO, at: int, end: int, depth: int) -> Iterator[bytes]:
    """Yield how each track of an AVI is coded, by four letters, as its head and its format say."""
    for name, body, after in riff_chunks(stream, at, end):
        if read(stream, body, 4) == b"movi":
            return
        if name == b"LIST" and depth < _AVI_DEPTH:
            yield from _avi_codecs(stream, body + 4, min(after, end), depth + 1)
        elif name in (b"strh", b"strf"):
            yield read(stream, body + (4 if name == b"strh" else 16), 4).upper()
