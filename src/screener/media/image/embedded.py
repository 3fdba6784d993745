"""Find pictures and clips hidden in a picture's file, which no viewer shows.

They are thumbnails in metadata, files appended to the end, the clip of a motion photo, and tracks
in addition to the pictures of a HEIF or AVIF. Nothing is decoded, and nothing raises on broken
input; unreadable parts are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from PIL import Image

from screener.media.files.sniff import CONTAINERS, is_decodable, sniff
from screener.media.image.structure import file_end, headers, icons, tiff

_HEAD_SIZE = 4096  # bytes that identify the type of a file
_MIN_PICTURE_SIZE = 64  # bytes
_PHOTOSHOP_RESOURCES = (1033, 1036)  # thumbnails
_PHOTOSHOP_HEADER_SIZE = 28  # bytes before the JPEG in a resource
_COMPRESSION_TAG = 259  # in a thumbnail's directory
# They may contain the files of pictures.
_DOCUMENT_TYPES = ("application/pdf", "application/postscript", "application/x-ole-storage")
_MAX_READ_RATIO = 16  # bytes of supposed pictures, as a multiple of the document's size
_ARCHIVE_SIGNATURES = (
    re.compile(rb"Rar!\x1a\x07"),
    re.compile(rb"7z\xbc\xaf\x27\x1c"),
    re.compile(rb"\xfd7zXZ\0"),
    re.compile(rb"BZh[1-9]1AY&SY"),
    # To gzip's system, so that no compressed clip has one by chance.
    re.compile(rb"\x1f\x8b\x08[\x00-\x1f].{4}[\x00\x02\x04][\x00-\x0d\xff]", re.DOTALL),
)
# The header of a zip's member: version and method, which have few values, the length of the name,
# and its first letter.
_ZIP_MEMBER_HEADER = re.compile(
    rb"PK\x03\x04[\x00-\x63]...[\x00-\x13\x5d-\x63]\x00.{16}(..)..(?=[\x20-\xff])", re.DOTALL
)
# Supposed members that are tried; if there are more, the next one counts as a member.
_MAX_MEMBERS = 1000
_MAX_DIRECTORIES = 1 << 10  # of a TIFF, searched for JPEGs


@dataclass
class Embedded:
    """A hidden picture or clip.

    `kind` is `thumbnail` or `appended`. `clip` is true if `data` begins as a video does. The reader
    sets `complete` to False if the file does not decode to its end, since another file may then
    begin inside it.
    """

    kind: str
    data: bytes
    clip: bool = False
    complete: bool = True


def find_embedded(data: bytes, image: Image.Image) -> Iterator[Embedded]:
    """Yield the hidden files in the file `data` of `image`, thumbnails first.

    Each begins as the file of a picture, a video or an archive does, but may be something else.
    """
    # EXIF's and Photoshop's thumbnails are often equal.
    thumbnails = dict.fromkeys(_find_thumbnails(data, image))
    for thumbnail in chain(thumbnails, icons.find_pictures(data, image.size)):
        if len(thumbnail) >= _MIN_PICTURE_SIZE:
            yield Embedded("thumbnail", thumbnail)
    frames = set(getattr(image, "_MpoImageFile__mpoffsets", ()))
    tracks = _read_tracks_as_video(data, image)
    if tracks is not None:
        yield Embedded("appended", tracks, clip=True)
    for start, end in _find_motion_clips(data):
        yield Embedded("appended", data[start:end], clip=True)
    trailing_start = file_end.find_trailing_start(data, 0)
    broken: set[int] = set()
    for start, end in find_appended(data, trailing_start, broken.__contains__):
        if start not in frames:
            file = _read_appended(data, start, end)
            yield file
            if not file.complete:
                broken.add(start)
    archive = None if trailing_start is None else find_archive(data, trailing_start)
    if archive is not None:
        yield Embedded("appended", data[archive:])


def find_in_document(data: bytes) -> Iterator[Embedded]:
    """Yield the pages of a scanned document, or the previews of an unsupported raw file."""
    mime = sniff(data) or ""
    if mime not in _DOCUMENT_TYPES and not mime.startswith("image/"):
        return
    remaining = _MAX_READ_RATIO * len(data)
    # Compressed data may look like the start of a picture that extends to the next one's end.
    for start, end in find_appended(data, 1, lambda _: True):
        remaining -= end - start
        if remaining < 0:
            return
        yield _read_appended(data, start, end)


def _read_appended(data: bytes, start: int, end: int) -> Embedded:
    clip = sniff(data[start : start + _HEAD_SIZE]) in CONTAINERS
    return Embedded("appended", data[start:end], clip)


def _find_thumbnails(data: bytes, image: Image.Image) -> Iterator[bytes]:
    if image.format == "TIFF":
        yield from tiff.find_jpegs(data, stop=_MAX_DIRECTORIES)
    block = image.info.get("exif")
    # If there are several blocks, Pillow returns the last, or all of them joined.
    for exif in chain((block,), headers.find_exif_blocks(data)):
        if isinstance(exif, bytes):
            yield from _find_in_exif(exif.removeprefix(b"Exif\0\0"))
    resources = image.info.get("photoshop")
    if not isinstance(resources, dict):
        return
    for number in _PHOTOSHOP_RESOURCES:
        thumbnail = resources.get(number)
        if isinstance(thumbnail, bytes):
            yield thumbnail[_PHOTOSHOP_HEADER_SIZE:]


def _find_in_exif(block: bytes) -> Iterator[bytes]:
    second, tags = tiff.read_second_directory(block)
    if tiff.JPEG_OFFSET_TAG in tags:
        start = tags[tiff.JPEG_OFFSET_TAG]
        yield block[start : start + tags.get(tiff.JPEG_LENGTH_TAG, len(block))]
    elif _COMPRESSION_TAG in tags:
        # The block is a TIFF file whose first directory has no picture.
        yield block[:4] + second.to_bytes(4, "little" if block[:1] == b"I" else "big") + block[8:]


def _read_tracks_as_video(data: bytes, image: Image.Image) -> bytes | None:
    """Return a HEIF or AVIF with tracks as a video, which players would show.

    Return None if there are no tracks, or if they are the frames that the image's decoder shows.
    """
    boxes = list(headers.read_file_boxes(data, 0))
    if not any(box_type == b"moov" for box_type, _, _ in boxes):
        return None
    if image.format == "AVIF" and getattr(image, "n_frames", 1) > 1:
        return None
    video = bytearray(data[: file_end.find_end(data, 0)])
    for box_type, body, after in boxes:
        if box_type == b"ftyp":
            video[body:after] = b"isom".ljust(after - body, b"\0")
        elif box_type == b"meta":  # its pictures are screened as such
            start = video.rindex(box_type, 0, body)
            video[start : start + 4] = b"free"
    return bytes(video)


def _find_motion_clips(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of each motion photo's clip in a HEIF or AVIF."""
    for box_type, start, end in headers.read_file_boxes(data, 0):
        if box_type == b"mpvd":
            yield start, end


def find_appended(
    data: bytes, offset: int | None, searches_inside: Callable[[int], bool] = lambda _: False
) -> Iterator[tuple[int, int]]:
    """Yield start and end of the files of pictures and videos from `offset` on.

    Yields nothing if it is None, as for formats whose end is unknown. A file whose end is unknown
    extends to the end of the data. The search continues after a file's end, or right after its
    start if the end is unknown or `searches_inside(start)` is true when the next file is requested.
    """
    next_starts = dict.fromkeys(file_end.SIGNATURES, -1)
    while offset is not None and len(data) - offset >= _MIN_PICTURE_SIZE:
        for (signature, before), next_start in next_starts.items():
            if next_start < offset:
                found = signature.search(data, offset + before)
                next_starts[signature, before] = found.start() - before if found else len(data)
        start = min(next_starts.values())
        if start >= len(data):
            return
        offset = start + 1
        if _is_file_head(data[start : start + _HEAD_SIZE]):
            yield start, file_end.find_end(data, start) or len(data)
            if not searches_inside(start):
                offset = file_end.find_trailing_start(data, start) or offset


def hides_file(data: bytes) -> bool:
    """Return whether a picture, a video or an archive begins anywhere in `data`."""
    return next(find_appended(data, 0), None) is not None or find_archive(data, 0) is not None


def find_archive(data: bytes, offset: int) -> int | None:
    """Return the start of the next zip, RAR, 7z, gzip, bzip2 or xz file, or None.

    Many clips contain the letters of a zip, but without a member's name after them.
    """
    found = (signature.search(data, offset) for signature in _ARCHIVE_SIGNATURES)
    starts = [one.start() for one in found if one]
    for index, member in enumerate(_ZIP_MEMBER_HEADER.finditer(data, offset)):
        length = int.from_bytes(member[1], "little")
        name = data[member.end() : member.end() + length]
        if index == _MAX_MEMBERS or (0 < length == len(name) and min(name) >= 0x20):
            starts.append(member.start())
            break
    return min(starts, default=None)


def _is_file_head(head: bytes) -> bool:
    if head[4:8] == b"ftyp" and not 8 <= int.from_bytes(head[:4], "big") <= _HEAD_SIZE:
        return False
    mime = sniff(head)
    return mime in CONTAINERS or is_decodable(mime)
