"""A list of two sources, made by the command."""

import shutil

import pytest
from command_process import make_list


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A list made once, not to be changed."""
    return make_list(tmp_path_factory.mktemp("made"))


@pytest.fixture
def known(made, tmp_path):
    """A copy of that list, to be changed."""
    return shutil.copytree(made, tmp_path / "known.list")
