"""The thread of a Pool that looks up the hashes of its items."""

from __future__ import annotations

import contextlib
import logging
import threading
from queue import Empty, SimpleQueue

from screener.scanning.crews import Crew
from screener.scanning.item_queue import ItemQueue, Outcome, PendingItem
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import HashMode
from screener.screening.screener import Screener

_log = logging.getLogger(__name__)

Hashed = tuple[PendingItem, HashedInput]


class MatchThread:
    """A thread that sets the outcomes of items, in the order in which they were hashed.

    A search begins at once. Items that are hashed meanwhile share the next one. So no worker waits
    for a search, and no item for a batch to fill.
    """

    def __init__(self, queue: ItemQueue) -> None:
        """Start the thread. Items that must be hashed again are put back into the queue."""
        self._queue = queue
        self._hashed: SimpleQueue[Hashed | None] = SimpleQueue()
        # A daemon, like the thread of the dispatcher, which ends it.
        self.thread = threading.Thread(target=self._run, name="screener-matcher", daemon=True)
        self.thread.start()

    def add(self, item: PendingItem, hashes: HashedInput) -> None:
        """Let an item be matched by its hashes."""
        self._hashed.put((item, hashes))

    def end(self) -> None:
        """Wait until all items that were added are matched, and end the thread."""
        self._hashed.put(None)
        self.thread.join()

    def _run(self) -> None:
        is_ending = False
        while not is_ending:
            batch, hashed = [], self._hashed.get()
            with contextlib.suppress(Empty):
                while hashed is not None:
                    batch.append(hashed)
                    hashed = self._hashed.get_nowait()
                is_ending = True
            try:
                self._match(batch)
            except BaseException as error:
                _log.exception("a pool could not match what it hashed")
                for item, _ in batch:
                    item.fail(error)

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
