"""The Ray actor that hashes inputs on the cluster's nodes, in confined worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait
from typing import Any

import pyarrow as pa
import ray

from screener.errors import ClusterError, MediaError, WorkerError
from screener.media.name import name_of
from screener.scanning.ray import nodes, order_batches
from screener.scanning.ray.order_batches import AnswerBatch, OrderBatch
from screener.scanning.workers.messages import Answer, Order
from screener.scanning.workers.worker import Worker
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher, OpenedArchive
from screener.screening.result import Reason

# If an actor died during a batch, the next one takes its orders one by one. After this many further
# deaths while hashing one input, its input is given up.
_MAX_ATTEMPTS = 2

_CRASH = MediaError(str(Reason.CRASHED), "the Ray actor died while this input was hashed")


class HashingActor:
    """An actor with one worker process, which opens the inputs."""

    def __init__(self, hasher: Hasher, versions: nodes.Versions, order_feed: Any) -> None:
        nodes.hide_main_module()
        self._node_address = nodes.address()
        nodes.check_versions(versions, self._node_address)
        self._order_feed = order_feed
        try:
            # Not `Workers`, which collects answers in batches: this actor waits for each batch.
            self._worker: Worker[HashedInput | OpenedArchive] = Worker(hasher)
        except WorkerError as error:
            raise self._as_cluster_error(error) from None

    def __call__(self, table: pa.Table) -> pa.Table:
        """Return the answers to batches of orders."""
        messages = table.column(order_batches.COLUMN)
        return order_batches.to_table(
            *(self._answer(batch) for batch in order_batches.decode(messages, OrderBatch))
        )

    def _answer(self, batch: OrderBatch) -> AnswerBatch:
        # The feed has dropped the orders, since the batch was answered before a restart.
        if not batch.orders:
            return AnswerBatch(batch.number, (), self._node_address, 0)
        orders = [Order.from_wire(order) for order in batch.orders]
        attempts = self._count_attempt(batch.number)
        try:
            if attempts == 1:
                answers = self._hash_orders(orders)
            else:
                answers = list(self._hash_one_by_one(batch, orders))
        except WorkerError as error:
            raise self._as_cluster_error(error) from None
        wire_answers = tuple(map(Answer.to_wire, answers))
        return AnswerBatch(batch.number, wire_answers, self._node_address, attempts)

    def _count_attempt(self, *key: int) -> int:
        return int(ray.get(self._order_feed.count_attempt.remote(*key)))

    def _hash_one_by_one(self, batch: OrderBatch, orders: Sequence[Order]) -> Iterator[Answer]:
        for order in orders:
            if self._count_attempt(batch.number, order.number) > _MAX_ATTEMPTS:
                outcome = HashedInput(name_of(order.target.path), error=_CRASH)
                yield Answer(order.number, outcome, 0.0, 0.0)
            else:
                yield from self._hash_orders([order])

    def _hash_orders(self, orders: Sequence[Order]) -> list[Answer]:
        """Return the answers to orders, even if inputs crash the worker process."""
        order_numbers = {
            self._worker.take(order.target, order.budget, order.mode): order.number
            for order in orders
        }
        self._worker.send()
        answers: dict[int, Answer] = {}
        while len(answers) < len(orders):
            wait([self._worker.answers], max(0.0, self._worker.seconds_left()))
            for done in self._worker.collect():
                number = order_numbers[done.task]
                answers[number] = Answer(number, done.outcome, done.seconds, done.wall)
        return [answers[order.number] for order in orders]

    def _as_cluster_error(self, error: WorkerError) -> ClusterError:
        return ClusterError(f"the node {self._node_address}: {error}")
