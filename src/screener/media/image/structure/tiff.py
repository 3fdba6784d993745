"""Read the directories of a TIFF, each of which describes one picture.

Each page is opened by its own offset, so that a broken page hides no other.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from io import BytesIO
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageFile, ImagePalette, TiffImagePlugin

from screener.errors import MediaError
from screener.media.image.structure.strict import make_strict

# Numbers of tags.
_SUBDIRECTORIES_TAG = 330
_PIXEL_TAGS = {273, 324}  # offsets of strips and of tiles
_BITS_TAG, _COMPRESSION_TAG, _COLOURS_TAG = 258, 259, 262
_SAMPLES_TAG, _PLANES_TAG, _PALETTE_TAG = 277, 284, 320
_EXTRA_SAMPLES_TAG, _SAMPLE_FORMAT_TAG, _SUBSAMPLING_TAG = 338, 339, 530
JPEG_OFFSET_TAG, JPEG_LENGTH_TAG = 513, 514  # a JPEG that replaces the pixels

_USED_TAGS = np.array(
    [
        _SUBDIRECTORIES_TAG,
        JPEG_OFFSET_TAG,
        JPEG_LENGTH_TAG,
        _COMPRESSION_TAG,
        _SAMPLES_TAG,
        *_PIXEL_TAGS,
    ]
)
_MAX_DIRECTORY_ENTRIES = 1 << 16
_MAX_DIRECTORIES = 1 << 10
_INTEGER_SIZES = {3: 2, 4: 4, 13: 4, 16: 8, 18: 8}  # bytes of integers, by their type

_LZW_COMPRESSION = 5
# Pillow's modes of the other byte order, and the same modes of the machine's byte order.
_SWAPPED_MODES = {"I;16BS": "I;16NS", "I;32BS": "I;32NS", "F;32BF": "F;32NF"}


class _Layout(NamedTuple):
    """The byte order of a file's numbers, and whether it is a BigTIFF."""

    data: bytes
    order: Literal["little", "big"]
    big: bool

    @property
    def offset_size(self) -> int:
        return 8 if self.big else 4

    def read_number(self, offset: int, size: int) -> int:
        """Return the number at `offset`, or 0 past the end of the data."""
        field = self.data[offset : offset + size]
        return int.from_bytes(field, self.order) if len(field) == size else 0

    def read_entries(self, offset: int) -> tuple[int, int]:
        """Return the number of a directory's entries and the offset of the first."""
        size = 8 if self.big else 2
        return self.read_number(offset, size), offset + size

    @property
    def entry_size(self) -> int:
        return 20 if self.big else 12

    def read_value(self, entry: int) -> int:
        """Return the first value of an entry that contains its values."""
        size = _INTEGER_SIZES.get(self.read_number(entry + 2, 2), 0)
        return self.read_number(entry + 4 + self.offset_size, size)

    def find_end(self, offset: int) -> int:
        count, first = self.read_entries(offset)
        return first + self.entry_size * count + self.offset_size


def _read_layout(data: bytes) -> _Layout | None:
    # Like Pillow, accept the two bytes of the version in either order.
    if data[:2] not in (b"II", b"MM") or data[2:4] not in (b"*\0", b"\0*", b"+\0", b"\0+"):
        return None
    return _Layout(data, "little" if data[:1] == b"I" else "big", b"+" in data[2:4])


def find_directories(data: bytes, *, stop: int) -> list[int]:
    """Return the offsets of at most `stop` directories: pages, then the directories in them.

    Each offset is returned once, even if directories refer to each other in a circle. There may be
    no directory at an offset.
    """
    layout = _read_layout(data)
    if layout is None:
        return []
    offsets: dict[int, None] = {}
    starts = deque([layout.read_number(8 if layout.big else 4, layout.offset_size)])
    while starts and len(offsets) < stop:
        offset = starts.popleft()
        while offset and offset not in offsets and len(offsets) < stop:
            offsets[offset] = None
            starts.extend(_find_subdirectories(layout, offset, stop))
            next_offset = layout.find_end(offset) - layout.offset_size
            offset = layout.read_number(next_offset, layout.offset_size)
    return list(offsets)


def _find_subdirectories(layout: _Layout, offset: int, stop: int) -> list[int]:
    entry = _find_entries(layout, offset).get(_SUBDIRECTORIES_TAG)
    if entry is None:
        return []
    size = _INTEGER_SIZES.get(layout.read_number(entry + 2, 2), 0)
    count = layout.read_number(entry + 4, layout.offset_size)
    values = entry + 4 + layout.offset_size
    if size * count > layout.offset_size:
        values = layout.read_number(values, layout.offset_size)
    return [layout.read_number(values + size * n, size) for n in range(min(count, stop))]


def _find_entries(layout: _Layout, offset: int) -> dict[int, int]:
    """Return the offsets of the entries that this module uses, by tag.

    All tags are read with one call, since a small file can have a thousand directories that share
    65,535 entries.
    """
    count, first = layout.read_entries(offset)
    possible = (len(layout.data) - first - 2) // layout.entry_size + 1
    count = min(count, possible, _MAX_DIRECTORY_ENTRIES)
    if count <= 0:
        return {}
    kind = np.dtype(np.uint16).newbyteorder(layout.order)
    tags = np.ndarray(count, kind, layout.data, first, (layout.entry_size,))
    used = np.flatnonzero(np.isin(tags, _USED_TAGS)).tolist()
    return {int(tags[number]): first + layout.entry_size * number for number in used}


def find_jpegs(data: bytes, *, stop: int) -> Iterator[bytes]:
    """Yield the JPEG files that replace the pixels of directories, as in raw files."""
    layout = _read_layout(data)
    if layout is None:
        return
    for offset in find_directories(data, stop=stop):
        tags = _find_entries(layout, offset)
        if _is_replaced_by_jpeg(tags):
            values = [
                tags[tag] + 4 + layout.offset_size
                for tag in (JPEG_OFFSET_TAG, JPEG_LENGTH_TAG)
                if tag in tags
            ]
            start, *length = [layout.read_number(offset, 4) for offset in values]
            yield data[start : start + length[0]] if length else data[start:]


def is_cut_short(data: bytes) -> bool:
    """Return whether a directory ends past the end of the file."""
    layout = _read_layout(data)
    if layout is None:
        return False
    ends = map(layout.find_end, find_directories(data, stop=_MAX_DIRECTORIES))
    return any(end > len(data) for end in ends)


class _FileFromDirectory(BytesIO):
    """The bytes of a TIFF, with a header that refers to another first directory."""

    def __init__(self, layout: _Layout, offset: int) -> None:
        super().__init__(layout.data)  # shares the bytes
        prefix_size = 8 if layout.big else 4
        self._header = layout.data[:prefix_size] + offset.to_bytes(layout.offset_size, layout.order)

    def read(self, size: int | None = -1, /) -> bytes:
        position = self.tell()
        data = super().read(size)
        if position >= len(self._header):
            return data
        return (self._header[position:] + data[len(self._header) - position :])[: len(data)]

    def getvalue(self) -> bytes:
        """Return the bytes for libtiff.

        libtiff fails if the file's first directory cannot be read, even if another is requested;
        only then return a copy with the other header.
        """
        data = super().getvalue()
        if data.startswith(self._header):
            return data
        try:
            TiffImagePlugin.TiffImageFile(BytesIO(data), "")
        except Exception:
            return self._header + data[len(self._header) :]
        return data


class _Tiff(TiffImagePlugin.TiffImageFile):
    """A TIFF that is prepared for libtiff before Pillow can refuse its planes."""

    def _setup(self) -> None:
        _delegate_to_libtiff(self.tag_v2)
        super()._setup()


def open_page(data: bytes, offset: int) -> ImageFile.ImageFile:
    """Open the picture whose directory is at `offset` without decoding pixels.

    Raises MediaError `unsupported` if Pillow does not support the picture, and Pillow's own errors.
    """
    layout = _read_layout(data)
    if layout is None or offset >= 1 << 8 * layout.offset_size:
        raise SyntaxError("not a TIFF")
    try:
        return make_strict(_Tiff(_FileFromDirectory(layout, offset), ""))
    except Exception:
        feature = _describe_unsupported(layout, offset)
        if feature is None:
            raise
    raise MediaError("unsupported", f"image/tiff: not decoded: {feature}")


def open_first_page(data: bytes) -> ImageFile.ImageFile:
    """Open the first picture that can be opened, or raise the first picture's error."""
    offsets = find_directories(data, stop=_MAX_DIRECTORIES)
    for offset in offsets:
        with contextlib.suppress(Exception):
            return open_page(data, offset)
    return open_page(data, offsets[0] if offsets else 0)


def _describe_unsupported(layout: _Layout, offset: int) -> str | None:
    """Return the feature that Pillow does not support in a picture, or None."""
    if layout.big and layout.order == "big":
        return "a BigTIFF in big-endian order"
    tags = _find_entries(layout, offset)
    compression, samples = (
        layout.read_value(tags[tag]) if tag in tags else 1
        for tag in (_COMPRESSION_TAG, _SAMPLES_TAG)
    )
    if compression and compression not in TiffImagePlugin.COMPRESSION_INFO:
        return f"compression {compression}"
    if samples > TiffImagePlugin.MAX_SAMPLESPERPIXEL:
        return f"{samples} samples per pixel"
    return "it has a JPEG in its place" if _is_replaced_by_jpeg(tags) else None


def _is_replaced_by_jpeg(tags: dict[int, int]) -> bool:
    return JPEG_OFFSET_TAG in tags and not tags.keys() & _PIXEL_TAGS


def mend(image: Image.Image) -> None:
    """Correct how Pillow reads a TIFF's pixels, before the image is loaded.

    In uncompressed files Pillow assumes planes of 8 bits per sample and a colour for every pixel.
    It swaps the bytes of numbers that libtiff has swapped already. Some programs write palettes of
    8 bits instead of 16.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or not image.tile:
        return
    tags = image.tag_v2
    if image.mode == "P" and max(colours := tags.get(_PALETTE_TAG, (256,))) < 256:
        image.palette = ImagePalette.raw("RGB;L", bytes(colours))
    supported = {"LA": 0, "RGBA": 1}.get(image.mode)  # extra samples in planes
    if (
        tags.get(_PLANES_TAG) == 2
        and supported is not None
        and len(tags.get(_EXTRA_SAMPLES_TAG, ())) > supported
    ):
        raise OSError("such planes of alpha are not supported")  # Pillow would read zeros or fail
    if _delegate_to_libtiff(tags):
        image._setup()
    (codec, extents, offset, args), *more = image.tile
    if codec == "libtiff" and not more and isinstance(args, tuple) and args[0] in _SWAPPED_MODES:
        args = (_SWAPPED_MODES[args[0]], *args[1:])
        image.tile = [ImageFile._Tile(codec, extents, offset, args)]


def _delegate_to_libtiff(tags: TiffImagePlugin.ImageFileDirectory_v2) -> bool:
    """Make libtiff read samples that Pillow would misread; return whether there are any."""
    is_misread = tags.get(_PLANES_TAG) == 2 or tags.get(_SUBSAMPLING_TAG, (1, 1)) != (1, 1)
    if not is_misread or tags.get(_COMPRESSION_TAG, 1) != 1:
        return False
    tags[_COMPRESSION_TAG] = _LZW_COMPRESSION  # Pillow leaves compressed files to libtiff
    return True


def is_negative(image: Image.Image) -> bool:
    """Return whether 0 is white in a deep grey TIFF, which Pillow ignores."""
    return isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_COLOURS_TAG) == 0


def is_unsigned(image: Image.Image) -> bool:
    """Return whether a TIFF's samples are unsigned 32-bit, which Pillow reads as signed."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    bits, format = image.tag_v2.get(_BITS_TAG, (1,)), image.tag_v2.get(_SAMPLE_FORMAT_TAG, (1,))
    return (bits, format) == ((32,), (1,))


def read_second_directory(block: bytes) -> tuple[int, dict[int, int]]:
    """Return offset and values, by tag, of an EXIF block's second directory.

    Return (0, {}) if there is none. A value that does not fit into its entry is given by its
    offset.
    """
    layout = _read_layout(block)
    if layout is None or layout.big:
        return 0, {}
    count, offset = layout.read_entries(layout.read_number(4, 4))
    second = layout.read_number(offset + 12 * count, 4)
    tags = {}
    count, offset = layout.read_entries(second) if second else (0, 0)
    for entry in range(offset, offset + 12 * min(count, 256), 12):
        is_short = layout.read_number(entry + 2, 2) == 3 and layout.read_number(entry + 4, 4) == 1
        tags[layout.read_number(entry, 2)] = layout.read_number(entry + 8, 2 if is_short else 4)
    return second, tags
