"""The thread of a Pool that gives items to workers and collects their hashes."""

from __future__ import annotations

import atexit
import logging
import os
import threading

from screener.errors import MediaError, PoolClosed, ScreenerError, WorkerError
from screener.media.image.structure import cost
from screener.media.name import Name
from screener.media.source import Item
from screener.scanning.crews import Crews
from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.item_queue import ItemQueue, PendingItem
from screener.scanning.match_thread import MatchThread
from screener.scanning.uploads import open_upload
from screener.scanning.workers.protocol import Task
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Target
from screener.screening.result import Reason
from screener.screening.screener import Screener

_log = logging.getLogger(__name__)


class Dispatcher:
    """The items and workers of a Pool in one process, and the thread that brings them together.

    Any thread may call its public methods.
    """

    def __init__(self, screener: Screener, jobs: int, queue: int, *, exact: bool = False) -> None:
        """Start workers and wait until they are ready. Raises WorkerError if that fails."""
        self.process = os.getpid()
        self._crews = Crews(screener, jobs, exact=exact)
        self._queue = ItemQueue(jobs, queue)
        self._most_costly = max(1, jobs // 2)  # under way
        self._running: dict[Task, PendingItem] = {}
        self._matcher = MatchThread(self._queue)
        self._aborting = False
        # A daemon, since others would keep the program from its end; `atexit` ends it before that.
        self._thread = threading.Thread(target=self._run, name="screener-pool", daemon=True)
        self._thread.start()
        atexit.register(self.close, 0.0)

    @property
    def ended(self) -> bool:
        """Whether no further item can be screened, because of an error or `close`."""
        return self._queue.ended

    def reserve(
        self, label: Name, lists: frozenset[str] | None, key: str | None = None
    ) -> PendingItem:
        """Return a new item. Raises Busy if there is no place for it, PoolClosed after `close`."""
        return self._queue.reserve(label, lists, key)

    def submit(self, pending: PendingItem, item: Item) -> None:
        """Read or open an item, and queue it.

        Raises Busy if there is no place for a costly one, and the error that ended the dispatcher.
        """
        crew = self._crews.current
        pending.crew = crew
        opened = open_upload(item, crew.screener.hasher)
        if isinstance(opened, HashedInput):
            pending.hashed = opened
        else:
            pending.upload, pending.costly = opened, cost.is_costly(opened.path)
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
        if threading.current_thread() in (self._thread, self._matcher.thread):
            # The garbage collector, which runs in any thread.
            self._aborting = True
            self._queue.close()
            return
        self._queue.close()
        self._thread.join(deadline)
        self._aborting = True
        self._queue.wake()
        self._thread.join()

    def _run(self) -> None:
        """Screen items until `close`, in the thread."""
        ended: ScreenerError = PoolClosed("the pool was closed before this item had a Result")
        try:
            while True:
                for item in self._queue.take_hashed():
                    if item.hashed is not None:
                        self._matcher.add(item, item.name_hashes(item.hashed, None))
                if self._matcher.error is not None:
                    raise self._matcher.error
                if self._is_over():  # checked after the wake-up was taken
                    break
                self._assign()
                self._collect()
        except BaseException as error:
            _log.exception("a pool of workers failed")
            atexit.unregister(self.close)
            ended = error if isinstance(error, ScreenerError) else WorkerError(repr(error))
        unmatched = self._matcher.end()
        items = [*self._running.values(), *unmatched, *self._queue.end(ended)]
        self._crews.end()
        for item in items:
            item.fail(ended)

    def _is_over(self) -> bool:
        return self._aborting or self._queue.finished

    def _assign(self) -> None:
        """Give each idle worker one waiting item, so that no item waits for a slow one.

        Costly items hold at most half of the workers.
        """
        crew = self._crews.current
        while (worker := crew.workers.idle()) is not None:
            costly = sum(item.costly for item in self._running.values()) < self._most_costly
            item = self._queue.take(costly=costly)
            if item is None or item.upload is None:
                return
            item.crew = crew
            self._running[worker.take(Target(item.upload.path), None, item.mode)] = item

    def _collect(self) -> None:
        """Wait for finished items or a wake-up, and let the finished items be matched."""
        awaited = Awaited((self._queue.descriptor,))
        try:
            finished = self._crews.poll(awaited, waits=self._queue.waits)
        except WorkerError as error:
            self._queue.put_back(self._running.values())
            self._running.clear()
            self._crews.restart(error)
            return
        for done in finished:
            item = self._running.pop(done.task)
            hashed = done.outcome
            if not isinstance(hashed, HashedInput):  # of a worker that an item has taken over
                crash = MediaError(str(Reason.CRASHED), "its worker sent no hashes")
                hashed = HashedInput(Name(), error=crash)
            self._matcher.add(item, item.name_hashes(hashed, done.seconds))
