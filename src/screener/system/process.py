"""The process itself: how many cores it may use, and how signals end it."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Any

STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, name)
)
"""The signals that ask a program to end, as far as the platform has them."""

_REPEAT_S = 1.0  # within which a repeated signal is ignored

# Where Linux lists the control groups of this process, and the limits of each group.
_GROUPS, _LIMITS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def fill_standard_streams() -> None:
    """Open the null device for each standard stream that is closed, also for child processes.

    Otherwise the next file opened takes the stream's number and receives what libraries print; a
    child process would take the pipe to its parent for standard error.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def count_cores() -> int:
    """Return how many cores this process may use, at least one.

    That is the cores it is bound to, or fewer if the quota of a container or service is smaller.
    """
    bound = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        bound = len(os.sched_getaffinity(0))
    return max(1, math.ceil(min(bound, read_quota(_GROUPS, _LIMITS))))


def read_quota(groups: Path, limits: Path) -> float:
    """Return the smallest quota, in cores, of the control groups around this process.

    Reads version 1 and 2 of control groups; infinity if there is no quota.
    """
    try:
        lines = groups.read_bytes().splitlines()
    except OSError:
        return math.inf
    smallest = math.inf
    for line in map(os.fsdecode, lines):
        if line.count(":") < 2:
            continue  # not written by the kernel
        _, controllers, path = line.split(":", 2)
        if not controllers:
            smallest = min(smallest, *map(_quota_2, _with_parents(limits, path)))
        elif "cpu" in controllers.split(","):
            smallest = min(smallest, *map(_quota_1, _with_parents(limits / "cpu", path)))
    return smallest


def _with_parents(root: Path, path: str) -> Iterator[Path]:
    # Inside a container the root is the container's own group, whatever its path outside.
    inner = PurePosixPath(path.lstrip("/"))
    for group in (inner, *inner.parents):
        yield root / group


def _quota_2(group: Path) -> float:
    return _in_cores(_words_of(group / "cpu.max"))


def _quota_1(group: Path) -> float:
    return _in_cores(
        [*_words_of(group / "cpu.cfs_quota_us"), *_words_of(group / "cpu.cfs_period_us")]
    )


def _in_cores(numbers: list[bytes]) -> float:
    """Return microseconds of time divided by the period's; "max" and -1 are no limit."""
    if len(numbers) != 2 or not all(number.isdigit() for number in numbers):
        return math.inf
    time, period = map(int, numbers)
    return time / period if time and period else math.inf


def _words_of(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split()
    except OSError:
        return []


def handle_stop_signals() -> None:
    """Let a signal that ends the program raise KeyboardInterrupt, so that it cleans up.

    Signals that the program ignores stay ignored.
    """
    for number in STOP_SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _stop)
    sys.unraisablehook = _raise_again


def ignore_stop_signals() -> None:
    """Ignore signals while Python ends: all work is done, and they would only print a traceback."""
    for number in _handled():
        signal.signal(number, signal.SIG_IGN)


class _Stop:
    """A signal handler that raises KeyboardInterrupt.

    It ignores repeated signals for a moment (double Ctrl-C; `timeout` sends two) so that clean-up
    is not interrupted; a later signal breaks off clean-up that takes too long.
    """

    def __init__(self) -> None:
        self._raised = float("-inf")

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._raised > _REPEAT_S:
            self._raised = now
            raise KeyboardInterrupt

    def reset(self) -> None:
        """Let the next signal raise."""
        self._raised = float("-inf")


_stop = _Stop()


def _handled() -> list[signal.Signals]:
    return [number for number in STOP_SIGNALS if signal.getsignal(number) is _stop]


def _raise_again(raised: Any) -> None:
    """Repeat an interrupt that was raised in code, such as a finalizer, that cannot pass it on."""
    if not issubclass(raised.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(raised)
        return
    handled = _handled()
    if handled and hasattr(signal, "pthread_kill"):
        _stop.reset()
        main_thread = threading.main_thread().ident
        again = threading.Timer(0.05, signal.pthread_kill, (main_thread, handled[0]))
        again.daemon = True
        again.start()
