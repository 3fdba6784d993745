"""The type of a file from its first bytes."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso_boxes import box
from picture_bytes import saved
from PIL import Image

from screener.errors import MediaError
from screener.media.files.sniff import is_decodable, sniff
from screener.media.image.open_image import open as open_picture


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
    """The usual formats are recognised in real files, and pictures among them are decodable."""
    assert sniff(saved(Image.new("RGB", (32, 32)), format)) == mime
    assert is_decodable(mime) == mime.startswith("image/")


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
    """Stills and videos share a container; the brands distinguish them."""
    assert sniff(box(b"ftyp", brands)) == mime


def test_a_jbig_is_no_icon() -> None:
    """A JBIG of one plane begins like an icon without a picture."""
    head = bytes([0, 0, 1, 0]) + b"".join(side.to_bytes(4, "big") for side in (401, 299, 99))

    with pytest.raises(MediaError, match="unsupported: image/x-jbig is not decoded"):
        open_picture(head + bytes(4) + bytes(range(200)))


@pytest.mark.parametrize(("size", "before"), [(188, 0), (192, 4)])
def test_a_transport_stream_is_recognised_by_its_first_five_packets(size: int, before: int) -> None:
    """Each begins with the sync byte, in files and on discs; four may be chance."""
    packet = bytes(before) + b"\x47" + bytes(size - before - 1)
    stream = packet * 5
    begins = before + 4 * size

    assert sniff(stream) == sniff(stream[: begins + 1]) == "video/mp2t"
    assert sniff(stream[:begins]) is None
    for number in range(5):
        at = before + number * size
        assert sniff(stream[:at] + b"\x48" + stream[at + 1 :]) is None


NAMES = [
    "GIF89a.jpg", "GIF87a", "icns/x.jpg", "8BPS", "qoif", "DDS x", "gimp xcf", "<svg", "%PDF-1",
    "BM", "BZh9", "MZ.exe", "ID3", "OggS", "RIFFabcdWEBP", "abcdftypavif", "abcdmoov", "II*",
    "Gé.jpg", "x" * 100,
]  # fmt: skip


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("name", NAMES)
def test_a_tar_file_is_one_whatever_its_first_member_is_called(name: str, form: int) -> None:
    """A name may spell the signature of a picture; the header's checksum is right."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        archive.addfile(tarfile.TarInfo(name))
    data = out.getvalue()
    assert sniff(data) == "application/x-tar"


@pytest.mark.parametrize(
    "start", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a\x10\0\x10\0"]
)
def test_a_picture_that_has_a_tar_files_word_and_sum_is_a_picture(start: bytes) -> None:
    """Bytes that cannot be a member's name are not one."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    data = bytearray(out.getvalue())
    data[: len(start)] = start
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    assert tarfile.TarInfo.frombuf(bytes(data[:512]), "latin-1", "strict").size == 0

    assert sniff(bytes(data)) == sniff(start)


def test_a_picture_that_has_a_tar_files_word_alone_is_a_picture() -> None:
    """Without the checksum, the first bytes decide."""
    data = b"GIF89a.jpg".ljust(257, b"\0") + b"ustar"

    assert sniff(data.ljust(512, b"\0")) == sniff(data) == "image/gif"


@given(st.binary(max_size=80))
def test_any_bytes_have_an_answer(data: bytes) -> None:
    """Any bytes have a type or none, and a file without a type is not decodable."""
    mime = sniff(data)
    assert mime is None or "/" in mime
    assert not is_decodable(None)
