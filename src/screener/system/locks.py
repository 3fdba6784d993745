"""Lock: of a file or folder that one process at a time writes to, or that several keep from being
removed. It goes with the process.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from screener.errors import IndexFileError
from screener.system import files
from screener.system.files import open_private

WAIT_SECONDS = 5.0


def open_locked(path: str | os.PathLike[str], flags: int = os.O_RDONLY) -> int:
    """A descriptor, as of `os.open`, that keeps a file from the sweeper until it is closed, and so
    is each copy of it: that of a mapping lasts as long as what is mapped.

    Raises FileNotFoundError where the file is gone, also when it went meanwhile.
    """
    # A pipe by that name is not waited for: who maps it refuses it.
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    # Some network file systems have no locks; there the mapping alone has to do. So it does where
    # another has the lock: the sweeper, which is just removing the file, or a stranger.
    with contextlib.suppress(OSError):
        Lock(descriptor, wait=False, shared=True)
    # One that was replaced meanwhile, is open without a name, or lies on a disk that counts none is
    # not gone.
    if os.fstat(descriptor).st_nlink == 0 and not os.path.exists(path):
        os.close(descriptor)
        raise FileNotFoundError(os.fspath(path))
    return descriptor


def remove_unlocked(path: Path) -> None:
    """Remove a file unless somebody holds it; then the next sweep tries again."""
    # Where it is not ours to remove, likewise.
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            Lock(descriptor, wait=False)
            files.current.remove(path)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def lock_file(path: Path, *, seconds: float | None = None) -> Iterator[None]:
    """Hold the lock file of the one writer, also against other threads, while the body runs.

    Waits for another writer for so many seconds (`WAIT_SECONDS`), then raises IndexFileError;
    OSError that names the file where there are no locks. The lock goes with its process, and, once
    the body is done, from a process that was forked meanwhile too.
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
            except OSError as error:  # of a descriptor, it has no name: a disk without locks, say
                error.filename = os.fspath(path)
                raise
        try:
            yield
        finally:
            lock.release()
    finally:
        os.close(descriptor)


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
