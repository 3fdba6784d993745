"""The program of a worker process: it runs one task after another and answers each at once.

It notes the running task in shared memory, the Usage, so that the scan knows which file ended it.
"""

from __future__ import annotations

import gc
import math
import os
import pickle
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from typing import Any, Protocol, TypeVar, runtime_checkable

from screener.errors import ShortOfMemory
from screener.hashing.hash import HashKind
from screener.media.archives.archive import Budget
from screener.media.image.structure import cost
from screener.media.name import name_of
from screener.scanning.workers.clocks import Times
from screener.scanning.workers.messages import (
    Answer,
    Order,
    frame_message,
    take_complete,
    write_all,
)
from screener.scanning.workers.sandbox import confine
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import HashMode, Target
from screener.screening.policy import Policy

_CHUNK_BYTES = 1 << 16
_MAX_GROUP = 16  # orders that are read ahead together
_NICENESS = 10  # of costly items: others get ten times as much of a busy processor

Outcome = TypeVar("Outcome", covariant=True)


class Session(Protocol[Outcome]):
    """A job that runs in one process."""

    def run(self, target: Target, budget: Budget | None, mode: HashMode) -> Outcome:
        """Return the outcome of a target."""


@runtime_checkable
class ReadAheadSession(Protocol):
    """A session that is faster if it knows the next targets."""

    def read_ahead(self, targets: Iterable[Target]) -> None:
        """Prepare for the next targets; ignore bad ones.

        The time between taking one target and the next counts for the first; so does a crash.
        """


class Job(Protocol[Outcome]):
    """The work of workers, such as a Hasher; each process gets a pickled copy."""

    @property
    def policy(self) -> Policy:
        """The policy, which limits a worker."""

    @property
    def kinds(self) -> tuple[HashKind, ...]:
        """The kinds of hashes that are computed."""

    @property
    def outcomes(self) -> tuple[type, ...]:
        """The classes of outcomes besides HashedInput; any other is refused."""

    def start_session(self) -> Session[Outcome]:
        """Return a session, in a process that is set up for it."""


class Usage:
    """The running task of a process and its start, in memory shared with the scan.

    A process that a file has taken over can write anything there.
    """

    def __init__(self, context: SpawnContext) -> None:
        """Allocate the memory; pass the Usage to the process when it is started."""
        self._cells = context.RawArray("d", 4)

    def arrive(self) -> None:
        """In the process: note that it is ready for tasks."""
        self._cells[2] = 1.0

    def retire(self) -> None:
        """In the process, before it exits: note that memory left by earlier tasks was too little.

        A fresh process runs the task again, so that its outcome does not depend on the others.
        """
        self._cells[2] = 2.0

    def begin(self, number: int, before: Times | None = None) -> None:
        """In the process: note that a task begins; `before` is time already spent on it."""
        began = Times.now() - (before or Times())
        self._cells[1] = 0.0  # so that the previous start is never read with the new number
        self._cells[3] = began.processor
        self._cells[0], self._cells[1] = number, began.wall

    def rest(self) -> None:
        """In the process: note that the task has finished; its answer may not be written yet."""
        self._cells[1] = 0.0

    @property
    def arrived(self) -> bool:
        """Whether the process was ever ready."""
        return bool(self._cells[2])

    @property
    def retired(self) -> bool:
        """Whether the process exited to be replaced."""
        return bool(self._cells[2] == 2.0)

    @property
    def number(self) -> int:
        """The number of the task that began last, or 0."""
        number = float(self._cells[0])
        return int(number) if number.is_integer() else 0

    @property
    def since(self) -> float:
        """The start of the running task by the monotonic clock; 0.0 between tasks or if invalid."""
        since = float(self._cells[1])
        return since if math.isfinite(since) else 0.0

    @property
    def processor(self) -> float:
        """The processor time of the process when the task began."""
        return float(self._cells[3])


def serve(orders: Connection, answers: Connection, usage: Usage, pickled: bytes) -> None:
    """Run the pickled job in a worker process until there are no more orders."""
    job: Job[Any] = pickle.loads(pickled)
    confine(job.policy.memory)
    session = job.start_session()
    gc.freeze()  # loaded modules are never collected
    usage.arrive()
    fresh = True
    for group in _orders(orders.fileno()):
        # A fresh process has all its memory for the first file.
        spent = {} if fresh else _read_ahead(session, group, usage)
        for order in group:
            before = spent.get(order.number, Times())
            usage.begin(order.number, before)
            answer = _answer(session, order, job.policy.memory, before, fresh=fresh)
            if answer is None:
                usage.retire()
                os._exit(0)
            fresh = False
            # First, since the answer may wait for room in the pipe.
            usage.rest()
            write_all(answers.fileno(), frame_message(answer))


def _read_ahead(session: Session[Any], group: Sequence[Order], usage: Usage) -> dict[int, Times]:
    """Read a group of targets ahead; return the time that each took, by its number."""
    spent: dict[int, Times] = {}
    decoded = [order for order in group if order.mode is not HashMode.DIGESTS_ONLY]
    if len(decoded) < 2 or not isinstance(session, ReadAheadSession):
        return spent

    def timed_targets() -> Iterator[Target]:
        for order in decoded:
            usage.begin(order.number)
            begin = Times.now()
            yield order.target
            spent[order.number] = Times.now() - begin

    begin = Times.now()
    session.read_ahead(timed_targets())
    shared = (Times.now() - begin - sum(spent.values(), Times())) / len(decoded)
    return {number: times + shared for number, times in spent.items()}


def _answer(
    session: Session[Any], order: Order, memory: int, before: Times, *, fresh: bool
) -> bytes | None:
    """Return the encoded answer to an order; `before` is time already spent on it.

    If memory is short, return None unless the process is `fresh`: then the target needs too much.
    """
    begin = Times.now() - before
    error = None
    try:
        outcome = _run(session, order)
    except MemoryError:
        if not fresh:
            return None
        outcome = _too_large(session, order.target, memory)
    except Exception as unexpected:
        outcome, error = None, type(unexpected).__name__
    if not fresh and isinstance(outcome, HashedInput) and isinstance(outcome.error, ShortOfMemory):
        return None
    spent = Times.now() - begin
    return Answer(order.number, outcome, spent.processor, spent.wall, error).to_wire()


def _run(session: Session[Any], order: Order) -> Any:
    """Run an order, a costly one of a Pool in a thread that yields to other programs.

    A thread's priority can be lowered but not raised again, and neither can a process's.
    """
    if order.budget is not None or not cost.is_costly(order.target.path):
        return session.run(order.target, order.budget, order.mode)
    with ThreadPoolExecutor(1, initializer=os.nice, initargs=(_NICENESS,)) as thread:
        return thread.submit(session.run, order.target, order.budget, order.mode).result()


def _too_large(session: Session[Any], target: Target, memory: int) -> Any:
    """Return the digests of a target that needs too much memory, since it may be listed."""
    detail = f"needs more than the {memory} bytes a worker may use"
    trouble = ShortOfMemory(detail)
    try:
        outcome = session.run(target, None, HashMode.DIGESTS_ONLY)
    except MemoryError:
        return HashedInput(name_of(target.path), error=trouble)
    return replace(outcome, error=trouble) if isinstance(outcome, HashedInput) else outcome


def _orders(descriptor: int) -> Iterator[list[Order]]:
    """Yield the orders, in groups of those that arrived together."""
    received = bytearray()
    while chunk := os.read(descriptor, _CHUNK_BYTES):
        received += chunk
        group = [Order.from_wire(message) for message in take_complete(received)]
        for first in range(0, len(group), _MAX_GROUP):
            yield group[first : first + _MAX_GROUP]
