"""Pictures hidden in a picture's file: thumbnails, and files appended to its end."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import struct
import zipfile

import numpy as np
import pytest
from drawn_videos import clip
from exif_blocks import exif_block
from frames_of_file import frames_and_reason
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_bytes import saved
from PIL import Image, PngImagePlugin
from png_chunks import chunk

from screener import Policy, Reason, Screener, Verdict
from screener.errors import MediaError, ShortOfMemory
from screener.hashing import pdq
from screener.media.image import errors, pillow
from screener.media.image.embedded import find_appended, find_embedded
from screener.media.image.open_image import open as open_picture
from screener.media.image.structure import file_end, tiff
from screener.screening.input.hash_item import hash_item


def parts(data, **limits):
    """Return (part, part_kind) and pixels of each frame, and the reason that ends them."""
    frames, reason = frames_and_reason(data, **limits)
    return [(frame.part, frame.part_kind, frame.pixels) for frame in frames], reason


def grey(image):
    """Return the luma of an image."""
    return np.asarray(image.convert("L"), int)


@pytest.fixture
def shown(scene):
    """Return the picture that a viewer shows."""
    return scene(30)


@pytest.fixture
def hidden(scene):
    """Return the picture that a viewer does not show."""
    return scene(31, (160, 120))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_the_thumbnail_of_the_exif_block(shown, hidden, format, order):
    """A JPEG in the second directory comes after the frame, whatever the file's format."""
    exif = exif_block(order=order, jpeg=saved(hidden, "JPEG", quality=90))
    (_, thumbnail), reason = parts(saved(shown, format, exif=exif))
    assert reason is None
    assert thumbnail[:2] == (1, "thumbnail")
    assert np.abs(thumbnail[2] - grey(hidden)).mean() < 3


def test_a_thumbnail_is_compared_at_twice_its_size_too(scene):
    """PDQ takes single pixels of so small a picture; the enlarged one is nearer to the original."""
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


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_thumbnail_without_a_length_ends_with_its_block(shown, hidden, order):
    """Some files lack the tag; the JPEG has its own end."""
    exif = exif_block(order=order, jpeg=saved(hidden, "JPEG", quality=90))
    tag = struct.pack(order + "HHI", 514, 4, 1)
    assert exif.count(tag) == 1
    exif = exif.replace(tag, struct.pack(order + "HHI", 600, 4, 1))

    (_, thumbnail), reason = parts(saved(shown, "JPEG", exif=exif))

    assert (reason, thumbnail[1]) == (None, "thumbnail")
    assert np.abs(thumbnail[2] - grey(hidden)).mean() < 3


@pytest.mark.parametrize("name", ["exif", "photoshop"])
def test_a_text_that_is_named_as_metadata_is_none(shown, hidden, name):
    """Texts of a PNG may have any name; the picture and what else is hidden are found."""
    for add in ("text", "packed", "international"):
        texts = PngImagePlugin.PngInfo()
        if add == "international":
            texts.add_itxt(name, "more")
        else:
            texts.add_text(name, "more", zip=add == "packed")
        found, reason = parts(saved(shown, "PNG", pnginfo=texts) + saved(hidden, "PNG"))
        assert (reason, [one[1] for one in found]) == (None, ["frame", "appended"])


def with_resource(data, number, jpeg):
    """Return a JPEG file with a resource of Photoshop's that holds a JPEG behind 28 bytes."""
    body = bytes(28) + jpeg + b"\0" * (len(jpeg) % 2)
    resource = b"Photoshop 3.0\0" + b"8BIM" + struct.pack(">HHI", number, 0, 28 + len(jpeg)) + body
    return data[:2] + b"\xff\xed" + struct.pack(">H", len(resource) + 2) + resource + data[2:]


@pytest.mark.parametrize("number", [1033, 1036])
def test_the_thumbnail_of_photoshop(shown, hidden, number):
    """The resource 1036, or that of older versions, holds a JPEG behind a header."""
    (_, thumbnail), reason = parts(
        with_resource(saved(shown, "JPEG"), number, saved(hidden, "JPEG"))
    )
    assert (reason, thumbnail[1]) == (None, "thumbnail")
    assert np.abs(thumbnail[2] - grey(hidden)).mean() < 4


def test_one_thumbnail_in_two_places_is_given_once(shown, hidden):
    """That of EXIF has the length that its tag declares."""
    jpeg = saved(hidden, "JPEG")
    data = saved(shown, "JPEG", exif=exif_block(jpeg=jpeg) + b"more")
    found, reason = parts(with_resource(data, 1036, jpeg))
    assert (reason, [one[:2] for one in found]) == (None, [(0, "frame"), (1, "thumbnail")])


OUTSIDE = ["JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF", "APNG", "progressive"]


def file_of(picture, name):
    """Return a file of that format, or of that variant of one."""
    if name == "progressive":
        return saved(picture, "JPEG", progressive=True)
    if name == "APNG":
        return saved(picture, "PNG", save_all=True, append_images=[picture.rotate(180)])
    return saved(picture, name)


@pytest.mark.parametrize("inside", ["JPEG", "PNG"])
@pytest.mark.parametrize("outside", OUTSIDE)
def test_a_picture_behind_the_end(shown, hidden, outside, inside):
    """It is `appended`, behind every format with a known end, and behind junk."""
    for between in (b"", b"\0" * 7 + b"junk"):
        data = file_of(shown, outside) + between + saved(hidden, inside)
        found, reason = parts(data)
        assert reason is None
        assert found[-1][:2] == (2 if outside == "APNG" else 1, "appended")
        last = found[-1][2]
        last = last if last.ndim == 2 else np.rint(last @ [0.299, 0.587, 0.114])
        assert np.abs(last - grey(hidden)).mean() < 4


HOSTS = ["JPEG", "PNG", "GIF", "WEBP", "BMP", "PPM", "AVIF", "HEIF"]
TAILS = ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "TIFF", "BMP", "JPEG2000"]


@pytest.fixture(scope="module")
def drawn_file(scene):
    """Return a function that makes the file of a picture in any documented format, each once."""

    @functools.cache
    def made(number, format):
        if format != "HEIF":
            return saved(scene(number), format)
        maker = pytest.importorskip("pillow_heif", reason="no HEIF without the extra heif")
        out = io.BytesIO()
        maker.from_pillow(scene(number)).save(out, quality=90)
        return out.getvalue()

    return made


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("host", HOSTS)
def test_every_pair_of_formats_that_the_documents_name(scene, drawn_file, host, tail):
    """The second file is returned with its hash, and the first is sound."""
    found, reason = parts(drawn_file(30, host) + drawn_file(31, tail))

    assert reason is None
    assert [one[:2] for one in found] == [(0, "frame"), (1, "appended")]
    wanted = pdq.compute(np.asarray(scene(31)))
    assert pdq.compute(found[1][2]).distance(wanted) <= 12


@pytest.mark.parametrize("tail", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
@pytest.mark.parametrize("host", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF"])
def test_a_few_bytes_between_two_files_hide_nothing(drawn_file, host, tail):
    """What stands behind any stray bytes is not taken for a box of the file before them."""
    hidden = drawn_file(31, tail)
    for filled in (b"\0", b"\n", b"\xff"):
        for length in (*range(1, 12), 100):
            data = drawn_file(30, host) + filled * length + hidden
            found = [
                data[start:end]
                for start, end in find_appended(data, file_end.find_trailing_start(data, 0))
            ]
            assert found == [hidden], (filled, length)


ANIMATIONS = {
    "GIF": {}, "PNG": {}, "WEBP": {"lossless": True}, "AVIF": {"quality": 90, "speed": 10}
}  # fmt: skip


@pytest.mark.parametrize("format", ANIMATIONS)
def test_every_frame_of_a_hidden_animation(scene, shown, format):
    """It has the pixels and times of a file of its own; parts go on counting."""
    size = (160, 120)
    rest = [scene(n, size) for n in (32, 33)]
    options = {"save_all": True, "append_images": rest, "duration": [100, 200, 300]}
    data = saved(scene(31, size), format, **options, **ANIMATIONS[format])
    alone = list(open_picture(data).frames())
    file = saved(shown, "JPEG") + data + saved(scene(34, size), "PNG")

    found = list(open_picture(file).frames())

    assert [(one.part, one.part_kind) for one in found[1:]] == [
        (n, "appended") for n in range(1, 5)
    ]
    assert [one.track for one in found] == [0, 1, 1, 1, 0]
    for one, other in zip(found[1:4], alone, strict=True):
        assert np.array_equal(one.pixels, other.pixels)
        assert one.time == pytest.approx(other.time)


@pytest.mark.parametrize("host", ["JPEG", "PNG"])
def test_hidden_pictures_of_one_file_that_do_not_move_have_no_times(scene, shown, host):
    """The pictures of an MPO are no animation."""
    data = saved(scene(31), "MPO", save_all=True, append_images=[scene(32)])

    found = list(open_picture(saved(shown, host) + data).frames())

    assert [(one.part, one.part_kind, one.track) for one in found[1:]] == [
        (1, "appended", 0),
        (2, "appended", 0),
    ]
    for number, one in zip((31, 32), found[1:], strict=True):
        assert np.abs(one.pixels - grey(scene(number))).mean() < 4


def test_hidden_animations_share_the_limits(scene, shown):
    """All have as many frames as one file, and the pixels of one picture, together."""
    size = (40, 30)
    frames = [scene(n, size) for n in range(3)]
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    file = saved(shown, "JPEG") + data * 3
    assert len(parts(file)[0]) == 10
    found, reason = parts(file, frames=5)
    assert (len(found), reason) == (6, "too_large")
    pixels = shown.width * shown.height
    large = saved(shown, "PNG", save_all=True, append_images=[scene(32), scene(33)])
    found, reason = parts(saved(shown, "JPEG") + large, pixels=pixels)
    assert (len(found), reason) == (2, "too_large")


def test_the_timeline_of_a_hidden_animation(scene, shown, make_list):
    """A match has the time in it, and its spans are in the timeline."""
    frames = [scene(n) for n in (40, 41, 40)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=500)
    result = listed(make_list, scene(41)).screen(saved(shown, "JPEG") + data)
    (match,) = result.matches
    assert (match.part, match.part_kind, match.time) == (2, "appended", 0.5)
    assert [(one.part_kind, one.spans) for one in result.timeline] == [("appended", ((0.5, 0.5),))]


def test_a_hidden_picture_of_a_kind_that_cannot_be_decoded_is_reported(monkeypatch, scene, shown):
    """A JPEG of 12 bits or a file without a decoder was not screened. A signature alone is none."""
    host, deep = saved(shown, "JPEG"), bytearray(saved(scene(31), "JPEG"))
    deep[deep.index(b"\xff\xc0") + 4] = 12
    assert parts(bytes(deep))[1] == "unsupported"
    found, reason = parts(host + deep + saved(scene(32), "PNG"))
    assert reason == "unsupported"
    assert [one[:2] for one in found] == [(0, "frame"), (1, "appended")]

    avif = saved(scene(31), "AVIF")
    monkeypatch.setattr(errors.features, "check", lambda name: name != "avif")
    monkeypatch.setitem(Image.OPEN, "AVIF", (None, lambda _: "built without"))
    assert parts(host + avif)[1] == "unsupported"
    assert parts(host + avif[:32] + bytes(900))[1] is None


def test_a_hidden_heic_names_the_extra_that_is_missing(monkeypatch, shown, drawn_file):
    """The detail is that of a HEIC file."""
    data = saved(shown, "JPEG") + drawn_file(31, "HEIF")
    monkeypatch.setattr(pillow, "_open_heif", lambda _: None)
    with pytest.raises(MediaError, match=r"the extra `heif`") as caught:
        list(open_picture(data).frames())
    assert caught.value.reason == "unsupported"
    beginning = saved(shown, "JPEG") + drawn_file(31, "HEIF")[:32] + bytes(900)
    assert parts(beginning)[1] is None


@pytest.mark.parametrize("brands", [1, 40])
def test_a_hidden_burst_that_cannot_be_decoded_is_reported(monkeypatch, shown, brands):
    """Without the extra, one of two boxes shows that it holds pictures. It may have many brands."""
    monkeypatch.setattr(pillow, "_open_heif", lambda _: None)
    head = struct.pack(">I", 16 + 4 * brands) + b"ftyphevc" + bytes(4) + b"hevc" * brands
    for name, reason in ((b"moov", "unsupported"), (b"meta", "unsupported"), (b"mdat", None)):
        box = struct.pack(">I", 108) + name + bytes(100)
        found, ended = parts(saved(shown, "JPEG") + head + box)
        assert (len(found), ended) == (1, reason), name


def test_what_merely_begins_as_a_webp_is_no_picture_over_a_limit(shown):
    """Whatever size its bytes seem to declare."""
    for name, reason in ((b"LIST", None), (b"VP8X", "too_large")):
        data = b"RIFF" + struct.pack("<I", 200) + b"WEBP" + name + b"\xff" * 200
        found, ended = parts(saved(shown, "JPEG") + data)
        assert (len(found), ended) == (1, reason), name


def test_the_smallest_files_are_screened(shown):
    """They have a few pixels and less than a hundred bytes."""
    tiny = saved(Image.new("L", (8, 8), 200), "PNG")
    assert len(tiny) < 100
    found, reason = parts(saved(shown, "JPEG") + tiny)
    assert (reason, [one[1] for one in found]) == (None, ["frame", "appended"])
    assert (found[1][2] == 200).all()


def test_tracks_are_counted_on_over_what_does_not_move(scene, shown):
    """Two animations with a still between them have their own tracks."""
    size = (40, 30)
    moving = saved(scene(31, size), "PNG", save_all=True, append_images=[scene(32, size)])
    still = saved(scene(33, size), "PNG")
    file = saved(shown, "JPEG") + still + moving + still + moving
    assert [one.track for one in open_picture(file).frames()] == [0, 0, 1, 1, 0, 2, 2]


@pytest.mark.parametrize("host", ["JPEG", "progressive", "PNG"])
def test_what_stands_behind_a_cut_picture(scene, shown, host):
    """It is found, and the file stays `truncated`."""
    data = file_of(shown, host)
    for cut in (30, len(data) // 2):
        for tail in ("JPEG", "PNG") if host == "PNG" else ("JPEG",):
            found, reason = parts(data[:-cut] + saved(scene(31), tail))
            assert found[-1][1] == "appended", (cut, tail)
            wanted = pdq.compute(np.asarray(scene(31)))
            assert pdq.compute(found[-1][2]).distance(wanted) <= 12
            assert cut == 30 or reason in ("truncated", "undecodable")


def zipped(content, *, packed=False):
    """Return a zip file of one member."""
    out = io.BytesIO()
    # Without the time of now, since it names cases of tests, which are to be the same everywhere.
    member = zipfile.ZipInfo("é.jpg")
    member.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(member, content)
    return out.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF"])
@pytest.mark.parametrize(
    "archive",
    [
        zipped(bytes(range(250)), packed=True),
        b"Rar!\x1a\7\1\0" + bytes(100),
        b"7z\xbc\xaf\x27\x1c\0\4" + bytes(100),
        gzip.compress(bytes(range(250)), mtime=0),
        bz2.compress(bytes(range(250))),
        lzma.compress(bytes(range(250))),
    ],
    ids=["zip", "rar", "7z", "gzip", "bzip2", "xz"],
)
def test_an_archive_behind_the_end_is_reported(shown, format, archive):
    """The picture is screened; what is compressed behind it is not."""
    found, reason = parts(saved(shown, format) + archive)
    assert [len(found), reason] == [1, "unsupported"]


@pytest.mark.parametrize("first", [b"P4\n9 9\n", b"P5 9 9 255\n", b"P6\n#\n9 9\n255\n"])
def test_a_second_picture_in_one_pnm_is_reported(first):
    """Viewers show it; Pillow returns the first alone."""
    size = {52: 18, 53: 81, 54: 243}[first[1]]
    one = first + bytes(size)
    assert [parts(one)[1], parts(one + one)[1]] == [None, "unsupported"]


def test_a_second_picture_in_a_plain_pnm_is_reported():
    """The end of one is unknown, so its lines are searched."""
    one = b"P2\n3 3\n9\n" + b"1 2 3\n" * 3
    assert [parts(one)[1], parts(one + one)[1]] == [None, "unsupported"]


def test_a_picture_that_is_stored_in_an_archive_behind_the_end(shown, hidden):
    """It stands there uncompressed, and is found."""
    found, reason = parts(saved(shown, "JPEG") + zipped(saved(hidden, "PNG")))
    assert [[one[:2] for one in found], reason] == [[(0, "frame"), (1, "appended")], "unsupported"]


def test_letters_of_an_archive_are_none(shown):
    """Those of a zip stand in many clips by chance, without a member's name."""
    member = b"PK\3\4\x14\0\0\0\x08\0" + bytes(16)
    for rest in (
        member + b"\x09\0\0\0a" + bytes(200),
        member + b"\xff\xff\0\0" + b"a" * 200,
        member + b"\0\0\0\0" + b"a" * 200,
        b"PK\3\4",
        b"PK\3\4" + bytes(200),
        b"PK\3\4" + b"\xff" * 200,
        b"PK\5\6" + bytes(18),
    ):
        assert parts(saved(shown, "JPEG") + bytes(70) + rest)[1] is None


def test_several_behind_each_other(scene, shown):
    """Each is returned once, in the order of the file, with further part numbers."""
    files = [saved(scene(n, (160, 120)), f) for n, f in ((31, "JPEG"), (32, "PNG"), (33, "JPEG"))]
    found, reason = parts(saved(shown, "JPEG") + b"".join(files))
    assert reason is None
    assert [one[:2] for one in found[1:]] == [(1, "appended"), (2, "appended"), (3, "appended")]


@pytest.mark.parametrize("outside", [*OUTSIDE, "TIFF", "ICO"])
def test_an_ordinary_file_has_one_part(shown, outside):
    """What is inside a file is not behind it."""
    found, reason = parts(file_of(shown, outside))
    assert reason is None
    assert {kind for _, kind, _ in found} == {"frame"}


def test_the_pictures_of_an_mpo_are_frames(shown, hidden):
    """They are not returned twice; what stands behind the last of them is appended."""
    data = saved(shown, "MPO", save_all=True, append_images=[hidden])
    assert [one[:2] for one in parts(data)[0]] == [(0, "frame"), (1, "frame")]
    found, _ = parts(data + saved(hidden, "PNG"))
    assert [one[:2] for one in found] == [(0, "frame"), (1, "frame"), (2, "appended")]


def test_a_broken_hidden_picture_is_no_trouble(shown, hidden):
    """The file stays sound; a cut hidden picture is returned as far as it decodes."""
    jpeg = saved(hidden, "JPEG")
    broken = jpeg[:40] + b"\xff\xff" * 40
    exif = exif_block(jpeg=broken)
    for data in (saved(shown, "JPEG", exif=exif), saved(shown, "JPEG") + broken):
        found, reason = parts(data)
        assert reason is None
        assert len(found) == 1
    found, reason = parts(saved(shown, "JPEG") + jpeg[: len(jpeg) // 2])
    assert (reason, len(found)) == (None, 2)


def test_a_hidden_picture_over_a_limit_is_reported(shown, hidden):
    """It is `too_large`, after the pictures within the limits."""
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


@pytest.mark.parametrize("host", ["JPEG", "PNG"])
def test_a_hidden_header_bomb_is_reported_and_not_opened(monkeypatch, shown, host):
    """Pillow would allocate a WebP's canvas, which no memory holds, as soon as it opens it."""
    canvas = (16382).to_bytes(3, "little")
    bomb = b"RIFF" + struct.pack("<I", 92) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + 2 * canvas
    data, opened = saved(shown, host), []
    open_image = pillow.open_image
    monkeypatch.setattr(
        pillow, "open_image", lambda one: (opened.append(one[:4]), open_image(one))[1]
    )

    found, reason = parts(data + bomb + bytes(70))

    assert (len(found), reason) == (1, "too_large")
    assert b"RIFF" not in opened


@pytest.mark.parametrize(
    ("troubles", "said"),
    [
        ([MediaError("unsupported", "a"), MediaError("too_large", "b")], "hidden in the file: a"),
        ([MediaError("undecodable", "a"), MediaError("too_large", "b")], "hidden in the file: b"),
        ([MediaError("unsupported", "a"), ShortOfMemory("b"), MediaError("too_large", "c")], "b"),
    ],
)
def test_of_several_hidden_pictures_the_first_that_nobody_saw_is_reported(
    monkeypatch, shown, hidden, troubles, said
):
    """The detail says that it is hidden. A lack of memory counts before all else."""
    left = iter(troubles)
    picture = open_picture(saved(shown, "JPEG") + saved(hidden, "PNG") * len(troubles))
    walk = picture.frames()
    assert next(walk).part_kind == "frame"

    def fails(data):
        raise next(left)

    monkeypatch.setattr(pillow, "open_image", fails)
    with pytest.raises(MediaError) as caught:
        next(walk)
    assert caught.value.detail == said


@pytest.mark.parametrize("cut", [False, True])
def test_memory_that_lacks_for_what_is_hidden_is_reported(monkeypatch, shown, hidden, cut):
    """It counts before the trouble of the file itself: another process may have the memory."""
    data = b"%PDF-1.7\n" + saved(hidden, "PNG")
    if cut:
        data = saved(shown, "JPEG", exif=exif_block(jpeg=saved(hidden, "JPEG")))
        data = data[: len(data) * 3 // 4]
    picture = open_picture(data)

    def fails(data):
        raise ShortOfMemory("no memory")

    walk = picture.frames()
    if cut:
        assert next(walk).part_kind == "frame"
    monkeypatch.setattr(pillow, "open_image", fails)
    with pytest.raises(ShortOfMemory):
        next(walk)


def test_what_is_hidden_in_a_broken_picture_is_searched(shown, hidden):
    """The thumbnail of a cut picture comes before `truncated`."""
    data = saved(shown, "JPEG", exif=exif_block(jpeg=saved(hidden, "JPEG")))
    found, reason = parts(data[: len(data) * 3 // 4])
    assert reason == "truncated"
    assert [one[:2] for one in found] == [(0, "frame"), (1, "thumbnail")]


def listed(make_list, picture):
    """Return a Screener whose list holds the picture."""
    row = {"id": "known", "pdq": pdq.compute(np.asarray(picture)).text, "status": "confirmed"}
    return Screener(make_list([row], name=row["pdq"][:16]))


def test_a_hidden_picture_matches_and_says_where_it_was(shown, hidden, make_list):
    """The match has the part and its kind, in the result line too."""
    screener = listed(make_list, hidden)
    (match,) = screener.screen(saved(shown, "JPEG") + saved(hidden, "JPEG", quality=90)).matches
    assert (match.part, match.part_kind) == (1, "appended")
    exif = exif_block(jpeg=saved(hidden, "JPEG", quality=90))
    (match,) = screener.screen(saved(shown, "JPEG", exif=exif)).matches
    assert (match.part, match.part_kind, match.to_dict()["part_kind"]) == (1, *["thumbnail"] * 2)
    assert screener.screen(saved(shown, "JPEG")).verdict is Verdict.NO_MATCH


STARTS = {
    "JPEG": b"\xff\xd8\xff\xe0", "PNG": b"\x89PNG\r\n\x1a\n", "GIF": b"GIF89a", "FLV": b"FLV\1\5",
    "WebP": b"RIFF\xff\xff\0\0WEBPVP8 ", "AVI": b"RIFF\xff\xff\0\0AVI LIST", "Ogg": b"OggS\0\2",
    "Matroska": b"\x1a\x45\xdf\xa3", "MP4": b"\0\0\0\x18ftypisom", "AVIF": b"\0\0\0\x18ftypavif",
    "ASF": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "box": b"\0\0\0\x08ftyp\x7f\xff\xff\xffmdat",
}  # fmt: skip


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize("host", ["JPEG", "PNG", "GIF", "AVIF", "PDF", "MP4"])
def test_a_start_that_does_not_open_hides_no_picture_behind_it(
    shown, hidden, make_list, host, start
):
    """The search continues behind the start, whatever length it declares.

    A video with such a tail is unscreened.
    """
    if host == "MP4":
        data = clip([shown] * 3)
    else:
        data = b"%PDF-1.7\n" if host == "PDF" else saved(shown, host)
    screener = listed(make_list, hidden)

    result = screener.screen(data + start + saved(hidden, "JPEG", quality=90))

    if host == "MP4":
        assert result.verdict is Verdict.UNSCREENED
    else:
        assert [match.part_kind for match in result.matches] == ["appended"]
    if host not in ("MP4", "PDF"):
        assert screener.screen(data + start + bytes(100)).verdict is Verdict.NO_MATCH


@pytest.mark.parametrize("count", [15, 16, 5000])
def test_more_starts_than_are_tried_clear_nothing(shown, hidden, make_list, count):
    """Sixteen places are tried, which bounds the work. With more, the file is unscreened."""
    data = saved(shown, "JPEG") + b"GIF89a" * count + saved(hidden, "JPEG", quality=90)

    result = listed(make_list, hidden).screen(data)

    if count < 16:
        assert result.verdict is Verdict.MATCH
    else:
        assert (result.verdict, result.reason) == (Verdict.UNSCREENED, Reason.TOO_LARGE)


@pytest.mark.parametrize("first", [False, True])
def test_a_gif_without_a_trailer_hides_no_picture_behind_it(shown, hidden, make_list, first):
    """A GIF's blocks end where no other block begins; the rest may hold a byte like a trailer."""
    small = saved(Image.new("L", (8, 8)), "GIF")
    assert small[-1:] == b"\x3b"
    before = saved(shown, "GIF")[:-1] if first else saved(shown, "JPEG") + small[:-1]

    found = listed(make_list, hidden).screen(before + saved(hidden, "JPEG", quality=90) + b"\x3b")

    assert [match.part_kind for match in found.matches] == ["appended"]


@pytest.mark.parametrize("container", ["flv", "ogg"])
def test_a_clip_whose_end_nobody_knows_hides_no_picture_behind_it(
    shown, hidden, make_list, container
):
    """FLV and Ogg have no length; a picture is found behind a clip that plays to its end too."""
    moving = clip(
        [shown] * 8, container=container, codec={"flv": "flv", "ogg": "libvpx"}[container]
    )
    data = saved(shown, "JPEG") + moving + saved(hidden, "JPEG", quality=90)

    assert listed(make_list, shown).screen(saved(hidden, "JPEG") + moving).matches
    assert listed(make_list, hidden).screen(data).matches


def segment(exif):
    """Return a segment of a JPEG that holds an EXIF block."""
    return b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif


def with_exif(format, picture, blocks):
    """Return a picture's file with several EXIF blocks."""
    data = saved(picture, format)
    if format == "JPEG":
        return data[:2] + b"".join(map(segment, blocks)) + data[2:]
    bodies = [block.removeprefix(b"Exif\0\0") for block in blocks]
    if format == "PNG":
        return data[:33] + b"".join(chunk(b"eXIf", body) for body in bodies) + data[33:]
    size = struct.pack("<I", 8) + b"".join(
        (side - 1).to_bytes(3, "little") for side in picture.size
    )
    made = [(b"VP8X", size), *((b"EXIF", body) for body in bodies)]
    chunks = [
        name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2) for name, body in made
    ]
    whole = b"WEBP" + chunks[0] + data[12:] + b"".join(chunks[1:])
    return b"RIFF" + struct.pack("<I", len(whole)) + whole


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_the_thumbnail_of_every_exif_block(scene, shown, make_list, format, number):
    """Readers use the first or the last of several; a listed picture is found in each."""
    small = [scene(seed, (160, 120)) for seed in (31, 32, 33)]
    blocks = [exif_block(jpeg=saved(one, "JPEG", quality=90)) for one in small]
    data = with_exif(format, shown, blocks)

    found = listed(make_list, small[number]).screen(data)

    assert [match.part_kind for match in found.matches] == ["thumbnail"]
    assert listed(make_list, scene(34)).screen(data).verdict is Verdict.NO_MATCH


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
    """The end lies behind the signature and not behind the file."""
    data = bytes(start) + head + rest
    end = file_end.find_end(data, start)
    assert end is None or start < end <= len(data)


def test_a_jpegs_end_wherever_it_falls():
    """The marker is found at every place around the borders of the searched chunks."""
    head = b"\xff\xd8\xff\xda\0\2"
    for chunks in (1, 2):
        for shift in range(-4, 5):
            filler = b"\xff\0" * (chunks * (1 << 16)) + b"x" * (4 + shift)
            filler = filler[: len(filler) - len(head)]
            data = head + filler + b"\xff\xd9" + b"more"
            assert file_end.find_end(data, 0) == data.index(b"\xff\xd9") + 2
            assert (
                file_end.find_end(data[: len(head) + len(filler) + 1], 0) == len(head + filler) + 1
            )


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([b"II*\0", b"MM\0*"]), st.booleans(), st.binary(max_size=120))
def test_any_bytes_as_an_exif_block(head, led_to, rest):
    """Its second directory is numbers or nothing, and what it points to is tried."""
    if led_to:
        rest = struct.pack("<IHI" if head[:1] == b"I" else ">IHI", 8, 0, 14) + rest
    second, tags = tiff.read_second_directory(head + rest)
    assert second == 14 if led_to else second >= 0
    assert all(isinstance(value, int) for value in tags.values())
    image = Image.new("L", (1, 1))
    image.info["exif"] = b"Exif\0\0" + head + rest
    assert len(list(find_embedded(b"", image))) <= 1
