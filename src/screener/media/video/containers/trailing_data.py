"""Find files that are hidden after the end of a video's file.

Decoders of videos ignore such data. Functions here do not raise on broken input.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from screener.media.files.chunks import read_at, read_boxes
from screener.media.files.sniff import MATROSKA_SIGNATURE
from screener.media.image import embedded
from screener.media.image.structure.file_end import is_file_start
from screener.media.video.containers import asf, matroska, riff
from screener.media.video.containers.file_reading import restore_position
from screener.media.video.containers.iso_boxes import is_iso

# Bytes after the end that are searched for files. Beyond them, anything but zeros counts as hidden.
_MAX_SEARCHED_BYTES = 16 << 20
_PIECE_SIZE = 1 << 20
# Types of boxes that may have the length 0, "to the end of the file".
_LENGTHLESS_TYPES = {b"mdat", b"moov", b"meta", b"free", b"skip", b"uuid"}


def hides_file(stream: BinaryIO) -> bool:
    """Return whether another file follows, or may follow, the file's end.

    Matroska, AVI, ASF, MP4 and QuickTime files are checked. The stream keeps its position.
    """
    with restore_position(stream) as size:
        offset = max((end for end in _find_part_ends(stream, size) if end <= size), default=size)
        if embedded.hides_file(read_at(stream, offset, _MAX_SEARCHED_BYTES)):
            return True
        while piece := stream.read(_PIECE_SIZE):
            if piece.strip(b"\0"):
                return True
        return False


def _find_part_ends(stream: BinaryIO, size: int) -> Iterator[int]:
    """Yield the end of each part that belongs to the file."""
    header = read_at(stream, 0, 16)
    if header[:4] == MATROSKA_SIGNATURE:
        yield from matroska.find_element_ends(stream, size)
    elif header[:4] == b"RIFF":
        yield from riff.find_riff_ends(stream, size)
    elif header == asf.HEADER_ID:
        yield from asf.find_object_ends(stream, size)
    elif is_iso(header):
        yield from _find_box_ends(stream, size)


def _find_box_ends(stream: BinaryIO, size: int) -> Iterator[int]:
    """Yield the end of each box of an ISO file, up to the first false box.

    Zeros or the start of an image can be misread as a box without a length, which extends to the
    end of the file.
    """
    box_start = 0
    for box_type, _, body_end in read_boxes(stream, 0, size):
        is_named = all(0x20 <= byte < 0x7F for byte in box_type)
        lacks_length = read_at(stream, box_start, 4) == bytes(4)
        if not is_named or (lacks_length and box_type not in _LENGTHLESS_TYPES):
            return
        if box_start and is_file_start(read_at(stream, box_start, 16)):
            return
        yield body_end
        box_start = body_end
