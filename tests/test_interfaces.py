"""The interfaces are drawn alike each time, and say where their photos are."""

import importlib
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import ImageOps

from screener.hashing import pdq

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
MODULES = ("interfaces", "unseen_interfaces")
TURNED = ("scan", "screen", "print on a table", "laptop")


@pytest.fixture(params=MODULES)
def kinds(request, monkeypatch):
    """Return the kinds of each module that draws interfaces."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(FIXTURES)])
    return importlib.import_module(request.param).KINDS


@pytest.fixture(scope="module")
def photos(scene):
    """Return photos of several shapes."""
    return [scene(80 + seed, (240, 170 + 10 * seed)) for seed in range(16)]


@pytest.mark.parametrize("side", [96, 240])
def test_every_box_has_its_photo(kinds, photos, side):
    """An upright photo's PDQ is that of its box; every box is in the picture and as large."""
    for name, kind in kinds.items():
        drawing = kind(photos, side, Random(f"{name} {side}"))
        width, height = drawing.image.size

        assert drawing.image.mode == "RGB"
        assert drawing.boxes, name
        for number, (left, top, right, bottom) in drawing.boxes:
            assert 0 <= left < right <= width, name
            assert 0 <= top < bottom <= height, name
            assert min(right - left, bottom - top) >= (0.8 if name in TURNED else 1) * side, name
            if name not in TURNED:
                part = drawing.image.crop((left, top, right, bottom))
                photo = photos[number]
                if name.endswith("squares"):
                    photo = ImageOps.fit(photo, (min(photo.size),) * 2)
                hashes = [pdq.compute(np.asarray(one)) for one in (part, photo)]
                assert hashes[0].distance(hashes[1]) < 60, name


def test_a_seed_gives_one_picture(kinds, photos):
    """A seed draws the same picture each time."""
    for name, kind in kinds.items():
        first, again = (kind(photos, 128, Random(7)) for _ in range(2))

        assert first.boxes == again.boxes, name
        assert first.image.tobytes() == again.image.tobytes(), name
