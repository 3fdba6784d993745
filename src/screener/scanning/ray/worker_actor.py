"""Keeper: the actor on a node of a cluster, which keeps one worker process there for a scan."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.connection import wait
from typing import Any

import ray

from screener.media.archives.archive import Budget
from screener.scanning.ray import nodes
from screener.scanning.workers.worker import Worker
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher, HashMode, OpenedArchive, Target

Order = tuple[Target, Budget | None, HashMode]
"""What an actor is to do."""

Told = tuple[HashedInput | OpenedArchive, float, float]
"""What an actor tells of a target, and what its worker process took for it: processor time and, at
last, wall time.
"""


class Keeper:
    """The actor: keeps one worker process on a node."""

    def __init__(self, job: Hasher) -> None:
        nodes.forget_main()
        # Not `Workers`, which let answers gather for a moment: each call here is waited for.
        self._worker: Worker[HashedInput | OpenedArchive] = Worker(job)

    def facts(self) -> tuple[str, str, nodes.Facts]:
        """The node's id and address, and the versions there."""
        node = str(ray.get_runtime_context().get_node_id())
        return node, nodes.address(), nodes.facts()

    def do(self, orders: Sequence[Order]) -> list[Told]:
        """Hash targets, in their order, whatever they do to the worker process."""
        errands = [self._worker.take(*order) for order in orders]
        self._worker.send()
        told: dict[Any, Told] = {}
        while len(told) < len(errands):
            wait([self._worker.answers], max(0.0, self._worker.seconds_left()))
            for done in self._worker.collect():
                told[done.errand] = done.outcome, done.seconds, done.wall
        return [told[errand] for errand in errands]
