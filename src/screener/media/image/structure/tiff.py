"""The directories of a TIFF's bytes, each of which tells of one picture, read without decoding.

A page is opened by its own place in the file, so that one which is broken is in the way of no
other. Nothing here raises on broken input but `opened` and `first_opened`.
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

_WITHIN = 330  # the tag of a directory that names directories within it
_PIXELS = {273, 324}  # the tags that say where the pixels are, in strips or tiles
_BITS, _COMPRESSION, _COLOURS, _SAMPLES, _PLANES, _PALETTE = 258, 259, 262, 277, 284, 320
_EXTRA, _FORMAT, _SHARED = 338, 339, 530
"""The tags of bits per sample, compression, what samples mean, samples per pixel, planes, a
palette, what further samples mean, the kind of number, and how many pixels share a colour.
"""
JPEG_AT, JPEG_LENGTH = 513, 514
"""The tags that say where a JPEG is that stands in for pixels, and how long."""

_ASKED = np.array([_WITHIN, JPEG_AT, JPEG_LENGTH, _COMPRESSION, _SAMPLES, *_PIXELS])
_TAGS = 1 << 16  # that there are: a directory has no more entries, whatever it says
_LOOKED_AT = 1 << 10  # directories of a file that may be cut
_SIZES = {3: 2, 4: 4, 13: 4, 16: 8, 18: 8}  # bytes of whole numbers, by the number of their type


_LZW = 5  # a compression
# Modes of Pillow's for numbers with a sign, and floats, whose bytes come in the other order; and
# those for the same in the order of the machine.
_TURNED = {"I;16BS": "I;16NS", "I;32BS": "I;32NS", "F;32BF": "F;32NF"}


class _Form(NamedTuple):
    """How the numbers of a file are written: their order, and whether it is a BigTIFF."""

    data: bytes
    order: Literal["little", "big"]
    big: bool

    @property
    def word(self) -> int:
        """Bytes of a place in the file."""
        return 8 if self.big else 4

    def number(self, at: int, size: int) -> int:
        """The number at a place; 0 where the data end before it does."""
        found = self.data[at : at + size]
        return int.from_bytes(found, self.order) if len(found) == size else 0

    def entries(self, place: int) -> tuple[int, int]:
        """How many entries a directory has, and where the first of them is."""
        size = 8 if self.big else 2
        return self.number(place, size), place + size

    @property
    def entry(self) -> int:
        """Bytes of an entry."""
        return 20 if self.big else 12

    def value(self, entry: int) -> int:
        """The only value of an entry, or the first of those that stand in it."""
        return self.number(entry + 4 + self.word, _SIZES.get(self.number(entry + 2, 2), 0))

    def end(self, place: int) -> int:
        """Where a directory ends, with the place of the next."""
        count, first = self.entries(place)
        return first + self.entry * count + self.word


def _form(data: bytes) -> _Form | None:
    # As Pillow has it, which also takes the two bytes of the version in the wrong order.
    if data[:2] not in (b"II", b"MM") or data[2:4] not in (b"*\0", b"\0*", b"+\0", b"\0+"):
        return None
    return _Form(data, "little" if data[:1] == b"I" else "big", b"+" in data[2:4])


def directories(data: bytes, *, stop: int) -> list[int]:
    """Where the directories of a TIFF are, no more than `stop`: its pages in their order, then
    those within them, such as the picture of a raw file whose first page is a thumbnail.

    Each comes once, whatever circles they make; also a place at which there is none.
    """
    form = _form(data)
    if form is None:
        return []
    found: dict[int, None] = {}
    starts = deque([form.number(8 if form.big else 4, form.word)])
    while starts and len(found) < stop:
        place = starts.popleft()
        while place and place not in found and len(found) < stop:
            found[place] = None
            starts.extend(_within(form, place, stop))
            place = form.number(form.end(place) - form.word, form.word)
    return list(found)


def _within(form: _Form, place: int, stop: int) -> list[int]:
    """The directories that one names as being within it, no more than `stop`."""
    at = _entries(form, place).get(_WITHIN)
    if at is None:
        return []
    size = _SIZES.get(form.number(at + 2, 2), 0)
    many = form.number(at + 4, form.word)
    values = at + 4 + form.word
    if size * many > form.word:
        values = form.number(values, form.word)
    return [form.number(values + size * n, size) for n in range(min(many, stop))]


def _entries(form: _Form, place: int) -> dict[int, int]:
    """The tags of a directory that anybody asks for here, and where their entries are. At once: a
    small file can have a thousand directories of 65,535 entries each, which are the same bytes.
    """
    count, first = form.entries(place)
    there = (len(form.data) - first - 2) // form.entry + 1
    count = min(count, there, _TAGS)
    if count <= 0:
        return {}
    kind = np.dtype(np.uint16).newbyteorder(form.order)
    tags = np.ndarray(count, kind, form.data, first, (form.entry,))
    asked = np.flatnonzero(np.isin(tags, _ASKED)).tolist()
    return {int(tags[number]): first + form.entry * number for number in asked}


def jpegs(data: bytes, *, stop: int) -> Iterator[bytes]:
    """The JPEG files that stand in for the pixels of directories which have none: of raw files
    the picture as the camera showed it is often told so.
    """
    form = _form(data)
    if form is None:
        return
    for place in directories(data, stop=stop):
        tags = _entries(form, place)
        if _is_stood_in(tags):
            entry = [tags[tag] + 4 + form.word for tag in (JPEG_AT, JPEG_LENGTH) if tag in tags]
            start, *length = [form.number(at, 4) for at in entry]
            yield data[start : start + length[0]] if length else data[start:]


def cut_short(data: bytes) -> bool:
    """Whether a directory, or what tells where the next one is, ends behind the end of the file."""
    form = _form(data)
    if form is None:
        return False
    ends = map(form.end, directories(data, stop=_LOOKED_AT))
    return any(end > len(data) for end in ends)


class _From(BytesIO):
    """The bytes of a TIFF, which says that it begins with another of its directories."""

    def __init__(self, form: _Form, place: int) -> None:
        super().__init__(form.data)  # holds the same bytes, not a copy
        before = 8 if form.big else 4
        self._head = form.data[:before] + place.to_bytes(form.word, form.order)

    def read(self, size: int | None = -1, /) -> bytes:
        at = self.tell()
        found = super().read(size)
        if at >= len(self._head):
            return found
        return (self._head[at:] + found[len(self._head) - at :])[: len(found)]

    def getvalue(self) -> bytes:
        """What libtiff is given. It fails where the first directory cannot be read, whichever it is
        asked for: then a copy that does begin with the other.
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
    """A TIFF that Pillow opens as it will be read: one of more planes than it shows it would not
    open at all.
    """

    def _setup(self) -> None:
        _hand_over(self.tag_v2)
        super()._setup()


def opened(data: bytes, place: int) -> ImageFile.ImageFile:
    """The picture whose directory is at a place, no pixel decoded; raises what Pillow raises, and
    MediaError, `unsupported`, for one that is of a kind which Pillow does not know.
    """
    form = _form(data)
    if form is None or place >= 1 << 8 * form.word:
        raise SyntaxError("not a TIFF")
    try:
        return strict(_Tiff(_From(form, place), ""))
    except Exception:
        unknown = _unknown(form, place)
        if unknown is None:
            raise
    raise MediaError("unsupported", f"image/tiff: a picture that is not decoded: {unknown}")


def first_opened(data: bytes) -> ImageFile.ImageFile:
    """The first picture that can be opened; raises what the first of all raises if none can."""
    places = directories(data, stop=_LOOKED_AT)
    for place in places:
        with contextlib.suppress(Exception):
            return opened(data, place)
    return opened(data, places[0] if places else 0)


def _unknown(form: _Form, place: int) -> str | None:
    """What Pillow does not know of a picture, as its directory tells: nothing is wrong with it."""
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
    """Whether a directory has a JPEG file and no pixels."""
    return JPEG_AT in tags and not tags.keys() & _PIXELS


def mend(image: Image.Image) -> None:
    """Have a TIFF's pixels read as they are stored, before they are loaded, where Pillow would not.

    Of what is not compressed it takes planes to have 8 bits a sample, and every pixel a colour of
    its own, whatever the file says; and it turns round the bytes of numbers that libtiff has turned
    already. Palettes are of 16 bits, but for those of programs that thought otherwise.
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
    """Have libtiff read samples that are not compressed where Pillow would read others, or none:
    whether that is so.
    """
    odd = tags.get(_PLANES) == 2 or tags.get(_SHARED, (1, 1)) != (1, 1)
    if not odd or tags.get(_COMPRESSION, 1) != 1:
        return False
    tags[_COMPRESSION] = _LZW  # libtiff, which reads all compressed files, reads these too
    return True


def is_negative(image: Image.Image) -> bool:
    """Whether the least value of a deep grey TIFF is white, which Pillow leaves as it is."""
    return isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_COLOURS) == 0


def is_unsigned(image: Image.Image) -> bool:
    """Whether a TIFF's numbers have 32 bits and no sign, which Pillow takes to have one."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    bits, format = image.tag_v2.get(_BITS, (1,)), image.tag_v2.get(_FORMAT, (1,))
    return (bits, format) == ((32,), (1,))


def second_directory(block: bytes) -> tuple[int, dict[int, int]]:
    """Where the second directory of an EXIF block is, and its tags' first values; (0, {}) where
    there is none. A value that does not fit its entry stands as its place.
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
