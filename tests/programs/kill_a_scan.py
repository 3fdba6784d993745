"""Scans a folder again and again, killed at a random moment each time, until a run ends by itself.

Usage: kill_a_scan.py LIST FOLDER OUT KILLS SEED. Every run goes on with the results of the one
before, OUT/0.jsonl, and its audit log, OUT/0.log. A run is killed with SIGKILL some milliseconds
after it has written some lines more; after each death its workers must be gone too. Where a run
ends before it is killed, what follows begins anew, as 1.jsonl and so on, until so many were killed.
Prints JSON: how many were killed, and the exit codes of the runs that ended.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))
from command_process import CALL


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
    known, folder, out, kills, seed = sys.argv[1:]
    rng, mark = random.Random(int(seed)), f"SCREENER_KILLED={os.getpid()}"
    environment = os.environ | dict([mark.split("=")])
    call, killed, codes = [*CALL, "scan", folder, "--list", known, "--jobs", "2"], 0, []
    while True:
        results, audit = (Path(out, f"{len(codes)}.{kind}") for kind in ("jsonl", "log"))
        before = results.stat().st_size if results.exists() else 0
        more = ["--resume", results, "--audit", audit] + ["--unordered"] * (rng.random() < 0.5)
        process = subprocess.Popen([*call, *more], env=environment, stderr=subprocess.PIPE)
        if killed == int(kills):
            break
        lines = rng.randrange(0, 6)
        wait_until(
            lambda goal=before + 400 * lines, file=results, one=process: one.poll() is not None
            or (file.exists() and file.stat().st_size > goal),
            60,
            "no results come",
        )  # fmt: skip
        time.sleep(rng.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.stderr.read()
        if process.wait() == -signal.SIGKILL:
            killed += 1
        else:
            codes.append(process.returncode)
        wait_until(lambda: not running(mark.encode()), 20, "workers outlive the scan")
    told = process.communicate(timeout=120)[1].decode()
    assert "Traceback" not in told, told
    print(json.dumps({"killed": killed, "codes": [*codes, process.returncode]}))


if __name__ == "__main__":
    main()
