"""The thread of a Pool that gives items to workers and looks up their hashes."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from screener.errors import Busy, PoolClosed, ScreenerError, WorkerError
from screener.media.name import Name
from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.uploads import Upload
from screener.scanning.workers.pool import Workers, poll
from screener.scanning.workers.protocol import Task
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import HashMode, OpenedArchive, Target
from screener.screening.result import Result
from screener.screening.screener import Screener

_log = logging.getLogger(__name__)

# While items wait for workers, hashes are looked up together with those of this time. If none
# waits, they are looked up at once.
_BATCH_SECONDS = 0.001

_START_SECONDS = 0.02  # between two checks whether processes have started

# How often in a row all workers are started again, if none of them finishes an item.
_MAX_RESTARTS = 3


@dataclass
class Crew:
    """Worker processes, and the Screener that their hashes are for.

    A newer Screener takes the place of that one if it needs the same hashes.
    """

    screener: Screener
    jobs: int
    workers: Workers[HashedInput | OpenedArchive] = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start the processes, without waiting for them."""
        self.workers = Workers(replace(self.screener.hasher, sketches=True), self.jobs)

    def wait(self) -> Crew:
        """Wait until all processes are ready. If one fails, end all and raise WorkerError."""
        try:
            while not self.workers.ready:
                poll([self.workers], seconds=_START_SECONDS)
        except BaseException:
            self.end()
            raise
        return self

    def end(self) -> None:
        """End the processes."""
        self.workers.__exit__()


@dataclass(eq=False)
class PendingItem:
    """An item of a Pool, from the call until its `future` has the Result.

    Attributes:
        label: The name that the caller gave.
        upload: The item as a worker opens it.
        hashed: Its hashes, if the caller's thread made them.
        crew: The workers that hashed it, or those at the time when its caller's thread did.
        seconds: The processor time of an earlier attempt.
        lists: The names of the lists to match it against; None for all.
    """

    label: Name
    lists: frozenset[str] | None = None
    future: Future[Result] = field(default_factory=Future)
    upload: Upload | None = None
    hashed: HashedInput | None = None
    crew: Crew | None = None
    mode: HashMode = HashMode.NORMAL
    seconds: float = 0.0

    def name_hashes(self, hashed: HashedInput, seconds: float | None) -> HashedInput:
        """Return hashes under the item's name, with the processor time that they took.

        A worker that a file has taken over could send another item's name.
        """
        name = hashed.name if self.upload is None else self.upload.name
        if self.upload is not None and self.upload.is_file:
            name = replace(name, size=hashed.name.size, mtime_ns=hashed.name.mtime_ns)
        if self.label.text is not None:
            name = replace(name, text=self.label.text, raw=self.label.raw)
        if seconds is not None:
            seconds = round(self.seconds + seconds, 6)
        return replace(hashed, name=name, seconds=seconds)


class Dispatcher:
    """The items and workers of a Pool in one process, and the thread that owns the workers."""

    def __init__(self, screener: Screener, jobs: int, queue: int) -> None:
        """Start workers and wait until they are ready. Raises WorkerError if that fails."""
        self.process = os.getpid()
        self._crew = Crew(screener, jobs).wait()
        self._retiring: list[Crew] = []  # which finish their items
        self._places = jobs + queue
        self._half_free = self._places - (queue + 1) // 2
        self._lock = threading.Lock()  # of everything below, except by the thread alone
        self._taken = 0  # places of items without a Result
        self._full_since: float | None = None
        self._waiting: OrderedDict[PendingItem, None] = OrderedDict()
        self._hashed: list[PendingItem] = []  # by their callers' threads
        self._woken = False
        self._closing = False
        self._aborting = False
        self._ended: ScreenerError | None = None
        self._running: dict[Task, PendingItem] = {}  # the thread's alone
        self._restarts = 0
        self._wake_up, self._waker = os.pipe()
        for end in (self._wake_up, self._waker):
            os.set_blocking(end, False)
        # A daemon, since others would keep the program from its end; `atexit` ends it before that.
        self._thread = threading.Thread(target=self._run, name="screener-pool", daemon=True)
        self._thread.start()
        atexit.register(self.close, 0.0)

    @property
    def crew(self) -> Crew:
        """The workers that the next item goes to."""
        return self._crew

    @property
    def ended(self) -> bool:
        """Whether no further item can be screened, because of an error or `close`."""
        return self._ended is not None

    def reserve(self, label: Name, lists: frozenset[str] | None = None) -> PendingItem:
        """Return a new item, which occupies a place until its future is done.

        Raises Busy if all places are taken, PoolClosed after `close`.
        """
        with self._lock:
            if self._closing or self._ended is not None:
                raise self._ended or PoolClosed("the pool is closed")
            now = time.monotonic()
            if self._taken >= self._places:
                seconds = now - (now if self._full_since is None else self._full_since)
                raise Busy(
                    f"the pool has {self._taken} items already, and has been full for"
                    f" {seconds:.1f} s: try again later",
                    seconds,
                )
            self._taken += 1
            if self._taken == self._places and self._full_since is None:
                self._full_since = now
        item = PendingItem(label, lists)
        item.future.add_done_callback(lambda _: self._release(item))
        return item

    def _release(self, item: PendingItem) -> None:
        """Free the place and the memory of an item that is done or was cancelled."""
        with self._lock:
            self._taken -= 1
            if self._taken <= self._half_free:
                self._full_since = None
            self._waiting.pop(item, None)
            if self._closing:
                self._wake()
        if item.upload is not None:
            item.upload.close()

    def add(self, item: PendingItem) -> None:
        """Queue an item that has an upload or hashes. Raises PoolClosed if the pool has ended."""
        with self._lock:
            if self._ended is not None:
                raise self._ended
            if item.future.done():  # cancelled while it was read
                if item.upload is not None:
                    item.upload.close()
                return
            if item.hashed is None:
                self._waiting[item] = None
            else:
                self._hashed.append(item)
            self._wake()

    def _wake(self) -> None:
        """Wake the thread; the caller has the lock."""
        if not self._woken and self._ended is None:
            self._woken = True
            with contextlib.suppress(BlockingIOError):
                os.write(self._waker, b"w")

    def adopt(self, screener: Screener) -> None:
        """Match the next items against another Screener.

        If it needs other hashes, start workers for them first. Raises WorkerError if that fails;
        the workers that there are go on.
        """
        same = screener.hasher == self._crew.screener.hasher
        crew = self._crew if same else Crew(screener, self._crew.jobs).wait()
        with self._lock:
            if self._ended is not None:
                if not same:
                    crew.end()
                raise self._ended
            if same:
                crew.screener = screener
                return
            self._retiring.append(self._crew)
            self._crew = crew
            self._wake()

    def close(self, deadline: float | None) -> None:
        """Wait up to `deadline` seconds for the items, fail the others, and end all processes.

        In a fork of the process, do nothing.
        """
        if self.process != os.getpid():
            return
        with self._lock:
            self._closing = True
            self._wake()
        atexit.unregister(self.close)
        if threading.current_thread() is self._thread:  # by the garbage collector
            self._aborting = True
            return
        self._thread.join(deadline)
        with self._lock:
            self._aborting = True
            self._wake()
        self._thread.join()

    def _run(self) -> None:
        """Screen items until `close`, in the thread."""
        error: BaseException | None = None
        try:
            while not self._is_over():
                self._look_up(self._gather())
        except BaseException as cause:
            error = cause
            _log.exception("a pool of workers failed")
        finally:
            self._end(error)

    def _is_over(self) -> bool:
        return self._aborting or (self._closing and not self._taken)

    def _gather(self) -> list[tuple[PendingItem, HashedInput]]:
        """Wait for hashes, and return all that come at once.

        Returns an empty list if the thread was only woken.
        """
        hashed: list[tuple[PendingItem, HashedInput]] = []
        until: float | None = None
        while True:
            hashed += self._drain()
            if not hashed and self._is_over():  # checked after the wake-up was taken
                return hashed
            self._assign()
            now = time.monotonic()
            if hashed and until is None:
                until = now + (_BATCH_SECONDS if self._waiting else 0.0)
            if until is not None and now >= until:
                return hashed
            hashed += self._collect(None if until is None else until - now)
            if not hashed:
                return hashed

    def _drain(self) -> list[tuple[PendingItem, HashedInput]]:
        """Return the items that their callers' threads hashed, after emptying the pipe."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_up, 64)
        with self._lock:
            self._woken = False
            items, self._hashed = self._hashed, []
        ready = [item for item in items if item.future.set_running_or_notify_cancel()]
        return [
            (item, item.name_hashes(item.hashed, None)) for item in ready if item.hashed is not None
        ]

    def _assign(self) -> None:
        """Give each idle worker one waiting item, so that no item waits for a slow one."""
        crew = self._crew
        while (worker := crew.workers.idle()) is not None:
            item = self._take_waiting()
            if item is None or item.upload is None:
                return
            item.crew = crew
            self._running[worker.take(Target(item.upload.path), None, item.mode)] = item

    def _take_waiting(self) -> PendingItem | None:
        with self._lock:
            while self._waiting:
                item, _ = self._waiting.popitem(last=False)
                if item.future.running() or item.future.set_running_or_notify_cancel():
                    return item
        return None

    def _collect(self, seconds: float | None) -> list[tuple[PendingItem, HashedInput]]:
        """Wait for finished items, a wake-up or so many seconds; return the finished items."""
        for crew in [crew for crew in self._retiring if not crew.workers.busy]:
            crew.end()
            with self._lock:
                self._retiring.remove(crew)
        crews = [self._crew, *self._retiring]
        if self._waiting and not self._crew.workers.ready:
            seconds = _START_SECONDS if seconds is None else min(seconds, _START_SECONDS)
        try:
            finished = poll([crew.workers for crew in crews], Awaited(self._wake_up), seconds)
        except WorkerError as error:
            self._restart(error)
            return []
        hashed = []
        for done in finished:
            self._restarts = 0
            item = self._running.pop(done.task)
            if isinstance(done.outcome, HashedInput):
                hashed.append((item, item.name_hashes(done.outcome, done.seconds)))
        return hashed

    def _restart(self, error: WorkerError) -> None:
        """Start all workers again, and give them the items that were running.

        Something outside ends processes while they start. Raises the error if that goes on.
        """
        self._restarts += 1
        if self._restarts > _MAX_RESTARTS:
            raise error
        _log.warning("all worker processes are started again: %s", error)
        with self._lock:
            for crew in [self._crew, *self._retiring]:
                crew.end()
            self._retiring.clear()
            for item in reversed(self._running.values()):
                self._waiting[item] = None
                self._waiting.move_to_end(item, last=False)
            self._running.clear()
            self._crew.start()

    def _look_up(self, hashed: list[tuple[PendingItem, HashedInput]]) -> None:
        """Match items against the generations of one Screener, in one batch, and set their Results.

        Items that a retiring crew hashed are matched against its Screener, and those for some lists
        against these.
        """
        batches: dict[object, list[tuple[PendingItem, HashedInput]]] = {}
        for item, hashes in hashed:
            crew = item.crew or self._crew
            batches.setdefault((id(crew), item.lists), []).append((item, hashes))
        for batch in batches.values():
            crew = batch[0][0].crew or self._crew
            self._decide(crew.screener, batch)

    def _decide(self, screener: Screener, batch: list[tuple[PendingItem, HashedInput]]) -> None:
        lists = batch[0][0].lists
        try:
            chosen = screener if lists is None else screener.select(lists)
            results = list(chosen.decide_if_sure([hashes for _, hashes in batch]))
        except Exception as error:  # such as a list that was deleted
            if len(batch) == 1:
                batch[0][0].future.set_exception(error)
                return
            for one in batch:
                self._decide(screener, [one])
            return
        for (item, hashes), result in zip(batch, results, strict=True):
            if result is not None:
                item.future.set_result(result)
                continue
            item.mode, item.seconds = HashMode.EXACT, hashes.seconds or 0.0
            with self._lock:
                self._waiting[item] = None
                self._waiting.move_to_end(item, last=False)

    def _end(self, error: BaseException | None) -> None:
        """End all processes, and fail the items that have no Result."""
        ended: ScreenerError = PoolClosed("the pool was closed before this item had a Result")
        if error is not None:
            ended = error if isinstance(error, ScreenerError) else WorkerError(repr(error))
        with self._lock:
            self._ended = ended
            items = [*self._running.values(), *self._waiting, *self._hashed]
            self._waiting.clear()
            self._hashed.clear()
            crews = [self._crew, *self._retiring]
        for crew in crews:
            crew.end()
        for item in items:
            with contextlib.suppress(Exception):  # cancelled meanwhile
                item.future.set_exception(ended)
        with self._lock:
            os.close(self._wake_up)
            os.close(self._waker)
