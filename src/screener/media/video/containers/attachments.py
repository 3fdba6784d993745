"""Find files that are attached to a video: Matroska attachments, covers of MP4 and QuickTime.

FFmpeg reads some of them as tracks of one frame, by their declared type, which may be wrong. This
module decides by their content. Functions here do not raise on broken input.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from screener.errors import MediaError
from screener.media.files.chunks import read_at, read_boxes
from screener.media.files.limits import Limits
from screener.media.files.sniff import CONTAINERS, MATROSKA_SIGNATURE, sniff
from screener.media.image.embedded import Embedded
from screener.media.video.containers.file_reading import find_bodies, restore_position
from screener.media.video.containers.iso_boxes import is_iso
from screener.media.video.containers.matroska import (
    ATTACHED_FILES_PATH,
    FILE_DATA_ID,
    read_elements,
)

_HEAD_SIZE = 4096  # bytes that identify the type of a file
_META_BOX, _ITEM_LIST, _LIST_ITEM, _VALUE_BOX = b"meta", b"ilst", b"item", b"data"
_NESTED_BOXES = {b"moov", b"trak", b"udta", _META_BOX, _ITEM_LIST}
_VALUE_HEADER_SIZE = 8  # bytes: type and language
_MAX_FILES = 100


class AttachedFile(NamedTuple):
    """The start and end of an attached file, and its type by its first bytes."""

    start: int
    end: int
    mime: str


def find_attached(stream: BinaryIO) -> list[AttachedFile]:
    """Return the attached images and videos. The stream keeps its position."""
    with restore_position(stream) as size:
        header = read_at(stream, 0, 12)
        if header[:4] == MATROSKA_SIGNATURE:
            spans = _find_matroska_files(stream, size)
        else:
            spans = _find_values(stream, 0, size, ()) if is_iso(header) else iter(())
        attached = []
        for start, end in spans:
            mime = sniff(read_at(stream, start, max(min(_HEAD_SIZE, end - start), 0))) or ""
            if mime in CONTAINERS or mime.startswith(("image/", "video/")):
                attached.append(AttachedFile(start, min(end, size), mime))
            if len(attached) == _MAX_FILES:
                break
        return attached


def read_files(
    stream: BinaryIO, attached: Iterable[AttachedFile], limits: Limits
) -> Iterator[Embedded]:
    """Yield the attached files. Raises MediaError `too_large` at a file over `limits.bytes`."""
    for start, end, mime in attached:
        if end - start > limits.bytes:
            excess = f"{end - start} bytes, over the limit of {limits.bytes}"
            raise MediaError("too_large", f"an attached picture has {excess}")
        with restore_position(stream):
            data = read_at(stream, start, end - start)
        yield Embedded("thumbnail", data, mime in CONTAINERS)


def _find_matroska_files(stream: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Yield start and declared end of each Matroska attachment.

    The end may lie past the parent's, since a cut image might not be recognised.
    """
    for start, end in find_bodies(read_elements, stream, 0, size, *ATTACHED_FILES_PATH):
        for element_id, body, body_end in read_elements(stream, start, end):
            if element_id == FILE_DATA_ID:
                yield body, body_end


def _find_values(
    stream: BinaryIO, offset: int, end: int, ancestors: tuple[bytes, ...]
) -> Iterator[tuple[int, int]]:
    """Yield start and end of each metadata value, for items of any name.

    `ancestors` are the names of the boxes that contain `offset`.
    """
    for box_type, body, body_end in read_boxes(stream, offset, end):
        body_end = min(body_end, end)
        if ancestors[-1:] == (_ITEM_LIST,):
            yield from _find_values(stream, body, body_end, (*ancestors, _LIST_ITEM))
        elif ancestors[-1:] == (_LIST_ITEM,):
            if box_type == _VALUE_BOX:
                yield body + _VALUE_HEADER_SIZE, body_end
        elif box_type in _NESTED_BOXES and box_type not in ancestors:
            if box_type == _META_BOX and read_at(stream, body + 4, 4) != b"hdlr":
                body += 4  # skip the version, which QuickTime does not have
            yield from _find_values(stream, body, body_end, (*ancestors, box_type))
