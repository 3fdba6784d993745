"""Files that a video carries beside its tracks: Matroska attachments, covers of MP4 and QuickTime.

FFmpeg reads some of them as tracks of one frame, by the type that the file states, which may be
wrong. Here the content decides. Nothing raises on broken input.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from screener.errors import MediaError
from screener.media.files.chunks import boxes, read
from screener.media.files.limits import Limits
from screener.media.files.sniff import CONTAINERS, MATROSKA, sniff
from screener.media.image.embedded import Embedded
from screener.media.video.containers.file_reading import bodies, position_restored
from screener.media.video.containers.iso_boxes import is_iso
from screener.media.video.containers.matroska import ATTACHED_FILES, FILE_DATA, elements

_HEAD = 4096  # bytes that identify a file
_META, _ITEMS, _ITEM, _VALUE = b"meta", b"ilst", b"item", b"data"
_NESTED = {b"moov", b"trak", b"udta", _META, _ITEMS}
_VALUE_HEAD = 8  # bytes of a value's type and language
_MOST = 100  # files that are found; fewer are decoded


class Place(NamedTuple):
    """Where an attached file starts and ends, and its type by its first bytes."""

    start: int
    end: int
    mime: str


def places(stream: BinaryIO) -> list[Place]:
    """Return where images and videos are attached. The stream stays at its position."""
    with position_restored(stream) as size:
        head = read(stream, 0, 12)
        if head[:4] == MATROSKA:
            spans = _attached(stream, size)
        else:
            spans = _values(stream, 0, size, ()) if is_iso(head) else iter(())
        attached = []
        for start, end in spans:
            mime = sniff(read(stream, start, max(min(_HEAD, end - start), 0))) or ""
            if mime in CONTAINERS or mime.startswith(("image/", "video/")):
                attached.append(Place(start, min(end, size), mime))
            if len(attached) == _MOST:
                break
        return attached


def files(stream: BinaryIO, attached: Iterable[Place], limits: Limits) -> Iterator[Embedded]:
    """Yield the attached files. Raises MediaError (`too_large`) at one over `limits.bytes`."""
    for start, end, mime in attached:
        if end - start > limits.bytes:
            most = f"over the limit of {limits.bytes}"
            raise MediaError("too_large", f"an attached picture has {end - start} bytes, {most}")
        with position_restored(stream):
            data = read(stream, start, end - start)
        yield Embedded("thumbnail", data, mime in CONTAINERS)


def _attached(stream: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Yield the start and declared end of each Matroska attachment.

    It may end beyond its parent: cut there, an image could no longer be recognised.
    """
    for start, end in bodies(elements, stream, 0, size, *ATTACHED_FILES):
        for name, body, after in elements(stream, start, end):
            if name == FILE_DATA:
                yield body, after


def _values(
    stream: BinaryIO, at: int, end: int, around: tuple[bytes, ...]
) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each metadata value, whatever its item is called.

    `around` are the boxes that contain `at`.
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
                body += 4  # a version, which QuickTime does not have
            yield from _values(stream, body, after, (*around, kind))
