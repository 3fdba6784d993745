"""Pipe: how messages go through one between a scan and a worker process, each behind its length."""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager

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
