"""The pictures of icon files, of which Pillow shows the largest."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_bytes import png, saved

from screener import Screener, Verdict
from screener.hashing import pdq
from screener.media.image.open_image import open as open_picture
from screener.media.image.structure import icons


def jp2(picture):
    """Return a picture as a JPEG 2000."""
    return saved(picture, "JPEG2000")


def j2k(picture):
    """Return the same without its boxes."""
    return saved(picture, "JPEG2000", no_jp2=True)


def it32(picture):
    """Return a picture as older systems have it in an ICNS."""
    return bytes(4) + picture.resize((128, 128)).tobytes()


def dib(picture):
    """Return a picture as an uncompressed ICO holds it."""
    return saved(picture, "ICO", bitmap_format="bmp", sizes=[picture.size])[22:]


def ico(*pictures, kind=1):
    """Return an ICO of pictures: (declared width, content) pairs."""
    head, body = struct.pack("<HHH", 0, kind, len(pictures)), b""
    for width, one in pictures:
        at = 6 + 16 * len(pictures) + len(body)
        head += struct.pack("<BBBBHHII", width % 256, width % 256, 0, 0, 1, 32, len(one), at)
        body += one
    return head + body


def icns(*pictures):
    """Return an ICNS of pictures: (type, content) pairs."""
    body = b"".join(kind + struct.pack(">I", 8 + len(one)) + one for kind, one in pictures)
    return b"icns" + struct.pack(">I", 8 + len(body)) + body


@pytest.fixture
def screener(make_list, scene):
    """Return a Screener whose list holds one picture, `bad`."""
    return Screener(make_list([{"id": "bad", "pdq": pdq.compute(np.asarray(scene(1))).text}]))


@pytest.mark.parametrize("form", [png, dib])
@pytest.mark.parametrize(("said", "side"), [(128, 128), (256, 128), (16, 128), (16, 256)])
def test_every_picture_of_an_ico_is_screened(screener, scene, form, said, side):
    """Whatever size the file declares."""
    shown = (256, png(scene(2, (256, 256))))
    result = screener.screen(ico(shown, (said, form(scene(1).resize((side, side))))))
    assert "bad" in {match.entry for match in result.matches if match.part_kind == "thumbnail"}
    assert screener.screen(ico(shown)).verdict is Verdict.NO_MATCH


@pytest.mark.parametrize(
    ("kind", "form"), [(b"ic08", png), (b"ic08", jp2), (b"ic08", j2k), (b"it32", it32)]
)
def test_every_picture_of_an_icns_is_screened(screener, scene, kind, form):
    """Also one smaller than what is shown, and one for older systems that is no file."""
    shown = (b"ic09", png(scene(2, (512, 512))))
    small = (kind, form(scene(1).resize((256, 256))))
    result = screener.screen(icns(small, shown))
    assert "bad" in {match.entry for match in result.matches if match.part_kind == "thumbnail"}
    assert screener.screen(icns(shown)).verdict is Verdict.NO_MATCH


def test_small_ones_are_left_out(scene):
    """They have too little detail to be compared."""
    sizes = [(side, png(scene(1, (side, side)))) for side in (16, 32, 48, 64, 128)]
    large = [one for side, one in sizes if side >= 64]
    assert list(icons.find_pictures(ico(*sizes), (0, 0))) == large
    assert list(icons.find_pictures(sizes[0][1], (0, 0))) == []
    assert list(icons.find_pictures(b"none" + icns((b"ic07", sizes[4][1]))[4:], (0, 0))) == []


def test_what_is_shown_is_not_given_again(scene):
    """If two have its size, either may be the one that is not shown."""
    small, large, other = (
        png(scene(seed, (side, side))) for seed, side in ((1, 64), (1, 128), (2, 128))
    )
    assert list(icons.find_pictures(ico((64, small), (128, large)), (128, 128))) == [small]
    both = ico((64, small), (128, large), (128, other))
    assert list(icons.find_pictures(both, (128, 128))) == [small, large, other]
    for form in (png, jp2, j2k):
        wide = icns((b"ic08", small), (b"ic09", form(scene(1, (128, 96)))))
        assert list(icons.find_pictures(wide, (128, 96))) == [small]


def test_a_place_that_is_named_over_and_over_is_given_once(scene):
    """An ICO has room for 65,535 entries of one place."""
    one = png(scene(1, (128, 128)))
    data = ico((128, one))
    entry = data[6:18] + struct.pack("<I", 6 + 16 * 65535)
    empty = entry[:8] + bytes(4) + entry[12:]
    again = struct.pack("<HHH", 0, 1, 65535) + empty + entry * 65534 + one
    assert list(icons.find_pictures(again, (0, 0))) == [one]


@pytest.mark.parametrize("form", [png, dib])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_a_cursor_shows_what_an_icon_of_its_pictures_shows(scene, form, mode):
    """A cursor has its hot spot where an icon has the depth of a picture."""
    large, small = (form(scene(1, (side, side)).convert(mode)) for side in (128, 64))
    icon, cursor = ico((128, large), (64, small)), bytearray(ico((128, large), (64, small), kind=2))
    cursor[10:14] = cursor[26:30] = struct.pack("<HH", 7, 24)

    wanted, found = (list(open_picture(bytes(data)).frames()) for data in (icon, cursor))

    assert [frame.part_kind for frame in found] == ["frame", "thumbnail"]
    for one, other in zip(wanted, found, strict=True):
        assert np.array_equal(one.pixels, other.pixels)


@given(st.sampled_from([b"\0\0\1\0", b"\0\0\2\0", b"icns"]), st.binary(max_size=200))
def test_nothing_raises_on_what_is_broken(begin, rest):
    """Only what is in the file is returned."""
    assert all(icons.find_pictures(begin + rest, (0, 0)))
