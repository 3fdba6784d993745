"""Boxes, of which ISO files are made: MP4, QuickTime, HEIF and AVIF."""

from __future__ import annotations


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of that kind, with its length."""
    body = b"".join(parts)
    return (8 + len(body)).to_bytes(4, "big") + kind + body
