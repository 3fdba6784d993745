"""What all tests share: drawn pictures, lists made of them, the reference material."""

import csv
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from list_values import ANY_COLUMNS, putting
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]

# How fast a machine is, and what else it does, decides no test.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


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


@pytest.fixture(params=["pyav", "opencv"])
def decoder(request, monkeypatch):
    """Return the name of each decoder of videos, in turn."""
    if request.param == "opencv":
        monkeypatch.setattr("screener.media.video.frames._has_pyav", lambda: False)
    return request.param


@pytest.fixture(scope="session")
def draw():
    """The module that drew the fixtures."""
    return _drawing("draw")


@pytest.fixture(scope="session")
def plain():
    """The module that draws pictures which say nothing."""
    return _drawing("plain")


@pytest.fixture(scope="session")
def plainer():
    """The module that draws others of them, by which no floor was chosen."""
    return _drawing("plainer")


@pytest.fixture(scope="session")
def screens():
    """The module that draws QR codes, charts and screenshots of texts."""
    return _drawing("screens")


@pytest.fixture(scope="session")
def scene(draw) -> Callable[..., Image.Image]:
    """Draws a picture with the detail of a photo; different seeds, unrelated pictures."""
    return draw.scene


@pytest.fixture
def known(tmp_path):
    """An empty list."""
    from screener import HashList

    return HashList.create(tmp_path / "known.list")


@pytest.fixture
def put(known, tmp_path):
    """Imports a text into the list `known`; gives the report."""
    return putting(known, tmp_path)


@pytest.fixture
def keys(tmp_path):
    """A pair of key files, as `openssl genpkey -algorithm ed25519` makes them: private, public."""
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private, public = tmp_path / "key.pem", tmp_path / "public.pem"
    private.write_bytes(
        key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    )
    public.write_bytes(
        key.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


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
        made.import_file(file, source="test", **ANY_COLUMNS | settings)
        return made.refresh()

    return make


@pytest.fixture(scope="session")
def made_cluster():
    """The Ray cluster of all tests that use one."""
    from ray_cluster import Cluster

    path = [str(ROOT / "tests/support"), str(ROOT / "tests/programs"), os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    made = Cluster()
    yield made
    made.close()


@pytest.fixture
def cluster(made_cluster):
    """The Ray cluster with two nodes, whatever the test before did to them."""
    made_cluster.settle()
    return made_cluster
