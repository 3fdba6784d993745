"""Imports a file again and again, each time killed at a later write; for test_import_atomic.

Usage: kill_an_import.py LIST FILE [tiers]. Each write is a statement of SQLite's that changes
something, a sync, a rename or a removal. A child process imports and kills itself before its n-th
write, n = 1, 2, …, until one lives to the end. After each death the list must open unchanged with
the values that it had, and a plain import into a copy must succeed; or, behind the commit, whose
log is then emptied, with all that was imported. Prints the number of deaths.
With `tiers` these are small enough that the import writes removed rows and merges some files.
"""

import os
import shutil
import signal
import sqlite3
import sys
from pathlib import Path

from screener.index import tiers
from screener.lists.hashlist import HashList


class Fuse:
    """Kills the process at the n-th call."""

    def __init__(self, calls):
        """`calls` is n."""
        self.left = calls

    def burn(self):
        """One call."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def wire(fuse):
    """Have every write of this process burn the fuse, before it is done."""

    class Connection(sqlite3.Connection):
        def execute(self, statement, *rest):
            if statement.startswith("PRAGMA wal") or not statement.startswith(("SELECT", "PRAGMA")):
                fuse.burn()
            return super().execute(statement, *rest)

        def executemany(self, statement, rows):
            # Before the statement, and again in the middle of its rows.
            rows = list(rows)
            half = len(rows) // 2
            for some in filter(None, (rows[:half], rows[half:])):
                fuse.burn()
                super().executemany(statement, some)

    connect = sqlite3.connect

    def burning(call):
        def burn(*rest, **settings):
            fuse.burn()
            return call(*rest, **settings)

        return burn

    sqlite3.connect = lambda *rest, **settings: connect(*rest, factory=Connection, **settings)
    os.fsync, os.replace, os.unlink = map(burning, (os.fsync, os.replace, os.unlink))


def killed(folder, file, calls):
    """Whether an import in a child died at the n-th write."""
    child = os.fork()
    if child == 0:
        wire(Fuse(calls))
        HashList.open(folder).import_file(file)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def state(one):
    """What must not change: the generation, its counts and files, and what its values reach."""
    counts = one.info().to_dict() | {"age_s": None, "name": None}
    snapshots = {kind: one.snapshot(kind) for kind in one.kinds}
    held = [one.holders(kind, all_.find(all_.live())) for kind, all_ in snapshots.items()]
    return counts, held


def main():
    """Kill at every write there is."""
    folder, file = map(Path, sys.argv[1:3])
    if sys.argv[3:] == ["tiers"]:
        tiers.SMALLEST = tiers.FACTOR = 1
    before, deaths, committed = state(HashList.open(folder)), 0, 0
    trial, copy = folder.with_name("trial.list"), folder.with_name("copy.list")
    while True:
        shutil.copytree(folder, trial)
        if not killed(trial, file, deaths + 1):
            assert HashList.open(trial).generation == before[0]["generation"] + 1
            break
        deaths += 1
        if HashList.open(trial).generation > before[0]["generation"]:
            committed += 1
            assert HashList.open(trial).verify(seed=1).damage == (), f"torn at write {deaths}"
            shutil.rmtree(trial)
            continue
        assert committed == 0, f"undone at write {deaths}"
        assert state(HashList.open(trial)) == before, f"torn at write {deaths}"
        shutil.copytree(trial, copy)
        report = HashList.open(copy).import_file(file)
        assert report.generation == before[0]["generation"] + 1, f"no rerun at write {deaths}"
        left = {path.name for path in (copy / "segments").iterdir()}
        named = HashList.open(copy).info().files.keys() | before[0]["files"].keys()
        assert left <= named, f"orphans stay at write {deaths}"
        shutil.rmtree(trial)
        shutil.rmtree(copy)
    assert committed <= 1, "more than the log is written behind the commit"
    print(deaths)


if __name__ == "__main__":
    main()
