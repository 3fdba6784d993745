"""The Service: lists, workers, keys and counts of one server process."""

from __future__ import annotations

import asyncio
import io
import logging
import random
import threading
import time
from collections.abc import Callable
from functools import partial

from PIL import Image

from screener.errors import Busy, PolicyError, ScreenerError, WorkerError
from screener.hashing.hash import KINDS, HashKind
from screener.hashing.pdq import PDQ
from screener.scanning.pool import Pool
from screener.screening.policy import Policy
from screener.screening.screener import Screener
from screener.service.accepted_lists import AcceptedLists
from screener.service.access_log import AccessLog
from screener.service.keys import Keys
from screener.service.limits import Buffer
from screener.service.matching import Matcher
from screener.service.metrics import Metrics
from screener.service.problems import Problem
from screener.service.reverse import Reverse
from screener.service.settings import Settings

_log = logging.getLogger(__name__)

_JITTER = 0.2  # of the time between two looks, so that many servers do not look at once
_PROBE_SECONDS = 5.0  # between two pictures that show whether workers work


class Service:
    """What the routes of a service share.

    Attributes:
        settings: The settings.
        pool: The workers; its Screener has the generations in use.
        matcher: The look-up of hashes without a worker.
        keys: The keys, or None if every request may do everything.
        metrics: The counts.
        access_log: A line for each request.
        buffer: The memory for bodies.
        accepted_lists: The counts last accepted of each list.
        reverse: The hashes of uploads, or None if none are stored.

    Raises:
        ServiceError: If the keys cannot be read.
        ScreenerError: If a list or the policy cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keys = None if settings.keys is None else Keys.load(settings.keys)
        policy = Policy() if settings.policy is None else Policy.load(settings.policy)
        keeps = settings.keep_hashes is not None
        self.accepted_lists = AcceptedLists(settings)
        screener = Screener(
            list(map(self.accepted_lists.open, settings.lists)),
            policy=policy,
            extra_kinds=_choose_extra_kinds(settings),
        )
        self.pool = Pool(screener, jobs=settings.jobs, queue=settings.queue, exact=keeps)
        self.matcher = Matcher(lambda: self.screener)
        self.buffer = Buffer(settings.buffered_bytes)
        self.metrics = Metrics()
        self.access_log = AccessLog(settings.access_log)
        self.metrics.on_shadow = self.access_log.write_shadow
        self.metrics.watch_lists(lambda: self.screener)
        self.metrics.buffered.set_function(lambda: self.buffer.taken)
        self.metrics.ready.set_function(lambda: not self.find_problems())
        self.reverse: Reverse | None = None
        if keeps:
            self.reverse = Reverse(settings, lambda: self.screener, self.metrics.registry)
        self.stopping = False
        # Of readiness: the problem if a check returns False.
        self.checks: dict[str, Callable[[], bool]] = {}
        # Called in a thread at the end.
        self.on_stop: list[Callable[[], None]] = [self.access_log.close]
        self._lists_open = True
        self._workers_work = True
        self._policy_error: str | None = None
        self._logged_problems: list[str] = []
        self._changing = threading.Lock()  # of lists and policy in use
        self._expires = _find_expiry(screener)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def screener(self) -> Screener:
        """The Screener of the generations in use."""
        return self.pool.screener

    async def start(self) -> None:
        """Start the workers, and look for newer lists from now on. Raises WorkerError."""
        await asyncio.to_thread(self.screener.warm)
        await asyncio.to_thread(self.pool.__enter__)
        await asyncio.to_thread(self.accepted_lists.store, self.screener.lists)
        if self.reverse is not None:
            self.reverse.start()
        self._tasks = [
            asyncio.create_task(self._watch_lists()),
            asyncio.create_task(self._watch_workers()),
        ]

    async def stop(self) -> None:
        """End the workers; what is under way then has no answer."""
        self.stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        ends: list[Callable[[], None]] = [
            partial(self.pool.close, 1.0),
            self.matcher.close,
            *self.on_stop,
        ]
        if self.reverse is not None:
            ends.append(self.reverse.stop)
        for end in ends:
            try:
                await asyncio.to_thread(end)
            except Exception as error:  # the others must end too
                _log.error("a part of the service did not stop cleanly: %s", type(error).__name__)

    def check(self) -> None:
        """Raise a Problem if nothing may be screened, since a list is too old."""
        if time.time() > self._expires:
            raise Problem(
                503, "list_too_old", "a list is older than the policy allows: import a newer file"
            )

    def note_refusal(self, status: int, code: str) -> None:
        """Log and count a refused connection, which sent no complete request."""
        self.metrics.count_refusal(code)
        self.access_log.write({"method": "other", "route": "other", "status": status, "code": code})

    def find_problems(self) -> list[str]:
        """Return why the service is not ready: an empty list if it is."""
        problems = []
        if self.stopping:
            problems.append("stopping")
        if time.time() > self._expires:
            problems.append("list_too_old")
        if not self._lists_open:
            problems.append("list_unavailable")
        if self.accepted_lists.shrunk:
            problems.append("list_shrunk")
        if not self._workers_work:
            problems.append("no_workers")
        return problems + [name for name, check in self.checks.items() if not check()]

    async def refresh(self) -> None:
        """Move to the newest generations of the lists.

        If that fails, it raises the error, and the service continues with the old ones.
        """
        try:
            await self.change_lists(_open_newest)
        except Exception as error:  # if a list is too old, `check` reports it
            # Nor are lists at fault if workers of other kinds do not start.
            self._lists_open = isinstance(error, PolicyError | WorkerError)
            raise
        self._lists_open = True

    async def change_lists(self, change: Callable[[Screener], Screener]) -> None:
        """Move to the Screener that `change` returns for the current one, in a thread.

        One change waits for another, so that none undoes another. Raises the errors of `change` and
        `swap`.
        """
        await asyncio.to_thread(self._change_lists, change)

    def _change_lists(self, change: Callable[[Screener], Screener]) -> None:
        with self._changing:
            newest = self.accepted_lists.choose(self.screener, change(self.screener))
            if newest is not self.screener:
                self.swap(newest)
                self.accepted_lists.store(newest.lists)

    def swap(self, screener: Screener) -> None:
        """Match what comes from now on against another Screener.

        It blocks while new workers start, if the lists have other kinds of hashes. Raises
        WorkerError if that fails.
        """
        self._adopt(screener)
        self.metrics.swaps.inc()
        states = ", ".join(f"{one.name}:{one.generation}" for one in screener.lists)
        _log.info("lists in use: %s", states)

    def _adopt(self, screener: Screener) -> None:
        self.pool.adopt(screener)
        self._expires = _find_expiry(screener)
        if self.reverse is not None:
            self.reverse.after_swap()

    async def reload_policy(self) -> None:
        """Read the policy file again, and decide by it from now on if it has changed.

        If it cannot be used, the old policy stays; the log says so once, and the metrics until the
        file is repaired.
        """
        try:
            await asyncio.to_thread(self._adopt_policy)
            self._policy_error = None
        except ScreenerError as error:
            if str(error) != self._policy_error:
                _log.error("the service continues with its old policy: %s", error)
            self._policy_error = str(error)
        self.metrics.policy_broken.set(self._policy_error is not None)

    def _adopt_policy(self) -> None:
        if self.settings.policy is None:
            return
        policy = Policy.load(self.settings.policy)
        with self._changing:
            if policy == self.screener.policy:
                return
            screener = self.screener.with_lists(self.screener.lists, policy=policy)
            self._adopt(screener)
        self.metrics.policy_reloads.inc()
        _log.info("policy in use: %s", policy.fingerprint)

    def reload_keys(self) -> None:
        """Read the file of keys again. Raises ServiceError; the old keys stay then.

        If the last key was removed, no key is valid: every request that needs one is refused.
        """
        if self.settings.keys is not None:
            keys = Keys.load(self.settings.keys, allow_none=True)
            if not keys and self.keys:
                _log.warning("%s has no key any more: all are refused", self.settings.keys)
            self.keys = keys

    async def _watch_lists(self) -> None:
        while True:
            await asyncio.sleep(
                self.settings.poll_seconds * random.uniform(1 - _JITTER, 1 + _JITTER)
            )
            for look in (self.reload_policy, self._reload_keys_in_thread, self.refresh):
                try:
                    await look()
                except ScreenerError as error:
                    self.metrics.failed_refreshes.inc()
                    _log.warning("the service continues with what it has: %s", error)
                except Exception as error:
                    self.metrics.failed_refreshes.inc()
                    _log.error("a look for newer lists failed: %s", type(error).__name__)

    async def _reload_keys_in_thread(self) -> None:
        await asyncio.to_thread(self.reload_keys)

    async def _watch_workers(self) -> None:
        while True:
            try:
                await self.pool.ascreen(_PICTURE, timeout=self.settings.answer_seconds)
                self._workers_work = True
            except Busy:
                pass
            except (WorkerError, TimeoutError):
                self._workers_work = False
            except Exception as error:  # a list's, which is reported elsewhere
                _log.warning("a probe failed: %s", type(error).__name__)
            self._log_problems()
            await asyncio.sleep(_PROBE_SECONDS)

    def _log_problems(self) -> None:
        """Log why the service is not ready, if that has changed."""
        problems = self.find_problems()
        if problems != self._logged_problems:
            self._logged_problems = problems
            if problems:
                _log.error("not ready: %s", ", ".join(problems))
            else:
                _log.info("ready again")


def _open_newest(screener: Screener) -> Screener:
    newest = screener.refresh()
    if newest is not screener:
        newest.warm()
    return newest


def _choose_extra_kinds(settings: Settings) -> list[HashKind]:
    """Return the kinds that are computed even if no list has them."""
    kinds = [PDQ] if settings.hma else []  # HMA's clients ask for it
    if settings.keep_hashes is not None:  # a newer list may have them
        kinds += [kind for kind in KINDS.values() if kind.digest]
    return kinds


def _find_expiry(screener: Screener) -> float:
    """Return the time from which a list is older than the policy allows."""
    if screener.policy.max_list_age is None:
        return float("inf")
    oldest = max((hash_list.age_s() for hash_list in screener.aging), default=0.0)
    return time.time() - oldest + screener.policy.max_list_age


def _draw_picture() -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8), 128).save(file, "PNG")
    return file.getvalue()


_PICTURE = _draw_picture()
