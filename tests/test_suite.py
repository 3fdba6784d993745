"""The suite itself: what holds for each of its tests."""

import subprocess
import sys
from pathlib import Path

SETTINGS = Path(__file__).resolve().parents[1] / "pyproject.toml"
HANGING = "import time\n\ndef test_a():\n    time.sleep(100)\n\ndef test_b():\n    pass\n"


def test_each_test_has_a_limit_of_time(pytestconfig):
    """One is set, so that no run lasts for ever."""
    assert 60 <= float(pytestconfig.getini("timeout")) <= 3600


def test_a_test_that_hangs_fails_and_the_others_run(tmp_path):
    """By the settings of this suite, with a limit that is soon over."""
    (tmp_path / "test_hanging.py").write_text(HANGING)
    call = [sys.executable, "-m", "pytest", "-c", SETTINGS, "-p", "no:cacheprovider"]
    call += ["--rootdir", tmp_path, "-o", "timeout=1", tmp_path]

    done = subprocess.run(call, capture_output=True, text=True, timeout=90)

    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert "Timeout" in done.stdout
