"""Tail: what stands behind the end of a video's file, where another file may be hidden.

Decoders of videos pass over it. Nothing here raises on broken input.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from screener.media.files.chunks import boxes, read, riff_chunks
from screener.media.files.sniff import MATROSKA
from screener.media.image import embedded
from screener.media.image.structure.file_end import begins_in_box
from screener.media.video.containers.boxes import SEGMENT, elements, is_iso, kept
from screener.media.video.containers.integrity import ASF_DATA, ASF_HEADER, asf_objects

_MOST_BYTES = 16 << 20  # of a tail that are looked through
_PIECE = 1 << 20
_OF_MATROSKA = {0x1A45DFA3, SEGMENT, 0xEC, 0xBF}  # its head, its body, free space, a checksum
_FORMS = (b"AVI ", b"AVIX")
_OPEN_ENDED = {b"mdat", b"moov", b"meta", b"free", b"skip", b"uuid"}  # with no length of their own

# What may stand behind the packets of an ASF file: its indexes.
_ASF_BEHIND = {
    bytes.fromhex("90080033b1e5cf1189f400a0c90349cb"),
    bytes.fromhex("d329e2d6da35d111903400a0c90349be"),
    bytes.fromhex("f803b1fead12644c840f2a1d2f7ad48c"),
    bytes.fromhex("d03fb73c4a0c0348953dedf7b6228f0c"),
}


def hides_file(stream: BinaryIO) -> bool:
    """Return whether a picture's or a video's file, or an archive, begins behind the end of a
    Matroska, AVI, ASF, MP4 or QuickTime file, or may do so. Behind the bytes that are looked
    through only zeros hide nothing. The stream is left where it was.
    """
    with kept(stream) as size:
        at = max((after for after in _parts(stream, size) if after <= size), default=size)
        if embedded.hides_file(read(stream, at, _MOST_BYTES)):
            return True
        while piece := stream.read(_PIECE):
            if piece.strip(b"\0"):
                return True
        return False


def _parts(stream: BinaryIO, size: int) -> Iterator[int]:
    """Where each part of the file ends, as far as they are its own."""
    head = read(stream, 0, 16)
    if head[:4] == MATROSKA:
        for name, _, after in elements(stream, 0, size):
            if name not in _OF_MATROSKA:
                return
            yield after
    elif head[:4] == b"RIFF":
        yield from _riffs(stream, size)
    elif head == ASF_HEADER:
        for number, (guid, (_, after)) in enumerate(asf_objects(stream, 0, size)):
            if number and guid != ASF_DATA and guid not in _ASF_BEHIND:
                return
            yield after
    elif is_iso(head):
        yield from _boxes(stream, size)


def _boxes(stream: BinaryIO, size: int) -> Iterator[int]:
    """Where each box of an ISO file ends. What is none, zeros as well as the start of a picture's
    file, may be taken for one, and for one that ends where the file does: its name is no letters,
    or that of no box which may lack a length; or the picture begins before a box is named.
    """
    begin = 0
    for kind, _, after in boxes(stream, 0, size):
        named = all(0x20 <= letter < 0x7F for letter in kind)
        open_end = read(stream, begin, 4) == bytes(4)
        if not named or (open_end and kind not in _OPEN_ENDED):
            return
        if begin and begins_in_box(read(stream, begin, 16)):
            return
        yield after
        begin = after


def _riffs(stream: BinaryIO, size: int) -> Iterator[int]:
    """Where each of the RIFFs that an AVI is made of ends."""
    for name, body, after in riff_chunks(stream, 0, size):
        if name != b"RIFF" or read(stream, body, 4) not in _FORMS:
            return
        if after == body:
            return  # it was written to a pipe, or not to its end: it ends with the file
        yield after + (after - body) % 2
