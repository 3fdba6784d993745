"""A process that does tasks of a scan, may die of any of them, and is replaced."""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import pickle
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
from screener.media.source import name_of
from screener.scanning.workers import main_guard, spawn
from screener.scanning.workers.clocks import clock_of, processor_time
from screener.scanning.workers.messages import Answer, Order, framed, room_of, take_whole, write_all
from screener.scanning.workers.protocol import Done, Task
from screener.scanning.workers.worker_process import Job, Usage, serve
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import HashMode, Target
from screener.screening.result import Reason
from screener.system import process
from screener.system.process import cores

_log = logging.getLogger(__name__)

# The queue of a process: tasks for so many seconds, so that it never waits for the scan; at least
# one behind the one under way; at most so many, since a slow file delays them.
_AHEAD_S = 0.18
_LEAST, _MOST = 2, 256
_SHORT = 4  # the queue runs short when one part in so many of it is left

_CHUNK = 1 << 18

_CRASH = MediaError(str(Reason.CRASHED), "the decoder crashed its process")

# If processes die so often between tasks before the same task, that one is taken for the cause.
# If so many in a row end before they are ready, the scan ends.
_TRIES = 3

# A scan that looks so many seconds too late had itself been stopped.
_AWAY_S = 1.0

# The least time between two looks at the processor time of a process, which lasts at least as long
# as all cores together need for it.
_LOOK_S = 0.1

# A killed process ends at once, unless it waits for a disk that does not answer.
_END_S = 5.0

T = TypeVar("T")


class Worker(Generic[T]):
    """A process and its replacements, which do tasks in order. Raises WorkerError if none can be
    started.
    """

    def __init__(self, job: Job[T]) -> None:
        self._seconds, self._wall = job.policy.seconds, job.policy.wall_seconds
        self._cores = cores()
        self._clock: int | None = None  # of the process's processor time
        self._outcomes = (HashedInput, *job.outcomes)
        self._makes_digests = any(kind.digest for kind in job.kinds)
        self._pickled = pickle.dumps(job)
        self._number = 0
        self._pace = _AHEAD_S  # seconds of wall time per task, a moving average
        self._was_ready = False
        self._never_ready = 0  # of the last processes, in a row
        self._again = (0, 0.0)  # the task that has its time once more, and since when
        self.tasks: deque[Task] = deque()
        self._starter = os.getpid()
        self._end: Callable[[], object] = lambda: None  # nothing to end yet
        self._start()

    def _start(self) -> None:
        main_guard.check()
        process.fill_standard_streams()  # a daemon may have closed its standard streams
        try:
            with spawn.interrupts_delayed(), spawn.one_thread_each(), spawn.from_daemonic():
                self._begin()
        except OSError as error:
            self._end()
            place = f": {error.filename}" if error.filename else ""
            raise WorkerError(f"no worker process can be started: {cause(error)}{place}") from error
        except BaseException:  # a signal that was delayed until the process was started
            self._end()
            raise
        for task in self.tasks:
            task.sent = 0
        self.send()

    def _begin(self) -> None:
        # A fresh interpreter on every platform: a fork would copy held locks and the mapped lists.
        context = multiprocessing.get_context("spawn")
        self._usage = Usage(context)  # first, since it may fail for lack of a file
        # Descriptors, not Connections, which the garbage collector may close twice.
        orders, self._orders, self.answers, answers = _two_pipes()
        os.set_blocking(self.answers, False)
        self._room = room_of(self._orders)
        self._came = bytearray()
        ends = Connection(orders, writable=False), Connection(answers, readable=False)
        arguments = (*ends, self._usage, self._pickled)
        self._process = context.Process(
            target=serve, args=arguments, daemon=True, name=main_guard.NAME
        )
        # An interrupt between any two steps may keep others from closing it.
        pipes = self._orders, self.answers
        self._end = weakref.finalize(self, spawn.end, self._process, self._starter, *pipes)
        try:
            self._process.start()
            self._clock = clock_of(self._process.pid)
        finally:
            for end in ends:
                end.close()

    @property
    def free(self) -> bool:
        """Return whether it can take another target."""
        return len(self.tasks) < self._capacity

    @property
    def short(self) -> bool:
        """Return whether the process will soon have nothing to do."""
        return len(self.tasks) * _SHORT <= self._capacity

    @property
    def _capacity(self) -> float:
        return min(max(_AHEAD_S / max(self._pace, 1e-6), _LEAST), _MOST)

    def take(self, target: Target, budget: Budget | None, mode: HashMode = HashMode.NORMAL) -> Task:
        """Queue a target. An idle process gets it at once, a busy one by the next `send`, so that
        several orders are written together.
        """
        task = Task(target, budget, mode)
        self.tasks.append(task)
        if len(self.tasks) == 1:
            self.send()
        return task

    def send(self) -> None:
        """Write the orders that fit into the pipe, in one piece."""
        under_way = 0
        orders: list[bytes] = []
        for task in self.tasks:
            if not task.sent:
                order = Order(self._number + 1, task.target, task.budget, task.mode)
                message = framed(order.to_wire())
                if under_way and under_way + len(message) > self._room:
                    break
                self._number += 1
                task.number, task.sent = self._number, len(message)
                orders.append(message)
            under_way += task.sent
        if orders:
            # A dead process shows by the end of its answers.
            with suppress(OSError):
                write_all(self._orders, b"".join(orders))

    def seconds_left(self) -> float:
        """Return the seconds until the next look at the task; 0.0 if its time is over."""
        if self._usage.since == 0.0:
            return self._seconds
        processor, wall = self._processor_left(), self._wall_left()
        if min(processor, wall) <= 0:
            return 0.0
        return min(wall, max(processor / self._cores, _LOOK_S))

    def _processor_left(self) -> float:
        return self._seconds - self._spent()

    def _wall_left(self) -> float:
        number, again = self._again
        begun = again if number == self._usage.number else self._usage.since
        now = time.monotonic()
        # Only a file that has taken over its process reports a future start.
        return begun + self._wall - now if begun <= now else 0.0

    def _spent(self) -> float:
        """Return the processor time of the task under way; its wall time if the system has no
        such clock.
        """
        since, before = self._usage.since, self._usage.processor
        if since == 0.0:
            return 0.0
        now = None if self._clock is None else processor_time(self._clock)
        spent = time.monotonic() - since if now is None else now - before
        # A file that has taken over its process can report any start.
        return spent if 0 <= spent < math.inf else math.inf

    def _is_late(self, number: int) -> bool:
        """Return whether the task of that number is under way and has had its time. If its wall
        time ended while the scan itself was stopped, it has that time once more.
        """
        processor, wall = self._processor_left(), self._wall_left()
        if min(processor, wall) > 0 or self._usage.number != number or not self._usage.since:
            return False
        if processor <= 0 or wall > -_AWAY_S or self._again[0] == number:
            return True
        self._again = number, time.monotonic()
        return False

    def collect(self) -> list[Done[T]]:
        """Return the tasks that are over. Replace a process that has died, or has been at one
        task for too long.
        """
        done, there = self._read()
        at, spent = self._usage.number, self._spent()
        if not there:
            self._process.join(_END_S)
            if self._usage.is_due and self.tasks and not self.tasks[0].renewed:
                self.tasks[0].renewed = True
                self._end()
                self._start()
                return done
            code = self._process.exitcode
            self._check_ready(code)
            _log.warning("a worker process died (exit code %s) and was replaced", code)
            done += self._bury(self._usage.number if self._usage.since else 0, _CRASH, spent)
        elif self._is_late(at):
            self._check_ready(None)
            self.kill()
            self._process.join(_END_S)
            done += self._read()[0]
            _log.warning("a worker process took too long and was replaced")
            detail = f"not finished within {self._seconds:g} s of processor time"
            if spent < self._seconds:
                detail = f"not finished within {self._wall:g} s"
            done += self._bury(at, MediaError(str(Reason.TIMEOUT), detail), spent)
        self.send()
        return done

    def _check_ready(self, code: int | None) -> None:
        """Raise WorkerError if a process ended before it was ready, and the next would too: the
        very first exited by itself, or `_TRIES` in a row ended.
        """
        if self._usage.arrived:
            self._was_ready, self._never_ready = True, 0
            return
        self._never_ready += 1
        by_itself = code is not None and code >= 0
        if self._never_ready == _TRIES or (by_itself and not self._was_ready):
            raise main_guard.not_ready(code)

    def _read(self) -> tuple[list[Done[T]], bool]:
        """Return the tasks answered since, and whether the process is still alive."""
        there = True
        with suppress(BlockingIOError):
            while True:
                chunk = os.read(self.answers, _CHUNK)
                self._came += chunk
                if len(chunk) < _CHUNK:
                    there = bool(chunk)
                    break
        done = [one for answer in take_whole(self._came) for one in self._answered(answer)]
        return done, there

    def _answered(self, answer: bytes) -> list[Done[T]]:
        """Return the first task with its answer; a process answers in order."""
        if not self.tasks:
            return []
        task = self.tasks.popleft()
        try:
            found = Answer.from_wire(answer)
            if found.error is None and not isinstance(found.outcome, self._outcomes):
                raise TypeError("not an outcome of this job")
            self._keep_pace(found.wall)
        except Exception as error:
            # Only a file that has taken over the process sends such an answer.
            found = Answer(task.number, None, 0.0, 0.0, type(error).__name__)
        if found.number != task.number:
            found = found._replace(error="another's answer")
        task.spent += found.seconds
        if found.error is not None:
            _log.warning("a worker could not do a task: %s", found.error)
            detail = f"the decoder failed ({found.error})"
            return self._harmed(task, MediaError(str(Reason.CRASHED), detail), found.wall)
        outcome = found.outcome
        if task.harm is not None and isinstance(outcome, HashedInput):
            outcome = replace(outcome, trouble=task.harm)
        return [Done(task, outcome, task.spent, found.wall)]

    def _keep_pace(self, wall: float) -> None:
        """Average the time of tasks, harmful ones too: few others should wait behind those."""
        self._pace += (wall - self._pace) / 8

    def _bury(self, number: int, harm: MediaError, spent: float) -> list[Done[T]]:
        """Replace the process, which has ended. The task of that number did the harm and took
        `spent` processor time; if none was under way, the next one did after `_TRIES` deaths.
        """
        done: list[Done[T]] = []
        # Not always the first: files that are read ahead may do harm too.
        cause = next((one for one in self.tasks if one.sent and one.number == number), None)
        if cause is None and self.tasks and self._usage.arrived:
            first = self.tasks[0]
            first.deaths += 1
            cause = first if first.deaths >= _TRIES else None
        if cause is not None:
            cause.spent += min(spent, self._seconds)
            wall = min(max(time.monotonic() - self._usage.since, 0.0), self._wall)
            self._keep_pace(wall)
            self.tasks.remove(cause)
            done = self._harmed(cause, harm, wall)
        self._end()
        self._start()
        return done

    def _harmed(self, task: Task, harm: MediaError, wall: float) -> list[Done[T]]:
        """Have digests of a harmful file made, since it may be listed; else report the harm."""
        if task.harm is None and self._makes_digests:
            task.harm, task.mode, task.sent, task.deaths = harm, HashMode.DIGESTS_ONLY, 0, 0
            self.tasks.append(task)
            return []
        trouble = task.harm or harm
        hashed = HashedInput(name_of(task.target.path), trouble=trouble)
        return [Done(task, hashed, task.spent, wall)]

    def kill(self) -> None:
        """End the process at once."""
        spawn.kill(self._process, self._starter)

    def close(self) -> None:
        """End the process for good."""
        self.kill()
        if self._starter == os.getpid():
            with suppress(ValueError):
                self._process.join(_END_S)
        self._end()


def _two_pipes() -> tuple[int, int, int, int]:
    """Return the ends of two pipes, to read and to write; close the first if there is no second."""
    one = os.pipe()
    try:
        return *one, *os.pipe()
    except OSError:
        for end in one:
            os.close(end)
        raise
