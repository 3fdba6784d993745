"""The start and the end of worker processes, whatever the program does meanwhile."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from itertools import cycle
from multiprocessing import resource_tracker
from pathlib import Path
from types import SimpleNamespace

import pytest
from paths import PROGRAMS
from worker_jobs import Counting, Waiting, first_done, until_begun

from screener.errors import WorkerError
from screener.scanning.workers import spawn
from screener.scanning.workers import worker as worker_module
from screener.scanning.workers.pool import map_ordered
from screener.scanning.workers.worker import Worker
from screener.screening.input.hasher import Target


class NeverReady(Counting):
    """A job that ends its process before the first task."""

    def __init__(self, how):
        self.how = how

    def start_session(self):
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
        list(map_ordered(NeverReady(how), ["one", "other"], jobs=1))

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
    with pytest.raises(KeyboardInterrupt), spawn.delay_interrupts():
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
    with pytest.raises(KeyboardInterrupt), spawn.delay_handlers():
        pass

    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), stops)


class ReadyOnce(Counting):
    """A job whose first process is ready, and ends of its first task; others never are."""

    def __init__(self, mark):
        self.mark = mark

    def start_session(self):
        """As where an installation is taken away meanwhile."""
        if self.mark.exists():
            os._exit(3)
        return self

    def run(self, target, budget, way):
        """End."""
        self.mark.touch()
        os._exit(4)


def test_a_worker_that_was_ready_ends_by_its_file_and_others_that_never_are_by_none(tmp_path):
    """The file at which it died is `crashed`; the next is not, since nobody has tried it."""
    told = []
    with pytest.raises(WorkerError, match=r"exit code 3"):
        told.extend(map_ordered(ReadyOnce(tmp_path / "mark"), ["one", "other"], jobs=1))

    assert [one.error.reason for one in told] == ["crashed"]


def test_a_daemonic_process_has_workers_too():
    """As those of `multiprocessing.Pool` are: Python lets them start no process, which might live
    longer than they do, as a worker does not.
    """

    def tells():
        (told,) = map_ordered(Counting(), [__file__], jobs=1)
        os._exit("size" not in told or not multiprocessing.current_process().daemon)

    process = multiprocessing.get_context("fork").Process(target=tells, daemon=True)
    process.start()
    process.join(60)

    assert process.exitcode == 0


def test_a_process_of_another_library_starts_workers(monkeypatch):
    """As one of Celery's, which has classes of its own in the place of `multiprocessing`'s."""
    other = SimpleNamespace(daemon=True)
    monkeypatch.setattr(multiprocessing.process, "_current_process", other)

    assert list(map_ordered(Counting(), [__file__], jobs=1)) == [
        {"size": os.stat(__file__).st_size}
    ]
    assert multiprocessing.current_process() is other


def test_a_working_folder_that_has_gone_is_named(tmp_path, monkeypatch):
    """As that of a release that was replaced under its service: the system does not say which."""
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()

    with pytest.raises(WorkerError, match="the working folder of this process"):
        list(map_ordered(Counting(), [__file__], jobs=1))


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
        "memory to share": (worker_module, "Usage", refuses),
        "a second pipe": (os, "pipe", lambda: next(pipes)()),
        "the process": (multiprocessing.get_context("spawn").Process, "start", refuses),
    }
    for _ in range(2):  # at first what a program has once is opened too
        before = os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd") else []
        with monkeypatch.context() as patched:
            patched.setattr(*steps[step])
            with pytest.raises(WorkerError, match="temporarily unavailable: /dev/shm/pym"):
                list(map_ordered(Counting(), ["one"], jobs=2))

    assert len(before) == len(os.listdir("/proc/self/fd") if before else [])
