"""Missing data are reported even if the program lets Pillow ignore them."""

import numpy as np
import pytest
from frames_of_file import pixels_and_reason
from picture_bytes import saved
from PIL import Image, ImageFile

FORMATS = {
    "jpeg": ("JPEG", {}),
    "progressive jpeg": ("JPEG", {"progressive": True}),
    "jpeg of four inks": ("JPEG", {}),
    "mpo": ("MPO", {"save_all": True}),
    "png": ("PNG", {}),
    "apng": ("PNG", {"save_all": True}),
    "gif": ("GIF", {}),
    "animated gif": ("GIF", {"save_all": True}),
    "tiff": ("TIFF", {}),
    "packed tiff": ("TIFF", {"compression": "tiff_lzw"}),
    "pages": ("TIFF", {"save_all": True}),
    "bmp": ("BMP", {}),
    "jpeg 2000": ("JPEG2000", {}),
    "ppm": ("PPM", {}),
    "webp": ("WEBP", {}),
}


def drawn(seed):
    """Return coarse noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), np.uint8)
    return Image.fromarray(noise).resize((240, 180))


def file_of(name):
    """Return a file of a format, of two pictures if it may have several."""
    form, options = FORMATS[name]
    more = {"append_images": [drawn(1)]} if "save_all" in options else {}
    picture = drawn(0).convert("CMYK") if name == "jpeg of four inks" else drawn(0)
    return saved(picture, form, **options, **more)


@pytest.mark.parametrize("name", FORMATS)
def test_what_pillow_is_set_to_ignore_is_reported(name, monkeypatch):
    """Cut and broken files have the same frames and reasons under either setting of the process."""
    whole = file_of(name)
    files = [whole, *(whole[: round(share * len(whole))] for share in (0.3, 0.6, 0.95))]
    for share in (0.4, 0.7):
        at = round(share * len(whole))
        files.append(whole[:at] + bytes(64) + b"\xff" * 64 + whole[at + 128 :])
    expected = [pixels_and_reason(data) for data in files]
    assert expected[0][1] is None
    assert {reason for _, reason in expected[1:4]} <= {"truncated", "undecodable"}

    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    for data, (frames, reason) in zip(files, expected, strict=True):
        found = pixels_and_reason(data)
        assert found[1] == reason
        assert len(found[0]) == len(frames)
        for one, other in zip(found[0], frames, strict=True):
            assert np.array_equal(one, other)
