"""HEIC files, made by the plugin's own encoder."""

from __future__ import annotations

import io

import pillow_heif


def heic(*pictures, **options):
    """The bytes of a HEIC file of these pictures."""
    made = pillow_heif.from_pillow(pictures[0])
    for other in pictures[1:]:
        made.add_from_pillow(other)
    out = io.BytesIO()
    made.save(out, quality=90, chroma=444, **options)
    return out.getvalue()
