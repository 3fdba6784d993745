"""Reverse matching: hashes of uploads are stored, and newer lists are matched against them."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

from screener.errors import OutputError, ScreenerError, ServiceError, cause
from screener.lists.redaction import may_hold_hash
from screener.scanning.cache.hash_cache import HashCache, check_keep
from screener.scanning.rescan import rescan
from screener.screening.input.hash_item import HashedInput
from screener.screening.result import Match, Result
from screener.screening.screener import Screener
from screener.service.delivery import Delivery, MatchesFile
from screener.service.outbox import Answer, Outbox
from screener.service.settings import Settings
from screener.service.webhooks import Webhook, load_secrets
from screener.system.files import make_folder, open_private
from screener.system.locks import Lock

_log = logging.getLogger(__name__)

_MAX_WAITING = 1024  # uploads whose hashes are not stored yet
_BATCH = 256
_RETRY_SECONDS = 10.0
_FORGET_SECONDS = 3600.0  # between two erasures of old hashes
_STOP_SECONDS = 10.0
_MAX_NUMBER_DIGITS = 20  # of the entries of a source that numbers them

_Upload = tuple[HashedInput, Result, frozenset[str] | None]


class Reverse:
    """Stores the hashes of uploads, and reports those that match a newer generation.

    One thread stores, one matches and one delivers; no answer waits for any of them. What fails is
    tried again, logged, and counted in the metrics.

    Raises:
        ServiceError: If the folder, the secret or the URL cannot be used.
        OutputError: If the stored hashes cannot.
        PolicyError: If the number of days is out of range.
    """

    def __init__(
        self,
        settings: Settings,
        find_screener: Callable[[], Screener],
        registry: CollectorRegistry,
    ) -> None:
        assert settings.state is not None
        assert settings.keep_hashes is not None
        self._find_screener = find_screener
        self._days = check_keep(settings.keep_hashes)
        self._file = None if settings.matches_file is None else MatchesFile(settings.matches_file)
        self._webhook: Webhook | None = None
        if settings.webhook_url is not None and settings.webhook_secret is not None:
            self._webhook = Webhook(settings.webhook_url, load_secrets(settings.webhook_secret))
        self._lock_descriptor = _claim_folder(settings.state)
        self._outbox = Outbox(settings.state / "events.sqlite")
        self._cache = HashCache.open(
            settings.state / "hashes.cache", keep=self._days, weights=settings.keep_weights
        )
        self._delivery = Delivery(
            self._outbox, file=self._file, webhook=self._webhook, registry=registry
        )
        self._waiting: deque[_Upload] = deque()
        self._arrived = threading.Event()
        self._swapped = threading.Event()
        self._stopping = threading.Event()
        self._store_thread = threading.Thread(target=self._store_all, name="screener-store")
        self._match_thread = threading.Thread(target=self._match_all, name="screener-reverse")
        self._store_thread.daemon = self._match_thread.daemon = True
        self._count(registry)

    def _count(self, registry: CollectorRegistry) -> None:
        self._stored = Counter(
            "screener_stored_uploads", "Uploads whose hashes were stored.", registry=registry
        )
        self._lost = Counter(
            "screener_unstored_uploads", "Uploads whose hashes could not be stored.",
            registry=registry,
        )  # fmt: skip
        self._failures = Counter(
            "screener_reverse_failures", "Failed attempts, which are made again.", ("of",),
            registry=registry,
        )  # fmt: skip
        for name in ("store", "match"):
            self._failures.labels(name)
        self._runs = Counter(
            "screener_reverse_runs", "Matchings of all stored uploads.", registry=registry
        )
        self._new = Counter(
            "screener_reverse_matches", "New matches of stored uploads.", registry=registry
        )
        pending = Gauge("screener_reverse_pending", "1 if newer lists are not matched yet.",
                        registry=registry)  # fmt: skip
        pending.set_function(self._swapped.is_set)

    def start(self) -> None:
        """Store, match and deliver from now on; first match what came while this was down."""
        self._swapped.set()
        self._arrived.set()
        self._store_thread.start()
        self._match_thread.start()
        self._delivery.start()

    def stop(self) -> None:
        """Store what waits, and end. The rest is matched and delivered after the next start."""
        self._stopping.set()
        self._arrived.set()
        self._swapped.set()
        deadline = time.monotonic() + _STOP_SECONDS
        ended = []
        for thread in (self._store_thread, self._match_thread):
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
            ended.append(not thread.is_alive())
        ended.append(self._delivery.stop(max(0.0, deadline - time.monotonic())))
        if all(ended):  # else they end with the process
            try:
                self._cache.__exit__(None)
                self._outbox.close()
            except ScreenerError as error:
                _log.error("the stored hashes were not closed cleanly: %s", error)
            os.close(self._lock_descriptor)

    def keep(
        self, hashed: HashedInput, result: Result, lists: frozenset[str] | None = None
    ) -> None:
        """Store the hashes of an upload soon; `lists` are those that the caller chose."""
        if len(self._waiting) >= _MAX_WAITING:
            self._lost.inc()
            return
        self._waiting.append((hashed, result, lists))
        self._arrived.set()

    def after_swap(self) -> None:
        """Match the stored uploads against the lists that are now in use, in a thread."""
        self._swapped.set()

    def _store_all(self) -> None:
        forget_at = 0.0
        while not self._stopping.is_set() or self._waiting:
            self._arrived.wait(_FORGET_SECONDS)
            self._arrived.clear()
            try:
                while self._waiting:
                    self._store(list(self._waiting)[:_BATCH])
                if time.monotonic() >= forget_at and not self._stopping.is_set():
                    self._cache.forget()
                    self._outbox.forget(self._days)
                    forget_at = time.monotonic() + _FORGET_SECONDS
            except Exception as error:
                self._note_failure("store", "hashes of uploads are not stored", error)
                if self._stopping.wait(_RETRY_SECONDS):
                    break
                self._arrived.set()
        if self._waiting:
            self._lost.inc(len(self._waiting))
            _log.error("the hashes of %d uploads were not stored", len(self._waiting))

    def _store(self, uploads: list[_Upload]) -> None:
        """Store uploads, which then no longer wait; match those that an older generation decided.

        First what their answers said: if it were lost, it would be reported.
        """
        answers = [
            Answer(result.input or "", result.matches, lists)
            for _, result, lists in uploads
            if result.matches or lists is not None
        ]
        if answers:
            self._outbox.learn(answers)
        self._cache.add([hashed for hashed, _, _ in uploads], self._find_screener().hasher)
        # Read after the hashes are stored: lists that are swapped later are matched with them.
        screener = self._find_screener()
        late = [hashed for hashed, result, lists in uploads if _is_older(result, screener, lists)]
        if late:
            self._report(screener.decide(late))
        for _ in uploads:
            self._waiting.popleft()
        self._stored.inc(len(uploads))

    def _match_all(self) -> None:
        while not self._stopping.is_set():
            self._swapped.wait()
            if self._stopping.is_set():
                return
            screener = self._find_screener()
            try:
                state = _describe_state(screener)
                if self._outbox.searched != state and self._match(screener):
                    self._outbox.searched = state
            except Exception as error:
                self._note_failure("match", "stored uploads are not matched", error)
                self._stopping.wait(_RETRY_SECONDS)
                continue
            self._swapped.clear()
            if self._find_screener() is not screener:  # swapped before that
                self._swapped.set()

    def _match(self, screener: Screener) -> bool:
        """Match all stored uploads; return False if the service stops meanwhile."""
        self._cache.forget()
        count = 0
        found = rescan(screener, self._cache, as_stored=True)
        while results := list(islice(found, _BATCH)):
            count += self._report(results)
            if self._stopping.is_set():
                return False
        self._runs.inc()
        _log.info("stored uploads were matched with newer lists: %d new matches", count)
        return True

    def _report(self, results: Iterable[Result]) -> int:
        count = self._outbox.report(
            [result for result in results if result.matches],
            _describe,
            to_write=self._file is not None,
            to_send=self._webhook is not None,
        )
        if count:
            self._new.inc(count)
            self._delivery.wake()
        return count

    def _note_failure(self, of: str, what: str, error: Exception) -> None:
        self._failures.labels(of).inc()
        known = isinstance(error, ServiceError | OutputError)
        _log.error("%s, tried again soon: %s", what, error if known else type(error).__name__)


def _claim_folder(folder: Path) -> int:
    """Make the folder if it is missing, and lock it; return the descriptor of the lock."""
    try:
        if not folder.is_dir():
            make_folder(folder)
        descriptor = open_private(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise ServiceError(f"the state folder {folder} cannot be used: {cause(error)}") from None
    try:
        Lock(descriptor, wait=False)
    except OSError:
        os.close(descriptor)
        raise ServiceError(
            f"another service uses the state folder {folder}, or its disk has no locks: name a"
            " folder for each service"
        ) from None
    return descriptor


def _describe_state(screener: Screener) -> str:
    stamps = sorted((one.name, one.stamp()) for one in screener.lists)
    return json.dumps([stamps, screener.policy.fingerprint])


def _is_older(result: Result, screener: Screener, lists: frozenset[str] | None) -> bool:
    """Return whether a Result is without a generation that a Screener has, or by another policy.

    Such as that of a list that was added since; of `lists` alone, if the caller chose some.
    """
    decided = {(state.name, state.stamp) for state in result.lists}
    current = {
        (one.name, one.stamp()) for one in screener.lists if lists is None or one.name in lists
    }
    return not current <= decided or result.policy != screener.policy.fingerprint


def _describe(result: Result, matches: list[Match]) -> str:
    """Return the body of an event. It has no hash, also if a list calls an entry by one."""
    generations = {state.name: state.generation for state in result.lists}
    event = {
        "type": "upload.matches",
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "data": {
            "upload": result.input,
            "policy": result.policy,
            "matches": [_describe_match(match, generations.get(match.list)) for match in matches],
        },
    }
    return json.dumps(event, separators=(",", ":"))


def _is_hash(entry: str) -> bool:
    is_number = entry.isdecimal() and len(entry) <= _MAX_NUMBER_DIGITS
    return may_hold_hash(entry) and not is_number


def _describe_match(match: Match, generation: int | None) -> dict[str, Any]:
    fields = {
        "list": match.list,
        "generation": generation,
        "source": match.source,
        "entry": None if _is_hash(match.entry) else match.entry,
        "state": str(match.state),
        "kind": match.kind,
        "by": match.by,
    }
    if match.evidence is None:
        return fields | {"distance": match.distance, "radius": match.radius}
    return fields | {"evidence": match.evidence, "threshold": match.threshold}
