"""Worker: one process that screens files for a scan, and may die of any of them."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import signal
import warnings
from collections.abc import Iterator
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from screener.errors import ScreenerError
from screener.media.source import Name, name_of
from screener.policy import Policy
from screener.result import Reason

_log = logging.getLogger(__name__)

# One file under way and one behind it, so that the process never waits for the scan.
IN_FLIGHT = 2

# A process can die before it has said which file it began; then all its files are tried again,
# so often before the file itself is taken to be the cause.
_TRIES = 3


T = TypeVar("T")
Told = TypeVar("Told", covariant=True)


class Engine(Protocol[Told]):
    """What a worker does with a file, as a Screener does; it is pickled into the process. What it
    tells is never None.
    """

    @property
    def policy(self) -> Policy:
        """What a worker may spend."""

    def screen(self, item: str, /) -> Told:
        """What is told of a file."""

    def unscreened(self, name: Name, reason: Reason, detail: str, /) -> Told:
        """What is told of a file by which a worker came to harm."""


@dataclass
class Errand(Generic[T]):
    """A file that was handed to a worker, and what is told of it once it is."""

    path: str
    future: ProcessFuture[T]
    tries: int = 0


class Worker(Generic[T]):
    """A process of its own, replaced when it dies; made by a scan, used by one thread.

    A pool of a single process each, instead of one pool of them all: then no lock is shared
    between processes, and a death can neither stall another worker nor be laid at the door of
    another's file.
    """

    def __init__(self, engine: Engine[T]) -> None:
        self._engine = engine
        self._pickled = pickle.dumps(engine)
        self._pool = self._start()
        self.errands: list[Errand[T]] = []

    def _start(self) -> ProcessPool:
        return ProcessPool(
            max_workers=1,
            initializer=_prepare,
            initargs=(self._pickled, self._engine.policy.memory),
            # A fresh interpreter on every platform: a fork would copy locks that the caller's
            # threads hold.
            context=multiprocessing.get_context("spawn"),
        )

    @property
    def free(self) -> bool:
        """Whether another file can be handed over."""
        return len(self.errands) < IN_FLIGHT

    def take(self, path: str) -> Errand[T]:
        """Begin to screen a file."""
        errand: Errand[T] = Errand(path, ProcessFuture())
        self.errands.append(errand)
        try:
            self._send(errand)
        except RuntimeError:
            # The process died while it had nothing to do, and the pool with it.
            self._begin_anew()
        return errand

    def _send(self, errand: Errand[T]) -> None:
        policy = self._engine.policy
        with _interrupts_held():
            errand.future = self._pool.schedule(
                _screen, args=(errand.path,), timeout=policy.seconds
            )
        errand.tries += 1

    def collect(self, errand: Errand[T]) -> T | None:
        """What came of an errand whose future is done; None where it is to be tried again.

        Raises ScreenerError where not the file but a list is at fault.
        """
        policy = self._engine.policy
        try:
            result = errand.future.result()
        except FutureTimeout:
            detail = f"not finished within {policy.seconds:g} s"
            result = self._engine.unscreened(name_of(errand.path), Reason.TIMEOUT, detail)
        except ProcessExpired as death:
            _log.warning("a worker process died (exit code %s) and was replaced", death.exitcode)
            result = self._crashed(errand)
        except (BrokenProcessPool, CancelledError):
            if errand.tries < _TRIES:
                self._begin_anew()
                return None
            result = self._crashed(errand)
        self.errands.remove(errand)
        return result

    def _crashed(self, errand: Errand[T]) -> T:
        detail = "the decoder crashed its process"
        return self._engine.unscreened(name_of(errand.path), Reason.CRASHED, detail)

    def _begin_anew(self) -> None:
        """Start a new process and hand it every file whose fate is unknown."""
        _log.warning("a worker process died before it began a file and was replaced")
        self.stop()
        self._pool = self._start()
        for errand in self.errands:
            if not _has_outcome(errand.future):
                self._send(errand)

    def stop(self) -> None:
        """End the process at once, whatever it is doing."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keep Ctrl-C, which goes to every process of a terminal, from workers: the scan ends them.

    A process inherits what its thread holds back, and so do the threads that a pool starts here
    and that start its further processes. A worker that only ignored the signal would still die
    of it, and print, while it is loading.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _has_outcome(future: ProcessFuture[Any]) -> bool:
    """Whether it is known what became of the file: a Result, a crash, a time-out."""
    if not future.done() or future.cancelled():
        return False
    return not isinstance(future.exception(), BrokenProcessPool)


# What follows runs in the worker process.

_pickled: bytes | None = None
_engine: Engine[Any] | None = None


def _prepare(pickled: bytes, memory: int) -> None:
    """Set up the process. The engine is made with the first file, so that a list that cannot be
    opened is told to the scan as an error, not taken for a crash.
    """
    global _pickled
    _pickled = pickled
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a decoder in a loop must not delay the end
    _silence()
    # SciPy's linear algebra, loaded with the first classic hash, would else reserve memory for a
    # thread on every core, and hang or crash where the limit does not allow it.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    _keep_freed_memory()
    _limit_resources(memory)


def _silence() -> None:
    """Decoders write to standard error what they please, words of the file among it."""
    warnings.simplefilter("ignore")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _keep_freed_memory() -> None:
    """Teach glibc to keep blocks of up to 30 MB for the next picture, by freeing one that large.

    Otherwise it hands a picture's memory back and has it zeroed anew for each file, which took
    nearly as long as decoding it.
    """
    bytearray(30 << 20)


def _limit_resources(memory: int) -> None:
    """Bound private memory, and leave no core dump, which would hold the picture."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The data limit counts private writable memory, and not the mapped lists.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _screen(path: str) -> Any:
    """Screen one file; memory beyond the limit is the file's trouble, a broken list is not."""
    global _engine
    if _engine is None:
        if _pickled is None:
            raise ScreenerError("a worker was used before it was prepared")
        _engine = pickle.loads(_pickled)
    try:
        return _engine.screen(path)
    except MemoryError:
        detail = f"needs more than the {_engine.policy.memory} bytes a worker may use"
        return _engine.unscreened(name_of(path), Reason.TOO_LARGE, detail)
