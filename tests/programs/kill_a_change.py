"""Makes one change of a list again and again, each time killed at a later write.

Usage: kill_a_change.py LIST opinion|rollback|purge|release. As kill_an_import, whose fuse it uses.
After each death the list must be whole, at the generation before or the one after the change, never
between; a plain run of the same change then succeeds if it had not, and after a purge no byte of
what was purged is left once a writer has been. Prints the number of deaths.
"""

import contextlib
import os
import shutil
import signal
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

from kill_an_import import Fuse, state, wire

from screener.errors import ListError
from screener.lists.hashlist import HashList

CHANGES = {
    "opinion": lambda one: one.give_opinion(
        "a0", source="mine", state="disputed", by="ann", reason="x"
    ),
    "rollback": lambda one: one.rollback(1, by="ann", reason="x"),
    "purge": lambda one: one.purge("mine", by="ann"),
    "release": lambda one: one.release_rows([1], by="ann", reason="x"),
}


def killed(folder, change, calls):
    """Whether a change in a child died at the n-th write."""
    child = os.fork()
    if child == 0:
        wire(Fuse(calls))
        change(HashList.open(folder))
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def what(folder):
    """What of a list must be that of one generation: with our opinions, without index files."""
    counts, held = state(HashList.open(folder))
    # Times differ from run to run.
    held = [[[replace(r, opinions=()) for r in some] for some in kind] for kind in held]
    facts = {k: v for k, v in counts.items() if k not in ("files", "made", "created")}
    with contextlib.closing(sqlite3.connect(folder / "records.sqlite")) as connection:
        opinions = connection.execute("SELECT who, state, until FROM opinions").fetchall()
    return facts, held, opinions


def values(folder, source):
    """The values that a source gave, in any version."""
    with contextlib.closing(sqlite3.connect(folder / "records.sqlite")) as connection:
        rows = connection.execute(
            "SELECT h.value FROM hashes h JOIN records r ON r.id = h.record WHERE r.source = ?",
            (source,),
        )
        return [value for (value,) in rows]


def left(folder, wanted):
    """Whether any file of a list holds one of the values."""
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return any(value in content for content in files for value in wanted)


def main():
    """Kill at every write there is."""
    folder, name = Path(sys.argv[1]), sys.argv[2]
    change, mine = CHANGES[name], values(Path(sys.argv[1]), "mine")
    trial, done = folder.with_name("trial.list"), folder.with_name("done.list")
    before, deaths = what(folder), 0
    shutil.copytree(folder, done)
    change(HashList.open(done))
    after = what(done)
    while True:
        shutil.copytree(folder, trial)
        if not killed(trial, change, deaths + 1):
            assert what(trial) == after
            break
        deaths += 1
        found = what(trial)
        assert found in (before, after), f"torn at write {deaths}"
        if found == before:
            change(HashList.open(trial))
            assert what(trial) == after, f"no rerun at write {deaths}"
        elif name == "purge":
            with contextlib.suppress(ListError):  # of which there is nothing any more
                change(HashList.open(trial))  # a writer completes what is due
        if name == "purge":
            assert not left(trial, mine), f"traces at write {deaths}"
        shutil.rmtree(trial)
    assert HashList.open(trial).verify().damage == ()
    print(deaths)


if __name__ == "__main__":
    main()
