"""Any workers: what a scan asks of those that do its work, here or elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from screener.errors import MediaError
from screener.media.archives.archive import Budget
from screener.scanning.inputs.listed_names import Awaited
from screener.screening.input.hash_item import Hashed
from screener.screening.input.hasher import Hasher, HashMode, Opened, Target

T = TypeVar("T")


@dataclass(eq=False)
class Errand:
    """A target that was handed to a worker; `budget` where it may turn out to be an archive.

    `harm` is what it did to a worker before: then only its digests are made.
    """

    target: Target
    budget: Budget | None
    mode: HashMode = HashMode.NORMAL
    number: int = 0
    sent: int = 0  # bytes of the order; 0 while it is not sent
    deaths: int = 0
    spent: float = 0.0  # seconds of the processor that processes took for it so far
    harm: MediaError | None = None
    renewed: bool = False  # a fresh process was started for it


@dataclass(frozen=True)
class Done(Generic[T]):
    """What became of an errand. Its worker took `seconds` of the processor for it in all, and last
    `wall` seconds of time.

    `outcome` is Hashed, with the trouble, if the target did harm.
    """

    errand: Errand
    outcome: T | Hashed
    seconds: float
    wall: float


class AnyDone(Protocol):
    """What became of an errand, and the processor time that it took."""

    @property
    def errand(self) -> Any:
        """What the worker gave when it took it."""

    @property
    def outcome(self) -> Hashed | Opened:
        """What was told of the target."""

    @property
    def seconds(self) -> float:
        """Seconds of the processor that workers took for it."""


class AnyWorker(Protocol):
    """What a scan asks of one that does its work, in a process of this machine or elsewhere."""

    @property
    def free(self) -> bool:
        """Whether another target can be handed over."""

    def take(self, target: Target, budget: Budget | None, mode: HashMode = HashMode.NORMAL) -> Any:
        """Have something done with a target; the errand, as `AnyDone` names it."""


class AnyWorkers(Protocol):
    """All of them, as a context manager that ends them."""

    def free(self) -> AnyWorker | None:
        """One that can be handed another target, if any."""

    def collect(self, awaited: Awaited | None = None) -> Sequence[AnyDone]:
        """Wait until an errand is over, and give all that are; none where what is awaited comes
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
