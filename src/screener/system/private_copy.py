"""A copy of an input that only this process and its workers can open."""

from __future__ import annotations

import os
import tempfile
from functools import cache

_SEALS = 0xF  # from linux/fcntl.h: no more writes, growing, shrinking and seals


class PrivateCopy:
    """Bytes in memory or, with `on_disk`, in a file without a name in the temporary folder.

    `path` opens it while it is not closed. Raises OSError if the system has no room for it.
    """

    def __init__(self, *, on_disk: bool = False) -> None:
        self._process = os.getpid()
        self._in_memory = not on_disk and has_memory_files()
        if self._in_memory:
            self._descriptor = os.memfd_create("screener", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            self.path = path_of(self._descriptor)
            return
        self._descriptor, self.path = tempfile.mkstemp(prefix="screener-")
        if has_memory_files():  # so its folder of descriptors can be used
            os.unlink(self.path)
            self.path = path_of(self._descriptor)

    def write(self, piece: bytes) -> None:
        """Append a piece."""
        unwritten = memoryview(piece)
        while unwritten:
            unwritten = unwritten[os.write(self._descriptor, unwritten) :]

    def seal(self) -> None:
        """Forbid changes, since a worker that an item has taken over could change other items."""
        if self._in_memory:
            seal(self._descriptor)

    def close(self) -> None:
        """Free the memory or the disk; do nothing if it is closed."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        os.close(descriptor)
        if not self.path.startswith("/proc/") and self._process == os.getpid():
            os.unlink(self.path)

    def __del__(self) -> None:
        if hasattr(self, "path"):  # else it could not be created
            self.close()


def seal(descriptor: int) -> None:
    """Forbid changes of a file in memory."""
    import fcntl  # which other systems lack

    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)


def path_of(descriptor: int) -> str:
    """Return the path by which other processes of this user open a descriptor of this one."""
    return f"/proc/{os.getpid()}/fd/{descriptor}"


@cache
def has_memory_files() -> bool:
    """Return whether a worker can open files in the memory of this process by their path.

    The folder of its descriptors belongs to root if the system protects this process.
    """
    try:
        os.close(os.memfd_create("screener"))
        return os.stat("/proc/self/fd").st_uid == os.geteuid()
    except (AttributeError, OSError):
        return False
