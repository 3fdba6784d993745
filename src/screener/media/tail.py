"""Tail: what stands behind the end of a video's file, where another file may be hidden.

Decoders of videos pass over it. Nothing here raises on broken input.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from screener.media.containers import MOST, SEGMENT, boxes, elements, is_iso, kept, read
from screener.media.embedded import appended
from screener.media.following import ASF_DATA, ASF_HEADER, asf_objects

_MOST_BYTES = 16 << 20  # of a tail that are looked through
_MATROSKA = {0x1A45DFA3, SEGMENT, 0xEC, 0xBF}  # its head, its body, free space, a checksum
_FORMS = (b"AVI ", b"AVIX")

# What may stand behind the packets of an ASF file: its indexes.
_ASF_BEHIND = {
    bytes.fromhex("90080033b1e5cf1189f400a0c90349cb"),
    bytes.fromhex("d329e2d6da35d111903400a0c90349be"),
    bytes.fromhex("f803b1fead12644c840f2a1d2f7ad48c"),
    bytes.fromhex("d03fb73c4a0c0348953dedf7b6228f0c"),
}


def hides_file(stream: BinaryIO) -> bool:
    """Whether a picture's or a video's file begins behind the end of a Matroska, AVI, ASF, MP4 or
    QuickTime file. The stream is left where it was.
    """
    with kept(stream) as size:
        at = max((after for after in _parts(stream, size) if after <= size), default=size)
        return next(appended(read(stream, at, _MOST_BYTES), 0), None) is not None


def _parts(stream: BinaryIO, size: int) -> Iterator[int]:
    """Where each part of the file ends, as far as they are its own."""
    head = read(stream, 0, 16)
    if head[:4] == b"\x1a\x45\xdf\xa3":
        for name, _, after in elements(stream, 0, size):
            if name not in _MATROSKA:
                return
            yield after
    elif head[:4] == b"RIFF":
        yield from _riffs(stream)
    elif head == ASF_HEADER:
        for number, (guid, (_, after)) in enumerate(asf_objects(stream, 0, size)):
            if number and guid != ASF_DATA and guid not in _ASF_BEHIND:
                return
            yield after
    elif is_iso(head):
        for number, (kind, _, after) in enumerate(boxes(stream, 0, size)):
            if number and kind == b"ftyp":
                return
            yield after


def _riffs(stream: BinaryIO) -> Iterator[int]:
    """Where each of the RIFFs that an AVI is made of ends."""
    at = 0
    for _ in range(MOST):
        head = read(stream, at, 12)
        if head[:4] != b"RIFF" or head[8:] not in _FORMS:
            return
        length = int.from_bytes(head[4:8], "little")
        if not length:
            return  # it was written to a pipe, or not to its end: it ends with the file
        at += 8 + length + length % 2
        yield at
