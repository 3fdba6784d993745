"""The workers of a Pool, for the generations that it matches against."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from screener.errors import WorkerError
from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.workers.pool import Workers, poll
from screener.scanning.workers.protocol import FinishedTask
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import OpenedArchive
from screener.screening.screener import Screener

_log = logging.getLogger(__name__)

_START_SECONDS = 0.02  # between two checks whether processes have started

# For how long all workers are started again and again, if none of them finishes an item. Something
# outside may kill several in a row; a program that cannot start any fails at the first.
_MAX_RESTART_SECONDS = 60.0

Finished = FinishedTask[HashedInput | OpenedArchive]


@dataclass(eq=False)
class Crew:
    """Worker processes, and the Screener that their hashes are for.

    A newer Screener takes the place of that one if it needs the same hashes. With `exact`, these
    have no bits in doubt, so they can be stored.
    """

    screener: Screener
    jobs: int
    exact: bool = False
    workers: Workers[HashedInput | OpenedArchive] = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start the processes, without waiting for them."""
        self.workers = Workers(replace(self.screener.hasher, sketches=not self.exact), self.jobs)

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


class Crews:
    """The crew that gets the next items, and older ones that finish theirs.

    Any thread may call `adopt`; all else is for one thread.
    """

    def __init__(self, screener: Screener, jobs: int, *, exact: bool = False) -> None:
        """Start workers and wait until they are ready. Raises WorkerError if that fails."""
        self.current = Crew(screener, jobs, exact).wait()
        self._retiring: list[Crew] = []
        self._lock = threading.Lock()
        self._failing_since: float | None = None
        self._ended = False

    def adopt(self, screener: Screener) -> None:
        """Match the next items against another Screener.

        If it needs other hashes, start workers for them first. Raises WorkerError if that fails;
        the workers that there are go on.
        """
        if screener.hasher == self.current.screener.hasher:
            with self._lock:
                self.current.screener = screener
            return
        crew = Crew(screener, self.current.jobs, self.current.exact).wait()
        with self._lock:
            if self._ended:
                crew.end()
                return
            self._retiring.append(self.current)
            self.current = crew

    def poll(self, awaited: Awaited, *, waits: bool) -> Sequence[Finished]:
        """Return the tasks that finish next; stop for the awaited input.

        If an item `waits`, stop soon if a process may have started. Raises WorkerError if processes
        end before they are ready; then call `restart`.
        """
        with self._lock:
            for crew in [crew for crew in self._retiring if not crew.workers.busy]:
                crew.end()
                self._retiring.remove(crew)
            crews = [self.current, *self._retiring]
        is_starting = waits and not crews[0].workers.ready
        seconds = _START_SECONDS if is_starting else None
        finished = poll([crew.workers for crew in crews], awaited, seconds)
        if finished:
            self._failing_since = None
        return finished

    def restart(self, error: WorkerError) -> None:
        """End all workers and start new ones. Raises the error if that goes on for too long."""
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        if now - self._failing_since > _MAX_RESTART_SECONDS:
            raise error
        _log.warning("all worker processes are started again: %s", error)
        with self._lock:
            self._end_all()
            self.current.start()

    def end(self) -> None:
        """End all processes."""
        with self._lock:
            self._ended = True
            self._end_all()

    def _end_all(self) -> None:
        for crew in [self.current, *self._retiring]:
            crew.end()
        self._retiring.clear()
