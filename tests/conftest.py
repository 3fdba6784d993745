"""What all tests share: where the reference material lies, when it is there."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder of reference photos and hostile files; it is not part of the repository."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "material"
    if not folder.is_dir():
        pytest.skip("no ../shared/material beside this checkout")
    return folder
