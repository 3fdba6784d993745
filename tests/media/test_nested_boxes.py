"""Nested boxes, and more of them than any file has, take bounded time and memory."""

import io
import struct

import numpy as np
import pytest
from iso_boxes import box

from screener.media.image import embedded
from screener.media.image.structure import icons, items
from screener.media.video.containers import attachments, boxes

DEEP = 50_000  # more levels than Python calls functions within functions
MANY = 300_000

ISO = box(b"ftyp", b"isom", bytes(4))


def nested(kind):
    """Return boxes of one kind, each within the one before."""
    return b"".join(struct.pack(">I4s", 8 * (DEEP - level), kind) for level in range(DEEP))


def animated(meta=b"", movie=b""):
    """Return an animated AVIF with these boxes in its metadata and its movie."""
    head = box(b"ftyp", b"avis", bytes(4))
    return head + box(b"meta", bytes(4) + meta) + box(b"moov", movie)


def info(number):
    """Return the box that describes an item as a picture."""
    return box(b"infe", struct.pack(">IHH", 2 << 24, number, 0) + b"av01\0")


ONE = box(b"pitm", bytes(4) + b"\0\1") + box(b"iinf", bytes(4) + b"\0\1" + info(1))


@pytest.mark.parametrize("kind", [b"trak", b"mdia", b"stbl"])
def test_boxes_of_a_movie_within_one_another(kind):
    """No track's chunk is there, so the primary picture is in none."""
    assert items.has_more(animated(ONE, nested(kind)), "AVIF", 1)


@pytest.mark.parametrize("kind", [b"moof", b"traf"])
def test_fragments_within_one_another(kind):
    """They state no times."""
    assert not boxes.begins_anew(io.BytesIO(ISO + nested(kind)))


@pytest.mark.parametrize("kind", [b"moov", b"meta", b"ilst", b"data"])
def test_metadata_within_one_another(kind):
    """They hold no cover; nor do metadata in an item of metadata."""
    assert attachments.places(io.BytesIO(ISO + nested(kind))) == []
    assert attachments.places(io.BytesIO(ISO + box(b"ilst", nested(kind)))) == []


def test_a_cover_in_an_item_of_any_name():
    """An item may have the name of the box that holds all items."""
    value = box(b"data", bytes(8) + b"\xff\xd8\xff\xe0" + bytes(20))
    for name in (b"covr", b"ilst", b"data", b"meta"):
        (place,) = attachments.places(
            io.BytesIO(ISO + box(b"moov", box(b"ilst", box(name, value))))
        )
        assert place.mime == "image/jpeg"


def test_items_beyond_all_measure():
    """Only the first hundred thousand are read; the picture counts as not returned."""
    listed = box(b"iinf", bytes(6) + b"".join(info(number % 9) for number in range(MANY)))
    assert len(items.pictures(bytes(4) + listed)) == items._MOST
    references = box(b"dimg", struct.pack(">HH", 1, 60_000) + bytes(120_000)) * 3
    last = box(b"dimg", struct.pack(">HHH", 1, 1, 2))
    both = box(b"iinf", bytes(6) + info(1) + info(2))
    for before, part in ((b"", True), (references, False)):
        found = items.pictures(bytes(4) + both + box(b"iref", bytes(4) + before + last))
        assert [(one.number, one.part) for one in found] == [(1, False), (2, part)]


def test_places_of_items_beyond_all_measure():
    """A box may say that it has four thousand million of them."""
    meta = bytes(4) + box(b"iloc", struct.pack(">IHI", 2 << 24, 0, 0xFFFFFFFF) + bytes(1 << 20))
    assert items._place(meta, 7) == 0


def test_covers_and_icons_beyond_all_measure():
    """Only as many as allowed are listed."""
    value = box(b"data", bytes(8) + b"\xff\xd8\xff\xe0")
    file = ISO + box(b"ilst", box(b"covr", value * MANY))
    assert len(attachments.places(io.BytesIO(file))) == attachments._MOST
    png = struct.pack(">4sI8sII", b"ic07", 24, b"\x89PNG\r\n\x1a\n", 64, 64)
    file = b"icns" + bytes(4) + png * MANY
    assert len(list(icons.pictures(file, (99, 99)))) <= icons._MOST


def test_letters_of_zip_files_beyond_all_measure():
    """Letters alone are no member, however many; headers without names are reported."""
    letters = b"PK\3\4" * MANY
    assert embedded.archive_in(letters, 0) is None
    head = b"PK\3\4\x14\0\0\0\x08\0" + bytes(16) + b"\xff\xff\0\0A\0"
    assert embedded.archive_in(bytes(9) + head * 2000, 0) is not None
    noise = np.random.default_rng(1).integers(0, 256, 1 << 20, np.uint8).tobytes()
    assert embedded.archive_in(noise, 0) is None
