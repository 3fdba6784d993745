"""Lists and files for the tests of the service, and a server that most of them share."""

import numpy as np
import pytest
from picture_bytes import saved
from served import serving
from service_lists import make_lists

from screener.hashing import pdq


@pytest.fixture(scope="session")
def files(scene):
    """Files: one on each list, one on none, and a broken one."""
    pictures = {name: scene(n, (320, 240)) for n, name in enumerate(("listed", "second", "other"))}
    return {name: saved(picture, "PNG") for name, picture in pictures.items()} | {"broken": b"no"}


@pytest.fixture(scope="session")
def values(scene):
    """The PDQ of each picture, as text."""
    return {
        name: pdq.compute(np.asarray(scene(n, (320, 240)).convert("RGB"))).text
        for n, name in enumerate(("listed", "second", "other"))
    }


@pytest.fixture
def lists(tmp_path, files, values):
    """The paths of two lists: `known` has PDQ and SHA-256, `more` has PDQ."""
    return make_lists(tmp_path, files, values)


@pytest.fixture(scope="session")
def shared_lists(tmp_path_factory, files, values):
    """The same lists, of the shared server: no test changes them."""
    return make_lists(tmp_path_factory.mktemp("lists"), files, values)


@pytest.fixture(scope="session")
def server(shared_lists):
    """A server of both lists without keys; no test stops it."""
    known, more = shared_lists
    with serving("--list", known, "--list", more, "--max-body", 1 << 20) as server:
        yield server
