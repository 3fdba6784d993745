"""Worker: one process that screens files for a scan, and may die of any of them."""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, wait
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from screener.confined import confine
from screener.errors import MediaError, ScreenerError
from screener.hashed import Hashed
from screener.hasher import Target
from screener.hashing.hash import HashKind
from screener.media.archive import Budget
from screener.media.source import name_of
from screener.policy import Policy
from screener.result import Reason

_log = logging.getLogger(__name__)

# One file under way and one behind it, so that the process never waits for the scan.
IN_FLIGHT = 2

_CRASH = MediaError(str(Reason.CRASHED), "the decoder crashed its process")

# A process can die before it has said which file it began; then all its files are tried again,
# so often before the file itself is taken to be the cause.
_TRIES = 3

# Files that may be done behind a slow one.
_AHEAD = 256


T = TypeVar("T")
Told = TypeVar("Told", covariant=True)


class Visiting(Protocol[Told]):
    """A job at work in one process."""

    def do(self, target: Target, budget: Budget | None, digests_only: bool) -> Told:
        """What is told of a target; `digests_only`: without decoding it, which did harm before."""


class Job(Protocol[Told]):
    """What workers do with targets, as a Hasher does; it is pickled into each process."""

    @property
    def policy(self) -> Policy:
        """What a worker may spend."""

    @property
    def kinds(self) -> tuple[HashKind, ...]:
        """The kinds of hashes that are made."""

    def visit(self) -> Visiting[Told]:
        """The job at work, in a process that is set up for it."""


@dataclass
class Errand(Generic[T]):
    """A target that was handed to a worker; `budget` where it may turn out to be an archive.

    `harm` is what it did to a worker before: then only its digests are made.
    """

    target: Target
    budget: Budget | None
    future: ProcessFuture[tuple[T, float]] = field(default_factory=ProcessFuture)
    tries: int = 0
    harm: MediaError | None = None


@dataclass(frozen=True)
class Done(Generic[T]):
    """What became of an errand, and the seconds that its worker took.

    `outcome` is Hashed, with the trouble, where the target did harm.
    """

    outcome: T | Hashed
    seconds: float


class Worker(Generic[T]):
    """A process of its own, replaced when it dies; made by a scan, used by one thread.

    A pool of a single process each, instead of one pool of them all: then no lock is shared
    between processes, and a death can neither stall another worker nor be laid at the door of
    another's file.
    """

    def __init__(self, job: Job[T]) -> None:
        self._policy = job.policy
        self._makes_digests = any(kind.digest for kind in job.kinds)
        self._pickled = pickle.dumps(job)
        self._pool = self._start()
        self.errands: list[Errand[T]] = []

    def _start(self) -> ProcessPool:
        return ProcessPool(
            max_workers=1,
            initializer=_prepare,
            initargs=(self._pickled,),
            # A fresh interpreter on every platform: a fork would copy locks that the caller's
            # threads hold.
            context=multiprocessing.get_context("spawn"),
        )

    @property
    def free(self) -> bool:
        """Whether another target can be handed over."""
        return len(self.errands) < IN_FLIGHT

    def take(self, target: Target, budget: Budget | None) -> Errand[T]:
        """Begin to hash a target."""
        errand: Errand[T] = Errand(target, budget)
        self.errands.append(errand)
        self._begin(errand)
        return errand

    def _begin(self, errand: Errand[T]) -> None:
        try:
            self._send(errand)
        except RuntimeError:
            # The process died while it had nothing to do, and the pool with it.
            self._begin_anew()

    def _send(self, errand: Errand[T]) -> None:
        with _interrupts_held():
            errand.future = self._pool.schedule(
                _do,
                args=(errand.target, errand.budget, errand.harm is not None),
                timeout=self._policy.seconds,
            )
        errand.tries += 1

    def collect(self, errand: Errand[T]) -> Done[T] | None:
        """What became of an errand whose future is done; None where it is not over yet."""
        seconds = 0.0
        try:
            outcome, seconds = errand.future.result()
        except FutureTimeout:
            detail = f"not finished within {self._policy.seconds:g} s"
            return self._harmed(errand, MediaError(str(Reason.TIMEOUT), detail))
        except ProcessExpired as death:
            _log.warning("a worker process died (exit code %s) and was replaced", death.exitcode)
            return self._harmed(errand, _CRASH)
        except (BrokenProcessPool, CancelledError):
            if errand.tries < _TRIES:
                self._begin_anew()
                return None
            return self._harmed(errand, _CRASH)
        self.errands.remove(errand)
        if errand.harm is not None and isinstance(outcome, Hashed):
            return Done(replace(outcome, trouble=errand.harm), seconds)
        return Done(outcome, seconds)

    def _harmed(self, errand: Errand[T], harm: MediaError) -> Done[T] | None:
        """A file whose decoding harmed its worker is tried once more for its digests alone: it may
        be a listed one.
        """
        if errand.harm is None and self._makes_digests:
            errand.harm = harm
            errand.tries = 0
            self._begin(errand)
            return None
        self.errands.remove(errand)
        return Done(Hashed(name_of(errand.target.path), trouble=errand.harm or harm), 0.0)

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


def each(job: Job[T], paths: Iterable[str], *, jobs: int) -> Iterator[T | Hashed]:
    """What a job tells of each file, in order, made in `jobs` processes; Hashed, with the trouble,
    of one that did harm.
    """
    workers = [Worker(job) for _ in range(jobs)]
    order: deque[_Turn[T]] = deque()
    waiting = iter(paths)
    try:
        while True:
            while (worker := min(workers, key=lambda one: len(one.errands))).free:
                if len(order) >= _AHEAD or (path := next(waiting, None)) is None:
                    break
                order.append(_Turn(worker, worker.take(Target(path), None)))
            if not order:
                return
            under_way = [turn for turn in order if turn.done is None]
            if order[0].done is None:
                wait([turn.errand.future for turn in under_way], return_when=FIRST_COMPLETED)
            for turn in under_way:
                if turn.errand.future.done():
                    turn.done = turn.worker.collect(turn.errand)
            while order and (done := order[0].done) is not None:
                order.popleft()
                yield done.outcome
    finally:
        for worker in workers:
            worker.stop()


@dataclass
class _Turn(Generic[T]):
    """A file in the order of files, who has it, and what became of it."""

    worker: Worker[T]
    errand: Errand[T]
    done: Done[T] | None = None


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

_visit: Visiting[Any] | None = None
_memory = 0


def _prepare(pickled: bytes) -> None:
    """Set up the process, before it sees a file."""
    global _visit, _memory
    job: Job[Any] = pickle.loads(pickled)
    _memory = job.policy.memory
    confine(_memory)
    _visit = job.visit()


def _do(target: Target, budget: Budget | None, digests_only: bool) -> tuple[Any, float]:
    """Do the job with one target, and tell the seconds it took; memory beyond the limit is its
    trouble.
    """
    if _visit is None:
        raise ScreenerError("a worker was used before it was prepared")
    begin = time.monotonic()
    try:
        done = _visit.do(target, budget, digests_only)
    except MemoryError:
        done = _too_large(_visit, target)
    return done, time.monotonic() - begin


def _too_large(visit: Visiting[Any], target: Target) -> Any:
    """A target that needs too much memory when it is decoded may still be a listed one."""
    detail = f"needs more than the {_memory} bytes a worker may use"
    trouble = MediaError(str(Reason.TOO_LARGE), detail)
    try:
        found = visit.do(target, None, True)
    except MemoryError:
        return Hashed(name_of(target.path), trouble=trouble)
    return replace(found, trouble=trouble) if isinstance(found, Hashed) else found
