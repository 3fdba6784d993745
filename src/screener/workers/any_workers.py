"""Any workers: what a scan asks of those that do its work, here or elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Protocol

from screener.hashed import Hashed
from screener.hasher import Hasher, Opened, Target, Way
from screener.inputs.names import Awaited
from screener.media.archive import Budget


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

    def take(self, target: Target, budget: Budget | None, way: Way = Way.USUAL) -> Any:
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
