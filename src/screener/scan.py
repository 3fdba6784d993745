"""scan: many files, each opened in a worker process that may die, one Result a file."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from screener.cache import HashCache
from screener.errors import MediaError, PolicyError
from screener.finished import Finished
from screener.hashed import Hashed
from screener.hasher import Opened, Target, Way
from screener.hashing.classic import CLASSIC
from screener.hashing.hash import HashKind
from screener.inputs import FilePath, Place, places
from screener.media.archive import Budget
from screener.media.source import Name, name_of
from screener.policy import Policy
from screener.result import Result, Verdict
from screener.screen import Screener
from screener.workers import Workers
from screener.working import AnyWorker, AnyWorkers, Start

# Hears of everything that is counted or timed: its name, how much, and labels.
Metrics = Callable[[str, float, Mapping[str, str]], None]

# So many files of folders are taken at a time, to be opened in the order in which they lie on the
# disk; and so many results may wait behind a slow file, so that the order of the input costs little
# time and bounded memory.
_WINDOW = 256
_AHEAD = 4 * _WINDOW
_CLASSIC_MEMORY = 192 << 20  # bytes: imagehash loads SciPy


def scan(
    engine: Screener,
    paths: FilePath | Iterable[FilePath],
    *,
    jobs: int | None = None,
    ordered: bool = True,
    finished: Finished | None = None,
    metrics: Metrics | None = None,
    cache: HashCache | None = None,
) -> Generator[Result, None, None]:
    """Screen every file under `paths`; yield one Result a file, in order.

    `jobs` worker processes (default: the cores that this process may use) decode and hash; this one
    looks up what they send, in batches, so that no list is in reach of a decoder. A file that
    crashes its process, takes longer than `policy.seconds` or needs more than `policy.memory` bytes
    costs exactly itself: `crashed`, `timeout`, `too_large`. Zip and tar archives are opened: each
    member has a Result, named `archive!member`; the archive has one where it is listed itself, is
    damaged, is empty, or goes beyond a limit.

    `ordered=False` yields Results as they come, and walks each folder in the order of the disk.
    `finished` says what is done already and left out: see `output.resume_jsonl`. `metrics` hears of
    everything that is counted or timed, by a name, a number and labels: docs/metrics.md. `cache`
    keeps the hashes, for `rescan`.

    A script that calls this must guard its main part by `if __name__ == "__main__":`, as with any
    use of worker processes. Raises ScreenerError where a list breaks under the scan.
    """
    check_jobs(jobs)
    return scan_by(
        lambda hasher: Workers(hasher, jobs or cores()),
        engine,
        places(paths, by_disk=not ordered),
        ordered=ordered,
        finished=finished,
        metrics=metrics,
        cache=cache,
    )


def scan_by(
    start: Start,
    engine: Screener,
    found: Iterator[Place],
    *,
    ordered: bool = True,
    finished: Finished | None = None,
    metrics: Metrics | None = None,
    cache: HashCache | None = None,
) -> Generator[Result, None, None]:
    """As `scan`, by the workers that `start` gives, which end with it; folders are not walked."""
    return _results(
        told_by(
            start,
            engine,
            found,
            ordered=ordered,
            finished=finished,
            metrics=metrics,
            cache=cache,
        )
    )


def told_by(
    start: Start,
    engine: Screener,
    found: Iterator[Place],
    *,
    ordered: bool = True,
    finished: Finished | None = None,
    metrics: Metrics | None = None,
    cache: HashCache | None = None,
) -> Generator[tuple[str, Result], None, None]:
    """As `scan_by`, each Result with the path that was found: for a member, that of the archive."""
    check_memory(engine.policy, engine.kinds)
    return _Scan(engine, found, ordered, finished, metrics or _unheard, cache).run(start)


def _results(
    told: Generator[tuple[str, Result], None, None],
) -> Generator[Result, None, None]:
    with closing(told):
        for _, result in told:
            yield result


def check_jobs(jobs: int | None) -> None:
    """PolicyError where that is no number of processes."""
    if jobs is not None and jobs < 1:
        raise PolicyError(f"jobs is a number of processes from 1, not {jobs}")


def check_memory(policy: Policy, kinds: Iterable[HashKind]) -> None:
    """PolicyError where a worker has too little memory to load what a classic hash needs."""
    if policy.memory < _CLASSIC_MEMORY and not set(CLASSIC).isdisjoint(kinds):
        raise PolicyError(
            f"memory is {policy.memory}, and the list holds classic hashes (phash and the like):"
            f" a worker that makes them needs at least {_CLASSIC_MEMORY} bytes"
        )


def _unheard(name: str, value: float, labels: Mapping[str, str]) -> None:
    """Metrics that nobody asked for."""


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass
class _Left:
    """What an outermost archive may still cost."""

    members: int
    bytes: int


@dataclass(eq=False)
class _Item:
    """One place in the order of results: a file, a member, or an archive behind its members."""

    target: Target
    left: _Left
    holder: _Item | None = None
    inode: int = 0
    worker: AnyWorker | None = None
    over: bool = False
    seconds: float = 0.0  # of an earlier go
    result: Result | None = None
    # Of an archive: its name, members not handed out yet, members not told yet, and whether only
    # the worker that opened it reads them.
    name: Name | None = None
    members: deque[tuple[Target, MediaError | None]] = field(default_factory=deque)
    untold: int = 0
    bound: bool = False

    @property
    def ready(self) -> bool:
        """Whether it can be told: an archive after the last of its members."""
        return self.over and not self.members and not self.untold


class _Scan:
    """The state of one scan, used by one thread."""

    def __init__(
        self,
        engine: Screener,
        found: Iterator[Place],
        ordered: bool,
        finished: Finished | None,
        metrics: Metrics,
        cache: HashCache | None,
    ) -> None:
        self._engine = engine
        self._found = found
        self._ordered = ordered
        self._finished = finished
        self._metrics = metrics
        self._cache = cache
        # A cache is matched with other lists later: what it keeps must be sure.
        self._hasher = replace(engine.hasher, sketches=cache is None)
        self._order: deque[_Item] = deque()
        self._todo: deque[_Item] = deque()  # files in the order of the disk
        self._archives: list[_Item] = []  # with members to hand out
        self._under_way: dict[Any, _Item] = {}

    def run(self, start: Start) -> Generator[tuple[str, Result], None, None]:
        """All results, each with the path of the file that it is in."""
        with start(self._hasher) as workers:
            while True:
                self._hand_out(workers)
                told = False
                for item in self._taken():
                    if item.result is not None:
                        told = True
                        self._count(item.result)
                        yield item.target.path, item.result
                if told:
                    continue
                if self._under_way:
                    self._collect(workers)
                elif not self._order:
                    return

    def _count(self, result: Result) -> None:
        if self._metrics is _unheard:
            return
        labels = {"verdict": str(result.verdict), "reason": str(result.reason or "")}
        self._metrics("results", 1, labels)
        self._metrics("bytes", result.bytes or 0, {})

    def _taken(self) -> Iterator[_Item]:
        """Take what can be told out of the order."""
        if not self._ordered:
            ready = [item for item in self._order if item.ready]
            for item in ready:
                self._order.remove(item)
                yield self._released(item)
            return
        while self._order and self._order[0].ready:
            yield self._released(self._order.popleft())

    def _released(self, item: _Item) -> _Item:
        if item.holder is not None:
            item.holder.untold -= 1
        return item

    def _hand_out(self, workers: AnyWorkers) -> None:
        """Give targets to the least busy workers until all are busy or nothing is left."""
        while (worker := workers.free()) is not None:
            item = self._next_member() or self._next_file()
            if item is None:
                return
            if item.over:
                continue
            if item.holder is not None and item.holder.bound:
                worker = item.holder.worker or worker
            limits = Budget(item.left.members, item.left.bytes)
            item.worker = worker
            self._under_way[worker.take(item.target, limits)] = item

    def _next_member(self) -> _Item | None:
        """A member of the first archive that has one for a worker that is free."""
        for archive in list(self._archives):
            if archive.bound and archive.worker is not None and not archive.worker.free:
                continue
            if len(self._order) >= _AHEAD and self._order[0] is not archive:
                continue
            while archive.members:
                target, trouble = archive.members.popleft()
                if self._is_finished(target.name):
                    continue
                item = _Item(target, archive.left, holder=archive)
                archive.untold += 1
                self._order.insert(self._order.index(archive), item)
                if trouble is not None:
                    self._decide([(item, Hashed(Name(), trouble=trouble), 0.0)])
                return item
            self._archives.remove(archive)
        return None

    def _next_file(self) -> _Item | None:
        while not self._todo:
            if len(self._order) >= _AHEAD or not self._fill():
                return None
        return self._todo.popleft()

    def _fill(self) -> bool:
        """Take more files; False where there are none."""
        limits = self._engine.policy.limits
        taken = False
        window: list[_Item] = []
        for path, inode in self._found:
            taken = True
            if self._finished is None or not self._is_finished(name_of(path)):
                left = _Left(limits.members, limits.unpacked)
                window.append(_Item(Target(path), left, inode=inode))
            # Names that are given, by a pipe for instance, are not waited for.
            if not inode or len(window) == _WINDOW:
                break
        self._order += window
        self._todo += sorted(window, key=lambda item: item.inode)
        return taken

    def _is_finished(self, name: Name | None) -> bool:
        return self._finished is not None and name is not None and self._finished.take(name)

    def _collect(self, workers: AnyWorkers) -> None:
        """Wait until a target under way is done, and look up all that are, in one batch."""
        hashed: list[tuple[_Item, Hashed, float]] = []
        for done in workers.collect():
            item = self._under_way.pop(done.errand)
            if isinstance(done.outcome, Opened):
                self._open(item, done.outcome, done.seconds)
            else:
                hashed.append((item, done.outcome, done.seconds))
        if hashed:
            self._decide(hashed)

    def _decide(self, hashed: list[tuple[_Item, Hashed, float]]) -> None:
        """Look up the hashes of all those items at once."""
        named = [_named(one, item, seconds) for item, one, seconds in hashed]
        if self._cache is not None:
            for one in named:
                self._cache.add(one, self._hasher)
        begin = time.perf_counter()
        results = self._engine.settle(named)
        self._metrics("lookup_seconds", time.perf_counter() - begin, {})
        self._metrics("lookup_inputs", len(named), {})
        for (item, _, seconds), result in zip(hashed, results, strict=True):
            if result is None:
                self._hash_surely(item, seconds)
                continue
            item.result = result
            item.over = True
            self._metrics("hash_seconds", item.seconds + seconds, {})

    def _hash_surely(self, item: _Item, seconds: float) -> None:
        """Have an item hashed once more, of which a sketch does not do."""
        if item.worker is None:
            raise RuntimeError("not handed out")
        item.seconds = seconds
        limits = Budget(item.left.members, item.left.bytes)
        self._under_way[item.worker.take(item.target, limits, Way.SURELY)] = item

    def _open(self, item: _Item, opened: Opened, seconds: float) -> None:
        """Put the members of an archive before it in the order, as far as they were listed."""
        listing = opened.listing
        trouble = listing.trouble
        # Others may have used up what was left when it was handed out.
        members = listing.members[: max(0, item.left.members)]
        if len(members) < len(listing.members):
            trouble = MediaError("too_large", "an archive of more members than allowed")
        item.left.members -= len(members)
        item.left.bytes -= listing.bytes
        if trouble is None and not listing.members:
            trouble = MediaError("empty", "an archive without members")
        own = replace(opened.hashed, trouble=trouble)
        self._decide([(item, own, seconds)])
        result = item.result
        listed = result is not None and (result.verdict is Verdict.MATCH or result.beside)
        if not listed and trouble is None:
            item.result = None  # its members speak for it
        outermost = opened.hashed.name if not item.target.inner else _outermost(item)
        item.name = outermost
        item.members = deque(
            (item.target.member(number, member, outermost), member.trouble)
            for number, member in enumerate(members)
        )
        item.bound = not opened.direct
        if item.members:
            self._archives.append(item)


def _outermost(item: _Item) -> Name:
    """The name of the file that an item is in, however deep."""
    while item.holder is not None:
        item = item.holder
    return item.name or Name()


def _named(hashed: Hashed, item: _Item, seconds: float) -> Hashed:
    """What was hashed under the name of its target, as a worker does not know that of a member, and
    with the seconds that it took.
    """
    name = item.target.name or hashed.name
    taken = round(item.seconds + seconds, 6)
    return Hashed(name, hashed.hashes, hashed.media, hashed.trouble, taken)
