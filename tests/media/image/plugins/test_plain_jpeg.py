"""Plain JPEGs, decoded without Pillow's image: how they are recognised, and that the pixels are
equal.
"""

import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_bytes import jpeg
from PIL import Image

from screener.errors import MediaError
from screener.media.files.limits import Limits
from screener.media.image import open_image
from screener.media.image.plugins import plain_jpeg


def segment(mark, content):
    """Return a segment of a JPEG's headers."""
    return bytes((0xFF, mark)) + struct.pack(">H", len(content) + 2) + content


def with_segment(data, mark, content):
    """Return the file with one more segment at its start."""
    return data[:2] + segment(mark, content) + data[2:]


def without_jfif(data):
    """Return the file without its first segment."""
    assert data[2:4] == b"\xff\xe0"
    return data[:2] + data[20:]


def facts(open_picture, data):
    """Return the media, the frames and the trouble of a file."""
    frames, trouble, media = [], None, None
    try:
        picture = open_picture(data, Limits(pixels=4_000_000), None)
        for frame in picture.frames():
            kept = (frame.part, frame.part_kind, frame.time, frame.pixels.shape)
            frames.append((kept, frame.pixels.tobytes()))
        media = picture.media
    except MediaError as error:
        trouble = (error.reason, error.detail)
    return media, frames, trouble


def both(data):
    """Return the same by the way that `open` takes, which must equal the general way."""
    found = facts(open_image._open_bytes, data)
    assert found == facts(open_image._open_with_pillow, data)
    return found


@pytest.fixture(scope="module")
def files(scene):
    """Return ordinary files, by what is special in them."""
    picture = scene(3, (161, 118))
    return {
        "baseline": jpeg(picture),
        "no subsampling": jpeg(picture, subsampling=0),
        "half": jpeg(picture, subsampling=1),
        "progressive": jpeg(picture, progressive=True),
        "grey": jpeg(picture.convert("L")),
        "restarts": jpeg(picture, restart_marker_blocks=3),
        "comment": jpeg(picture, comment=b"a note \xff\xd9 with a mark in it"),
        "profile": jpeg(picture, icc_profile=b"p" * 70_000, comment=b"x"),
        "coarse tables": jpeg(picture, quality=1),
        "one pixel": jpeg(picture.resize((1, 1))),
        "one row": jpeg(picture.resize((300, 1))),
    }


def test_ordinary_files_are_plain_and_have_the_same_pixels(files):
    """Baseline or progressive, of any sampling, grey or colour."""
    for name, data in files.items():
        assert plain_jpeg.read_shape(data) is not None, name
        media, frames, trouble = both(data)

        assert (media.type, media.frames, len(frames), trouble) == ("image/jpeg", 1, 1, None)


def test_what_needs_more_than_the_size_is_left_to_the_general_decoder(scene):
    """EXIF, XMP, Photoshop's resources, further pictures, other colours, larger chroma, unusual
    frame headers, and data behind the end.
    """
    picture = scene(4, (120, 90))
    data, exif = jpeg(picture), Image.Exif()
    exif[0x0112] = 6
    even = jpeg(picture, subsampling=0)
    frame, scan = even.index(b"\xff\xc0"), even.index(b"\xff\xda")

    def changed(*changes):
        made = bytearray(even)
        for at, value in changes:
            made[at] = value
        return bytes(made)

    named = [(frame + 10 + 3 * n, ord("RGB"[n])) for n in range(3)]
    named += [(scan + 5 + 2 * n, ord("RGB"[n])) for n in range(3)]
    longer = changed((frame + 3, even[frame + 3] + 3))
    others = {
        "exif": jpeg(picture, exif=exif),
        "xmp": jpeg(picture, xmp=b"<x tiff:Orientation='6'/>"),
        "photoshop": with_segment(data, 0xED, b"Photoshop 3.0\0"),
        "odd profile": with_segment(data, 0xE2, b"ICC_PROFILE\0\1"),
        "mpf": with_segment(data, 0xE2, b"MPF\0"),
        "CMYK": jpeg(picture.convert("CMYK")),
        "RGB": jpeg(picture, keep_rgb=True, subsampling=0),
        "larger chroma": changed((frame + 14, 0x22)),  # of the second component
        "wider chroma": changed((frame + 14, 0x21)),
        "higher chroma": changed((frame + 17, 0x12)),  # of the third
        "components named RGB": without_jfif(changed(*named)),
        "12 bits": changed((frame + 4, 12)),
        "no rows": changed((frame + 5, 0), (frame + 6, 0)),
        "no columns": changed((frame + 7, 0), (frame + 8, 0)),
        "a longer frame": longer[: frame + 19] + bytes(3) + longer[frame + 19 :],
        "two frames": even[:frame] + even[frame : frame + 19] + even[frame:],
        "appended": data + jpeg(picture.rotate(90)),
        "tail": data + bytes(64),
        "PNG": b"\x89PNG\r\n\x1a\n" + data,
        "nothing": b"",
    }
    for name, other in others.items():
        assert plain_jpeg.read_shape(other) is None, name
        if name not in ("PNG", "nothing"):
            both(other)
    assert plain_jpeg.read_shape(data + bytes(63)) == (120, 90, False)


@pytest.mark.parametrize("transform", [None, 0, 1, 2])
@pytest.mark.parametrize("jfif", [True, False])
def test_colours_are_recognised_as_by_the_general_decoder(scene, transform, jfif):
    """RGB is not taken for luma, by the markers of JFIF and Adobe."""
    data = jpeg(scene(5, (64, 48)), subsampling=0)
    data = data if jfif else without_jfif(data)
    if transform is not None:
        data = with_segment(data, 0xEE, b"Adobe\0\x64\0\0\0\0" + bytes((transform,)))

    _, frames, _ = both(data)

    assert (plain_jpeg.read_shape(data) is not None) == (jfif or transform != 0)
    assert len(frames[0][0][3]) == (2 if jfif or transform != 0 else 3)


def test_damaged_headers_are_left_to_the_general_decoder(scene):
    """Cut tables, frames and scans, impossible lengths, unknown markers, padding."""
    data = jpeg(scene(6, (40, 30)))
    for mark in (
        0x00,
        0x01,
        0x02,
        0xBF,
        0xC3,
        0xC9,
        0xCC,
        0xD0,
        0xD8,
        0xDC,
        0xDE,
        0xF0,
        0xFD,
        0xFF,
    ):
        assert plain_jpeg.read_shape(with_segment(data, mark, b"\0\1")) is None, hex(mark)
        both(with_segment(data, mark, b"\0\1"))
    short = segment(0xDB, b"\0" * 9)
    for middle in (b"\xff", b"x", b"\xff\xe5\0\0", b"\xff\xe5\0\1", b"\xfe\xe5\0\2", short):
        assert plain_jpeg.read_shape(data[:2] + middle + data[2:]) is None
        both(data[:2] + middle + data[2:])
    for content in (b"JFIF", b"Adobe"):
        both(with_segment(without_jfif(data), 0xE0 if content == b"JFIF" else 0xEE, content))
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    for size in range(6):
        other = data[:frame] + segment(0xC0, data[frame + 4 :][:size]) + data[frame + 19 :]
        assert plain_jpeg.read_shape(other) is None
        both(other)
    assert plain_jpeg.read_shape(data[:scan] + segment(0xDA, b"")) is None
    both(data[:scan] + segment(0xDA, b""))
    for cut in range(scan + 14):
        assert plain_jpeg.read_shape(data[:cut]) is None


def test_a_plain_file_over_the_limit_is_too_large(scene):
    """Before a pixel is decoded, as for every picture."""
    with pytest.raises(MediaError, match="too_large"):
        open_image.open(jpeg(scene(7, (200, 100))), limits=Limits(pixels=19_999))


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32))
def test_damage_is_reported_as_by_the_general_decoder(files, seed):
    """Any cut or change has the same frames, trouble and media."""
    rng = random.Random(seed)
    data = bytearray(files[rng.choice(sorted(files))])
    scan = data.index(b"\xff\xda") + 14
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(2, len(data)) if rng.random() < 0.4 else rng.randrange(2, scan)
        data[at] = rng.choice((0, 0xFF, 0xD9, 0xDA, 0xE1, 0x11, rng.randrange(256)))
    if rng.random() < 0.3:
        del data[rng.randrange(3, len(data)) :]

    both(bytes(data))


def test_the_photos_of_the_material_have_the_same_pixels(material):
    """Every JPEG of the material; most are plain."""
    plain = total = 0
    for path in sorted((material / "photos-free").rglob("*.jp*g")):
        data = path.read_bytes()
        total += 1
        plain += plain_jpeg.read_shape(data) is not None
        if np.prod((plain_jpeg.read_shape(data) or (9, 9))[:2]) <= 4_000_000:
            both(data)

    assert plain > total / 2
