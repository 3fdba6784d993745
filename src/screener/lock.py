"""Lock: of a file or folder that one process at a time writes to. It goes with the process."""

from __future__ import annotations

import os

try:
    import fcntl
except ImportError:  # not POSIX: one writer at a time is then the caller's care
    fcntl = None  # type: ignore[assignment]


class Lock:
    """The lock of an open descriptor, taken by this process.

    To close the descriptor is not enough: a process that was forked meanwhile has a copy of it, and
    keeps the lock as long as it lives. Nor may that one release it for who took it.
    """

    __slots__ = ("_descriptor", "_process")

    def __init__(self, descriptor: int, *, wait: bool) -> None:
        """Take it; where another has it, wait for that one, or raise BlockingIOError."""
        self._descriptor = descriptor
        self._process = os.getpid()
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)

    @property
    def is_own(self) -> bool:
        """Whether this process took it, and was not forked from the one that did."""
        return self._process == os.getpid()

    def release(self) -> None:
        """Let another take it, before the descriptor is closed; nothing where it is not own."""
        if fcntl is not None and self.is_own:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
