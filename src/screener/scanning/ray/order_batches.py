"""Batches of orders as the rows of a dataset that grows while Ray Data processes it."""

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
"""The only column of the dataset, and of the dataset of answers."""


class OrderBatch(Struct, frozen=True, array_like=True):
    """Orders for one actor, each as `Order.to_wire` returns it."""

    number: int
    orders: tuple[bytes, ...]


class AnswerBatch(Struct, frozen=True, array_like=True):
    """The answers to a batch, in its order, each as `Answer.to_wire` returns it.

    `node` is the address of the node that sent them, `attempts` the number of actors that have
    begun the batch.
    """

    number: int
    answers: tuple[bytes, ...]
    node: str
    attempts: int


def to_table(*messages: OrderBatch | AnswerBatch) -> pa.Table:
    """Return a table with a row per message."""
    return pa.table(
        {COLUMN: pa.array([msgpack.encode(message) for message in messages], pa.binary())}
    )


class Feed:
    """An actor that holds the unanswered batches, and counts the attempts at them.

    Ray may read the dataset again from its first row; answered batches are empty then.
    """

    def __init__(self) -> None:
        self._batches: dict[int, OrderBatch] = {}
        self._added = asyncio.Condition()
        self._count = 0
        self._ended = False
        self._attempts: Counter[tuple[int, ...]] = Counter()

    async def add(self, batches: list[OrderBatch], answered: list[int]) -> None:
        """Append batches, and forget answered ones."""
        async with self._added:
            self._batches |= {batch.number: batch for batch in batches}
            self._count += len(batches)
            for number in answered:
                self._batches.pop(number, None)
            self._added.notify_all()

    async def end(self) -> None:
        """End the dataset after its last batch."""
        async with self._added:
            self._ended = True
            self._added.notify_all()

    async def next(self, number: int) -> OrderBatch | None:
        """Wait for a batch and return it; return None after the last one."""
        async with self._added:
            await self._added.wait_for(lambda: number < self._count or self._ended)
            if number >= self._count:
                return None
            return self._batches.get(number, OrderBatch(number, ()))

    async def count_attempt(self, *key: int) -> int:
        """Count an attempt at a batch or one of its orders; return the number of attempts."""
        self._attempts[key] += 1
        return self._attempts[key]

    async def is_begun(self) -> bool:
        """Return whether any actor has begun a batch."""
        return bool(self._attempts)


class Source(Datasource):  # type: ignore[misc]
    """The dataset of a Feed's batches."""

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
    while (batch := ray.get(feed.next.remote(number))) is not None:
        yield to_table(batch)
        number += 1


def decode(messages: Iterable[Any], kind: type[Any]) -> Iterator[Any]:
    """Yield the messages of a column. Raises ValueError if one is of another kind."""
    for message in messages:
        yield msgpack.decode(message.as_buffer(), type=kind)
