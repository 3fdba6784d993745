"""The conditions under which a worker process is started and ended."""

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
    """End a process that `starter` started, for good, and close its pipes."""
    kill(process, starter)
    for pipe in pipes:
        os.close(pipe)
    with suppress(ValueError):  # it waits for a disk; the system will end it
        process.close()


def kill(process: SpawnProcess, starter: int) -> None:
    """End it at once; do nothing in a fork of the process that started it."""
    if starter == os.getpid():
        with suppress(ValueError, AttributeError):  # it is closed already, or was not started
            process.kill()


_environment = Lock()  # while it is changed


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Have NumPy's and SciPy's linear algebra start no threads in a process that begins here: they
    would spin for work, and reserve memory for every core beyond the limit.
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
    """Let a daemonic process, such as those of `multiprocessing.Pool`, start one. Python forbids
    it, since a child might outlive it; a worker does not. Enter it in one thread at a time, as
    within `one_thread_each`.
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
def interrupts_delayed() -> Iterator[None]:
    """Keep Ctrl-C, which goes to every process of a terminal, from workers: the scan ends them.
    Also delay signals until the child has received its setup; without it, the child would print an
    error.

    A process inherits its thread's blocked signals. A worker that only ignored the signal would
    still die of it while it loads.
    """
    # First, so that nothing is raised between blocking the signal and unblocking it.
    with handlers_delayed():
        if not hasattr(signal, "pthread_sigmask"):
            yield
            return
        resource_tracker.ensure_running()  # it starts a process too, and unblocks signals
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def handlers_delayed() -> Iterator[None]:
    """Run the handlers of signals that end a program afterwards. Any thread may get the signal, but
    the main thread runs the handler.
    """
    if current_thread() is not main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    handlers = {
        one: found for one in process.STOP_SIGNALS if callable(found := signal.getsignal(one))
    }
    delaying = True

    def hold(number: int, frame: FrameType | None) -> None:
        if delaying:
            came.append((number, frame))
        else:  # another came before this one's handler was back in its place
            handlers[signal.Signals(number)](number, frame)

    try:
        for one in handlers:
            signal.signal(one, hold)
        yield
    finally:
        delaying = False
        try:
            for one, handler in handlers.items():
                signal.signal(one, handler)
        finally:
            for number, frame in came:
                handlers[signal.Signals(number)](number, frame)
