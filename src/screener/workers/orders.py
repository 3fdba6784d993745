"""Orders and answers: what a scan tells a worker process, and what that tells of each."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

from screener.hashed import Hashed, arrived
from screener.hasher import Opened, Target, Way, opened
from screener.media.archive import Budget
from screener.plain import typed

_PROTOCOL = pickle.HIGHEST_PROTOCOL
_LONGEST_NAME = 100  # of an exception, which is logged and written down


class Order(NamedTuple):
    """What a process is told to do; `target` without the name of a member, which may be long."""

    number: int
    target: Target
    budget: Budget | None
    way: Way

    def packed(self) -> bytes:
        """As bytes that are quickly made and read: of what it holds, without its classes."""
        path, inner, budget = self.target.path, self.target.inner, self.budget
        left = None if budget is None else (budget.members, budget.bytes)
        facts = (self.number, path, inner, left, self.way.value)
        return pickle.dumps(facts, _PROTOCOL)

    @classmethod
    def unpacked(cls, data: bytes) -> Order:
        """What `packed` made."""
        number, path, inner, left, way = pickle.loads(data)
        budget = None if left is None else Budget(*left)
        return cls(number, Target(path, inner), budget, Way(way))


class Answer(NamedTuple):
    """What a process tells of an errand. It took `seconds` of the processor and `wall` seconds of
    time. `error` is the type of an exception that nobody expected, and then there is no outcome.
    """

    number: int
    outcome: Any
    seconds: float
    wall: float
    error: str | None = None

    def packed(self) -> bytes:
        """As bytes, of plain values alone: the class of an outcome goes by its name."""
        outcome = self.outcome
        if isinstance(outcome, Hashed | Opened):
            outcome = type(outcome).__name__, outcome.plain()
        else:
            outcome = "", (outcome,)
        return pickle.dumps((self.number, outcome, self.seconds, self.wall, self.error), _PROTOCOL)

    @classmethod
    def unpacked(cls, data: bytes) -> Answer:
        """What `packed` made. Raises whatever there is to raise where it is no such: it may come of
        a process in which a decoder was made to run code of a file's, which is to run none here,
        and to make nothing but what is checked.
        """
        number, (name, plain), *times, error = _Plain(io.BytesIO(data)).load()
        number, seconds, wall = typed((int, float, float), (number, *times))
        if error is not None and not (error.isidentifier() and len(error) <= _LONGEST_NAME):
            raise ValueError("no name of an exception")
        return cls(number, _MADE[name](*plain), max(seconds, 0.0), max(wall, 0.0), error)


class _Plain(pickle.Unpickler):
    """Reads plain values: numbers, texts, bytes, and tuples, lists, sets and dicts of them."""

    def find_class(self, module: str, name: str) -> Any:
        """UnpicklingError: there are none."""
        raise pickle.UnpicklingError(f"an answer holds {module}.{name}")


def _itself(plain: Any) -> Any:
    """What another job tells, which is plain itself."""
    return plain


# How an outcome is made again of what was sent, by the name of its class.
_MADE: dict[str, Callable[..., Any]] = {
    Hashed.__name__: arrived,
    Opened.__name__: opened,
    "": _itself,
}
