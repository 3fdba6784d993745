"""What the benchmark of insets screens, and against which lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import lists
import numpy as np
from pictures import (
    MATERIAL,
    PHOTOS,
    distinct,
    files_in,
    interfaces,
    scene,
    screens,
    unseen_interfaces,
)
from PIL import Image
from robustness_edits import thumbnail

from screener import HashList, Policy
from screener.hashing import detail, pdq
from screener.screening.input.hasher import Hasher
from screener.screening.input.located_hash import list_groups

SETS = {"development": interfaces.KINDS, "unseen": unseen_interfaces.KINDS}
SIDES = (96, 128, 160, 240, 320)
SHOWN = 16  # photos that a drawing may show, each on a list of its own
FLOOR = Policy().floor["pdq"]
# Lists that are not of shown photos, and what a table calls them.
OTHERS, WHOLES, PARTS = "others", "furniture", "parts"
LABELS = {OTHERS: "photos", WHOLES: "furniture", PARTS: "parts of furniture"}


class Photo(NamedTuple):
    """A photo, and its PDQ."""

    image: Image.Image
    code: bytes


class Material(NamedTuple):
    """Photos that drawings show, a multiple of `SHOWN`; others; furniture, half of it listed."""

    shown: list[Photo]
    others: list[Photo]
    listed: list[Image.Image]
    unlisted: list[Image.Image]

    def key(self, photo: int) -> tuple[str, str]:
        """Return the list and the entry of a photo that drawings show."""
        return f"shown-{photo % SHOWN}", f"e{photo // SHOWN}"

    def codes(self, insets: int) -> dict[str, list[bytes]]:
        """Return the listed codes by list; a photo's entry is its number there."""
        parts: dict[str, list[bytes]] = {WHOLES: [], PARTS: []}
        hasher = Hasher(Policy(insets=insets), (pdq.PDQ,))
        for picture in self.listed:
            for group in list_groups(hasher.hash(np.asarray(picture)).hashes):
                first = next(iter(group.split()))
                if first.is_usable(FLOOR) and group.region in ("full", "inset"):
                    parts[PARTS if group.region == "inset" else WHOLES].append(first.hash.value)
        shown = {f"shown-{at}": [one.code for one in self.shown[at::SHOWN]] for at in range(SHOWN)}
        every = shown | {OTHERS: [one.code for one in self.others]} | parts
        return {name: some for name, some in every.items() if some}


def material(*, small: bool) -> Material:
    """Return what is screened; drawn pictures if the photos are not there."""
    halves = [
        [picture for number in range(1 if small else 3) for picture in furniture(2 * number + half)]
        for half in (0, 1)
    ]
    free, others = PHOTOS
    if small or not free.is_dir():
        drawn = [_photo(scene(60 + seed, (240, 160 + 2 * seed))) for seed in range(24)]
        return Material(drawn[:SHOWN], drawn[SHOWN:], *halves)
    shown = list(_photos_in((free, MATERIAL / "pdq-reference/pdqhash-python")))
    whole = len(shown) // SHOWN * SHOWN
    return Material(shown[:whole], list(_photos_in((others,))), *halves)


def _photo(image: Image.Image) -> Photo:
    return Photo(image, pdq.compute(np.asarray(image)).value)


def _photos_in(places: Sequence[Path]) -> Iterator[Photo]:
    """Yield photos of enough detail, and of two that a pair of cameras took the first."""
    seen = set()
    for path in distinct(files_in(places)):
        name = re.sub(r"_?(left|right)$", "", path.stem)
        image = thumbnail(Image.open(path).convert("RGB"), 1024)
        pixels = np.asarray(image)
        scores = pdq.compute(pixels).quality or 0, detail.Detail(pixels).score(pdq.PDQ)
        if name not in seen and min(scores) >= FLOOR:
            seen.add(name)
            yield _photo(image)


def furniture(number: int) -> Iterator[Image.Image]:
    """Yield drawings without photos: of every kind with blanks in their places, and others."""
    random = Random(f"furniture {number}")
    for kind in (kind for kinds in SETS.values() for kind in kinds.values()):
        shapes = [random.choice(((4, 3), (3, 4), (1, 1))) for _ in range(SHOWN)]
        blanks = [Image.new("RGB", shape, f"#{random.randbytes(3).hex()}") for shape in shapes]
        yield kind(blanks, random.choice(SIDES), random).image
    for family in screens.FAMILIES:
        yield Image.fromarray(np.ascontiguousarray(screens.draw(family, number)))


def made_lists(folder: Path, codes: dict[str, list[bytes]]) -> list[HashList]:
    """Return a list of each name; its entries are numbered from `e0`."""
    return [
        lists.made(
            folder / f"{name}.list",
            {"pdq": np.frombuffer(b"".join(some), np.uint8).reshape(-1, pdq.PDQ.size)},
        )
        for name, some in codes.items()
    ]


def phones(photos: Sequence[Photo], count: int) -> Iterator[Image.Image]:
    """Yield screenshots of a phone of some 1080×2400 pixels with a photo in them."""
    number = 0
    for at in range(count):
        kind = ("chat, light", "chat, dark", "chat, wallpaper", "post")[at % 4]
        photo = photos[at * 7 % len(photos)].image
        square = photo.crop((0, 0, min(photo.size), min(photo.size)))
        drawn = Image.new("RGB", (1, 1))
        while drawn.width < 1000 or drawn.height < 2300:
            number += 1
            side = 1080 if kind == "post" else 750
            drawn = interfaces.KINDS[kind]([square], side, Random(f"phone {number}")).image
        yield drawn


def hostile() -> Iterator[tuple[str, Image.Image]]:
    """Yield pictures of a phone's size that are all edges."""
    random = np.random.default_rng(1)
    yield "noise", Image.fromarray(random.integers(0, 256, (2400, 1080, 3), np.uint8))
    lines = np.full((2400, 1080), 255, np.uint8)
    lines[::4] = lines[:, ::4] = 0
    yield "a grid of lines, 4 pixels apart", Image.fromarray(lines)
    for unit in (24, 160):
        cells = Image.fromarray(random.integers(0, 256, (2400 // unit, 1080 // unit, 3), np.uint8))
        yield f"cells of {unit} pixels", cells.resize((1080, 2400), Image.Resampling.NEAREST)
