"""Sniffing: the type of a file from its first bytes."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from screener.media.sniff import decodable, sniff


@pytest.mark.parametrize(
    ("format", "mime"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("GIF", "image/gif"),
        ("WEBP", "image/webp"),
        ("AVIF", "image/avif"),
        ("TIFF", "image/tiff"),
        ("BMP", "image/bmp"),
        ("JPEG2000", "image/jp2"),
        ("ICO", "image/x-icon"),
        ("ICNS", "image/icns"),
        ("DDS", "image/vnd-ms.dds"),
        ("PDF", "application/pdf"),
        ("EPS", "application/postscript"),
    ],
)
def test_files_that_pillow_writes(format: str, mime: str) -> None:
    """The usual formats are told by real files, and the pictures among them are decodable."""
    out = io.BytesIO()
    Image.new("RGB", (32, 32)).save(out, format)
    assert sniff(out.getvalue()) == mime
    assert decodable(mime) == mime.startswith("image/")


@pytest.mark.parametrize(
    ("brands", "mime"),
    [
        (b"heic\0\0\0\0mif1heic", "image/heic"),
        (b"mif1\0\0\0\0mif1heicmiaf", "image/heic"),
        (b"mif1\0\0\0\0mif1avifmiaf", "image/avif"),
        (b"mif1\0\0\0\0mif1miaf", "image/heif"),
        (b"avis\0\0\0\0avifavis", "image/avif"),
        (b"isom\0\0\0\0isommp42", "video/mp4"),
        (b"qt  \0\0\0\0qt  ", "video/quicktime"),
        (b"heix\0\0\0\0mif1heix", "image/heic"),
        (b"hevc\0\0\0\0msf1hevc", "image/heic-sequence"),
        (b"msf1\0\0\0\0msf1hevx", "image/heic-sequence"),
        (b"msf1\0\0\0\0msf1avis", "image/avif"),
        (b"3gp5\0\0\0\0isom3gp5", "video/3gpp"),
        (b"M4A \0\0\0\0isomM4A ", "audio/mp4"),
        (b"xxxx\0\0\0\0xxxxavif", "image/avif"),
    ],
)
def test_iso_brands(brands: bytes, mime: str) -> None:
    """One container holds stills and videos: the brands tell which."""
    assert sniff((len(brands) + 8).to_bytes(4, "big") + b"ftyp" + brands) == mime


@pytest.mark.parametrize(("size", "before"), [(188, 0), (192, 4)])
def test_a_transport_stream_is_told_by_its_first_five_packets(size: int, before: int) -> None:
    """By the byte that each of them begins with, of files and of discs; four may be chance."""
    packet = bytes(before) + b"\x47" + bytes(size - before - 1)
    stream = packet * 5
    begins = before + 4 * size

    assert sniff(stream) == sniff(stream[: begins + 1]) == "video/mp2t"
    assert sniff(stream[:begins]) is None
    for number in range(5):
        at = before + number * size
        assert sniff(stream[:at] + b"\x48" + stream[at + 1 :]) is None


@given(st.binary(max_size=80))
def test_any_bytes_have_an_answer(data: bytes) -> None:
    """Sniffing never raises; what has no type is not decodable."""
    mime = sniff(data)
    assert mime is None or "/" in mime
    assert not decodable(None)
