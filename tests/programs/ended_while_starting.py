"""Run by test_workers: starts workers and has itself sent a signal, by its name, which is raised as
the command line raises it, when a process is there and has not been told what to do.
"""

import os
import signal
import sys
import time
from multiprocessing import util
from pathlib import Path

from screener import Policy
from screener.scanning.workers.pool import Workers
from screener.screening.input.hasher import Hasher

_spawn = util.spawnv_passfds


def spawn(path, arguments, descriptors):
    """Start a process, and send the signal if it is to be a worker."""
    child = _spawn(path, arguments, descriptors)
    if any("spawn_main" in str(one) for one in arguments):
        started.append(child)
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    return child


def end(*_):
    """Raise it."""
    raise KeyboardInterrupt


def lives(child):
    """Whether a process runs: one that is dead has no command line, until somebody asks for it."""
    path = Path(f"/proc/{child}/cmdline")
    return path.exists() and bool(path.read_bytes())


started: list[int] = []

if __name__ == "__main__":
    signal.signal(getattr(signal, sys.argv[1]), end)
    util.spawnv_passfds = spawn
    try:
        with Workers(Hasher(Policy(), ()), 2):
            print("went on")
    except KeyboardInterrupt:
        print("ended", len(started))
    deadline = time.monotonic() + 20
    while any(map(lives, started)) and time.monotonic() < deadline:
        time.sleep(0.01)
    print("gone", not any(map(lives, started)))
