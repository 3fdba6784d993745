"""The messages between a scan and a worker process, and their pipes."""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct
from msgspec.msgpack import Decoder, Encoder

from screener.media.archives.archive import Budget
from screener.screening.input.hash_item import HashedInput, HashedWire
from screener.screening.input.hasher import HashMode, OpenedArchive, OpenedWire, Target
from screener.screening.input.wire import Count, Seconds

_LENGTH_FORMAT = struct.Struct("<Q")  # the length in bytes, which precedes each message
_MIN_PIPE_BYTES = 4096  # the capacity of a pipe on any system
_WIDE_PIPE_BYTES = 1 << 20  # Linux allows everybody this much


def frame_message(message: bytes) -> bytes:
    """Return a message preceded by its length."""
    return _LENGTH_FORMAT.pack(len(message)) + message


def take_complete(received: bytearray) -> list[bytes]:
    """Remove the complete messages from the bytes received on a pipe, and return them."""
    messages, offset = [], 0
    while len(received) >= (begin := offset + _LENGTH_FORMAT.size):
        end = begin + _LENGTH_FORMAT.unpack_from(received, offset)[0]
        if len(received) < end:
            break
        messages.append(bytes(received[begin:end]))
        offset = end
    del received[:offset]
    return messages


def measure_next(received: bytearray) -> int:
    """Return the bytes of the message of which a part was received, 0 if its length was not."""
    if len(received) < _LENGTH_FORMAT.size:
        return 0
    length: int = _LENGTH_FORMAT.unpack_from(received)[0]
    return length


def write_all(descriptor: int, data: bytes) -> None:
    """Write all data to a pipe.

    Raises OSError if the reader is gone, even if the program lets SIGPIPE kill it.
    """
    unwritten = memoryview(data)
    with _block_sigpipe():
        while unwritten:
            unwritten = unwritten[os.write(descriptor, unwritten) :]


def widen(pipe: int) -> None:
    """Enlarge a pipe, if the system allows it.

    An answer with the evidence of all views takes 60 KB, and pipes are read every few milliseconds.
    A worker must not wait for that.
    """
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _WIDE_PIPE_BYTES)


def measure_room(pipe: int) -> int:
    """Return the number of bytes of orders that may wait in a pipe, so that no write blocks."""
    try:
        import fcntl

        return max(fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) // 2, _MIN_PIPE_BYTES)
    except (ImportError, AttributeError, OSError):  # other systems
        return _MIN_PIPE_BYTES


@contextmanager
def _block_sigpipe() -> Iterator[None]:
    """Block SIGPIPE in the writing thread, which gets it, unless the program ignores it."""
    if signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        if signal.SIGPIPE in signal.sigpending() and signal.SIGPIPE not in before:
            signal.sigwait({signal.SIGPIPE})
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_MAX_ERROR_NAME = 100  # characters of an exception's type, which is logged and stored


class Order(NamedTuple):
    """A target for a worker process. It has no name, since a member's may be long."""

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
    """An Answer in its wire format. Jobs other than a Hasher return `plain` values."""

    number: Count
    seconds: Seconds
    wall: Seconds
    error: Annotated[str, Meta(max_length=_MAX_ERROR_NAME)] | None
    outcome: HashedWire | OpenedWire | None
    plain: Any = None


class Answer(NamedTuple):
    """The outcome of a task, with its processor time and wall time in seconds.

    After an unexpected exception, there is no outcome, and `error` is the exception's type.
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
            wire = HashedWire.from_input(self.outcome)
        elif isinstance(self.outcome, OpenedArchive):
            wire = OpenedWire.from_archive(self.outcome)
        else:
            plain = self.outcome
        number, _, seconds, wall, error = self
        return _encoder.encode(AnswerWire(number, seconds, wall, error, wire, plain))

    @classmethod
    def from_wire(cls, message: bytes) -> Answer:
        """Return the answer of a message.

        A file may have taken over the process that sent it, so the message creates only declared
        types, whose values are checked. Raises ValueError or HashError if a value is invalid.
        """
        wire = _answer.decode(message)
        if wire.error is not None and not wire.error.isidentifier():
            raise ValueError("not the name of an exception")
        outcome = wire.plain
        if isinstance(wire.outcome, HashedWire):
            outcome = wire.outcome.to_input()
        elif wire.outcome is not None:
            outcome = wire.outcome.to_archive()
        return cls(wire.number, outcome, max(wire.seconds, 0.0), max(wire.wall, 0.0), wire.error)


_encoder = Encoder()
_order = Decoder(
    tuple[int, bytes, tuple[int, ...], tuple[int, int] | None, HashMode]  # see `Order.to_wire`
)
_answer = Decoder(AnswerWire)
