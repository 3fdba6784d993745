"""Inputs that are copied before a worker needs them, within limits."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from screener.media.files.limits import Limits
from screener.scanning.inputs.bell import Bell
from screener.scanning.inputs.content import Content
from screener.scanning.inputs.listed_names import Awaited
from screener.system.process import count_cores

if TYPE_CHECKING:
    from screener.scanning.backlog import PendingInput

_MAX_COPYING = 32
_MAX_MEMORY_BYTES = 64 << 20  # for each core
_MAX_DISK_BYTES = 4 << 30
_MIN_OPEN, _MAX_OPEN = 64, 1024  # copies, each with a descriptor


class ReadAhead:
    """Copies that are made or wait for a worker, with those that workers have.

    Not thread-safe. One copy may exceed a limit of bytes, so that any input is copied.
    """

    def __init__(self, bell: Bell, *, limits: Limits, seconds: float) -> None:
        self.bell = bell
        self._limits = limits
        self._seconds = seconds
        self._copying: deque[PendingInput] = deque()
        self._open: set[Content] = set()
        self._memory = 0
        self._disk = 0
        self._max_memory = _MAX_MEMORY_BYTES * count_cores()
        self._max_open = _limit_open()

    def __bool__(self) -> bool:
        """Return whether any input is being copied."""
        return bool(self._copying)

    @property
    def has_room(self) -> bool:
        """Whether another copy may be begun."""
        return (
            len(self._copying) < _MAX_COPYING
            and len(self._open) < self._max_open
            and self._memory < self._max_memory
            and self._disk < _MAX_DISK_BYTES
        )

    @property
    def awaited(self) -> Awaited:
        """A placeholder for the next copy."""
        return self.bell.awaited

    def start(self, item: PendingInput, content: Content) -> bool:
        """Begin to copy an input; return whether it is ready at once."""
        self._open.add(content)
        self._memory += content.memory
        self._disk += content.disk
        content.start(self.bell, self._limits, self._seconds)
        if content.ready:
            return True
        self._copying.append(item)
        return False

    def collect(self) -> list[PendingInput]:
        """Remove and return the inputs whose copies are made or failed since `start`."""
        ready = [item for item in self._copying if item.content and item.content.ready]
        if ready:
            self._copying = deque(item for item in self._copying if item not in ready)
        return ready

    def release(self, content: Content) -> None:
        """Free a copy; do nothing if it is free."""
        if content in self._open:
            self._open.remove(content)
            self._memory -= content.memory
            self._disk -= content.disk
            content.close()

    def close(self) -> None:
        """Free all copies."""
        for content in list(self._open):
            self.release(content)
        self.bell.close()


def _limit_open() -> int:
    """Return the most copies at once: half of the descriptors that this process may have."""
    try:
        import resource
    except ImportError:  # other systems
        return _MIN_OPEN
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MAX_OPEN
    return min(max(soft // 2, _MIN_OPEN), _MAX_OPEN)
