"""A worker process of a scan: it may die of any task, and is then replaced."""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import pickle
import signal
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

from screener.errors import MediaError, WorkerError, cause
from screener.media.archives.archive import Budget
from screener.media.name import name_of
from screener.scanning.workers import main_guard, spawn
from screener.scanning.workers.clocks import find_clock, read_clock
from screener.scanning.workers.messages import (
    Answer,
    Order,
    frame_message,
    measure_next,
    measure_room,
    take_complete,
    widen,
    write_all,
)
from screener.scanning.workers.protocol import FinishedTask, Task
from screener.scanning.workers.worker_process import Job, Usage, serve
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import HashMode, Target
from screener.screening.result import Reason
from screener.system import process
from screener.system.process import count_cores

_log = logging.getLogger(__name__)

# The queue of a process holds tasks for some time, so that it never waits for the scan: at least
# the running one and the next, and not too many, since a slow file delays them.
_QUEUE_SECONDS = 0.18
_MIN_QUEUE, _MAX_QUEUE = 2, 256
_SHORT_QUEUE_DIVISOR = 4  # the queue is short at this part of its capacity

_CHUNK_BYTES = 1 << 18
_MAX_READ_BYTES = 1 << 23  # at once, so that one process does not keep the scan from the others

# The longest answer is this part of the memory that a process may use: it holds what the answer is
# made of, the answer, and a copy of that with its length.
_ANSWER_DIVISOR = 4

_CRASH = MediaError(str(Reason.CRASHED), "the decoder crashed its process")

# After this many processes died while idle before the same task, or were killed while they ran it,
# that task is taken for the cause.
# After this many in a row ended before they were ready, the scan ends.
_MAX_DEATHS = 3

# A scan that checks a time limit this much too late had itself been stopped.
_STOPPED_SECONDS = 1.0

# The shortest time between two checks of a process's processor time.
_CHECK_SECONDS = 0.1

# A killed process ends at once, unless it waits for a disk that does not answer.
_JOIN_SECONDS = 5.0

T = TypeVar("T")


class Worker(Generic[T]):
    """A process and its replacements, which run tasks in order."""

    def __init__(self, job: Job[T]) -> None:
        """Start the process. Raises WorkerError if it cannot be started."""
        self._seconds, self._wall = job.policy.seconds, job.policy.wall_seconds
        self._cores = count_cores()
        self._clock: int | None = None  # the processor clock of the process
        self._outcomes = (HashedInput, *job.outcomes)
        self._makes_digests = any(kind.digest for kind in job.kinds)
        self._max_answer_bytes = job.policy.memory // _ANSWER_DIVISOR
        self._pickled = pickle.dumps(job)
        self._number = 0
        self._pace = _QUEUE_SECONDS  # seconds of wall time per task, a moving average
        self._was_ready = False
        self._never_ready = 0  # the number of the last processes that were never ready
        self._restarted = (0, 0.0)  # the task whose wall time began again, and when
        self.tasks: deque[Task] = deque()
        self._starter = os.getpid()
        self._end_process: Callable[[], object] = lambda: None  # until one is started
        self._start()

    def _start(self) -> None:
        main_guard.check_startable()
        process.fill_standard_streams()  # a daemon may have closed its standard streams
        try:
            with spawn.delay_interrupts(), spawn.limit_blas_threads(), spawn.allow_start():
                self._start_process()
        except OSError as error:
            self._end_process()
            path = f": {error.filename}" if error.filename else ""
            raise WorkerError(f"no worker process can be started: {cause(error)}{path}") from error
        except BaseException:  # a signal that was delayed until the process was started
            self._end_process()
            raise
        for task in self.tasks:
            task.sent = 0
        self.send()

    def _start_process(self) -> None:
        # A fresh interpreter on every platform: a fork would copy held locks and the mapped lists.
        context = multiprocessing.get_context("spawn")
        self._usage = Usage(context)  # first, since it fails if no file can be created
        # Descriptors, not Connections, which the garbage collector may close twice.
        orders, self._orders, self.answers, answers = _open_two_pipes()
        os.set_blocking(self.answers, False)
        widen(self.answers)
        self._max_unread_bytes = measure_room(self._orders)
        self._received = bytearray()
        self._overflowed = False
        ends = Connection(orders, writable=False), Connection(answers, readable=False)
        arguments = (*ends, self._usage, self._pickled)
        self._process = context.Process(
            target=serve, args=arguments, daemon=True, name=main_guard.PROCESS_NAME
        )
        # An interrupt between two steps must not leave the process behind.
        pipes = self._orders, self.answers
        self._end_process = weakref.finalize(self, spawn.end, self._process, self._starter, *pipes)
        try:
            self._process.start()
            self._clock = find_clock(self._process.pid)
        finally:
            for end in ends:
                end.close()

    @property
    def free(self) -> bool:
        """Whether the worker can take another target."""
        return len(self.tasks) < self._capacity

    @property
    def ready(self) -> bool:
        """Whether the process has started."""
        return self._usage.arrived

    @property
    def short(self) -> bool:
        """Whether the process will soon have nothing to do."""
        return len(self.tasks) * _SHORT_QUEUE_DIVISOR <= self._capacity

    @property
    def _capacity(self) -> float:
        return min(max(_QUEUE_SECONDS / max(self._pace, 1e-6), _MIN_QUEUE), _MAX_QUEUE)

    def take(self, target: Target, budget: Budget | None, mode: HashMode = HashMode.NORMAL) -> Task:
        """Queue a target and return its task.

        An idle process gets it at once. A busy one gets it with the next `send`, so that several
        orders are written together.
        """
        task = Task(target, budget, mode)
        self.tasks.append(task)
        if len(self.tasks) == 1:
            self.send()
        return task

    def send(self) -> None:
        """Write the orders that fit into the pipe, all at once."""
        unanswered = 0
        orders: list[bytes] = []
        for task in self.tasks:
            if not task.sent:
                order = Order(self._number + 1, task.target, task.budget, task.mode)
                message = frame_message(order.to_wire())
                if unanswered and unanswered + len(message) > self._max_unread_bytes:
                    break
                self._number += 1
                task.number, task.sent = self._number, len(message)
                orders.append(message)
            unanswered += task.sent
        if orders:
            # If the process is dead, `collect` notices it.
            with suppress(OSError):
                write_all(self._orders, b"".join(orders))

    def seconds_left(self) -> float:
        """Return the seconds until the next check of the running task, 0.0 if its time is over."""
        if self._usage.since == 0.0:
            return self._seconds
        processor, wall = self._processor_left(), self._wall_left()
        if min(processor, wall) <= 0:
            return 0.0
        return min(wall, max(processor / self._cores, _CHECK_SECONDS))

    def _processor_left(self) -> float:
        return self._seconds - self._spent()

    def _wall_left(self) -> float:
        number, restarted = self._restarted
        begin = restarted if number == self._usage.number else self._usage.since
        now = time.monotonic()
        # Only a process that a file has taken over reports a future start.
        return begin + self._wall - now if begin <= now else 0.0

    def _spent(self) -> float:
        """Return the processor time of the running task, or its wall time without such a clock."""
        since, before = self._usage.since, self._usage.processor
        if since == 0.0:
            return 0.0
        now = None if self._clock is None else read_clock(self._clock)
        spent = time.monotonic() - since if now is None else now - before
        # A process that a file has taken over can report any start.
        return spent if 0 <= spent < math.inf else math.inf

    def _is_late(self, number: int) -> bool:
        """Return whether the running task is this one and has exceeded its time limit.

        If its wall time ended while the scan itself was stopped, the time begins again.
        """
        processor, wall = self._processor_left(), self._wall_left()
        if min(processor, wall) > 0 or self._usage.number != number or not self._usage.since:
            return False
        if processor <= 0 or wall > -_STOPPED_SECONDS or self._restarted[0] == number:
            return True
        self._restarted = number, time.monotonic()
        return False

    def collect(self) -> list[FinishedTask[T]]:
        """Return the finished tasks; replace a process that died or exceeded a time limit."""
        finished, is_alive = self._read()
        number, spent = self._usage.number, self._spent()
        if not is_alive:
            self._process.join(_JOIN_SECONDS)
            if self._usage.retired and self.tasks and not self.tasks[0].retried:
                self.tasks[0].retried = True
                self._end_process()
                self._start()
                return finished
            code = self._process.exitcode
            self._check_ready(code)
            _log.warning("a worker process died (exit code %s) and was replaced", code)
            # No decoder kills its process. If the system lacks memory, the third kill is the last.
            is_culprit = self._usage.since and code != -signal.SIGKILL
            finished += self._replace(self._usage.number if is_culprit else 0, _CRASH, spent)
        elif self._is_late(number):
            self._check_ready(None)
            self.kill()
            self._process.join(_JOIN_SECONDS)
            finished += self._read()[0]
            _log.warning("a worker process took too long and was replaced")
            detail = f"not finished within {self._seconds:g} s of processor time"
            if spent < self._seconds:
                detail = f"not finished within {self._wall:g} s"
            finished += self._replace(number, MediaError(str(Reason.TIMEOUT), detail), spent)
        elif self._overflowed:
            self._check_ready(None)
            self.kill()
            self._process.join(_JOIN_SECONDS)
            _log.warning("a worker process sent more than an answer may have and was replaced")
            finished += self._replace(number, _CRASH, spent)
        self.send()
        return finished

    def _check_ready(self, code: int | None) -> None:
        """Raise WorkerError if processes end before they are ready.

        Either the very first one exited by itself, or `_MAX_DEATHS` in a row ended.
        """
        if self._usage.arrived:
            self._was_ready, self._never_ready = True, 0
            return
        self._never_ready += 1
        by_itself = code is not None and code >= 0
        if self._never_ready == _MAX_DEATHS or (by_itself and not self._was_ready):
            raise main_guard.startup_error(code)

    def _read(self) -> tuple[list[FinishedTask[T]], bool]:
        """Return the tasks that were answered, and whether the process is still alive.

        A process that a file has taken over may send without an end: note that it did.
        """
        is_alive, room = True, _MAX_READ_BYTES
        with suppress(BlockingIOError):
            while room > 0:
                chunk = os.read(self.answers, _CHUNK_BYTES)
                self._received += chunk
                room -= len(chunk)
                if len(chunk) < _CHUNK_BYTES:
                    is_alive = bool(chunk)
                    break
        messages = take_complete(self._received)
        if len(messages) > len(self.tasks) or measure_next(self._received) > self._max_answer_bytes:
            self._overflowed = True
        return [task for message in messages for task in self._read_answer(message)], is_alive

    def _read_answer(self, message: bytes) -> list[FinishedTask[T]]:
        """Return the first task with its answer, since a process answers in order."""
        if not self.tasks:
            return []
        task = self.tasks.popleft()
        try:
            answer = Answer.from_wire(message)
            if answer.error is None and not isinstance(answer.outcome, self._outcomes):
                raise TypeError("not an outcome of this job")
            self._keep_pace(answer.wall)
        except Exception as error:
            # Only a process that a file has taken over sends such an answer.
            answer = Answer(task.number, None, 0.0, 0.0, type(error).__name__)
        if answer.number != task.number:
            answer = answer._replace(error="another's answer")
        task.spent += answer.seconds
        if answer.error is not None:
            _log.warning("a worker failed to run a task: %s", answer.error)
            detail = f"the decoder failed ({answer.error})"
            return self._finish_harmful(task, MediaError(str(Reason.CRASHED), detail), answer.wall)
        outcome = answer.outcome
        if task.harm is not None and isinstance(outcome, HashedInput):
            outcome = replace(outcome, error=task.harm)
        return [FinishedTask(task, outcome, task.spent, answer.wall)]

    def _keep_pace(self, wall: float) -> None:
        """Average the time of tasks, also of harmful ones, which few others should wait for."""
        self._pace += (wall - self._pace) / 8

    def _replace(self, number: int, harm: MediaError, spent: float) -> list[FinishedTask[T]]:
        """Replace the process, which has ended, and return the task that ended it, if finished.

        Task `number` ended it after `spent` seconds of processor time. If none was running, the
        next task is taken for the cause after `_MAX_DEATHS` deaths.
        """
        finished: list[FinishedTask[T]] = []
        # Not always the first: files that are read ahead may do harm too.
        culprit = next((task for task in self.tasks if task.sent and task.number == number), None)
        if culprit is None and self.tasks and self._usage.arrived:
            first = self.tasks[0]
            first.deaths += 1
            culprit = first if first.deaths >= _MAX_DEATHS else None
        if culprit is not None:
            culprit.spent += min(spent, self._seconds)
            wall = min(max(time.monotonic() - self._usage.since, 0.0), self._wall)
            self._keep_pace(wall)
            self.tasks.remove(culprit)
            finished = self._finish_harmful(culprit, harm, wall)
        self._end_process()
        self._start()
        return finished

    def _finish_harmful(self, task: Task, harm: MediaError, wall: float) -> list[FinishedTask[T]]:
        """Queue a harmful file for its digests, since it may be listed; else report the harm."""
        if task.harm is None and self._makes_digests:
            task.harm, task.mode, task.sent, task.deaths = harm, HashMode.DIGESTS_ONLY, 0, 0
            self.tasks.append(task)
            return []
        trouble = task.harm or harm
        hashed = HashedInput(name_of(task.target.path), error=trouble)
        return [FinishedTask(task, hashed, task.spent, wall)]

    def kill(self) -> None:
        """Kill the process."""
        spawn.kill(self._process, self._starter)

    def close(self) -> None:
        """Kill the process and release its resources."""
        self.kill()
        if self._starter == os.getpid():
            with suppress(ValueError):
                self._process.join(_JOIN_SECONDS)
        self._end_process()


def _open_two_pipes() -> tuple[int, int, int, int]:
    """Return the ends of two pipes; close the first if the second cannot be created."""
    first = os.pipe()
    try:
        return *first, *os.pipe()
    except OSError:
        for end in first:
            os.close(end)
        raise
