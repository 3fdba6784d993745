"""Lots: the orders of a scan as the rows of a dataset, which grows while Ray Data processes it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import ray
from msgspec import Struct, msgpack
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

COLUMN = "message"
"""The one column of the dataset, and of the dataset of answers."""


class OrderBatch(Struct, frozen=True, array_like=True):
    """Orders for one actor, each as `Order.to_wire` returns it."""

    number: int
    orders: tuple[bytes, ...]


class AnswerBatch(Struct, frozen=True, array_like=True):
    """The answers to a lot, in its order, each as `Answer.to_wire` returns it; the node that sent
    them; and how many actors have begun the lot.
    """

    number: int
    answers: tuple[bytes, ...]
    node: str
    attempts: int


def table(*messages: OrderBatch | AnswerBatch) -> pa.Table:
    """Return messages as rows."""
    return pa.table({COLUMN: pa.array([msgpack.encode(one) for one in messages], pa.binary())})


class Feed:
    """An actor that holds the lots which are not answered, and counts the attempts at them.

    Ray may read the dataset again from its first row; a lot that was answered is empty then.
    """

    def __init__(self) -> None:
        self._batches: dict[int, OrderBatch] = {}
        self._added = asyncio.Condition()
        self._count = 0
        self._ended = False
        self._attempts: Counter[tuple[int, ...]] = Counter()

    async def add(self, batches: list[OrderBatch], answered: list[int]) -> None:
        """Append lots, and forget others."""
        async with self._added:
            self._batches |= {order_batch.number: order_batch for order_batch in batches}
            self._count += len(batches)
            for number in answered:
                self._batches.pop(number, None)
            self._added.notify_all()

    async def end(self) -> None:
        """End the dataset behind its last lot."""
        async with self._added:
            self._ended = True
            self._added.notify_all()

    async def next(self, number: int) -> OrderBatch | None:
        """Return a lot, once it is there; None behind the last."""
        async with self._added:
            await self._added.wait_for(lambda: number < self._count or self._ended)
            return self._batches.get(number, OrderBatch(number, ())) if number < self._count else None

    async def attempt(self, *what: int) -> int:
        """Count an attempt at a lot, or at one of its orders; return the number of attempts."""
        self._attempts[what] += 1
        return self._attempts[what]

    async def is_begun(self) -> bool:
        """Return whether any actor has begun a lot."""
        return bool(self._attempts)


class Source(Datasource):  # type: ignore[misc]
    """The dataset of the lots of a Feed."""

    def __init__(self, feed: Any) -> None:
        self._feed = feed

    def get_name(self) -> str:
        """Return the name of the dataset."""
        return "Inputs"

    def estimate_inmemory_data_size(self) -> int | None:
        """Return None: the size is unknown."""
        return None

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:
        """Return the one task that reads."""
        feed = self._feed
        unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(lambda: _read(feed), unknown)]


def _read(feed: Any) -> Iterator[pa.Table]:
    number = 0
    while (order_batch := ray.get(feed.next.remote(number))) is not None:
        yield table(order_batch)
        number += 1


def decoded(messages: Iterable[Any], kind: type[Any]) -> Iterator[Any]:
    """Yield the messages of a column. Raise ValueError if one is not of the kind."""
    for message in messages:
        yield msgpack.decode(message.as_buffer(), type=kind)
