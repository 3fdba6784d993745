"""The progress of a scan (files, bytes, speed, matches, time left), and bars of other commands."""

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

from screener.cli.streams import to_stderr
from screener.errors import printable
from screener.scanning.resume import Finished
from screener.screening.result import Result, Verdict
from screener.system import progress

_INTERVAL_SECONDS = 1.0
# Rates are means over this time, since sizes of files differ by a factor of a thousand.
_RATE_SECONDS = 30
# No time left is estimated from results of a shorter time.
_MIN_ESTIMATE_SECONDS = 2.0
_JOIN_SECONDS = 0.2


@contextmanager
def show_bar(description: str) -> Iterator[progress.Progress | None]:
    """Show a bar and yield the function that moves it, or None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(show_speed=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=to_stderr(), transient=True) as display:
        task = display.add_task(printable(description), total=None)
        yield lambda done, total: display.update(task, completed=done, total=total)


class Pace:
    """Counts of results, and how fast they arrive. Not thread-safe, except for `total`."""

    def __init__(
        self, finished: Sized = (), *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`finished` contains the valid results of an earlier run; its length may shrink."""
        self._clock = clock
        self._begin = clock()
        self._samples = deque([(self._begin, 0, 0)], maxlen=_RATE_SECONDS + 1)
        self._finished = finished
        self.files = 0
        self.bytes = 0
        self.matches = 0
        self.unscreened: Counter[str] = Counter()
        self.extras: Counter[str] = Counter()
        self.total: int | None = None

    @property
    def done(self) -> int:
        """The number of valid results of an earlier run."""
        return len(self._finished)

    def add(self, result: Result) -> None:
        """Count a result, unless summaries leave it out."""
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
        if self.files == 1:  # The workers have just started.
            self._samples[0] = (now, 1, self.bytes)
        elif now - self._samples[-1][0] >= 1:
            self._samples.append((now, self.files, self.bytes))

    def to_dict(self) -> dict[str, Any]:
        """Return the progress as `--json-progress` prints it; rates are of the last half minute."""
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
            "seconds_left": self._seconds_left(rate if span >= _MIN_ESTIMATE_SECONDS else 0.0),
        }

    def _seconds_left(self, rate: float) -> int | None:
        """Return the time left, or None if the total is unknown or archives exceeded it."""
        remaining = -1 if self.total is None else self.total - self.files - self.done
        if remaining <= 0 or rate <= 0:
            return 0 if remaining == 0 else None
        return round(remaining / rate)

    def text(self) -> str:
        """Return the progress as one line."""
        state = self.to_dict()
        seconds_left = state["seconds_left"]
        reasons = ", ".join(f"{n} {reason}" for reason, n in state["unscreened"].items())
        return " · ".join(
            [
                f"{self.files + self.done:,}" + (f" of {self.total:,}" if self.total else ""),
                f"{state['files_per_s']:,.0f} files/s, {state['bytes_per_s'] / 1e6:,.1f} MB/s",
                f"{self.matches:,} match",
                f"{sum(self.unscreened.values()):,} unscreened"
                + (f" ({reasons})" if reasons else ""),
                "" if seconds_left is None else f"{_format_duration(seconds_left)} left",
            ]
        ).rstrip(" ·")


def _format_duration(seconds: int) -> str:
    hours, seconds = divmod(seconds, 3600)
    return f"{hours}:{seconds // 60:02}:{seconds % 60:02}"


class Display:
    """A Pace that is shown at most once a second."""

    def __init__(self, pace: Pace, show: Callable[[bool], None]) -> None:
        self._pace = pace
        self._show = show
        self._shown = float("-inf")

    def add(self, result: Result) -> None:
        """Count a result, and show the progress if a second has passed."""
        self._pace.add(result)
        now = time.monotonic()
        if now - self._shown >= _INTERVAL_SECONDS:
            self._shown = now
            self._show(False)


@contextmanager
def show_scan(
    console: Console,
    files: Callable[[], Iterable[int]] | None,
    finished: Finished | None,
    *,
    as_json: bool,
    with_bar: bool = True,
) -> Iterator[Display]:
    """Show the progress of a scan, and yield the Display that counts its results.

    Parameters:
        console: Where a bar is shown, if it is a terminal.
        files: Returns numbers whose sum is the number of files, or None if it is unknown. A thread
            adds them.
        finished: The valid results of an earlier run.
        as_json: Print JSON lines instead of a bar.
        with_bar: Show a bar.
    """
    pace = Pace(() if finished is None else finished)
    if as_json:
        with _count_in_thread(files, pace):
            yield Display(pace, lambda done: _write(pace, done))
        _write(pace, True)
    elif with_bar and console.is_terminal:
        columns = (TextColumn("{task.description}", markup=False), BarColumn())
        with (
            Progress(*reversed(columns), console=console, transient=True) as bar,
            _count_in_thread(files, pace),
        ):
            task = bar.add_task("screening", total=None)

            def update(_: bool) -> None:
                done = pace.files + pace.done
                bar.update(task, completed=done, total=pace.total, description=pace.text())

            yield Display(pace, update)
    else:
        yield Display(pace, lambda done: None)


def _write(pace: Pace, done: bool) -> None:
    print(json.dumps(pace.to_dict() | {"done": done}), file=sys.stderr, flush=True)


@contextmanager
def _count_in_thread(files: Callable[[], Iterable[int]] | None, pace: Pace) -> Iterator[None]:
    """Count the files in a thread. At the end, do not wait for a thread that waits for a disk."""
    stop = Event()

    def count() -> None:
        total = 0
        for number in [] if files is None else files():
            total += number
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
            thread.join(_JOIN_SECONDS)
