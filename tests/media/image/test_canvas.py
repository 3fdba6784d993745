"""Pictures decoded without Pillow's copies have the pixels that Pillow gives."""

import io

import numpy as np
import pytest
from frames_of_file import pixels_and_reason
from picture_bytes import saved
from PIL import Image

from screener.media.image import open_image, pillow, pixels
from screener.media.image.canvas import Canvas

FORMS = [
    ("JPEG", "L"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "L"), ("PNG", "LA"), ("PNG", "RGB"),
    ("PNG", "RGBA"), ("TIFF", "L"), ("TIFF", "LA"), ("TIFF", "RGB"), ("TIFF", "RGBA"),
    ("TIFF", "CMYK"), ("TIFF", "YCbCr"), ("TIFF", "LAB"), ("BMP", "L"), ("BMP", "RGB"),
    ("PPM", "RGB"), ("JPEG2000", "RGB"), ("AVIF", "RGB"),
]  # fmt: skip
SIDES = [(61, 43), (1, 1), (700, 500)]  # the last is converted in more than one band


def drawn(mode, sides, seed=1):
    """Return soft shapes and some grain, in any mode; alpha from clear to opaque."""
    rng = np.random.default_rng(seed)
    soft = Image.fromarray(rng.integers(0, 256, (5, 7, 4), np.uint8)).resize(sides)
    grain = np.asarray(soft, np.int16) + rng.integers(-8, 9, (sides[1], sides[0], 4))
    picture = Image.fromarray(grain.clip(0, 255).astype(np.uint8))
    if mode in ("LA", "RGBA"):
        return picture.convert(mode)
    if mode == "LAB":
        return Image.merge("LAB", picture.convert("RGB").split())
    return picture.convert("RGB").convert(mode)


def decoded(data):
    """Return the pixels that screening uses, and the reason if something is wrong."""
    frames, reason = pixels_and_reason(data)
    return (frames[0] if frames else None), reason


def by_pillow(data):
    """Return the pixels in Pillow's own memory, through the pipeline."""
    opened = Image.open(io.BytesIO(data))
    if opened.format == "JPEG" and pillow.is_luma_first(opened):
        opened.draft("L", opened.size)
    return pixels.to_upright(opened).white


@pytest.mark.parametrize(("form", "mode"), FORMS)
def test_a_picture_on_a_canvas_has_the_pixels_that_pillow_gives(form, mode):
    """Every supported mode and format, of any size, is decoded onto the canvas."""
    for sides in SIDES:
        data = saved(drawn(mode, sides), form)
        opened, canvas = pillow.open_image(data), Canvas()
        canvas.lend(opened)
        opened.load()
        assert canvas.memory_of(opened) is not None
        assert opened.tobytes() == Image.open(io.BytesIO(data)).tobytes()
        assert np.array_equal(decoded(data)[0], by_pillow(data)), sides


@pytest.mark.parametrize("options", [{}, {"interlace": 1}, {"transparency": (9, 9, 9)}])
def test_single_transparent_colours_on_a_canvas(options):
    """A PNG of one transparent colour is composited in the memory that it was decoded into."""
    picture = drawn("RGB", (700, 500))
    picture.paste((9, 9, 9), (100, 100, 300, 300))
    data = saved(picture, "PNG", **options)
    found, _ = decoded(data)
    assert np.array_equal(found, by_pillow(data))
    assert (found[200, 200] == (255 if "transparency" in options else 9)).all()


@pytest.mark.parametrize("orientation", [1, 6, 8])
@pytest.mark.parametrize(
    ("form", "mode", "options"),
    [
        ("WEBP", "RGB", {"quality": 80}),
        ("WEBP", "RGB", {"quality": 5, "method": 0}),
        ("WEBP", "RGB", {"lossless": True}),
        ("WEBP", "RGBA", {"quality": 80}),
        ("WEBP", "RGBA", {"lossless": True, "exact": True}),
        ("AVIF", "RGB", {"speed": 10}),
        ("AVIF", "RGB", {"speed": 10, "subsampling": "4:4:4"}),
        ("AVIF", "RGBA", {"speed": 10}),
        ("AVIF", "L", {"speed": 10}),
    ],
)
def test_webp_and_avif_have_the_pixels_that_pillow_gives(form, mode, options, orientation):
    """Equal to the last bit, lossy and lossless, with alpha and without, turned or not."""
    exif = Image.Exif()
    if orientation > 1:
        exif[0x0112] = orientation
    for sides in [(61, 43), (16, 17), (333, 250)]:
        data = saved(drawn(mode, sides), form, exif=exif, **options)
        found, reason = decoded(data)
        assert reason is None
        assert np.array_equal(found, by_pillow(data)), sides


@pytest.mark.parametrize(
    ("form", "mode", "options"),
    [
        ("AVIF", "L", {"speed": 10}),
        ("AVIF", "RGB", {"speed": 10}),
        ("AVIF", "RGBA", {"speed": 10}),
        ("WEBP", "RGB", {"quality": 80}),
        ("WEBP", "RGBA", {"quality": 80, "allow_mixed": True}),
        ("WEBP", "RGBA", {"lossless": True, "exact": True}),
        ("WEBP", "RGB", {"lossless": True, "minimize_size": True}),
    ],
)
def test_the_frames_of_an_animation_are_those_that_pillow_gives(form, mode, options):
    """Pixels are equal to the last bit and turned; times are equal."""
    exif = Image.Exif()
    if form == "WEBP":
        exif[0x0112] = 6
    pictures = [drawn(mode, (333, 250), seed) for seed in range(3)]
    part = pictures[1].copy()
    part.paste(pictures[2].crop((50, 60, 90, 100)), (50, 60))
    frames = {"append_images": [pictures[1], part, pictures[2]], "duration": [70, 30, 9, 40]}
    data = saved(pictures[0], form, save_all=True, exif=exif, **frames, **options)
    found, opened = list(open_image.open(data).frames()), Image.open(io.BytesIO(data))
    assert len(found) == 4
    for number, frame in enumerate(found):
        opened.seek(number)
        assert np.array_equal(frame.pixels, pixels.to_upright(opened).white)
    assert [round(frame.time, 3) for frame in found] == [0.0, 0.07, 0.1, 0.109]


def test_webp_is_decoded_by_pillow_where_opencv_does_not(monkeypatch):
    """Pixels and reasons are then Pillow's."""
    import cv2

    data = saved(drawn("RGB", (61, 43)), "WEBP")
    expected, _ = decoded(data)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    assert np.array_equal(decoded(data)[0], expected)
    assert decoded(data[: len(data) // 2]) == (None, "truncated")


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_cut_jpeg_is_decoded_twice_on_one_canvas(mode):
    """Nothing of the first attempt is left."""
    data = saved(drawn(mode, (700, 500)), "JPEG", progressive=True, quality=90)
    cut = data[: len(data) * 2 // 3]
    found, reason = decoded(cut)
    assert reason == "truncated"
    assert np.array_equal(found, by_pillow(cut + b"\xff\xd9"))


def test_a_file_without_pixels_is_still_refused():
    """Memory that exists before decoding makes no picture of a file without one."""
    data = saved(drawn("RGB", (61, 43)), "PNG")
    at, end = data.index(b"IDAT") - 4, data.index(b"IEND") - 4
    assert decoded(data[:at] + data[end:]) == (None, "truncated")


def test_a_canvas_that_is_lent_again_is_black():
    """Nothing of the last picture is left."""
    canvas, white = Canvas(), saved(Image.new("RGB", (61, 43), "white"), "PNG")
    for _ in range(2):
        opened = pillow.open_image(white)
        canvas.lend(opened)
        assert not canvas.memory_of(opened).any()
        opened.load()
        assert canvas.memory_of(opened).reshape(43, 61, 4)[..., :3].all()
