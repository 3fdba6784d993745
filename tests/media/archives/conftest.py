"""Pictures, and a screener whose list holds some, for the tests of archives."""

import hashlib

import numpy as np
import pytest
from archive_files import zipped
from picture_bytes import png

from screener import Policy, Screener
from screener.hashing import pdq


@pytest.fixture
def pictures(scene):
    """Return the files of three pictures, of which the first is listed."""
    return [png(scene(number, (160, 120))) for number in range(3)]


@pytest.fixture
def screener(make_list, scene, pictures):
    """Return a Screener that lists the first picture by PDQ, and a zip file of the second by
    digest.
    """

    text = pdq.compute(np.asarray(scene(0, (160, 120)))).text
    listed = hashlib.md5(zipped({"b.png": pictures[1]})).hexdigest()
    known = make_list([{"id": "one", "pdq": text}, {"id": "two", "md5": listed}])
    return Screener(known, policy=Policy(seconds=20))
