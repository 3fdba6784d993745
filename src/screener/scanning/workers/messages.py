"""The messages between a scan and a worker process, and their pipes."""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct
from msgspec.msgpack import Decoder, Encoder

from screener.media.archives.archive import Budget
from screener.screening.input.hash_item import HashedInput, HashedWire
from screener.screening.input.hasher import HashMode, OpenedArchive, OpenedWire, Target
from screener.screening.input.wire import Count, Seconds

_LENGTH = struct.Struct("<Q")  # in bytes, before each message
_LEAST_ROOM = 4096  # bytes that a pipe holds on any system


def framed(message: bytes) -> bytes:
    """Return a message as it is written to a pipe."""
    return _LENGTH.pack(len(message)) + message


def take_whole(came: bytearray) -> list[bytes]:
    """Remove the complete messages from the bytes of a pipe and return them."""
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
    """Write all of it. Raise OSError if the reader is gone, even if the program lets SIGPIPE kill
    it.
    """
    rest = memoryview(data)
    with _without_sigpipe():
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def room_of(pipe: int) -> int:
    """Return how many bytes of orders may wait in the pipe, so that writing one never blocks."""
    try:
        import fcntl

        return max(fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) // 2, _LEAST_ROOM)
    except (ImportError, AttributeError, OSError):  # other systems
        return _LEAST_ROOM


@contextmanager
def _without_sigpipe() -> Iterator[None]:
    """Block SIGPIPE, which the writing thread gets, unless it is ignored anyway."""
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


_LONGEST_NAME = 100  # of an exception, which is logged and written down


class Order(NamedTuple):
    """A target for a worker process; `target` has no name, since that of a member may be long."""

    number: int
    target: Target
    budget: Budget | None
    mode: HashMode

    def to_wire(self) -> bytes:
        """Return the order as a message."""
        path = self.target.path.encode("utf-8", "surrogatepass")
        budget = self.budget and (self.budget.members, self.budget.bytes)
        return _encoder.encode((self.number, path, self.target.inner, budget, self.mode.value))

    @classmethod
    def from_wire(cls, message: bytes) -> Order:
        """Return the order of a message."""
        number, path, inner, budget, mode = _order.decode(message)
        target = Target(path.decode("utf-8", "surrogatepass"), inner)
        return cls(number, target, budget and Budget(*budget), mode)


class AnswerWire(Struct, frozen=True, array_like=True):
    """An Answer in its wire format. Jobs other than a Hasher's return `plain` values."""

    number: Count
    seconds: Seconds
    wall: Seconds
    error: Annotated[str, Meta(max_length=_LONGEST_NAME)] | None
    outcome: HashedWire | OpenedWire | None
    plain: Any = None


class Answer(NamedTuple):
    """The outcome of a task, which took `seconds` of processor time and `wall` seconds.

    `error` is the type of an unexpected exception; there is no outcome then.
    """

    number: int
    outcome: Any
    seconds: float
    wall: float
    error: str | None = None

    def to_wire(self) -> bytes:
        """Return the answer as a message."""
        wire: HashedWire | OpenedWire | None = None
        plain = None
        if isinstance(self.outcome, HashedInput):
            wire = HashedWire.of(self.outcome)
        elif isinstance(self.outcome, OpenedArchive):
            wire = OpenedWire.of(self.outcome)
        else:
            plain = self.outcome
        number, _, seconds, wall, error = self
        return _encoder.encode(AnswerWire(number, seconds, wall, error, wire, plain))

    @classmethod
    def from_wire(cls, message: bytes) -> Answer:
        """Return the answer of a message.

        A file may have taken over the process that sent it. So the message makes only declared
        types, whose values are checked. Raises ValueError or HashError if one is wrong.
        """
        wire = _answer.decode(message)
        if wire.error is not None and not wire.error.isidentifier():
            raise ValueError("not the name of an exception")
        outcome = wire.plain
        if isinstance(wire.outcome, HashedWire):
            outcome = wire.outcome.hashed()
        elif wire.outcome is not None:
            outcome = wire.outcome.opened()
        return cls(wire.number, outcome, max(wire.seconds, 0.0), max(wire.wall, 0.0), wire.error)


_encoder = Encoder()
_order = Decoder(
    tuple[int, bytes, tuple[int, ...], tuple[int, int] | None, HashMode]  # as `Order.to_wire` has
)
_answer = Decoder(AnswerWire)
