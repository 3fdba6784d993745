"""A damaged index file is refused or answers something; it leads nowhere else."""

from __future__ import annotations

import subprocess
import sys

import damage
import numpy as np
import pytest
from thorough import besides

TRIALS = 20


@pytest.mark.parametrize("first", besides(1, [1, 1001, 2001, 3001]))
def test_damaged_files_lead_nowhere(first: int) -> None:
    """Bytes changed, files cut short, nonsense in sections: no crash, no hang, no wrong row.

    Under scripts/sanitize also: no read outside of the arrays. `tests/programs/damage.py`
    does the same for as long as one likes.
    """
    command = [sys.executable, damage.__file__, "--trials", str(TRIALS), "--seed", str(first)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]


def test_every_section_is_damaged() -> None:
    """The nonsense reaches each section that a file with tables has, and some files open."""
    assert {"codes", "directory", "sketches", "links", "rows", "heads", "repeats"} <= set(
        damage.good_file(1)[1]
    )
    link_sizes = {
        sections["links"].dtype.itemsize
        for _, sections, _ in map(damage.good_file, range(len(damage.LISTS)))
    }
    assert link_sizes == {1, 2, 4}
    assert "weights" in damage.good_file(damage.LARGE)[1]


def test_grief_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A child that dies makes the run fail, which prints its seed."""
    popen = subprocess.Popen
    script = "print(7, end=' ', flush=True); import os; os.abort()"
    monkeypatch.setattr(
        subprocess,
        "Popen",
        lambda command, **settings: popen([sys.executable, "-c", script], **settings),
    )
    assert damage.main(["--trials", "1", "--seed", "7"]) == 1
    assert "--trials 1 --seed 7" in capsys.readouterr().out


def test_answers_of_rows_that_are_not_there_are_noticed() -> None:
    """The check itself: an answer with a row beyond the codes does not pass."""
    offsets = np.array([0, 1], np.int64)
    rows, distances = np.array([5], np.int64), np.array([0], np.uint16)
    damage.check_answer((offsets, rows, distances), 6, 1, 0)
    with pytest.raises(AssertionError):
        damage.check_answer((offsets, rows, distances), 5, 1, 0)
