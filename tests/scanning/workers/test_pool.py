"""Workers of a scan: the order of tasks, and the answers that are read."""

import os
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hostile_hasher import Engine
from worker_jobs import Counting, Hoarding

from screener import Reason, Screener, scan
from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.workers import pool
from screener.scanning.workers.pool import Workers, map_ordered


@pytest.fixture
def known(make_list):
    """A list that matches nothing below."""
    return make_list([{"id": "one", "pdq": "0123456789abcdef" * 4, "md5": "ab" * 16}])


def test_an_answer_that_is_no_hash_is_refused(known, scene, tmp_path):
    """Nothing that an answer holds is run or made in the scan, and its file is `crashed`; so is one
    at which our own code fails. Files before and behind have their Results; and one that is told
    of under another's name has its own.
    """
    names = ["a", "box", "class", "columns", "error", "m", "name", "order", "plain", "reason", "z"]
    folder = tmp_path / "uploads"
    folder.mkdir()
    for number, name in enumerate(names):
        scene(number, (160, 120)).save(folder / f"{name}.png")

    results = list(scan(Engine(known), folder, jobs=1))

    assert [Path(one.input).stem for one in results] == names
    reasons = {Path(one.input).stem: one.reason for one in results}
    wrong = ["box", "class", "columns", "error", "order", "plain", "reason"]
    bad = dict.fromkeys(wrong, Reason.CRASHED)
    assert reasons == dict.fromkeys(["a", "m", "name", "z"]) | bad
    assert not list(folder.glob("*-made"))


@pytest.mark.parametrize("jobs", [1, 2])
def test_names_of_any_length_fit_through_the_pipes(known, scene, tmp_path, jobs):
    """Paths that no system opens, and members with names as long as a zip file can hold: a Result
    each, in order, and no wait for a pipe that is full.
    """
    scene(1, (160, 120)).save(tmp_path / "a.png")
    members = [f"{n:02}" + "m" * 60_000 for n in range(40)]
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for member in members:
            archive.write(tmp_path / "a.png", member)
    long = [str(tmp_path / ("x" * size)) for size in (300, 5000, 200_000, 3_000_000)]
    paths = [*long, str(tmp_path / "a.png"), str(tmp_path / "b.zip"), *long]

    results = list(scan(Screener(known), paths, jobs=jobs))

    inside = [f"{paths[5]}!{member}" for member in members]
    expected = [*long, paths[4], *inside, paths[5], *long]
    assert [one.input for one in results] == expected
    assert [one.reason for one in results].count(Reason.UNREADABLE) == 8
    assert [one.reason for one in results].count(None) == 42


def test_what_fits_does_not_depend_on_what_was_before():
    """A file for which a worker lacks memory because of what files before left there is done by a
    fresh one; what needs more than a fresh one has is `too_large`, whoever notices. Nothing else is
    lost, or done twice over.
    """
    paths = ["much", "hoard", "a", "hoard", "much", "b", "too"]
    paths += ["hoard", "hoard", "swallowed", "c", "too", "swallowed too"]
    told = list(map_ordered(Hoarding(), paths, jobs=1))

    for path, one in zip(paths, told, strict=True):
        if "too" in path:
            assert one.error.reason == Reason.TOO_LARGE
        else:
            assert one == path


class Process:
    """In place of a Worker: tells of one task whenever it is read."""

    def __init__(self, tasks):
        self.tasks = list(range(tasks))
        self.capacity = tasks

    def send(self):
        """There is nothing to send."""

    def collect(self):
        """What it has done since."""
        return [self.tasks.pop(0)] if self.tasks else []

    @property
    def short(self):
        """As a Worker's."""
        return len(self.tasks) * 4 <= self.capacity


@pytest.fixture
def waiting(monkeypatch):
    """Workers of processes that are no processes, and how long they waited, each time."""
    now, waits = [1000.0], []

    def sleep(seconds):
        waits.append(seconds)
        now[0] += seconds

    clock = SimpleNamespace(sleep=sleep, monotonic=lambda: now[0])
    monkeypatch.setattr(pool, "time", clock)
    monkeypatch.setattr(pool, "_wait_for_workers", lambda busy, awaited: busy)

    def made(*processes):
        workers = Workers.__new__(Workers)
        workers._workers, workers._collected = list(processes), now[0]
        return workers

    return made, waits


def test_answers_are_read_while_more_are_waited_for(waiting):
    """All that come within the time are given together; pipes are read several times in it, so that
    no process waits for one that is full.
    """
    made, waits = waiting
    workers = made(Process(40), Process(40))
    assert len(workers.collect()) == 6
    assert waits == pytest.approx([0.02, 0.02, 0.02])
    assert len(workers.collect()) == 6


def test_a_name_that_comes_is_not_kept_waiting_for_a_slow_file():
    """Another worker may be free for it: the wait for the one at work ends when it is there."""
    answers, telling = os.pipe()
    names, naming = os.pipe()
    lefts = iter([60.0] * 10)
    busy = SimpleNamespace(
        tasks=[1], answers=answers, short=True, send=lambda: None, collect=list,
        seconds_left=lambda: next(lefts),
    )  # fmt: skip
    workers = Workers.__new__(Workers)
    workers._workers, workers._collected = [busy], 0.0
    coming = threading.Timer(0.05, os.write, (naming, b"a\n"))
    coming.start()
    begin = time.monotonic()
    try:
        assert workers.collect(Awaited((names,))) == []
        assert time.monotonic() - begin < 30
    finally:
        coming.join()
        for descriptor in (answers, telling, names, naming):
            os.close(descriptor)


def test_nothing_is_waited_for_while_a_process_runs_short(waiting):
    """The scan is to hand out more, and the other process is not to have its answers kept."""
    made, waits = waiting
    few = Process(4)
    few.tasks = [1, 2]
    assert len(made(Process(40), few).collect()) == 2
    assert len(waits) == 1


def test_a_job_tells_what_it_likes_in_the_order_of_files(tmp_path):
    """Other jobs than a scan's too: answers of any size, in order, whoever was first."""
    paths = []
    for number in range(50):
        path = tmp_path / f"{number:02}{'-much' if number % 10 == 3 else ''}"
        path.write_bytes(bytes(number))
        paths.append(str(path))

    told = list(map_ordered(Counting(), paths, jobs=3))

    for number, one in enumerate(told):
        assert one == ("much" * 2_000_000 if number % 10 == 3 else {"size": number})
    assert len(told) == 50
