"""Formats that are opened with Pillow, and those that are not decoded."""

import struct

import numpy as np
import pytest
from frames_of_file import frames_and_reason, pixels_and_reason
from picture_bytes import saved
from PIL import Image, PcxImagePlugin, SunImagePlugin, TgaImagePlugin, XbmImagePlugin

from screener.errors import MediaError
from screener.media.image import open_image, pillow

PICTURE = Image.fromarray(np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8))
PCX = saved(PICTURE, "PCX")
XBM = b"#define a_width 8\n#define a_height 2\nstatic char a_bits[] = {\n0x0f, 0xf0 };\n"
SUN_HEAD = struct.pack(">8I", 0x59A66A95, 9, 6, 24, 162, 1, 0, 0)

NOT_DECODED = {
    "bitmap of X": (XBM, "image/x-xbitmap"),
    "bitmap of X behind a comment": (b"/* drawn */\n" + XBM, "image/x-xbitmap"),
    "Sun raster": (SUN_HEAD + bytes(range(162)), "image/x-sun-raster"),
    "PCX": (PCX, "image/x-pcx"),
    "grey PCX": (saved(PICTURE.convert("L"), "PCX"), "image/x-pcx"),
    "PCX of bits": (saved(PICTURE.convert("1"), "PCX"), "image/x-pcx"),
    "PCX that is not packed": (PCX[:2] + bytes(1) + PCX[3:], "image/x-pcx"),
    "DCX": (struct.pack("<4I", 0x3ADE68B1, 16, 16 + len(PCX), 0) + 2 * PCX, "image/x-dcx"),
    "TGA": (saved(PICTURE, "TGA"), "image/x-tga"),
    "packed TGA": (saved(PICTURE, "TGA", compression="tga_rle"), "content of no known type"),
    "grey TGA": (saved(PICTURE.convert("L"), "TGA"), "content of no known type"),
    "TGA of colours in a palette": (saved(PICTURE.convert("P"), "TGA"), "content of no known type"),
    "TGA with a name": (saved(PICTURE, "TGA", id_section=b"name"), "content of no known type"),
}


@pytest.mark.parametrize("name", NOT_DECODED)
def test_old_rasters_are_unsupported_and_never_reach_their_decoders(name, monkeypatch):
    """The detail names the type if the file has a signature."""

    def reached(*_):
        raise AssertionError("a decoder was reached")

    for plugin in (
        PcxImagePlugin.PcxImageFile,
        SunImagePlugin.SunImageFile,
        TgaImagePlugin.TgaImageFile,
        XbmImagePlugin.XbmImageFile,
    ):
        monkeypatch.setattr(plugin, "_open", reached)
    data, named = NOT_DECODED[name]

    with pytest.raises(MediaError, match=f"^unsupported: {named} is not decoded$"):
        open_image.open(data)


def test_a_picture_inside_a_file_that_is_not_decoded_is_found():
    """The file's own reason follows it."""
    frames, reason = frames_and_reason(PCX + saved(PICTURE, "JPEG"))

    assert [frame.part_kind for frame in frames] == ["appended"]
    assert reason == "unsupported"


@pytest.mark.parametrize(("black", "reason"), [("#000000", None), ("black", "unsupported")])
def test_a_pixmap_of_x_with_a_named_colour_is_unsupported(black, reason):
    """Pillow knows no names of colours, so the file is not damaged."""
    rows = ["2 1 2 1", f"a c {black}", "b c #ffffff", "ab"]
    text = "/* XPM */\nstatic char *a[] = {\n" + ",\n".join(f'"{row}"' for row in rows) + "};\n"
    frames, found = pixels_and_reason(text.encode())

    assert found == reason
    assert [frame.tolist() for frame in frames] == ([] if reason else [[[[0] * 3, [255] * 3]]])


@pytest.mark.parametrize(
    ("layers", "info", "grey"),
    [
        ([(1, 2, 2, 0), (2, 1, 1, 1), (3, 1, 1, 1)], {"jfif": 257}, True),
        ([(1, 1, 1, 0), (2, 1, 1, 1), (3, 1, 1, 1)], {"adobe_transform": 1}, True),
        ([(0, 2, 1, 0), (1, 1, 1, 1), (2, 1, 1, 1)], {}, True),
        ([(1, 1, 1, 0), (2, 1, 1, 1), (3, 1, 1, 1)], {"adobe_transform": 0}, False),
        ([(82, 1, 1, 0), (71, 1, 1, 0), (66, 1, 1, 0)], {}, False),
        ([(1, 1, 2, 0), (2, 2, 1, 1), (3, 1, 1, 1)], {"jfif": 257}, False),
        ([(1, 1, 1, 0)], {"jfif": 257}, False),
        ([(1, 1, 1, 0), (2, 1, 1, 1), (3, 1, 1, 1), (4, 1, 1, 1)], {}, False),
    ],
)
def test_which_jpegs_are_decoded_to_grey(
    layers: list[tuple[int, int, int, int]], info: dict[str, object], grey: bool
) -> None:
    """Only YCbCr of three components, by libjpeg's own rules, with its luma at full size."""
    opened = pillow.open_image(saved(PICTURE, "JPEG"))
    opened.layer, opened.info = layers, info  # type: ignore[attr-defined]
    assert pillow.is_luma_first(opened) is grey
