"""Progress: of a scan, how many files and bytes, how fast, what was found, how long yet; of other
long commands, a bar.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from screener.cli.console import to_stderr
from screener.errors import printable
from screener.scanning.resume import Finished
from screener.screening.result import Result, Verdict
from screener.system import progress

_EVERY_S = 1.0
# What is told as "now" is the mean over so many seconds: files differ by a factor of a thousand.
_SPAN = 30
# After so many seconds of results it is told how long it takes yet.
_SURE = 2.0
_STOP_S = 0.2


@contextmanager
def bar(what: str) -> Iterator[progress.Progress | None]:
    """Show on a terminal how far the body has come, by the function that this gives it.

    Without a terminal on standard error nothing is shown, and None is given.
    """
    if not sys.stderr.isatty():
        yield None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(show_speed=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=to_stderr(), transient=True) as shown:
        task = shown.add_task(printable(what), total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


class Pace:
    """Counts results, and how fast they come. Made for one thread that adds and reads."""

    def __init__(
        self, finished: Sized = (), *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`finished` is what an earlier run did, as far as it counts; its length may shrink."""
        self._clock = clock
        self._begin = clock()
        self._samples = deque([(self._begin, 0, 0)], maxlen=_SPAN + 1)
        self._finished = finished
        self.files = 0
        self.bytes = 0
        self.matches = 0
        self.unscreened: Counter[str] = Counter()
        self.extras: Counter[str] = Counter()
        self.total: int | None = None

    @property
    def done(self) -> int:
        """How many results of an earlier run count."""
        return len(self._finished)

    def add(self, result: Result) -> None:
        """Count one result, unless summaries do not."""
        if not result.counts:
            return
        self.files += 1
        self.bytes += result.bytes or 0
        self.matches += result.verdict is Verdict.MATCH
        if result.reason is not None:
            self.unscreened[str(result.reason)] += 1
        if result.extra is not None:
            self.extras[result.extra] += 1
        now = self._clock()
        if self.files == 1:  # until then the workers were being started
            self._samples[0] = (now, 1, self.bytes)
        elif now - self._samples[-1][0] >= 1:
            self._samples.append((now, self.files, self.bytes))

    def to_dict(self) -> dict[str, Any]:
        """The state as `--json-progress` tells it; rates are of the last half minute."""
        now = self._clock()
        since, files, size = self._samples[0]
        span = max(now - since, 1e-6)
        rate = (self.files - files) / span
        return {
            "progress": 1,
            "seconds": round(now - self._begin, 1),
            "files": self.files,
            "finished_before": self.done,
            "total": self.total,
            "bytes": self.bytes,
            "files_per_s": round(rate, 1),
            "bytes_per_s": round((self.bytes - size) / span),
            "match": self.matches,
            "unscreened": dict(self.unscreened.most_common()),
            "extras": dict(self.extras.most_common()),
            "seconds_left": self._left(rate if span >= _SURE else 0.0),
        }

    def _left(self, rate: float) -> int | None:
        """Seconds; None where nobody knows: the total is not counted yet, or was of archives."""
        left = -1 if self.total is None else self.total - self.files - self.done
        if left <= 0 or rate <= 0:
            return 0 if left == 0 else None
        return round(left / rate)

    def text(self) -> str:
        """The state in a line for people."""
        now = self.to_dict()
        left = now["seconds_left"]
        reasons = ", ".join(f"{n} {reason}" for reason, n in now["unscreened"].items())
        return " · ".join(
            [
                f"{self.files + self.done:,}" + (f" of {self.total:,}" if self.total else ""),
                f"{now['files_per_s']:,.0f} files/s, {now['bytes_per_s'] / 1e6:,.1f} MB/s",
                f"{self.matches:,} match",
                f"{sum(self.unscreened.values()):,} unscreened"
                + (f" ({reasons})" if reasons else ""),
                "" if left is None else f"{_clock(left)} left",
            ]
        ).rstrip(" ·")


def _clock(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


class Shown:
    """What tells a Pace, at most once a second."""

    def __init__(self, pace: Pace, tell: Callable[[bool], None]) -> None:
        self._pace = pace
        self._tell = tell
        self._told = float("-inf")

    def add(self, result: Result) -> None:
        """Count a result, and tell the state if it is time."""
        self._pace.add(result)
        now = time.monotonic()
        if now - self._told >= _EVERY_S:
            self._told = now
            self._tell(False)


@contextmanager
def shown(
    console: Console,
    files: Callable[[], Iterable[int]] | None,
    finished: Finished | None,
    *,
    as_json: bool,
    with_bar: bool = True,
) -> Iterator[Shown]:
    """Show progress on a terminal if `with_bar`, or as JSON lines if asked to; else nothing.

    `files` gives numbers that add up to how many there are, in a thread; None where nobody can.
    """
    pace = Pace(() if finished is None else finished)
    if as_json:
        with _counting(files, pace):
            yield Shown(pace, lambda done: _write(pace, done))
        _write(pace, True)
    elif with_bar and console.is_terminal:
        columns = (TextColumn("{task.description}", markup=False), BarColumn())
        with (
            Progress(*reversed(columns), console=console, transient=True) as bar,
            _counting(files, pace),
        ):
            task = bar.add_task("screening", total=None)

            def tell(_: bool) -> None:
                done = pace.files + pace.done
                bar.update(task, completed=done, total=pace.total, description=pace.text())

            yield Shown(pace, tell)
    else:
        yield Shown(pace, lambda done: None)


def _write(pace: Pace, done: bool) -> None:
    print(json.dumps(pace.to_dict() | {"done": done}), file=sys.stderr, flush=True)


@contextmanager
def _counting(files: Callable[[], Iterable[int]] | None, pace: Pace) -> Iterator[None]:
    """Counts the files in a thread of its own: with millions it takes a while. Where it is waiting
    for a disk that does not answer, it is left behind, to end with the program.
    """
    stop = Event()

    def count() -> None:
        total = 0
        for some in [] if files is None else files():
            total += some
            if stop.is_set():
                return
        pace.total = total

    thread = Thread(target=count, daemon=True)
    if files is not None:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if files is not None:
            thread.join(_STOP_S)
