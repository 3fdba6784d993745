"""MD5, SHA-1 and SHA-256 of a file's bytes, all three in one pass."""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from screener.hashing.hash import KINDS, Hash

CHUNK = 1 << 20
"""Bytes that are read, and passed to all three digests, at a time."""

_NAMES = ("md5", "sha1", "sha256")


def compute(source: bytes | memoryview | BinaryIO) -> tuple[Hash, Hash, Hash]:
    """The MD5, SHA-1 and SHA-256 of some bytes, or of a binary file from where it stands.

    The bytes are read once and in pieces, so a file of any size takes one mebibyte. A memoryview
    must be contiguous. Raises what reading the file raises.
    """
    # They identify files and protect nothing, which a system that forbids MD5 allows.
    digests = tuple(hashlib.new(name, usedforsecurity=False) for name in _NAMES)
    if isinstance(source, (bytes, bytearray, memoryview)):
        whole = memoryview(source).cast("B")
        for start in range(0, len(whole), CHUNK):
            for digest in digests:
                digest.update(whole[start : start + CHUNK])
    else:
        while chunk := source.read(CHUNK):
            for digest in digests:
                digest.update(chunk)
    md5, sha1, sha256 = (
        Hash(KINDS[name], digest.digest()) for name, digest in zip(_NAMES, digests, strict=True)
    )
    return md5, sha1, sha256
