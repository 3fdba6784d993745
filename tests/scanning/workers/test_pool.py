"""Workers: what may come out of them, and what goes into them."""

import errno
import hashlib
import multiprocessing
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
import zipfile
from itertools import cycle
from multiprocessing import resource_tracker
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
from hostile_hasher import Engine
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import PROGRAMS

from screener import Policy, Reason, Screener, scan
from screener.errors import MediaError, ShortOfMemory, WorkerError
from screener.media.archives.archive import Budget
from screener.media.files.allowance import Allowance
from screener.media.source import Name
from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.workers import main_guard, pool, spawn
from screener.scanning.workers import process as visiting
from screener.scanning.workers import worker as worker_module
from screener.scanning.workers.messages import Answer, Order, framed
from screener.scanning.workers.pool import Workers, each
from screener.scanning.workers.process import Usage
from screener.scanning.workers.protocol import Errand
from screener.scanning.workers.worker import Worker
from screener.screening.input.hash_item import Hashed
from screener.screening.input.hasher import HashMode, Target


@pytest.fixture
def known(make_list):
    """A list that matches nothing below."""
    return make_list([{"id": "one", "pdq": "0123456789abcdef" * 4, "md5": "ab" * 16}])


def test_an_answer_that_is_no_hash_is_refused(known, scene, tmp_path):
    """Nothing that an answer holds is run or made in the scan, and its file is `crashed`; so is one
    at which our own code fails. Files before and behind have their Results; and one that is told
    of under another's name has its own.
    """
    names = ["a", "class", "columns", "error", "m", "name", "order", "plain", "reason", "z"]
    folder = tmp_path / "uploads"
    folder.mkdir()
    for number, name in enumerate(names):
        scene(number, (160, 120)).save(folder / f"{name}.png")

    results = list(scan(Engine(known), folder, jobs=1))

    assert [Path(one.input).stem for one in results] == names
    reasons = {Path(one.input).stem: one.reason for one in results}
    bad = dict.fromkeys(["class", "columns", "error", "order", "plain", "reason"], Reason.CRASHED)
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


class Hoarding:
    """A job that keeps memory after a file named so, as decoders do, and needs much for another."""

    policy = Policy(memory=400 << 20)
    kinds = ()
    outcomes = (str,)
    held: ClassVar[list] = []

    def visit(self):
        """Itself."""
        return self

    def do(self, target, budget, way):
        """What this process could be given."""
        if "hoard" in target.path:
            self.held.append(bytearray(120 << 20))
        if "swallowed" in target.path:
            try:
                bytearray((500 if "too" in target.path else 200) << 20)
            except MemoryError:
                return Hashed(Name(target.path), trouble=ShortOfMemory("as decoders tell it"))
        if "much" in target.path:
            bytearray(200 << 20)
        if "too" in target.path:
            bytearray(500 << 20)
        return target.path


def test_what_fits_does_not_depend_on_what_was_before():
    """A file for which a worker lacks memory because of what files before left there is done by a
    fresh one; what needs more than a fresh one has is `too_large`, whoever notices. Nothing else is
    lost, or done twice over.
    """
    paths = ["much", "hoard", "a", "hoard", "much", "b", "too"]
    paths += ["hoard", "hoard", "swallowed", "c", "too", "swallowed too"]
    told = list(each(Hoarding(), paths, jobs=1))

    for path, one in zip(paths, told, strict=True):
        if "too" in path:
            assert one.trouble.reason == Reason.TOO_LARGE
        else:
            assert one == path


class Counting:
    """A job that tells how many bytes a file has; for those named so, more than any pipe holds."""

    policy = Policy()
    kinds = ()
    outcomes = (str, dict)

    def visit(self):
        """Itself."""
        return self

    def do(self, target, budget, way):
        """The size, or very much."""
        size = Path(target.path).stat().st_size
        return "much" * 2_000_000 if "much" in target.path else {"size": size}


class Process:
    """In place of a Worker: tells of one errand whenever it is read."""

    def __init__(self, errands):
        self.errands = list(range(errands))
        self.capacity = errands

    def send(self):
        """There is nothing to send."""

    def collect(self):
        """What it has done since."""
        return [self.errands.pop(0)] if self.errands else []

    @property
    def short(self):
        """As a Worker's."""
        return len(self.errands) * 4 <= self.capacity


@pytest.fixture
def waiting(monkeypatch):
    """Workers of processes that are no processes, and how long they waited, each time."""
    now, waits = [1000.0], []

    def sleep(seconds):
        waits.append(seconds)
        now[0] += seconds

    clock = SimpleNamespace(sleep=sleep, monotonic=lambda: now[0])
    monkeypatch.setattr(pool, "time", clock)
    monkeypatch.setattr(pool, "_awake", lambda busy, awaited: busy)

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
        errands=[1], answers=answers, short=True, send=lambda: None, collect=list,
        seconds_left=lambda: next(lefts),
    )  # fmt: skip
    workers = Workers.__new__(Workers)
    workers._workers, workers._collected = [busy], 0.0
    coming = threading.Timer(0.05, os.write, (naming, b"a\n"))
    coming.start()
    begin = time.monotonic()
    try:
        assert workers.collect(Awaited(names)) == []
        assert time.monotonic() - begin < 30
    finally:
        coming.join()
        for descriptor in (answers, telling, names, naming):
            os.close(descriptor)


def test_nothing_is_waited_for_while_a_process_runs_short(waiting):
    """The scan is to hand out more, and the other process is not to have its answers kept."""
    made, waits = waiting
    few = Process(4)
    few.errands = [1, 2]
    assert len(made(Process(40), few).collect()) == 2
    assert len(waits) == 1


def test_a_job_tells_what_it_likes_in_the_order_of_files(tmp_path):
    """Other jobs than a scan's too: answers of any size, in order, whoever was first."""
    paths = []
    for number in range(50):
        path = tmp_path / f"{number:02}{'-much' if number % 10 == 3 else ''}"
        path.write_bytes(bytes(number))
        paths.append(str(path))

    told = list(each(Counting(), paths, jobs=3))

    for number, one in enumerate(told):
        assert one == ("much" * 2_000_000 if number % 10 == 3 else {"size": number})
    assert len(told) == 50


def until_told(worker):
    """What a worker has done next."""
    while not (done := worker.collect()):
        select.select([worker.answers], [], [], worker.seconds_left())
    return done


def first_done(worker):
    """What a worker tells next."""
    return until_told(worker)[0].outcome


@pytest.fixture
def at_work():
    """Starts a worker with one errand, and ends it."""
    started = []

    def start(job, path):
        started.append(Worker(job))
        started[-1].take(Target(str(path)), None)
        return started[-1]

    yield start
    for worker in started:
        worker.close()


@pytest.fixture
def clock(monkeypatch):
    """The time as a scan sees it, to be set."""
    now = SimpleNamespace(monotonic=lambda: now.value, value=0.0)
    monkeypatch.setattr("screener.scanning.workers.worker.time", now)
    return now


def test_an_answer_that_waits_to_be_read_is_not_late(at_work, clock, tmp_path):
    """Who takes one result for hours finds the next one: the file behind was done in time."""
    path = tmp_path / "much"
    path.touch()
    worker = at_work(Counting(), path)
    select.select([worker.answers], [], [])  # it is being told, and does not fit into a pipe
    clock.value = time.monotonic() + 9_999

    assert first_done(worker) == "much" * 2_000_000


def test_a_process_that_dies_while_it_tells_of_a_file_is_not_that_files_fault(at_work, tmp_path):
    """The file is done by the next process, and nothing is left of the answer that was cut off."""
    path = tmp_path / "much"
    path.touch()
    worker = at_work(Counting(), path)
    select.select([worker.answers], [], [])
    worker.kill()

    assert first_done(worker) == "much" * 2_000_000


class Burning(Counting):
    """A job that takes the processor for ever, or lets another thread do so."""

    policy = Policy(seconds=0.5)

    def do(self, target, budget, way):
        """As for a file that a decoder never finishes; hashing keeps no other thread waiting."""
        data = bytes(1 << 20)

        def burn():
            while True:
                hashlib.sha256(data)

        if "thread" in target.path:
            threading.Thread(target=burn, daemon=True).start()
            time.sleep(1_000)
        burn()


class Decoding(Counting):
    """A job that has another thread do the work, as decoders of videos do."""

    def do(self, target, budget, way):
        """Whether what a video may take is over then."""
        allowed = Allowance(0.2)

        def burn():
            end = time.process_time() + 0.3
            while time.process_time() < end:
                pass

        thread = threading.Thread(target=burn)
        thread.start()
        thread.join()
        return {"over": allowed.over}


def test_the_threads_of_a_decoder_take_of_what_a_video_may():
    """So that a video's decoding ends before its worker is ended, and what was seen counts."""
    assert list(each(Decoding(), ["a"], jobs=1)) == [{"over": True}]


class Resting(Counting):
    """A job that waits longer than its limit, as on a machine that others keep busy."""

    policy = Policy(seconds=0.5)

    def do(self, target, budget, way):
        """Nothing of the processor."""
        time.sleep(3 * self.policy.seconds)
        return "done"


def test_time_that_a_file_only_waits_does_not_count(at_work, tmp_path):
    """Neighbours that keep the processor or the disk busy turn no file into a `timeout`."""
    worker = at_work(Resting(), tmp_path / "a")
    (done,) = until_told(worker)

    assert done.outcome == "done"
    assert done.seconds < Resting.policy.seconds < done.wall


@pytest.mark.parametrize("name", ["main", "thread"])
def test_the_processor_time_of_all_threads_is_limited(at_work, clock, name):
    """A file ends by it alone: here the scan's clock of wall time stands still."""
    worker = at_work(Burning(), name)
    clock.value = until_begun(worker)
    (done,) = until_told(worker)

    assert done.outcome.trouble.reason == Reason.TIMEOUT
    assert done.outcome.trouble.detail == "not finished within 0.5 s of processor time"
    assert done.seconds == Burning.policy.seconds


def test_wall_time_is_the_limit_if_the_system_counts_no_other(at_work, clock, monkeypatch):
    """`seconds` of it, and not the multiple that stands behind processor time."""
    monkeypatch.setattr("screener.scanning.workers.worker.clock_of", lambda process: None)
    worker = at_work(Waiting(), "never")
    clock.value = until_begun(worker) + Waiting.policy.seconds - 0.1
    assert worker.collect() == []
    clock.value += 0.1
    (done,) = worker.collect()

    assert done.outcome.trouble.reason == Reason.TIMEOUT
    assert done.seconds == Waiting.policy.seconds


class Waiting(Counting):
    """A job that is at a file until there is one."""

    def do(self, target, budget, way):
        """As for a file that takes long to decode, or for ever."""
        while not Path(target.path).exists():
            time.sleep(0.01)
        return "done"


def until_begun(worker):
    """When its errand was begun."""
    while not worker._usage.since:
        time.sleep(0.01)
    return worker._usage.since


def test_a_file_under_way_while_the_scan_is_stopped_has_its_time_once_more(
    at_work, clock, tmp_path
):
    """Ctrl-Z stops a scan with its workers: nobody looked when the time ended, and the file, which
    was not at work, is done after it.
    """
    worker = at_work(Waiting(), tmp_path / "a")
    clock.value = until_begun(worker) + 9_999

    assert worker.collect() == []
    assert worker._wall_left() == Waiting.policy.wall_seconds
    (tmp_path / "a").touch()
    assert first_done(worker) == "done"


@pytest.mark.parametrize("late", [[0.0], [9_999, 19_999]])
def test_a_file_without_end_is_ended_also_where_nobody_looks_for_long(
    at_work, clock, tmp_path, late
):
    """By its wall time, though it takes nothing of the processor: at its end, if somebody looks
    then; else at the second time that somebody looks too late.
    """
    worker = at_work(Waiting(), tmp_path / "never")
    begun, told = until_begun(worker), []
    for one in late:
        assert not told
        clock.value = begun + Waiting.policy.wall_seconds + one
        told = worker.collect()

    assert told[0].outcome.trouble.reason == Reason.TIMEOUT
    assert told[0].outcome.trouble.detail == "not finished within 600 s"
    assert told[0].seconds < Waiting.policy.seconds


def test_a_process_that_says_anything_of_what_it_was_at_is_not_replaced_for_ever(monkeypatch):
    """After three of them, the file that was next is taken to be the cause; and the scan waits."""
    for name in ("_start",):
        monkeypatch.setattr(Worker, name, lambda self: None)
    for said in (0.0, 7e9, 1e300, 0.5, -1.0, float("nan"), float("inf")):
        worker = Worker(Counting())
        worker._usage = Usage(multiprocessing.get_context("spawn"))
        worker._usage.arrive()
        worker._usage._cells[:2] = said, said
        worker._usage._cells[3] = said
        worker.errands.append(Errand(Target("a"), None, number=1, sent=1))
        harm = MediaError("crashed", "")
        told = [worker._bury(worker._usage.number, harm, worker._spent()) for _ in range(3)]

        assert worker.seconds_left() <= Counting.policy.seconds  # no selector waits for ever
        assert told[:2] == [[], []]
        assert told[2][0].outcome.trouble == harm
        assert 0 <= told[2][0].seconds <= Counting.policy.seconds


@pytest.mark.parametrize("first", ["died", "failed"])
@pytest.mark.parametrize("second", ["died", "failed", "done"])
def test_what_a_file_took_is_of_all_that_was_tried_with_it(monkeypatch, clock, first, second):
    """Also where its digests alone harm another process, or our own code fails at it."""
    for name in ("_start", "send"):
        monkeypatch.setattr(Worker, name, lambda self: None)
    worker = Worker(Counting())
    worker._makes_digests = True
    worker._usage = Usage(multiprocessing.get_context("spawn"))
    worker.errands.append(Errand(Target("a"), None, number=1))
    told = []
    for how in (first, second):
        (errand,) = worker.errands
        errand.sent = 1
        worker._usage._cells[:2] = 1, 100.0
        clock.value = 104.0
        if how == "died":
            told += worker._bury(1, MediaError("crashed", ""), worker._spent())
        else:
            error = "ValueError" if how == "failed" else None
            told += worker._answered(Answer(1, Hashed(Name("a")), 4.0, 5.0, error).to_wire())

    assert [one.seconds for one in told] == [8.0]


class NeverReady(Counting):
    """A job that ends its process before the first errand."""

    def __init__(self, how):
        self.how = how

    def visit(self):
        """As a library may that cannot be loaded, or a system that has no memory."""
        self.how()
        return self


def exits():
    """Ends its process by itself."""
    os._exit(3)


def is_killed():
    """Has its process killed."""
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("how", "starts", "told"), [(exits, 1, "exit code 3"), (is_killed, 3, "killed by SIGKILL")]
)
def test_workers_that_never_are_ready_are_no_files_fault(monkeypatch, how, starts, told):
    """One exception that says so: after the first that ended by itself, or some that were killed,
    which may have been chance.
    """
    started = []
    start = Worker._start
    monkeypatch.setattr(Worker, "_start", lambda self: started.append(1) or start(self))

    with pytest.raises(WorkerError, match=rf"before it was ready \({told}.*__main__"):
        list(each(NeverReady(how), ["one", "other"], jobs=1))

    assert len(started) == starts


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_what_ends_a_scan_while_a_worker_starts_leaves_no_word_of_it_and_no_process(name):
    """A process that is there and was not told what to do yet would print that it was told
    nothing; and one that was told would live as long as who started it.
    """
    script = PROGRAMS / "ended_while_starting.py"
    done = subprocess.run([sys.executable, script, name], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("ended 1\ngone True\n", "")


def test_a_worker_that_nobody_closes_ends():
    """As where an interrupt comes when it was started, and before anybody knows of it: a service
    that goes on would have the process as long as it lives.
    """
    worker = Worker(Counting())
    process = worker._process.pid
    del worker

    assert soon(lambda: process not in {one.pid for one in multiprocessing.active_children()})


def test_children_of_which_the_program_never_hears_leave_nothing_and_change_nothing():
    """As where a service ignores SIGCHLD, or a handler of its own asks for every child: Python is
    not told how a worker ended, or that it did. It would keep each for ever, with two pipes, and
    end by its number, when the program ends, whatever process has that number by then.
    """
    before = multiprocessing.active_children()
    heard = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        told = list(each(Hoarding(), ["hoard", "hoard", "much"], jobs=1))
        after = multiprocessing.active_children()
    finally:
        signal.signal(signal.SIGCHLD, heard)

    assert (told, after) == (["hoard", "hoard", "much"], before)


def test_a_program_that_a_broken_pipe_ends_is_not_ended_by_a_worker_that_died():
    """As one that has SIGPIPE do what it does to others, so that it ends with who reads its output:
    a file that crashes its worker before the next one is sent would end it as well.
    """
    child = os.fork()
    if not child:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        worker = Worker(Counting())
        worker.kill()
        worker._process.join()
        worker.take(Target("a"), None)
        os._exit(signal.SIGPIPE in signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    assert os.waitpid(child, 0)[1] == 0


def test_a_process_that_is_forked_from_a_scan_ends_none_of_its_workers(at_work, tmp_path):
    """Whatever it drops or closes: the file under way would be told as one that crashed."""
    worker = at_work(Waiting(), tmp_path / "a")
    until_begun(worker)
    child = os.fork()
    if not child:
        worker.close()
        os._exit(0)

    assert os.waitpid(child, 0)[1] == 0
    (tmp_path / "a").touch()
    assert first_done(worker) == "done"
    assert worker._process.is_alive()


def soon(holds):
    """Whether something comes to hold."""
    deadline = time.monotonic() + 20
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def stops():
    """Has SIGINT and SIGTERM raise KeyboardInterrupt, and gives the number of the latter."""

    def stop(*_):
        raise KeyboardInterrupt

    before = {one: signal.signal(one, stop) for one in (signal.SIGINT, signal.SIGTERM)}
    yield signal.SIGTERM
    for one, handler in before.items():
        signal.signal(one, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, before)


def test_a_stop_when_interrupts_were_just_held_leaves_none_held(monkeypatch, stops):
    """A program that goes on after it could not be ended by Ctrl-C any more."""
    real = signal.pthread_sigmask

    def masked(*how):
        before = real(*how)
        if how == (signal.SIG_BLOCK, {signal.SIGINT}):
            monkeypatch.undo()
            os.kill(os.getpid(), stops)
        return before

    monkeypatch.setattr(signal, "pthread_sigmask", masked)
    with pytest.raises(KeyboardInterrupt), spawn.interrupts_delayed():
        pass

    assert signal.SIGINT not in real(signal.SIG_BLOCK, ())


def test_a_stop_while_handlers_are_put_back_leaves_each_heard(monkeypatch, stops):
    """One that comes in between is raised, and so is each that comes after it."""
    real = signal.signal

    def put(number, handler):
        real(number, handler)
        if number == signal.SIGINT and handler is before:
            monkeypatch.undo()
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(signal, "signal", put)
    with pytest.raises(KeyboardInterrupt), spawn.handlers_delayed():
        pass

    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), stops)


class ReadyOnce(Counting):
    """A job whose first process is ready, and ends of its first errand; others never are."""

    def __init__(self, mark):
        self.mark = mark

    def visit(self):
        """As where an installation is taken away meanwhile."""
        if self.mark.exists():
            os._exit(3)
        return self

    def do(self, target, budget, way):
        """End."""
        self.mark.touch()
        os._exit(4)


def test_a_worker_that_was_ready_ends_by_its_file_and_others_that_never_are_by_none(tmp_path):
    """The file at which it died is `crashed`; the next is not, since nobody has tried it."""
    told = []
    with pytest.raises(WorkerError, match=r"exit code 3"):
        told.extend(each(ReadyOnce(tmp_path / "mark"), ["one", "other"], jobs=1))

    assert [one.trouble.reason for one in told] == ["crashed"]


def test_a_daemonic_process_has_workers_too():
    """As those of `multiprocessing.Pool` are: Python lets them start no process, which might live
    longer than they do, as a worker does not.
    """

    def tells():
        (told,) = each(Counting(), [__file__], jobs=1)
        os._exit("size" not in told or not multiprocessing.current_process().daemon)

    process = multiprocessing.get_context("fork").Process(target=tells, daemon=True)
    process.start()
    process.join(60)

    assert process.exitcode == 0


def test_a_process_that_starts_no_others_is_told_what_to_do(monkeypatch):
    """As one of Celery's, which has classes of its own in the place of `multiprocessing`'s."""
    monkeypatch.setattr(multiprocessing, "current_process", lambda: SimpleNamespace(daemon=True))

    with pytest.raises(WorkerError, match="--pool threads"):
        list(each(Counting(), [__file__], jobs=1))


def test_a_working_folder_that_has_gone_is_named(tmp_path, monkeypatch):
    """As that of a release that was replaced under its service: the system does not say which."""
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()

    with pytest.raises(WorkerError, match="the working folder of this process"):
        list(each(Counting(), [__file__], jobs=1))


@pytest.mark.parametrize("step", ["memory to share", "a second pipe", "the process"])
def test_a_system_that_starts_no_process_is_named(monkeypatch, step):
    """What it says is in the exception, with the place where it says one, as of a system where no
    temporary file can be made; and nothing stays open, whatever it is that it refuses.
    """

    def refuses(*_):
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), "/dev/shm/pym")

    resource_tracker.ensure_running()  # which has a pipe of its own
    pipes = cycle([os.pipe, refuses])
    steps = {
        "memory to share": (worker_module, "Mark", refuses),
        "a second pipe": (os, "pipe", lambda: next(pipes)()),
        "the process": (multiprocessing.get_context("spawn").Process, "start", refuses),
    }
    for _ in range(2):  # at first what a program has once is opened too
        before = os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd") else []
        with monkeypatch.context() as patched:
            patched.setattr(*steps[step])
            with pytest.raises(WorkerError, match="temporarily unavailable: /dev/shm/pym"):
                list(each(Counting(), ["one"], jobs=2))

    assert len(before) == len(os.listdir("/proc/self/fd") if before else [])


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
    main_guard.leave()
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


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_orders_arrive_as_they_were_sent_however_the_pipe_cuts_them(seed):
    """Names that are no text, members deep in archives, budgets or none, every way; in order."""
    rng = random.Random(seed)
    sent = [
        Order(
            number,
            Target(
                os.fsdecode(b"/a/" + rng.randbytes(rng.choice([1, 9, 5_000])).replace(b"\0", b"x")),
                tuple(rng.randrange(9) for _ in range(rng.randrange(3))),
            ),
            rng.choice([None, Budget(rng.randrange(1 << 40), rng.randrange(1 << 40))]),
            rng.choice(list(HashMode)),
        )
        for number in range(rng.randint(1, 40))
    ]
    data = b"".join(framed(order.to_wire()) for order in sent)
    reading, writing = os.pipe()

    def write():
        with open(writing, "wb", buffering=0) as stream:
            at = 0
            while at < len(data):
                piece = rng.choice([1, 7, 8, 100, 9_000])
                stream.write(data[at : at + piece])
                at += piece

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert [order for group in visiting._orders(reading) for order in group] == sent
    finally:
        thread.join()
        os.close(reading)
