"""Crew: the workers of a scan as actors on the nodes of a Ray cluster, replaced when they die.

Each actor keeps a worker process as a local scan does, which may die of any file. What the actor
was at when it died, with its node or alone, is given to another.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait as wait_for
from typing import Any

import ray
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
)

from screener.errors import ClusterError, MediaError, WorkerError
from screener.hashed import Hashed
from screener.hasher import Hasher, Opened, Target, Way
from screener.media.archive import Budget
from screener.media.source import name_of, spelled
from screener.names import Awaited
from screener.ray import nodes
from screener.result import Reason
from screener.worker import Worker

_log = logging.getLogger(__name__)

# One file under way and one behind it, so that an actor never waits for the scan.
_IN_FLIGHT = 2
# A file that was being hashed when an actor died, though its node lived, is given to others so
# often before it is taken to be the cause.
_TRIES = 3
_PATIENCE = 300.0  # seconds without any worker: a cluster may still be starting nodes
_GRACE = 10.0  # seconds for the others, once there is one
_GLANCE = 0.05  # seconds between two looks for what else is awaited

_CRASH = MediaError(str(Reason.CRASHED), "the worker's actor died of it")


Told = tuple[Hashed | Opened, float]
"""What an actor tells of a target, and the seconds that its worker process took."""


class Keeper:
    """The actor: keeps one worker process on a node."""

    def __init__(self, job: Hasher) -> None:
        nodes.forget_main()
        # Alone: workers together are collected now and then, and here each file is waited for.
        self._worker: Worker[Hashed | Opened] = Worker(job)

    def facts(self) -> tuple[str, str, nodes.Facts]:
        """The node's id and address, and the versions there."""
        node = str(ray.get_runtime_context().get_node_id())
        return node, nodes.address(), nodes.facts()

    def do(self, target: Target, budget: Budget | None, way: Way) -> Told:
        """Hash a target, whatever it does to the worker process."""
        self._worker.take(target, budget, way)
        while True:
            wait_for([self._worker.answers], max(0.0, self._worker.seconds_left()))
            for done in self._worker.collect():
                return done.outcome, done.seconds


@dataclass(eq=False)
class Errand:
    """A target that was handed to an actor; `tries` counts the actors that died of it, `unseen` how
    often a node did not find it though it is here.
    """

    target: Target
    budget: Budget | None
    way: Way
    worker: RemoteWorker
    future: Future[Told] = field(default_factory=Future)
    post: Post | None = None
    tries: int = 0
    unseen: int = 0


@dataclass(frozen=True)
class Done:
    """What became of an errand, and the seconds that its worker took."""

    errand: Errand
    outcome: Hashed | Opened
    seconds: float


class Post:
    """An actor as the scan sees it, with what was sent to it and is not collected, in order."""

    def __init__(self, hasher: Hasher) -> None:
        settings = {"num_cpus": 1, "max_restarts": 0, "scheduling_strategy": "SPREAD"}
        self.actor: Any = ray.remote(Keeper).options(**settings).remote(hasher)
        self.arrival: Future[Any] = self.actor.facts.remote().future()
        self.sent: list[Errand] = []
        self.node: str | None = None
        self.where = ""
        self.lost = False

    def is_ready(self) -> bool:
        """Whether it can be sent something. ClusterError where its node cannot serve the scan."""
        if self.lost or not self.arrival.done():
            return False
        if self.node is None:
            try:
                node, where, facts = self.arrival.result()
            except (ActorDiedError, ActorUnavailableError) as error:
                if isinstance(error, ActorDiedError) and error.actor_init_failed:
                    raise _no_start(error) from None
                self.lost = True  # with its node, before it began
                _tell_lost(error)
                return False
            except RayError as error:
                raise _no_start(error) from None
            nodes.check_facts(facts, where)
            self.node, self.where = node, where
        return True

    def died_alone(self, error: RayError) -> bool:
        """Whether the actor died while its node lives on, so that a file may be the cause."""
        if not isinstance(error, ActorDiedError | OutOfMemoryError):
            return False
        return "node has died" not in str(error) and any(
            one["Alive"] and one["NodeID"] == self.node for one in ray.nodes()
        )

    def at_work_on(self) -> Errand | None:
        """The first errand that has brought nothing: an actor does one after the other."""
        for errand in self.sent:
            if not errand.future.done() or errand.future.exception() is not None:
                return errand
        return None

    def dismiss(self) -> None:
        """End the actor, and with it its worker process, at once."""
        self.lost = True
        with contextlib.suppress(Exception):  # it is gone already, or the whole cluster is
            ray.kill(self.actor)


def _tell_lost(error: RayError) -> None:
    _log.warning("an actor of the scan was lost (%s) and is replaced", type(error).__name__)


def _no_start(error: RayError) -> ClusterError:
    return ClusterError(f"a node cannot run screener: {nodes.last_line(error)}; install it there")


class Crew:
    """The posts of a scan, as many as jobs, and one RemoteWorker for each; used by one thread."""

    def __init__(self, hasher: Hasher, jobs: int) -> None:
        self._hasher = hasher
        self._posts = [Post(hasher) for _ in range(jobs)]
        self._workers = [RemoteWorker(self, number) for number in range(jobs)]
        try:
            self._await_one()
            wait([one.arrival for one in self._posts], timeout=_GRACE)
        except BaseException:
            self.dismiss()
            raise

    def free(self) -> RemoteWorker | None:
        """The least busy worker that can be handed another target, if any."""
        least = min(self._workers, key=lambda one: len(one.errands))
        return least if least.free else None

    def collect(self, awaited: Awaited | None = None) -> list[Done]:
        """Wait until an errand is over, and give all that are; none where what is awaited comes
        before.
        """
        done: list[Done] = []
        while not done and (busy := [one for worker in self._workers for one in worker.errands]):
            # What is awaited cannot be waited for beside them.
            pause = None if awaited is None else 0.0 if awaited.wait(0) else _GLANCE
            wait([errand.future for errand in busy], pause, return_when=FIRST_COMPLETED)
            for errand in busy:
                if errand.future.done():
                    done += errand.worker.collect(errand)
            if awaited is not None and awaited.wait(0):
                break
        return done

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.dismiss()

    def dismiss(self) -> None:
        """End all actors."""
        for post in self._posts:
            post.dismiss()

    def send(self, errand: Errand, number: int) -> None:
        """Send an errand to the actor of a worker, or, until that is there, to another."""
        post = self._ready_post(number)
        target = errand.target
        if target.path and not os.path.isabs(target.path):
            # Actors do not run in the scan's folder.
            target = replace(target, path=os.path.join(os.getcwd(), target.path))
        errand.post = post
        post.sent.append(errand)
        errand.future = post.actor.do.remote(target, errand.budget, errand.way).future()

    def bury(self, post: Post, error: RayError) -> None:
        """Note that an actor is gone, and ask for another, which may have to wait for a CPU."""
        if post.lost:
            return
        died_of = post.at_work_on() if post.died_alone(error) else None
        if died_of is not None:
            died_of.tries += 1
        _tell_lost(error)
        post.dismiss()

    def _ready_post(self, number: int) -> Post:
        """The post of a worker, or the least busy one while that is still to come."""
        self._renew()
        own = self._posts[number]
        if own.is_ready():
            return own
        ready = [one for one in self._posts if one.is_ready()]
        return min(ready, key=lambda one: len(one.sent)) if ready else self._await_one()

    def _renew(self) -> None:
        self._posts = [Post(self._hasher) if one.lost else one for one in self._posts]

    def _await_one(self) -> Post:
        """The first post that is ready; ClusterError where there is none for long."""
        until = time.monotonic() + _PATIENCE
        while (left := until - time.monotonic()) > 0:
            wait([one.arrival for one in self._posts], left, return_when=FIRST_COMPLETED)
            for post in self._posts:
                if post.is_ready():
                    return post
            self._renew()
        raise ClusterError(
            f"no worker could be started in {_PATIENCE:g} s: the cluster has no free CPU"
        )


class RemoteWorker:
    """A worker of a scan, as `workers.Worker` is one, that is an actor somewhere."""

    def __init__(self, crew: Crew, number: int) -> None:
        self._crew = crew
        self._number = number
        self.errands: list[Errand] = []

    @property
    def free(self) -> bool:
        """Whether another target can be handed over."""
        return len(self.errands) < _IN_FLIGHT

    def take(self, target: Target, budget: Budget | None, way: Way = Way.USUAL) -> Errand:
        """Have a target hashed."""
        errand = Errand(target, budget, way, self)
        self.errands.append(errand)
        self._crew.send(errand, self._number)
        return errand

    def collect(self, errand: Errand) -> list[Done]:
        """What became of an errand whose future is done; nothing where it was given to another."""
        post = errand.post
        if post is None:
            raise RuntimeError("not handed out")
        outcome: Hashed | Opened
        try:
            outcome, seconds = errand.future.result()
        except RayTaskError as error:
            if isinstance(error.cause, WorkerError):
                raise ClusterError(f"the node {post.where}: {error.cause}") from None
            raise  # a fault in the actor's code, as it would be here
        except RayError as error:
            self._crew.bury(post, error)
            post.sent.remove(errand)
            if errand.tries < _TRIES:
                self._crew.send(errand, self._number)
                return []
            outcome, seconds = Hashed(name_of(errand.target.path), trouble=_CRASH), 0.0
        else:
            post.sent.remove(errand)
            if _is_missed(outcome, errand.target):
                self._miss(errand, post)
                return []
        self.errands.remove(errand)
        return [Done(errand, _as_given(outcome, errand.target.path), seconds)]

    def _miss(self, errand: Errand, post: Post) -> None:
        """Have the node look again, since the file may just have come; ClusterError if it had."""
        errand.unseen += 1
        if errand.unseen > 1:
            raise ClusterError(
                f"the node {post.where} does not find {errand.target.path!r}, which is here: every"
                " node needs the files at the same paths, and the right to read them"
            )
        self._crew.send(errand, self._number)


def _is_missed(outcome: Hashed | Opened, target: Target) -> bool:
    """Whether a node found nothing at a path where there is something here."""
    if isinstance(outcome, Opened) or target.inner or outcome.trouble is None:
        return False
    unreadable = outcome.trouble.reason == Reason.UNREADABLE
    return unreadable and outcome.name.mtime_ns is None and os.path.exists(target.path)


def _as_given(outcome: Hashed | Opened, path: str) -> Hashed | Opened:
    """What an actor told, under the path as the scan has it, which may be relative."""
    if isinstance(outcome, Opened):
        return replace(outcome, hashed=_named(outcome.hashed, path))
    return _named(outcome, path)


def _named(hashed: Hashed, path: str) -> Hashed:
    given = spelled(os.fsencode(path))
    return replace(hashed, name=replace(hashed.name, text=given.text, raw=given.raw))
