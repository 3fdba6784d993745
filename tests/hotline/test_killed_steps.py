"""Every step of a hotline's cases, killed at random moments: it is taken, or it is not.

SCREENER_KILLS sets how many times each; `tests/programs/kill_cases.py` writes the receipt of a
hundred.
"""

import json
import os
import subprocess
import sys

import pytest
from kill_a_case import STEPS, make_base
from paths import PROGRAMS

from screener.hotline.reports import own_media

KILLS = int(os.environ.get("SCREENER_KILLS", "2"))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Return a hotline with a case for each step, and files to import."""
    folder = tmp_path_factory.mktemp("killed") / "base"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(own_media, "hash_intact_files", None)  # put back what the making of it sets
        make_base(folder)
    return folder


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_step_loses_no_case_and_repeats_no_notice(base, step):
    """The next opening completes it, and the same step then works."""
    script = PROGRAMS / "kill_a_case.py"

    done = subprocess.run(
        [sys.executable, script, base, step, str(KILLS), "1"],
        capture_output=True,
        text=True,
        check=False,
    )

    for name in ("trial", "done"):
        subprocess.run(["rm", "-rf", base.with_name(name)], check=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["kills"] == KILLS
    print(step, result)
