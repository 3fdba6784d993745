"""Deeply nested boxes, and more of them than any file has, are read in bounds."""

import io
import struct

import numpy as np
import pytest
from iso_boxes import box

from screener.media.image import embedded
from screener.media.image.structure import icons, items
from screener.media.video.containers import attachments, declared

DEEP = 50_000  # more levels than Python calls functions within functions
MANY = 300_000

ISO = box(b"ftyp", b"isom", bytes(4))


def nested(kind):
    """Return boxes of one kind, each within the one before."""
    return b"".join(struct.pack(">I4s", 8 * (DEEP - level), kind) for level in range(DEEP))


def animated(meta=b"", movie=b""):
    """Return what is read of an animated AVIF."""
    head = box(b"ftyp", b"avis", bytes(4))
    return head + box(b"meta", bytes(4) + meta) + box(b"moov", movie)


def info(number):
    """Return an entry that declares an item to be an image."""
    return box(b"infe", struct.pack(">IHH", 2 << 24, number, 0) + b"av01\0")


ONE = box(b"pitm", bytes(4) + b"\0\1") + box(b"iinf", bytes(4) + b"\0\1" + info(1))


@pytest.mark.parametrize("kind", [b"trak", b"mdia", b"stbl"])
def test_deeply_nested_movie_boxes_are_read_in_bounds(kind):
    """No chunk of a track is found, so the primary image is in none."""
    assert items.has_more(animated(ONE, nested(kind)), "AVIF", 1)


@pytest.mark.parametrize("kind", [b"moof", b"traf"])
def test_deeply_nested_fragments_are_read_in_bounds(kind):
    """They have no times."""
    assert not declared.has_time_restart(io.BytesIO(ISO + nested(kind)))


@pytest.mark.parametrize("kind", [b"moov", b"meta", b"ilst", b"data"])
def test_deeply_nested_metadata_is_read_in_bounds(kind):
    """They have no cover, even within an item."""
    assert attachments.find_attached(io.BytesIO(ISO + nested(kind))) == []
    assert attachments.find_attached(io.BytesIO(ISO + box(b"ilst", nested(kind)))) == []


def test_a_cover_may_be_in_an_item_of_any_name():
    """The name may be that of its parent."""
    value = box(b"data", bytes(8) + b"\xff\xd8\xff\xe0" + bytes(20))
    for name in (b"covr", b"ilst", b"data", b"meta"):
        (place,) = attachments.find_attached(
            io.BytesIO(ISO + box(b"moov", box(b"ilst", box(name, value))))
        )
        assert place.mime == "image/jpeg"


def test_items_and_references_are_limited():
    """An image whose references are not read counts as one that is not shown."""
    many = box(b"iinf", bytes(6) + b"".join(info(number % 9) for number in range(MANY)))
    assert len(items.find_pictures(bytes(4) + many)) == items._MAX_ENTRIES
    references = box(b"dimg", struct.pack(">HH", 1, 60_000) + bytes(120_000)) * 3
    last = box(b"dimg", struct.pack(">HHH", 1, 1, 2))
    both = box(b"iinf", bytes(6) + info(1) + info(2))
    for before, part in ((b"", True), (references, False)):
        found = items.find_pictures(bytes(4) + both + box(b"iref", bytes(4) + before + last))
        assert [(one.number, one.part) for one in found] == [(1, False), (2, part)]


def test_extents_of_items_are_limited():
    """A box may declare four thousand million of them."""
    meta = bytes(4) + box(b"iloc", struct.pack(">IHI", 2 << 24, 0, 0xFFFFFFFF) + bytes(1 << 20))
    assert items._find_data(meta, 7) == 0


def test_covers_and_icons_are_limited():
    """More are not decoded."""
    value = box(b"data", bytes(8) + b"\xff\xd8\xff\xe0")
    file = ISO + box(b"ilst", box(b"covr", value * MANY))
    assert len(attachments.find_attached(io.BytesIO(file))) == attachments._MAX_FILES
    png = struct.pack(">4sI8sII", b"ic07", 24, b"\x89PNG\r\n\x1a\n", 64, 64)
    file = b"icns" + bytes(4) + png * MANY
    assert len(list(icons.find_pictures(file, (99, 99)))) <= icons._MAX_ENTRIES


def test_signatures_of_zip_files_are_limited():
    """Without names they are no members; headers of members without names are reported."""
    letters = b"PK\3\4" * MANY
    assert embedded.find_archive(letters, 0) is None
    head = b"PK\3\4\x14\0\0\0\x08\0" + bytes(16) + b"\xff\xff\0\0A\0"
    assert embedded.find_archive(bytes(9) + head * 2000, 0) is not None
    noise = np.random.default_rng(1).integers(0, 256, 1 << 20, np.uint8).tobytes()
    assert embedded.find_archive(noise, 0) is None
