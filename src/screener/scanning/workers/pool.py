"""The worker processes that share the tasks of a scan."""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.workers.protocol import FinishedTask, Task
from screener.scanning.workers.worker import Worker
from screener.scanning.workers.worker_process import Job
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Target

# Answers are collected in batches, since looking them up one by one takes twice the time. The pipes
# are read more often, so that no worker blocks on a full pipe.
_BATCH_SECONDS = 0.06
_READ_SECONDS = 0.02

# Finished files that may wait for an earlier, slow one.
_MAX_WAITING_FILES = 256

T = TypeVar("T")


class Workers(Generic[T]):
    """Worker processes for one job; a context manager that ends them. Not thread-safe."""

    def __init__(self, job: Job[T], jobs: int) -> None:
        """Start `jobs` processes. Raises WorkerError if they cannot be started."""
        self._workers: list[Worker[T]] = []
        self._collected = 0.0
        try:
            for _ in range(jobs):
                self._workers.append(Worker(job))
        except BaseException:
            self.__exit__()
            raise

    def least_busy(self) -> Worker[T] | None:
        """Return the least busy worker that can take another target, or None."""
        worker = min(self._workers, key=lambda worker: len(worker.tasks))
        return worker if worker.free else None

    def idle(self) -> Worker[T] | None:
        """Return a worker without a task, or None. It is ready, unless no worker is."""
        idle = [worker for worker in self._workers if not worker.tasks]
        if any(worker.ready for worker in self._workers):
            idle = [worker for worker in idle if worker.ready]
        return idle[0] if idle else None

    @property
    def ready(self) -> bool:
        """Whether all processes are ready for tasks."""
        return all(worker.ready for worker in self._workers)

    @property
    def busy(self) -> bool:
        """Whether any worker has a task."""
        return any(worker.tasks for worker in self._workers)

    def collect(self, awaited: Awaited | None = None) -> list[FinishedTask[T]]:
        """Wait for at least one finished task and return all finished ones.

        Returns an empty list if no task is running, or as soon as the awaited input arrives.
        """
        for worker in self._workers:
            worker.send()
        finished: list[FinishedTask[T]] = []
        deadline = self._collected + _BATCH_SECONDS
        while not self._any_queue_short() and (remaining := deadline - time.monotonic()) > 0:
            time.sleep(min(remaining, _READ_SECONDS))
            for worker in self._workers:
                if worker.tasks:
                    finished += worker.collect()
        while not finished and (busy := [worker for worker in self._workers if worker.tasks]):
            for worker in _wait_for_workers(busy, awaited):
                finished += worker.collect()
            if awaited is not None and awaited.wait(0):
                break
        self._collected = time.monotonic()
        return finished

    def _any_queue_short(self) -> bool:
        return any(worker.short for worker in self._workers)

    def __enter__(self) -> Workers[T]:
        return self

    def __exit__(self, *_: object) -> None:
        # Kill all first, so that the waits for their ends overlap.
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.close()


def poll(
    groups: Iterable[Workers[T]], awaited: Awaited | None = None, seconds: float | None = None
) -> list[FinishedTask[T]]:
    """Wait up to `seconds` for a finished task or the awaited input; return all finished tasks.

    Idle workers that died are replaced, so that the next task need not wait for that.
    """
    workers = [worker for group in groups for worker in group._workers]
    waited = _wait_for_workers(workers, awaited, seconds)
    return [done for worker in waited for done in worker.collect()]


def map_ordered(job: Job[T], paths: Iterable[str], *, jobs: int) -> Iterator[T | HashedInput]:
    """Yield the outcome of a job for each file, in order, with `jobs` processes.

    For a file that crashed or hung its worker, it is a HashedInput with the error.
    """
    queue: deque[Task] = deque()
    finished: dict[Task, FinishedTask[T]] = {}
    unqueued = iter(paths)
    with Workers(job, jobs) as workers:
        while True:
            while len(queue) < _MAX_WAITING_FILES and (worker := workers.least_busy()) is not None:
                if (path := next(unqueued, None)) is None:
                    break
                queue.append(worker.take(Target(path), None))
            if not queue:
                return
            finished |= {done.task: done for done in workers.collect()}
            while queue and queue[0] in finished:
                yield finished.pop(queue.popleft()).outcome


def _wait_for_workers(
    busy: list[Worker[T]], awaited: Awaited | None, seconds: float | None = None
) -> list[Worker[T]]:
    """Return the workers that have answered, died or exceeded their time limit.

    Wait for the first of them, for the awaited input, or for that many seconds.
    """
    poll = select.poll()
    for worker in busy:
        poll.register(worker.answers, select.POLLIN)
    timeout = max(0.0, min(worker.seconds_left() for worker in busy))
    timeout = timeout if seconds is None else min(timeout, max(0.0, seconds))
    for descriptor in () if awaited is None else awaited.descriptors:
        poll.register(descriptor, select.POLLIN)
    if awaited is not None and not awaited.descriptors:
        timeout = 0.0
    readable = {descriptor for descriptor, _ in poll.poll(timeout * 1000)}
    return [worker for worker in busy if worker.answers in readable or worker.seconds_left() <= 0]
