"""scan: many files, each in a worker process that may die, one Result a file in input order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Generic, TypeVar

from screener.errors import PolicyError
from screener.hashing.classic import CLASSIC
from screener.hashing.hash import HashKind
from screener.policy import Policy
from screener.result import Result
from screener.screen import Screener

if TYPE_CHECKING:
    from screener.workers import Engine, Errand, Worker

T = TypeVar("T")
FilePath = str | PathLike[str]

# Results that may wait behind a slow file, so that the order of the input costs little time and
# bounded memory.
_AHEAD = 256
_CLASSIC_MEMORY = 192 << 20  # bytes: imagehash loads SciPy


def find(paths: FilePath | Iterable[FilePath]) -> Iterator[str]:
    """The files under the paths, folders walked in order of name.

    Everything that is not a folder is named, readable or not, since each is to have a Result;
    so is a folder that cannot be read, and a link to a folder, which is not followed.
    """
    for path in [paths] if isinstance(paths, str | PathLike) else paths:
        name = os.fspath(path)
        yield from _walk(name) if os.path.isdir(name) else [name]


def _walk(folder: str) -> Iterator[str]:
    # A list of what is still to visit instead of recursion: folders can be nested deeper than
    # Python's stack.
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        if path != folder and (os.path.islink(path) or not os.path.isdir(path)):
            yield path
            continue
        try:
            names = sorted(os.listdir(path), reverse=True)
        except OSError:
            yield path
            continue
        waiting += [os.path.join(path, name) for name in names]


def scan(
    engine: Screener, paths: FilePath | Iterable[FilePath], *, jobs: int | None = None
) -> Iterator[Result]:
    """Screen every file under `paths` in worker processes; yield one Result a file, in order.

    `jobs` processes (default: the number of cores) share the mapped lists. A file that crashes
    its process, takes longer than `policy.seconds` or needs more than `policy.memory` bytes costs
    exactly itself: `crashed`, `timeout`, `too_large`. A script that calls this must guard its
    main part by `if __name__ == "__main__":`, as with any use of worker processes.

    Raises ScreenerError where a list breaks under the scan.
    """
    if jobs is not None and jobs < 1:
        raise PolicyError(f"jobs is a number of processes from 1, not {jobs}")
    check_memory(engine.policy, engine.kinds)
    return each(engine, find(paths), jobs=jobs or os.cpu_count() or 1)


def check_memory(policy: Policy, kinds: Iterable[HashKind]) -> None:
    """PolicyError where a worker has too little memory to load what a classic hash needs."""
    if policy.memory < _CLASSIC_MEMORY and not set(CLASSIC).isdisjoint(kinds):
        raise PolicyError(
            f"memory is {policy.memory}, and the list holds classic hashes (phash and the like):"
            f" a worker that makes them needs at least {_CLASSIC_MEMORY} bytes"
        )


@dataclass
class _Place(Generic[T]):
    """A place in the order of results: a file, who screens it, and its result once done."""

    worker: Worker[T]
    errand: Errand[T]
    result: T | None = None


def each(engine: Engine[T], files: Iterator[str], *, jobs: int) -> Iterator[T]:
    """What an engine tells of each file, in order, each made in one of `jobs` processes."""
    # Here, since pebble loads asyncio and with it the network's libraries, which a program that
    # only screens does without.
    from screener.workers import Worker

    workers = [Worker(engine) for _ in range(jobs)]
    order: deque[_Place[T]] = deque()
    try:
        while True:
            _hand_out(files, workers, order)
            if not order:
                return
            if order[0].result is None:
                _collect(order)
            while order and (result := order[0].result) is not None:
                order.popleft()
                yield result
    finally:
        for worker in workers:
            worker.stop()


def _hand_out(files: Iterator[str], workers: list[Worker[T]], order: deque[_Place[T]]) -> None:
    """Give files to the least busy workers until all are busy or no file is left."""
    while len(order) < _AHEAD:
        worker = min(workers, key=lambda one: len(one.errands))
        if not worker.free or (path := next(files, None)) is None:
            return
        order.append(_Place(worker, worker.take(path)))


def _collect(order: deque[_Place[T]]) -> None:
    """Wait until a file under way is done, and fill the places of all that are."""
    waiting = [place for place in order if place.result is None]
    wait([place.errand.future for place in waiting], return_when=FIRST_COMPLETED)
    for place in waiting:
        if place.errand.future.done():
            place.result = place.worker.collect(place.errand)
