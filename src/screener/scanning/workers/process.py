"""Visiting: what a worker process does: errand after errand, each answered as soon as it is over.

Whatever a file does to the process, the scan knows which file it was: the process notes the errand
that it is at in memory that outlives it, the mark.
"""

from __future__ import annotations

import gc
import math
import os
import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from typing import Any, Protocol, TypeVar, runtime_checkable

from screener.errors import ShortOfMemory
from screener.hashing.hash import HashKind
from screener.media.archives.archive import Budget
from screener.media.source import name_of
from screener.scanning.workers.clocks import Times
from screener.scanning.workers.messages import Answer, Order, framed, take_whole, write_all
from screener.scanning.workers.sandbox import confine
from screener.screening.input.hash_item import Hashed
from screener.screening.input.hasher import HashMode, Target
from screener.screening.policy import Policy

_PIECE = 1 << 16

_TOGETHER = 16  # orders in a group

Told = TypeVar("Told", covariant=True)


class Visiting(Protocol[Told]):
    """A job at work in one process."""

    def do(self, target: Target, budget: Budget | None, mode: HashMode) -> Told:
        """What is told of a target."""


@runtime_checkable
class Foreseeing(Protocol):
    """A job at work that does several targets quicker if it is told of them before."""

    def foresee(self, targets: Iterable[Target]) -> None:
        """Prepare for targets that come next. What happens between asking for one and for the next
        is put down to the first of the two, harm as well as time. Raises nothing for what is wrong
        with one.
        """


class Job(Protocol[Told]):
    """What workers do with targets, as a Hasher does; it is pickled into each process."""

    @property
    def policy(self) -> Policy:
        """What a worker may spend."""

    @property
    def kinds(self) -> tuple[HashKind, ...]:
        """The kinds of hashes that are made."""

    @property
    def tells(self) -> tuple[type, ...]:
        """The classes of what is told, besides Hashed: whatever else comes is no answer."""

    def visit(self) -> Visiting[Told]:
        """The job at work, in a process that is set up for it."""


class Usage:
    """Which errand a process is at, and since when, in memory that it shares with the scan.

    A process that a file has taken over can put anything there.
    """

    def __init__(self, context: SpawnContext) -> None:
        """To be handed to the process when it is started."""
        self._cells = context.RawArray("d", 4)

    def arrive(self) -> None:
        """In the process: it is ready for errands."""
        self._cells[2] = 1.0

    def wear_out(self) -> None:
        """In the process, before it ends: it lacked memory for the errand, and had done others
        before. A fresh one is to try that one, so that what comes of it does not depend on what
        those left behind.
        """
        self._cells[2] = 2.0

    def begin(self, number: int, before: Times | None = None) -> None:
        """In the process: an errand begins, on which time was spent `before`."""
        began = Times.now() - (before or Times())
        self._cells[1] = 0.0  # so that the time of the one before is not taken for this one's
        self._cells[3] = began.processor
        self._cells[0], self._cells[1] = number, began.wall

    def rest(self) -> None:
        """In the process: the errand is over, though its answer may still wait for room."""
        self._cells[1] = 0.0

    @property
    def arrived(self) -> bool:
        """Whether the process was ever ready."""
        return bool(self._cells[2])

    @property
    def worn(self) -> bool:
        """Whether it ended since it was worn out. No exit code says so, since there is none where
        the program ignores SIGCHLD, or asks for every child itself.
        """
        return bool(self._cells[2] == 2.0)

    @property
    def number(self) -> int:
        """The errand that was begun last; 0 where there is none such."""
        number = float(self._cells[0])
        return int(number) if number.is_integer() else 0

    @property
    def since(self) -> float:
        """When it was begun, by the system's monotonic clock; 0.0 between errands, and for what is
        no time.
        """
        since = float(self._cells[1])
        return since if math.isfinite(since) else 0.0

    @property
    def processor(self) -> float:
        """The processor time that the process had taken when the errand was begun."""
        return float(self._cells[3])


def serve(orders: Connection, answers: Connection, mark: Usage, pickled: bytes) -> None:
    """The life of a worker process: do the job that was pickled until there are no more orders."""
    job: Job[Any] = pickle.loads(pickled)
    confine(job.policy.memory)
    visit = job.visit()
    gc.freeze()  # what is loaded stays, and need not be looked through again and again
    mark.arrive()
    fresh = True
    for group in _orders(orders.fileno()):
        # A fresh process is to have all memory for its first file.
        spent = {} if fresh else _foreseen(visit, group, mark)
        for order in group:
            before = spent.get(order.number, Times())
            mark.begin(order.number, before)
            answer = _answered(visit, order, job.policy.memory, before, fresh=fresh)
            if answer is None:
                mark.wear_out()
                os._exit(0)
            fresh = False
            # First, since the answer may have to wait for room in the pipe.
            mark.rest()
            write_all(answers.fileno(), framed(answer))


def _foreseen(visit: Visiting[Any], group: Sequence[Order], mark: Usage) -> dict[int, Times]:
    """Have a group of targets prepared for; return the time that each took, by its number."""
    spent: dict[int, Times] = {}
    usual = [order for order in group if order.mode is not HashMode.DIGESTS_ONLY]
    if len(usual) < 2 or not isinstance(visit, Foreseeing):
        return spent

    def next_ones() -> Iterator[Target]:
        for order in usual:
            mark.begin(order.number)
            begin = Times.now()
            yield order.target
            spent[order.number] = Times.now() - begin

    begin = Times.now()
    visit.foresee(next_ones())
    together = (Times.now() - begin - sum(spent.values(), Times())) / len(usual)
    return {number: own + together for number, own in spent.items()}


def _answered(
    visit: Visiting[Any], order: Order, memory: int, before: Times, *, fresh: bool
) -> bytes | None:
    """Return the encoded answer to an order, on which time was spent `before`. That it needs more
    memory than the limit allows is its own trouble in a `fresh` process, and None in another.
    """
    begin = Times.now() - before
    error = None
    try:
        outcome = visit.do(order.target, order.budget, order.mode)
    except MemoryError:
        if not fresh:
            return None
        outcome = _too_large(visit, order.target, memory)
    except Exception as unexpected:
        outcome, error = None, type(unexpected).__name__
    if not fresh and isinstance(outcome, Hashed) and isinstance(outcome.trouble, ShortOfMemory):
        return None
    spent = Times.now() - begin
    return Answer(order.number, outcome, spent.processor, spent.wall, error).to_wire()


def _too_large(visit: Visiting[Any], target: Target, memory: int) -> Any:
    """A target that needs too much memory when it is decoded may still be a listed one."""
    detail = f"needs more than the {memory} bytes a worker may use"
    trouble = ShortOfMemory(detail)
    try:
        found = visit.do(target, None, HashMode.DIGESTS_ONLY)
    except MemoryError:
        return Hashed(name_of(target.path), trouble=trouble)
    return replace(found, trouble=trouble) if isinstance(found, Hashed) else found


def _orders(descriptor: int) -> Iterator[list[Order]]:
    """The orders that come, until there are no more, in groups of those that came together."""
    came = bytearray()
    while piece := os.read(descriptor, _PIECE):
        came += piece
        group = [Order.from_wire(message) for message in take_whole(came)]
        for first in range(0, len(group), _TOGETHER):
            yield group[first : first + _TOGETHER]
