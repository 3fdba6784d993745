"""Count the cores that this process may use, and handle the signals that end it."""

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

# Signals that ask a program to end, if the platform has them.
STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, name)
)

_IGNORE_REPEATS_S = 1.0

# Linux lists the control groups of this process in the first, and their limits in the second.
_GROUPS, _LIMITS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def fill_standard_streams() -> None:
    """Open the null device for each closed standard stream, also for child processes.

    Otherwise the next opened file gets the number of the stream, and libraries print into it. A
    child process would write its errors into the pipe to its parent.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def count_cores() -> int:
    """Return the number of cores that this process may use, at least one.

    It counts the cores that the process is bound to, limited by the quota of its container.
    """
    bound = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        bound = len(os.sched_getaffinity(0))
    return max(1, math.ceil(min(bound, read_quota(_GROUPS, _LIMITS))))


def read_quota(groups: Path, limits: Path) -> float:
    """Return the smallest quota, in cores, of the control groups around this process.

    Reads versions 1 and 2 of control groups. Returns infinity if there is no quota.
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
            smallest = min(smallest, *map(_read_quota_2, _with_parents(limits, path)))
        elif "cpu" in controllers.split(","):
            smallest = min(smallest, *map(_read_quota_1, _with_parents(limits / "cpu", path)))
    return smallest


def _with_parents(root: Path, path: str) -> Iterator[Path]:
    # In a container, the root is the group of the container; its path outside does not exist.
    inner = PurePosixPath(path.lstrip("/"))
    for group in (inner, *inner.parents):
        yield root / group


def _read_quota_2(group: Path) -> float:
    return _to_cores(_read_words(group / "cpu.max"))


def _read_quota_1(group: Path) -> float:
    return _to_cores(
        [*_read_words(group / "cpu.cfs_quota_us"), *_read_words(group / "cpu.cfs_period_us")]
    )


def _to_cores(numbers: list[bytes]) -> float:
    """Return the quota divided by the period (both in microseconds); "max" and -1: no limit."""
    if len(numbers) != 2 or not all(number.isdigit() for number in numbers):
        return math.inf
    quota, period = map(int, numbers)
    return quota / period if quota and period else math.inf


def _read_words(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split()
    except OSError:
        return []


def handle_stop_signals() -> None:
    """Let the stop signals raise KeyboardInterrupt, so that the program cleans up.

    Signals that the program ignores stay ignored.
    """
    for number in STOP_SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _stop)
    sys.unraisablehook = _raise_again


def ignore_stop_signals() -> None:
    """Ignore the stop signals while Python exits, when they would only print a traceback."""
    for number in _list_handled():
        signal.signal(number, signal.SIG_IGN)


class _Stop:
    """A signal handler that raises KeyboardInterrupt.

    It ignores signals that follow within a second (double Ctrl-C; `timeout` sends two), so that
    they do not interrupt the clean-up. A later signal interrupts a clean-up that takes too long.
    """

    def __init__(self) -> None:
        self._raised = float("-inf")

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._raised > _IGNORE_REPEATS_S:
            self._raised = now
            raise KeyboardInterrupt

    def reset(self) -> None:
        """Let the next signal raise."""
        self._raised = float("-inf")


_stop = _Stop()


def _list_handled() -> list[signal.Signals]:
    return [number for number in STOP_SIGNALS if signal.getsignal(number) is _stop]


def _raise_again(raised: Any) -> None:
    """Raise an interrupt again if it was raised where it is lost, such as in a finalizer."""
    if not issubclass(raised.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(raised)
        return
    handled = _list_handled()
    if handled and hasattr(signal, "pthread_kill"):
        _stop.reset()
        main_thread = threading.main_thread().ident
        again = threading.Timer(0.05, signal.pthread_kill, (main_thread, handled[0]))
        again.daemon = True
        again.start()
