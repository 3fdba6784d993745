"""The scan of many files, each opened in a worker process that may die."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

from screener.arguments import integer_within
from screener.errors import MediaError, PolicyError, WorkerError
from screener.hashing.classic import CLASSIC, check_installed
from screener.hashing.hash import HashKind
from screener.media.name import Name, name_of_label
from screener.scanning.backlog import Backlog, PendingInput
from screener.scanning.cache.hash_cache import HashCache
from screener.scanning.inputs.bell import Bell
from screener.scanning.inputs.cells import Column, find_cells
from screener.scanning.inputs.content import Content
from screener.scanning.inputs.expand import FilePath, locate_files
from screener.scanning.inputs.folder import FoundFile
from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.read_ahead import ReadAhead
from screener.scanning.resume import Finished
from screener.scanning.workers.protocol import AnyWorkers, StartWorkers
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import HashMode, OpenedArchive
from screener.screening.policy import Policy
from screener.screening.result import Result
from screener.screening.screener import Screener, check_screener
from screener.system.process import count_cores

# Called with each count and time: a name, a number and labels.
Metrics = Callable[[str, float, Mapping[str, str]], None]

_MAX_JOBS = 4096  # more is a typing error, and would overload the machine

_MIN_CLASSIC_MEMORY = 192 << 20  # bytes, since imagehash loads SciPy


def scan(
    screener: Screener,
    paths: FilePath | Iterable[FilePath],
    *,
    jobs: int | None = None,
    ordered: bool = True,
    finished: Finished | None = None,
    metrics: Metrics | None = None,
    cache: HashCache | None = None,
    column: Column | None = None,
) -> Generator[Result, None, None]:
    """Screen every file under `paths`; yield a Result per file, in order.

    Worker processes decode and hash, and this process looks up the hashes in batches, so no worker
    has a list in its memory. A file affects only its own Result: `crashed` if it crashes its
    worker, `timeout` if it takes more processor time than `policy.seconds` or ten times as much
    wall time, `too_large` if it needs more than `policy.memory` bytes.

    Zip and tar archives are opened. Each member has a Result, named `archive!member`. The archive's
    own Result follows; it is `no_match` only if all members are. `Result.counts` says whether to
    count it next to them.

    A script that scans must be a file, and needs an `if __name__ == "__main__":` guard.

    Parameters:
        screener: The lists and the policy.
        paths: Files, folders and URLs (docs/data.md), or an iterator of them. While it waits for a
            path, no Result comes and no time limit holds. Relative paths need the same working
            folder during the scan.
        jobs: The number of worker processes (default: the cores of this process).
        ordered: Yield Results in the order of the paths. Otherwise they come as they are ready,
            and folders are walked in the order of the disk.
        finished: Inputs to skip, from `output.resume_jsonl`.
        metrics: A function to call with each count and time (docs/metrics.md lists them).
        cache: An open cache, which stores the hashes of each input before its Result is yielded,
            for `rescan`. Finished inputs that it lacks are hashed too, without a second Result.
        column: The column of bytes that is screened row by row, if the paths are those of Parquet
            files (docs/data.md).

    Raises:
        TypeError: If an argument has the wrong type.
        WorkerError: If no worker can be started.
        ScreenerError: If a list breaks during the scan.
    """
    from screener.scanning.workers.pool import Workers  # on first use, since few programs scan

    count, bell = check_jobs(jobs), Bell()
    files = locate_files(paths, by_disk=not ordered, bell=bell)
    if column is not None:
        if not isinstance(column, Column):
            raise TypeError(f"column must be a Column, such as Column({column!r})")
        files = find_cells(files, column, bell)
    return drop_paths(
        scan_with_paths(
            lambda hasher: Workers(hasher, count or count_cores()),
            screener,
            files,
            bell=bell,
            ordered=ordered,
            finished=finished,
            metrics=metrics,
            cache=cache,
        )
    )


def scan_with_paths(
    start: StartWorkers,
    screener: Screener,
    files: Iterator[FoundFile | Content | Awaited],
    *,
    bell: Bell | None = None,
    ordered: bool = True,
    finished: Finished | None = None,
    metrics: Metrics | None = None,
    cache: HashCache | None = None,
) -> Generator[tuple[str, Result], None, None]:
    """Scan found files with the workers of `start`; yield each Result with its file's path.

    The path of a member is that of its archive. The `bell` is that of `locate_files`. The other
    parameters are those of `scan`.
    """
    check_screener(screener, "scan()")
    if not isinstance(cache, HashCache | None):
        raise TypeError(f"cache must be an open HashCache, such as HashCache.open({cache!r})")
    check_classic(screener.policy, screener.kinds)
    limits = screener.policy.limits
    is_cached = None if cache is None else partial(cache.holds, hasher=screener.hasher)
    ahead = ReadAhead(bell or Bell(), limits=limits, seconds=screener.policy.wall_seconds)
    backlog = Backlog(
        files, ahead=ahead, limits=limits, ordered=ordered, finished=finished, is_cached=is_cached
    )
    return _Scan(screener, backlog, metrics, cache).run(start)


def drop_paths(
    results: Generator[tuple[str, Result], None, None],
) -> Generator[Result, None, None]:
    """Yield the Results without the paths of their files."""
    with closing(results):
        for _, result in results:
            yield result


def check_jobs(jobs: int | None) -> int | None:
    """Return a valid number of processes, or None. Raises PolicyError if it is invalid."""
    count = integer_within(jobs, 1, _MAX_JOBS)
    if count is None and jobs is not None:
        raise PolicyError(f"jobs must be an integer from 1 to {_MAX_JOBS}, not {jobs!r}")
    return count


def check_classic(policy: Policy, kinds: Sequence[HashKind]) -> None:
    """Raise an error if workers cannot compute the classic hashes among these kinds.

    HashError without the extra `hashes`, PolicyError if a worker has too little memory for it.
    """
    check_installed(kinds)
    if policy.memory < _MIN_CLASSIC_MEMORY and not set(CLASSIC).isdisjoint(kinds):
        raise PolicyError(
            f"memory must be at least {_MIN_CLASSIC_MEMORY} bytes, not {policy.memory}: the list"
            " has classic hashes (such as phash)"
        )


class _Scan:
    """The state of one scan. Not thread-safe."""

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
        # A cache is matched with other lists later, so its hashes must be exact, not sketches.
        self._hasher = replace(screener.hasher, sketches=cache is None)
        # Also those of the workers, which run out of work during a long search.
        self._threads = count_cores()
        self._running: dict[Any, PendingInput] = {}

    def run(self, start: StartWorkers) -> Generator[tuple[str, Result], None, None]:
        """Yield all Results, each with the path of its file."""
        process = os.getpid()
        with closing(self._backlog), start(self._hasher) as workers:
            while True:
                awaited = self._assign(workers)
                released = False
                for item in self._backlog.release():
                    released = True  # Even without a Result: its archive may be next.
                    if item.own_hashes is not None:
                        # After its members, so that the cache has them if it has the archive.
                        self._store([item.own_hashes])
                    if item.has_line:
                        self._report_metric("hashed_again", 1)
                    elif item.result is not None:
                        self._report_result(item.result)
                        yield item.target.path, item.result
                        if os.getpid() != process:
                            # In a fork, it would take answers that the other process waits for.
                            raise WorkerError("only the process that began a scan can go on")
                if released:
                    continue
                if self._running:
                    self._collect(workers, awaited)
                elif awaited is not None:
                    awaited.wait()
                elif not self._backlog:
                    return

    def _report_metric(self, name: str, value: float, **labels: str) -> None:
        if self._metrics is not None:
            self._metrics(name, value, labels)

    def _report_result(self, result: Result) -> None:
        if self._metrics is not None and result.counts:
            self._report_metric(
                "results", 1, verdict=str(result.verdict), reason=str(result.reason or "")
            )
            self._report_metric("bytes", result.bytes or 0)

    def _assign(self, workers: AnyWorkers) -> Awaited | None:
        """Give inputs to the least busy workers until all are busy or no input is available.

        Returns the awaited input that must arrive before there is more.
        """
        while (worker := workers.least_busy()) is not None:
            item = self._backlog.next()
            if item is None:
                return self._backlog.awaited
            if item.error is not None:
                self._decide([(item, HashedInput(Name(), error=item.error), 0.0)])
                continue
            item.worker = item.only_worker or worker
            self._running[item.worker.take(item.target, item.remaining.budget)] = item
        return None

    def _collect(self, workers: AnyWorkers, awaited: Awaited | None) -> None:
        """Wait for finished tasks or the awaited input; look up all hashes in one batch."""
        hashed: list[tuple[PendingInput, HashedInput, float]] = []
        for done in workers.collect(awaited):
            item = self._running.pop(done.task)
            if isinstance(done.outcome, OpenedArchive):
                self._open(item, done.outcome, done.seconds)
            else:
                hashed.append((item, done.outcome, done.seconds))
        if hashed:
            self._decide(hashed)

    def _decide(self, hashed: list[tuple[PendingInput, HashedInput, float]]) -> None:
        """Look up the hashes of these inputs in one batch."""
        named = [_rename(hashes, item, seconds) for item, hashes, seconds in hashed]
        self._store([
            hashes
            for (item, *_), hashes in zip(hashed, named, strict=True)
            if item.own_hashes is None
        ])  # fmt: skip
        begin = time.perf_counter()
        results = list(self._screener.decide_if_sure(named, threads=self._threads))
        self._report_metric("lookup_seconds", time.perf_counter() - begin)
        self._report_metric("lookup_inputs", len(named))
        for (item, _, seconds), result in zip(hashed, results, strict=True):
            if result is None:
                self._hash_exactly(item, seconds)
                continue
            self._backlog.finish(item, result)
            self._report_metric("hash_seconds", item.seconds + seconds)

    def _store(self, hashed: list[HashedInput]) -> None:
        """Store hashes in the cache, before their Results are yielded."""
        if self._cache is not None and hashed:
            self._cache.add(hashed, self._hasher)

    def _hash_exactly(self, item: PendingInput, seconds: float) -> None:
        """Hash an input again, since bits in doubt would decide its Result."""
        if item.worker is None:
            raise RuntimeError("no worker has read this input")
        item.seconds = seconds
        task = item.worker.take(item.target, item.remaining.budget, HashMode.EXACT)
        self._running[task] = item

    def _open(self, item: PendingInput, opened: OpenedArchive, seconds: float) -> None:
        """Queue the listed members of an archive."""
        listing = opened.listing
        error = listing.error
        # Other members may have used the budget since this one was assigned.
        members = listing.members_within(item.remaining.members)
        if len(members) < len(listing.members):
            error = MediaError("too_large", "an archive of more members than allowed")
        item.remaining.members -= sum(member.cost for member in members)
        item.remaining.bytes -= listing.bytes
        if error is None and not listing.members:
            error = MediaError("empty", "an archive without members")
        own_hashes = replace(opened.hashed, error=error, archive=True)
        item.own_hashes = _rename(own_hashes, item, seconds)
        self._decide([(item, own_hashes, seconds)])
        item.name = None if item.target.inner else item.own_hashes.name
        item.single_worker = not opened.direct
        self._backlog.open(item, members)


def _rename(hashed: HashedInput, item: PendingInput, seconds: float) -> HashedInput:
    """Return hashes under the name of their target, with the processor time that they took.

    A worker does not know the name of a member, and one that a file has taken over could send
    another input's name.
    """
    name, sent, path = item.target.name, hashed.name, item.target.path
    if name is None and (sent.text, sent.raw, sent.archives, sent.same) == (path, None, (), ()):
        name = sent
    elif name is None:
        spelling = name_of_label(path)
        name = Name(spelling.text, spelling.raw, sent.size, sent.mtime_ns)
    return replace(hashed, name=name, seconds=round(item.seconds + seconds, 6))
