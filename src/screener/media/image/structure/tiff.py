"""The directories of a TIFF, each of which describes one picture.

A page is opened by its own place in the file, so that a broken one hides no other.
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
from screener.media.image.structure.strict import strict

_WITHIN = 330  # the tag for directories within a directory
_PIXELS = {273, 324}  # the tags for the places of pixels, in strips or tiles
_BITS, _COMPRESSION, _COLOURS, _SAMPLES, _PLANES, _PALETTE = 258, 259, 262, 277, 284, 320
_EXTRA, _FORMAT, _SHARED = 338, 339, 530
"""The tags for bits per sample, compression, colour model, samples per pixel, planes, palette,
further samples, the type of samples, and how many pixels share a colour.
"""
JPEG_AT, JPEG_LENGTH = 513, 514
"""The tags for the place and length of a JPEG that stands in for pixels."""

_USED = np.array([_WITHIN, JPEG_AT, JPEG_LENGTH, _COMPRESSION, _SAMPLES, *_PIXELS])
_TAGS = 1 << 16  # most entries of a directory, whatever it declares
_MOST_READ = 1 << 10  # directories that are read
_SIZES = {3: 2, 4: 4, 13: 4, 16: 8, 18: 8}  # bytes of integers, by their type

_LZW = 5  # a compression
# Pillow's modes for signed numbers and floats of the other byte order, and of the machine's.
_TURNED = {"I;16BS": "I;16NS", "I;32BS": "I;32NS", "F;32BF": "F;32NF"}


class _Form(NamedTuple):
    """The byte order of a file's numbers, and whether it is a BigTIFF."""

    data: bytes
    order: Literal["little", "big"]
    big: bool

    @property
    def place_size(self) -> int:
        return 8 if self.big else 4

    def number(self, at: int, size: int) -> int:
        """Return the number at a place, 0 behind the end of the data."""
        number = self.data[at : at + size]
        return int.from_bytes(number, self.order) if len(number) == size else 0

    def entries(self, place: int) -> tuple[int, int]:
        size = 8 if self.big else 2
        return self.number(place, size), place + size

    @property
    def entry_size(self) -> int:
        return 20 if self.big else 12

    def value(self, entry: int) -> int:
        """Return the first value of an entry, if it stands in the entry itself."""
        return self.number(entry + 4 + self.place_size, _SIZES.get(self.number(entry + 2, 2), 0))

    def end(self, place: int) -> int:
        count, first = self.entries(place)
        return first + self.entry_size * count + self.place_size


def _form(data: bytes) -> _Form | None:
    # Like Pillow, accept the two bytes of the version in either order.
    if data[:2] not in (b"II", b"MM") or data[2:4] not in (b"*\0", b"\0*", b"+\0", b"\0+"):
        return None
    return _Form(data, "little" if data[:1] == b"I" else "big", b"+" in data[2:4])


def directories(data: bytes, *, stop: int) -> list[int]:
    """Return the places of a TIFF's directories, at most `stop`: its pages, then those within them.

    Each place comes once, whatever circles they form; it may hold no directory.
    """
    form = _form(data)
    if form is None:
        return []
    places: dict[int, None] = {}
    starts = deque([form.number(8 if form.big else 4, form.place_size)])
    while starts and len(places) < stop:
        place = starts.popleft()
        while place and place not in places and len(places) < stop:
            places[place] = None
            starts.extend(_within(form, place, stop))
            place = form.number(form.end(place) - form.place_size, form.place_size)
    return list(places)


def _within(form: _Form, place: int, stop: int) -> list[int]:
    at = _entries(form, place).get(_WITHIN)
    if at is None:
        return []
    size = _SIZES.get(form.number(at + 2, 2), 0)
    count = form.number(at + 4, form.place_size)
    values = at + 4 + form.place_size
    if size * count > form.place_size:
        values = form.number(values, form.place_size)
    return [form.number(values + size * n, size) for n in range(min(count, stop))]


def _entries(form: _Form, place: int) -> dict[int, int]:
    """Return the places of the entries that are used here, by tag.

    They are read at once: a small file can have a thousand directories of 65,535 entries that are
    the same bytes.
    """
    count, first = form.entries(place)
    there = (len(form.data) - first - 2) // form.entry_size + 1
    count = min(count, there, _TAGS)
    if count <= 0:
        return {}
    kind = np.dtype(np.uint16).newbyteorder(form.order)
    tags = np.ndarray(count, kind, form.data, first, (form.entry_size,))
    used = np.flatnonzero(np.isin(tags, _USED)).tolist()
    return {int(tags[number]): first + form.entry_size * number for number in used}


def jpegs(data: bytes, *, stop: int) -> Iterator[bytes]:
    """Yield the JPEG files that stand in for the pixels of directories, as in raw files."""
    form = _form(data)
    if form is None:
        return
    for place in directories(data, stop=stop):
        tags = _entries(form, place)
        if _is_stood_in(tags):
            entry = [
                tags[tag] + 4 + form.place_size for tag in (JPEG_AT, JPEG_LENGTH) if tag in tags
            ]
            start, *length = [form.number(at, 4) for at in entry]
            yield data[start : start + length[0]] if length else data[start:]


def cut_short(data: bytes) -> bool:
    """Return whether a directory ends behind the end of the file."""
    form = _form(data)
    if form is None:
        return False
    ends = map(form.end, directories(data, stop=_MOST_READ))
    return any(end > len(data) for end in ends)


class _From(BytesIO):
    """The bytes of a TIFF whose header names another directory as the first."""

    def __init__(self, form: _Form, place: int) -> None:
        super().__init__(form.data)  # shares the bytes
        before = 8 if form.big else 4
        self._head = form.data[:before] + place.to_bytes(form.place_size, form.order)

    def read(self, size: int | None = -1, /) -> bytes:
        at = self.tell()
        data = super().read(size)
        if at >= len(self._head):
            return data
        return (self._head[at:] + data[len(self._head) - at :])[: len(data)]

    def getvalue(self) -> bytes:
        """Return the bytes for libtiff.

        It fails if the file's first directory cannot be read, whichever is requested: then return a
        copy that begins with the other.
        """
        data = super().getvalue()
        if data.startswith(self._head):
            return data
        try:
            TiffImagePlugin.TiffImageFile(BytesIO(data), "")
        except Exception:
            return self._head + data[len(self._head) :]
        return data


class _Tiff(TiffImagePlugin.TiffImageFile):
    """A TIFF that Pillow opens as it will be read, since it refuses more planes than it shows."""

    def _setup(self) -> None:
        _hand_over(self.tag_v2)
        super()._setup()


def opened(data: bytes, place: int) -> ImageFile.ImageFile:
    """Open the picture whose directory is at a place, no pixel decoded.

    Raises what Pillow raises, and MediaError `unsupported` for a kind that Pillow does not know.
    """
    form = _form(data)
    if form is None or place >= 1 << 8 * form.place_size:
        raise SyntaxError("not a TIFF")
    try:
        return strict(_Tiff(_From(form, place), ""))
    except Exception:
        unknown = _unknown(form, place)
        if unknown is None:
            raise
    raise MediaError("unsupported", f"image/tiff: not decoded: {unknown}")


def first_opened(data: bytes) -> ImageFile.ImageFile:
    """Open the first picture that can be opened. If none can, raise what the first raises."""
    places = directories(data, stop=_MOST_READ)
    for place in places:
        with contextlib.suppress(Exception):
            return opened(data, place)
    return opened(data, places[0] if places else 0)


def _unknown(form: _Form, place: int) -> str | None:
    """Return what Pillow does not support in a picture that is not damaged."""
    if form.big and form.order == "big":
        return "a BigTIFF in big-endian order"
    tags = _entries(form, place)
    compression, samples = (
        form.value(tags[tag]) if tag in tags else 1 for tag in (_COMPRESSION, _SAMPLES)
    )
    if compression and compression not in TiffImagePlugin.COMPRESSION_INFO:
        return f"compression {compression}"
    if samples > TiffImagePlugin.MAX_SAMPLESPERPIXEL:
        return f"{samples} samples a pixel"
    return "it has a JPEG in its place" if _is_stood_in(tags) else None


def _is_stood_in(tags: dict[int, int]) -> bool:
    return JPEG_AT in tags and not tags.keys() & _PIXELS


def mend(image: Image.Image) -> None:
    """Correct how Pillow reads a TIFF's pixels, in an image that is not loaded yet.

    Without compression it assumes that planes have 8 bits a sample and that every pixel has its own
    colour. It swaps the bytes of numbers that libtiff has swapped already. Some programs write
    palettes of 8 bits instead of 16.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or not image.tile:
        return
    tags = image.tag_v2
    if image.mode == "P" and max(colours := tags.get(_PALETTE, (256,))) < 256:
        image.palette = ImagePalette.raw("RGB;L", bytes(colours))
    most = {"LA": 0, "RGBA": 1}.get(image.mode)  # further samples, in planes
    if tags.get(_PLANES) == 2 and most is not None and len(tags.get(_EXTRA, ())) > most:
        raise OSError("such planes of alpha are not supported")  # it would be 0, or not found
    if _hand_over(tags):
        image._setup()
    (codec, extents, offset, args), *more = image.tile
    if codec == "libtiff" and not more and isinstance(args, tuple) and args[0] in _TURNED:
        args = (_TURNED[args[0]], *args[1:])
        image.tile = [ImageFile._Tile(codec, extents, offset, args)]


def _hand_over(tags: TiffImagePlugin.ImageFileDirectory_v2) -> bool:
    """Let libtiff read samples that Pillow would read wrongly; return whether there are such."""
    odd = tags.get(_PLANES) == 2 or tags.get(_SHARED, (1, 1)) != (1, 1)
    if not odd or tags.get(_COMPRESSION, 1) != 1:
        return False
    tags[_COMPRESSION] = _LZW  # Pillow leaves compressed files to libtiff
    return True


def is_negative(image: Image.Image) -> bool:
    """Return whether the least value of a deep grey TIFF is white, which Pillow ignores."""
    return isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_COLOURS) == 0


def is_unsigned(image: Image.Image) -> bool:
    """Return whether a TIFF's numbers are unsigned 32 bits, which Pillow takes as signed."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    bits, format = image.tag_v2.get(_BITS, (1,)), image.tag_v2.get(_FORMAT, (1,))
    return (bits, format) == ((32,), (1,))


def second_directory(block: bytes) -> tuple[int, dict[int, int]]:
    """Return the place of an EXIF block's second directory and its tags' first values, or (0, {}).

    A value that does not fit its entry is its place.
    """
    form = _form(block)
    if form is None or form.big:
        return 0, {}
    count, at = form.entries(form.number(4, 4))
    second = form.number(at + 12 * count, 4)
    tags = {}
    count, at = form.entries(second) if second else (0, 0)
    for entry in range(at, at + 12 * min(count, 256), 12):
        short = form.number(entry + 2, 2) == 3 and form.number(entry + 4, 4) == 1
        tags[form.number(entry, 2)] = form.number(entry + 8, 2 if short else 4)
    return second, tags
