"""Start and end worker processes without side effects on the program or the worker."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnProcess
from multiprocessing.process import BaseProcess
from threading import Lock, current_thread, main_thread
from types import FrameType
from typing import Any

from screener.scanning.workers.main_guard import PROCESS_NAME
from screener.system import process


def end(process: SpawnProcess, starter: int, *pipes: int) -> None:
    """Kill a process that the process `starter` started, and close it and its pipes."""
    kill(process, starter)
    for pipe in pipes:
        os.close(pipe)
    with suppress(ValueError):  # It still waits for a disk; the system ends it later.
        process.close()


def kill(process: SpawnProcess, starter: int) -> None:
    """Kill a process; do nothing in a fork of the process that started it."""
    if starter == os.getpid():
        with suppress(ValueError, AttributeError):  # closed already, or never started
            process.kill()


_environment_lock = Lock()


@contextmanager
def limit_blas_threads() -> Iterator[None]:
    """Let processes that are started inside use one thread for linear algebra.

    More threads of NumPy and SciPy would spin for work, and reserve memory for every core beyond
    the limit.
    """
    name = "OPENBLAS_NUM_THREADS"
    with _environment_lock:
        before = os.environ.get(name)
        os.environ[name] = "1"
        try:
            yield
        finally:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before


_state: Any = multiprocessing.process  # with names that its types leave out


class _MainProcess(BaseProcess):
    """A main process, as Python makes one when it loads `multiprocessing`."""

    def __init__(self) -> None:
        self._identity = ()
        self._name = "MainProcess"
        self._parent_pid = None
        self._popen = None
        self._closed = False
        key = _state.AuthenticationString(os.urandom(32))
        self._config = {"authkey": key, "semprefix": "/mp"}


@contextmanager
def allow_start() -> Iterator[None]:
    """Allow a process of `multiprocessing.Pool`, or of Celery, to start a worker.

    Python forbids it to a daemonic process, since a child might outlive its parent; a worker does
    not. A library with process classes of its own, such as Celery, puts an object in the place of
    Python's that cannot start any. Only one thread may enter at a time, as inside
    `limit_blas_threads`.
    """
    current = _state._current_process
    if not isinstance(current, BaseProcess):
        _state._current_process = _MainProcess()
        try:
            yield
        finally:
            _state._current_process = current
        return
    daemonic = current.daemon
    if daemonic:
        current.daemon = False
    try:
        yield
    finally:
        if daemonic:
            current.daemon = True


def _forget_workers() -> None:
    """In a fork, forget the workers of the other process.

    Python ends all children that it knows of when the program ends.
    """
    for child in list(_state._children):
        if child.name == PROCESS_NAME:
            _state._children.discard(child)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)


@contextmanager
def delay_interrupts() -> Iterator[None]:
    """Keep Ctrl-C from processes that are started inside, and delay signals of this process.

    Ctrl-C goes to every process of a terminal, but the scan ends its workers itself. They inherit
    the blocked signal; if a worker only ignored it, it would die of it while loading. Signals of
    this process wait until the child has received its setup, else the child would print an error.
    """
    # First, so that no handler raises between blocking and unblocking the signal.
    with delay_handlers():
        resource_tracker.ensure_running()  # starts a process and unblocks signals
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def delay_handlers() -> Iterator[None]:
    """Delay the handlers of signals that end a program.

    Any thread may get the signal, but the main thread runs the handler.
    """
    if current_thread() is not main_thread():
        yield
        return
    received: list[tuple[int, FrameType | None]] = []
    handlers = {
        number: handler
        for number in process.STOP_SIGNALS
        if callable(handler := signal.getsignal(number))
    }
    delaying = True

    def delay(number: int, frame: FrameType | None) -> None:
        if delaying:
            received.append((number, frame))
        else:  # a signal arrived before its own handler was restored
            handlers[signal.Signals(number)](number, frame)

    try:
        for number in handlers:
            signal.signal(number, delay)
        yield
    finally:
        delaying = False
        try:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        finally:
            for number, frame in received:
                handlers[signal.Signals(number)](number, frame)
