"""Programs that worker processes cannot load are told what to do."""

import os
import subprocess
import sys

import pytest

from screener.scanning.workers import main_guard


@pytest.fixture
def known(make_list):
    """A list that matches nothing below."""
    return make_list([{"id": "one", "pdq": "0123456789abcdef" * 4, "md5": "ab" * 16}])


OPEN = "from screener import HashList, Screener, output, scan\nimport sys\n"
SCAN = "print(len(list(scan(Screener(HashList.open(sys.argv[1])), sys.argv[2], jobs=2))))\n"
WRITE = f'with output.open_jsonl(sys.argv[2] + ".jsonl"):\n    {SCAN}'
GUARDED = f'if __name__ == "__main__":\n    {SCAN}'


@pytest.mark.parametrize(
    ("script", "how", "told"),
    [
        (OPEN + SCAN, "file", "or starts a scan wherever it is loaded"),
        (OPEN + WRITE, "file", "or starts a scan wherever it is loaded"),
        (OPEN + "open(sys.argv[2] + '.x', 'x')\n" + GUARDED, "file", r"exit code 1\)"),
        (OPEN + GUARDED, "stdin", "this program (<stdin>) is no file"),
        (OPEN + GUARDED, "file", None),
        (OPEN + "output.open_jsonl()\n" + GUARDED, "file", None),
        (OPEN + SCAN, "-c", None),
        (OPEN + SCAN, "-i", None),
    ],
)
def test_a_program_that_workers_cannot_load_is_told_so(known, tmp_path, script, how, told):
    """One traceback, and at its end what to do, whatever the number of files; none of them has a
    result. One that is guarded, or has no main module to load, scans.
    """
    folder = tmp_path / "uploads"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}").touch()
    (tmp_path / "script.py").write_text(script)
    call = {"file": [tmp_path / "script.py"], "stdin": ["-"], "-c": ["-c", script]}
    call = [sys.executable, *call.get(how, ["-q", "-i", "-"]), known.path, folder]

    given = script if how in ("stdin", "-i") else ""
    done = subprocess.run(call, input=given, capture_output=True, text=True, timeout=60)

    if told is None:
        assert done.stdout.split() == ["20"], done.stderr
        return
    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("screener.errors.WorkerError: ")
    assert told.replace("\\", "") in last
    assert 'if __name__ == "__main__":' in last
    # Of a worker that ends by something else, the reason is in its own.
    assert done.stderr.count("Traceback") <= (3 if "exit code" in told else 1), done.stderr
    assert len(done.stderr.splitlines()) < 80


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        (["--multiprocessing-fork", "parent_pid=1"], True),
        (["-S", "-c", "from multiprocessing.forkserver import main; main()"], True),
        (["find", "from multiprocessing.pool import Pool", "--all"], False),
        (["find", "from multiprocessing.pool import Pool"], False),
        ([], False),
    ],
)
def test_a_frozen_program_ends_only_where_python_has_started_it(monkeypatch, words, ends):
    """And not by what a user asks of it: it would end in silence."""
    ended = []
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "argv", ["program", *words])
    monkeypatch.setattr(os, "_exit", ended.append)
    main_guard.exit_if_loading()
    assert bool(ended) is ends


FROZEN = """
import multiprocessing, os, sys
sys.frozen = True
multiprocessing.set_executable(os.environ["PROGRAM"])
with open(os.environ["BEGUN"], "a+") as begun:
    begun.write(f"{sys.argv[1:2]}\\n")
    begun.seek(0)
    if len(begun.readlines()) > 20:
        sys.exit("begun again and again")
from screener import HashList, Screener, scan
list(scan(Screener(HashList.open(os.environ["KNOWN"])), os.environ["UPLOADS"], jobs=1))
"""


def test_a_frozen_program_that_serves_as_no_worker_begins_no_more_than_once_as_each(
    known, tmp_path
):
    """Such a program is its own interpreter, and begins anew where Python starts one. It would
    start workers without end; so each ends there, and the first is told what to do.
    """
    script, program, begun = (tmp_path / name for name in ("script.py", "program", "begun"))
    script.write_text(FROZEN)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    program.chmod(0o700)
    places = {"PROGRAM": program, "BEGUN": begun, "KNOWN": known.path, "UPLOADS": tmp_path}
    env = os.environ | {name: str(path) for name, path in places.items()}

    done = subprocess.run([program], env=env, capture_output=True, text=True, timeout=60)

    last = done.stderr.splitlines()[-1]
    assert last.startswith("screener.errors.WorkerError: ")
    assert "multiprocessing.freeze_support()" in last
    # Itself, a worker, and the process of Python's that keeps account of the former's semaphores.
    assert len(begun.read_text().splitlines()) <= 3
    assert done.stderr.count("Traceback") == 1, done.stderr


BROKEN = """
import multiprocessing
from screener.cli.app import main
multiprocessing.set_executable("/bin/false")
main()
"""


def test_the_command_says_that_no_worker_can_be_started(known, tmp_path):
    """As a sentence, with the exit code of a call that was wrong; no line, and no traceback."""
    call = [sys.executable, "-c", BROKEN, "scan", tmp_path, "--list", known.path]
    done = subprocess.run(call, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout) == (2, "")
    # Python says something of its own of that interpreter.
    last = done.stderr.splitlines()[-1]
    assert last.startswith("screener: a worker process ended before it was ready (exit code 1)")
    assert "Traceback" not in done.stderr
