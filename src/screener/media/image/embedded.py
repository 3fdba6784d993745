"""Pictures and clips hidden in a picture's file, which no viewer shows.

They are thumbnails in metadata, files appended to the end, the clip of a motion photo, and tracks
beside the pictures of a HEIF or AVIF. Nothing is decoded here and nothing raises: what cannot be
read is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from PIL import Image

from screener.media.files.sniff import CONTAINERS, decodable, sniff
from screener.media.image.structure import file_end, headers, icons, tiff

_HEAD = 4096  # bytes from which the type of a file is recognised
_LEAST = 64  # bytes of the shortest picture
_PHOTOSHOP = (1033, 1036)  # Photoshop's resources that are thumbnails
_PHOTOSHOP_HEADER = 28  # bytes before the JPEG in one
_COMPRESSION = 259  # a tag of a thumbnail's directory
# Documents that may hold the files of pictures.
_DOCUMENTS = ("application/pdf", "application/postscript", "application/x-ole-storage")
_TIMES = 16  # of a document's size: bytes of apparent pictures that are read from it
_ARCHIVES = (b"Rar!\x1a\7", b"7z\xbc\xaf\x27\x1c")
# The header of a zip's member: the version and method, of which there are few, the length of the
# name, and its first letter.
_ZIP_MEMBER = re.compile(
    rb"PK\x03\x04[\x00-\x63]...[\x00-\x13\x5d-\x63]\x00.{16}(..)..(?=[\x20-\xff])", re.DOTALL
)
# Apparent members that are tried; if there are more, one of them counts as a member.
_MOST_MEMBERS = 1000
_DIRECTORIES = 1 << 10  # of a TIFF that are searched for JPEGs


@dataclass
class Embedded:
    """A hidden picture or clip.

    `kind` is `thumbnail` or `appended`, `data` its file. `clip`: whether it begins as a video does.
    Set `complete` to False if it does not decode to its end: another file may begin within it.
    """

    kind: str
    data: bytes
    clip: bool = False
    complete: bool = True


def embedded(data: bytes, image: Image.Image) -> Iterator[Embedded]:
    """Yield what is hidden in the file `data` of `image`, thumbnails first.

    Each begins as the file of a picture, a video or an archive does, but may be none.
    """
    thumbnails = dict.fromkeys(_thumbnails(data, image))  # EXIF's and Photoshop's are often equal
    for thumbnail in chain(thumbnails, icons.pictures(data, image.size)):
        if len(thumbnail) >= _LEAST:
            yield Embedded("thumbnail", thumbnail)
    frames = set(getattr(image, "_MpoImageFile__mpoffsets", ()))
    tracks = _tracks(data, image)
    if tracks is not None:
        yield Embedded("appended", tracks, clip=True)
    for start, end in _in_boxes(data):
        yield Embedded("appended", data[start:end], clip=True)
    behind = file_end.behind(data, 0)
    broken: set[int] = set()
    for start, end in appended(data, behind, broken.__contains__):
        if start not in frames:
            file = _appended(data, start, end)
            yield file
            if not file.complete:
                broken.add(start)
    archive = None if behind is None else archive_in(data, behind)
    if archive is not None:
        yield Embedded("appended", data[archive:])


def within(data: bytes) -> Iterator[Embedded]:
    """Yield the pages of a scanned document, or the previews of a raw file that does not open."""
    mime = sniff(data) or ""
    if mime not in _DOCUMENTS and not mime.startswith("image/"):
        return
    left = _TIMES * len(data)
    # Compressed data may look like a beginning, with the end of the next picture as its end.
    for start, end in appended(data, 1, lambda _: True):
        left -= end - start
        if left < 0:
            return
        yield _appended(data, start, end)


def _appended(data: bytes, start: int, end: int) -> Embedded:
    clip = sniff(data[start : start + _HEAD]) in CONTAINERS
    return Embedded("appended", data[start:end], clip)


def _thumbnails(data: bytes, image: Image.Image) -> Iterator[bytes]:
    if image.format == "TIFF":
        yield from tiff.jpegs(data, stop=_DIRECTORIES)
    block = image.info.get("exif")
    # Of several blocks Pillow returns the last, or all of them joined.
    for exif in chain((block,), headers.exif_blocks(data)):
        if isinstance(exif, bytes):
            yield from _in_exif(exif.removeprefix(b"Exif\0\0"))
    resources = image.info.get("photoshop")
    if not isinstance(resources, dict):
        return
    for number in _PHOTOSHOP:
        thumbnail = resources.get(number)
        if isinstance(thumbnail, bytes):
            yield thumbnail[_PHOTOSHOP_HEADER:]


def _in_exif(block: bytes) -> Iterator[bytes]:
    second, tags = tiff.second_directory(block)
    if tiff.JPEG_AT in tags:
        start = tags[tiff.JPEG_AT]
        yield block[start : start + tags.get(tiff.JPEG_LENGTH, len(block))]
    elif _COMPRESSION in tags:
        # The block is a TIFF file whose first directory holds no picture.
        yield block[:4] + second.to_bytes(4, "little" if block[:1] == b"I" else "big") + block[8:]


def _tracks(data: bytes, image: Image.Image) -> bytes | None:
    """Return a HEIF or AVIF as a video of its tracks, None if it has none or if they are its
    frames.

    Players show tracks, but decoders of pictures do not.
    """
    boxes = list(headers.boxes(data, 0))
    if not any(name == b"moov" for name, _, _ in boxes):
        return None
    if image.format == "AVIF" and getattr(image, "n_frames", 1) > 1:
        return None
    video = bytearray(data[: file_end.end(data, 0)])
    for name, body, after in boxes:
        if name == b"ftyp":
            video[body:after] = b"isom".ljust(after - body, b"\0")
        elif name == b"meta":  # its pictures are screened as such
            at = video.rindex(name, 0, body)
            video[at : at + 4] = b"free"
    return bytes(video)


def _in_boxes(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the clips of motion photos in HEIF and AVIF are."""
    for name, start, end in headers.boxes(data, 0):
        if name == b"mpvd":
            yield start, end


def appended(
    data: bytes, at: int | None, into: Callable[[int], bool] = lambda _: False
) -> Iterator[tuple[int, int]]:
    """Yield where the files of pictures and videos begin and end, from a place on.

    Yields nothing if the place is None, as for formats without a known end. A file whose end is
    unknown extends to the end of the data. The search continues behind a file's end, or right
    behind its start if it has none or if `into(start)` is true when the next file is requested.
    """
    places = dict.fromkeys(file_end.SIGNATURES, -1)  # the next place of each
    while at is not None and len(data) - at >= _LEAST:
        for (sign, before), place in places.items():
            if place < at:
                sign_at = data.find(sign, at + before)
                places[sign, before] = len(data) if sign_at < 0 else sign_at - before
        start = min(places.values())
        if start >= len(data):
            return
        at = start + 1
        if _is_begin(data[start : start + _HEAD]):
            yield start, file_end.end(data, start) or len(data)
            behind = None if into(start) else file_end.behind(data, start)
            at = behind or at


def hides_file(data: bytes) -> bool:
    """Return whether the file of a picture, a video or an archive begins in data that show none."""
    return next(appended(data, 0), None) is not None or archive_in(data, 0) is not None


def archive_in(data: bytes, at: int) -> int | None:
    """Return where a zip, RAR or 7z file begins from a place on.

    The letters of a zip stand in many clips, but without a member's name behind them.
    """
    places = [data.find(sign, at) for sign in _ARCHIVES]
    for number, member in enumerate(_ZIP_MEMBER.finditer(data, at)):
        length = int.from_bytes(member[1], "little")
        name = data[member.end() : member.end() + length]
        if number == _MOST_MEMBERS or (0 < length == len(name) and min(name) >= 0x20):
            places.append(member.start())
            break
    return min((place for place in places if place >= 0), default=None)


def _is_begin(head: bytes) -> bool:
    if head[4:8] == b"ftyp" and not 8 <= int.from_bytes(head[:4], "big") <= _HEAD:
        return False
    mime = sniff(head)
    return mime in CONTAINERS or decodable(mime)
