"""Carried: files of pictures that a video's file carries beside its tracks: what is attached to a
Matroska file, and the covers of MP4 and QuickTime.

FFmpeg gives some of them as tracks, by the type that the file states, which may be any, and one
frame of each. Here they are told by their content. Nothing raises on broken input.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from screener.errors import MediaError
from screener.media.files.chunks import boxes, read
from screener.media.files.limits import Limits
from screener.media.files.sniff import CONTAINERS, MATROSKA, sniff
from screener.media.image.embedded import Embedded
from screener.media.video.containers.boxes import SEGMENT, elements, is_iso, kept

_HEAD = 4096  # bytes that tell what a file is
# Segment, Attachments, AttachedFile, FileData: the way to an attached file.
_WAY = (SEGMENT, 0x1941A469, 0x61A7, 0x465C)
_META, _ITEMS, _ITEM, _VALUE = b"meta", b"ilst", b"item", b"data"
_NESTED = {b"moov", b"trak", b"udta", _META, _ITEMS}
_VALUE_HEAD = 8  # bytes of a value's type and language
_MOST = 100  # files that are found; fewer are looked at


class Place(NamedTuple):
    """Where a carried file begins and ends, and what it begins as."""

    start: int
    end: int
    mime: str


def places(stream: BinaryIO) -> list[Place]:
    """Where the pictures and videos are that are carried. The stream is left where it was."""
    with kept(stream) as size:
        head = read(stream, 0, 12)
        if head[:4] == MATROSKA:
            spans = _attached(stream, 0, size, 0)
        else:
            spans = _values(stream, 0, size, ()) if is_iso(head) else iter(())
        found = []
        for start, end in spans:
            mime = sniff(read(stream, start, max(min(_HEAD, end - start), 0))) or ""
            if mime in CONTAINERS or mime.startswith(("image/", "video/")):
                found.append(Place(start, min(end, size), mime))
            if len(found) == _MOST:
                break
        return found


def files(stream: BinaryIO, found: Iterable[Place], limits: Limits) -> Iterator[Embedded]:
    """The files at those places. MediaError, `too_large`, at one that has more bytes than a picture
    may.
    """
    for start, end, mime in found:
        if end - start > limits.bytes:
            most = f"over the limit of {limits.bytes}"
            raise MediaError("too_large", f"a picture of {end - start} bytes is carried, {most}")
        with kept(stream):
            data = read(stream, start, end - start)
        yield Embedded("thumbnail", data, mime in CONTAINERS)


def _attached(stream: BinaryIO, at: int, end: int, depth: int) -> Iterator[tuple[int, int]]:
    for name, body, after in elements(stream, at, end):
        if name != _WAY[depth]:
            continue
        if depth == len(_WAY) - 1:
            yield body, after
        else:
            yield from _attached(stream, body, min(after, end), depth + 1)


def _values(
    stream: BinaryIO, at: int, end: int, around: tuple[bytes, ...]
) -> Iterator[tuple[int, int]]:
    """The values of all items of metadata, whatever these are called; `around` are the boxes that
    hold the place.
    """
    for kind, body, after in boxes(stream, at, end):
        after = min(after, end)
        if around[-1:] == (_ITEMS,):
            yield from _values(stream, body, after, (*around, _ITEM))
        elif around[-1:] == (_ITEM,):
            if kind == _VALUE:
                yield body + _VALUE_HEAD, after
        elif kind in _NESTED and kind not in around:
            if kind == _META and read(stream, body + 4, 4) != b"hdlr":
                body += 4  # its version, which QuickTime's have not
            yield from _values(stream, body, after, (*around, kind))
