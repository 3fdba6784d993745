"""Lock: of a file or folder that one process at a time writes to, or that several keep from being
removed. It goes with the process.
"""

from __future__ import annotations

import os

try:
    import fcntl
# Not POSIX: one writer at a time is then the caller's care, and what is mapped cannot be removed.
except ImportError:
    fcntl = None  # type: ignore[assignment]


class Lock:
    """The lock of an open descriptor, taken by this process.

    To close the descriptor is not enough: a process that was forked meanwhile has a copy of it, and
    keeps the lock as long as it lives. Nor may that one release it for who took it.
    """

    __slots__ = ("_descriptor", "_process")

    def __init__(self, descriptor: int, *, wait: bool, shared: bool = False) -> None:
        """Take it, alone or `shared` with others that do so; where another keeps it from that, wait
        for that one, or raise BlockingIOError.
        """
        self._descriptor = descriptor
        self._process = os.getpid()
        if fcntl is not None:
            how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(descriptor, how if wait else how | fcntl.LOCK_NB)

    @property
    def is_own(self) -> bool:
        """Whether this process took it, and was not forked from the one that did."""
        return self._process == os.getpid()

    def release(self) -> None:
        """Let another take it, before the descriptor is closed; nothing where it is not own."""
        if fcntl is not None and self.is_own:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
