"""ClusterWorkers: the workers of a scan as a step of a dataset of Ray Data."""

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
from screener.media.source import name_of_bytes
from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.ray import nodes, order_batches
from screener.scanning.ray.hashing_actor import Hashing
from screener.scanning.ray.order_batches import AnswerBatch, Feed, OrderBatch, Source
from screener.scanning.workers.messages import Answer, Order
from screener.scanning.workers.protocol import Done
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher, HashMode, OpenedArchive, Target
from screener.screening.result import Reason

_log = logging.getLogger(__name__)

# Lots that an actor has or will have: Ray Data takes a third of a second to pass one on and back.
_IN_FLIGHT = 3
# Inputs of a lot: as many as take so many seconds, and no more than so many.
_BATCH_SECONDS, _MAX_BATCH_INPUTS = 0.25, 128

_MOST = 4096  # inputs handed over
_PATIENCE = 300.0  # seconds without a worker: a cluster may still be starting nodes
_GLANCE_S, _LOOK_S = 0.05, 1.0  # seconds between two looks for other events
_END_S = 10.0

_CLUSTER_ERROR = re.compile(rf"{ClusterError.__module__}\.{ClusterError.__name__}: (.+)")


@dataclass(eq=False)
class Task:
    """A target for the cluster; `missed` if a node did not find it, though it is here."""

    target: Target
    budget: Budget | None
    mode: HashMode
    lane: Lane
    number: int
    missed: bool = False

    def order(self, folder: str) -> Order:
        """Return the order for an actor, which runs in another folder than the scan."""
        target = self.target
        # An empty name is nowhere.
        path = os.path.join(folder, target.path) if target.path else target.path
        return Order(self.number, Target(path, target.inner), self.budget, self.mode)


@dataclass(eq=False)
class Lane:
    """Where a file is handed over. If it is an archive that is read from its start, all that is
    handed over here later goes to one actor together, so that few actors read it.
    """

    workers: ClusterWorkers
    waiting: deque[Task] = field(default_factory=deque)
    used: bool = False
    busy: bool = False  # a lot of its own is under way

    @property
    def free(self) -> bool:
        """Return whether another target can be handed over."""
        return self.workers.has_room

    def take(self, target: Target, budget: Budget | None, mode: HashMode = HashMode.NORMAL) -> Task:
        """Hand over a target."""
        task = self.workers.take(self, target, budget, mode)
        self.used = True
        return task


class ClusterWorkers:
    """The workers of a scan on a cluster, a context manager that ends them; used by one thread."""

    def __init__(self, hasher: Hasher, jobs: int) -> None:
        nodes.check([])
        self._folder = os.getcwd()
        self._jobs = jobs
        self._pace = _BATCH_SECONDS  # seconds of wall time that an input takes, of late
        self._tasks = self._batches = 0  # that were ever made
        self._waiting: deque[Task] = deque()
        self._lanes: dict[Lane, None] = {}  # with tasks of their own that wait
        self._under_way: dict[int, list[Task]] = {}  # by lot
        self._handed_over = 0
        self._answered: list[int] = []
        self._messages: SimpleQueue[AnswerBatch | BaseException] = SimpleQueue()
        self._seen = time.monotonic()  # when there was a worker, or a node for one, at last
        self._begun = False
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._feed = ray.remote(Feed).options(num_cpus=0, scheduling_strategy=here).remote()
        dataset = _dataset(hasher, jobs, self._feed)
        self._thread = Thread(target=self._receive, args=(dataset,), daemon=True)
        self._thread.start()

    def free(self) -> Lane | None:
        """Return where another file can be handed over, if anywhere."""
        return Lane(self) if self.has_room else None

    @property
    def has_room(self) -> bool:
        """Return whether another target can be handed over."""
        return self._handed_over < _MOST

    def take(self, lane: Lane, target: Target, budget: Budget | None, mode: HashMode) -> Task:
        """Queue a target of a lane, to be sent by the next `collect`."""
        self._tasks += 1
        task = Task(target, budget, mode, lane, self._tasks)
        self._queue(task, alone=not lane.used)
        self._handed_over += 1
        return task

    def _queue(self, task: Task, *, alone: bool) -> None:
        if alone:
            self._waiting.append(task)
        else:
            task.lane.waiting.append(task)
            self._lanes[task.lane] = None

    def collect(self, awaited: Awaited | None = None) -> list[Done[HashedInput | OpenedArchive]]:
        """Wait until a task is over, and return all that are; none if the awaited input comes
        before.
        """
        done: list[Done[HashedInput | OpenedArchive]] = []
        while not done:
            self._send()
            if not self._under_way:
                break
            for answers in self._received(awaited):
                done += self._done(answers)
            if awaited is not None and awaited.wait(0):
                break
        self._handed_over -= len(done)
        return done

    def _send(self) -> None:
        """Send lots, until as many are under way as may be."""
        made: list[OrderBatch] = []
        while len(self._under_way) < self._jobs * _IN_FLIGHT and (tasks := self._next_batch()):
            orders = tuple(task.order(self._folder).to_wire() for task in tasks)
            self._under_way[self._batches] = tasks
            made.append(OrderBatch(self._batches, orders))
            self._batches += 1
        if made:
            self._feed.add.remote(made, self._answered)
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

    def _received(self, awaited: Awaited | None) -> Iterator[AnswerBatch]:
        """Yield what has come; wait for it a moment. Raise ClusterError if the cluster failed."""
        pause = _LOOK_S if awaited is None else 0.0 if awaited.wait(0) else _GLANCE_S
        try:
            message = self._messages.get(timeout=pause)
            while True:
                if isinstance(message, BaseException):
                    raise _failure(message) from None
                self._begun, self._seen = True, time.monotonic()
                yield message
                message = self._messages.get_nowait()
        except Empty:
            self._check_patience()

    def _check_patience(self) -> None:
        """Raise ClusterError if there is no worker for long, or no node that could have one."""
        if self._begun and nodes.working_nodes():
            self._seen = time.monotonic()
        if time.monotonic() - self._seen < _PATIENCE:
            return
        if not self._begun and ray.get(self._feed.is_begun.remote()):
            self._begun = True
            return
        raise ClusterError(
            f"no worker could be started in {_PATIENCE:g} s: the cluster has no free CPU"
        )

    def _done(self, message: AnswerBatch) -> list[Done[HashedInput | OpenedArchive]]:
        """Return the outcomes of a lot; tasks that are to be tried again wait once more."""
        tasks = self._under_way.pop(message.number, None)
        if tasks is None:  # Ray read the dataset again
            return []
        self._answered.append(message.number)
        if message.attempts > 1:
            lost = counted(message.attempts - 1, "worker")
            _log.warning("the cluster lost %s; their inputs went to another", lost)
        done: list[Done[HashedInput | OpenedArchive]] = []
        for task, data in zip(tasks, message.answers, strict=True):
            task.lane.busy = False
            answer = Answer.from_wire(data)
            self._pace += (answer.wall - self._pace) / 8
            if _is_missed(answer.outcome, task.target):
                self._miss(task, message.node)
            else:
                outcome = _as_given(answer.outcome, task.target.path)
                done.append(Done(task, outcome, answer.seconds, answer.wall))
        return done

    def _miss(self, task: Task, node: str) -> None:
        """Have the file looked for again, since it may just have come; ClusterError if it had."""
        if task.missed:
            raise ClusterError(
                f"the node {node} does not find {task.target.path!r}, which is here: every node"
                " needs the files at the same paths, and the right to read them"
            )
        task.missed = True
        self._queue(task, alone=True)

    def _receive(self, dataset: Any) -> None:
        """In a thread: process the dataset."""
        try:
            for batch in dataset.iter_batches(
                batch_size=None, prefetch_batches=0, batch_format="pyarrow"
            ):
                for message in order_batches.decoded(batch.column(order_batches.COLUMN), AnswerBatch):
                    self._messages.put(message)
        except BaseException as error:
            self._messages.put(error)

    def __enter__(self) -> ClusterWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        # Ray Data ends the actors, and their worker processes, if the dataset fails.
        if self._under_way:
            ray.kill(self._feed)
        else:
            self._feed.end.remote()
        self._thread.join(_END_S)


def _dataset(hasher: Hasher, jobs: int, feed: Any) -> Any:
    context = ray.data.DataContext.get_current().copy()
    context.enable_progress_bars = context.print_on_execution_start = False
    context.target_max_block_size = 1  # a block for each row: no lot waits for another
    context.execution_no_progress_timeout_s = -1  # an input may take long, and a name to come
    context.max_consecutive_actor_init_deaths = jobs  # a node may be lost with them
    with ray.data.DataContext.current(context):
        inputs = ray.data.read_datasource(
            Source(feed),
            override_num_blocks=1,
            num_cpus=0,
            label_selector={"ray.io/node-id": ray.get_runtime_context().get_node_id()},
        )
        return inputs.map_batches(
            Hashing,
            fn_constructor_args=(hasher, nodes.facts(), feed),
            batch_format="pyarrow",
            batch_size=None,
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=jobs, max_tasks_in_flight_per_actor=_IN_FLIGHT),
        )


def _failure(error: BaseException) -> ClusterError:
    """Return the failure of the dataset, by the words of the ClusterError in it if there is one."""
    words = _CLUSTER_ERROR.findall(str(error))
    return ClusterError(words[-1] if words else nodes.last_line(error))


def _is_missed(outcome: HashedInput | OpenedArchive, target: Target) -> bool:
    """Return whether a node found nothing at a path where there is something here."""
    if isinstance(outcome, OpenedArchive) or target.inner or outcome.trouble is None:
        return False
    unreadable = outcome.trouble.reason == Reason.UNREADABLE
    return unreadable and outcome.name.mtime_ns is None and os.path.exists(target.path)


def _as_given(outcome: HashedInput | OpenedArchive, path: str) -> HashedInput | OpenedArchive:
    """Return an outcome under the path that the scan has, which may be relative."""
    if isinstance(outcome, OpenedArchive):
        return replace(outcome, hashed=_named(outcome.hashed, path))
    return _named(outcome, path)


def _named(hashed: HashedInput, path: str) -> HashedInput:
    name = name_of_bytes(os.fsencode(path))
    return replace(hashed, name=replace(hashed.name, text=name.text, raw=name.raw))
