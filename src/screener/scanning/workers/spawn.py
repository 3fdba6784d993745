"""Starting: what holds in this process while one for a worker is started."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnProcess
from threading import Lock, current_thread, main_thread
from types import FrameType

from screener.system import process


def end(process: SpawnProcess, starter: int, *pipes: int) -> None:
    """End a process that `starter` started, at once and for good, and close the pipes to it."""
    kill(process, starter)
    for pipe in pipes:
        os.close(pipe)
    with suppress(ValueError):  # it waits for a disk: the system will end it
        process.close()


def kill(process: SpawnProcess, starter: int) -> None:
    """End it at once, but not from a process that was forked from the one that started it, and is
    at work with it.
    """
    if starter == os.getpid():
        with suppress(ValueError, AttributeError):  # it is closed already, or was not started
            _note_its_end(process)
            process.kill()


def _note_its_end(process: SpawnProcess) -> None:
    """Have Python know that a process has ended if the system has no word of it, since the program
    ignores SIGCHLD or asks for every child itself. Else Python keeps it, and its pipes, for ever,
    and would end by its number what has that number by then.
    """
    if process.pid is None or not hasattr(os, "waitid"):
        return
    try:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        if process.exitcode is None:
            process._popen.returncode = 0  # type: ignore[attr-defined]


_environment = Lock()  # of this process, while it is another


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Have NumPy's and SciPy's linear algebra start no threads in a process that begins here: they
    would wait for work by taking the processor's time, and reserve memory for every core, so that
    it hangs or crashes where the limit does not allow it.
    """
    name = "OPENBLAS_NUM_THREADS"
    with _environment:
        before = os.environ.get(name)
        os.environ[name] = "1"
        try:
            yield
        finally:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before


@contextmanager
def from_daemonic() -> Iterator[None]:
    """Let this process start one also if it is daemonic itself, as those of `multiprocessing.Pool`
    are. Python forbids it since a child might outlive it, which a worker does not. To be entered by
    one thread at a time, as within `one_thread_each`.
    """
    this = multiprocessing.current_process()
    daemonic = this.daemon
    if daemonic:
        this.daemon = False
    try:
        yield
    finally:
        if daemonic:
            this.daemon = True


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Keep Ctrl-C, which goes to every process of a terminal, from workers: the scan ends them. And
    keep what ends a scan from coming between the start of a process and its being told what to do,
    of which it would print that it was told nothing: it comes behind that.

    A process inherits what its thread holds back. A worker that only ignored the signal would still
    die of it, and print, while it is loading.
    """
    # First, so that nothing is raised between holding the signal back and the end of that.
    with handlers_held():
        if not hasattr(signal, "pthread_sigmask"):
            yield
            return
        resource_tracker.ensure_running()  # which starts a process too, and lets signals through
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def handlers_held() -> Iterator[None]:
    """Have what a program does on a signal that ends it done afterwards. Any of its threads may get
    the signal, whatever this one holds back; what is done then, is by the main thread.
    """
    if current_thread() is not main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    handlers = {
        one: found for one in process.STOP_SIGNALS if callable(found := signal.getsignal(one))
    }
    held = True

    def hold(number: int, frame: FrameType | None) -> None:
        if held:
            came.append((number, frame))
        else:  # another came before this one's handler was back in its place
            handlers[signal.Signals(number)](number, frame)

    try:
        for one in handlers:
            signal.signal(one, hold)
        yield
    finally:
        held = False
        try:
            for one, handler in handlers.items():
                signal.signal(one, handler)
        finally:
            for number, frame in came:
                handlers[signal.Signals(number)](number, frame)
