"""What all tests share: drawn pictures, lists made of them, the reference material."""

import csv
import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder of reference photos and hostile files; it is not part of the repository."""
    folder = ROOT.parent / "shared" / "material"
    if not folder.is_dir():
        pytest.skip("no ../shared/material beside this checkout")
    return folder


def _drawing(name: str):
    """A module of `fixtures`, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "fixtures" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def draw():
    """The module that drew the fixtures."""
    return _drawing("draw")


@pytest.fixture(scope="session")
def plain():
    """The module that draws pictures which say nothing."""
    return _drawing("plain")


@pytest.fixture(scope="session")
def scene(draw) -> Callable[..., Image.Image]:
    """Draws a picture with the detail of a photo; different seeds, unrelated pictures."""
    return draw.scene


@pytest.fixture
def make_list(tmp_path):
    """Makes a hash list of rows given as mappings of column to text."""
    from screener import HashList

    def make(rows, name="known", **settings):
        file = tmp_path / f"{name}.csv"
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)
        made = HashList.create(tmp_path / f"{name}.list")
        made.import_file(file, source="test", **settings)
        return made.refresh()

    return make
