"""A Pool beside other processes: after forks, at the end of the program, and when it is killed."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from paths import PROGRAMS, REPOSITORY
from picture_bytes import saved
from pool_accidents import is_alive, until

from screener.hashing import pdq


@pytest.fixture
def listed(make_list, scene, tmp_path):
    """The path of a list and that of a picture that it holds."""
    picture = scene(1, (320, 240))
    (tmp_path / "a.png").write_bytes(saved(picture, "PNG"))
    known = make_list([{"id": "one", "pdq": pdq.compute(np.asarray(picture)).text}])
    return known.path, tmp_path / "a.png"


def started(listed, how):
    """The program, as it was started."""
    path = os.pathsep.join([str(REPOSITORY / "tests/support"), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, PROGRAMS / "pool_and_processes.py", *listed, how],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip


def parse(text):
    """The workers by process, whose verdicts are all `match`."""
    lines = [line.split() for line in text.splitlines()]
    assert {verdict for verdict, *_ in lines} == {"match"}
    return {int(process): list(map(int, workers)) for _, process, *workers in lines}


@pytest.mark.parametrize(
    ("how", "processes"),
    [
        ("end", 1),
        ("end in the middle", 1),
        ("fork", 3),
        ("fork in the middle", 3),
        ("preload", 2),
    ],
)
def test_each_process_has_workers_of_its_own_and_leaves_none(listed, how, processes):
    """Forks of a process that uses the pool or has only made it, which end without `close`; and the
    process that made it, idle or in the middle of an item, which it gets the Result of.
    """
    with started(listed, how) as program:
        out, errors = program.communicate(timeout=300)

    assert (program.returncode, errors) == (0, "")
    workers = parse(out)
    everybody = [worker for some in workers.values() for worker in some]
    assert len(workers) == processes
    assert len(set(everybody)) == processes
    until(lambda: not any(map(is_alive, everybody)))


def test_a_script_without_a_guard_is_told_so(listed, tmp_path):
    """At its first item, by one exception; nothing is started again and again."""
    known, file = listed
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from screener import HashList, Pool, Screener\n"
        f"pool = Pool(Screener(HashList.open({str(known)!r})), jobs=2)\n"
        f"print(pool.screen({str(file)!r}).verdict)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("Traceback") == 1
    assert 'under `if __name__ == "__main__":`' in done.stderr


@pytest.mark.parametrize("how", ["wait", "wait beside a fork"])
def test_workers_end_when_their_program_is_killed(listed, how):
    """Nobody tells them; a fork of the program may have copies of their pipes."""
    with started(listed, how) as program:
        (workers,) = parse(program.stdout.readline()).values()
        assert all(map(is_alive, workers))
        os.kill(program.pid, signal.SIGKILL)
        until(lambda: not any(map(is_alive, workers)))
        program.stdout.close()
        program.stderr.close()
