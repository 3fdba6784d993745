"""The pages of a TIFF and the directories within them: each is screened or reported."""

import io
import struct

import numpy as np
import pytest
from frames_of_file import frames_and_reason
from hypothesis import given
from hypothesis import strategies as st
from picture_bytes import jpeg, several
from PIL import Image

from screener.errors import MediaError
from screener.media.files.picture import Media
from screener.media.image.open_image import open as open_picture
from screener.media.image.structure import tiff

SIZE = (64, 48)


def grey(scene, number, size=SIZE):
    """Return a drawn picture in grey."""
    return scene(number, size).convert("L")


def paged(pictures, **options):
    """Return a TIFF of these pages."""
    return bytearray(several(pictures, "TIFF", **options))


def entry(data, place, tag):
    """Return the place of an entry in a directory of a little-endian TIFF."""
    count = struct.unpack_from("<H", data, place)[0]
    places = [place + 2 + 12 * number for number in range(count)]
    (found,) = [at for at in places if struct.unpack_from("<H", data, at)[0] == tag]
    return found


def parts_of(data, **limits):
    """Return the parts that come with their pixels, and the reason that ends them."""
    frames, reason = frames_and_reason(bytes(data), **limits)
    return [(frame.part, frame.pixels) for frame in frames], reason


def drawn_file(order, big, pictures, within, directory=None):
    """A TIFF, written by hand, of these grey pictures; `within` are the numbers of those whose
    directories the first names as being within it, all others follow one another. It names them by
    whole numbers, or by those of the type for a `directory`.
    """
    word, sign = (8, "Q") if big else (4, "I")
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "H", 43 if big else 42)
    head += struct.pack(order + "HH", 8, 0) if big else b""
    sizes = [(8 if big else 2) + (12 + 2 * word - 8 if big else 12) * 11 + word for _ in pictures]
    starts = [len(head) + word + sum(sizes[:number]) for number in range(len(pictures))]
    listed = starts[-1] + sizes[-1]
    at = listed + word * len(within)
    strips, made = b"", b""
    for number, picture in enumerate(pictures):
        follow = [n for n in range(number + 1, len(pictures)) if n not in within]
        tags = [(254, int(number == 0)), (256, picture.width), (257, picture.height), (258, 8)]
        tags += [(259, 1), (262, 1), (273, at + len(strips)), (277, 1), (278, picture.height)]
        tags += [(279, picture.width * picture.height)]
        tags += (
            [(330, listed if len(within) > 1 else starts[within[0]])] if not number else [(339, 1)]
        )
        made += struct.pack(order + ("Q" if big else "H"), len(tags))
        for tag, value in tags:
            kind = (16 if big else 4) if tag in (273, 279, 330) else 4
            kind = directory if tag == 330 and directory else kind
            count = len(within) if tag == 330 else 1
            body = struct.pack(order + (sign if kind in (16, 18) or not big else "I"), value)
            made += struct.pack(order + "HH" + sign, tag, kind, count) + body.ljust(word, b"\0")
        last = not follow or number in within
        made += struct.pack(order + sign, 0 if last else starts[follow[0]])
        strips += picture.tobytes()
    places = b"".join(struct.pack(order + sign, starts[number]) for number in within)
    return head + struct.pack(order + sign, starts[0]) + made + places + strips


@pytest.mark.parametrize("within", [[1], [1, 3]])
@pytest.mark.parametrize(
    ("order", "big", "directory"),
    [("<", False, None), (">", False, 13), ("<", True, None), ("<", True, 18)],
)
def test_pictures_within_a_page_come_after_the_pages(scene, order, big, directory, within):
    """As in raw files whose first page is a thumbnail: every picture has the pixels that were
    written.
    """
    pictures = [grey(scene, number, (64 + 8 * number, 48)) for number in range(4)]
    data = drawn_file(order, big, pictures, within, directory)

    found, reason = parts_of(data)

    order_told = [number for number in range(4) if number not in within] + within
    assert reason is None
    assert [part for part, _ in found] == [0, 1, 2, 3]
    for (_, pixels), number in zip(found, order_told, strict=True):
        assert np.array_equal(pixels, np.asarray(pictures[number]))


def test_a_picture_within_a_page_that_cannot_be_decoded_is_reported(scene):
    """The thumbnail before it clears nothing."""
    data = bytearray(drawn_file("<", False, [grey(scene, 0), grey(scene, 1)], [1]))
    second = tiff.find_directories(bytes(data), stop=9)[1]
    struct.pack_into("<I", data, entry(data, second, 262) + 8, 32803)  # a sensor's mosaic

    found, reason = parts_of(data)

    assert (len(found), reason) == (1, "unsupported")


@pytest.mark.parametrize("length", [514, 65000])
def test_a_jpeg_that_stands_in_for_a_picture_within_a_page_is_searched(scene, length):
    """It may match but clears nothing, since it is not that picture. Without a length it ends with
    the file.
    """
    shown = jpeg(scene(2, (160, 120)), quality=95)
    data = bytearray(drawn_file("<", False, [grey(scene, 0), grey(scene, 1)], [1]))
    second = tiff.find_directories(bytes(data), stop=9)[1]
    for tag, other, value in ((273, 513, len(data)), (279, length, len(shown))):
        at = entry(data, second, tag)
        struct.pack_into("<H", data, at, other)
        struct.pack_into("<I", data, at + 8, value)
    data += shown + b"more"

    found, reason = parts_of(data)

    assert (len(found), reason) == (2, "unsupported")
    wanted = np.asarray(scene(2, (160, 120)).convert("L"), int)
    assert np.abs(found[1][1] - wanted).mean() < 3


def test_a_jpeg_that_stands_in_where_no_page_can_be_opened_is_searched(scene):
    """As in raw files of Sony's: the camera's JPEG beside a mosaic in the maker's compression."""
    shown = jpeg(scene(2, (160, 120)), quality=95)
    data = bytearray(drawn_file("<", False, [grey(scene, 0), grey(scene, 1)], [1]))
    first, second = tiff.find_directories(bytes(data), stop=9)
    for tag, other, value in ((273, 513, len(data)), (279, 514, len(shown))):
        at = entry(data, first, tag)
        struct.pack_into("<H", data, at, other)
        struct.pack_into("<I", data, at + 8, value)
    struct.pack_into("<H", data, entry(data, first, 256), 269)  # no width: the name of a document
    struct.pack_into("<H", data, entry(data, second, 259) + 8, 32767)
    data += shown

    ((part, pixels),), reason = parts_of(data)

    assert (part, reason) == (2, "unsupported")
    wanted = np.asarray(scene(2, (160, 120)).convert("L"), int)
    assert np.abs(pixels - wanted).mean() < 3
    assert open_picture(bytes(data)).media == Media("image/tiff", 0, 0, 2)


@pytest.mark.parametrize(
    ("tag", "value", "said"),
    [
        (259, 50002, "compression 50002"),
        (259, 34712, "compression 34712"),
        (259, 1, None),
        (259, 0, None),  # of which there is none
        (277, 8, "8 samples per pixel"),
        (256, 0, None),
    ],
)
@pytest.mark.parametrize("page", [0, 1])
def test_a_page_of_a_kind_that_is_not_decoded_is_reported_by_its_tags(
    scene, tag, value, said, page
):
    """It is `unsupported` and named in the detail; damage is `undecodable`."""
    data = paged([scene(number, SIZE) for number in range(2)])
    place = tiff.find_directories(bytes(data), stop=9)[page]
    struct.pack_into("<H", data, entry(data, place, tag) + 8, value)
    if value == 1:
        struct.pack_into("<H", data, entry(data, place, 256), 269)  # no width

    with pytest.raises(MediaError) as raised:
        list(open_picture(bytes(data)).frames())

    assert raised.value.reason == ("unsupported" if said else "undecodable")
    assert (said or "") in raised.value.detail


def test_a_bigtiff_in_the_order_that_pillow_does_not_read_is_reported(scene):
    """It is not decoded; one in the other order is."""
    for order, reason in (("<", None), (">", "unsupported")):
        data = drawn_file(order, True, [grey(scene, 0), grey(scene, 1)], [1])
        assert parts_of(data)[1] == reason


@pytest.mark.parametrize("compression", ["raw", "tiff_deflate", "jpeg"])
@pytest.mark.parametrize(
    ("tag", "where", "value"), [(259, 8, 34712), (256, 0, 999), (262, 8, 9999)]
)
@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_page_that_cannot_be_opened_hides_no_other(scene, compression, tag, where, value, broken):
    """An unknown compression, no width, unknown colours: all other pages come, then the reason."""
    data = paged([grey(scene, number) for number in range(4)], compression=compression)
    place = tiff.find_directories(bytes(data), stop=9)[broken]
    struct.pack_into("<H", data, entry(data, place, tag) + where, value)

    found, reason = parts_of(data)

    assert [part for part, _ in found] == [part for part in range(4) if part != broken]
    assert reason in ("undecodable", "unsupported")


def test_a_page_whose_pixels_are_broken_hides_no_other(scene):
    """What is left of it comes too, then the others, then the reason."""
    data = paged([grey(scene, number) for number in range(3)], compression="tiff_deflate")
    place = tiff.find_directories(bytes(data), stop=9)[1]
    start = struct.unpack_from("<I", data, entry(data, place, 273) + 8)[0]
    data[start : start + 100] = b"\x55" * 100

    found, reason = parts_of(data)

    assert [part for part, _ in found][-1] == 2
    assert np.array_equal(found[-1][1], np.asarray(grey(scene, 2)))
    assert reason == "undecodable"


@pytest.mark.parametrize("large", [0, 1, 2])
def test_a_page_over_the_limit_hides_no_other(scene, large):
    """It is not decoded, the smaller pages are, and the file is too_large."""
    sizes = [(128, 96) if number == large else SIZE for number in range(3)]
    data = paged([grey(scene, number, size) for number, size in enumerate(sizes)])
    found, reason = parts_of(data, pixels=SIZE[0] * SIZE[1])
    assert [part for part, _ in found] == [part for part in range(3) if part != large]
    assert reason == "too_large"


@pytest.mark.parametrize("compression", ["raw", "tiff_deflate"])
def test_a_cut_anywhere_is_reported(scene, compression):
    """Also if the first pages are complete and only the place of the last is left."""
    data = paged([grey(scene, number, (16, 12)) for number in range(3)], compression=compression)
    last = tiff.find_directories(bytes(data), stop=9)[-1]
    end = last + 2 + 12 * struct.unpack_from("<H", data, last)[0] + 4
    start, size = (
        struct.unpack_from("<I", data, entry(data, last, tag) + 8)[0] for tag in (273, 279)
    )
    needed = max(end, start + size)  # padding may follow
    assert parts_of(data)[1] is None
    for length in range(8, needed, 3):
        assert parts_of(data[:length])[1] in ("truncated", "undecodable", "unsupported"), length


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # as Pillow says, and reads on
@pytest.mark.parametrize("count", [1, 3])
def test_a_cut_in_a_directory_at_the_end_is_reported(scene, count):
    """Many programs write the pages' pixels first; then the place of the next page is lost."""
    data = paged([grey(scene, number, (16, 12)) for number in range(count)])
    *before, last = tiff.find_directories(bytes(data), stop=9)
    size = 2 + 12 * struct.unpack_from("<H", data, last)[0] + 4
    to = before[-1] + 2 + 12 * struct.unpack_from("<H", data, before[-1])[0] if before else 4
    struct.pack_into("<I", data, to, len(data))
    data += data[last : last + size]
    assert [part for part, _ in parts_of(data)[0]] == list(range(count))
    assert parts_of(data)[1] is None

    for cut in (1, 4, 5, 16, 30):
        found, reason = parts_of(data[:-cut])
        assert (len(found), reason) == (count, "truncated"), cut


@pytest.mark.parametrize("count", [1, 2, 7])
def test_pages_are_counted_as_pillow_counts_them(scene, count):
    """They are counted no further than requested."""
    data = bytes(paged([grey(scene, number) for number in range(count)]))
    assert (
        len(tiff.find_directories(data, stop=99)) == Image.open(io.BytesIO(data)).n_frames == count
    )
    assert len(tiff.find_directories(data, stop=2)) == min(count, 2)


@given(st.sampled_from([b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*"]), st.binary(max_size=200))
def test_directories_of_any_bytes(head, rest):
    """Nothing raises and nothing loops; each place comes once."""
    found = tiff.find_directories(head + rest, stop=50)
    assert len(found) == len(set(found)) <= 50
    assert tiff.is_cut_short(head + rest) in (True, False)


@given(
    st.sampled_from(["<", ">"]),
    st.lists(st.sampled_from([254, 273, 324, 330, 513, 514]), max_size=6),
    st.integers(0, 9),
    st.integers(0, 20),
)
def test_the_tags_of_a_directory_are_those_that_stand_there(order, tags, more, cut):
    """They are read as far as the data go, whatever count is declared; of equal tags the last
    counts.
    """
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    data = head + struct.pack(f"{order}H", len(tags) + more)
    data += b"".join(struct.pack(f"{order}HHII", tag, 4, 1, 0) for tag in tags)
    data = data[: len(data) - cut]
    there = {}
    for number in range(len(tags)):
        at = 10 + 12 * number
        if at + 2 <= len(data):
            (tag,) = struct.unpack_from(f"{order}H", data, at)
            there[tag] = at
    there.pop(254, None)  # which nobody asks for

    if len(data) >= 10:
        assert tiff._find_entries(tiff._read_layout(data), 8) == there


def test_a_small_file_of_many_long_directories_costs_little(monkeypatch):
    """A thousand that declare 65,535 entries each and share their bytes are read at once."""
    places = [8 + 128 * number for number in range(1000)]
    data = bytearray(places[-1] + 2 + 12 * 65_535 + 4 + 4 * len(places))
    within = len(data) - 4 * len(places)
    data[:8] = b"II*\0" + struct.pack("<I", 8)
    struct.pack_into("<1000I", data, within, *places)
    for place in places:
        struct.pack_into("<H", data, place, 65_535)
    struct.pack_into("<HHII", data, 10, 330, 4, len(places), within)
    number, read = tiff._Layout.read_number, []
    monkeypatch.setattr(
        tiff._Layout, "read_number", lambda *of: (read.append(None), number(*of))[1]
    )

    assert tiff.find_directories(bytes(data), stop=2000) == places
    assert len(read) < 10 * len(places)
