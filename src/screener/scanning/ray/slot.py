"""Post: the place of one actor in a crew: what it was sent, and whether it lives."""

from __future__ import annotations

import contextlib
import logging
import os
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, OutOfMemoryError, RayError

from screener.errors import ClusterError
from screener.media.archives.archive import Budget
from screener.scanning.ray import nodes
from screener.scanning.ray.worker_actor import Keeper, Order, Told
from screener.screening.input.hasher import Hasher, HashMode, Target

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Errand:
    """A target for an actor. `tries`: how many actors may have died of it. `unseen`: how often a
    node did not find it, though it is here.
    """

    target: Target
    budget: Budget | None
    mode: HashMode
    tries: int = 0
    unseen: int = 0

    @property
    def order(self) -> Order:
        """What an actor is told of it."""
        target = self.target
        if target.path and not os.path.isabs(target.path):
            # Actors do not run in the scan's folder.
            target = replace(target, path=os.path.join(os.getcwd(), target.path))
        return target, self.budget, self.mode


@dataclass(eq=False)
class Call:
    """Errands that were sent to an actor in one piece."""

    errands: list[Errand]
    post: Post
    future: Future[list[Told]]


class Post:
    """The place of one actor; `sent` are the calls to it that are not collected yet, in order."""

    def __init__(self, hasher: Hasher) -> None:
        settings = {"num_cpus": 1, "max_restarts": 0, "scheduling_strategy": "SPREAD"}
        self.actor: Any = ray.remote(Keeper).options(**settings).remote(hasher)
        self.arrival: Future[Any] = self.actor.facts.remote().future()
        self.sent: list[Call] = []
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
                tell_lost(error)
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

    def call(self, errands: list[Errand]) -> Call:
        """Have the actor do errands, behind what it was sent before."""
        answer = self.actor.do.remote([errand.order for errand in errands])
        call = Call(errands, self, answer.future())
        self.sent.append(call)
        return call

    def at_work_on(self) -> Call | None:
        """The first call that has brought nothing: an actor does one after the other."""
        for call in self.sent:
            if not call.future.done() or call.future.exception() is not None:
                return call
        return None

    def dismiss(self) -> None:
        """End the actor, and with it its worker process, at once."""
        self.lost = True
        with contextlib.suppress(Exception):  # it is gone already, or the whole cluster is
            ray.kill(self.actor)


def tell_lost(error: RayError) -> None:
    """Tell whoever reads the log that an actor is gone."""
    _log.warning("an actor of the scan was lost (%s) and is replaced", type(error).__name__)


def _no_start(error: RayError) -> ClusterError:
    return ClusterError(f"a node cannot run screener: {nodes.last_line(error)}; install it there")
