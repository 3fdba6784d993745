"""Makes one change of a list again and again, each time killed at a random moment.

Usage: kill_at_random.py LIST import|opinion|rollback|purge|release KILLS SEED [FILE]. A child
process makes the change of a fresh copy of the list, and is killed with SIGKILL some time after it
began, until so many were killed before the change was done; the times are spread over as long as
the change took once. After each death the list must be whole, at the generation before or the one
after the change, never between; where it was before, the same change then succeeds, and after a
purge no byte of what was purged is left once a writer has been. Prints JSON: the kills that came
before the change was done, how many came late, and how many of the early ones found it made.
"""

import contextlib
import json
import random
import shutil
import sys
import time
from functools import partial
from pathlib import Path

from kill_a_change import CHANGES, left, values, what
from killed_child import killed

from screener.errors import ListError
from screener.lists.hashlist import HashList


def check(trial, change, name, before, after, mine):
    """Whether the change was made, wholly or not at all; then it is made, if it was not."""
    found = what(trial)
    assert found in (before, after), "torn"
    assert HashList.open(trial).verify(seed=1).damage == ()
    made = found == after
    if not made:
        change(HashList.open(trial))
        assert what(trial) == after, "no rerun"
    elif name == "purge":
        with contextlib.suppress(ListError):  # of which there is nothing any more
            change(HashList.open(trial))  # a writer completes what is due
    if name == "purge":
        assert not left(trial, mine), "traces"
    return made


def main():
    """Kill so many times."""
    folder, name, kills = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    rng, mine = random.Random(int(sys.argv[4])), values(folder, "mine")
    changes = {**CHANGES, "import": lambda one: one.import_file(sys.argv[5], source="mine")}
    change = changes[name]
    trial, done = folder.with_name("trial.list"), folder.with_name("done.list")
    before = what(folder)
    shutil.copytree(folder, done)
    start = time.monotonic()
    change(HashList.open(done))
    longest = time.monotonic() - start
    after = what(done)
    amid = made = late = 0
    while amid < kills:  # which a change that once took long has most kills come too late for
        shutil.copytree(folder, trial)
        early = killed(partial(HashList.open, trial), change, rng.uniform(0, 1.2 * longest))
        state = check(trial, change, name, before, after, mine)
        assert state or early, "what was acknowledged is lost"
        amid, made, late = amid + early, made + (early and state), late + (not early)
        shutil.rmtree(trial)
    print(json.dumps({"kills": amid, "late": late, "of_these_made": made}))


if __name__ == "__main__":
    main()
