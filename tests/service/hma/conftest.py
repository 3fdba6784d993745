"""Pictures and lists for the tests of HMA's API."""

import numpy as np
import pytest
from picture_bytes import png
from service_lists import make

from screener.hashing import pdq


@pytest.fixture(scope="session")
def pictures(scene):
    """Three unrelated pictures as PNG."""
    return [png(scene(seed, (320, 240))) for seed in (11, 12, 13)]


@pytest.fixture(scope="session")
def pdqs(scene):
    """Their PDQs, as text."""
    scenes = [scene(seed, (320, 240)) for seed in (11, 12, 13)]
    return [pdq.compute(np.asarray(one.convert("RGB"))).text for one in scenes]


@pytest.fixture
def known(tmp_path, pdqs):
    """A list of the first picture."""
    return make(tmp_path, "known", [{"id": "one", "pdq": pdqs[0]}])


@pytest.fixture
def state(tmp_path):
    """The folder of the banks, which the service makes."""
    return tmp_path / "state"
