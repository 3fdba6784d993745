"""Data behind the end of a video's file, where another file may be hidden.

Decoders of videos ignore it. Nothing here raises on broken input.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from screener.media.files.chunks import boxes, read
from screener.media.files.sniff import MATROSKA
from screener.media.image import embedded
from screener.media.image.structure.file_end import begins_in_box
from screener.media.video.containers import asf, matroska, riff
from screener.media.video.containers.file_reading import position_restored
from screener.media.video.containers.iso_boxes import is_iso

_SEARCHED = 16 << 20  # bytes of trailing data; behind them only zeros are accepted
_PIECE = 1 << 20
_MAY_LACK_LENGTH = {b"mdat", b"moov", b"meta", b"free", b"skip", b"uuid"}


def hides_file(stream: BinaryIO) -> bool:
    """Return whether an image, a video or an archive is, or may be, behind the file's end.

    Matroska, AVI, ASF, MP4 and QuickTime files are checked. The stream stays at its position.
    """
    with position_restored(stream) as size:
        at = max((end for end in _part_ends(stream, size) if end <= size), default=size)
        if embedded.hides_file(read(stream, at, _SEARCHED)):
            return True
        while piece := stream.read(_PIECE):
            if piece.strip(b"\0"):
                return True
        return False


def _part_ends(stream: BinaryIO, size: int) -> Iterator[int]:
    """Yield the end of each part that belongs to the file."""
    head = read(stream, 0, 16)
    if head[:4] == MATROSKA:
        yield from matroska.file_ends(stream, size)
    elif head[:4] == b"RIFF":
        yield from riff.riff_ends(stream, size)
    elif head == asf.HEADER:
        yield from asf.object_ends(stream, size)
    elif is_iso(head):
        yield from _box_ends(stream, size)


def _box_ends(stream: BinaryIO, size: int) -> Iterator[int]:
    """Yield the end of each box of an ISO file, up to the first that is none.

    Zeros, or the start of an image, can look like a box that ends with the file.
    """
    begin = 0
    for kind, _, after in boxes(stream, 0, size):
        is_named = all(0x20 <= letter < 0x7F for letter in kind)
        lacks_length = read(stream, begin, 4) == bytes(4)
        if not is_named or (lacks_length and kind not in _MAY_LACK_LENGTH):
            return
        if begin and begins_in_box(read(stream, begin, 16)):
            return
        yield after
        begin = after
