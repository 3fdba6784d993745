"""The worker processes that share a scan's tasks."""

from __future__ import annotations

import selectors
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.workers.protocol import Done, Task
from screener.scanning.workers.worker import Worker
from screener.scanning.workers.worker_process import Job
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Target

# Looking up answers one by one takes twice the time. So they are gathered for so long, while the
# pipes are read so often that no process waits for room.
_TOGETHER_S, _READ_S = 0.06, 0.02

# Files that may be done behind a slow one.
_WAITING = 256

T = TypeVar("T")


class Workers(Generic[T]):
    """Worker processes for one job; a context manager that ends them. Used by one thread. Raises
    WorkerError if they cannot be started.
    """

    def __init__(self, job: Job[T], jobs: int) -> None:
        self._workers: list[Worker[T]] = []
        self._collected = 0.0
        try:
            for _ in range(jobs):
                self._workers.append(Worker(job))
        except BaseException:
            self.__exit__()
            raise

    def free(self) -> Worker[T] | None:
        """Return the least busy worker that can take another target, if any."""
        least = min(self._workers, key=lambda one: len(one.tasks))
        return least if least.free else None

    def collect(self, awaited: Awaited | None = None) -> list[Done[T]]:
        """Wait until a task is over; return all that are. Return none if none is under way, or
        the awaited input comes before.
        """
        for worker in self._workers:
            worker.send()
        done: list[Done[T]] = []
        until = self._collected + _TOGETHER_S
        while not self._runs_short() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _READ_S))
            done += [one for worker in self._workers if worker.tasks for one in worker.collect()]
        while not done and (busy := [one for one in self._workers if one.tasks]):
            done = [one for worker in _awake(busy, awaited) for one in worker.collect()]
            if awaited is not None and awaited.wait(0):
                break
        self._collected = time.monotonic()
        return done

    def _runs_short(self) -> bool:
        return any(worker.short for worker in self._workers)

    def __enter__(self) -> Workers[T]:
        return self

    def __exit__(self, *_: object) -> None:
        # All at once: one after the other would take a moment for each.
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.close()


def map_ordered(job: Job[T], paths: Iterable[str], *, jobs: int) -> Iterator[T | HashedInput]:
    """Yield the outcome of a job for each file, in order, with `jobs` processes.

    It is a HashedInput, with the trouble, for a file that did harm.
    """
    order: deque[Task] = deque()
    over: dict[Task, Done[T]] = {}
    waiting = iter(paths)
    with Workers(job, jobs) as workers:
        while True:
            while len(order) < _WAITING and (worker := workers.free()) is not None:
                if (path := next(waiting, None)) is None:
                    break
                order.append(worker.take(Target(path), None))
            if not order:
                return
            over |= {done.task: done for done in workers.collect()}
            while order and order[0] in over:
                yield over.pop(order.popleft()).outcome


def _awake(busy: list[Worker[T]], awaited: Awaited | None) -> list[Worker[T]]:
    """Return the workers that have answered, died or had their time; wait for one, or for the
    awaited input.
    """
    with selectors.DefaultSelector() as selector:
        for worker in busy:
            selector.register(worker.answers, selectors.EVENT_READ, worker)
        left = max(0.0, min(worker.seconds_left() for worker in busy))
        if awaited is not None and awaited.descriptor is not None:
            selector.register(awaited.descriptor, selectors.EVENT_READ)
        elif awaited is not None:
            left = 0.0
        found = selector.select(left)
    answered = [key.data for key, _ in found if key.data is not None]
    return answered + [one for one in busy if one.seconds_left() <= 0 and one not in answered]
