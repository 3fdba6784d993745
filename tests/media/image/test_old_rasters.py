"""Rasters of Sun, PCXs, DCXs, bitmaps and pixmaps of X, byte by byte, as others read them."""

import struct

import numpy as np
import pytest
from picture_bytes import saved
from PIL import Image

from screener.errors import MediaError
from screener.media.image.open_image import open as open_picture

WIDTH, HEIGHT = 9, 6
COLOURS = np.random.default_rng(1).integers(0, 128, (HEIGHT, WIDTH, 3))  # which need no packing


def sun(rows, depth, kind):
    """A Sun raster of so many bits a pixel; of the kind 2 the rows are packed, of 3 in RGB."""
    data = b"".join(row + bytes(len(row) % 2) for row in rows)
    return struct.pack(">8I", 0x59A66A95, WIDTH, HEIGHT, depth, len(data), kind, 0, 0) + data


def shown(data):
    """The pixels of a picture."""
    (frame,) = open_picture(data).frames()
    return frame.pixels


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_the_first_byte_of_32_bits_is_padding(kind):
    """Whichever way round the colours are, and whether the rows are packed or not."""
    stored = COLOURS if kind == 3 else COLOURS[..., ::-1]
    padded = np.dstack([np.full((HEIGHT, WIDTH), 7), stored]).astype(np.uint8)

    assert (shown(sun([row.tobytes() for row in padded], 32, kind)) == COLOURS).all()


def test_packed_rows_that_are_padded_are_unsupported():
    """Each would begin a byte further off, so that nothing would be known of the picture."""
    rows = [row.tobytes() for row in COLOURS[..., ::-1].astype(np.uint8)]

    assert (shown(sun(rows, 24, 1)) == COLOURS).all()
    with pytest.raises(MediaError, match="unsupported"):
        open_picture(sun(rows, 24, 2))


def test_what_is_set_in_a_bitmap_of_x_is_black():
    """The first pixel is the lowest bit."""
    text = b"#define a_width 8\n#define a_height 2\nstatic char a_bits[] = {\n0x0f, 0xf0 };\n"

    assert (shown(text) == [[0] * 4 + [255] * 4, [255] * 4 + [0] * 4]).all()


def test_what_there_is_of_a_bitmap_of_x_that_is_cut_is_as_in_the_whole():
    """And not black for white, by which nothing would be found."""
    text = b"#define a_width 8\n#define a_height 2\nstatic char a_bits[] = {\n0x0f, 0x"
    walk = open_picture(text).frames()

    assert next(walk).pixels[0].tolist() == [0] * 4 + [255] * 4
    with pytest.raises(MediaError, match="truncated"):
        next(walk)


@pytest.mark.parametrize(("black", "reason"), [("#000000", None), ("black", "unsupported")])
def test_a_colour_that_is_told_by_its_name_is_no_damage(black, reason):
    """Most programs write some so, and Pillow knows of none."""
    rows = ["2 1 2 1", f"a c {black}", "b c #ffffff", "ab"]
    text = "/* XPM */\nstatic char *a[] = {\n" + ",\n".join(f'"{row}"' for row in rows) + "};\n"

    if reason is None:
        assert shown(text.encode()).tolist() == [[[0] * 3, [255] * 3]]
    else:
        with pytest.raises(MediaError, match=reason):
            open_picture(text.encode())


def test_a_pcx_that_is_not_packed_is_no_damage():
    """Its header says so, and Pillow unpacks what is none."""
    data = saved(Image.fromarray(COLOURS.astype(np.uint8)), "PCX")

    assert (shown(data) == COLOURS).all()
    with pytest.raises(MediaError, match="unsupported"):
        open_picture(data[:2] + bytes(1) + data[3:])


def test_each_page_of_a_dcx_has_its_own_colours():
    """Its palette stands at its end, which is not that of the file; and any may not be packed."""
    pages = [Image.new("P", (8, 6)) for _ in range(2)]
    for seed, page in enumerate(pages):
        page.putdata(range(48))
        page.putpalette(np.random.default_rng(seed).bytes(768))
    files = [saved(page, "PCX") for page in pages]

    def of(*files):
        places = [16, 16 + len(files[0]), 0]
        return struct.pack("<4I", 0x3ADE68B1, *places) + b"".join(files)

    for page, frame in zip(pages, open_picture(of(*files)).frames(), strict=True):
        assert (frame.pixels == np.asarray(page.convert("RGB"))).all()
    walk = open_picture(of(files[0], files[1][:2] + bytes(1) + files[1][3:])).frames()
    assert next(walk).part == 0
    with pytest.raises(MediaError, match="unsupported"):
        next(walk)
