"""Stopping: what a signal that is to end the command does, once, in order and never unheard."""

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


def fill_standard_streams() -> None:
    """Put nothing where a standard stream was closed: else the next file that is opened takes
    its place, and what a library prints ends up in it.

    A process that is started from here has it too. One without would find the pipe to its parent
    there, take it for standard error, and end when that is silenced.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


# Where Linux says to which groups of processes this one belongs, and what each group may use.
_GROUPS, _LIMITS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def cores() -> int:
    """How many cores this process may use: those that it is bound to, or as many as a quota of a
    container or a service gives it the time of, if that is fewer. At least one.
    """
    bound = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        bound = len(os.sched_getaffinity(0))
    return max(1, math.ceil(min(bound, quota(_GROUPS, _LIMITS))))


def quota(groups: Path, limits: Path) -> float:
    """Of how many cores a process may use the time, by control groups of version 1 or 2: the least
    that its group, or one that holds it, is given; infinity where there is no such limit.
    """
    try:
        lines = groups.read_bytes().splitlines()
    except OSError:
        return math.inf
    given = math.inf
    for line in map(os.fsdecode, lines):
        if line.count(":") < 2:
            continue  # not the kernel's
        _, controllers, path = line.split(":", 2)
        if not controllers:
            given = min(given, *map(_given_by_2, _holding(limits, path)))
        elif "cpu" in controllers.split(","):
            given = min(given, *map(_given_by_1, _holding(limits / "cpu", path)))
    return given


def _holding(root: Path, path: str) -> Iterator[Path]:
    """A group and those that hold it. Within a container the root is the container's own, whatever
    its path outside.
    """
    inner = PurePosixPath(path.lstrip("/"))
    for group in (inner, *inner.parents):
        yield root / group


def _given_by_2(group: Path) -> float:
    return _cores(_read(group / "cpu.max"))


def _given_by_1(group: Path) -> float:
    return _cores([*_read(group / "cpu.cfs_quota_us"), *_read(group / "cpu.cfs_period_us")])


def _cores(numbers: list[bytes]) -> float:
    """Microseconds of time in every so many; `max` and -1 are no limit."""
    if len(numbers) != 2 or not all(number.isdigit() for number in numbers):
        return math.inf
    time, every = map(int, numbers)
    return time / every if time and every else math.inf


def _read(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split()
    except OSError:
        return []


STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, name)
)
"""Those by which programs are asked to end, as far as the platform has them."""

_SAME_S = 1.0  # in which a further signal is the same wish


def handle_stop_signals() -> None:
    """Be ended as by Ctrl-C where a service is stopped or a terminal closed: what is open is closed
    and what is only for the time of the command goes. Whoever ignores a signal goes on to.
    """
    for number in STOP_SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _stop)
    sys.unraisablehook = _not_lost


class _Stop:
    """Raises KeyboardInterrupt on a signal, once. What comes soon after it is the same wish, of who
    presses Ctrl-C twice or of `timeout`, which sends two: it must not break off the closing of what
    is open. What comes later does, where that takes too long.
    """

    def __init__(self) -> None:
        self._raised = float("-inf")

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._raised > _SAME_S:
            self._raised = now
            raise KeyboardInterrupt

    def again(self) -> None:
        """Have the next one raise too: what was raised is lost."""
        self._raised = float("-inf")


_stop = _Stop()


def _heard() -> list[signal.Signals]:
    """The signals that are not ignored."""
    return [one for one in STOP_SIGNALS if signal.getsignal(one) is _stop]


def ignore_stop_signals() -> None:
    """Let Python end, once all is done and told: it would only print where it was interrupted."""
    for number in _heard():
        signal.signal(number, signal.SIG_IGN)


def _not_lost(raised: Any) -> None:
    """Have an interrupt come once more that came while Python was in code from which nothing can be
    raised, such as that which runs when an object goes.
    """
    if not issubclass(raised.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(raised)
        return
    heard = _heard()
    if heard and hasattr(signal, "pthread_kill"):
        _stop.again()
        main_thread = threading.main_thread().ident
        again = threading.Timer(0.05, signal.pthread_kill, (main_thread, heard[0]))
        again.daemon = True
        again.start()
