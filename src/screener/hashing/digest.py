"""MD5, SHA-1 and SHA-256 of a file's bytes, all in one pass."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import BinaryIO

from screener.hashing.hash import KINDS, Hash, HashKind

CHUNK = 1 << 20
"""Bytes that are read, and passed to all digests, at a time."""

_ALL = (KINDS["md5"], KINDS["sha1"], KINDS["sha256"])


def compute(source: bytes | memoryview | BinaryIO) -> tuple[Hash, Hash, Hash]:
    """The MD5, SHA-1 and SHA-256 of some bytes, or of a binary file from where it stands.

    The bytes are read once and in pieces, so a file of any size takes one mebibyte. A memoryview
    must be contiguous. Raises what reading the file raises.
    """
    md5, sha1, sha256 = compute_kinds(source, _ALL)
    return md5, sha1, sha256


def compute_kinds(
    source: bytes | memoryview | BinaryIO, kinds: Sequence[HashKind]
) -> tuple[Hash, ...]:
    """As `compute`, of the kinds of digests given, in their order."""
    # They identify files and protect nothing, which a system that forbids MD5 allows.
    digests = [hashlib.new(kind.name, usedforsecurity=False) for kind in kinds]
    if isinstance(source, (bytes, bytearray, memoryview)):
        whole = memoryview(source).cast("B")
        for start in range(0, len(whole), CHUNK):
            for digest in digests:
                digest.update(whole[start : start + CHUNK])
    else:
        while chunk := source.read(CHUNK):
            for digest in digests:
                digest.update(chunk)
    return tuple(Hash(kind, one.digest()) for kind, one in zip(kinds, digests, strict=True))
