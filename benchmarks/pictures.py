"""Photos of the reference material beside the checkout, drawn pictures, and files of them."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
MATERIAL = ROOT.parent / "shared" / "material"
PHOTOS = (MATERIAL / "photos-free", MATERIAL / "photos-fp-mini")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

sys.path.append(str(ROOT / "fixtures"))
from draw import scene  # noqa: E402

__all__ = ["MATERIAL", "PHOTOS", "ROOT", "distinct", "files_in", "photos", "saved", "scene"]


def files_in(places: Iterable[Path]) -> list[Path]:
    """Return the pictures in folders and those named themselves, sorted place by place."""
    return [
        path
        for place in places
        for path in (sorted(place.rglob("*")) if place.is_dir() else [place])
        if path.suffix.lower() in SUFFIXES and path.is_file()
    ]


def distinct(paths: Iterable[Path]) -> list[Path]:
    """Return the files without those whose content is that of an earlier one."""
    seen: dict[bytes, Path] = {}
    for path in paths:
        seen.setdefault(hashlib.sha256(path.read_bytes()).digest(), path)
    return list(seen.values())


def photos(most: int, size: tuple[int, int] = (1600, 1004)) -> tuple[list[Image.Image], str]:
    """Return up to `most` photos from all over the material, and the word for what they are.

    Without the material, at most 24 drawn pictures of that size take their place.
    """
    found = files_in((*PHOTOS, MATERIAL / "pdq-reference"))
    if not found:
        return [scene(seed, size) for seed in range(min(most, 24))], "drawn"
    chosen = found[:: max(1, len(found) // most)][:most]
    return [Image.open(path).convert("RGB") for path in chosen], "photos"


def saved(picture: Image.Image, format: str = "JPEG", **options: Any) -> bytes:
    """Return the bytes of a file of the picture."""
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()
