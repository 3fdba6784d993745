"""Detect the type of a file by its first bytes, never by its name."""

from __future__ import annotations

import re
from itertools import chain

MATROSKA_SIGNATURE = b"\x1a\x45\xdf\xa3"
"""The first bytes of a Matroska or WebM file."""

# Offset, bytes, MIME type; the first match counts.
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff\xf7", "image/jls"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n\0\0\0\4CgBI", "image/x-apple-png"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"II+\0", "image/tiff"),
    (0, b"MM\0+", "image/tiff"),
    (0, b"IIRO", "image/x-olympus-orf"),
    (0, b"IIRS", "image/x-olympus-orf"),
    (0, b"IIU\0", "image/x-panasonic-rw2"),
    (0, b"II\xbc\1", "image/jxr"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (0, b"\xff\x4f\xff\x51", "image/jp2"),
    (0, b"\0\0\1\0\0\0", "image/x-jbig"),  # with one plane; an icon would have no picture
    (0, b"\0\0\1\0", "image/x-icon"),
    (0, b"\0\0\2\0\0\0", "image/x-tga"),  # unpacked colours; a cursor would have no picture
    (0, b"\0\0\2\0", "image/x-icon"),
    (0, b"icns", "image/icns"),
    (0, b"8BPS", "image/vnd.adobe.photoshop"),
    (0, b"qoif", "image/qoi"),
    (0, b"DDS ", "image/vnd-ms.dds"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (0, b"\xff\x0a", "image/jxl"),
    (0, b"v/1\1", "image/x-exr"),
    (0, b"#?RADIANCE", "image/vnd.radiance"),
    (0, b"\x59\xa6\x6a\x95", "image/x-sun-raster"),
    (0, b"\xb1\x68\xde\x3a", "image/x-dcx"),
    (0, b"FUJIFILMCCD-RAW", "image/x-fuji-raf"),
    (0, b"gimp xcf", "image/x-xcf"),
    (0, b"AT&TFORM", "image/vnd.djvu"),
    (0, b"\xd7\xcd\xc6\x9a", "image/wmf"),
    (40, b" EMF", "image/emf"),
    (0, b"SIMPLE  =", "image/fits"),
    (0, b"<svg", "image/svg+xml"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"%!PS", "application/postscript"),
    (0, b"\xc5\xd0\xd3\xc6", "application/postscript"),
    (0, b"PK\3\4", "application/zip"),
    (0, b"PK\5\6", "application/zip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\7", "application/vnd.rar"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (257, b"ustar", "application/x-tar"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"\x89HDF\r\n\x1a\n", "application/x-hdf5"),
    (0, b"\x7fELF", "application/x-elf"),
    (0, b"MZ", "application/x-msdownload"),
    (0, b"FLV\1", "video/x-flv"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
    (0, b"\0\0\1\xba", "video/mpeg"),
    (0, b"\0\0\1\xb3", "video/mpeg-es"),
    (0, b"OggS", "application/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"BM", "image/bmp"),
)

_BRAND_TYPES = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"hevc": "image/heic-sequence",
    b"hevx": "image/heic-sequence",
    b"mif1": "image/heif",
    b"msf1": "image/heif-sequence",
    b"crx ": "image/x-canon-cr3",
    b"qt  ": "video/quicktime",
    **dict.fromkeys((b"3gp4", b"3gp5", b"3gp6", b"3g2a"), "video/3gpp"),
    b"M4A ": "audio/mp4",
}

# Version, packing and bits of a PCX; the first line of an X bitmap, perhaps after a comment.
_PCX_HEADER = re.compile(rb"\n[\0\2\3\5][\0\1][\1\2\4\x08]")
_XBM_LINE = re.compile(rb"\s*(?:/\*.*?\*/\s*)?#define[ \t]+\S*_width[ \t]", re.DOTALL)
_MAX_XBM_LINE_START = 1024  # bytes; the line must begin within them

# First boxes of QuickTime files without a brand.
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")

# Bytes of a transport stream's packet and of the time code before it.
_PACKET_SIZES = ((188, 0), (192, 4))

HEIF = frozenset({"image/heic", "image/heic-sequence", "image/heif", "image/heif-sequence"})
"""The types that libheif decodes, if it is installed."""

# A file of one of these types that does not open is broken; a file of another type is unsupported.
_DECODABLE = frozenset(
    {
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/tiff",
        "image/jp2",
        "image/x-icon",
        "image/icns",
        "image/vnd.adobe.photoshop",
        "image/qoi",
        "image/vnd-ms.dds",
        "image/webp",
        "image/avif",
        "image/bmp",
        *HEIF,
    }
)

CONTAINERS = frozenset(
    {
        "video/mp4",
        "video/quicktime",
        "video/3gpp",
        "audio/mp4",
        "video/x-matroska",
        "video/webm",
        "video/x-msvideo",
        "video/x-flv",
        "video/mp2t",
        "video/mpeg",
        "video/mpeg-es",
        "video/x-ms-asf",
        "application/ogg",
    }
)
"""The types that are opened as a video; some may hold sound alone."""


def sniff(data: bytes) -> str | None:
    """Return the MIME type by the first bytes, or None if unknown."""
    if _is_tar(data):
        return "application/x-tar"
    if data[4:8] == b"ftyp":
        return _sniff_iso(data)
    if data[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}.get(
            data[8:12]
        )
    if data[:4] == MATROSKA_SIGNATURE:
        return "video/webm" if b"\x42\x82\x84webm" in data[:64] else "video/x-matroska"
    for offset, magic, mime in _SIGNATURES:
        if data.startswith(magic, offset):
            return mime
    if data[4:8] in _QUICKTIME_BOXES:
        return "video/quicktime"
    if _is_transport_stream(data):
        return "video/mp2t"
    if _PCX_HEADER.match(data):
        return "image/x-pcx"
    return "image/x-xbitmap" if _XBM_LINE.match(data[:_MAX_XBM_LINE_START]) else None


def is_decodable(mime: str | None) -> bool:
    """Return whether files of a type are decoded, by the type alone."""
    return mime in _DECODABLE


def _is_tar(data: bytes) -> bool:
    """Return whether `data` begins with a sound header of a tar file.

    A member's name may spell any signature, but no picture has such a name, zeros and checksum.
    """
    if not data.startswith(b"ustar", 257) or len(data) < 512:
        return False
    name, _, padding = data[:100].partition(b"\0")
    try:
        declared_sum = int(data[148:156].strip(b" \0"), 8)
        decoded_name = name.decode("utf-8")
    except ValueError:
        return False
    actual_sum = sum(data[:148]) + 8 * 0x20 + sum(data[156:512])
    return declared_sum == actual_sum and decoded_name.isprintable() and not any(padding)


def _is_transport_stream(data: bytes) -> bool:
    return any(
        len(data) > time_code_size + 4 * packet_size
        and all(
            data[offset] == 0x47
            for offset in range(time_code_size, time_code_size + 5 * packet_size, packet_size)
        )
        for packet_size, time_code_size in _PACKET_SIZES
    )


def _sniff_iso(data: bytes) -> str:
    box_size = min(int.from_bytes(data[:4], "big"), len(data), 4096)
    major, brands = data[8:12], (data[offset : offset + 4] for offset in range(16, box_size - 3, 4))
    # The pictures of a HEIF may be AVIF or HEIC; a compatible brand names the format.
    if major in (b"mif1", b"msf1"):
        brands = (brand for brand in brands if brand not in (b"mif1", b"msf1"))
        order = chain(brands, (major,))
    else:
        order = chain((major,), brands)
    for brand in order:
        if brand in _BRAND_TYPES:
            return _BRAND_TYPES[brand]
    return "video/mp4"
