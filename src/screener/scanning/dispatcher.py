"""The thread of a Pool that gives items to workers and looks up their hashes."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time

from screener.errors import MediaError, PoolClosed, ScreenerError, WorkerError
from screener.media.name import Name
from screener.media.source import Item
from screener.scanning.crews import Crew, Crews
from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.item_queue import ItemQueue, Outcome, PendingItem
from screener.scanning.uploads import open_upload
from screener.scanning.workers.protocol import Task
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import HashMode, Target
from screener.screening.result import Reason
from screener.screening.screener import Screener

_log = logging.getLogger(__name__)

# While items wait for workers, hashes are looked up together with those of this time. If none
# waits, they are looked up at once.
_BATCH_SECONDS = 0.001

_Batch = list[tuple[PendingItem, HashedInput]]


class Dispatcher:
    """The items and workers of a Pool in one process, and the thread that brings them together.

    Any thread may call its public methods.
    """

    def __init__(self, screener: Screener, jobs: int, queue: int, *, exact: bool = False) -> None:
        """Start workers and wait until they are ready. Raises WorkerError if that fails."""
        self.process = os.getpid()
        self._crews = Crews(screener, jobs, exact=exact)
        self._queue = ItemQueue(jobs, queue)
        self._running: dict[Task, PendingItem] = {}
        self._batch: _Batch = []  # being gathered or looked up
        self._aborting = False
        # A daemon, since others would keep the program from its end; `atexit` ends it before that.
        self._thread = threading.Thread(target=self._run, name="screener-pool", daemon=True)
        self._thread.start()
        atexit.register(self.close, 0.0)

    @property
    def ended(self) -> bool:
        """Whether no further item can be screened, because of an error or `close`."""
        return self._queue.ended

    def reserve(self, label: Name, lists: frozenset[str] | None) -> PendingItem:
        """Return a new item. Raises Busy if there is no place for it, PoolClosed after `close`."""
        return self._queue.reserve(label, lists)

    def submit(self, pending: PendingItem, item: Item) -> None:
        """Read or open an item, and queue it. Raises the error that ended the dispatcher."""
        crew = self._crews.current
        opened = open_upload(item, crew.screener.hasher)
        if isinstance(opened, HashedInput):
            pending.hashed, pending.crew = opened, crew
        else:
            pending.upload = opened
        self._queue.add(pending)

    def adopt(self, screener: Screener) -> None:
        """Match the next items against another Screener. Raises WorkerError."""
        self._crews.adopt(screener)
        self._queue.wake()

    def close(self, deadline: float | None) -> None:
        """Wait up to `deadline` seconds for the items, fail the others, and end all processes.

        In a fork of the process, do nothing.
        """
        if self.process != os.getpid():
            return
        atexit.unregister(self.close)
        self._queue.close()
        if threading.current_thread() is self._thread:  # by the garbage collector
            self._aborting = True
            return
        self._thread.join(deadline)
        self._aborting = True
        self._queue.wake()
        self._thread.join()

    def _run(self) -> None:
        """Screen items until `close`, in the thread."""
        ended: ScreenerError = PoolClosed("the pool was closed before this item had a Result")
        try:
            while not self._is_over():
                self._look_up(self._gather())
        except BaseException as error:
            _log.exception("a pool of workers failed")
            atexit.unregister(self.close)
            ended = error if isinstance(error, ScreenerError) else WorkerError(repr(error))
        gathered = [item for item, _ in self._batch]
        items = [*self._running.values(), *gathered, *self._queue.end(ended)]
        self._crews.end()
        for item in items:
            with contextlib.suppress(Exception):  # cancelled meanwhile
                item.future.set_exception(ended)

    def _is_over(self) -> bool:
        return self._aborting or self._queue.finished

    def _gather(self) -> _Batch:
        """Wait for hashes, and return all that come at once; none if the thread was only woken."""
        batch = self._batch = []
        until: float | None = None
        while True:
            for item in self._queue.take_hashed():
                if item.hashed is not None:
                    batch.append((item, item.name_hashes(item.hashed, None)))
            if not batch and self._is_over():  # checked after the wake-up was taken
                return batch
            self._assign()
            now = time.monotonic()
            if batch and until is None:
                until = now + (_BATCH_SECONDS if self._queue.waits else 0.0)
            if until is not None and now >= until:
                return batch
            batch += self._collect(None if until is None else until - now)
            if not batch:
                return batch

    def _assign(self) -> None:
        """Give each idle worker one waiting item, so that no item waits for a slow one."""
        crew = self._crews.current
        while (worker := crew.workers.idle()) is not None:
            item = self._queue.take()
            if item is None or item.upload is None:
                return
            item.crew = crew
            self._running[worker.take(Target(item.upload.path), None, item.mode)] = item

    def _collect(self, seconds: float | None) -> _Batch:
        """Wait for finished items, a wake-up or so many seconds; return the finished items."""
        awaited = Awaited((self._queue.descriptor,))
        try:
            finished = self._crews.poll(awaited, seconds, waits=self._queue.waits)
        except WorkerError as error:
            self._queue.put_back(self._running.values())
            self._running.clear()
            self._crews.restart(error)
            return []
        batch: _Batch = []
        for done in finished:
            item = self._running.pop(done.task)
            hashed = done.outcome
            if not isinstance(hashed, HashedInput):  # of a worker that an item has taken over
                crash = MediaError(str(Reason.CRASHED), "its worker sent no hashes")
                hashed = HashedInput(Name(), error=crash)
            batch.append((item, item.name_hashes(hashed, done.seconds)))
        return batch

    def _look_up(self, batch: _Batch) -> None:
        """Match items against the generations of their crew's Screener, in one search for each."""
        by_lists: dict[tuple[Crew, frozenset[str] | None], _Batch] = {}
        for item, hashes in batch:
            if item.hash_only:
                item.future.set_result(Outcome(hashes))
                continue
            crew = item.crew or self._crews.current
            by_lists.setdefault((crew, item.lists), []).append((item, hashes))
        for (crew, _), part in by_lists.items():
            self._decide(crew.screener, part)

    def _decide(self, screener: Screener, batch: _Batch) -> None:
        """Set the Results of items for the same lists; hash again those whose doubts decide."""
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
                item.close()  # before its caller goes on
                item.future.set_result(Outcome(hashes, result))
                continue
            item.mode, item.seconds = HashMode.EXACT, hashes.seconds or 0.0
            self._queue.put_back([item])
