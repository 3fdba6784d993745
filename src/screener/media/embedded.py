"""Pictures hidden in a picture's file: thumbnails in its metadata, files appended to its end.

Viewers show none of them, which is what makes them a hiding-place. Nothing is decoded here, and
nothing here raises: what cannot be read is not there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from screener.media import headers

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_LEAST = 64  # bytes; nothing that is shorter is a picture
_PHOTOSHOP = (1033, 1036)  # the numbers of Photoshop's resources that are thumbnails
_PHOTOSHOP_HEADER = 28  # bytes before the JPEG in one
_COMPRESSION, _JPEG_AT, _JPEG_LENGTH = 259, 513, 514  # tags of a thumbnail's directory


@dataclass(frozen=True)
class Embedded:
    """A hidden picture: `kind` is `thumbnail` or `appended`, `data` its file."""

    kind: str
    data: bytes


def embedded(data: bytes, image: Image.Image) -> Iterator[Embedded]:
    """The pictures hidden in the file `data`, which `image` was opened from: thumbnails first.

    What is given begins as a picture's file does; whether it is one has to be tried.
    """
    for thumbnail in dict.fromkeys(_thumbnails(image)):  # EXIF's and Photoshop's are often one
        if len(thumbnail) >= _LEAST:
            yield Embedded("thumbnail", thumbnail)
    known = set(getattr(image, "_MpoImageFile__mpoffsets", ()))  # those are frames
    for start, end in _appended(data):
        if start not in known:
            yield Embedded("appended", data[start:end])


def _thumbnails(image: Image.Image) -> Iterator[bytes]:
    block = image.info.get("exif")
    if isinstance(block, bytes):
        with contextlib.suppress(IndexError):
            yield from _in_exif(block.removeprefix(b"Exif\0\0"))
    resources = image.info.get("photoshop")
    if not isinstance(resources, dict):
        return
    for number in _PHOTOSHOP:
        thumbnail = resources.get(number)
        if isinstance(thumbnail, bytes):
            yield thumbnail[_PHOTOSHOP_HEADER:]


def _in_exif(block: bytes) -> Iterator[bytes]:
    """The thumbnail of an EXIF block: a JPEG, or else the picture of its second directory."""
    second, tags = headers.second_directory(block)
    if _JPEG_AT in tags:
        start = tags[_JPEG_AT]
        yield block[start : start + tags.get(_JPEG_LENGTH, len(block))]
    elif _COMPRESSION in tags:
        # The block is a TIFF file whose first directory tells of no picture of its own.
        yield block[:4] + second.to_bytes(4, "little" if block[:1] == b"I" else "big") + block[8:]


def _appended(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the JPEG and PNG files behind the end of the first picture begin and end."""
    at = headers.end(data, 0)
    while at is not None and len(data) - at >= _LEAST:
        starts = [found for sign in _SIGNATURES if (found := data.find(sign, at)) >= 0]
        if not starts:
            return
        start = min(starts)
        at = headers.end(data, start) or len(data)
        yield start, at
