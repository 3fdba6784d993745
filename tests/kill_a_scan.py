"""Scans a folder again and again, killed at a random moment each time, until a run ends by itself.

Usage: kill_a_scan.py LIST FOLDER RESULTS AUDIT KILLS SEED. Every run goes on with the file of
results of the one before. A run is killed with SIGKILL some milliseconds after it has written some
lines more; after each death its workers must be gone too. Prints JSON: how many were killed with
files still to do, and the exit code of the last run.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from command import CALL


def running(mark):
    """The processes whose environment has a mark."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                environment = (process / "environ").read_bytes()
            except OSError:
                continue
            if mark in environment:
                found.append(int(process.name))
    return found


def wait_until(condition, seconds, what):
    """Wait for something that must come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def main():
    """Kill so many times, then let it end."""
    known, folder, results, audit, kills, seed = sys.argv[1:]
    rng, mark = random.Random(int(seed)), f"SCREENER_KILLED={os.getpid()}"
    environment = os.environ | dict([mark.split("=")])
    results, amid = Path(results), 0
    call = [*CALL, "scan", folder, "--list", known, "--resume", str(results), "--audit", audit]
    for number in range(int(kills) + 1):
        before = results.stat().st_size if results.exists() else 0
        more = call + (["--unordered"] if rng.random() < 0.5 else [])
        process = subprocess.Popen([*more, "--jobs", "2"], env=environment, stderr=subprocess.PIPE)
        if number == int(kills):
            break
        lines = rng.randrange(0, 6)
        wait_until(
            lambda goal=before + 400 * lines, one=process: one.poll() is not None
            or (results.exists() and results.stat().st_size > goal),
            60,
            "no results come",
        )  # fmt: skip
        time.sleep(rng.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.stderr.read()
        amid += process.wait() == -signal.SIGKILL
        wait_until(lambda: not running(mark.encode()), 20, "workers outlive the scan")
    told = process.communicate(timeout=120)[1].decode()
    assert "Traceback" not in told, told
    print(json.dumps({"amid": amid, "code": process.returncode}))


if __name__ == "__main__":
    main()
