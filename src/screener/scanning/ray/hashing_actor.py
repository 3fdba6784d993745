"""Hashing: the step of the dataset that hashes inputs on the nodes, in confined processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait
from typing import Any

import pyarrow as pa
import ray

from screener.errors import ClusterError, MediaError, WorkerError
from screener.media.source import name_of
from screener.scanning.ray import nodes, order_batches
from screener.scanning.ray.order_batches import AnswerBatch, OrderBatch
from screener.scanning.workers.messages import Answer, Order
from screener.scanning.workers.worker import Worker
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher, OpenedArchive
from screener.screening.result import Reason

# If an actor has died of a lot, the next takes its orders one by one; and after so many further
# deaths during one of them, that input is given up.
_ATTEMPTS = 2

_CRASH = MediaError(str(Reason.CRASHED), "the actor of its worker died of it")


class Hashing:
    """The actor: has one worker process, in which inputs are opened."""

    def __init__(self, hasher: Hasher, facts: nodes.Facts, feed: Any) -> None:
        nodes.forget_main()
        self._node = nodes.address()
        nodes.check_facts(facts, self._node)
        self._feed = feed
        try:
            # Not `Workers`, which lets answers gather for a moment: here each lot is waited for.
            self._worker: Worker[HashedInput | OpenedArchive] = Worker(hasher)
        except WorkerError as error:
            raise self._failure(error) from None

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return the answers to lots."""
        messages = batch.column(order_batches.COLUMN)
        return order_batches.table(
            *(self._answer(order_batch) for order_batch in order_batches.decoded(messages, OrderBatch))
        )

    def _answer(self, order_batch: OrderBatch) -> AnswerBatch:
        if not order_batch.orders:  # it was answered before
            return AnswerBatch(order_batch.number, (), self._node, 0)
        orders = [Order.from_wire(order) for order in order_batch.orders]
        attempts = self._attempt(order_batch.number)
        try:
            answers = list(self._do(orders) if attempts == 1 else self._do_singly(order_batch, orders))
        except WorkerError as error:
            raise self._failure(error) from None
        return AnswerBatch(order_batch.number, tuple(map(Answer.to_wire, answers)), self._node, attempts)

    def _attempt(self, *what: int) -> int:
        return int(ray.get(self._feed.attempt.remote(*what)))

    def _do_singly(self, order_batch: OrderBatch, orders: Sequence[Order]) -> Iterator[Answer]:
        for order in orders:
            if self._attempt(order_batch.number, order.number) > _ATTEMPTS:
                outcome = HashedInput(name_of(order.target.path), trouble=_CRASH)
                yield Answer(order.number, outcome, 0.0, 0.0)
            else:
                yield from self._do([order])

    def _do(self, orders: Sequence[Order]) -> list[Answer]:
        """Return the answers to orders, whatever the inputs do to the worker process."""
        tasks = {self._worker.take(one.target, one.budget, one.mode): one.number for one in orders}
        self._worker.send()
        answers: dict[int, Answer] = {}
        while len(answers) < len(orders):
            wait([self._worker.answers], max(0.0, self._worker.seconds_left()))
            for done in self._worker.collect():
                number = tasks[done.task]
                answers[number] = Answer(number, done.outcome, done.seconds, done.wall)
        return [answers[order.number] for order in orders]

    def _failure(self, error: WorkerError) -> ClusterError:
        return ClusterError(f"the node {self._node}: {error}")
