"""Lock files: exclusively for writers, shared for readers that prevent a removal.

A lock ends with its process.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from screener.errors import IndexFileError
from screener.system.files import open_private

try:
    import fcntl
except ImportError:  # not POSIX: the caller ensures one writer; mapped files cannot be removed
    fcntl = None  # type: ignore[assignment]

WAIT_SECONDS = 5.0


class Lock:
    """The lock of an open descriptor, taken by this process.

    Closing the descriptor may not release it, since a forked process has a copy of the descriptor.
    A forked process must not release the lock.
    """

    __slots__ = ("_descriptor", "_process")

    def __init__(self, descriptor: int, *, wait: bool, shared: bool = False) -> None:
        """Take the lock, exclusive or `shared`; wait for others, or raise BlockingIOError."""
        self._descriptor = descriptor
        self._process = os.getpid()
        if fcntl is not None:
            mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(descriptor, mode if wait else mode | fcntl.LOCK_NB)

    @property
    def is_own(self) -> bool:
        """Whether this process took the lock, and not one from which it was forked."""
        return self._process == os.getpid()

    def release(self) -> None:
        """Unlock, before the descriptor is closed; do nothing in a forked process."""
        if fcntl is not None and self.is_own:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


@contextlib.contextmanager
def lock_file(path: Path, *, seconds: float | None = None) -> Iterator[None]:
    """Lock a lock file exclusively, also against other threads, while the body runs.

    Waits `seconds` (default `WAIT_SECONDS`) for another writer, then raises IndexFileError. Raises
    OSError with the path if the disk has no locks. A process forked by the body has no lock.
    """
    descriptor = open_private(path, os.O_CREAT | os.O_RDWR)
    try:
        deadline = time.monotonic() + (WAIT_SECONDS if seconds is None else seconds)
        while True:
            try:
                lock = Lock(descriptor, wait=False)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise IndexFileError(
                        f"another writer is at work in {path.parent}; try again when it is done"
                    ) from None
                time.sleep(0.01)
            except OSError as error:
                error.filename = os.fspath(path)
                raise
        try:
            yield
        finally:
            lock.release()
    finally:
        os.close(descriptor)


def open_locked(path: str | os.PathLike[str], flags: int = os.O_RDONLY) -> int:
    """Open a file with a shared lock, which keeps `remove_unlocked` from removing it.

    The lock lasts until all copies of the descriptor are closed, including the one of a mapping.
    Raises FileNotFoundError if the file is gone, even if it was removed after it was opened.
    """
    # Do not block on a pipe; the caller refuses it.
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    # Some network file systems have no locks, and another program may have locked the file. The
    # mapping alone protects it then. If a sweep has the lock, it is about to remove the file.
    with contextlib.suppress(OSError):
        Lock(descriptor, wait=False, shared=True)
    # A link count of 0 alone does not prove that the file was removed: it may have been replaced or
    # opened without a name, and some disks count no links.
    if os.fstat(descriptor).st_nlink == 0 and not os.path.exists(path):
        os.close(descriptor)
        raise FileNotFoundError(os.fspath(path))
    return descriptor
