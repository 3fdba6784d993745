"""The thread of a Pool that looks up the hashes of its items."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from screener.scanning.crews import Crew
from screener.scanning.item_queue import ItemQueue, Outcome, PendingItem
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import HashMode
from screener.screening.screener import Screener

Hashed = tuple[PendingItem, HashedInput]


class MatchThread:
    """A thread that sets the outcomes of items, in the order in which they were hashed.

    A search begins at once. Items that are hashed meanwhile share the next one. So no worker waits
    for a search, and no item for others. If the thread fails, `error` is set, and the thread that
    takes items from the queue is woken.
    """

    def __init__(self, queue: ItemQueue) -> None:
        """Start the thread. Items that must be hashed again are put back into the queue."""
        self.error: BaseException | None = None
        self._queue = queue
        self._hashed: SimpleQueue[Hashed | None] = SimpleQueue()
        self._batch: list[Hashed] = []
        self._ending = False
        # A daemon, like the thread of the dispatcher, which ends it.
        self.thread = threading.Thread(target=self._run, name="screener-match", daemon=True)
        self.thread.start()

    def add(self, item: PendingItem, hashes: HashedInput) -> None:
        """Let an item be matched by its hashes."""
        self._hashed.put((item, hashes))

    def end(self) -> list[PendingItem]:
        """End the thread after the search that it makes; return the items that were not matched."""
        self._ending = True
        self._hashed.put(None)
        self.thread.join()
        self._take()
        return [item for item, _ in self._batch]

    def _run(self) -> None:
        try:
            while True:
                self._take(self._hashed.get())
                if self._ending:
                    return
                self._match(self._batch)
                self._batch = []
        except BaseException as error:
            self.error = error
            self._queue.wake()

    def _take(self, hashed: Hashed | None = None) -> None:
        """Add an item to the batch, and all others that are there."""
        if hashed is not None:
            self._batch.append(hashed)
        while not self._hashed.empty():
            if (hashed := self._hashed.get_nowait()) is not None:
                self._batch.append(hashed)

    def _match(self, batch: list[Hashed]) -> None:
        """Match items against the generations of their crew's Screener, in one search for each."""
        by_lists: dict[tuple[Crew, frozenset[str] | None], list[Hashed]] = {}
        for item, hashes in batch:
            if item.hash_only:
                item.finish(Outcome(hashes))
            else:
                by_lists.setdefault((item.crew, item.lists), []).append((item, hashes))
        for (crew, lists), part in by_lists.items():
            self._decide(crew.screener, lists, part)

    def _decide(
        self, screener: Screener, lists: frozenset[str] | None, batch: list[Hashed]
    ) -> None:
        """Set the Results of items for the same lists; hash again those whose doubts decide."""
        try:
            chosen = screener if lists is None else screener.select(lists)
            results = list(chosen.decide_if_sure([hashes for _, hashes in batch]))
        except Exception as error:  # such as a list that was deleted
            if len(batch) == 1:
                batch[0][0].fail(error)
                return
            for one in batch:
                self._decide(screener, lists, [one])
            return
        for (item, hashes), result in zip(batch, results, strict=True):
            if result is not None:
                item.finish(Outcome(hashes, result))
                continue
            item.mode, item.seconds = HashMode.EXACT, hashes.seconds or 0.0
            self._queue.put_back([item])
