"""What a file's beginning says of the cost of decoding it."""

import io
import os

import pytest
from PIL import Image

from screener.media.image.structure.cost import is_costly

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "AVIF", "JPEG2000")
LARGE = (6000, 6000)


def write(path, data, size=None):
    """Write a file, with a hole at its end up to a size."""
    path.write_bytes(data)
    os.truncate(path, size or len(data))
    return str(path)


@pytest.mark.parametrize("format", FORMATS)
def test_pictures_are_costly_by_their_declared_size(format, tmp_path):
    """Whatever they weigh."""
    for size, expected in (((640, 480), False), (LARGE, True)):
        picture = Image.new("L" if format in ("BMP", "GIF") else "RGB", size)
        picture.save(tmp_path / "file", format)
        assert is_costly(str(tmp_path / "file")) is expected


@pytest.mark.parametrize("format", ["PNG", "GIF", "WEBP"])
def test_frames_count(format, tmp_path):
    """A hundred of 800 × 800 are 64 megapixels."""
    frames = [Image.new("RGB", (800, 800), (n, 2 * n, 90)) for n in range(100)]
    for count, expected in ((2, False), (100, True)):
        frames[0].save(
            tmp_path / "file", format, save_all=True, append_images=frames[1:count], lossless=True
        )
        assert is_costly(str(tmp_path / "file")) is expected


def test_videos_are_costly_by_their_bytes(tmp_path):
    """Of which no size is read here."""
    clip = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"
    assert not is_costly(write(tmp_path / "short", clip, 1 << 20))
    assert is_costly(write(tmp_path / "long", clip, 9 << 20))


def test_pictures_that_declare_no_size_are_costly(tmp_path):
    """They may be of any size: cut short, with more before the size than is read, or a TIFF."""
    tiff = io.BytesIO()
    Image.new("L", (9, 9)).save(tiff, "TIFF")
    padding = b"\xff\xd8" + b"\xff\xe1\xff\xff" + bytes(65533)
    for data in (b"\x89PNG\r\n\x1a\n", b"GIF89a", padding * 5, tiff.getvalue()):
        assert is_costly(write(tmp_path / "file", data))


def test_what_is_not_decoded_is_not_costly(tmp_path):
    """Other files, and what cannot be read; a pipe is not waited for."""
    os.mkfifo(tmp_path / "pipe")
    assert not is_costly(str(tmp_path / "pipe"))
    for data in (b"", b"words", b"%PDF-1.7", b"PK\3\4"):
        assert not is_costly(write(tmp_path / "file", data, 50 << 20 if data else 0))
    for path in ("", "a\0b", str(tmp_path), str(tmp_path / "gone")):
        assert not is_costly(path)
