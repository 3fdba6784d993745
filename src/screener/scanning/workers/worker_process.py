"""The life of a worker process: it does task after task and answers each at once.

It notes the task under way in shared memory, the Usage, so that the scan knows which file ended
it.
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
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import HashMode, Target
from screener.screening.policy import Policy

_PIECE = 1 << 16

_TOGETHER = 16  # orders in a group

Outcome = TypeVar("Outcome", covariant=True)


class Session(Protocol[Outcome]):
    """A job at work in one process."""

    def run(self, target: Target, budget: Budget | None, mode: HashMode) -> Outcome:
        """Return the outcome of a target."""


@runtime_checkable
class ReadAheadSession(Protocol):
    """A job at work that is faster if it knows the next targets."""

    def read_ahead(self, targets: Iterable[Target]) -> None:
        """Prepare for the next targets. Time and harm between taking one target and the next count
        for the first. Raises nothing for a bad target.
        """


class Job(Protocol[Outcome]):
    """The work that workers do with targets, such as a Hasher; it is pickled into each process."""

    @property
    def policy(self) -> Policy:
        """Return the policy, which limits a worker."""

    @property
    def kinds(self) -> tuple[HashKind, ...]:
        """Return the kinds of hashes that are made."""

    @property
    def outcomes(self) -> tuple[type, ...]:
        """Return the classes of outcomes besides HashedInput; anything else is no answer."""

    def start_session(self) -> Session[Outcome]:
        """Return the job at work, in a process that is set up for it."""


class Usage:
    """The task that a process is at, and since when, in memory shared with the scan.

    A process that a file has taken over can write anything there.
    """

    def __init__(self, context: SpawnContext) -> None:
        """Make one, to be handed to the process when it is started."""
        self._cells = context.RawArray("d", 4)

    def arrive(self) -> None:
        """In the process: note that it is ready."""
        self._cells[2] = 1.0

    def retire(self) -> None:
        """In the process, before it ends: note that it lacked memory for the task after having
        done others. A fresh process tries that task again, so that its outcome does not depend on
        them.
        """
        self._cells[2] = 2.0

    def begin(self, number: int, before: Times | None = None) -> None:
        """In the process: note that a task begins, on which time was spent `before`."""
        began = Times.now() - (before or Times())
        self._cells[1] = 0.0  # not the time of the one before
        self._cells[3] = began.processor
        self._cells[0], self._cells[1] = number, began.wall

    def rest(self) -> None:
        """In the process: note that the task is over, though its answer may wait for room."""
        self._cells[1] = 0.0

    @property
    def arrived(self) -> bool:
        """Return whether the process was ever ready."""
        return bool(self._cells[2])

    @property
    def is_due(self) -> bool:
        """Return whether it ended to be replaced."""
        return bool(self._cells[2] == 2.0)

    @property
    def number(self) -> int:
        """Return the task that was begun last; 0 if there is none."""
        number = float(self._cells[0])
        return int(number) if number.is_integer() else 0

    @property
    def since(self) -> float:
        """Return its start by the monotonic clock; 0.0 between tasks, and for an invalid time."""
        since = float(self._cells[1])
        return since if math.isfinite(since) else 0.0

    @property
    def processor(self) -> float:
        """Return the processor time of the process when the task began."""
        return float(self._cells[3])


def serve(orders: Connection, answers: Connection, usage: Usage, pickled: bytes) -> None:
    """Do the pickled job in a worker process until there are no more orders."""
    job: Job[Any] = pickle.loads(pickled)
    confine(job.policy.memory)
    session = job.start_session()
    gc.freeze()  # loaded modules stay: spare the collector
    usage.arrive()
    fresh = True
    for group in _orders(orders.fileno()):
        # A fresh process has all its memory for the first file.
        spent = {} if fresh else _foreseen(session, group, usage)
        for order in group:
            before = spent.get(order.number, Times())
            usage.begin(order.number, before)
            answer = _answered(session, order, job.policy.memory, before, fresh=fresh)
            if answer is None:
                usage.retire()
                os._exit(0)
            fresh = False
            # First, since the answer may wait for room in the pipe.
            usage.rest()
            write_all(answers.fileno(), framed(answer))


def _foreseen(session: Session[Any], group: Sequence[Order], usage: Usage) -> dict[int, Times]:
    """Have a group of targets prepared for; return the time that each took, by its number."""
    spent: dict[int, Times] = {}
    usual = [order for order in group if order.mode is not HashMode.DIGESTS_ONLY]
    if len(usual) < 2 or not isinstance(session, ReadAheadSession):
        return spent

    def next_ones() -> Iterator[Target]:
        for order in usual:
            usage.begin(order.number)
            begin = Times.now()
            yield order.target
            spent[order.number] = Times.now() - begin

    begin = Times.now()
    session.read_ahead(next_ones())
    together = (Times.now() - begin - sum(spent.values(), Times())) / len(usual)
    return {number: own + together for number, own in spent.items()}


def _answered(
    session: Session[Any], order: Order, memory: int, before: Times, *, fresh: bool
) -> bytes | None:
    """Return the encoded answer to an order, on which time was spent `before`. Lack of memory is
    the order's own trouble in a `fresh` process; in another, return None.
    """
    begin = Times.now() - before
    error = None
    try:
        outcome = session.run(order.target, order.budget, order.mode)
    except MemoryError:
        if not fresh:
            return None
        outcome = _too_large(session, order.target, memory)
    except Exception as unexpected:
        outcome, error = None, type(unexpected).__name__
    if (
        not fresh
        and isinstance(outcome, HashedInput)
        and isinstance(outcome.trouble, ShortOfMemory)
    ):
        return None
    spent = Times.now() - begin
    return Answer(order.number, outcome, spent.processor, spent.wall, error).to_wire()


def _too_large(session: Session[Any], target: Target, memory: int) -> Any:
    """Return the digests of a target that needs too much memory: it may be a listed one."""
    detail = f"needs more than the {memory} bytes a worker may use"
    trouble = ShortOfMemory(detail)
    try:
        found = session.run(target, None, HashMode.DIGESTS_ONLY)
    except MemoryError:
        return HashedInput(name_of(target.path), trouble=trouble)
    return replace(found, trouble=trouble) if isinstance(found, HashedInput) else found


def _orders(descriptor: int) -> Iterator[list[Order]]:
    """Yield the orders, in groups of those that came together."""
    came = bytearray()
    while piece := os.read(descriptor, _PIECE):
        came += piece
        group = [Order.from_wire(message) for message in take_whole(came)]
        for first in range(0, len(group), _TOGETHER):
            yield group[first : first + _TOGETHER]
