"""The items of a Pool that have no Result yet."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from screener.errors import Busy, PoolClosed, ScreenerError
from screener.media.name import Name
from screener.scanning.crews import Crew
from screener.scanning.uploads import Upload
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import HashMode
from screener.screening.result import Result

_COSTLY_DIVISOR = 8  # of the places for waiting items, one in so many may have a costly one


class Outcome(NamedTuple):
    """An item's hashes, and its Result unless it was only hashed."""

    hashes: HashedInput
    result: Result | None = None


@dataclass(eq=False)
class PendingItem:
    """An item of a Pool, from the call until its `future` has the outcome.

    Attributes:
        label: The name that the caller gave.
        lists: The names of the lists to match it against; None for all.
        key: Who sent it, to limit the costly items of each.
        upload: The item as a worker opens it.
        hashed: Its hashes, if the caller's thread made them.
        crew: The workers that hash it, or those at the time when its caller's thread did; unset
            before it is queued.
        hash_only: It is not matched.
        costly: It may occupy a worker for long.
        seconds: The processor time of an earlier attempt.
    """

    label: Name
    lists: frozenset[str] | None = None
    key: str | None = None
    future: Future[Outcome] = field(default_factory=Future)
    upload: Upload | None = None
    hashed: HashedInput | None = None
    crew: Crew = field(init=False)
    mode: HashMode = HashMode.NORMAL
    hash_only: bool = False
    costly: bool = False
    seconds: float = 0.0

    def begin(self) -> bool:
        """Note that it is being screened; return False if it was cancelled before."""
        return self.future.running() or self.future.set_running_or_notify_cancel()

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

    def finish(self, outcome: Outcome) -> None:
        """Set the outcome, after the item's memory is free."""
        self.close()  # before its caller goes on
        self.future.set_result(outcome)

    def fail(self, error: BaseException) -> None:
        """Let its caller raise an error, unless that has gone."""
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(error)

    def close(self) -> None:
        """Free the memory of the item."""
        if self.upload is not None:
            self.upload.close()


class ItemQueue:
    """Items that threads add, and that one thread takes.

    An item occupies a place from `reserve` until its future is done. Costly items wait in a lane of
    their own, which has an eighth of the places for waiting items. `descriptor` is readable if
    something was added since `take_hashed`, or if that thread was woken.
    """

    def __init__(self, jobs: int, queue: int) -> None:
        """Make an empty queue for `queue` items beside those that `jobs` workers have."""
        self._places = jobs + queue
        self._costly_places = max(2, queue // _COSTLY_DIVISOR)
        self._half_free = self._places - (queue + 1) // 2
        # The garbage collector may close the queue in a thread that is in one of its methods.
        self._lock = threading.RLock()
        self._taken = 0  # places
        self._full_since: float | None = None
        self._lanes: dict[bool, OrderedDict[PendingItem, None]] = {
            costly: OrderedDict() for costly in (False, True)
        }
        self._costly: set[PendingItem] = set()  # those that have a place
        self._took_costly = False  # the last one
        self._hashed: list[PendingItem] = []
        self._closing = False
        self._ended: ScreenerError | None = None
        self._woken = False
        self.descriptor, self._waker = os.pipe()
        for end in (self.descriptor, self._waker):
            os.set_blocking(end, False)

    @property
    def ended(self) -> bool:
        """Whether `end` was called."""
        return self._ended is not None

    @property
    def finished(self) -> bool:
        """Whether it was closed and no item occupies a place."""
        return self._closing and not self._taken

    @property
    def waits(self) -> bool:
        """Whether an item waits for a worker."""
        return any(self._lanes.values())

    def reserve(
        self, label: Name, lists: frozenset[str] | None = None, key: str | None = None
    ) -> PendingItem:
        """Return a new item. Raises Busy if all places are taken, PoolClosed after `close`."""
        with self._lock:
            if self._closing or self._ended is not None:
                raise self._ended or PoolClosed("the pool is closed")
            now = time.monotonic()
            if self._taken >= self._places:
                seconds = 0.0 if self._full_since is None else now - self._full_since
                raise Busy(
                    f"the pool has {self._taken} items already, and has been full for"
                    f" {seconds:.1f} s: try again later",
                    seconds,
                )
            self._taken += 1
            if self._taken == self._places and self._full_since is None:
                self._full_since = now
        item = PendingItem(label, lists, key)
        item.future.add_done_callback(lambda _: self._release(item))
        return item

    def _release(self, item: PendingItem) -> None:
        """Free the place and the memory of an item that is done or was cancelled."""
        with self._lock:
            self._taken -= 1
            if self._taken <= self._half_free:
                self._full_since = None
            self._costly.discard(item)
            self._lanes[item.costly].pop(item, None)
            if self._closing:
                self._wake()
        item.close()

    def add(self, item: PendingItem) -> None:
        """Add an item with its upload or hashes.

        Raises Busy if there is no place for a costly one, and the error of `end` after that.
        """
        with self._lock:
            if self._ended is not None:
                raise self._ended
            if item.future.done():  # cancelled while it was read
                item.close()
                return
            if item.hashed is None:
                if item.costly:
                    self._check_costly(item.key)
                    self._costly.add(item)
                self._lanes[item.costly][item] = None
            else:
                self._hashed.append(item)
            self._wake()

    def _check_costly(self, key: str | None) -> None:
        """Raise Busy if no costly item has a place. Those of one key have half of the places."""
        same = sum(item.key == key for item in self._costly)
        full = len(self._costly) >= self._costly_places
        if full or (key is not None and same >= self._costly_places // 2):
            whose = "" if full else " of this key"
            raise Busy(
                f"the pool has {len(self._costly) if full else same} costly items{whose} already:"
                " try again later",
                0.0,
            )

    def take(self, *, costly: bool) -> PendingItem | None:
        """Take an item that waits for a worker, a costly one only if `costly`; or None.

        If both kinds wait, they alternate.
        """
        with self._lock:
            for kind in (False, True) if self._took_costly else (True, False):
                lane = self._lanes[kind]
                while lane and (costly or not kind):
                    item, _ = lane.popitem(last=False)
                    if item.begin():
                        self._took_costly = kind
                        return item
        return None

    def take_hashed(self) -> list[PendingItem]:
        """Take all items that their callers' threads hashed."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.descriptor, 64)
        with self._lock:
            self._woken = False
            items, self._hashed = self._hashed, []
        return [item for item in items if item.begin()]

    def put_back(self, items: Iterable[PendingItem]) -> None:
        """Let items that were taken wait again, before all others."""
        with self._lock:
            for item in reversed(list(items)):
                self._lanes[item.costly][item] = None
                self._lanes[item.costly].move_to_end(item, last=False)
            self._wake()

    def close(self) -> None:
        """Refuse further items."""
        with self._lock:
            self._closing = True
            self._wake()

    def wake(self) -> None:
        """Wake the thread that takes items."""
        with self._lock:
            self._wake()

    def _wake(self) -> None:
        if not self._woken and self._ended is None:
            self._woken = True
            with contextlib.suppress(BlockingIOError):
                os.write(self._waker, b"w")

    def end(self, error: ScreenerError) -> list[PendingItem]:
        """Refuse all items with an error; return those that nobody has taken."""
        with self._lock:
            self._ended = error
            items = [*self._lanes[False], *self._lanes[True], *self._hashed]
            for lane in self._lanes.values():
                lane.clear()
            self._hashed.clear()
            os.close(self.descriptor)
            os.close(self._waker)
        return items
