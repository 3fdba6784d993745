"""The interface between a scan and its workers, on this machine or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from screener.errors import MediaError
from screener.media.archives.archive import Budget
from screener.scanning.inputs.listed_names import Awaited
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher, HashMode, OpenedArchive, Target

T = TypeVar("T")


@dataclass(eq=False)
class Task:
    """A target that a worker is to hash; with a `budget` if it may be an archive.

    If it crashed or hung a worker before, `harm` is the error, and only its digests are computed.
    """

    target: Target
    budget: Budget | None
    mode: HashMode = HashMode.NORMAL
    number: int = 0
    sent: int = 0  # bytes of the order, 0 until it is sent
    deaths: int = 0  # of processes that were idle before it, or killed
    spent: float = 0.0  # seconds of processor time so far
    harm: MediaError | None = None
    retried: bool = False  # in a fresh process, for lack of memory


@dataclass(frozen=True)
class FinishedTask(Generic[T]):
    """A task and its outcome: a HashedInput with the error if the target harmed its worker.

    `seconds` is the processor time of all attempts, `wall` the wall time of the last one.
    """

    task: Any
    outcome: T | HashedInput
    seconds: float
    wall: float


class AnyWorker(Protocol):
    """A worker, in a process of this machine or elsewhere."""

    @property
    def free(self) -> bool:
        """Whether the worker can take another target."""

    def take(self, target: Target, budget: Budget | None, mode: HashMode = HashMode.NORMAL) -> Any:
        """Queue a target; return the task, which its `FinishedTask` has too."""


class AnyWorkers(Protocol):
    """All workers of a scan; a context manager that ends them."""

    def least_busy(self) -> AnyWorker | None:
        """Return the least busy worker that can take another target, or None."""

    def collect(
        self, awaited: Awaited | None = None
    ) -> Sequence[FinishedTask[HashedInput | OpenedArchive]]:
        """Wait for at least one finished task and return all finished ones.

        Returns an empty sequence if no task is running, or as soon as the awaited input arrives.
        """

    def __enter__(self) -> AnyWorkers: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


# Starts the workers of a scan.
StartWorkers = Callable[[Hasher], AnyWorkers]
