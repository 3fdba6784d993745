"""The delivery of events: lines of a file, and a webhook that is tried again until it succeeds."""

from __future__ import annotations

import json
import logging
import os
import random
import threading
import time
from collections.abc import Iterable, Iterator
from math import nan
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from screener.errors import OutputError, ServiceError
from screener.service.outbox import MAX_WAIT_SECONDS, Event, Outbox
from screener.service.webhooks import Undelivered, Webhook
from screener.system.files import open_private
from screener.system.output_file import make_private
from screener.system.sqlite_errors import explain

_log = logging.getLogger(__name__)

_BATCH = 256
_FIRST_SECONDS = 1.0
_LOOK_SECONDS = 60.0  # between two looks at the queue, if nothing is due before

# Answers that refuse one event; all others concern the receiver, so all events wait.
_REFUSALS = frozenset((400, 409, 413, 415, 422))
_GONE = 410


def backoff(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row, with jitter."""
    longest = min(MAX_WAIT_SECONDS, _FIRST_SECONDS * 2.0 ** min(failures - 1, 32))
    return longest * random.uniform(0.5, 1.0)


class MatchesFile:
    """A file of events, one JSON object a line, for its owner only."""

    def __init__(self, path: Path) -> None:
        """Check that the file can be written. Raises ServiceError."""
        self._path = path
        self.append([])

    def append(self, events: list[Event]) -> None:
        """Append events; they are on the disk when this returns. Raises ServiceError.

        Half a last line, which a kill or a full disk has left, is removed.
        """
        try:
            # Opened each time, since it may have been moved away.
            descriptor = open_private(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
            with open(descriptor, "r+b") as stream:
                make_private(self._path, descriptor)
                stream.truncate(_find_end(stream.fileno()))
                stream.seek(0, os.SEEK_END)
                for event in events:
                    stream.write(_line(event))
                stream.flush()
                os.fsync(descriptor)
        except OSError as error:
            raise ServiceError(f"{self._path}: {explain(error, self._path)}") from None
        except OutputError as error:
            raise ServiceError(str(error)) from None


def _line(event: Event) -> bytes:
    return f'{{"id":{json.dumps(event.id)},{event.body[1:]}\n'.encode()


def _find_end(descriptor: int) -> int:
    """Return the length of a file without half a last line."""
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - (1 << 16))
        position = os.pread(descriptor, end - start, start).rfind(b"\n")
        if position >= 0:
            return start + position + 1
        end = start
    return 0


class _Waiting(Collector):
    """Gauges of the events that are not delivered."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily(
            "screener_events_waiting", "Events that are not delivered.", labels=["to"]
        )
        oldest = GaugeMetricFamily(
            "screener_events_oldest_seconds", "The age of the oldest event that waits."
        )
        try:
            to_write, to_send, made = self._outbox.count_waiting()
        except ServiceError:  # the log says why
            to_write = to_send = nan
            made = None
        waiting.add_metric(["file"], to_write)
        waiting.add_metric(["webhook"], to_send)
        oldest.add_metric([], 0.0 if made is None else max(0.0, time.time() - made))
        yield from (waiting, oldest)


class Delivery:
    """The thread that delivers the events of an Outbox, each at least once, with the same id."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        file: MatchesFile | None,
        webhook: Webhook | None,
        registry: CollectorRegistry,
    ) -> None:
        self._outbox = outbox
        self._file = file
        self._webhook = webhook
        self._failures = 0  # in a row, of the receiver
        self._paused_until = 0.0  # monotonic
        self._woken = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="screener-webhook", daemon=True)
        self._deliveries = Counter(
            "screener_webhook_deliveries", "Attempts to deliver an event, by status or none.",
            ("outcome",), registry=registry,
        )  # fmt: skip
        self._file_failures = Counter(
            "screener_matches_file_failures", "Failed writes to the file of matches.",
            registry=registry,
        )  # fmt: skip
        registry.register(_Waiting(outbox))

    def start(self) -> None:
        """Deliver from now on."""
        self._thread.start()

    def wake(self) -> None:
        """Look at the queue now."""
        self._woken.set()

    def stop(self, seconds: float) -> bool:
        """End the thread; return whether it ended in time. What is not delivered stays queued."""
        self._stopping = True
        self.wake()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()
            try:
                self._write()
                self._send()
                wait = self._find_wait()
            except Exception as error:
                detail = error if isinstance(error, ServiceError) else type(error).__name__
                _log.error("events wait, since the queue cannot be used: %s", detail)
                wait = _LOOK_SECONDS
            self._woken.wait(wait)
        if self._webhook is not None:
            self._webhook.close()

    def _find_wait(self) -> float:
        if self._webhook is None:
            return _LOOK_SECONDS
        due = self._outbox.next_due()
        if due is None:
            return _LOOK_SECONDS
        return min(_LOOK_SECONDS, max(self._pause_left(), due - time.time(), 0.0))

    def _pause_left(self) -> float:
        return max(0.0, self._paused_until - time.monotonic())

    def _write(self) -> None:
        while self._file is not None and (events := self._outbox.find_unwritten(_BATCH)):
            try:
                self._file.append(events)
            except ServiceError as error:
                self._file_failures.inc()
                _log.error("matches wait for their file: %s", error)
                return
            self._outbox.note_written(events)

    def _send(self) -> None:
        while self._webhook is not None and not self._stopping and not self._pause_left():
            events = self._outbox.find_due(_BATCH)
            if not events:
                self._webhook.close()  # the next event may come in hours
                return
            for event in events:
                if self._stopping or not self._deliver(self._webhook, event):
                    break

    def _deliver(self, webhook: Webhook, event: Event) -> bool:
        """Send an event; return whether the receiver may get the next one."""
        try:
            webhook.send(event.id, event.body.encode())
        except Undelivered as error:
            return self._postpone(event, error)
        self._deliveries.labels("delivered").inc()
        self._failures = 0
        self._outbox.note_sent(event)
        return True

    def _postpone(self, event: Event, error: Undelivered) -> bool:
        self._deliveries.labels(str(error.status or "no_answer")).inc()
        if error.status in _REFUSALS:
            self._failures = 0
            wait = max(error.seconds, backoff(event.attempts + 1))
            self._outbox.postpone(event, wait)
            _log.warning(
                "the webhook's receiver refused an event: %s; again in %.0f s", error, wait
            )
            return True
        self._failures += 1
        gone = error.status == _GONE  # the receiver asks for no more; an operator must act
        wait = MAX_WAIT_SECONDS if gone else max(error.seconds, backoff(self._failures))
        self._paused_until = time.monotonic() + wait
        log = _log.error if gone else _log.warning
        log("the webhook's receiver cannot take events: %s; again in %.0f s", error, wait)
        return False
