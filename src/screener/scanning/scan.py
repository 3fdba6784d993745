"""The scan of many files, each opened in a worker process that may die; one Result a file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

from screener.arguments import integer_within
from screener.errors import MediaError, PolicyError, WorkerError
from screener.hashing.classic import CLASSIC
from screener.hashing.hash import HashKind
from screener.media.source import Name, name_of_label
from screener.scanning.backlog import Backlog, Item
from screener.scanning.cache.hash_cache import HashCache
from screener.scanning.inputs.expand import FilePath, locate_files
from screener.scanning.inputs.folder import FoundFile
from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.resume import Finished
from screener.scanning.workers.protocol import AnyWorkers, StartWorkers
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import HashMode, OpenedArchive
from screener.screening.policy import Policy
from screener.screening.result import Result
from screener.screening.screener import Screener, check_screener
from screener.system.process import cores

# Called with everything that is counted or timed: a name, a number and labels.
Metrics = Callable[[str, float, Mapping[str, str]], None]

_MOST_JOBS = 4096  # processes; more is a typing error, and would take the machine down

_CLASSIC_MEMORY = 192 << 20  # bytes: imagehash loads SciPy


def scan(
    screener: Screener,
    paths: FilePath | Iterable[FilePath],
    *,
    jobs: int | None = None,
    ordered: bool = True,
    finished: Finished | None = None,
    metrics: Metrics | None = None,
    cache: HashCache | None = None,
) -> Generator[Result, None, None]:
    """Screen every file under `paths`; yield one Result a file, in order.

    `jobs` worker processes (default: the cores of this process) decode and hash; this process looks
    up their hashes, in batches, so that no decoder has a list in its memory. A file affects only
    its own Result, also if it crashes its process (`crashed`), takes more processor time than
    `policy.seconds` or ten times as much wall time (`timeout`), or needs more than `policy.memory`
    bytes (`too_large`).

    Zip and tar archives are opened. Each member has a Result, named `archive!member`; that of the
    archive follows, and is `no_match` only if all members are. `Result.counts` says whether to
    count it beside them.

    With `ordered=False`, Results come as they are made, and folders are walked in the order of the
    disk. `finished` (from `output.resume_jsonl`) leaves out inputs that are done. `metrics` is
    called with each count and time, as docs/metrics.md lists them. `cache` stores the hashes of an
    input before its Result is yielded, for `rescan`; it hashes finished inputs that it lacks again,
    without a second Result.

    `paths` may be an iterator. While it waits for a path, no Result comes and no time limit holds.
    Relative paths need the same working folder during the whole scan.

    A script that scans must be a file and guard its main part by `if __name__ == "__main__":`.
    Raises WorkerError if no worker can be started, and another ScreenerError if a list breaks.
    """
    from screener.scanning.workers.pool import Workers  # not with this module: few programs scan

    count = check_jobs(jobs)
    return drop_paths(
        scan_with_paths(
            lambda hasher: Workers(hasher, count or cores()),
            screener,
            locate_files(paths, by_disk=not ordered),
            ordered=ordered,
            finished=finished,
            metrics=metrics,
            cache=cache,
        )
    )


def scan_with_paths(
    start: StartWorkers,
    screener: Screener,
    found: Iterator[FoundFile | Awaited],
    *,
    ordered: bool = True,
    finished: Finished | None = None,
    metrics: Metrics | None = None,
    cache: HashCache | None = None,
) -> Generator[tuple[str, Result], None, None]:
    """Yield each Result with the path of its file (for a member, of its archive), as `scan` does
    with the workers that `start` returns. Folders are not walked.
    """
    check_screener(screener, "scan()")
    check_memory(screener.policy, screener.kinds)
    limits = screener.policy.limits
    holds = None if cache is None else partial(cache.holds, hasher=screener.hasher)
    backlog = Backlog(found, limits=limits, ordered=ordered, finished=finished, holds=holds)
    return _Scan(screener, backlog, metrics, cache).run(start)


def drop_paths(
    results: Generator[tuple[str, Result], None, None],
) -> Generator[Result, None, None]:
    """Yield the Results alone."""
    with closing(results):
        for _, result in results:
            yield result


def check_jobs(jobs: int | None) -> int | None:
    """Return a number of processes, or None. Raise PolicyError for anything else."""
    count = integer_within(jobs, 1, _MOST_JOBS)
    if count is None and jobs is not None:
        raise PolicyError(f"jobs must be an integer from 1 to {_MOST_JOBS}, not {jobs!r}")
    return count


def check_memory(policy: Policy, kinds: Iterable[HashKind]) -> None:
    """Raise PolicyError if a worker has too little memory to load the classic hashes."""
    if policy.memory < _CLASSIC_MEMORY and not set(CLASSIC).isdisjoint(kinds):
        raise PolicyError(
            f"memory must be at least {_CLASSIC_MEMORY} bytes, not {policy.memory}: the list has"
            " classic hashes (such as phash)"
        )


class _Scan:
    """The state of one scan, used by one thread."""

    def __init__(
        self,
        screener: Screener,
        backlog: Backlog,
        metrics: Metrics | None,
        cache: HashCache | None,
    ) -> None:
        self._screener = screener
        self._backlog = backlog
        self._metrics = metrics
        self._cache = cache
        # A cache is matched with other lists later, so its hashes have no bits in doubt.
        self._hasher = replace(screener.hasher, sketches=cache is None)
        self._under_way: dict[Any, Item] = {}

    def run(self, start: StartWorkers) -> Generator[tuple[str, Result], None, None]:
        """Yield all Results, each with the path of its file."""
        process = os.getpid()
        with start(self._hasher) as workers:
            while True:
                awaited = self._hand_over(workers)
                released = False
                for item in self._backlog.release():
                    released = True  # also without a line: its archive may be next
                    if item.own is not None:
                        # Behind its members: an archive in the cache implies that they are there.
                        self._keep([item.own])
                    if item.has_line:
                        self._tell("hashed_again", 1)
                    elif item.result is not None:
                        self._count(item.result)
                        yield item.target.path, item.result
                        if os.getpid() != process:
                            # It would read answers for which the other process waits for ever.
                            raise WorkerError("only the process that began a scan can go on")
                if released:
                    continue
                if self._under_way:
                    self._collect(workers, awaited)
                elif awaited is not None:
                    awaited.wait()
                elif not self._backlog:
                    return

    def _tell(self, name: str, value: float, **labels: str) -> None:
        if self._metrics is not None:
            self._metrics(name, value, labels)

    def _count(self, result: Result) -> None:
        if self._metrics is not None and result.counts:
            self._tell("results", 1, verdict=str(result.verdict), reason=str(result.reason or ""))
            self._tell("bytes", result.bytes or 0)

    def _hand_over(self, workers: AnyWorkers) -> Awaited | None:
        """Give targets to the least busy workers until all are busy or nothing is left; return the
        input that must come before there is more.
        """
        while (worker := workers.least_busy()) is not None:
            item = self._backlog.next()
            if item is None:
                return self._backlog.awaited
            if item.trouble is not None:
                self._decide([(item, HashedInput(Name(), trouble=item.trouble), 0.0)])
                continue
            item.worker = item.only_worker or worker
            self._under_way[item.worker.take(item.target, item.left.budget)] = item
        return None

    def _collect(self, workers: AnyWorkers, awaited: Awaited | None) -> None:
        """Wait for targets that are done, or for the awaited input; look up all in one batch."""
        hashed: list[tuple[Item, HashedInput, float]] = []
        for done in workers.collect(awaited):
            item = self._under_way.pop(done.task)
            if isinstance(done.outcome, OpenedArchive):
                self._open(item, done.outcome, done.seconds)
            else:
                hashed.append((item, done.outcome, done.seconds))
        if hashed:
            self._decide(hashed)

    def _decide(self, hashed: list[tuple[Item, HashedInput, float]]) -> None:
        """Look up the hashes of all those items at once."""
        named = [_named(one, item, seconds) for item, one, seconds in hashed]
        self._keep([one for (item, *_), one in zip(hashed, named, strict=True) if not item.own])
        begin = time.perf_counter()
        results = list(self._screener.decide_if_sure(named))
        self._tell("lookup_seconds", time.perf_counter() - begin)
        self._tell("lookup_inputs", len(named))
        for (item, _, seconds), result in zip(hashed, results, strict=True):
            if result is None:
                self._hash_surely(item, seconds)
                continue
            self._backlog.finish(item, result)
            self._tell("hash_seconds", item.seconds + seconds)

    def _keep(self, hashed: list[HashedInput]) -> None:
        """Store hashes in the cache, before their Results are yielded."""
        if self._cache is not None and hashed:
            self._cache.add(hashed, self._hasher)

    def _hash_surely(self, item: Item, seconds: float) -> None:
        """Have an item hashed again without bits in doubt, which would decide its Result."""
        if item.worker is None:
            raise RuntimeError("not handed out")
        item.seconds = seconds
        task = item.worker.take(item.target, item.left.budget, HashMode.EXACT)
        self._under_way[task] = item

    def _open(self, item: Item, opened: OpenedArchive, seconds: float) -> None:
        """Have the listed members of an archive hashed."""
        listing = opened.listing
        trouble = listing.trouble
        # Others may have used up the budget since it was handed over.
        members = listing.within(item.left.members)
        if len(members) < len(listing.members):
            trouble = MediaError("too_large", "an archive of more members than allowed")
        item.left.members -= sum(member.cost for member in members)
        item.left.bytes -= listing.bytes
        if trouble is None and not listing.members:
            trouble = MediaError("empty", "an archive without members")
        own = replace(opened.hashed, trouble=trouble, archive=True)
        item.own = _named(own, item, seconds)
        self._decide([(item, own, seconds)])
        item.name = None if item.target.inner else item.own.name
        item.bound = not opened.direct
        self._backlog.open(item, members)


def _named(hashed: HashedInput, item: Item, seconds: float) -> HashedInput:
    """Return hashes under the name of their target, with the seconds that they took. A worker does
    not know the name of a member, and one that a file has taken over could send another's.
    """
    name, sent, path = item.target.name, hashed.name, item.target.path
    if name is None and (sent.text, sent.raw, sent.archives, sent.same) == (path, None, (), ()):
        name = sent
    elif name is None:
        spelling = name_of_label(path)
        name = Name(spelling.text, spelling.raw, sent.size, sent.mtime_ns)
    return replace(hashed, name=name, seconds=round(item.seconds + seconds, 6))
