"""The workers of a scan on a cluster, as a step of a dataset of Ray Data."""

from __future__ import annotations

import logging
import os
import re
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import ray
import ray.data
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from screener.errors import ClusterError, counted
from screener.media.archives.archive import Budget
from screener.media.name import name_of_bytes
from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.ray import nodes, order_batches
from screener.scanning.ray.hashing_actor import HashingActor
from screener.scanning.ray.order_batches import AnswerBatch, Feed, OrderBatch, Source
from screener.scanning.workers.messages import Answer, Order
from screener.scanning.workers.protocol import FinishedTask
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher, HashMode, OpenedArchive, Target
from screener.screening.result import Reason

_log = logging.getLogger(__name__)

# Batches sent to each actor ahead: Ray Data takes a third of a second to pass one there and back.
_MAX_BATCHES_PER_ACTOR = 3
# A batch holds the inputs that take this time.
_BATCH_SECONDS = 0.25
_MAX_BATCH_INPUTS = 128

_MAX_TASKS = 4096
# The longest time without a worker: a cluster may still be starting nodes.
_MAX_IDLE_SECONDS = 300.0
# How long to wait for answers before looking for the awaited input, or at the cluster.
_INPUT_CHECK_SECONDS, _CLUSTER_CHECK_SECONDS = 0.05, 1.0
_JOIN_SECONDS = 10.0

_CLUSTER_ERROR = re.compile(rf"{ClusterError.__module__}\.{ClusterError.__name__}: (.+)")


@dataclass(eq=False)
class Task:
    """A target for the cluster; `missed` if a node did not find it, though this one does."""

    target: Target
    budget: Budget | None
    mode: HashMode
    lane: Lane
    number: int
    missed: bool = False

    def order(self, folder: str) -> Order:
        """Return the order for an actor, which runs in another folder than the scan."""
        target = self.target
        # An empty name stays empty, and is reported as unreadable.
        path = os.path.join(folder, target.path) if target.path else target.path
        return Order(self.number, Target(path, target.inner), self.budget, self.mode)


@dataclass(eq=False)
class Lane:
    """The AnyWorker of one file.

    If the file is an archive that is read from its start, its members are sent in batches of
    their own, so that few actors read the archive.
    """

    workers: ClusterWorkers
    waiting: deque[Task] = field(default_factory=deque)
    used: bool = False
    busy: bool = False  # a batch of its own is being processed

    @property
    def free(self) -> bool:
        """Whether another target can be queued."""
        return self.workers.has_room

    def take(self, target: Target, budget: Budget | None, mode: HashMode = HashMode.NORMAL) -> Task:
        """Queue a target and return its task."""
        task = self.workers.take(self, target, budget, mode)
        self.used = True
        return task


class ClusterWorkers:
    """The workers of a scan on a cluster; a context manager that ends them. Not thread-safe."""

    def __init__(self, hasher: Hasher, jobs: int) -> None:
        nodes.check_nodes([])
        self._folder = os.getcwd()
        self._jobs = jobs
        self._pace = _BATCH_SECONDS  # seconds of wall time per input, a moving average
        self._task_count = self._batch_count = 0  # since the start
        self._waiting: deque[Task] = deque()
        self._lanes: dict[Lane, None] = {}  # with waiting tasks of their own
        self._running: dict[int, list[Task]] = {}  # by the number of their batch
        self._unfinished = 0
        self._answered: list[int] = []
        self._messages: SimpleQueue[AnswerBatch | BaseException] = SimpleQueue()
        self._seen = time.monotonic()  # when a worker, or a node for one, was last there
        self._has_begun = False
        this_node = NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        self._feed = ray.remote(Feed).options(num_cpus=0, scheduling_strategy=this_node).remote()
        dataset = _build_dataset(hasher, jobs, self._feed)
        self._thread = Thread(target=self._process, args=(dataset,), daemon=True)
        self._thread.start()

    def least_busy(self) -> Lane | None:
        """Return a lane for another file, or None if too many tasks are unfinished."""
        return Lane(self) if self.has_room else None

    @property
    def has_room(self) -> bool:
        """Whether another target can be queued."""
        return self._unfinished < _MAX_TASKS

    def take(self, lane: Lane, target: Target, budget: Budget | None, mode: HashMode) -> Task:
        """Queue a target of a lane; the next `collect` sends it."""
        self._task_count += 1
        task = Task(target, budget, mode, lane, self._task_count)
        self._queue(task, alone=not lane.used)
        self._unfinished += 1
        return task

    def _queue(self, task: Task, *, alone: bool) -> None:
        if alone:
            self._waiting.append(task)
        else:
            task.lane.waiting.append(task)
            self._lanes[task.lane] = None

    def collect(
        self, awaited: Awaited | None = None
    ) -> list[FinishedTask[HashedInput | OpenedArchive]]:
        """Wait for at least one finished task and return all finished ones.

        Returns an empty list if no task is running, or as soon as the awaited input arrives.
        """
        finished: list[FinishedTask[HashedInput | OpenedArchive]] = []
        while not finished:
            self._send()
            if not self._running:
                break
            for answers in self._receive_answers(awaited):
                finished += self._finish(answers)
            if awaited is not None and awaited.wait(0):
                break
        self._unfinished -= len(finished)
        return finished

    def _send(self) -> None:
        """Send batches until enough are being processed."""
        batches: list[OrderBatch] = []
        while len(self._running) < self._jobs * _MAX_BATCHES_PER_ACTOR and (
            tasks := self._next_batch()
        ):
            orders = tuple(task.order(self._folder).to_wire() for task in tasks)
            self._running[self._batch_count] = tasks
            batches.append(OrderBatch(self._batch_count, orders))
            self._batch_count += 1
        if batches:
            self._feed.add.remote(batches, self._answered)
            self._answered = []

    def _next_batch(self) -> list[Task]:
        for lane in self._lanes:
            if not lane.busy:
                tasks = list(lane.waiting)
                lane.waiting.clear()
                lane.busy = True
                del self._lanes[lane]
                return tasks
        count = max(1, min(int(_BATCH_SECONDS / max(self._pace, 1e-6)), _MAX_BATCH_INPUTS))
        return [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]

    def _receive_answers(self, awaited: Awaited | None) -> Iterator[AnswerBatch]:
        """Yield the answers that have arrived, after a short wait.

        Raises ClusterError if the cluster failed or has no worker for too long.
        """
        if awaited is None:
            timeout = _CLUSTER_CHECK_SECONDS
        else:
            timeout = 0.0 if awaited.wait(0) else _INPUT_CHECK_SECONDS
        try:
            message = self._messages.get(timeout=timeout)
            while True:
                if isinstance(message, BaseException):
                    raise _failure(message) from None
                self._has_begun, self._seen = True, time.monotonic()
                yield message
                message = self._messages.get_nowait()
        except Empty:
            self._check_workers()

    def _check_workers(self) -> None:
        """Raise ClusterError if there was no worker, or no node for one, for too long."""
        if self._has_begun and nodes.working_nodes():
            self._seen = time.monotonic()
        if time.monotonic() - self._seen < _MAX_IDLE_SECONDS:
            return
        if not self._has_begun and ray.get(self._feed.is_begun.remote()):
            self._has_begun = True
            return
        raise ClusterError(
            f"no worker could be started in {_MAX_IDLE_SECONDS:g} s: the cluster has no free CPU"
        )

    def _finish(self, message: AnswerBatch) -> list[FinishedTask[HashedInput | OpenedArchive]]:
        """Return the finished tasks of a batch; queue missed ones again."""
        tasks = self._running.pop(message.number, None)
        if tasks is None:  # Ray read the dataset again
            return []
        self._answered.append(message.number)
        if message.attempts > 1:
            lost = counted(message.attempts - 1, "worker")
            _log.warning("the cluster lost %s; their inputs went to another", lost)
        finished: list[FinishedTask[HashedInput | OpenedArchive]] = []
        for task, data in zip(tasks, message.answers, strict=True):
            task.lane.busy = False
            answer = Answer.from_wire(data)
            self._pace += (answer.wall - self._pace) / 8
            if _is_missed(answer.outcome, task.target):
                self._retry_missed(task, message.node)
            else:
                outcome = _restore_path(answer.outcome, task.target.path)
                finished.append(FinishedTask(task, outcome, answer.seconds, answer.wall))
        return finished

    def _retry_missed(self, task: Task, node: str) -> None:
        """Queue a file again, since it may just have been created; fail at the second time."""
        if task.missed:
            raise ClusterError(
                f"the node {node} does not find {task.target.path!r}, which is here: every node"
                " needs the files at the same paths, and the right to read them"
            )
        task.missed = True
        self._queue(task, alone=True)

    def _process(self, dataset: Any) -> None:
        """Process the dataset, in a thread of its own."""
        try:
            for batch in dataset.iter_batches(
                batch_size=None, prefetch_batches=0, batch_format="pyarrow"
            ):
                for message in order_batches.decode(
                    batch.column(order_batches.COLUMN), AnswerBatch
                ):
                    self._messages.put(message)
        except BaseException as error:
            self._messages.put(error)

    def __enter__(self) -> ClusterWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        # Ray Data ends the actors, and their worker processes, if the dataset fails.
        if self._running:
            ray.kill(self._feed)
        else:
            self._feed.end.remote()
        self._thread.join(_JOIN_SECONDS)


def _build_dataset(hasher: Hasher, jobs: int, feed: Any) -> Any:
    context = ray.data.DataContext.get_current().copy()
    context.enable_progress_bars = context.print_on_execution_start = False
    context.target_max_block_size = 1  # a block per row, so that no batch waits for another
    context.execution_no_progress_timeout_s = -1  # an input may take long, and so may the next name
    context.max_consecutive_actor_init_deaths = jobs  # a node may be lost with them
    with ray.data.DataContext.current(context):
        inputs = ray.data.read_datasource(
            Source(feed),
            override_num_blocks=1,
            num_cpus=0,
            label_selector={"ray.io/node-id": ray.get_runtime_context().get_node_id()},
        )
        return inputs.map_batches(
            HashingActor,
            fn_constructor_args=(hasher, nodes.read_versions(), feed),
            batch_format="pyarrow",
            batch_size=None,
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(
                size=jobs, max_tasks_in_flight_per_actor=_MAX_BATCHES_PER_ACTOR
            ),
        )


def _failure(error: BaseException) -> ClusterError:
    """Return the failure of the dataset, with the message of a ClusterError inside it."""
    messages = _CLUSTER_ERROR.findall(str(error))
    return ClusterError(messages[-1] if messages else nodes.last_line(error))


def _is_missed(outcome: HashedInput | OpenedArchive, target: Target) -> bool:
    """Return whether a node found no file at a path at which this process finds one."""
    if isinstance(outcome, OpenedArchive) or target.inner or outcome.error is None:
        return False
    unreadable = outcome.error.reason == Reason.UNREADABLE
    return unreadable and outcome.name.mtime_ns is None and os.path.exists(target.path)


def _restore_path(outcome: HashedInput | OpenedArchive, path: str) -> HashedInput | OpenedArchive:
    """Return an outcome under the path that was given to the scan, which may be relative."""
    if isinstance(outcome, OpenedArchive):
        return replace(outcome, hashed=_rename(outcome.hashed, path))
    return _rename(outcome, path)


def _rename(hashed: HashedInput, path: str) -> HashedInput:
    name = name_of_bytes(os.fsencode(path))
    return replace(hashed, name=replace(hashed.name, text=name.text, raw=name.raw))
