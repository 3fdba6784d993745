"""Chunks of PNGs, and PNGs that are made of them."""

from __future__ import annotations

import struct
import zlib


def chunk(name: bytes, body: bytes, *, sound: bool = True) -> bytes:
    """A chunk, with its checksum or another one."""
    told = zlib.crc32(name + body) ^ (not sound)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", told)


def png_of(*chunks: bytes) -> bytes:
    """A PNG of those chunks, and of the one that ends it."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")
