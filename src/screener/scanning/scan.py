"""scan: many files, each opened in a worker process that may die, one Result a file."""

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
from screener.scanning.cache.hash_cache import HashCache, check_open
from screener.scanning.inputs.expand import FilePath, places
from screener.scanning.inputs.folder import Place
from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.resume import Finished
from screener.scanning.workers.protocol import AnyWorkers, Start
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import HashMode, OpenedArchive
from screener.screening.policy import Policy
from screener.screening.result import Result
from screener.screening.screener import Screener, check_screener
from screener.system.process import cores

# Hears of everything that is counted or timed: its name, how much, and labels.
Metrics = Callable[[str, float, Mapping[str, str]], None]

_MOST_JOBS = 4096  # processes: more is a slip, and would take the machine down

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

    `jobs` worker processes (default: the cores that this process may use) decode and hash; this one
    looks up what they send, in batches, so that no decoder has a list in its memory. A file that
    crashes its process, takes more processor time than `policy.seconds` (or ten times as much wall
    time) or needs more than `policy.memory` bytes costs exactly itself: `crashed`, `timeout`,
    `too_large`. Zip and tar archives are opened: each member has a Result, named `archive!member`,
    and the Result of the archive follows the last of them. It is `no_match` only if that is the
    verdict of all members; `Result.counts` says whether to count it beside them.

    `ordered=False` yields Results as they come, and walks each folder in the order of the disk.
    `finished` says what is done already and left out: see `output.resume_jsonl`. `metrics` hears of
    everything that is counted or timed, by a name, a number and labels: docs/metrics.md. `cache`
    keeps the hashes, for `rescan`: those of an input before its Result is given. Of what is
    finished, it takes those that it lacks: such an input is hashed, and has no Result again.

    `paths` may be an iterator; while it waits for a path no Result comes, and no limit of time
    holds. `screener scan -` takes names that come slowly. Relative ones are of the working folder,
    which is to stay the same meanwhile: a worker that takes the place of another begins in it.

    A script that calls this must guard its main part by `if __name__ == "__main__":`, as with any
    use of worker processes, and be a file. Raises WorkerError where they cannot be started, and
    another ScreenerError where a list breaks under the scan.
    """
    from screener.scanning.workers.pool import Workers  # not with this module: few programs scan

    count = checked_jobs(jobs)
    return results_of(
        told_by(
            lambda hasher: Workers(hasher, count or cores()),
            screener,
            places(paths, by_disk=not ordered),
            ordered=ordered,
            finished=finished,
            metrics=metrics,
            cache=cache,
        )
    )


def told_by(
    start: Start,
    screener: Screener,
    found: Iterator[Place | Awaited],
    *,
    ordered: bool = True,
    finished: Finished | None = None,
    metrics: Metrics | None = None,
    cache: HashCache | None = None,
) -> Generator[tuple[str, Result], None, None]:
    """As `scan`, by the workers that `start` gives, which end with it; folders are not walked. Each
    Result with the path that was found: for a member, that of the archive.
    """
    check_screener(screener, "scan()")
    if cache is not None:
        check_open(cache)
    if finished is not None and not isinstance(finished, Finished):
        raise TypeError(
            f"finished is that of output.resume_jsonl, and not {type(finished).__name__}"
        )
    if metrics is not None and not callable(metrics):
        raise TypeError(f"metrics is called with what is counted, and not {type(metrics).__name__}")
    check_memory(screener.policy, screener.kinds)
    limits = screener.policy.limits
    holds = None if cache is None else partial(cache.holds, hasher=screener.hasher)
    backlog = Backlog(found, limits=limits, ordered=ordered, finished=finished, holds=holds)
    return _Scan(screener, backlog, metrics, cache).run(start)


def results_of(
    told: Generator[tuple[str, Result], None, None],
) -> Generator[Result, None, None]:
    """The Results alone; what tells them ends with this."""
    with closing(told):
        for _, result in told:
            yield result


def checked_jobs(jobs: int | None) -> int | None:
    """A number of processes, or None; PolicyError where that is none."""
    count = integer_within(jobs, 1, _MOST_JOBS)
    if count is None and jobs is not None:
        raise PolicyError(f"jobs is a number of processes from 1 to {_MOST_JOBS}, not {jobs!r}")
    return count


def check_memory(policy: Policy, kinds: Iterable[HashKind]) -> None:
    """PolicyError where a worker has too little memory to load what a classic hash needs."""
    if policy.memory < _CLASSIC_MEMORY and not set(CLASSIC).isdisjoint(kinds):
        raise PolicyError(
            f"memory is {policy.memory}, and the list holds classic hashes (phash and the like):"
            f" a worker that makes them needs at least {_CLASSIC_MEMORY} bytes"
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
        # A cache is matched with other lists later: what it keeps must be sure.
        self._hasher = replace(screener.hasher, sketches=cache is None)
        self._under_way: dict[Any, Item] = {}

    def run(self, start: Start) -> Generator[tuple[str, Result], None, None]:
        """All results, each with the path of the file that it is in."""
        process = os.getpid()
        with start(self._hasher) as workers:
            while True:
                awaited = self._hand_out(workers)
                told = False
                for item in self._backlog.told():
                    told = True  # also if it has no line: an archive may have waited for it
                    if item.own is not None:
                        # Behind its members: who finds it in the cache may rely on theirs.
                        self._keep([item.own])
                    if item.has_line:
                        self._tell("hashed_again", 1)
                    elif item.result is not None:
                        self._count(item.result)
                        yield item.target.path, item.result
                        if os.getpid() != process:
                            # It would take answers away, for which the other waits for ever.
                            raise WorkerError("the process that began the scan goes on with it")
                if told:
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

    def _hand_out(self, workers: AnyWorkers) -> Awaited | None:
        """Give targets to the least busy workers until all are busy or nothing is left, and what
        has to come for there to be more.
        """
        while (worker := workers.free()) is not None:
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
        """Wait until a target under way is done, and look up all that are, in one batch; or until
        what is awaited comes.
        """
        hashed: list[tuple[Item, HashedInput, float]] = []
        for done in workers.collect(awaited):
            item = self._under_way.pop(done.errand)
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
            self._backlog.settle(item, result)
            self._tell("hash_seconds", item.seconds + seconds)

    def _keep(self, hashed: list[HashedInput]) -> None:
        """Have the cache keep them; before they are told, so that none is told that it lacks."""
        if self._cache is not None and hashed:
            self._cache.add(hashed, self._hasher)

    def _hash_surely(self, item: Item, seconds: float) -> None:
        """Have an item hashed once more, without bits in doubt: they would decide its result."""
        if item.worker is None:
            raise RuntimeError("not handed out")
        item.seconds = seconds
        errand = item.worker.take(item.target, item.left.budget, HashMode.EXACT)
        self._under_way[errand] = item

    def _open(self, item: Item, opened: OpenedArchive, seconds: float) -> None:
        """Have the members of an archive done, as far as they were listed."""
        listing = opened.listing
        trouble = listing.trouble
        # Others may have used up what was left when it was handed out.
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
    """What was hashed under the name of its target, since a worker does not know that of a member,
    and one that a file has taken over could tell another's; and with the seconds that it took.
    """
    name, told, path = item.target.name, hashed.name, item.target.path
    if name is None and (told.text, told.raw, told.archives, told.same) == (path, None, (), ()):
        name = told
    elif name is None:
        given = name_of_label(path)
        name = Name(given.text, given.raw, told.size, told.mtime_ns)
    return replace(hashed, name=name, seconds=round(item.seconds + seconds, 6))
