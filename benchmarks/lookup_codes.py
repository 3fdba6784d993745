"""Codes and queries for the benchmark of look-ups: uniform, and clustered as lists of pictures are.

A clustered list holds families of near-duplicates (sizes by Zipf, 1 to 1,000, within 24 bits of
each other); one code in twenty in ten big clusters round the PDQ of near-blank pictures; and the
PDQ of photos after everyday edits, as far as they go. Half of its queries lie near such codes.
"""

from __future__ import annotations

import functools
import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from screener.hashing import pdq
from screener.media.image import pixels

ROOT = Path(__file__).resolve().parents[1]
SEED = 20260102
Codes = npt.NDArray[np.uint8]


def flip(rng: np.random.Generator, codes: Codes, most: int) -> Codes:
    """Each code with 0 to `most` of its bits changed."""
    flips = rng.integers(0, most + 1, len(codes))
    changed = codes.copy()
    for step in range(most):
        rows = np.flatnonzero(flips > step)
        bits = rng.integers(0, codes.shape[1] * 8, len(rows))
        changed[rows, bits // 8] ^= np.uint8(1) << (bits % 8).astype(np.uint8)
    return changed


def uniform(count: int, *, size: int = 32) -> Codes:
    """Random codes of `size` bytes."""
    return np.random.default_rng(SEED).integers(0, 256, (count, size), np.uint8)


def clustered(count: int, photos: Codes) -> tuple[Codes, npt.NDArray[np.int64]]:
    """A clustered list of 256-bit codes, and the rows of it that have company."""
    rng = np.random.default_rng(SEED + 1)
    sizes = np.minimum(rng.zipf(2.0, count), 1000)
    families = int(np.searchsorted(np.cumsum(sizes), count)) + 1
    family = np.repeat(np.arange(families), sizes[:families])[:count]
    members = np.flatnonzero(np.bincount(family)[family] > 1)
    centres = rng.integers(0, 256, (families, 32), np.uint8)
    codes = flip(rng, centres[family], 12)
    big = rng.choice(count, count // 20, replace=False)
    blank = near_blank()
    codes[big] = flip(rng, blank[rng.integers(0, len(blank), len(big))], 12)
    # The photos take at most a tenth, in the places of other codes.
    some = photos[rng.permutation(len(photos))][: count // 10]
    places = rng.choice(count, len(some), replace=False)
    codes[places] = some
    return codes, np.unique(np.concatenate([members, big, places]))


def queries_for(
    codes: Codes, count: int, *, radius: int, near: npt.NDArray[np.int64], every: int = 0
) -> Codes:
    """Distinct queries: random ones, and some within `radius` bits, and 31, of a code.

    These are every hundredth, or every second where rows `near` are given, from which they are
    then made; `every` sets it.
    """
    rng = np.random.default_rng(SEED + 2)
    queries = rng.integers(0, 256, (count, codes.shape[1]), np.uint8)
    places = np.arange(0, count, every or (2 if len(near) else 100))
    if len(near):
        rows = near[rng.integers(0, len(near), len(places))]
    else:
        rows = rng.integers(0, len(codes), len(places))
    # In order, since the codes may lie on a disk.
    queries[places] = flip(rng, codes[np.sort(rows)], min(radius, 31))
    return rng.permutation(queries)


def near_blank() -> Codes:
    """The PDQ of ten pictures with next to nothing on them: faint gradients and a little noise."""
    rng = np.random.default_rng(SEED + 3)
    across, down = np.meshgrid(np.linspace(-1, 1, 256), np.linspace(-1, 1, 256))
    made = []
    for number in range(10):
        slope = np.cos(number) * across + np.sin(number) * down + 0.3 * number * across * down
        grey = 200 + 4 * slope + rng.integers(0, 2, slope.shape)
        made.append(pdq.compute(grey.astype(np.uint8)).value)
    return np.frombuffer(b"".join(made), np.uint8).reshape(-1, 32)


@functools.cache
def photos(material: Path, most: int) -> tuple[Codes, str]:
    """The PDQ of up to `most` photos, each after everyday edits; and a sentence on which."""
    files = sorted(
        path
        for folder in ("photos-free", "photos-fp-mini")
        for path in material.glob(f"{folder}/*.jpg")
    )
    pictures = [Image.open(path).convert("RGB") for path in files[:most]]
    said = f"{len(pictures)} photos"
    if not pictures:
        pictures = [_scene(seed) for seed in range(min(most, 40))]
        said = f"no photos in {material.name}: {len(pictures)} drawn pictures instead"
    values = [pdq.compute(pixels.upright(form)).value for one in pictures for form in edits(one)]
    codes = np.frombuffer(b"".join(values), np.uint8).reshape(-1, 32)
    return codes, f"{said}, {len(codes)} hashes with their edits"


def edits(picture: Image.Image) -> Iterator[Image.Image]:
    """What happens to a picture that is passed on: 25 forms of it."""
    picture.thumbnail((512, 512))
    width, height = picture.size
    yield picture
    for quality in (90, 75, 60, 45, 30, 15):
        yield _recompressed(picture, quality)
    for scale in (0.75, 0.5, 0.35, 0.25):
        yield picture.resize((max(8, int(width * scale)), max(8, int(height * scale))))
    for strength in (0.7, 0.85, 1.15, 1.3):
        yield ImageEnhance.Brightness(picture).enhance(strength)
        yield ImageEnhance.Contrast(picture).enhance(strength)
    for share in (0.01, 0.02, 0.03):
        cut = (int(width * share), int(height * share))
        yield picture.crop((*cut, width - cut[0], height - cut[1]))
    yield ImageOps.grayscale(picture)
    yield picture.filter(ImageFilter.GaussianBlur(1.5))
    yield ImageEnhance.Sharpness(picture).enhance(2.5)


def _recompressed(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _scene(seed: int) -> Image.Image:
    """One of the fixtures' drawn pictures."""
    spec = importlib.util.spec_from_file_location("draw", ROOT / "fixtures" / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    picture: Image.Image = draw.scene(seed)
    return picture
