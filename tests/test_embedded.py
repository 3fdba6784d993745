"""Pictures hidden in a picture's file: thumbnails, and files appended to its end."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from screener import Policy, Reason, Screener, Verdict
from screener.errors import MediaError
from screener.hashed import hash_item
from screener.hashing import pdq
from screener.media import headers
from screener.media.image import open as open_picture
from screener.media.limits import Limits


def saved(image, format, **options):
    """The bytes of a file."""
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def exif_block(*, order="<", jpeg=b"", strip=b"", size=(0, 0)):
    """An EXIF block whose second directory holds a thumbnail, a JPEG or plain pixels."""
    pixels = jpeg or strip
    if jpeg:
        tags = [(259, 3, 6), (513, 4, 0), (514, 4, len(jpeg))]
    else:
        width, height = size
        tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1)]
        tags += [(273, 4, 0), (277, 3, 1), (278, 4, height), (279, 4, len(strip))]
    second = 8 + 2 + 12 + 4
    at = second + 2 + 12 * len(tags) + 4
    block = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8)
    block += struct.pack(order + "HHHIHHI", 1, 0x0112, 3, 1, 1, 0, second)
    block += struct.pack(order + "H", len(tags))
    for tag, kind, value in tags:
        value = at if tag in (513, 273) else value
        form = "HHIHH" if kind == 3 else "HHII"
        block += struct.pack(order + form, tag, kind, 1, value, *([0] if kind == 3 else []))
    return b"Exif\0\0" + block + struct.pack(order + "I", 0) + pixels


def parts(data, **limits):
    """(part, part_kind) and pixels of all that comes, and the reason of what ends it."""
    found, reason = [], None
    try:
        for frame in open_picture(data, limits=Limits(**limits)).frames():
            found.append((frame.part, frame.part_kind, frame.pixels))
    except MediaError as error:
        reason = error.reason
    return found, reason


def grey(image):
    """The luma of an image."""
    return np.asarray(image.convert("L"), int)


@pytest.fixture
def shown(scene):
    """The picture that a viewer shows."""
    return scene(30)


@pytest.fixture
def hidden(scene):
    """The picture that it does not show."""
    return scene(31, (160, 120))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_the_thumbnail_of_the_exif_block(shown, hidden, format, order):
    """A JPEG in the second directory is given after the frame, whatever the file's format."""
    exif = exif_block(order=order, jpeg=saved(hidden, "JPEG", quality=90))
    (_, thumbnail), reason = parts(saved(shown, format, exif=exif))
    assert reason is None
    assert thumbnail[:2] == (1, "thumbnail")
    assert np.abs(thumbnail[2] - grey(hidden)).mean() < 3


def test_a_thumbnail_is_compared_at_twice_its_size_too(scene):
    """Of so small a picture PDQ takes single pixels: the picture that it was made of is nearer to
    the enlarged one. So it is in a file of one picture as in one of several.
    """
    hidden = scene(3, (640, 480))
    exif = exif_block(jpeg=saved(hidden.resize((160, 120)), "JPEG", quality=80))
    file = saved(scene(5), "JPEG", exif=exif)
    made = hash_item(file, policy=Policy(), kinds=[pdq.PDQ]).hashes
    whole = pdq.compute(np.asarray(hidden))
    away = {
        one.region: one.hash.distance(whole)
        for one in made
        if one.part_kind == "thumbnail" and one.orientation == "upright"
    }
    assert set(away) >= {"full", "enlarged"}
    assert away["enlarged"] < away["full"]
    assert {one.region for one in made if one.part_kind == "frame"} == {"full"}


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_thumbnail_without_compression(shown, hidden, order):
    """EXIF allows plain pixels too."""
    small = hidden.convert("L").resize((80, 60))
    exif = exif_block(order=order, strip=small.tobytes(), size=small.size)
    (_, thumbnail), reason = parts(saved(shown, "JPEG", exif=exif))
    assert reason is None
    assert thumbnail[1] == "thumbnail"
    assert np.array_equal(thumbnail[2], np.asarray(small))


def with_resource(data, number, jpeg):
    """A JPEG file with an image resource of Photoshop's that holds a JPEG behind 28 bytes."""
    body = bytes(28) + jpeg + b"\0" * (len(jpeg) % 2)
    resource = b"Photoshop 3.0\0" + b"8BIM" + struct.pack(">HHI", number, 0, 28 + len(jpeg)) + body
    return data[:2] + b"\xff\xed" + struct.pack(">H", len(resource) + 2) + resource + data[2:]


@pytest.mark.parametrize("number", [1033, 1036])
def test_the_thumbnail_of_photoshop(shown, hidden, number):
    """The image resource 1036, or that of older versions, holds a JPEG behind a header."""
    (_, thumbnail), reason = parts(
        with_resource(saved(shown, "JPEG"), number, saved(hidden, "JPEG"))
    )
    assert (reason, thumbnail[1]) == (None, "thumbnail")
    assert np.abs(thumbnail[2] - grey(hidden)).mean() < 4


def test_one_thumbnail_in_two_places_is_given_once(shown, hidden):
    """That of EXIF has the length that its tag says, whatever the block has behind it."""
    jpeg = saved(hidden, "JPEG")
    data = saved(shown, "JPEG", exif=exif_block(jpeg=jpeg) + b"more")
    found, reason = parts(with_resource(data, 1036, jpeg))
    assert (reason, [one[:2] for one in found]) == (None, [(0, "frame"), (1, "thumbnail")])


OUTSIDE = ["JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF", "APNG", "progressive"]


def file_of(picture, name):
    """A file of that format, or of that variant of one."""
    if name == "progressive":
        return saved(picture, "JPEG", progressive=True)
    if name == "APNG":
        return saved(picture, "PNG", save_all=True, append_images=[picture.rotate(180)])
    return saved(picture, name)


@pytest.mark.parametrize("inside", ["JPEG", "PNG"])
@pytest.mark.parametrize("outside", OUTSIDE)
def test_a_picture_behind_the_end(shown, hidden, outside, inside):
    """It is given as `appended`, behind every format that says where it ends, and behind junk."""
    for between in (b"", b"\0" * 7 + b"junk"):
        data = file_of(shown, outside) + between + saved(hidden, inside)
        found, reason = parts(data)
        assert reason is None
        assert found[-1][:2] == (2 if outside == "APNG" else 1, "appended")
        last = found[-1][2]
        last = last if last.ndim == 2 else np.rint(last @ [0.299, 0.587, 0.114])
        assert np.abs(last - grey(hidden)).mean() < 4


def test_several_behind_each_other(scene, shown):
    """Each comes once, in the order of the file, and is counted on."""
    files = [saved(scene(n, (160, 120)), f) for n, f in ((31, "JPEG"), (32, "PNG"), (33, "JPEG"))]
    found, reason = parts(saved(shown, "JPEG") + b"".join(files))
    assert reason is None
    assert [one[:2] for one in found[1:]] == [(1, "appended"), (2, "appended"), (3, "appended")]


@pytest.mark.parametrize("outside", [*OUTSIDE, "TIFF", "ICO"])
def test_an_ordinary_file_has_one_part(shown, outside):
    """Nothing is made up: what is inside a file is not behind it."""
    found, reason = parts(file_of(shown, outside))
    assert reason is None
    assert {kind for _, kind, _ in found} == {"frame"}


def test_the_pictures_of_an_mpo_are_frames(shown, hidden):
    """They are not given once more; what stands behind the last of them is appended."""
    data = saved(shown, "MPO", save_all=True, append_images=[hidden])
    assert [one[:2] for one in parts(data)[0]] == [(0, "frame"), (1, "frame")]
    found, _ = parts(data + saved(hidden, "PNG"))
    assert [one[:2] for one in found] == [(0, "frame"), (1, "frame"), (2, "appended")]


def test_a_broken_hidden_picture_is_no_trouble(shown, hidden):
    """A thumbnail or a tail that does not decode leaves the file as sound as it is; one that is
    cut is given as far as it goes.
    """
    jpeg = saved(hidden, "JPEG")
    broken = jpeg[:40] + b"\xff\xff" * 40
    exif = exif_block(jpeg=broken)
    for data in (saved(shown, "JPEG", exif=exif), saved(shown, "JPEG") + broken):
        found, reason = parts(data)
        assert reason is None
        assert len(found) == 1
    found, reason = parts(saved(shown, "JPEG") + jpeg[: len(jpeg) // 2])
    assert (reason, len(found)) == (None, 2)


def test_a_hidden_picture_over_a_limit_is_told(shown, hidden):
    """Nobody has looked at it: too_large, after what is within the limits."""
    data = saved(hidden, "JPEG") + saved(shown, "JPEG") + saved(hidden, "PNG")
    found, reason = parts(data, pixels=hidden.width * hidden.height)
    assert reason == "too_large"
    assert [one[:2] for one in found] == [(0, "frame"), (1, "appended")]
    found, reason = parts(saved(shown, "JPEG") + saved(hidden, "PNG") * 5)
    assert (reason, len(found)) == (None, 6)
    size = shown.width * shown.height  # of four hidden ones, and of them all together
    found, reason = parts(saved(shown, "JPEG") + saved(hidden, "PNG") * 5, pixels=size)
    assert (reason, len(found)) == ("too_large", 5)
    many = saved(shown, "JPEG") + saved(hidden.resize((20, 20)), "PNG") * 17
    found, reason = parts(many)
    assert (reason, len(found)) == ("too_large", 17)


def test_what_is_hidden_in_a_broken_picture_is_searched(shown, hidden):
    """The thumbnail of a picture that is cut comes before `truncated` is raised."""
    data = saved(shown, "JPEG", exif=exif_block(jpeg=saved(hidden, "JPEG")))
    found, reason = parts(data[: len(data) * 3 // 4])
    assert reason == "truncated"
    assert [one[:2] for one in found] == [(0, "frame"), (1, "thumbnail")]


def listed(make_list, picture):
    """A Screener whose list holds the picture."""
    row = {"id": "known", "pdq": pdq.compute(np.asarray(picture)).text, "status": "confirmed"}
    return Screener(make_list([row]))


def test_a_hidden_picture_matches_and_says_where_it_was(shown, hidden, make_list):
    """The match names the part and its kind, in the line too."""
    engine = listed(make_list, hidden)
    (match,) = engine.screen(saved(shown, "JPEG") + saved(hidden, "JPEG", quality=90)).matches
    assert (match.part, match.part_kind) == (1, "appended")
    exif = exif_block(jpeg=saved(hidden, "JPEG", quality=90))
    (match,) = engine.screen(saved(shown, "JPEG", exif=exif)).matches
    assert (match.part, match.part_kind, match.to_dict()["part_kind"]) == (1, *["thumbnail"] * 2)
    assert engine.screen(saved(shown, "JPEG")).verdict is Verdict.NO_MATCH


def test_a_hidden_picture_clears_nothing(shown, hidden, make_list):
    """A blank picture stays too_little_detail, whatever its thumbnail shows."""
    blank = Image.new("RGB", (320, 240), (250, 250, 250))
    exif = exif_block(jpeg=saved(hidden, "JPEG"))
    result = listed(make_list, shown).screen(saved(blank, "JPEG", exif=exif))
    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, Reason.TOO_LITTLE_DETAIL)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF", b"BM", b"\0\0\0\x10ftyp"]
    ),
    st.binary(max_size=80),
    st.sampled_from([0, 3]),
)
def test_ends_are_inside_the_file(head, rest, start):
    """Whatever follows a signature, its end lies behind it and not behind the file."""
    data = bytes(start) + head + rest
    end = headers.end(data, start)
    assert end is None or start < end <= len(data)


def test_a_jpegs_end_wherever_it_falls():
    """The mark is found at every place round the borders of the chunks that are searched."""
    head = b"\xff\xd8\xff\xda\0\2"
    for chunks in (1, 2):
        for shift in range(-4, 5):
            filler = b"\xff\0" * (chunks * (1 << 16)) + b"x" * (4 + shift)
            filler = filler[: len(filler) - len(head)]
            data = head + filler + b"\xff\xd9" + b"more"
            assert headers.end(data, 0) == data.index(b"\xff\xd9") + 2
            assert headers.end(data[: len(head) + len(filler) + 1], 0) == len(head + filler) + 1


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([b"II*\0", b"MM\0*"]), st.binary(max_size=120))
def test_any_bytes_as_an_exif_block(head, rest):
    """The second directory of anything is numbers, or nothing."""
    second, tags = headers.second_directory(head + rest)
    assert second >= 0
    assert all(isinstance(value, int) for value in tags.values())
