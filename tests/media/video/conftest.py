"""Fixtures of the tests of video."""

import numpy as np
import pytest
from drawn_videos import clip, panned

from screener import Policy, Screener
from screener.hashing import pdq


@pytest.fixture
def with_opencv(monkeypatch):
    """Decode by OpenCV, as if PyAV were not installed."""
    monkeypatch.setattr("screener.media.video.frames._has_pyav", lambda: False)


@pytest.fixture(scope="session")
def moving(scene):
    """Four seconds of a camera that moves, at ten frames a second."""
    return clip(panned(scene, 5, 40))


@pytest.fixture
def engine_of(make_list):
    """Return a function that makes a Screener whose list holds these pictures."""

    made = []

    def make(pictures, **settings):
        rows = [
            {"id": name, "pdq": pdq.compute(np.asarray(picture)).text, "status": "active"}
            for name, picture in pictures.items()
        ]
        name = f"list{len(made)}"
        made.append(name)
        return Screener(make_list(rows, name=name), policy=Policy(**settings))

    return make
