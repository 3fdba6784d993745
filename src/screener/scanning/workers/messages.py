"""Orders and answers: what a scan tells a worker process, and what that tells of each."""

from __future__ import annotations

import io
import os
import pickle
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from screener.media.archives.archive import Budget
from screener.screening.input.hash_item import HashedInput, arrived
from screener.screening.input.hasher import HashMode, OpenedArchive, Target, opened
from screener.screening.input.wire import typed

_LENGTH = struct.Struct("<Q")  # in bytes, before each message
_LEAST_ROOM = 4096  # bytes that a pipe holds on any system


def framed(message: bytes) -> bytes:
    """A message as it goes into a pipe."""
    return _LENGTH.pack(len(message)) + message


def take_whole(came: bytearray) -> list[bytes]:
    """Take the messages that have come whole from what came of a pipe; the rest stays."""
    found, at = [], 0
    while len(came) >= (begin := at + _LENGTH.size):
        end = begin + _LENGTH.unpack_from(came, at)[0]
        if len(came) < end:
            break
        found.append(bytes(came[begin:end]))
        at = end
    del came[:at]
    return found


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it. Raises OSError, also where the program has SIGPIPE end it: who is to read it
    may have died of a file.
    """
    rest = memoryview(data)
    with _without_sigpipe():
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def room_of(pipe: int) -> int:
    """Bytes of orders that may lie in the pipe unread, so that sending one never waits for what the
    process is doing.
    """
    try:
        import fcntl

        return max(fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) // 2, _LEAST_ROOM)
    except (ImportError, AttributeError, OSError):  # other systems
        return _LEAST_ROOM


@contextmanager
def _without_sigpipe() -> Iterator[None]:
    """Keep SIGPIPE, which goes to the thread that writes, from it, unless it is ignored anyway."""
    if not hasattr(signal, "SIGPIPE") or signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        if signal.SIGPIPE in signal.sigpending() and signal.SIGPIPE not in before:
            signal.sigwait({signal.SIGPIPE})
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_PROTOCOL = pickle.HIGHEST_PROTOCOL
_LONGEST_NAME = 100  # of an exception, which is logged and written down


class Order(NamedTuple):
    """What a process is told to do; `target` without the name of a member, which may be long."""

    number: int
    target: Target
    budget: Budget | None
    way: HashMode

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
        return cls(number, Target(path, inner), budget, HashMode(way))


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
        if isinstance(outcome, HashedInput | OpenedArchive):
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
    HashedInput.__name__: arrived,
    OpenedArchive.__name__: opened,
    "": _itself,
}
