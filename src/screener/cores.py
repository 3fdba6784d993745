"""How many cores this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

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
