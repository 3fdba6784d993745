"""The Pool, which screens single items in worker processes that may die of them."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Collection
from dataclasses import replace
from types import TracebackType

from screener.arguments import integer_within
from screener.errors import PolicyError, PoolClosed
from screener.media.name import Name
from screener.media.source import Item
from screener.scanning.dispatcher import Dispatcher
from screener.scanning.item_queue import Outcome
from screener.scanning.scan import check_classic, check_jobs
from screener.scanning.uploads import check_upload, is_quick
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import HashMode
from screener.screening.result import Result
from screener.screening.screener import Screener, check_screener, parse_name
from screener.system.process import count_cores

_MAX_QUEUE = 1 << 20

_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


class Pool:
    """Worker processes that screen items as they come; a context manager that ends them.

    An item affects only its own Result: `crashed` if it crashes its worker, `timeout` if it takes
    more than `seconds` of processor time or ten times as much wall time, `too_large` if it needs
    more than `memory` bytes. An exception says nothing about an item, which is then unscreened:
    screen it again.

    An item that declares more than 33 megapixels, as width × height × frames, or is a video of more
    than 8 MiB, is costly. Costly items hold at most half of the workers, and with one worker
    alternate with others; an eighth of `queue` of them may be under way.

    Threads and tasks of asyncio may share a Pool. Workers start with the first item, or when a
    `with` block is entered. In a fork of the process, the Pool starts workers of its own.

    A program that is a script needs an `if __name__ == "__main__":` guard, as for `scan`.

    Parameters:
        screener: The lists and the policy.
        jobs: The number of worker processes (default: the cores of this process).
        seconds: The processor time of one item (default: that of the policy).
        memory: The bytes of memory of one worker (default: those of the policy).
        queue: The number of items that may wait for a worker.
        exact: Hash exactly, which takes longer, so that hashes can be stored (`ascreen_hashed`).

    Raises:
        TypeError: If `screener` is not one.
        PolicyError: If another argument is out of range.
    """

    def __init__(
        self,
        screener: Screener,
        *,
        jobs: int | None = None,
        seconds: float | None = None,
        memory: int | None = None,
        queue: int = 256,
        exact: bool = False,
    ) -> None:
        check_screener(screener, "Pool()")
        count = integer_within(queue, 1, _MAX_QUEUE)
        if count is None:
            raise PolicyError(f"queue must be an integer from 1 to {_MAX_QUEUE}, not {queue!r}")
        policy = screener.policy
        policy = policy if seconds is None else replace(policy, seconds=seconds)
        policy = policy if memory is None else replace(policy, memory=memory)
        check_classic(policy, screener.kinds)
        if policy != screener.policy:
            screener = screener.with_lists(screener.lists, policy=policy)
        self._screener = screener
        self._jobs = check_jobs(jobs) or count_cores()
        self._queue = count
        self._exact = exact
        self._closed = False
        self._dispatcher: Dispatcher | None = None
        self._lock = threading.Lock()  # of the dispatcher
        self._refreshing = threading.Lock()
        _pools.add(self)

    def __repr__(self) -> str:
        return f"<Pool of {self._jobs} workers, {self.screener!r}>"

    @property
    def screener(self) -> Screener:
        """The Screener of the generations that the next item is matched against."""
        return self._screener

    def screen(
        self,
        item: Item,
        *,
        name: str | None = None,
        timeout: float | None = None,
        lists: Collection[str] | None = None,
    ) -> Result:
        """Screen one item and return its Result, as `Screener.screen` would.

        Arrays and Pillow images are hashed in this thread, since nothing of them is decoded.

        Parameters:
            item: A path, bytes, file object, Pillow image, or RGB or grey array.
            name: The name in the Result; by default that of a file, None for bytes and pixels.
            timeout: The seconds of wall time to wait for the Result.
            lists: The names of the lists to match it against (default: all).

        Raises:
            TypeError: If the item is of another type, or is an image that Pillow would decode in
                this process.
            HashError: If an array has the wrong shape or numbers.
            Busy: If the queue is full, or if the item is costly and as many are under way already.
            TimeoutError: If there is no Result in time. The item is unscreened.
            PoolClosed: If the pool was closed.
            WorkerError: If workers cannot be started.
            ListError, IndexFileError: If a list cannot be read, or another has taken its place.
            OSError: If the system has no memory or descriptor for a copy.
        """
        check_upload(item)
        label, chosen = parse_name(name), None if lists is None else frozenset(lists)
        dispatcher = self._start()
        pending = dispatcher.reserve(label, chosen)
        try:
            dispatcher.submit(pending, item)
            return _take_result(pending.future.result(timeout))
        except TimeoutError:
            if pending.future.done():
                raise  # an error of the item's own
            raise TimeoutError(f"no Result within {timeout} s: the item is unscreened") from None
        finally:
            pending.future.cancel()

    async def ascreen(
        self,
        item: Item,
        *,
        name: str | None = None,
        timeout: float | None = None,
        lists: Collection[str] | None = None,
    ) -> Result:
        """Screen one item without blocking the event loop; otherwise like `screen`.

        If the task is cancelled, an item that still waits is dropped; a worker that has begun with
        it finishes it.
        """
        return (await self.ascreen_hashed(item, name=name, timeout=timeout, lists=lists))[0]

    async def ascreen_hashed(
        self,
        item: Item,
        *,
        name: str | None = None,
        timeout: float | None = None,
        lists: Collection[str] | None = None,
        key: str | None = None,
    ) -> tuple[Result, HashedInput]:
        """Return the Result of `ascreen` and the hashes that it was made from.

        Those of a Pool that is `exact` can be stored in a HashCache. `key` says who sent the item:
        one key may have half of the places for costly items.
        """
        label, chosen = parse_name(name), None if lists is None else frozenset(lists)
        outcome = await self._await_outcome(item, label, chosen, timeout, key, hash_only=False)
        return _take_result(outcome), outcome.hashes

    async def ahash(
        self, item: Item, *, timeout: float | None = None, key: str | None = None
    ) -> HashedInput:
        """Return an item's hashes, without bits in doubt and without matching them.

        They are of the kinds of the Screener. An item that could not be hashed completely has an
        `error`, as after `crashed` or `timeout`. Otherwise like `ascreen`.
        """
        return (await self._await_outcome(item, Name(), None, timeout, key, hash_only=True)).hashes

    async def _await_outcome(
        self,
        item: Item,
        label: Name,
        lists: frozenset[str] | None,
        timeout: float | None,
        key: str | None,
        *,
        hash_only: bool,
    ) -> Outcome:
        check_upload(item)
        if self._find_dispatcher() is None:
            await asyncio.to_thread(self._start)
        dispatcher = self._start()
        pending = dispatcher.reserve(label, lists, key)
        if hash_only:
            pending.hash_only, pending.mode = True, HashMode.EXACT
        try:
            async with asyncio.timeout(timeout):
                if is_quick(item):
                    dispatcher.submit(pending, item)
                else:
                    await asyncio.to_thread(dispatcher.submit, pending, item)
                return await asyncio.wrap_future(pending.future)
        finally:
            pending.future.cancel()

    def refresh(self) -> Screener:
        """Move to the newest generations of the lists; return the Screener that has them.

        Items that come afterwards are matched against them; those under way against the old or
        the new ones, never a mixture. If the lists now have other kinds of hashes, new workers are
        started first, while the old ones work on.

        Raises:
            ListError: If a list cannot be opened. The pool continues with the old generations.
            PolicyError: If a list is now older than the policy allows. Likewise.
            HashError: If a list now has hashes that need the extra `hashes`. Likewise.
            WorkerError: If new workers cannot be started. Likewise.
            PoolClosed: If the pool was closed.
        """
        with self._refreshing:
            return self._adopt(self._screener.refresh())

    def adopt(self, screener: Screener) -> None:
        """Move to another Screener, as `refresh` does to one of newer lists.

        Its policy takes the place of this Pool's `seconds` and `memory`. Raises PolicyError if
        workers would have too little memory for classic hashes, else what `refresh` raises.
        """
        check_screener(screener, "adopt()")
        with self._refreshing:
            self._adopt(screener)

    def _adopt(self, screener: Screener) -> Screener:
        check_classic(screener.policy, screener.kinds)
        adopted: Dispatcher | None = None
        while True:  # another dispatcher may have started meanwhile
            with self._lock:
                if self._closed:
                    raise PoolClosed("the pool is closed")
                dispatcher = self._find_dispatcher()
                if dispatcher is adopted or screener is self._screener:
                    self._screener = screener
                    return screener
            if dispatcher is not None:
                dispatcher.adopt(screener)
            adopted = dispatcher

    def close(self, deadline: float | None = None) -> None:
        """Wait up to `deadline` seconds for the items under way, or until all are finished.

        Then end all workers. `screen` and `ascreen` raise PoolClosed for items that are not
        finished by then, and for all later ones.
        """
        with self._lock:
            self._closed = True
            dispatcher = self._find_dispatcher()
        if dispatcher is not None:
            dispatcher.close(deadline)

    def _find_dispatcher(self) -> Dispatcher | None:
        """Return the dispatcher, unless it failed or this process is a fork of its process."""
        dispatcher = self._dispatcher
        if dispatcher is None or dispatcher.ended or dispatcher.process != os.getpid():
            return None
        return dispatcher

    def _start(self) -> Dispatcher:
        """Return the dispatcher of this process; start one if there is none."""
        with self._lock:
            if self._closed:
                raise PoolClosed("the pool is closed")
            dispatcher = self._find_dispatcher()
            if dispatcher is None:
                dispatcher = Dispatcher(self._screener, self._jobs, self._queue, exact=self._exact)
                self._dispatcher = dispatcher
                weakref.finalize(self, dispatcher.close, 0.0).atexit = False
            return dispatcher

    def _forget(self) -> None:
        """In a fork: forget the threads and locks of the other process."""
        self._lock, self._refreshing = threading.Lock(), threading.Lock()
        self._dispatcher = None

    def __enter__(self) -> Pool:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _take_result(outcome: Outcome) -> Result:
    if outcome.result is None:
        raise RuntimeError("an item was hashed but not matched")
    return outcome.result


def _forget_all() -> None:
    for pool in list(_pools):
        pool._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
