"""Pictures, their items, and a hotline."""

import pytest
from hotline_case import IMAGES, item_of, make_desk
from PIL import Image, ImageOps

PICTURE = IMAGES / "alley.jpg"
OTHER = IMAGES / "bridge.jpg"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Return paths of a picture, its mirrored and smaller copies, and another picture."""
    folder = tmp_path_factory.mktemp("pictures")
    picture = Image.open(PICTURE)
    ImageOps.mirror(picture).save(folder / "mirrored.png")
    picture.resize((240, 180)).save(folder / "smaller.jpg", quality=80)
    return {
        "picture": PICTURE, "other": OTHER, "mirrored": folder / "mirrored.png",
        "smaller": folder / "smaller.jpg",
    }  # fmt: skip


@pytest.fixture(scope="module")
def items(pictures):
    """Return the item of each picture."""
    return {name: item_of(path) for name, path in pictures.items()}


@pytest.fixture
def desk(tmp_path):
    """Return a hotline."""
    return make_desk(tmp_path / "hotline")
