"""Photos of the reference material beside the checkout, drawn pictures, and files of them."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
MATERIAL = ROOT.parent / "shared" / "material"
PHOTOS = (MATERIAL / "photos-free", MATERIAL / "photos-fp-mini")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

sys.path.append(str(ROOT / "fixtures"))
import interfaces as interfaces  # noqa: E402
import plain as plain  # noqa: E402
import plainer as plainer  # noqa: E402
import screens as screens  # noqa: E402
import unseen_interfaces as unseen_interfaces  # noqa: E402
from draw import scene as scene  # noqa: E402


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


def photo_files() -> list[Path]:
    """Return the photos of the material; none if it is not there."""
    return files_in((*PHOTOS, MATERIAL / "pdq-reference"))


def photos(*, most: int = 10_000, every: int = 1) -> Iterator[Image.Image]:
    """Yield one in `every` of the photos, and at most `most` from all over them.

    Without the material, at most 24 drawn pictures take their place.
    """
    found = photo_files()[::every]
    for path in found[:: max(1, len(found) // most)][:most]:
        with Image.open(path) as opened:
            yield opened.convert("RGB")
    for seed in range(0 if found else min(most, 24)):
        yield scene(seed, (1600, 1004))


def saved(picture: Image.Image, format: str = "JPEG", **options: Any) -> bytes:
    """Return the bytes of a file of the picture."""
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()
