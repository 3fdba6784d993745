"""The interface between a scan and its workers, here or on a cluster."""

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
    """A target that was handed to a worker; `budget` if it may turn out to be an archive.

    `harm` is what it did to a worker before: then only its digests are made.
    """

    target: Target
    budget: Budget | None
    mode: HashMode = HashMode.NORMAL
    number: int = 0
    sent: int = 0  # bytes of the order; 0 before it is sent
    deaths: int = 0
    spent: float = 0.0  # seconds of processor time so far
    harm: MediaError | None = None
    renewed: bool = False  # a fresh process was started for it


@dataclass(frozen=True)
class Done(Generic[T]):
    """The outcome of a task, with the processor time of all attempts and the wall time of the
    last. It is HashedInput, with the trouble, if the target did harm.
    """

    task: Any
    outcome: T | HashedInput
    seconds: float
    wall: float


class AnyWorker(Protocol):
    """A worker, in a process of this machine or elsewhere."""

    @property
    def free(self) -> bool:
        """Return whether it can take another target."""

    def take(self, target: Target, budget: Budget | None, mode: HashMode = HashMode.NORMAL) -> Any:
        """Queue a target; return the task, as `Done` names it."""


class AnyWorkers(Protocol):
    """All workers of a scan; a context manager that ends them."""

    def free(self) -> AnyWorker | None:
        """Return a worker that can take another target, if any."""

    def collect(
        self, awaited: Awaited | None = None
    ) -> Sequence[Done[HashedInput | OpenedArchive]]:
        """Wait until a task is over; return all that are, or none if the awaited input comes
        before.
        """

    def __enter__(self) -> AnyWorkers: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


# Starts the workers of a scan.
Start = Callable[[Hasher], AnyWorkers]
